//! What became of an aggregation.

use exogate_store::{Counts, Forecast, RunRecord};

use super::error::StreamError;
use super::scope::Scope;
use super::stream::StreamKind;

/// How an aggregation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every stream was read to its end, and what is gone is deleted.
    Completed,
    /// Some stream was not; what was read is kept, nothing is deleted.
    Incomplete,
    /// No stream brought anything.
    Failed,
    /// The caller stopped it; the next run goes on from there.
    Stopped,
    /// It would delete more than the source allows. Nothing is deleted; the next run that is
    /// allowed to ends it.
    Refused {
        /// The kinds of object of which too many are gone.
        losses: Vec<Forecast>,
    },
}

/// What became of one stream.
#[derive(Debug)]
pub struct StreamReport {
    /// The stream.
    pub kind: StreamKind,
    /// Pages or calls.
    pub pages: u64,
    /// Objects read.
    pub objects: u64,
    /// Why it did not come to its end.
    pub error: Option<StreamError>,
}

/// The end of an aggregation.
#[derive(Debug)]
pub struct RunSummary {
    /// What was asked for.
    pub scope: Scope,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it went on from an earlier process's checkpoints.
    pub resumed: bool,
    /// The run as it is on record.
    pub record: RunRecord,
    /// Each stream that took part.
    pub streams: Vec<StreamReport>,
    /// Fallbacks used, values left out and the like.
    pub notes: Vec<String>,
    /// What the store holds now.
    pub counts: Counts,
}

impl RunSummary {
    /// The first stream that did not come to its end for a reason of its own.
    pub fn failure(&self) -> Option<(StreamKind, &StreamError)> {
        self.streams
            .iter()
            .filter_map(|stream| Some((stream.kind, stream.error.as_ref()?)))
            .filter(|(_, error)| !matches!(error, StreamError::Stopped))
            .min_by_key(|(_, error)| matches!(error, StreamError::NoMailboxes))
    }
}
