//! The front doors of exogate: REST, SCIM 2.0 and SailPoint connector commands over HTTP.
//!
//! Reads from the store through the engine's views and writes through its provisioning; never calls
//! a tenant itself, and never reads the environment or the clock.

pub mod auth;
pub mod caller;
mod causes;
pub mod change;
pub mod gateway;
pub mod life;
pub mod meters;
mod outgoing;
pub mod request_id;
pub mod rest;
pub mod runs;
pub mod sailpoint;
pub mod scim;
pub mod serve;
pub mod traces;
pub mod webhook;

pub use caller::{Caller, CallerKind, Scope};
pub use gateway::{Gateway, Source};
pub use life::Life;
pub use meters::Meters;
pub use request_id::RequestId;
pub use runs::RunManager;
