//! Makes tenants from a seed and sizes: the same inputs give the same tenant, byte for byte.

use serde::{Deserialize, Serialize};

/// How large a generated tenant is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sizes {
    /// People, the named ones included.
    pub users: u32,
    /// Shared mailboxes.
    pub shared: u32,
    /// Groups of all kinds.
    pub groups: u32,
    /// Memberships over all groups; by default eight per group or so.
    pub memberships: Option<u32>,
    /// Rights on each shared mailbox, on average.
    pub rights_per_shared: u32,
    pub rooms: u32,
    pub contacts: u32,
    pub seed: u64,
    /// Default domain.
    pub domain: String,
    /// Display name of the organisation.
    pub organization: String,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            users: 500,
            shared: 40,
            groups: 60,
            memberships: None,
            rights_per_shared: 6,
            rooms: 12,
            contacts: 15,
            seed: 1,
            domain: "contoso.com".to_owned(),
            organization: "Contoso".to_owned(),
        }
    }
}
