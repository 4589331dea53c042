//! The tenant's wire: how a Microsoft 365 tenant is signed in to, called, throttled and understood.
//!
//! Bottom to top: [`cloud`] says where, [`transport`] sends one request, [`certificate`] and [`signin`] obtain
//! tokens, [`governor`] decides when a call may go, [`caller`] joins them into one call that is repeated only where
//! that is safe, and [`graph`] and [`exchange`] say what is called. Outcomes are one short enum in [`error`].
//!
//! Deliberately absent: the store, plans, schema and policy; environment variables and the wall clock, which are
//! handed in. Nothing outside [`governor`] and [`caller`] sleeps or repeats a call.

pub mod activity;
pub mod caller;
pub mod certificate;
pub mod cloud;
pub mod error;
pub mod exchange;
pub mod governor;
pub mod graph;
pub mod page;
pub mod record;
pub mod settings;
pub mod signin;
pub mod transport;

pub use cloud::{Cloud, Endpoints, Resource};
pub use error::{ErrorKind, Service, WireError};
pub use settings::TenantSettings;
