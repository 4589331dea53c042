//! Changes: plan → compile → journal → execute → verify → state, and what undoes them.
//!
//! Compiling, rendering and inverting are pure; executing alone talks to the tenant. Every write is
//! in the journal, and on the disk, before it is sent; what is unclear is settled by reading.

pub mod call;
mod chain;
pub mod compile;
mod earlier;
pub mod effect;
pub mod error;
mod judge;
mod observe;
mod parties;
mod patience;
mod provisioner;
mod recover;
mod restore;
mod secrets;
mod send;
mod settle;
pub mod snapshot;
mod state;
mod turns;
mod undo;

pub use compile::{Rules, compile};
pub use earlier::Earlier;
pub use error::{PlanError, Problem};
pub use patience::Patience;
pub use provisioner::{
    Observer, OperationResult, PlanResult, ProvisionError, Provisioner, Silent, Step, Submission, result_of,
};
pub use restore::{RestoreError, restore};
pub use secrets::Secrets;
pub use snapshot::Snapshot;
pub use undo::{Undo, inverses};
