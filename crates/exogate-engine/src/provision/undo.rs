//! The inverse of what the journal says was done: compiled from before-images, shown and applied as
//! any other plan.

use exogate_model::operation::{Action, Entry, Image, Operation, Outcome, Request, Target};
use exogate_store::JournalRecord;

use super::effect::inverse;
use super::provisioner::{ProvisionError, Provisioner};

/// The operations that undo a plan, or one operation of it, and what cannot be undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undo {
    /// In the order in which they must happen: the last change goes first.
    pub operations: Vec<Operation>,
    /// Why single operations are left out.
    pub left_out: Vec<String>,
}

impl Provisioner {
    /// What undoes a plan, or one operation of it (`plan.number`).
    pub async fn undo(&self, id: &str) -> Result<Undo, ProvisionError> {
        let unknown = || ProvisionError::Unknown { id: id.to_owned() };
        let (plan, number) = match id.split_once('.') {
            Some((plan, number)) => (plan, Some(number.parse::<u32>().map_err(|_| unknown())?)),
            None => (id, None),
        };
        let inner = &self.inner;
        let records = inner.journal.plan(inner.store.name(), plan).await?;
        if records.is_empty() {
            return Err(unknown());
        }
        let undo = inverses(plan, &records, number);
        if number.is_some() && undo.operations.is_empty() && undo.left_out.is_empty() {
            return Err(unknown());
        }
        Ok(undo)
    }
}

/// What undoes the operations of a plan (or the one of this number). Pure.
pub fn inverses(plan: &str, records: &[JournalRecord], only: Option<u32>) -> Undo {
    let mut undo = Undo::default();
    let operations = records.iter().find_map(|record| match &record.entry {
        Entry::Accepted { operations, .. } => Some(operations),
        _ => None,
    });
    let wanted = operations.into_iter().flatten().rev().filter(|o| only.is_none_or(|only| only == o.number));
    for operation in wanted {
        let id = format!("{plan}.{}", operation.number);
        let done = Done::of(operation, records);
        let actions = match &done {
            Some(Done {
                outcome: Outcome::Done | Outcome::DoneNotYetVisible, before: Some(before), ..
            }) => inverse(&operation.action, before),
            Some(done) => {
                undo.left_out.push(format!("{id} changed nothing ({})", done.outcome.name()));
                continue;
            }
            None => {
                undo.left_out.push(format!("{id} has no outcome yet"));
                continue;
            }
        };
        match actions {
            Ok(actions) if actions.is_empty() => undo.left_out.push(format!("{id} changed nothing")),
            Ok(actions) => {
                for action in actions {
                    let number = undo.operations.len() as u32 + 1;
                    undo.operations.push(step(number, &id, operation, &done, action));
                }
            }
            Err(why) => undo.left_out.push(format!("{id} cannot be undone: {why}")),
        }
    }
    undo
}

struct Done {
    outcome: Outcome,
    before: Option<Image>,
    target: String,
}

impl Done {
    fn of(operation: &Operation, records: &[JournalRecord]) -> Option<Self> {
        let mut before = None;
        let mut target = operation.target.id.clone();
        let mut outcome = None;
        for record in records.iter().filter(|record| record.operation == Some(operation.number)) {
            match &record.entry {
                Entry::Begun { before: image, target: id, .. } => {
                    before.get_or_insert_with(|| image.clone());
                    if !id.is_empty() {
                        target.clone_from(id);
                    }
                }
                Entry::Finished { outcome: end, made } => {
                    outcome = Some(end.clone());
                    if let Some(made) = made {
                        target.clone_from(made);
                    }
                }
                _ => {}
            }
        }
        Some(Self { outcome: outcome?, before, target })
    }
}

fn step(number: u32, id: &str, operation: &Operation, done: &Option<Done>, action: Action) -> Operation {
    // A group that was deleted has no id until it is made again.
    let again = operation.action == Action::DeleteGroup;
    let known = done.as_ref().map(|done| done.target.clone()).unwrap_or_default();
    let mut shown = operation.shown.clone();
    for line in &mut shown {
        std::mem::swap(&mut line.before, &mut line.after);
    }
    Operation {
        number,
        target: Target { id: if again { String::new() } else { known }, ..operation.target.clone() },
        action,
        serves: vec![Request { of: operation.target.name.clone(), attribute: format!("undo {id}") }],
        shown,
        already: false,
        review: operation.review,
    }
}
