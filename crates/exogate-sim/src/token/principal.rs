//! Who a verified token stands for. Read from claims; decides nothing.

use serde_json::Value;
use uuid::Uuid;

use super::resource::Resource;
use crate::clock::Time;

/// Whether an application acts on its own or for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// App-only.
    App,
    /// A user, through an application.
    User,
}

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// App or user.
    pub kind: PrincipalKind,
    /// The application.
    pub app_id: Uuid,
    /// Object id of the service principal or of the user.
    pub object_id: Uuid,
    /// Name of the application.
    pub app_name: String,
    /// The service that the token is for.
    pub resource: Resource,
    /// Application permissions at issue time (`roles`).
    pub roles: Vec<String>,
    /// Template ids of directory roles at issue time (`wids`).
    pub wids: Vec<Uuid>,
    /// Delegated permissions (`scp`).
    pub scopes: Vec<String>,
    /// The user's sign-in name.
    pub upn: Option<String>,
    /// When the token was issued.
    pub issued: Time,
    /// When it ends.
    pub expires: Time,
    /// The client declared `cp1`: it understands claims challenges.
    pub cae: bool,
}

impl Principal {
    /// Whether the application holds a permission on its own.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held.eq_ignore_ascii_case(role))
    }

    /// Whether the token carries a delegated permission.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held.eq_ignore_ascii_case(scope))
    }

    /// Whether a directory role was held at issue time.
    #[must_use]
    pub fn has_wid(&self, role: Uuid) -> bool {
        self.wids.contains(&role)
    }

    /// Whether this is an application on its own.
    #[must_use]
    pub fn is_app(&self) -> bool {
        self.kind == PrincipalKind::App
    }

    /// Reads verified claims of an access token; `None` for any other token.
    #[must_use]
    pub(super) fn from_claims(claims: &Value) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let list = |name: &str| {
            claims
                .get(name)
                .and_then(Value::as_array)
                .map(|values| values.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        let user = text("upn").is_some();
        Some(Self {
            kind: if user { PrincipalKind::User } else { PrincipalKind::App },
            app_id: text("appid")?.parse().ok()?,
            object_id: text("oid")?.parse().ok()?,
            app_name: text("app_displayname").unwrap_or_default().to_owned(),
            resource: Resource::from_audience(text("aud")?)?,
            roles: list("roles"),
            wids: list("wids").iter().filter_map(|id| id.parse().ok()).collect(),
            scopes: text("scp").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            upn: text("upn").map(str::to_owned),
            issued: Time::from_seconds(claims.get("iat")?.as_i64()?),
            expires: Time::from_seconds(claims.get("exp")?.as_i64()?),
            cae: list("xms_cc").iter().any(|capability| capability.eq_ignore_ascii_case("cp1")),
        })
    }
}
