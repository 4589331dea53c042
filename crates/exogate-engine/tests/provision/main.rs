//! Changes against a tenant that fails, and by a process that is killed: nothing lost, nothing done
//! twice, everything told.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and runs by the real clock"
)]

mod faults;
mod kill;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod whole;
mod world;
mod writes;
