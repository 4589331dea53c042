//! What one tenant's connection needs, as plain data. The binary builds it; nothing here reads a file or a variable.

use std::time::Duration;

use url::Url;

use crate::cloud::Endpoints;
use crate::governor::GovernorSettings;
use crate::signin::Credential;

/// How one tenant is reached.
#[derive(Clone, Debug)]
pub struct TenantSettings {
    /// The tenant's id or one of its verified domains.
    pub tenant: String,
    /// Where its services are.
    pub endpoints: Endpoints,
    /// How to sign in.
    pub credential: Credential,
    /// Extra certificate authorities (PEM), trusted beside the platform's own.
    pub ca_pem: Option<Vec<u8>>,
    /// An HTTP proxy; managed identity never goes through it.
    pub proxy: Option<Url>,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// Limits of each governor.
    pub governor: GovernorSettings,
    /// When to give up repeating.
    pub retry: RetrySettings,
    /// Waits of the transport.
    pub timeouts: Timeouts,
}

impl TenantSettings {
    /// Settings with every default.
    pub fn new(tenant: impl Into<String>, endpoints: Endpoints, credential: Credential) -> Self {
        Self {
            tenant: tenant.into(),
            endpoints,
            credential,
            ca_pem: None,
            proxy: None,
            user_agent: concat!("exogate/", env!("CARGO_PKG_VERSION")).to_owned(),
            governor: GovernorSettings::default(),
            retry: RetrySettings::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// When a call that could be repeated is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySettings {
    /// Time from the first attempt to the start of the last one.
    pub budget: Duration,
    /// Attempts that met a fault (throttled attempts are bounded by the time budget alone).
    pub attempts: u32,
    /// First wait after a fault; doubles with each.
    pub backoff: Duration,
    /// Longest wait after a fault.
    pub backoff_cap: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(15 * 60),
            attempts: 8,
            backoff: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(30),
        }
    }
}

/// How long the transport waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of an answer, unless the request says otherwise.
    pub answer: Duration,
    /// For the next piece of a body.
    pub chunk: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(120),
            chunk: Duration::from_secs(60),
        }
    }
}
