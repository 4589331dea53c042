//! What exogate does, without its wire and its face: aggregation, trustee resolution, effective
//! access, and the views of accounts and groups.
//!
//! Never sees HTTP, never prints, never reads the environment or the clock.

pub mod access;
pub mod aggregate;
pub mod changes;
pub mod connection;
pub mod delta;
pub mod provision;
pub mod read;
pub mod resolve;
pub mod tenant;
pub mod view;

pub use exogate_microsoft::caller::{Belonging, carried, correlated, correlation};
pub use tenant::{SourceContext, Tenant};
