//! What earlier runs of the very same plan came to: applied again, a plan does only what is missing.

use std::collections::{HashMap, HashSet};

use exogate_model::operation::{Operation, Outcome, Target};
use exogate_model::plan::{GroupOperation, Plan, UserOperation};
use exogate_store::JournalRecord;

use super::judge::{creates, deletes};
use super::provisioner::{OperationResult, ProvisionError, Provisioner, is_of, result_of};

/// Plans of the journal that are looked through, newest first.
const LOOKED_THROUGH: usize = 100;

/// What earlier runs of a plan made and deleted, by the text that names it there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Ids of groups and users that were made.
    pub made: HashMap<String, String>,
    /// Groups and users that were deleted.
    pub deleted: HashMap<String, Target>,
}

impl Provisioner {
    /// What earlier runs of the very same plan made and deleted. With this in the snapshot, the plan
    /// compiles to what is missing.
    pub async fn earlier_effects(&self, plan: &Plan) -> Result<Earlier, ProvisionError> {
        let mut earlier = Earlier::default();
        for (id, records) in self.earlier_runs(plan).await? {
            for OperationResult { operation, outcome, made } in result_of(&id, &records).results {
                let Some(named) = named(&operation) else { continue };
                if let Some(made) = made {
                    earlier.made.entry(named).or_insert(made.to_lowercase());
                } else if deletes(&operation.action) && outcome.is_some_and(|outcome| outcome.is_success()) {
                    earlier.deleted.entry(named).or_insert(operation.target);
                }
            }
        }
        Ok(earlier)
    }

    /// Names of groups and users that earlier runs of the very same plan sent off to be made, and never
    /// learnt whether they were.
    pub(super) async fn perhaps_made(&self, plan: &Plan) -> Result<HashSet<String>, ProvisionError> {
        let mut perhaps = HashSet::new();
        for (id, records) in self.earlier_runs(plan).await? {
            for OperationResult { operation, outcome, .. } in result_of(&id, &records).results {
                if creates(&operation.action) && matches!(outcome, Some(Outcome::Unknown { .. })) {
                    perhaps.insert(operation.target.name.to_lowercase());
                }
            }
        }
        Ok(perhaps)
    }

    /// The newest runs of the very same plan, if it makes or deletes anything.
    async fn earlier_runs(&self, plan: &Plan) -> Result<Vec<(String, Vec<JournalRecord>)>, ProvisionError> {
        let mut runs = Vec::new();
        let concerned = plan.groups.iter().any(|request| request.operation != GroupOperation::Modify)
            || plan.users.iter().any(|request| request.operation != UserOperation::SetPassword);
        if !concerned {
            return Ok(runs);
        }
        let (journal, source) = (&self.inner.journal, self.inner.store.name());
        for id in journal.plans(source, LOOKED_THROUGH).await? {
            let records = journal.plan(source, &id).await?;
            if is_of(&records, plan) {
                runs.push((id, records));
            }
        }
        Ok(runs)
    }
}

/// The text by which the plan names what an operation makes or deletes.
fn named(operation: &Operation) -> Option<String> {
    operation.serves.first().map(|request| request.of.clone())
}
