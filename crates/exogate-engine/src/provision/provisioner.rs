//! Who carries plans out for one source: accepts them once, runs their operations, tells results.
//!
//! Operations on one object are serial, whoever asked for them in whatever process; different objects run in parallel,
//! and the governors decide how many calls are under way. Nothing is sent that is not in the journal.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use exogate_microsoft::WireError;
use exogate_model::operation::{Entry, Operation, Outcome};
use exogate_model::plan::Plan;
use exogate_store::{Acceptance, Journal, JournalRecord, NewEntry, SourceStore, StoreError};
use futures::StreamExt;
use futures::future::BoxFuture;
use serde::Serialize;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use super::chain::{self, Chain, Shared};
use super::parties::Parties;
use super::patience::Patience;
use super::secrets::Secrets;
use super::turns::Turns;
use crate::tenant::{SourceContext, Tenant};

/// Objects under way at once. The governors set the pace; this bounds memory.
const OBJECTS: usize = 256;

/// What happens to an operation, for progress displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The plan stands in the journal.
    Accepted,
    /// Another process came first to the object, and is waited for.
    Queued(u32),
    /// The object was read.
    Observed(u32),
    /// The operation stands in the journal as begun.
    Begun(u32),
    /// The call was answered, or will not be.
    Sent(u32),
    /// The answer stands in the journal.
    Answered(u32),
    /// A look whether it took effect.
    Verifying(u32),
    /// The stored state knows it.
    Stored(u32),
    /// Its end stands in the journal.
    Finished(u32),
}

/// Hears of each step before the next one is taken.
pub trait Observer: Send + Sync {
    /// A step was reached.
    fn reached(&self, step: Step) -> BoxFuture<'_, ()>;
    /// An operation ended.
    fn ended(&self, number: u32, outcome: &Outcome);
}

/// Hears nothing.
pub struct Silent;

impl Observer for Silent {
    fn reached(&self, _: Step) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
    fn ended(&self, _: u32, _: &Outcome) {}
}

/// What cannot be done with a plan as a whole.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// The key stands for another request.
    #[error("the key {key:?} was used for another request (plan {plan}); choose a new key for a new request")]
    KeyReused {
        /// The key.
        key: String,
        /// The plan that it stands for.
        plan: String,
    },
    /// Another process carries out the same request.
    #[error("the request with the key {key:?} is being carried out as plan {plan}; wait for it")]
    UnderWay {
        /// The key.
        key: String,
        /// The plan.
        plan: String,
    },
    /// No such plan or operation.
    #[error("there is no plan or operation {id:?} in the journal; `exogate operations` lists them")]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// The journal or the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tenant, before anything was written.
    #[error("nothing was written, because the tenant could not be read")]
    Tenant(#[source] WireError),
}

/// How one operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationResult {
    /// The operation.
    pub operation: Operation,
    /// Its end; none while it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The id of a group that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanResult {
    /// Its id.
    pub plan: String,
    /// Whether this is the result of an earlier request with the same key.
    pub repeated: bool,
    /// Each operation with its end.
    pub results: Vec<OperationResult>,
}

impl PlanResult {
    /// Whether everything is as it was asked to be.
    pub fn is_success(&self) -> bool {
        self.results.iter().all(|result| result.outcome.as_ref().is_some_and(Outcome::is_success))
    }

    /// Whether nothing at all is.
    pub fn is_failure(&self) -> bool {
        !self.results.is_empty()
            && !self.results.iter().any(|result| result.outcome.as_ref().is_some_and(Outcome::is_success))
    }
}

/// A plan to be carried out.
#[derive(Debug, Clone)]
pub struct Submission {
    /// As it was asked for.
    pub plan: Plan,
    /// Who asked.
    pub by: String,
    /// What it compiled to.
    pub operations: Vec<Operation>,
    /// The operation or plan that it undoes.
    pub undoes: Option<String>,
}

