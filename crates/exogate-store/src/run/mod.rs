//! Runs: what is asked of one, how it ends, and what is on record of it.

mod begin;
mod candidates;
mod handle;
pub(crate) mod record;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::candidates::{Candidate, CandidateKind, MatchedBy};
pub use self::handle::{RunHandle, Submitted};
use crate::batch::{BatchOutcome, Coverage};

/// Who runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user.
    pub who: String,
    /// The host.
    pub host: String,
    /// The process id.
    pub pid: u32,
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// What it reads (`accounts`, `groups`, `entitlements`, `all`).
    pub scope: String,
    /// Fingerprint of options and schema: a run with another one is not resumed.
    pub fingerprint: String,
    /// Who runs it.
    pub holder: Holder,
    /// An unfinished run that began longer ago than this is not resumed; zero: never resume.
    pub fresh_for: Duration,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Under way, or killed: see [`RunRecord::alive`].
    Running,
    /// Every stream was read to its end.
    Completed,
    /// Some stream was not; resumable.
    Incomplete,
    /// It could not go on; resumable.
    Failed,
    /// It was stopped, or given up for a newer one; resumable while it is the newest.
    Stopped,
}

impl RunState {
    /// The name used in the store and in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// What became of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamResult {
    /// The stream.
    pub stream: String,
    /// Whether it was read to its end.
    pub complete: bool,
    /// Pages read.
    pub pages: u64,
    /// Objects read.
    pub objects: u64,
    /// Why it did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct Finish {
    /// Completed, incomplete or failed.
    pub state: RunState,
    /// What the complete streams speak for: only there does absence mean anything.
    pub covered: Vec<Coverage>,
    /// Whether what was not seen in the covered parts is deleted.
    pub delete_unseen: bool,
    /// What became of each stream.
    pub streams: Vec<StreamResult>,
    /// Fallbacks used and the like.
    pub notes: Vec<String>,
    /// Where feeds of differences go on: name and cursor.
    pub cursors: Vec<(String, String)>,
}

/// How much a finish would delete of one covered part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// The part.
    pub part: Coverage,
    /// Known before this run.
    pub known: u64,
    /// Of those, not seen by this run.
    pub unseen: u64,
}

/// A run as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its id.
    pub id: Uuid,
    /// What it read.
    pub scope: String,
    /// Where it stands.
    pub state: RunState,
    /// Whether a process holds it now.
    pub alive: bool,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Who ran it last.
    pub holder: Holder,
    /// How often it was taken up again.
    pub resumed: u32,
    /// What its batches amounted to.
    pub outcome: BatchOutcome,
    /// Objects, memberships and grants deleted because they were gone.
    pub deleted: u64,
    /// Entries it made in the feed of changes.
    pub changes: u64,
    /// What became of each stream.
    pub streams: Vec<StreamResult>,
    /// Fallbacks used, why it stopped, and the like.
    pub notes: Vec<String>,
}
