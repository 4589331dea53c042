//! A simulated Microsoft 365 tenant: Entra sign-in, Microsoft Graph, the Exchange Online admin API
//! and the activity feed, on loopback, over TLS, deterministic from a seed.
//!
//! It stands alone: it shares no types and no code with the client that is tested against it.

pub mod activity;
pub mod ca;
pub mod clock;
pub mod control;
pub mod exchange;
pub mod faults;
pub mod fixture;
pub mod generate;
pub mod graph;
mod json;
pub mod latency;
pub mod options;
pub mod server;
pub mod state;
pub mod throttle;
pub mod token;
pub mod trace;
pub mod world;

pub use options::{Scenario, SimOptions, Sizes, TenantSource, TraceSink};
pub use server::{AppSpec, RegisteredApp, RunningSim, SimError, TenantFacts, start};
