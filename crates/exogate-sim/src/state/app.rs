//! App registrations with their service principal, credentials and grants; directory roles and
//! Exchange role groups. What a grant permits is decided by each face.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

use super::Idx;
use crate::clock::Time;

/// What kind of principal an application is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// Registered in this tenant, with credentials.
    #[default]
    Confidential,
    /// A public client (no credentials), such as the first-party command-line tools.
    Public,
    /// A managed identity; tokens come from IMDS or App Service only.
    ManagedIdentity,
}

/// A client secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AppSecret {
    pub key_id: Uuid,
    pub value: String,
    pub starts: Time,
    pub expires: Time,
}

impl std::fmt::Debug for AppSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppSecret")
            .field("key_id", &self.key_id)
            .field("starts", &self.starts)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// An uploaded certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppCertificate {
    pub key_id: Uuid,
    pub der: Vec<u8>,
    pub sha1: [u8; 20],
    pub sha256: [u8; 32],
    pub subject: String,
    pub starts: Time,
    pub expires: Time,
}

impl AppCertificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// A text that says why it is not an X.509 certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der)
            .map_err(|e| format!("not an X.509 certificate in DER: {e}"))?;
        let sha1: [u8; 20] = sha1::Sha1::digest(der).into();
        let sha256: [u8; 32] = sha2::Sha256::digest(der).into();
        let mut id = [0; 16];
        id.copy_from_slice(&sha256[..16]);
        Ok(Self {
            key_id: uuid::Builder::from_random_bytes(id).into_uuid(),
            der: der.to_vec(),
            sha1,
            sha256,
            subject: parsed.subject().to_string(),
            starts: Time::from_seconds(parsed.validity().not_before.timestamp()),
            expires: Time::from_seconds(parsed.validity().not_after.timestamp()),
        })
    }
}

/// A granted application permission (app role).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRole {
    /// App id of the resource: Graph, Exchange Online, Office 365 Management APIs.
    pub resource: Uuid,
    /// Value of the role, such as `User.Read.All`.
    pub value: String,
}

/// Delegated permissions consented to for all users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub resource: Uuid,
    /// Scope values, such as `User.Read`.
    pub scopes: Vec<String>,
}

/// An application with its service principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    pub client_id: Uuid,
    /// Object id of the registration.
    pub object_id: Uuid,
    /// Object id of the service principal: `oid` of app-only tokens.
    pub principal_id: Uuid,
    pub display_name: String,
    #[serde(default)]
    pub kind: AppKind,
    /// `accountEnabled` of the service principal.
    #[serde(default = "yes")]
    pub enabled: bool,
    #[serde(default)]
    pub secrets: Vec<AppSecret>,
    #[serde(default)]
    pub certificates: Vec<AppCertificate>,
    /// Granted (consented) application permissions.
    #[serde(default)]
    pub roles: Vec<ResourceRole>,
    /// Template ids of the directory roles that the service principal holds (`wids`).
    #[serde(default)]
    pub directory_roles: Vec<Uuid>,
    /// Names of the Exchange role groups that the service principal is a member of.
    #[serde(default)]
    pub role_groups: Vec<String>,
    /// Made known to Exchange by New-ServicePrincipal.
    #[serde(default)]
    pub exchange_principal: bool,
    #[serde(default)]
    pub consents: Vec<Consent>,
    /// The Azure resource that a managed identity belongs to (`mi_res_id`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_resource: Option<String>,
    /// Tokens issued before this are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_valid_from: Option<Time>,
}

fn yes() -> bool {
    true
}

impl App {
    /// Granted roles of one resource.
    pub fn roles_on(&self, resource: Uuid) -> impl Iterator<Item = &str> {
        self.roles.iter().filter(move |r| r.resource == resource).map(|r| r.value.as_str())
    }
}

/// A directory role of Entra.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryRole {
    pub id: Uuid,
    pub template: Uuid,
    pub name: String,
    /// Users that hold it. Applications hold theirs in [`App::directory_roles`].
    #[serde(default)]
    pub members: Vec<Idx>,
}

/// An Exchange role group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleGroup {
    pub id: Uuid,
    pub name: String,
    /// Management roles that it carries.
    pub roles: Vec<String>,
    #[serde(default)]
    pub members: Vec<Idx>,
}

/// App ids of the resources that tokens are for.
pub mod resource {
    use uuid::Uuid;

    pub const GRAPH: Uuid = Uuid::from_u128(0x00000003_0000_0000_c000_000000000000);
    pub const EXCHANGE: Uuid = Uuid::from_u128(0x00000002_0000_0ff1_ce00_000000000000);
    pub const MANAGEMENT: Uuid = Uuid::from_u128(0xc5393580_f805_4401_95e8_94b7a6ef2fc2);
}

/// Template ids of the directory roles that matter here.
pub mod role {
    use uuid::Uuid;

    pub const GLOBAL_ADMINISTRATOR: Uuid = Uuid::from_u128(0x62e90394_69f5_4237_9190_012177145e10);
    pub const GLOBAL_READER: Uuid = Uuid::from_u128(0xf2ef992c_3afb_46b9_b7cf_a126ee74c451);
    pub const EXCHANGE_ADMINISTRATOR: Uuid = Uuid::from_u128(0x29232cdf_9323_42fd_ade2_1d097af3e4de);
    pub const EXCHANGE_RECIPIENT_ADMINISTRATOR: Uuid =
        Uuid::from_u128(0x31392ffb_586c_42d1_9346_e59415a2cc4e);
    pub const SECURITY_READER: Uuid = Uuid::from_u128(0x5d6b6bb7_de71_4623_b4af_96380a352509);
    pub const SECURITY_ADMINISTRATOR: Uuid = Uuid::from_u128(0x194ae4cb_b126_40b2_bd5b_6091b380977d);
    pub const COMPLIANCE_ADMINISTRATOR: Uuid = Uuid::from_u128(0x17315797_102d_40b4_93e0_432062caca18);
    pub const HELPDESK_ADMINISTRATOR: Uuid = Uuid::from_u128(0x729827e3_9c14_49f7_bb1b_9608f156bbb8);
    pub const USER_ADMINISTRATOR: Uuid = Uuid::from_u128(0xfe930be7_5e62_47db_91af_98c3a49a38b1);
    pub const DIRECTORY_READERS: Uuid = Uuid::from_u128(0x88d8e3e3_8f55_4a1e_953a_9b9898b8876b);

    /// Every role known here, by display name.
    pub const ALL: [(&str, Uuid); 10] = [
        ("Global Administrator", GLOBAL_ADMINISTRATOR),
        ("Global Reader", GLOBAL_READER),
        ("Exchange Administrator", EXCHANGE_ADMINISTRATOR),
        ("Exchange Recipient Administrator", EXCHANGE_RECIPIENT_ADMINISTRATOR),
        ("Security Reader", SECURITY_READER),
        ("Security Administrator", SECURITY_ADMINISTRATOR),
        ("Compliance Administrator", COMPLIANCE_ADMINISTRATOR),
        ("Helpdesk Administrator", HELPDESK_ADMINISTRATOR),
        ("User Administrator", USER_ADMINISTRATOR),
        ("Directory Readers", DIRECTORY_READERS),
    ];

    /// The template id of a role, by display name or by the id itself.
    #[must_use]
    pub fn named(name: &str) -> Option<Uuid> {
        ALL.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, id)| *id)
            .or_else(|| Uuid::try_parse(name).ok().filter(|id| ALL.iter().any(|(_, i)| i == id)))
    }
}
