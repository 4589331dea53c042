//! Microsoft Graph: users, groups, memberships and deltas.
//!
//! [`GraphClient`] reads pages and single objects, follows deltas, sends batches and changes
//! groups. Links are followed only on the configured host. What an account or a group is, and
//! which attributes matter, is not known here.

mod batch;
mod client;
mod failure;
mod judge;
mod query;
mod write;

pub use batch::{GraphCall, GraphReply};
pub use client::GraphClient;
pub use query::{DeltaQuery, ListQuery};
pub use write::{Change, MemberRole};
