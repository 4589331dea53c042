//! SCIM 2.0 (RFC 7643, RFC 7644): accounts as users, groups, and mailbox rights as entitlements.
//!
//! Reads come from the store, writes become plans. Who calls is known before anything here runs.

mod body;
mod bulk;
mod change;
mod check;
mod context;
mod door;
mod error;
mod filter;
mod limits;
mod list;
mod message;
mod patch;
mod project;
mod query;
mod read;
mod remembered;
mod resource;
mod schema;
mod sort;
mod urn;
mod write;

pub(crate) use door::changes;
pub use door::{MOUNT, described, refusal, router};

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
