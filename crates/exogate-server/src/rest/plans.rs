//! Plans: what they would do, doing it, how far they are, and undoing them.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use exogate_engine::provision::{Submission, result_of};
use exogate_model::operation as model;
use futures::stream::{self, Stream};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::carry_out::{self, WaitQuery};
use super::extract::{Answer, Json, NoParameters, Path, Provisioning, Query, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::operation::{Operation, Plan, PlanState};
use super::params::{KeyHeader, OfSource, PlanPath};
use super::plan_request::PlanRequest;
use super::problem::Problem;
use super::refusals::{BodyRefusals, ChangeRefusals, Refusals};
use crate::gateway::{Gateway, Source};

/// How often one who watches looks.
const LOOK: Duration = Duration::from_millis(500);

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list, apply))
        .routes(routes!(compile))
        .routes(routes!(get))
        .routes(routes!(progress))
}

/// What a plan would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Compiled {
    /// Its operations.
    pub operations: Vec<Operation>,
    /// Whether somebody must confirm some of them before they are carried out.
    pub review: bool,
    /// Why parts of what is to be undone are left out.
    #[serde(rename = "leftOut", skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl Compiled {
    /// From operations that are not in the journal.
    pub fn of(operations: &[model::Operation], left_out: Vec<String>, source: &Source) -> Self {
        Self {
            operations: operations.iter().map(|operation| Operation::of(operation, source)).collect(),
            review: operations.iter().any(|operation| operation.review),
            left_out,
        }
    }
}

/// Whether a route leads to where plans are compiled and never carried out.
pub fn only_compiles(route: &str) -> bool {
    route.ends_with("/plans/compile")
}

/// The refusal of operations that nobody has confirmed.
pub fn unreviewed(operations: Vec<model::Operation>, source: &Source) -> Problem {
    let shown = operations.iter().filter(|o| o.review).map(|o| Operation::of(o, source)).collect();
    Problem { operations: shown, ..crate::change::ChangeError::Review(operations).into() }
}

/// Show what a plan would do.
///
/// Every operation with what changes (before → after) and the call, as an administrator would write it.
/// Nothing is written. A plan that cannot be carried out is refused with every reason (422).
#[utoipa::path(
    post,
    path = "/sources/{source}/plans/compile",
    operation_id = "compilePlan",
    tag = "plans",
    params(OfSource),
    request_body = PlanRequest,
    responses((status = 200, description = "What the plan would do", body = Compiled), Refusals, BodyRefusals, ChangeRefusals)
)]
async fn compile(
    Provisioning { source, .. }: Provisioning,
    Query(NoParameters {}): Query<NoParameters>,
    Json(mut request): Json<PlanRequest>,
) -> Answer<Compiled> {
    carry_out::key(&HeaderMap::new(), request.key.take())?;
    let operations = source.compile(&request.read()?).await?;
    Ok(JsonBody(Compiled::of(&operations, Vec::new(), &source)))
}

/// Carry out a plan.
///
/// The plan is compiled, written to the journal, carried out and read back. The answer comes when it has
/// ended, or after `wait` seconds; it goes on whether or not anybody waits. With an idempotency key the same
/// request is carried out once: sent again, it is answered by the result there is, and only what is missing
/// is tried again.
#[utoipa::path(
    post,
    path = "/sources/{source}/plans",
    operation_id = "applyPlan",
    tag = "plans",
    params(OfSource, KeyHeader, WaitQuery),
    request_body = PlanRequest,
    responses(
        (status = 200, description = "The plan has ended; `state` says how", body = Plan),
        (status = 202, description = "The plan goes on", body = Plan),
        Refusals, BodyRefusals, ChangeRefusals
    )
)]
async fn apply(
    Provisioning { source, caller }: Provisioning,
    Query(query): Query<WaitQuery>,
    headers: HeaderMap,
    Json(mut request): Json<PlanRequest>,
) -> Result<Response, Problem> {
    let key = carry_out::key(&headers, request.key.take())?;
    let reviewed = request.reviewed;
    let mut plan = request.read()?;
    plan.key = key;
    let by = carry_out::by(&caller, plan.requested_by.as_deref());
    let mut submission = Submission { plan, by, operations: Vec::new(), undoes: None };
    source.settle().await?;
    if let Some(response) = carry_out::earlier(&source, &submission).await? {
        return Ok(response);
    }
    submission.operations = source.compile(&submission.plan).await?;
    if !reviewed && submission.operations.iter().any(|operation| operation.review) {
        return Err(unreviewed(submission.operations, &source));
    }
    carry_out::carry_out(&source, submission, query.wait).await
}

