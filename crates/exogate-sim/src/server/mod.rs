//! The sockets: TLS, routing by host and path, framing, compression, faults around the services.

mod body;
mod listen;
pub mod operation;
mod pipeline;
pub mod reply;
pub mod request;
pub mod route;
mod run;

pub use pipeline::run as answer;
pub use reply::{Outcome, Reply, ReplyBody};
pub use request::{Path, Query, Request};
pub(crate) use run::save as save_state;
pub use run::{AppSpec, RegisteredApp, RunningSim, SimError, TenantFacts, start};

#[cfg(test)]
mod tests;
