//! Who calls, and what they may do.
//!
//! How a caller proves who they are is the business of authentication; every door finds the result
//! as a request extension.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a caller may do. Each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look at what is stored.
    Read,
    /// Change the tenant.
    Provision,
    /// Run aggregations, and see what concerns the service itself.
    Admin,
}

impl Scope {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Provision, Self::Admin];

    /// The name in configuration, tokens and output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Provision => "provision",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// How a caller proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CallerKind {
    /// A token of our own.
    Token,
    /// A token of an OpenID provider.
    OpenId,
    /// A client certificate.
    Certificate,
    /// Nobody asked: loopback without credentials, where the configuration allows it.
    Local,
}

impl CallerKind {
    /// Its name in logs and in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::OpenId => "openid",
            Self::Certificate => "certificate",
            Self::Local => "local",
        }
    }
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name for the journal and the audit log.
    pub name: String,
    /// How they proved it.
    pub kind: CallerKind,
    /// The highest scope.
    pub scope: Scope,
    /// The sources they may touch; none: all of them.
    pub sources: Option<BTreeSet<String>>,
}

impl Caller {
    /// What tells them from all others.
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.name(), self.name)
    }

    /// Whether they may do this to that source.
    pub fn may(&self, scope: Scope, source: &str) -> bool {
        self.scope >= scope && self.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }
}
