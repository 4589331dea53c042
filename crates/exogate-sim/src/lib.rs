//! A simulated Microsoft 365 tenant: Entra sign-in, Microsoft Graph, the Exchange Online admin API
//! and the activity feed, on loopback, over TLS, deterministic from a seed.
//!
//! It stands alone: it shares no types and no code with the client that is tested against it.

pub mod activity;
pub mod clock;
pub mod exchange;
pub mod faults;
pub mod generate;
pub mod graph;
pub mod latency;
pub mod options;
pub mod server;
pub mod state;
pub mod throttle;
pub mod token;
pub mod trace;
pub mod world;
