//! How far an aggregation has come, for whoever wants to show it while it runs.
//!
//! Written by the streams, read by anybody at any time; counters are atomic, and nobody waits.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;

use super::stream::StreamKind;

/// What a stream is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// Not part of this run.
    Off,
    /// Waits for another stream.
    Waiting,
    /// Reads.
    Reading,
    /// Read to its end.
    Complete,
    /// Ended before its end.
    Failed,
}

/// What a run as a whole is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Has not begun.
    Starting,
    /// Streams are read.
    Reading,
    /// Trustees are resolved.
    Resolving,
    /// The run is settled in the store.
    Finishing,
    /// Over.
    Done,
}

/// A stream at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSnapshot {
    /// Its name.
    pub name: &'static str,
    /// What it is doing.
    pub state: StreamState,
    /// Objects read, those of an earlier process included.
    pub objects: u64,
    /// How many there will be, where known.
    pub total: Option<u64>,
    /// Pages read.
    pub pages: u64,
    /// The last thing worth saying about it.
    pub note: Option<String>,
}

/// Shared progress of one aggregation.
#[derive(Debug)]
pub struct Progress {
    run: watch::Sender<Option<Uuid>>,
    stage: AtomicU8,
    streams: [StreamProgress; StreamKind::EVERY.len()],
}

#[derive(Debug, Default)]
pub(crate) struct StreamProgress {
    state: AtomicU8,
    objects: AtomicU64,
    /// One more than the total; zero while unknown.
    total: AtomicU64,
    pages: AtomicU64,
    note: Mutex<Option<String>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Progress of a run that has not begun.
    pub fn new() -> Self {
        Self {
            run: watch::Sender::new(None),
            stage: AtomicU8::new(0),
            streams: std::array::from_fn(|_| StreamProgress::default()),
        }
    }

    /// The id of the run, once it has begun.
    pub fn run(&self) -> Option<Uuid> {
        *self.run.borrow()
    }

    /// Waits until the run has begun.
    pub async fn begun(&self) -> Uuid {
        let mut run = self.run.subscribe();
        loop {
            if let Some(id) = *run.borrow_and_update() {
                return id;
            }
            if run.changed().await.is_err() {
                // The sender lives as long as `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    pub(crate) fn begin(&self, run: Uuid) {
        self.run.send_replace(Some(run));
    }

    /// What the run is doing.
    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Starting,
            1 => Stage::Reading,
            2 => Stage::Resolving,
            3 => Stage::Finishing,
            _ => Stage::Done,
        }
    }

    /// The streams that take part, in a fixed order.
    pub fn streams(&self) -> Vec<StreamSnapshot> {
        StreamKind::EVERY
            .iter()
            .zip(&self.streams)
            .map(|(kind, stream)| stream.snapshot(kind.name()))
            .filter(|snapshot| snapshot.state != StreamState::Off)
            .collect()
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    pub(crate) fn stream(&self, kind: StreamKind) -> &StreamProgress {
        &self.streams[kind as usize]
    }
}

impl StreamProgress {
    pub(crate) fn set_state(&self, state: StreamState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Sets what was read in all.
    pub(crate) fn set(&self, pages: u64, objects: u64) {
        self.pages.store(pages, Ordering::Relaxed);
        self.objects.store(objects, Ordering::Relaxed);
    }

    /// Pages and objects read in all.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.pages.load(Ordering::Relaxed), self.objects.load(Ordering::Relaxed))
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.total.store(total.saturating_add(1), Ordering::Relaxed);
    }

    /// Adds to what there will be.
    pub(crate) fn expect(&self, more: u64) {
        let old = self.total.load(Ordering::Relaxed).max(1);
        self.total.store(old.saturating_add(more), Ordering::Relaxed);
    }

    pub(crate) fn say(&self, note: impl Into<String>) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.into());
    }

    fn snapshot(&self, name: &'static str) -> StreamSnapshot {
        StreamSnapshot {
            name,
            state: match self.state.load(Ordering::Relaxed) {
                0 => StreamState::Off,
                1 => StreamState::Waiting,
                2 => StreamState::Reading,
                3 => StreamState::Complete,
                _ => StreamState::Failed,
            },
            objects: self.objects.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed).checked_sub(1),
            pages: self.pages.load(Ordering::Relaxed),
            note: self.note.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
