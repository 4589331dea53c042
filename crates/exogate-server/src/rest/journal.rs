//! Operations as the journal has them, and the proof that it was not altered.

use axum::Json;
use exogate_engine::provision::result_of;
use exogate_model::operation::Entry;
use exogate_store::JournalRecord;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Administering, Answer, NoParameters, Path, Query, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::operation::{Operation, Outcome, Plan};
use super::page::{Text, Within};
use super::params::{OfSource, OperationPath};
use super::problem::Problem;
use super::refusals::Refusals;
use crate::gateway::{Gateway, Source};

/// Plans looked through for one page of operations.
const PLANS: usize = 100;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(verify))
}

/// An operation with the plan that it belongs to.
#[derive(Serialize, ToSchema)]
struct PlannedOperation {
    /// The plan.
    plan: String,
    /// When the plan was accepted.
    at: Timestamp,
    /// Who asked.
    by: String,
    /// The plan or operation that it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    /// The operation.
    operation: Operation,
}

fn planned(plan: Plan) -> impl Iterator<Item = PlannedOperation> {
    let Plan { id, at, by, undoes, operations, .. } = plan;
    operations.into_iter().map(move |operation| PlannedOperation {
        plan: id.clone(),
        at,
        by: by.clone(),
        undoes: undoes.clone(),
        operation,
    })
}

type OperationPage = Page<PlannedOperation>;

impl Listed for PlannedOperation {
    const PAGE: &'static str = "OperationPage";
    const ABOUT: &'static str = "A page of operations, those of the newest plan first.";
    const ITEMS: &'static str = "The operations.";
}

/// List operations.
///
/// What was done in this source, whoever asked and through whichever door.
#[utoipa::path(
    get,
    path = "/sources/{source}/operations",
    operation_id = "listOperations",
    tag = "operations",
    params(OfSource, Paging),
    responses((status = 200, description = "A page of operations", body = OperationPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { after, limit, .. }: Listing<NoParameters, Within<i64>>,
) -> Answer<OperationPage> {
    let place = after.unwrap_or_default();
    let enough = place.skip.saturating_add(limit);
    let plans = source.journal.plans_before(&source.name, place.after, PLANS).await?;
    let mut items = Vec::new();
    let mut last = None;
    // Plans with many operations fill a page alone: no more of them are read than are needed.
    for (id, first) in &plans {
        let records = source.journal.plan(&source.name, id).await?;
        items.extend(Plan::of(&result_of(id, &records), &records, &source).into_iter().flat_map(planned));
        last = Some(*first);
        if items.len() > enough {
            break;
        }
    }
    let more = plans.len() == PLANS || plans.last().map(|(_, first)| *first) != last;
    let (items, next) = place.cut(items, last.filter(|_| more), limit);
    Page::of(items, next.as_ref())
}

/// What the journal says at one point about an operation.
#[derive(Serialize, ToSchema)]
struct Step {
    /// Its place in the journal.
    sequence: i64,
    /// When.
    at: Timestamp,
    /// `accepted`, `begun`, `answered` or `finished`.
    what: String,
    /// Which attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// What was there before, as it was read just before the attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    before: Option<serde_json::Value>,
    /// What the service said.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

impl From<JournalRecord> for Step {
    fn from(record: JournalRecord) -> Self {
        let mut step = Self {
            sequence: record.sequence,
            at: record.at,
            what: record.entry.name().to_owned(),
            attempt: None,
            before: None,
            said: None,
            outcome: None,
        };
        match record.entry {
            Entry::Accepted { .. } => {}
            Entry::Begun { attempt, before, .. } => {
                step.attempt = Some(attempt);
                step.before = serde_json::to_value(before).ok();
            }
            Entry::Answered { said } => step.said = Some(said),
            Entry::Finished { outcome, .. } => step.outcome = Some(Outcome::from(&outcome)),
        }
        step
    }
}

/// An operation with everything that the journal says about it.
#[derive(Serialize, ToSchema)]
struct OperationHistory {
    /// The plan.
    plan: String,
    /// When the plan was accepted.
    at: Timestamp,
    /// Who asked.
    by: String,
    /// The plan or operation that it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    /// The operation.
    operation: Operation,
    /// What happened, in order.
    history: Vec<Step>,
}

/// Show an operation: who asked, what was there before, every attempt, how it ended.
#[utoipa::path(
    get,
    path = "/sources/{source}/operations/{operation}",
    operation_id = "getOperation",
    tag = "operations",
    params(OfSource, OperationPath),
    responses((status = 200, description = "The operation", body = OperationHistory), Refusals)
)]
async fn get(
    Reading(source): Reading,
    Path(path): Path<OperationPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Answer<OperationHistory> {
    one(&source, &path.operation).await.map(Json)
}

async fn one(source: &Source, id: &str) -> Result<OperationHistory, Problem> {
    let unknown = || Problem::not_found(format!("There is no operation {id:?} in the journal."));
    let (plan, number) = id.split_once('.').ok_or_else(unknown)?;
    let number: u32 = number.parse().map_err(|_| unknown())?;
    let mut records = source.journal.plan(&source.name, plan).await?;
    let plan = Plan::of(&result_of(plan, &records), &records, source).ok_or_else(unknown)?;
    let mut of_plan = planned(plan);
    let found = of_plan.find(|planned| planned.operation.number == number).ok_or_else(unknown)?;
    let PlannedOperation { plan, at, by, undoes, operation } = found;
    records.retain(|record| record.operation.is_none_or(|other| other == number));
    let history = records.into_iter().map(Step::from).collect();
    Ok(OperationHistory { plan, at, by, undoes, operation, history })
}

/// The result of computing every hash of the journal again.
#[derive(Serialize, ToSchema)]
struct Verified {
    /// Whether no entry was altered.
    sound: bool,
    /// How many entries there are.
    entries: u64,
    /// The hash of the last sound entry. Note it elsewhere: sent as `head`, it proves later that nothing
    /// was cut off.
    head: String,
    /// The first entry that is not as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_at: Option<i64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VerifyQuery {
    /// A head that was noted before.
    #[param(value_type = Option<String>, min_length = 1)]
    head: Option<Text>,
}

/// Prove that the journal was not altered.
///
/// Every entry's hash covers the one before it. All of them are computed again, those of other sources
/// included: they share the journal.
#[utoipa::path(
    get,
    path = "/sources/{source}/journal/verify",
    operation_id = "verifyJournal",
    tag = "operations",
    params(OfSource, VerifyQuery),
    responses((status = 200, description = "Whether it is sound", body = Verified), Refusals)
)]
async fn verify(
    Administering { source, .. }: Administering,
    Query(query): Query<VerifyQuery>,
) -> Answer<Verified> {
    let verified = source.journal.verify(query.head.map(|text| text.0)).await?;
    let (broken_at, why) = verified.broken.unzip();
    Ok(Json(Verified {
        sound: broken_at.is_none(),
        entries: verified.entries,
        head: verified.head,
        broken_at,
        why,
    }))
}
