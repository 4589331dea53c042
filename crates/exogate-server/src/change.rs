//! Changes asked for through a door: compile, review, journal, carry out. One way for all doors.

use std::sync::Arc;

use exogate_engine::provision::{
    Observer, PlanError, PlanResult, ProvisionError, Rules, Silent, Snapshot, Submission, compile,
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
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Source {
    /// The operations that a plan comes to; nothing is written.
    pub async fn compile(&self, plan: &Plan) -> Result<Vec<Operation>, ChangeError> {
        let mut snapshot = Snapshot::of(&self.store, plan).await?;
        snapshot.made = self.provisioner.made_before(plan).await?;
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

    /// The same, watched.
    pub async fn change_observed(
        &self,
        plan: Plan,
        by: &str,
        reviewed: bool,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<PlanResult, ChangeError> {
        if let Some(earlier) = self.provisioner.earlier(&plan).await? {
            return Ok(earlier);
        }
        let operations = self.compile(&plan).await?;
        if !reviewed && operations.iter().any(|operation| operation.review) {
            return Err(ChangeError::Review(operations));
        }
        let submission = Submission { plan, by: by.to_owned(), operations, undoes: None };
        Ok(self.provisioner.apply(submission, observer, cancel).await?)
    }
}
