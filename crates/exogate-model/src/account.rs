//! Accounts: Entra users with their mailbox attributes and entitlements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::AttributeValue;

/// Attributes by name, in name order.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// The prefix of Exchange attributes.
pub const EXCHANGE_PREFIX: &str = "EXO_";
/// The account attribute that carries rights on shared mailboxes.
pub const SHARED_MAILBOX: &str = "sharedMailbox";
/// The account attribute that carries group memberships.
pub const GROUPS: &str = "groups";

/// One account as governance sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Entra object id.
    pub id: String,
    /// User principal name.
    pub name: String,
    /// Whether sign-in is blocked.
    pub disabled: bool,
    /// Attributes of the account schema that have a value.
    pub attributes: Attributes,
}
