//! A simulated Microsoft 365 tenant: Entra sign-in, Microsoft Graph, the Exchange Online admin API
//! and the activity feed, on loopback, over TLS, deterministic from a seed.
//!
//! It stands alone: it shares no types and no code with the client that is tested against it.

pub mod clock;
pub mod server;
pub mod state;
