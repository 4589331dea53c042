//! Operations and plans as this door shows them.

use exogate_engine::provision::{OperationResult, PlanResult, call::call};
use exogate_model::operation::Entry;
use exogate_model::operation::{self as model, Fault as ModelFault, Outcome as ModelOutcome, TargetKind};
use exogate_store::JournalRecord;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::groups::GroupKind;
use crate::gateway::Source;

/// What an operation changes.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// `mailbox`, `group` or `user`.
    #[schema(example = "mailbox")]
    pub kind: String,
    /// The kind of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_kind: Option<GroupKind>,
    /// Its immutable id; empty for a group that an earlier operation of the plan makes.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// One line of "before → after".
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Shown {
    /// What changes.
    pub what: String,
    /// As it is known to be.
    pub before: String,
    /// As it is to be.
    pub after: String,
}

/// The part of the plan that an operation serves.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Served {
    /// The account or group, as the plan named it.
    pub of: String,
    /// The attribute.
    pub attribute: String,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OutcomeState {
    /// Done, and read back.
    Done,
    /// It was so before.
    AlreadySo,
    /// The service took it; readers did not see it within the time given.
    DoneNotYetVisible,
    /// It did not happen.
    Failed,
    /// It may have happened, and could not be settled by reading.
    Unknown,
}

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// Whoever asked: the request cannot be carried out.
    Request,
    /// An administrator of the tenant.
    Tenant,
    /// The service, for now.
    Service,
    /// exogate: it was stopped before it could.
    Interrupted,
}

/// How an operation ended, and why.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// How.
    pub state: OutcomeState,
    /// Why, where it is no success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Who can do something about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Whether asking again may help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<bool>,
}

impl From<&ModelOutcome> for Outcome {
    fn from(outcome: &ModelOutcome) -> Self {
        let plain = |state| Self { state, why: None, remedy: None, fault: None, retry: None };
        match outcome {
            ModelOutcome::Done => plain(OutcomeState::Done),
            ModelOutcome::AlreadySo => plain(OutcomeState::AlreadySo),
            ModelOutcome::DoneNotYetVisible => plain(OutcomeState::DoneNotYetVisible),
            ModelOutcome::Failed { why, fault, retry, remedy } => Self {
                why: Some(why.clone()),
                remedy: (!remedy.is_empty()).then(|| remedy.clone()),
                fault: Some(match fault {
                    ModelFault::Request => Fault::Request,
                    ModelFault::Tenant => Fault::Tenant,
                    ModelFault::Service => Fault::Service,
                    ModelFault::Interrupted => Fault::Interrupted,
                }),
                retry: Some(*retry),
                ..plain(OutcomeState::Failed)
            },
            ModelOutcome::Unknown { why } => Self { why: Some(why.clone()), ..plain(OutcomeState::Unknown) },
        }
    }
}

/// One step of a plan: one call on one object.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// `plan.number`, once it stands in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "3f9a1c22b0.1")]
    pub id: Option<String>,
    /// Its place in the plan, from 1.
    pub number: u32,
    /// The object.
    pub target: Target,
    /// What changes.
    pub changes: Vec<Shown>,
    /// The call, as an administrator would write it.
    #[schema(example = "Add-MailboxPermission -Identity … -User … -AccessRights FullAccess")]
    pub command: String,
    /// The parts of the plan that it serves.
    pub serves: Vec<Served>,
    /// Whether it is known to be so already.
    pub already: bool,
    /// Whether the policy wants a person to confirm it.
    pub review: bool,
    /// How it ended; absent while it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The id of a group that it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
}

impl Operation {
    /// An operation that is not in the journal.
    pub fn of(operation: &model::Operation, source: &Source) -> Self {
        let bypass = source.context.options.bypass_security_group_manager_check
            && source.tenant.caller.username().is_none();
        let target = &operation.target;
        let (kind, group_kind) = match target.kind {
            TargetKind::Mailbox => ("mailbox", None),
            TargetKind::User => ("user", None),
            TargetKind::Group(kind) => ("group", Some(kind.into())),
        };
        Self {
            id: None,
            number: operation.number,
            target: Target {
                kind: kind.to_owned(),
                group_kind,
                id: target.id.clone(),
                name: target.name.clone(),
            },
            changes: operation
                .shown
                .iter()
                .map(|line| Shown {
                    what: line.what.clone(),
                    before: line.before.clone(),
                    after: line.after.clone(),
                })
                .collect(),
            command: call(target, &operation.action, bypass).shown(),
            serves: operation
                .serves
                .iter()
                .map(|request| Served { of: request.of.clone(), attribute: request.attribute.clone() })
                .collect(),
            already: operation.already,
            review: operation.review,
            outcome: None,
            made: None,
        }
    }

    /// An operation of a plan in the journal.
    pub fn with_outcome(plan: &str, result: &OperationResult, source: &Source) -> Self {
        Self {
            id: Some(format!("{plan}.{}", result.operation.number)),
            outcome: result.outcome.as_ref().map(Outcome::from),
            made: result.made.clone(),
            ..Self::of(&result.operation, source)
        }
    }
}

/// How far a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanState {
    /// Some operation has no end yet.
    UnderWay,
    /// Everything is as it was asked to be.
    Succeeded,
    /// A part of it is.
    PartlyFailed,
    /// Nothing is.
    Failed,
}

/// A plan that stands in the journal, with the end of each operation.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Its id.
    #[schema(example = "3f9a1c22b0")]
    pub id: String,
    /// How far it is.
    pub state: PlanState,
    /// When it was accepted.
    pub at: Timestamp,
    /// Who asked: the name of the credential, and whom it named.
    pub by: String,
    /// The idempotency key it was accepted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The plan or operation that it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Whether this is the result of an earlier request with the same key.
    pub repeated: bool,
    /// Its operations.
    pub operations: Vec<Operation>,
}

impl Plan {
    /// What the journal says about a plan; `None` if it says nothing.
    pub fn of(result: &PlanResult, records: &[JournalRecord], source: &Source) -> Option<Self> {
        let (record, by, undoes) = records.iter().find_map(|record| match &record.entry {
            Entry::Accepted { by, undoes, .. } => Some((record, by, undoes)),
            _ => None,
        })?;
        let open = result.results.iter().any(|one| one.outcome.is_none());
        let state = match () {
            () if open => PlanState::UnderWay,
            () if result.is_success() => PlanState::Succeeded,
            () if result.is_failure() => PlanState::Failed,
            () => PlanState::PartlyFailed,
        };
        Some(Self {
            id: result.plan.clone(),
            state,
            at: record.at,
            by: by.clone(),
            key: record.key.clone(),
            undoes: undoes.clone(),
            repeated: result.repeated,
            operations: result
                .results
                .iter()
                .map(|one| Operation::with_outcome(&result.plan, one, source))
                .collect(),
        })
    }
}