type PlanPage = Page<Plan>;

impl Listed for Plan {
    const PAGE: &'static str = "PlanPage";
    const ABOUT: &'static str = "A page of plans, the newest first.";
    const ITEMS: &'static str = "The plans.";
}

/// List plans.
///
/// Everything that was carried out in this source, whoever asked and through whichever door, the newest
/// first.
#[utoipa::path(
    get,
    path = "/sources/{source}/plans",
    operation_id = "listPlans",
    tag = "plans",
    params(OfSource, Paging),
    responses((status = 200, description = "A page of plans", body = PlanPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { after, limit, .. }: Listing<NoParameters, i64>,
) -> Answer<PlanPage> {
    let found = source.journal.plans_before(&source.name, after, limit).await?;
    let next = if found.len() == limit { found.last().map(|(_, first)| *first) } else { None };
    let mut items = Vec::with_capacity(found.len());
    for (id, _) in found {
        let records = source.journal.plan(&source.name, &id).await?;
        items.extend(Plan::of(&result_of(&id, &records), &records, &source));
    }
    Page::of(items, next.as_ref())
}

/// Show a plan: its operations, and how each of them ended.
#[utoipa::path(
    get,
    path = "/sources/{source}/plans/{plan}",
    operation_id = "getPlan",
    tag = "plans",
    params(OfSource, PlanPath),
    responses((status = 200, description = "The plan", body = Plan), Refusals)
)]
async fn get(
    Reading(source): Reading,
    Path(path): Path<PlanPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Answer<Plan> {
    Ok(JsonBody(stored(&source, &path.plan).await?))
}

/// A plan as the journal has it.
pub async fn stored(source: &Source, id: &str) -> Result<Plan, Problem> {
    let records = source.journal.plan(&source.name, id).await?;
    Plan::of(&result_of(id, &records), &records, source)
        .ok_or_else(|| Problem::not_found(format!("There is no plan {id:?} in the journal.")))
}

/// Watch a plan.
///
/// Server-sent events: `operation` for each operation that has an end, those that ended before included,
/// and then `end` with the whole plan. Who is cut off may simply watch again.
#[utoipa::path(
    get,
    path = "/sources/{source}/plans/{plan}/progress",
    operation_id = "watchPlan",
    tag = "plans",
    params(OfSource, PlanPath),
    responses(
        (status = 200, description = "Events: `operation` with an Operation, `end` with a Plan",
            content_type = "text/event-stream", body = ServerSentEvent),
        Refusals
    )
)]
async fn progress(
    State(gateway): State<Gateway>,
    Reading(source): Reading,
    Path(path): Path<PlanPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let first = stored(&source, &path.plan).await?;
    let stopping = gateway.life.stopping.clone();
    let begin = (Some(first), Vec::<u32>::new(), false);
    let events = stream::unfold(begin, move |(mut known, mut told, over)| {
        let (source, stopping, id) = (source.clone(), stopping.clone(), path.plan.clone());
        async move {
            if over {
                return None;
            }
            loop {
                let plan = match known.take() {
                    Some(plan) => plan,
                    None => stored(&source, &id).await.ok()?,
                };
                let ended = |o: &&Operation| o.outcome.is_some() && !told.contains(&o.number);
                if let Some(operation) = plan.operations.iter().find(ended).cloned() {
                    told.push(operation.number);
                    return Some((event("operation", &operation), (Some(plan), told, false)));
                }
                if plan.state != PlanState::UnderWay {
                    return Some((event("end", &plan), (None, told, true)));
                }
                tokio::select! {
                    () = tokio::time::sleep(LOOK) => {}
                    () = stopping.cancelled() => return None,
                }
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// One server-sent event.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes an event; never made")]
pub struct ServerSentEvent {
    /// What kind of event it is.
    pub event: String,
    /// JSON, as the operation describes it for this kind of event.
    pub data: String,
}

/// An event with JSON in it.
pub fn event(name: &str, data: &impl Serialize) -> Result<Event, Infallible> {
    let data = serde_json::to_string(data).unwrap_or_default();
    Ok(Event::default().event(name).data(data))
}
