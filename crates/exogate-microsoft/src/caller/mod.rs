//! One logical call from beginning to end: permit, token, send, judge, and again only where that is safe.
//!
//! Nothing else in the project sleeps or repeats a request. What an answer means is not known here: Graph and
//! Exchange implement [`Judge`].

mod belonging;
mod call;
mod ids;
mod observe;
mod run;

pub use belonging::{Belonging, carried};
pub use call::{CallSpec, Effect, Judge, Priority, Repeat, Verdict};
pub use ids::{Ids, RandomIds, SeededIds, correlated, correlation};
pub use observe::{CallEvent, CallObserver, CallStep, Silent};
pub use run::Caller;
