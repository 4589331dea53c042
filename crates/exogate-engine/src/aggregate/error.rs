//! What can end a stream, and what can end a run.

use exogate_microsoft::WireError;
use exogate_store::StoreError;
use thiserror::Error;

use crate::read::Unreadable;

/// Why a stream ended before its end.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The tenant's answer, or its absence.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The tenant shows an object that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The store; ends the whole run.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A listing began again and again and never came to its end.
    #[error("the listing had to begin again {times} times because its page links expired")]
    NeverEnds {
        /// How often.
        times: u32,
    },
    /// The stream it depends on did not come to its end.
    #[error("it needs the list of mailboxes, which was not read to its end")]
    NoMailboxes,
    /// The tenant contradicts itself about one mailbox.
    #[error("Exchange lists the mailbox {address} and yet does not find it when asked for its permissions")]
    Contradiction {
        /// Its address.
        address: String,
    },
    /// The caller wants to stop.
    #[error("stopped")]
    Stopped,
    /// The task that read it broke down.
    #[error("an internal fault ended it: {0}")]
    Broken(String),
}

impl StreamError {
    /// What to do about it.
    pub fn remedy(&self) -> &str {
        match self {
            Self::Wire(error) => error.remedy(),
            Self::Unreadable(_) => {
                "Look at the object in the tenant; if it is as it should be, report this as a fault of exogate."
            }
            Self::Store(_) => "See the cause.",
            Self::NeverEnds { .. } => "Run it again when fewer tools read this tenant at once.",
            Self::NoMailboxes => "See why the stream `mailboxes` ended, then run it again.",
            Self::Contradiction { .. } => "Run it again; replicas of Exchange may disagree for some minutes.",
            Self::Stopped => "Run it again: it goes on where it stopped.",
            Self::Broken(_) => "Report this as a fault of exogate.",
        }
    }

    /// The wire's error, where it is one.
    pub fn wire(&self) -> Option<&WireError> {
        match self {
            Self::Wire(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an aggregation could not be carried out at all.
#[derive(Debug, Error)]
pub enum AggregateError {
    /// The store refused or failed: another run is active, the disk is full, …
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has no record of the run that it was just told to end.
    #[error("the store lost the record of this run; report this as a fault of exogate")]
    RunLost,
}
