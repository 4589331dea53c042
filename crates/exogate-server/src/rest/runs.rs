//! Runs: aggregations started, watched and stopped, and those that were.

use std::convert::Infallible;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use exogate_engine::aggregate::Scope;
use exogate_engine::delta;
use exogate_store::{RunRecord, RunState as StoredState};
use futures::stream::{self, Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Administering, Answer, Json, NoParameters, Path, Query, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::page;
use super::params::{OfSource, RunPath};
use super::plans::{ServerSentEvent, event};
use super::problem::{self, Problem};
use super::refusals::{BodyRefusals, Refusals};
use crate::gateway::{Gateway, Source};
use crate::runs::{ActiveRun, RunKind, RunProgress as Progress, RunStart, RunStartError};

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(list, start))
        .routes(routes!(get))
        .routes(routes!(progress))
        .routes(routes!(cancel))
}

/// What a run reads.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RunScope {
    /// Accounts with everything that is shown on them.
    Accounts,
    /// Groups with members and owners.
    Groups,
    /// Shared mailboxes with the rights on them.
    Entitlements,
    /// Everything.
    #[default]
    All,
}

impl From<RunScope> for Scope {
    fn from(scope: RunScope) -> Self {
        match scope {
            RunScope::Accounts => Self::Accounts,
            RunScope::Groups => Self::Groups,
            RunScope::Entitlements => Self::Entitlements,
            RunScope::All => Self::All,
        }
    }
}

/// A run to be started.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RunRequest {
    /// What to read.
    #[serde(default)]
    #[schema(default = "all")]
    scope: RunScope,
    /// Whether everything is read, or what is different. Where nothing was read completely before, everything is.
    #[serde(default)]
    #[schema(default = "full")]
    kind: RunKind,
    /// Begin anew even if an interrupted run could go on.
    #[serde(default)]
    fresh: bool,
    /// Delete what is gone even if it is more than the deletion guard of the source allows.
    #[serde(default)]
    allow_deletions: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RunState {
    /// Under way, or cut off: see `alive`.
    Running,
    /// Everything was read.
    Completed,
    /// A part was not; the next run goes on.
    Incomplete,
    /// It could not go on; the next run does.
    Failed,
    /// It was stopped; the next run goes on.
    Stopped,
}

impl From<StoredState> for RunState {
    fn from(state: StoredState) -> Self {
        match state {
            StoredState::Running => Self::Running,
            StoredState::Completed => Self::Completed,
            StoredState::Incomplete => Self::Incomplete,
            StoredState::Failed => Self::Failed,
            StoredState::Stopped => Self::Stopped,
        }
    }
}

/// What became of one of the streams that a run reads.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StreamResult {
    /// Its name.
    name: String,
    /// Whether it was read to its end.
    complete: bool,
    /// Pages read.
    pages: u64,
    /// Objects read.
    objects: u64,
    /// Why it did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One aggregation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id.
    id: Uuid,
    /// What it read: `accounts`, `groups`, `entitlements` or `all`.
    scope: String,
    /// Whether it read everything, or what was different.
    kind: RunKind,
    /// Where it stands.
    state: RunState,
    /// Whether a process holds it now.
    alive: bool,
    /// When it began.
    started: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Timestamp>,
    /// Who started it.
    by: String,
    /// How often it was taken up again.
    resumed: u32,
    /// New objects, memberships and grants.
    created: u64,
    /// Those that were known and differ.
    changed: u64,
    /// Those that were known and do not differ.
    unchanged: u64,
    /// Those that were gone.
    deleted: u64,
    /// Entries it made in the feed of changes.
    changes: u64,
    /// What became of each stream.
    streams: Vec<StreamResult>,
    /// Fallbacks used, why it stopped, and the like.
    notes: Vec<String>,
}

