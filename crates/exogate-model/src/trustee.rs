//! Who holds a right: as Exchange renders it, and whom that turned out to be.

use serde::{Deserialize, Serialize};

/// A trustee exactly as a tenant rendered it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Trustee {
    /// UPN, name, display name, GUID, SID or `forest\account`, as it came.
    pub text: String,
    /// The security identifier beside it, where the tenant gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// Whom a trustee stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Principal {
    /// A user: the grant is an entitlement of that account.
    User {
        /// Entra object id.
        id: String,
    },
    /// A group: the grant belongs to the group; its members have it in effect only.
    Group {
        /// Entra object id.
        id: String,
    },
    /// The mailbox itself (`NT AUTHORITY\SELF`).
    OwnMailbox,
    /// A system trustee or a role group of Exchange; not governed.
    System,
    /// A security identifier that no longer stands for anyone.
    Orphan,
    /// More than one principal bears that name; attributed to none of them.
    Ambiguous {
        /// The object ids of those who bear it, sorted.
        candidates: Vec<String>,
    },
    /// A text that could not be resolved.
    Unknown,
}

impl Principal {
    /// The user or group, if it is one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::User { id } | Self::Group { id } => Some(id),
            _ => None,
        }
    }

    /// One word for tables and the store.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Group { .. } => "group",
            Self::OwnMailbox => "self",
            Self::System => "system",
            Self::Orphan => "orphan",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Unknown => "unknown",
        }
    }
}
