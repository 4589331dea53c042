//! The sockets: TLS, routing by host and path, framing, compression, faults around the services.

pub mod operation;
pub mod reply;
pub mod request;

pub use reply::{Outcome, Reply, ReplyBody};
pub use request::{Path, Query, Request};
