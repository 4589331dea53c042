//! Aggregation: reading a source into the store.
//!
//! Streams run side by side under the governors, each with its own checkpoints. What a stream has
//! read is kept, whatever becomes of the others; absence means something only when every stream
//! came to its end. A run killed at any point is taken up again where it was.

pub(crate) mod conclude;
mod error;
pub(crate) mod feeds;
pub(crate) mod guard;
mod progress;
pub(crate) mod resolving;
pub(crate) mod run;
mod scope;
mod stream;
pub(crate) mod streams;
mod summary;
pub(crate) mod sweep;
pub(crate) mod work;

pub use error::{AggregateError, StreamError};
pub use progress::{Progress, Stage, StreamSnapshot, StreamState};
pub use run::{Aggregation, FRESH_FOR, run};
pub use scope::{Scope, UnknownScope};
pub use stream::StreamKind;
pub use summary::{Outcome, RunSummary, StreamReport};
