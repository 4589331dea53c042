//! What every stream has at hand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use exogate_microsoft::exchange::ExchangeClient;
use exogate_store::{Batch, Checkpoint, RunHandle, SourceStore, StoreError, Submitted};
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
        self.notes.add(Some(self.kind), note);
    }

    /// Takes up what an earlier process of the same run had to say about the stream.
    pub async fn recall(&self) -> Result<(), StoreError> {
        if let Some(position) = self.run.checkpoint(self.stream()).await? {
            position.notes.into_iter().for_each(|note| self.notes.add(Some(self.kind), note));
        }
        Ok(())
    }

    /// Hands a batch over to be stored; its checkpoint remembers what was noted, and `besides` what
    /// is not final yet.
    pub async fn submit(&self, mut batch: Batch, besides: Vec<String>) -> Result<Submitted, StoreError> {
        if let Some(checkpoint) = &mut batch.checkpoint {
            checkpoint.notes = self.notes.of(self.kind);
            checkpoint.notes.extend(besides);
        }
        self.run.submit(batch).await
    }

    /// Stores a checkpoint and nothing else.
    pub async fn reach(&self, position: Checkpoint) -> Result<(), StoreError> {
        let (stream, checkpoint) = (self.stream().to_owned(), Some(position));
        self.submit(Batch { stream, checkpoint, ..Batch::default() }, Vec::new()).await?.stored().await?;
        Ok(())
    }

    /// Whether the stream has noted this.
    pub fn has_noted(&self, note: &str) -> bool {
        self.notes.of(self.kind).iter().any(|noted| noted == note)
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

/// Batches of one stream that are on their way into the store. Some at once, so that the store can
/// write them together with those of other streams.
#[derive(Default)]
pub(super) struct UnderWay {
    /// Still in memory.
    held: VecDeque<Submitted>,
    /// Written, but perhaps not for good yet.
    written: VecDeque<Submitted>,
}

impl UnderWay {
    /// Bytes of one stream that may be in memory at once: some four pages.
    const HELD: usize = 4 << 20;

    /// Adds one; waits until the oldest is out of memory if these are enough.
    pub async fn add(&mut self, submitted: Submitted) -> Result<(), StoreError> {
        self.held.push_back(submitted);
        while (self.held.iter().map(Submitted::bytes).sum::<usize>() > Self::HELD
            || self.held.front_mut().is_some_and(Submitted::is_let_go))
            && let Some(mut oldest) = self.held.pop_front()
        {
            oldest.let_go().await;
            self.written.push_back(oldest);
        }
        while let Some(outcome) = self.written.front_mut().and_then(Submitted::outcome) {
            self.written.pop_front();
            if let Err(error) = outcome {
                return Err(self.cause(error).await);
            }
        }
        Ok(())
    }

    /// Whether the store has yet to come to what was added last.
    pub fn is_behind(&mut self) -> bool {
        self.held.back_mut().is_some_and(|last| !last.is_let_go())
    }

    /// Waits until the store has come to what was added last.
    pub async fn caught_up(&mut self) {
        if let Some(last) = self.held.back_mut() {
            last.let_go().await;
        }
    }

    /// Waits for all of them.
    pub async fn settle(&mut self) -> Result<(), StoreError> {
        while let Some(oldest) = self.written.pop_front().or_else(|| self.held.pop_front()) {
            if let Err(error) = oldest.stored().await {
                return Err(self.cause(error).await);
            }
        }
        Ok(())
    }

    /// One that could not be stored takes others with it, earlier ones too. This finds the error of
    /// the one that could not.
    async fn cause(&mut self, mut error: StoreError) -> StoreError {
        for other in self.written.drain(..).chain(self.held.drain(..)) {
            if let Err(other) = other.stored().await
                && matches!(error, StoreError::RunBroken { .. })
            {
                error = other;
            }
        }
        error
    }
}

/// The stream that says something, or none for the run as a whole, and what it says.
type Told = (Option<StreamKind>, String);

/// What a run has to say about how it went, each thing once. What a stream says is kept with its
/// checkpoints: a run that is taken up again still says it, and says no more what only ended an
/// earlier attempt.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    notes: Arc<Mutex<Vec<Told>>>,
}

impl Notes {
    /// Adds what a stream, or the run as a whole, has to say.
    pub fn add(&self, of: Option<StreamKind>, note: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let note = (of, note);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn of(&self, kind: StreamKind) -> Vec<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().filter(|(of, _)| *of == Some(kind)).map(|(_, note)| note.clone()).collect()
    }

    /// Everything, that of a stream with its name.
    pub fn all(&self) -> Vec<String> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |(of, note): &Told| match of {
            Some(kind) => format!("{}: {note}", kind.name()),
            None => note.clone(),
        };
        notes.iter().map(told).collect()
    }
}
