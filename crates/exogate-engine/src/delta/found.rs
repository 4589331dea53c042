//! What the parts of a delta run have at hand, and what they have found.

use std::collections::{BTreeMap, BTreeSet};

use exogate_microsoft::exchange::ExchangeClient;
use exogate_model::change::Learnt;
use exogate_store::{Batch, Coverage, Named, RunHandle, Settlement, SourceStore};
use jiff::Timestamp;

use super::aspects::Aspects;
use super::options::DeltaOptions;
use crate::aggregate::work::Notes;
use crate::aggregate::{Aggregation, StreamError, StreamKind, StreamState};

/// A run at work.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub aggregation: &'a Aggregation,
    pub run: &'a RunHandle,
    pub notes: &'a Notes,
    pub options: &'a DeltaOptions,
    pub now: Timestamp,
}

impl Round<'_> {
    pub fn store(&self) -> &SourceStore {
        &self.aggregation.store
    }

    /// Exchange; only asked for where it is managed.
    pub fn exchange(&self) -> Result<&ExchangeClient, StreamError> {
        let exchange = self.aggregation.tenant.exchange.as_ref();
        exchange.ok_or_else(|| StreamError::Broken("Exchange is not managed".to_owned()))
    }

    /// `future`, unless the caller wants to stop first.
    pub async fn or_stop<T>(&self, future: impl Future<Output = T>) -> Result<T, StreamError> {
        tokio::select! {
            biased;
            () = self.aggregation.cancel.cancelled() => Err(StreamError::Stopped),
            done = future => Ok(done),
        }
    }

    pub fn note(&self, kind: StreamKind, note: impl std::fmt::Display) {
        self.notes.add(Some(kind), note.to_string());
    }

    pub fn begin(&self, kind: StreamKind) {
        self.aggregation.progress.stream(kind).set_state(StreamState::Reading);
    }

    /// Counts calls and objects.
    pub fn read(&self, kind: StreamKind, calls: u64, objects: u64) {
        let progress = self.aggregation.progress.stream(kind);
        let (before, known) = progress.read();
        progress.set(before + calls, known + objects);
    }

    pub async fn write(&self, kind: StreamKind, learnt: Learnt, batch: Batch) -> Result<(), StreamError> {
        let batch = Batch { stream: kind.name().to_owned(), learnt, checkpoint: None, ..batch };
        self.run.write(batch).await?;
        Ok(())
    }
}

/// Why a mailbox is to be read again, and what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub learnt: Learnt,
    pub aspects: Aspects,
}

/// What a part of the run has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is to be settled at the end.
    pub settlement: Settlement,
    /// Where feeds go on.
    pub cursors: Vec<(String, String)>,
    /// Mailboxes to be read again, by key in lower case.
    pub mailboxes: BTreeMap<String, Wanted>,
    /// Mailboxes of which a listing of this run has shown everything but the rights.
    pub listed: BTreeSet<String>,
    /// Why every mailbox is to be read again, if so.
    pub everything: Option<String>,
}

impl Found {
    pub fn seen(&mut self, part: Coverage, id: &str, learnt: Learnt) {
        self.settlement.seen.push(Named { part, id: id.to_owned(), learnt });
    }

    pub fn gone(&mut self, part: Coverage, id: &str, learnt: Learnt) {
        self.settlement.gone.push(Named { part, id: id.to_owned(), learnt });
    }

    /// Names a mailbox of which these aspects are to be read.
    pub fn mailbox(&mut self, key: &str, learnt: Learnt, aspects: Aspects) {
        want(&mut self.mailboxes, key.to_ascii_lowercase(), Wanted { learnt, aspects });
    }

    pub fn advance(&mut self, feed: &str, cursor: impl Into<String>) {
        self.cursors.push((feed.to_owned(), cursor.into()));
    }

    /// Takes in what another part has found.
    pub fn add(&mut self, other: Self) {
        let Settlement { seen, gone, facets, joined, left, labels, read_again, queued, content, records } =
            other.settlement;
        let own = &mut self.settlement;
        own.seen.extend(seen);
        own.gone.extend(gone);
        own.facets.extend(facets);
        own.joined.extend(joined);
        own.left.extend(left);
        own.labels = own.labels.take().or(labels);
        own.read_again.extend(read_again);
        own.queued.extend(queued);
        own.content.extend(content);
        own.records.extend(records);
        self.cursors.extend(other.cursors);
        for (key, wanted) in other.mailboxes {
            want(&mut self.mailboxes, key, wanted);
        }
        self.listed.extend(other.listed);
        self.everything = self.everything.take().or(other.everything);
    }

    /// Whether anything was looked at that could have changed whom a trustee stands for.
    pub fn touches_principals(&self) -> bool {
        let settlement = &self.settlement;
        !(settlement.seen.is_empty() && settlement.gone.is_empty() && settlement.facets.is_empty())
    }
}

/// Wants a mailbox to be read again. What tells most of the cause comes first and stays.
pub(super) fn want(all: &mut BTreeMap<String, Wanted>, key: String, wanted: Wanted) {
    let known = all.entry(key).or_insert(wanted);
    known.aspects = known.aspects.and(wanted.aspects);
}
