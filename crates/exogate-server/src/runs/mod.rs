//! Runs that the service carries out: by request or by schedule, never two of one source.
//!
//! Who asks gets the run's id as soon as there is one, may watch it, and may stop it; a run goes on
//! whether or not anybody watches. What a run does is the engine's business.

mod active;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exogate_engine::Belonging;
use exogate_engine::aggregate::{self, AggregateError, Aggregation, FRESH_FOR, Progress, Scope};
use exogate_engine::delta::{self, Delta};
use exogate_model::clock::Clock;
use exogate_store::{Holder, StoreError};
use thiserror::Error;
use tokio::runtime::Handle;
use tracing::field::Empty;
use uuid::Uuid;

pub use self::active::{ActiveRun, RunEnd, RunProgress, StreamProgress};
use crate::gateway::Source;
use crate::life::Life;

/// Whether everything is read, or what changed.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum RunKind {
    /// Everything.
    #[default]
    Full,
    /// What is different since the last run.
    Delta,
}

impl RunKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Delta => "delta",
        }
    }
}

/// A run that somebody wants.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// What to read.
    pub scope: Scope,
    /// Everything, or what changed.
    pub kind: RunKind,
    /// Who wants it.
    pub by: String,
    /// Begin anew even if an interrupted run could go on.
    pub fresh: bool,
    /// Delete what is gone even beyond the deletion guard.
    pub allow_deletions: bool,
}

impl RunStart {
    /// A full run of everything.
    pub fn full(by: impl Into<String>) -> Self {
        Self { scope: Scope::All, kind: RunKind::Full, by: by.into(), fresh: false, allow_deletions: false }
    }

    /// A run that reads what is different, of everything.
    pub fn delta(by: impl Into<String>) -> Self {
        Self { kind: RunKind::Delta, ..Self::full(by) }
    }
}

/// Why a run did not begin.
#[derive(Debug, Error)]
pub enum RunStartError {
    /// One is under way in this service.
    #[error("a run of source {source_name:?} is under way; watch it, or cancel it first")]
    UnderWay {
        /// The source.
        source_name: String,
        /// That run, once it has an id.
        run: Option<Uuid>,
    },
    /// The service is about to end.
    #[error("the service is stopping; no run begins any more")]
    Stopping,
    /// It ended before it had begun; among others because another process runs one.
    #[error(transparent)]
    Failed(Arc<AggregateError>),
}

impl RunStartError {
    /// Whether another run stands in the way, here or in another process.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::UnderWay { .. } => true,
            Self::Failed(error) => {
                matches!(error.as_ref(), AggregateError::Store(StoreError::AlreadyRunning { .. }))
            }
            Self::Stopping => false,
        }
    }
}

/// Carries out runs. Clones share everything.
#[derive(Clone)]
pub struct RunManager {
    inner: Arc<Inner>,
}

struct Inner {
    host: String,
    process: u32,
    life: Life,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    active: BTreeMap<String, ActiveRun>,
    last: BTreeMap<String, ActiveRun>,
}

impl RunManager {
    /// A manager without any run. Host and process tell others who holds a source.
    pub fn new(host: impl Into<String>, process: u32, life: Life, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State::default());
        Self { inner: Arc::new(Inner { host: host.into(), process, life, clock, state }) }
    }

    /// Begins a run. When this returns it has its id.
    pub async fn start(&self, source: &Source, request: RunStart) -> Result<ActiveRun, RunStartError> {
        let run = self.take(source, &request)?;
        let aggregation = Aggregation {
            tenant: source.tenant.clone(),
            store: source.store.clone(),
            context: Arc::clone(&source.context),
            scope: request.scope,
            holder: Holder {
                who: request.by.clone(),
                host: self.inner.host.clone(),
                pid: self.inner.process,
            },
            fresh_for: if request.fresh { Duration::ZERO } else { FRESH_FOR },
            progress: run.engine_progress(),
            cancel: run.cancel_token(),
            allow_deletions: request.allow_deletions,
        };
        let (manager, begun, meters) = (self.clone(), run.clone(), source.meters.clone());
        let began = tokio::time::Instant::now();
        let span = tracing::info_span!(
            "run",
            source = source.name,
            kind = request.kind.name(),
            run = Empty,
            outcome = Empty,
            error = Empty
        );
        // A task of its own, so that even a fault in the engine gives the source free again.
        let belonging = span.in_scope(Belonging::here);
        let work = match request.kind {
            RunKind::Full => tokio::spawn(belonging.keep(aggregate::run(aggregation))),
            RunKind::Delta => {
                let (options, clock) = (source.delta.clone(), Arc::clone(&self.inner.clock));
                let (delta, here) = (Delta { aggregation, options, clock }, Handle::current());
                // Its future is not known to be fit for moving between threads: one thread drives it.
                tokio::task::spawn_blocking(move || here.block_on(belonging.keep(delta::run(delta))))
            }
        };
        self.inner.life.tasks.spawn(async move {
            tracing::info!(
                source = begun.source(),
                kind = begun.kind().name(),
                by = begun.by(),
                "run begins"
            );
            let ended = match work.await {
                Ok(Ok(summary)) => RunEnd::Ended(Arc::new(summary)),
                Ok(Err(error)) => RunEnd::Failed(Arc::new(error)),
                Err(_) => RunEnd::Broken,
            };
            tracing::info!(source = begun.source(), outcome = ended.name(), "run ended");
            span.record("run", begun.id().map(tracing::field::display)).record("outcome", ended.name());
            if matches!(ended.name(), "failed" | "incomplete" | "refused") {
                span.record("error", ended.name());
            }
            drop(span);
            meters.run(&begun, ended.name(), began.elapsed());
            manager.give_back(&begun, ended);
        });
        tokio::select! {
            _ = run.begun() => Ok(run),
            end = run.ended() => match end {
                RunEnd::Failed(error) if run.id().is_none() => Err(RunStartError::Failed(error)),
                _ => Ok(run),
            },
        }
    }

    /// The run of a source that is under way in this service.
    pub fn active(&self, source: &str) -> Option<ActiveRun> {
        self.state().active.get(source).cloned()
    }

    /// The last run of a source that ended in this service.
    pub fn last(&self, source: &str) -> Option<ActiveRun> {
        self.state().last.get(source).cloned()
    }

    fn take(&self, source: &Source, request: &RunStart) -> Result<ActiveRun, RunStartError> {
        if self.inner.life.stopping.is_cancelled() {
            return Err(RunStartError::Stopping);
        }
        let mut state = self.state();
        if let Some(active) = state.active.get(&source.name) {
            return Err(RunStartError::UnderWay { source_name: source.name.clone(), run: active.id() });
        }
        let cancel = self.inner.life.stopping.child_token();
        let run = ActiveRun::new(&source.name, request, Arc::new(Progress::new()), cancel);
        state.active.insert(source.name.clone(), run.clone());
        Ok(run)
    }

    fn give_back(&self, run: &ActiveRun, end: RunEnd) {
        let mut state = self.state();
        state.active.remove(run.source());
        state.last.insert(run.source().to_owned(), run.clone());
        drop(state);
        run.end(end);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
