//! Why something cannot be shown.

use exogate_store::StoreError;
use thiserror::Error;

/// Why something cannot be shown.
#[derive(Debug, Error)]
pub enum ViewError {
    /// Nothing of that name.
    #[error("there is no {what} {text:?}{hint}")]
    NotFound {
        /// `account`, `group`, `mailbox`.
        what: &'static str,
        /// What was asked for.
        text: String,
        /// The nearest name, ready to print.
        hint: String,
    },
    /// Several of that name.
    #[error("{} {what}s answer to {text:?}: {}", candidates.len(), candidates.join(", "))]
    Ambiguous {
        /// `account`, `group`, `mailbox`.
        what: &'static str,
        /// What was asked for.
        text: String,
        /// Each, so that it can be asked for.
        candidates: Vec<String>,
    },
    /// A group of a kind that the source leaves out.
    #[error("the group {name:?} is of the kind {kind}, which this source does not aggregate")]
    NotAggregated {
        /// Its name.
        name: String,
        /// Its kind.
        kind: &'static str,
    },
    /// Nothing was ever aggregated.
    #[error("nothing has been aggregated of this source yet")]
    Empty,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ViewError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => {
                "Check the spelling, or aggregate again if the object is new; ids and addresses always work."
            }
            Self::Ambiguous { .. } => "Ask for it by its id or address.",
            Self::NotAggregated { .. } => {
                "Switch on aggregate_all_groups (distribution lists) or manage_microsoft_365_groups, then aggregate."
            }
            Self::Empty => "Aggregate it first.",
            Self::Store(_) => "See the cause.",
        }
    }
}
