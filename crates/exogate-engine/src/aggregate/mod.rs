//! Aggregation: reading a source into the store.
//!
//! Streams run side by side under the governors, each with its own checkpoints. What a stream has
//! read is kept, whatever becomes of the others; absence means something only when every stream
//! came to its end. A run killed at any point is taken up again where it was.

mod error;
mod guard;
mod progress;
mod resolving;
mod run;
mod scope;
mod stream;
mod streams;
mod summary;
mod sweep;
mod work;

pub use error::{AggregateError, StreamError};
pub use progress::{Progress, Stage, StreamSnapshot, StreamState};
pub use run::{Aggregation, FRESH_FOR, run};
pub use scope::{Scope, UnknownScope};
pub use stream::StreamKind;
pub use summary::{Outcome, RunSummary, StreamReport};
