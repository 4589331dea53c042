//! Runs: one execution of an aggregation, its lease, its checkpoints and its end.

use std::sync::Arc;
use std::time::Duration;

use exogate_model::mailbox::MailboxKind;
use exogate_model::trustee::{Principal, Trustee};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::batch::{Batch, BatchOutcome, Checkpoint, Coverage, Facet};
use crate::error::StoreError;
use crate::rows::MailboxRef;

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

/// What kind of object a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// A user.
    User,
    /// A mailbox; its id is that of its user, whether or not that user is stored.
    Mailbox,
    /// A group.
    Group,
}

/// What a candidate was found by. In the order of what identifies best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchedBy {
    /// Object id.
    Id,
    /// Security identifier.
    Sid,
    /// GUID in Exchange.
    ExchangeGuid,
    /// User principal name.
    Upn,
    /// Primary SMTP or mail address.
    Address,
    /// Distinguished name.
    DistinguishedName,
    /// Legacy Exchange distinguished name.
    LegacyDn,
    /// `Name`.
    Name,
    /// `Alias`.
    Alias,
    /// Display name.
    DisplayName,
}

/// Somebody who may be meant by a wanted key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// The key as it was asked for.
    pub key: String,
    /// What it was found by.
    pub by: MatchedBy,
    /// What it is.
    pub kind: CandidateKind,
    /// Entra object id.
    pub id: String,
}

/// A run that this process holds. Cheap to clone; the last clone dropped lets go of it, and it
/// can then be resumed as if the process had been killed.
#[derive(Debug, Clone)]
pub struct RunHandle {
    inner: Arc<()>,
}

impl RunHandle {
    /// Id of the run.
    pub fn id(&self) -> Uuid {
        let _ = &self.inner;
        todo!()
    }

    /// When it began (the first time, if it was resumed).
    pub fn started(&self) -> Timestamp {
        todo!()
    }

    /// Whether it goes on from an earlier process's checkpoints.
    pub fn resumed(&self) -> bool {
        todo!()
    }

    /// How far a stream has come in this run.
    pub async fn checkpoint(&self, _stream: &str) -> Result<Option<Checkpoint>, StoreError> {
        todo!()
    }

    /// Stores a batch: rows and checkpoint in one transaction.
    pub async fn write(&self, _batch: Batch) -> Result<BatchOutcome, StoreError> {
        todo!()
    }

    /// Forgets a stream's checkpoint, so that it begins again; what it saw stays seen.
    pub async fn restart_stream(&self, _stream: &str) -> Result<(), StoreError> {
        todo!()
    }

    /// Mailboxes of these kinds that this run has seen and whose facet it has not read yet, in the
    /// order of `MailboxRef::key`; `after` is the last key of the page before.
    pub async fn mailboxes_to_read(
        &self,
        _kinds: &[MailboxKind],
        _facet: Facet,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<MailboxRef>, StoreError> {
        todo!()
    }

    /// The trustees of all stored grants that this run has not resolved yet, each once, sorted.
    pub async fn unresolved_trustees(&self) -> Result<Vec<Trustee>, StoreError> {
        todo!()
    }

    /// Everybody who bears one of the wanted keys (ids, SIDs, UPNs, addresses, names …; compared
    /// without case), sorted. One sequential scan, however many keys.
    pub async fn principal_index(&self, _wanted: Vec<String>) -> Result<Vec<Candidate>, StoreError> {
        todo!()
    }

    /// Stores whom trustees stand for.
    pub async fn resolve(&self, _resolved: Vec<(Trustee, Principal)>) -> Result<(), StoreError> {
        todo!()
    }

    /// Gives every mailbox of these kinds its label, and takes it from all others. To be called
    /// when the mailboxes are complete. Former labels are kept. Returns how many changed.
    pub async fn relabel(&self, _kinds: &[MailboxKind]) -> Result<u64, StoreError> {
        todo!()
    }

    /// What `finish` would delete of these parts.
    pub async fn would_delete(&self, _covered: &[Coverage]) -> Result<Vec<Forecast>, StoreError> {
        todo!()
    }

    /// Ends the run in one transaction: deletes what is gone, writes the changes, lets go.
    pub async fn finish(&self, _finish: Finish) -> Result<RunRecord, StoreError> {
        todo!()
    }

    /// Ends the run so that it can be resumed, and says why.
    pub async fn stop(&self, _reason: &str) -> Result<(), StoreError> {
        todo!()
    }

    /// Shows a sign of life. The store does that by itself as long as the handle lives.
    pub async fn heartbeat(&self) -> Result<(), StoreError> {
        todo!()
    }
}
