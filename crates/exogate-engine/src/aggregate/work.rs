//! What every stream has at hand.

use std::sync::{Arc, Mutex, PoisonError};

use exogate_microsoft::exchange::ExchangeClient;
use exogate_store::{RunHandle, SourceStore};
use tokio_util::sync::CancellationToken;

use super::error::StreamError;
use super::progress::{Progress, StreamProgress};
use super::stream::StreamKind;
use crate::tenant::{SourceContext, Tenant};

/// One stream at work.
#[derive(Clone)]
pub(super) struct Work {
    pub kind: StreamKind,
    pub tenant: Tenant,
    pub store: SourceStore,
    pub run: RunHandle,
    pub context: Arc<SourceContext>,
    pub progress: Arc<Progress>,
    pub cancel: CancellationToken,
    pub notes: Notes,
}

impl Work {
    /// The name under which the stream keeps its checkpoint.
    pub fn stream(&self) -> &'static str {
        self.kind.name()
    }

    pub fn progress(&self) -> &StreamProgress {
        self.progress.stream(self.kind)
    }

    /// Exchange; streams that need it are only started where it is managed.
    pub fn exchange(&self) -> Result<&ExchangeClient, StreamError> {
        self.tenant.exchange.as_ref().ok_or_else(|| StreamError::Broken("Exchange is not managed".to_owned()))
    }

    /// Notes something about the run that its reader should know, once.
    pub fn note(&self, note: impl Into<String>) {
        let note = note.into();
        self.progress().say(note.clone());
        self.notes.add(format!("{}: {note}", self.stream()));
    }

    /// `future`, unless the caller wants to stop first.
    pub async fn or_stop<T>(&self, future: impl Future<Output = T>) -> Result<T, StreamError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(StreamError::Stopped),
            done = future => Ok(done),
        }
    }
}

/// What a run has to say about how it went.
#[derive(Clone, Default)]
pub(super) struct Notes {
    notes: Arc<Mutex<Vec<String>>>,
}

impl Notes {
    pub fn add(&self, note: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub fn all(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
