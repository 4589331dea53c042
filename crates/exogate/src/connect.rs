//! Putting the libraries together for one source: its tenant, its store.
//!
//! Also turns their errors into failures: which exit code, which hint.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::view::ViewError;
use exogate_engine::{SourceContext, Tenant};
use exogate_microsoft::TenantSettings;
use exogate_microsoft::caller::{CallEvent, CallObserver, CallStep, Caller};
use exogate_microsoft::error::{ErrorKind, WireError};
use exogate_server::webhook::Webhook;
use exogate_store::{SourceStore, Store, StoreError};

use crate::config::{Config, Source, tenant, webhook};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// The tenant of a source, ready to be called. Sends nothing yet.
pub fn tenant(source: &Source, environment: &Environment) -> Result<Tenant, Failure> {
    connect(source, &tenant::require(source, environment)?, environment)
}

/// The same for somebody who waits for the answer: a fault is told soon instead of being waited out.
pub fn impatient_tenant(source: &Source, environment: &Environment) -> Result<Tenant, Failure> {
    let mut settings = tenant::require(source, environment)?;
    settings.retry.attempts = settings.retry.attempts.min(2);
    settings.retry.budget = settings.retry.budget.min(Duration::from_secs(60));
    settings.timeouts.answer = settings.timeouts.answer.min(Duration::from_secs(60));
    connect(source, &settings, environment)
}

fn connect(source: &Source, settings: &TenantSettings, environment: &Environment) -> Result<Tenant, Failure> {
    let caller = Caller::connect(settings, Arc::clone(&environment.clock))
        .map_err(|error| Failure::new(Exit::Usage, error).context(format!("source {:?}", source.name)))?
        .observed_by(Arc::new(CallLog));
    Ok(Tenant::new(caller, source.options.manage_exchange_online))
}

/// What a source aggregates, for the engine.
pub fn context(source: &Source) -> SourceContext {
    SourceContext {
        options: source.options.clone(),
        account_schema: source.account_schema.clone(),
        group_schema: source.group_schema.clone(),
    }
}

/// Those who are told of a source's changes. Sends nothing yet.
pub fn webhooks(source: &Source, environment: &Environment) -> Result<Vec<Arc<Webhook>>, Failure> {
    webhook::open(source, environment).map_err(|problems| {
        Failure::message(Exit::Usage, format!("the webhooks of source {:?} cannot be used", source.name))
            .details(problems)
    })
}

/// The store, made if it is not there.
pub fn store(config: &Config, environment: &Environment) -> Result<Store, Failure> {
    Store::open(&config.store, Arc::clone(&environment.clock)).map_err(from_store)
}

/// The part of the store that a source has, which must have been aggregated before.
pub async fn stored_source(
    config: &Config,
    source: &Source,
    environment: &Environment,
) -> Result<SourceStore, Failure> {
    if !config.store.exists() {
        return Err(nothing_stored(&config.store));
    }
    store(config, environment)?.source(&source.name).await.map_err(from_store)
}

fn nothing_stored(path: &Path) -> Failure {
    Failure::message(Exit::Failed, format!("there is no store {} yet", path.display()))
        .hint("read the tenant first: exogate aggregate all")
}

/// How an error of the store ends a command.
pub fn from_store(error: StoreError) -> Failure {
    let exit = match &error {
        StoreError::AlreadyRunning { .. } | StoreError::LeaseLost { .. } | StoreError::Locked { .. } => {
            Exit::Busy
        }
        _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

/// How an error of a view ends a command.
pub fn from_view(error: ViewError) -> Failure {
    match error {
        ViewError::Store(error) => from_store(error),
        ViewError::Empty => {
            Failure::new(Exit::Failed, error).hint("read the tenant first: exogate aggregate all")
        }
        other => {
            let remedy = other.remedy();
            Failure::new(Exit::Failed, other).hint(remedy)
        }
    }
}

/// The exit code for an error of the wire.
pub fn exit_of(error: &WireError) -> Exit {
    match &error.kind {
        ErrorKind::SignIn(_) if error.needs_administrator() => Exit::Refused,
        ErrorKind::Unauthorized | ErrorKind::Forbidden => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// Puts every step of every call into the log.
struct CallLog;

impl CallObserver for CallLog {
    fn observe(&self, event: &CallEvent<'_>) {
        let (what, attempt) = (event.what, event.attempt + 1);
        match &event.step {
            CallStep::Sending => tracing::trace!(what, attempt, "sending"),
            CallStep::Done { latency, bytes } => {
                tracing::debug!(what, attempt, bytes, ms = latency.as_millis(), "answered");
            }
            CallStep::Throttled { retry_after } => {
                let seconds = retry_after.map(|wait| wait.as_secs_f32());
                tracing::info!(what, attempt, retry_after = seconds, "throttled");
            }
            CallStep::Retrying { error, wait } => {
                tracing::info!(what, attempt, %error, wait_ms = wait.as_millis(), "will be sent again");
            }
            CallStep::SigningInAgain => tracing::info!(what, attempt, "signing in again"),
            CallStep::Failed { error } => tracing::info!(what, attempt, %error, "failed"),
        }
    }
}
