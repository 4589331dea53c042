//! The vocabulary of exogate: accounts, mailboxes, groups, rights, trustees, grants,
//! entitlements, schema and changes.
//!
//! Pure: no I/O, no clock, no knowledge of how Microsoft puts any of this on the wire.

pub mod account;
pub mod catalogue;
pub mod change;
pub mod clock;
pub mod count;
pub mod entitlement;
pub mod grant;
pub mod group;
pub mod mailbox;
pub mod nearest;
pub mod operation;
pub mod plan;
pub mod policy;
pub mod right;
pub mod schema;
pub mod source;
pub mod trustee;
pub mod value;
