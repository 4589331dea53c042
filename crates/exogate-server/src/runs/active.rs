//! One run of the service, as those see it who started it or watch it.

use std::sync::Arc;
use std::time::Duration;

use exogate_engine::aggregate::{AggregateError, Outcome, Progress, RunSummary, Scope, Stage, StreamState};
use futures::Stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{RunKind, RunStart};

/// How often somebody who watches looks.
const LOOK: Duration = Duration::from_millis(250);

/// How a run ended.
#[derive(Debug, Clone)]
pub enum RunEnd {
    /// It came to an end of its own; the summary says which.
    Ended(Arc<RunSummary>),
    /// The store failed it, or there was no run to speak of.
    Failed(Arc<AggregateError>),
    /// A fault of exogate itself.
    Broken,
}

impl RunEnd {
    /// The outcome in one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ended(summary) => match summary.outcome {
                Outcome::Completed => "completed",
                Outcome::Incomplete => "incomplete",
                Outcome::Failed => "failed",
                Outcome::Stopped => "stopped",
                Outcome::Refused { .. } => "refused",
            },
            Self::Failed(_) | Self::Broken => "failed",
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunProgress {
    /// Its id, once it has one.
    pub run: Option<Uuid>,
    /// The source.
    pub source: String,
    /// `starting`, `reading`, `resolving`, `finishing` or `done`.
    pub stage: &'static str,
    /// The streams that take part.
    pub streams: Vec<StreamProgress>,
    /// How it ended: `completed`, `incomplete`, `failed`, `stopped` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
}

/// How far a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamProgress {
    /// Its name.
    pub name: &'static str,
    /// `waiting`, `reading`, `complete` or `failed`.
    pub state: &'static str,
    /// Objects read.
    pub objects: u64,
    /// How many there will be, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Pages read.
    pub pages: u64,
    /// The last thing worth saying about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A run under way, or one that was. Clones share it.
#[derive(Debug, Clone)]
pub struct ActiveRun {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: String,
    scope: Scope,
    kind: RunKind,
    by: String,
    progress: Arc<Progress>,
    cancel: CancellationToken,
    end: watch::Sender<Option<RunEnd>>,
}

impl ActiveRun {
    pub(super) fn new(
        source: &str,
        request: &RunStart,
        progress: Arc<Progress>,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                source: source.to_owned(),
                scope: request.scope,
                kind: request.kind,
                by: request.by.clone(),
                progress,
                cancel,
                end: watch::Sender::new(None),
            }),
        }
    }

    /// The source it reads.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// What it reads.
    pub fn scope(&self) -> Scope {
        self.inner.scope
    }

    /// Everything, or what changed.
    pub fn kind(&self) -> RunKind {
        self.inner.kind
    }

    /// Who wanted it.
    pub fn by(&self) -> &str {
        &self.inner.by
    }

    /// Its id, once it has begun.
    pub fn id(&self) -> Option<Uuid> {
        self.inner.progress.run()
    }

    /// Stops it at its next checkpoints; what was read stays.
    pub fn cancel(&self) {
        self.inner.cancel.cancel();
    }

    /// How it ended, if it did.
    pub fn end_if_any(&self) -> Option<RunEnd> {
        self.inner.end.borrow().clone()
    }

    /// Waits for its end.
    pub async fn ended(&self) -> RunEnd {
        let mut end = self.inner.end.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        match end.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(RunEnd::Broken),
            Err(_) => RunEnd::Broken,
        }
    }

    /// How far it is.
    pub fn progress(&self) -> RunProgress {
        let end = self.end_if_any();
        let progress = &self.inner.progress;
        RunProgress {
            run: progress.run(),
            source: self.inner.source.clone(),
            stage: match progress.stage() {
                _ if end.is_some() => "done",
                Stage::Starting => "starting",
                Stage::Reading => "reading",
                Stage::Resolving => "resolving",
                // Over is only what has an end.
                Stage::Finishing | Stage::Done => "finishing",
            },
            streams: progress
                .streams()
                .into_iter()
                .map(|stream| StreamProgress {
                    name: stream.name,
                    state: match stream.state {
                        StreamState::Off | StreamState::Waiting => "waiting",
                        StreamState::Reading => "reading",
                        StreamState::Complete => "complete",
                        StreamState::Failed => "failed",
                    },
                    objects: stream.objects,
                    total: stream.total,
                    pages: stream.pages,
                    note: stream.note,
                })
                .collect(),
            outcome: end.as_ref().map(RunEnd::name),
        }
    }

    /// Its progress from now on, each time it changed; the last one has an outcome.
    pub fn updates(&self) -> impl Stream<Item = RunProgress> + Send + use<> {
        let begin = (self.clone(), None::<RunProgress>);
        futures::stream::unfold(begin, |(run, told)| async move {
            if told.as_ref().is_some_and(|told| told.outcome.is_some()) {
                return None;
            }
            loop {
                let now = run.progress();
                if told.as_ref() != Some(&now) {
                    return Some((now.clone(), (run, Some(now))));
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    _ = run.ended() => {}
                }
            }
        })
    }

    pub(super) async fn begun(&self) -> Uuid {
        self.inner.progress.begun().await
    }

    pub(super) fn engine_progress(&self) -> Arc<Progress> {
        Arc::clone(&self.inner.progress)
    }

    pub(super) fn cancel_token(&self) -> CancellationToken {
        self.inner.cancel.clone()
    }

    pub(super) fn end(&self, end: RunEnd) {
        self.inner.end.send_replace(Some(end));
    }
}
