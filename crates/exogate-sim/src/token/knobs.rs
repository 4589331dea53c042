//! What a scenario may bend in the token service. Behaviour only; no state.

use serde::{Deserialize, Serialize};

/// Scenario settings of the token service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenKnobs {
    /// Life of an access token in seconds as `expires_in` tells it.
    pub lifetime_seconds: u32,
    /// Life of a token for a client that declares `cp1` (long-lived, revocable).
    pub cae_lifetime_seconds: u32,
    /// Users (by UPN) who are asked for a second factor: AADSTS50076.
    pub mfa_users: Vec<String>,
    /// Every user sign-in is asked for a second factor.
    pub mfa_for_all: bool,
    /// Application ids blocked by Conditional Access: AADSTS53003 with `claims`.
    pub blocked_apps: Vec<String>,
    /// The client application ids whose Graph and Exchange calls are answered once with a CAE challenge.
    pub challenge_apps: Vec<String>,
    /// Applications that may not sign users in without a secret: AADSTS7000218.
    pub confidential_apps: Vec<String>,
    /// Password that every user has unless the state says otherwise.
    pub user_password: String,
    /// The user (by UPN) who sits at every screen: device codes and browser sign-ins end as his. Unset, they are
    /// refused as Conditional Access refuses them.
    pub interactive_user: Option<String>,
    /// Users (by UPN) who are locked out: AADSTS50053.
    pub locked_users: Vec<String>,
    /// Users (by UPN) whose password has expired: AADSTS50055.
    pub expired_password_users: Vec<String>,
    /// Accept managed-identity requests for this application id when the caller names none.
    pub managed_identity_app: Option<String>,
    /// The `X-IDENTITY-HEADER` value that the App Service endpoint asks for; any value when unset.
    pub identity_header: Option<String>,
    /// Answer every token request 429 with this `Retry-After`.
    pub throttle_retry_after: Option<u32>,
}

impl Default for TokenKnobs {
    fn default() -> Self {
        Self {
            lifetime_seconds: 3599,
            cae_lifetime_seconds: 86_399,
            mfa_users: Vec::new(),
            mfa_for_all: false,
            blocked_apps: Vec::new(),
            challenge_apps: Vec::new(),
            confidential_apps: Vec::new(),
            user_password: "Passw0rd!".to_owned(),
            interactive_user: None,
            locked_users: Vec::new(),
            expired_password_users: Vec::new(),
            managed_identity_app: None,
            identity_header: None,
            throttle_retry_after: None,
        }
    }
}
