//! The front doors of exogate: REST, SCIM 2.0 and SailPoint connector commands over HTTP.
//!
//! Reads from the store through the engine's views and writes through its provisioning; never calls
//! a tenant itself, and never reads the environment or the clock.

pub mod caller;
pub mod change;
pub mod gateway;
pub mod sailpoint;
pub mod scim;

pub use caller::{Caller, CallerKind, Scope};
pub use gateway::{Gateway, Source};
