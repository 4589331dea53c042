//! The journal: the durable record of what was done to tenants, in a file of its own beside the store.
//!
//! Entries are only ever added, each chained to the one before by its hash, and are on the disk
//! before [`Journal::append`] returns; what many callers append at once shares one sync. The journal
//! knows which operations have no end yet; what an entry means is the engine's business.

mod chain;
mod file;
mod owner;
mod read;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use exogate_model::clock::Clock;
use exogate_model::operation::Entry;
use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;
use tokio::sync::oneshot;

pub use self::chain::Verified;
use self::owner::Owner;
use self::writer::{Job, Writer};
use crate::error::{Fault, StoreError};

/// An entry to be appended.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Name of the source.
    pub source: String,
    /// Id of the plan.
    pub plan: String,
    /// Number of the operation, where it is about one.
    pub operation: Option<u32>,
    /// What happened.
    pub entry: Entry,
}

/// An entry as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalRecord {
    /// Its place; without gaps.
    pub sequence: i64,
    /// When it was appended.
    pub at: Timestamp,
    /// Id of the plan.
    pub plan: String,
    /// Number of the operation, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<u32>,
    /// The caller's idempotency key, where a plan was accepted under one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What became of an attempt to have a plan accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// It stands in the journal.
    Accepted,
    /// Another plan came first under the same key.
    KeyTaken {
        /// That plan.
        plan: String,
    },
}

/// An open journal. Cheap to clone; the last clone dropped lets go of what has no end yet, and it can
/// then be recovered as if the process had been killed.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    owner: Owner,
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Journal {
    /// Where the journal of a store is.
    pub fn beside(store: &Path) -> PathBuf {
        store.with_extension("journal")
    }

    /// Opens the journal, creating it as needed.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let connection = file::open(&path).map_err(|fault| StoreError::from_fault(&path, fault))?;
        let (jobs, queue) = mpsc::channel();
        let owner = Owner::new();
        let writer = Writer::new(connection, path.clone(), owner.name().to_owned(), Arc::clone(&clock));
        std::thread::Builder::new()
            .name("exogate-journal".to_owned())
            .spawn(move || writer.work(&queue))
            .map_err(|error| StoreError::CannotOpen { path: path.clone(), source: Box::new(error) })?;
        Ok(Self { inner: Arc::new(Inner { path, clock, owner, jobs }) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Appends entries; when this returns they are on the disk.
    pub async fn append(&self, entries: Vec<NewEntry>) -> Result<(), StoreError> {
        self.write(entries, None).await.map(drop)
    }

    /// Appends the acceptance of a plan under a key, unless another plan than `after` is the newest
    /// one under that key.
    pub async fn accept(
        &self,
        entry: NewEntry,
        key: &str,
        after: Option<String>,
    ) -> Result<Acceptance, StoreError> {
        self.write(vec![entry], Some((key.to_owned(), after))).await
    }

    async fn write(
        &self,
        entries: Vec<NewEntry>,
        key: Option<(String, Option<String>)>,
    ) -> Result<Acceptance, StoreError> {
        let at = self.millisecond();
        let (answer, outcome) = oneshot::channel();
        self.inner.jobs.send(Job { at, entries, key, answer }).map_err(|_| StoreError::Closed)?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// The entries of a plan, in order; none if there is no such plan.
    pub async fn plan(&self, source: &str, plan: &str) -> Result<Vec<JournalRecord>, StoreError> {
        let (source, plan) = (source.to_owned(), plan.to_owned());
        self.read(move |connection| read::plan(connection, &source, &plan)).await
    }

    /// The newest plan that was accepted under a key.
    pub async fn by_key(&self, source: &str, key: &str) -> Result<Option<String>, StoreError> {
        let (source, key) = (source.to_owned(), key.to_owned());
        self.read(move |connection| read::by_key(connection, &source, &key)).await
    }

    /// The ids of the newest plans, newest first.
    pub async fn plans(&self, source: &str, limit: usize) -> Result<Vec<String>, StoreError> {
        let source = source.to_owned();
        self.read(move |connection| read::plans(connection, &source, limit)).await
    }

    /// The plans that were accepted before an entry (or all), newest first, each with the place of its
    /// first entry.
    pub async fn plans_before(
        &self,
        source: &str,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let (source, before) = (source.to_owned(), before.unwrap_or(i64::MAX));
        self.read(move |connection| read::plans_before(connection, &source, before, limit)).await
    }

    /// Plans that have operations without an end, and whose process lives no more.
    pub async fn abandoned(&self, source: &str) -> Result<Vec<String>, StoreError> {
        let source = source.to_owned();
        let now = self.millisecond();
        self.read(move |connection| read::abandoned(connection, &source, now)).await
    }

    /// Which plans of other living processes came first to objects that this plan is about, and have
    /// not come to an end there: by object. No more are added later.
    pub async fn ahead(&self, source: &str, plan: &str) -> Result<BTreeMap<String, String>, StoreError> {
        let (source, plan, now) = (source.to_owned(), plan.to_owned(), self.millisecond());
        self.read(move |connection| read::ahead(connection, &source, &plan, now)).await
    }

    /// The time by which entries are dated.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Takes the unfinished operations of an abandoned plan over from the process that had them;
    /// false if somebody else came first.
    pub async fn adopt(&self, source: &str, plan: &str) -> Result<bool, StoreError> {
        let (source, plan, path) = (source.to_owned(), plan.to_owned(), self.inner.path.clone());
        let (owner, now) = (self.inner.owner.name().to_owned(), self.millisecond());
        tokio::task::spawn_blocking(move || {
            let adopt = || {
                let mut connection = file::connect(&path)?;
                read::adopt(&mut connection, (&source, &plan), &owner, now)
            };
            adopt().map_err(|fault| StoreError::from_fault(&path, fault))
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    fn millisecond(&self) -> i64 {
        self.now().as_millisecond()
    }

    /// Computes every hash again. `head`: the hash of an entry that was noted before and must still
    /// be in the chain.
    pub async fn verify(&self, head: Option<String>) -> Result<Verified, StoreError> {
        self.read(move |connection| chain::verify(connection, head.as_deref())).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.inner.path.clone();
        tokio::task::spawn_blocking(move || {
            let outcome = file::reader(&path).and_then(|connection| work(&connection));
            outcome.map_err(|fault| StoreError::from_fault(&path, fault))
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }
}
