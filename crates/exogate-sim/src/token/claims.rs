//! What stands inside the tokens: access tokens in the v1 format that the first-party services take, id tokens,
//! refresh tokens. Builds claims; signing and granting are elsewhere.

use serde_json::{Value, json};
use sha1::Digest as _;
use uuid::Uuid;

use super::resource::Requested;
use crate::state::{App, Object, State};

/// How the client proved itself (`appidacr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A public client: no proof.
    None,
    /// A secret.
    Secret,
    /// A signed assertion, or a managed identity.
    Assertion,
}

impl Proof {
    const fn code(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

/// A token to be made.
#[derive(Debug, Clone, Copy)]
pub struct Ticket<'a> {
    /// The tenant.
    pub state: &'a State,
    /// The client application.
    pub app: &'a App,
    /// What it is for.
    pub requested: &'a Requested,
    /// How the client proved itself.
    pub proof: Proof,
    /// Seconds since the epoch.
    pub now: i64,
    /// Life in seconds.
    pub lifetime: i64,
    /// The client declared `cp1`.
    pub cae: bool,
}

/// A service principal without directory role still carries this.
const NO_ROLE: &str = "0997a1d0-0d1d-4acb-b408-d5ca73121e90";
/// Every member user carries this beside the roles held.
const USER_ROLE: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";

impl Ticket<'_> {
    fn common(&self, subject: Uuid) -> Value {
        let tid = self.state.tenant.id;
        let mut claims = json!({
            "aud": self.requested.audience,
            "iss": format!("https://sts.windows.net/{tid}/"),
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + self.lifetime,
            "aio": self.opaque("aio", subject),
            "app_displayname": self.app.display_name,
            "appid": self.app.client_id,
            "appidacr": self.proof.code(),
            "idp": format!("https://sts.windows.net/{tid}/"),
            "oid": subject,
            "tenant_region_scope": "EU",
            "tid": tid,
            "uti": self.opaque("uti", subject),
            "ver": "1.0",
            "xms_tcdt": self.state.tenant.created.seconds(),
        });
        if self.cae {
            claims["xms_cc"] = json!(["CP1"]);
        }
        claims
    }

    /// An opaque claim that differs from token to token and is the same in a repeated run.
    fn opaque(&self, what: &str, subject: Uuid) -> String {
        use base64::Engine as _;
        let text =
            format!("{what}|{subject}|{}|{}|{}", self.app.client_id, self.requested.audience, self.now);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&sha2::Sha256::digest(text.as_bytes())[..16])
    }

    /// Claims of an app-only access token.
    #[must_use]
    pub fn app_claims(&self) -> Value {
        let subject = self.app.principal_id;
        let mut claims = self.common(subject);
        claims["idtyp"] = "app".into();
        claims["sub"] = subject.to_string().into();
        let resource: Uuid = self.requested.resource.app_id().parse().unwrap_or_default();
        let roles: Vec<&str> = self.app.roles_on(resource).collect();
        if !roles.is_empty() {
            claims["roles"] = json!(roles);
        }
        let mut wids: Vec<String> = self.app.directory_roles.iter().map(Uuid::to_string).collect();
        wids.push(NO_ROLE.to_owned());
        claims["wids"] = json!(wids);
        claims
    }

    /// Claims of a delegated access token.
    #[must_use]
    pub fn user_claims(&self, idx: crate::state::Idx, user: &Object, scopes: &str) -> Value {
        let mut claims = self.common(user.id);
        let upn = user.upn().unwrap_or_default();
        let account = user.user();
        claims["acr"] = "1".into();
        claims["amr"] = json!(["pwd"]);
        claims["family_name"] = json!(account.and_then(|account| account.surname.as_deref()));
        claims["given_name"] = json!(account.and_then(|account| account.given_name.as_deref()));
        claims["idtyp"] = "user".into();
        claims["ipaddr"] = "127.0.0.1".into();
        claims["name"] = user.display_name.to_string().into();
        claims["scp"] = scopes.into();
        claims["sub"] = self.opaque("sub", user.id).into();
        claims["unique_name"] = upn.into();
        claims["upn"] = upn.into();
        let mut wids: Vec<String> = self
            .state
            .directory_roles
            .iter()
            .filter(|role| role.members.contains(&idx))
            .map(|role| role.template.to_string())
            .collect();
        wids.push(USER_ROLE.to_owned());
        claims["wids"] = json!(wids);
        claims
    }

    /// Claims of an id token.
    #[must_use]
    pub fn id_claims(&self, user: &Object, issuer_host: &str) -> Value {
        let tid = self.state.tenant.id;
        json!({
            "aud": self.app.client_id,
            "iss": format!("https://{issuer_host}/{tid}/v2.0"),
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + self.lifetime,
            "name": &*user.display_name,
            "oid": user.id,
            "preferred_username": user.upn(),
            "rh": self.opaque("rh", user.id),
            "sub": self.opaque("sub", user.id),
            "tid": tid,
            "uti": self.opaque("uti", user.id),
            "ver": "2.0",
        })
    }
}
