//! What is called, what may be repeated, and what an answer is judged to be.

use std::time::Duration;

use crate::cloud::Resource;
use crate::error::WireError;
use crate::transport::{WireRequest, WireResponse};

pub use crate::governor::Priority;

/// When a request may be sent again after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Always: it reads, or a second time changes nothing.
    Safe,
    /// Only if the first time cannot have had an effect.
    OnlyIfNotSent,
}

/// Whether a request that met a fault can have had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It cannot: the service turned it away before doing anything.
    None,
    /// It may.
    Unknown,
}

/// What an answer is.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// An answer to use, whatever its status.
    Done,
    /// The service wants less. Nothing was executed.
    Throttled {
        /// How long it wants everybody to wait.
        retry_after: Option<Duration>,
        /// What to report if the budget ends first.
        error: WireError,
    },
    /// A passing fault.
    Transient {
        /// What to report if it does not pass.
        error: WireError,
        /// Whether the request can have had its effect.
        effect: Effect,
    },
    /// The token was refused.
    Unauthorized {
        /// The claims challenge, decoded from base64, if there was one (see [`crate::signin::claims_challenge`]).
        claims: Option<String>,
        /// What to report if a fresh token is refused as well.
        error: WireError,
    },
    /// A failure that repeating does not change.
    Failed(WireError),
}

/// Turns an answer into a verdict.
pub trait Judge: Send + Sync {
    /// Judges the answer to `what`.
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict;
}

/// One logical call.
#[derive(Clone, Copy)]
pub struct CallSpec<'a> {
    /// Which service and token.
    pub resource: Resource,
    /// The cmdlet, or method and path without a query.
    pub what: &'a str,
    /// Makes the request of an attempt (0, 1, …). `Authorization` is added to it, and `client-request-id` if it has
    /// none.
    pub request: &'a (dyn Fn(u32) -> WireRequest + Send + Sync),
    /// When it may be repeated.
    pub repeat: Repeat,
    /// Writes go before reads.
    pub priority: Priority,
    /// Who judges the answer.
    pub judge: &'a dyn Judge,
}
