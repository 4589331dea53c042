//! Changes asked for through a door: compile, review, journal, carry out. One way for all doors.

use std::sync::Arc;

use exogate_engine::provision::{
    Observer, PlanError, PlanResult, ProvisionError, Rules, Secrets, Silent, Snapshot, Submission, compile,
};
use exogate_model::operation::Operation;
use exogate_model::plan::Plan;
use exogate_store::StoreError;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::gateway::Source;

/// Why a plan was not carried out at all.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// It asks for what cannot be; every reason.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<PlanError>),
    /// The policy wants a person to confirm these operations.
    #[error("{} of the operations must be reviewed; confirm them", .0.iter().filter(|o| o.review).count())]
    Review(Vec<Operation>),
    /// The journal, the store or the tenant.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// What an interrupted process left cannot be settled yet, and nothing is changed before.
    #[error("an earlier change was interrupted and cannot be settled yet; try again later")]
    Unsettled(#[source] ProvisionError),
    /// The service is about to end.
    #[error("the service is stopping; no change begins any more")]
    Stopping,
    /// A fault of exogate itself; the journal knows how far it came.
    #[error("the change broke off; it is settled when the service starts again")]
    Broken,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Source {
    /// The operations that a plan comes to; nothing is written.
    pub async fn compile(&self, plan: &Plan) -> Result<Vec<Operation>, ChangeError> {
        let mut snapshot = Snapshot::of(&self.store, plan).await?;
        snapshot.earlier = self.provisioner.earlier_effects(plan).await?;
        let rules = Rules {
            account_schema: &self.context.account_schema,
            group_schema: &self.context.group_schema,
            policy: &self.policy,
            options: &self.context.options,
        };
        compile(plan, &snapshot, rules).map_err(ChangeError::Refused)
    }

    /// Carries a plan out for somebody. With a key that was used before: the earlier result.
    pub async fn change(
        &self,
        plan: Plan,
        by: &str,
        reviewed: bool,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ChangeError> {
        self.change_observed(plan, by, reviewed, Arc::new(Silent), cancel).await
    }

    /// Carries out a plan that needs passwords, which no plan holds.
    pub async fn change_with(
        &self,
        plan: Plan,
        secrets: Secrets,
        by: &str,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ChangeError> {
        self.begin().await?;
        let operations = self.compile(&plan).await?;
        let submission = Submission { plan, by: by.to_owned(), operations, undoes: None };
        self.carry_out(submission, secrets, Arc::new(Silent), cancel).await
    }

    /// The same, watched.
    pub async fn change_observed(
        &self,
        plan: Plan,
        by: &str,
        reviewed: bool,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ChangeError> {
        self.begin().await?;
        if let Some(earlier) = self.provisioner.earlier(&plan).await? {
            return Ok(earlier);
        }
        let operations = self.compile(&plan).await?;
        if !reviewed && operations.iter().any(|operation| operation.review) {
            return Err(ChangeError::Review(operations));
        }
        let submission = Submission { plan, by: by.to_owned(), operations, undoes: None };
        self.submit(submission, observer, cancel).await
    }

    /// Carries out what is compiled and, where that is needed, reviewed. Comes to its end even if
    /// whoever asked goes away; stops after the operation it is at when told to, or when the service
    /// must end.
    pub async fn submit(
        &self,
        submission: Submission,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ChangeError> {
        self.begin().await?;
        self.carry_out(submission, Secrets::default(), observer, cancel).await
    }

    /// What must be so before any change.
    async fn begin(&self) -> Result<(), ChangeError> {
        if self.life.stopping.is_cancelled() {
            return Err(ChangeError::Stopping);
        }
        self.settle().await.map_err(ChangeError::Unsettled)
    }

    async fn carry_out(
        &self,
        submission: Submission,
        secrets: Secrets,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ChangeError> {
        let (provisioner, stop) = (self.provisioner.clone(), self.life.leaving.child_token());
        let work = async move {
            let mut applying =
                std::pin::pin!(provisioner.apply_with(submission, secrets, observer, stop.clone()));
            tokio::select! {
                outcome = &mut applying => return outcome,
                () = cancel.cancelled() => stop.cancel(),
            }
            applying.await
        };
        let work = self.life.tasks.spawn(work);
        let result = work.await.map_err(|_| ChangeError::Broken)??;
        self.meters.plan(&self.name, &result);
        Ok(result)
    }
}