/// Carries plans out. Clones share everything.
#[derive(Clone)]
pub struct Provisioner {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) tenant: Tenant,
    pub(super) store: SourceStore,
    pub(super) journal: Journal,
    pub(super) context: Arc<SourceContext>,
    pub(super) patience: Patience,
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Provisioner {
    /// A provisioner for one source.
    pub fn new(
        tenant: Tenant,
        store: SourceStore,
        journal: Journal,
        context: Arc<SourceContext>,
        patience: Patience,
    ) -> Self {
        let locks = Mutex::new(HashMap::new());
        Self { inner: Arc::new(Inner { tenant, store, journal, context, patience, locks }) }
    }

    /// The result of an earlier request with this plan's key, if it ended well.
    pub async fn earlier(&self, plan: &Plan) -> Result<Option<PlanResult>, ProvisionError> {
        let Some(key) = &plan.key else { return Ok(None) };
        match self.inner.under_key(key, plan).await? {
            Some(result) if result.is_success() => Ok(Some(PlanResult { repeated: true, ..result })),
            _ => Ok(None),
        }
    }

    /// Carries a plan out, or gives the result of an earlier request with the same key. What an
    /// interrupted process left unsettled should have been recovered before.
    pub async fn apply(
        &self,
        submission: Submission,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ProvisionError> {
        self.apply_with(submission, Secrets::default(), observer, cancel).await
    }

    /// The same, with passwords that a plan must not hold.
    pub async fn apply_with(
        &self,
        submission: Submission,
        secrets: Secrets,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ProvisionError> {
        let source = self.inner.store.name();
        let span = tracing::info_span!("plan", source, plan = Empty, operations = Empty, error = Empty);
        let applied = self.accept(submission, secrets, observer, cancel).instrument(span.clone()).await;
        match &applied {
            Ok(result) => {
                span.record("plan", result.plan.as_str()).record("operations", result.results.len());
                if !result.is_success() {
                    span.record("error", if result.is_failure() { "failed" } else { "partly failed" });
                }
            }
            Err(_) => {
                span.record("error", "not carried out");
            }
        }
        applied
    }

    async fn accept(
        &self,
        submission: Submission,
        secrets: Secrets,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ProvisionError> {
        let inner = &self.inner;
        let key = submission.plan.key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let _one_at_a_time = inner.lock(&format!("key:{key}")).await;
        let mut after = None;
        if let Some(earlier) = inner.under_key(&key, &submission.plan).await? {
            if earlier.is_success() {
                return Ok(PlanResult { repeated: true, ..earlier });
            }
            if earlier.results.iter().any(|result| result.outcome.is_none()) {
                return Err(ProvisionError::UnderWay { key, plan: earlier.plan });
            }
            after = Some(earlier.plan);
        }
        let parties =
            Parties::fresh(&inner.tenant, &submission.operations).await.map_err(ProvisionError::Tenant)?;
        let perhaps_made = self.perhaps_made(&submission.plan).await?;
        let plan = new_id();
        let entry = Entry::Accepted {
            plan: submission.plan,
            by: submission.by,
            operations: submission.operations.clone(),
            undoes: submission.undoes,
        };
        let entry =
            NewEntry { source: inner.store.name().to_owned(), plan: plan.clone(), operation: None, entry };
        if let Acceptance::KeyTaken { plan } = inner.journal.accept(entry, &key, after).await? {
            return Err(ProvisionError::UnderWay { key, plan });
        }
        observer.reached(Step::Accepted).await;
        let shared = Shared { parties: &parties, secrets: &secrets, perhaps_made: &perhaps_made };
        inner.run(&plan, &submission.operations, &shared, &observer, &cancel).await?;
        inner.result(&plan).await
    }

    /// How a plan stands.
    pub async fn result(&self, plan: &str) -> Result<PlanResult, ProvisionError> {
        self.inner.result(plan).await
    }
}

impl Inner {
    /// What lets only one at a time change an object.
    pub(super) async fn lock(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let known = locks.get(name).and_then(Weak::upgrade);
            let lock = known.unwrap_or_default();
            locks.insert(name.to_owned(), Arc::downgrade(&lock));
            lock
        };
        lock.lock_owned().await
    }

    async fn under_key(&self, key: &str, plan: &Plan) -> Result<Option<PlanResult>, ProvisionError> {
        let Some(id) = self.journal.by_key(self.store.name(), key).await? else { return Ok(None) };
        let records = self.journal.plan(self.store.name(), &id).await?;
        if !is_of(&records, plan) {
            return Err(ProvisionError::KeyReused { key: key.to_owned(), plan: id });
        }
        Ok(Some(result_of(&id, &records)))
    }

    async fn result(&self, plan: &str) -> Result<PlanResult, ProvisionError> {
        let records = self.journal.plan(self.store.name(), plan).await?;
        if records.is_empty() {
            return Err(ProvisionError::Unknown { id: plan.to_owned() });
        }
        Ok(result_of(plan, &records))
    }

    /// Runs operations, object by object.
    async fn run(
        &self,
        plan: &str,
        operations: &[Operation],
        shared: &Shared<'_>,
        observer: &Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Result<(), ProvisionError> {
        let one = Chain::new(self, plan, observer.as_ref(), cancel);
        let one = &one;
        let mut chains: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
        let mut order: Vec<String> = Vec::new();
        for operation in operations {
            let lock = operation.target.lock();
            if !chains.contains_key(&lock) {
                order.push(lock.clone());
            }
            chains.entry(lock).or_default().push(operation.clone());
        }
        let chains: Vec<_> = order.into_iter().filter_map(|lock| chains.remove_entry(&lock)).collect();
        let turns = Turns::of(self, plan).await?;
        let turns = &turns;
        let mut running = futures::stream::iter(chains)
            .map(|(lock, operations)| async move {
                let first = operations.first().map_or(0, |operation| operation.number);
                turns.wait(&lock, first, observer.as_ref(), cancel).await?;
                let _serial = self.lock(&lock).await;
                chain::run(one, operations, shared).await
            })
            .buffer_unordered(OBJECTS);
        let mut failed = Ok(());
        // A journal that cannot be written stops the rest; what is under way still comes to its end.
        while let Some(outcome) = running.next().await {
            if outcome.is_err() && failed.is_ok() {
                cancel.cancel();
                failed = outcome;
            }
        }
        Ok(failed?)
    }

    pub(super) async fn note(&self, plan: &str, operation: u32, entry: Entry) -> Result<(), StoreError> {
        let source = self.store.name().to_owned();
        let entry = NewEntry { source, plan: plan.to_owned(), operation: Some(operation), entry };
        self.journal.append(vec![entry]).await
    }

    /// Whether the group-manager check is to be bypassed: an application can own no group.
    pub(super) fn bypass(&self) -> bool {
        self.context.options.bypass_security_group_manager_check && self.tenant.caller.username().is_none()
    }
}

/// What the journal says about a plan.
pub fn result_of(plan: &str, records: &[JournalRecord]) -> PlanResult {
    let mut results = Vec::new();
    for record in records {
        match (&record.entry, record.operation) {
            (Entry::Accepted { operations, .. }, _) => {
                results.extend(operations.iter().cloned().map(|operation| OperationResult {
                    operation,
                    outcome: None,
                    made: None,
                }));
            }
            (Entry::Finished { outcome, made }, Some(number)) => {
                let of = |result: &&mut OperationResult| result.operation.number == number;
                if let Some(result) = results.iter_mut().find(of) {
                    result.outcome = Some(outcome.clone());
                    result.made.clone_from(made);
                }
            }
            _ => {}
        }
    }
    PlanResult { plan: plan.to_owned(), repeated: false, results }
}

/// Whether these are the records of that very plan, under whatever key.
pub(super) fn is_of(records: &[JournalRecord], plan: &Plan) -> bool {
    records.iter().any(|record| match &record.entry {
        Entry::Accepted { plan: earlier, .. } => earlier.asks_the_same(plan),
        _ => false,
    })
}

/// An id that a person can type.
fn new_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(10);
    id
}
