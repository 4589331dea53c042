//! The client of a token request: its form, its application, and the first-party public clients that every
//! tenant knows without a registration.

use std::borrow::Cow;

use base64::Engine as _;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::error::SignInError;
use super::resource::Resource;
use crate::state::{App, AppKind, State};

/// A form body with the credentials of HTTP Basic laid beside it.
#[derive(Clone, Default)]
pub struct Form {
    pairs: Vec<(String, String)>,
    basic: Option<(String, String)>,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

impl Form {
    /// Reads a body and an `Authorization` header.
    #[must_use]
    pub fn read(body: &[u8], authorization: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { pairs, basic: authorization.and_then(basic) }
    }

    /// The first non-empty value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// AADSTS900144.
    pub fn required(&self, name: &str) -> Result<&str, SignInError> {
        self.get(name).ok_or_else(|| SignInError::missing(name))
    }

    /// The client, from body or Basic.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.get("client_id").or_else(|| self.basic.as_ref().map(|(id, _)| id.as_str()))
    }

    /// The secret, from body or Basic.
    #[must_use]
    pub fn client_secret(&self) -> Option<&str> {
        self.get("client_secret").or_else(|| self.basic.as_ref().map(|(_, secret)| secret.as_str()))
    }
}

/// `Basic base64(urlencoded id:urlencoded secret)`.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text =
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| percent_decode_str(&text.replace('+', "%20")).decode_utf8_lossy().into_owned();
    Some((decode(id), decode(secret)))
}

/// First-party public clients: id and name.
const FIRST_PARTY: [(u128, &str); 7] = [
    (0xfb78d390_0c51_40cd_8e17_fdbfab77341b, "Microsoft Exchange REST API Based Powershell"),
    (0x04b07795_8ddb_461a_bbee_02f9e1bf7b46, "Microsoft Azure CLI"),
    (0x14d82eec_204b_4c2f_b7e8_296a70dab67e, "Microsoft Graph Command Line Tools"),
    (0x1950a258_227b_4e31_a9cf_717495945fc2, "Microsoft Azure PowerShell"),
    (0xd3590ed6_52b3_4102_aeff_aad2292ab01c, "Microsoft Office"),
    (0xde8bc8b5_d9f9_48b1_a8ad_b748da725064, "Graph Explorer"),
    (0xa0c73c16_a7e3_4564_9a95_2bdf47383716, "Microsoft Exchange Online Remote PowerShell"),
];

/// The old client of the Exchange module, dead since it was replaced.
const DEAD: u128 = 0xa0c73c16_a7e3_4564_9a95_2bdf47383716;

/// Whether the application is one of the service's own.
#[must_use]
pub fn is_first_party(id: Uuid) -> bool {
    FIRST_PARTY.iter().any(|(known, _)| *known == id.as_u128())
}

/// What first-party clients may do for a user.
#[must_use]
pub fn first_party_scopes(resource: Resource) -> Vec<String> {
    let names: &[&str] = match resource {
        Resource::Graph => &[
            "AuditLog.Read.All",
            "Directory.AccessAsUser.All",
            "Directory.ReadWrite.All",
            "Group.ReadWrite.All",
            "User.ReadWrite.All",
        ],
        Resource::Exchange => &[
            "AdminApi.AccessAsUser.All",
            "Exchange.Manage",
            "FfoPowerShell.AccessAsUser.All",
            "RemotePowerShell.AccessAsUser.All",
        ],
        Resource::Management => &["ActivityFeed.Read"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The application of this client id: registered in the tenant, or first-party.
#[must_use]
pub fn find_app<'s>(state: &'s State, client_id: &str) -> Option<Cow<'s, App>> {
    let id = Uuid::try_parse(client_id.trim()).ok()?;
    if let Some(app) = state.app(id) {
        return Some(Cow::Borrowed(app));
    }
    let (_, name) = FIRST_PARTY.iter().find(|(known, _)| *known == id.as_u128())?;
    let derived = |n: u64| crate::state::tenant::derived_id(state.tenant.seed, id.as_u128() as u64 ^ n);
    Some(Cow::Owned(App {
        client_id: id,
        object_id: derived(1),
        principal_id: derived(2),
        display_name: (*name).to_owned(),
        kind: AppKind::Public,
        enabled: id.as_u128() != DEAD,
        secrets: Vec::new(),
        certificates: Vec::new(),
        roles: Vec::new(),
        directory_roles: Vec::new(),
        role_groups: Vec::new(),
        consents: Vec::new(),
        managed_resource: None,
        exchange_principal: false,
        tokens_valid_from: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_url_decoded() {
        let header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("id:a%2Bb%7Ec"));
        let form = Form::read(b"grant_type=client_credentials&scope=", Some(&header));
        assert_eq!((form.client_id(), form.client_secret()), (Some("id"), Some("a+b~c")));
        assert_eq!(form.required("scope").unwrap_err().code, 900144);
        assert!(!format!("{form:?}").contains("a+b"));
    }
}
