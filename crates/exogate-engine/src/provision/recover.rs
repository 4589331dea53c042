//! After an interruption: what was begun and has no end is settled by reading the tenant, never by
//! sending again; what was never begun is told to be so.

use std::collections::BTreeMap;
use std::time::Duration;

use exogate_microsoft::{ErrorKind, Service, WireError};
use exogate_model::operation::{Entry, Image, Operation};
use exogate_store::JournalRecord;

use super::provisioner::{Observer, PlanResult, ProvisionError, Provisioner};
use super::settle::{self, Begun};

/// Where an operation stood when the process ended.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one for each operation of a plan; nothing is gained by a box")]
pub(super) enum Stood {
    /// It was not begun.
    Planned,
    /// It was begun; what was there before, and what the service said, if that was heard.
    Begun {
        /// Id of the object.
        target: String,
        /// What was there.
        before: Image,
        /// What was said.
        said: Option<String>,
    },
    /// It has an end.
    Finished,
}

/// Where each operation of a plan stands. Pure.
pub(super) fn standing(records: &[JournalRecord]) -> Vec<(Operation, Stood)> {
    let mut standing: BTreeMap<u32, (Operation, Stood)> = BTreeMap::new();
    for record in records {
        match (&record.entry, record.operation) {
            (Entry::Accepted { operations, .. }, _) => {
                for operation in operations {
                    standing.insert(operation.number, (operation.clone(), Stood::Planned));
                }
            }
            (entry, Some(number)) => {
                let Some((_, stood)) = standing.get_mut(&number) else { continue };
                match entry {
                    Entry::Begun { target, before, .. } => {
                        // A further attempt begins where the first one did.
                        let before = match stood {
                            Stood::Begun { before, .. } => before.clone(),
                            _ => before.clone(),
                        };
                        *stood = Stood::Begun { target: target.clone(), before, said: None };
                    }
                    Entry::Answered { said: answer } => {
                        if let Stood::Begun { said, .. } = stood {
                            *said = Some(answer.clone());
                        }
                    }
                    Entry::Finished { .. } => *stood = Stood::Finished,
                    Entry::Accepted { .. } => {}
                }
            }
            _ => {}
        }
    }
    standing.into_values().collect()
}

impl Provisioner {
    /// Settles what interrupted processes left; gives the plans that were settled. To be called
    /// before anything new is carried out.
    pub async fn recover(&self, observer: &dyn Observer) -> Result<Vec<PlanResult>, ProvisionError> {
        let inner = &self.inner;
        let mut settled = Vec::new();
        for plan in inner.journal.abandoned(inner.store.name()).await? {
            if !inner.journal.adopt(inner.store.name(), &plan).await? {
                continue;
            }
            let records = inner.journal.plan(inner.store.name(), &plan).await?;
            let mut by_object: BTreeMap<String, Vec<Begun>> = BTreeMap::new();
            for (operation, stood) in standing(&records) {
                match stood {
                    Stood::Finished => {}
                    Stood::Planned => settle::forget(inner, &plan, &operation, observer).await?,
                    Stood::Begun { target, before, said } => {
                        let mut object = operation.target.clone();
                        if object.id.is_empty() {
                            object.id = target;
                        }
                        let lost = WireError::new(ErrorKind::LostAnswer, Service::Exchange, "the call")
                            .with_sentence("exogate was interrupted before it knew the outcome, and reading shows no effect")
                            .with_remedy("Apply the plan again: only what is missing is done.");
                        let begun = Begun { operation, target: object.clone(), before, said, lost };
                        by_object.entry(object.lock()).or_default().push(begun);
                    }
                }
            }
            let left = self.left(&records);
            let plan_id = plan.as_str();
            let objects = by_object.into_iter().map(|(lock, begun)| async move {
                let _serial = inner.lock(&lock).await;
                settle::recover(inner, plan_id, begun, left, observer).await
            });
            for outcome in futures::future::join_all(objects).await {
                outcome?;
            }
            settled.push(self.result(&plan).await?);
        }
        Ok(settled)
    }

    /// How long the effect of what was sent last may still be on its way.
    fn left(&self, records: &[JournalRecord]) -> Duration {
        let patience = self.inner.patience;
        let age = records.iter().map(|record| record.at).max().map_or(Duration::ZERO, |last| {
            Duration::try_from(self.inner.journal.now().duration_since(last)).unwrap_or_default()
        });
        // Even what is long past is looked for more than once: one reading may fail.
        patience.deadline.saturating_sub(age).max(patience.first * 4)
    }
}