impl From<RunRecord> for Run {
    fn from(record: RunRecord) -> Self {
        let (scope, kind) = match delta::scope_of(&record.scope) {
            Some(scope) => (scope.to_owned(), RunKind::Delta),
            None => (record.scope, RunKind::Full),
        };
        Self {
            id: record.id,
            scope,
            kind,
            state: record.state.into(),
            alive: record.alive,
            started: record.started,
            finished: record.finished,
            by: record.holder.who,
            resumed: record.resumed,
            created: record.outcome.created,
            changed: record.outcome.changed,
            unchanged: record.outcome.unchanged,
            deleted: record.deleted,
            changes: record.changes,
            streams: record
                .streams
                .into_iter()
                .map(|stream| StreamResult {
                    name: stream.stream,
                    complete: stream.complete,
                    pages: stream.pages,
                    objects: stream.objects,
                    error: stream.error,
                })
                .collect(),
            notes: record.notes,
        }
    }
}

type RunPage = Page<Run>;

impl Listed for Run {
    const PAGE: &'static str = "RunPage";
    const ABOUT: &'static str = "A page of runs, the newest first.";
    const ITEMS: &'static str = "The runs.";
}

/// List runs, the newest first.
#[utoipa::path(
    get,
    path = "/sources/{source}/runs",
    operation_id = "listRuns",
    tag = "runs",
    params(OfSource, Paging),
    responses((status = 200, description = "A page of runs", body = RunPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { after: before, limit, .. }: Listing<NoParameters, Uuid>,
) -> Answer<RunPage> {
    if let Some(id) = before
        && source.store.run(id).await?.is_none()
    {
        return Err(page::foreign());
    }
    // One more tells whether there is a next page.
    let mut records = source.store.runs_before(before, limit + 1).await?;
    let goes_on = records.len() > limit;
    records.truncate(limit);
    let last = records.last().filter(|_| goes_on).map(|record| record.id);
    Page::of(records.into_iter().map(Run::from), last.as_ref())
}

/// Start a run.
///
/// The answer comes as soon as it has begun; watch it to hear how far it is. Of one source there is never
/// more than one run at once.
#[utoipa::path(
    post,
    path = "/sources/{source}/runs",
    operation_id = "startRun",
    tag = "runs",
    params(OfSource),
    request_body = RunRequest,
    responses((status = 202, description = "The run has begun", body = Run), Refusals, BodyRefusals)
)]
async fn start(
    State(gateway): State<Gateway>,
    Administering { source, caller }: Administering,
    Query(NoParameters {}): Query<NoParameters>,
    Json(request): Json<RunRequest>,
) -> Result<Response, Problem> {
    let start = RunStart {
        scope: request.scope.into(),
        kind: request.kind,
        by: caller.name,
        fresh: request.fresh,
        allow_deletions: request.allow_deletions,
    };
    let run = gateway.runs.start(&source, start).await.map_err(not_started)?;
    let Some(id) = run.id() else { return Err(Problem::internal()) };
    began(&source, id).await
}

fn not_started(error: RunStartError) -> Problem {
    if error.is_busy() {
        let detail = "A run of this source is under way; watch it, or cancel it first.";
        return Problem::of_status(StatusCode::CONFLICT, detail);
    }
    match error {
        RunStartError::Stopping => Problem::of_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is stopping; no run begins any more.",
        ),
        other => {
            problem::logged(&other);
            Problem::internal()
        }
    }
}

async fn began(source: &Source, id: Uuid) -> Result<Response, Problem> {
    let record = source.store.run(id).await?.ok_or_else(Problem::internal)?;
    let mut response = (StatusCode::ACCEPTED, JsonBody(Run::from(record))).into_response();
    let location = format!("{}/sources/{}/runs/{id}", super::MOUNT, source.name);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn record(source: &Source, id: &str) -> Result<RunRecord, Problem> {
    let found = match id.parse::<Uuid>() {
        Ok(id) => source.store.run(id).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Problem::not_found(format!("There is no run {id:?} of this source.")))
}

/// The run of this id, if this service carries it out or was the last to do so.
fn ours(gateway: &Gateway, source: &Source, id: Uuid) -> Option<ActiveRun> {
    let runs = [gateway.runs.active(&source.name), gateway.runs.last(&source.name)];
    runs.into_iter().flatten().find(|run| run.id() == Some(id))
}

/// Show a run.
#[utoipa::path(
    get,
    path = "/sources/{source}/runs/{run}",
    operation_id = "getRun",
    tag = "runs",
    params(OfSource, RunPath),
    responses((status = 200, description = "The run", body = Run), Refusals)
)]
async fn get(
    Reading(source): Reading,
    Path(path): Path<RunPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Answer<Run> {
    Ok(JsonBody(record(&source, &path.run).await?.into()))
}

/// How far a stream of a run is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StreamProgress {
    /// Its name.
    name: String,
    /// `waiting`, `reading`, `complete` or `failed`.
    state: String,
    /// Objects read.
    objects: u64,
    /// How many there will be, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    /// Pages read.
    pages: u64,
    /// The last thing worth saying about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// How far a run is: the data of the event `progress`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunProgress {
    /// `starting`, `reading`, `resolving`, `finishing` or `done`.
    stage: String,
    /// The streams that take part.
    streams: Vec<StreamProgress>,
    /// How it ended: `completed`, `incomplete`, `failed`, `stopped` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<String>,
}

impl From<Progress> for RunProgress {
    fn from(progress: Progress) -> Self {
        Self {
            stage: progress.stage.to_owned(),
            streams: progress
                .streams
                .into_iter()
                .map(|stream| StreamProgress {
                    name: stream.name.to_owned(),
                    state: stream.state.to_owned(),
                    objects: stream.objects,
                    total: stream.total,
                    pages: stream.pages,
                    note: stream.note,
                })
                .collect(),
            outcome: progress.outcome.map(str::to_owned),
        }
    }
}

/// Watch a run.
///
/// Server-sent events: `progress` each time something changed, and then `end` with the run. A run that
/// this service does not carry out has the event `end` alone.
#[utoipa::path(
    get,
    path = "/sources/{source}/runs/{run}/progress",
    operation_id = "watchRun",
    tag = "runs",
    params(OfSource, RunPath),
    responses(
        (status = 200, description = "Events: `progress` with a RunProgress, `end` with a Run",
            content_type = "text/event-stream", body = ServerSentEvent),
        Refusals
    )
)]
async fn progress(
    State(gateway): State<Gateway>,
    Reading(source): Reading,
    Path(path): Path<RunPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = record(&source, &path.run).await?.id;
    let updates = match ours(&gateway, &source, id) {
        Some(run) => run.updates().map(|update| event("progress", &RunProgress::from(update))).left_stream(),
        None => stream::empty().right_stream(),
    };
    let end = stream::once(async move { source.store.run(id).await.ok().flatten() })
        .filter_map(|record| async move { record.map(|record| event("end", &Run::from(record))) });
    Ok(Sse::new(updates.chain(end)).keep_alive(KeepAlive::default()))
}

/// Stop a run.
///
/// It ends at its next checkpoints; what was read is kept, and the next run goes on from there.
#[utoipa::path(
    post,
    path = "/sources/{source}/runs/{run}/cancel",
    operation_id = "cancelRun",
    tag = "runs",
    params(OfSource, RunPath),
    responses((status = 202, description = "It is being stopped", body = Run), Refusals)
)]
async fn cancel(
    State(gateway): State<Gateway>,
    Administering { source, .. }: Administering,
    Path(path): Path<RunPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Response, Problem> {
    let id = record(&source, &path.run).await?.id;
    match gateway.runs.active(&source.name).filter(|run| run.id() == Some(id)) {
        Some(run) => {
            run.cancel();
            began(&source, id).await
        }
        None => {
            Err(Problem::of_status(StatusCode::CONFLICT, "This service does not carry out that run now."))
        }
    }
}
