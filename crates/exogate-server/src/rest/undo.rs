//! Back to what was: undoing plans and operations, and putting the rights on a mailbox back as they were.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use exogate_engine::provision::{Submission, restore};
use exogate_model::plan::Plan as ModelPlan;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::openapi::response::{Response as ApiResponse, ResponseBuilder};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{IntoResponses, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::carry_out::{self, WaitQuery};
use super::extract::{Json, Path, Provisioning, Query};
use super::operation::Plan;
use super::params::{KeyHeader, MailboxPath, OfSource, OperationPath, PlanPath};
use super::plans::{Compiled, unreviewed};
use super::problem::{Problem, Refused};
use super::refusals::{BodyRefusals, ChangeRefusals, Refusals};
use crate::caller::Caller;
use crate::gateway::{Gateway, Source};

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(undo_plan))
        .routes(routes!(undo_operation))
        .routes(routes!(restore_mailbox))
}

/// Whether a request of this route with this body wants to see no more than what an undoing would do. One
/// that cannot be read wants nothing of the kind.
pub fn only_shows(route: &str, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        dry_run: bool,
    }
    (route.ends_with("/undo") || route.ends_with("/restore"))
        && serde_json::from_slice::<Asked>(body).is_ok_and(|asked| asked.dry_run)
}

/// How to undo.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UndoRequest {
    /// Show what would be done, and do nothing.
    #[serde(default)]
    dry_run: bool,
    /// Whether somebody has confirmed what the policy wants reviewed.
    #[serde(default)]
    reviewed: bool,
    /// On whose behalf, for the journal.
    #[serde(default)]
    requested_by: Option<String>,
}

/// How to put rights back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RestoreRequest {
    /// The time that the rights are to be as of.
    #[schema(value_type = String, format = DateTime)]
    at: String,
    /// Show what would be done, and do nothing.
    #[serde(default)]
    dry_run: bool,
    /// Whether somebody has confirmed what the policy wants reviewed.
    #[serde(default)]
    reviewed: bool,
    /// On whose behalf, for the journal.
    #[serde(default)]
    requested_by: Option<String>,
}

/// What an undoing gives: with `dryRun` what would be done, otherwise the plan that does it.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes an answer; never made")]
enum PlanOrCompiled {
    Plan(Plan),
    Compiled(Compiled),
}

/// Every answer of an undoing.
struct Undone;

impl IntoResponses for Undone {
    fn responses() -> BTreeMap<String, RefOr<ApiResponse>> {
        let json = |description: &str, schema: RefOr<Schema>| {
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response =
                ResponseBuilder::new().description(description).content("application/json", content);
            RefOr::T(response.build())
        };
        let mut all = Refusals::responses();
        all.extend(BodyRefusals::responses());
        all.extend(ChangeRefusals::responses());
        let ended = json("What would be done, or the plan that did it", PlanOrCompiled::schema());
        let going_on = json("The plan goes on", RefOr::Ref(Ref::from_schema_name(Plan::name())));
        all.extend([("200".to_owned(), ended), ("202".to_owned(), going_on)]);
        all
    }
}

/// What is left to do with operations that are compiled.
struct Asked {
    plan: ModelPlan,
    undoes: Option<String>,
    left_out: Vec<String>,
    options: UndoRequest,
    wait: WaitQuery,
}

/// Shows or carries out.
async fn finish(
    source: &Source,
    caller: &Caller,
    operations: Vec<exogate_model::operation::Operation>,
    asked: Asked,
) -> Result<Response, Problem> {
    let Asked { plan, undoes, left_out, options, wait } = asked;
    if options.dry_run {
        return Ok(axum::Json(Compiled::of(&operations, left_out, source)).into_response());
    }
    if operations.is_empty() {
        let mut problem = Problem::unprocessable("There is nothing to do; `errors` says why.");
        let why = |detail: String| Refused { of: undoes.clone().unwrap_or_default(), detail };
        problem.errors = left_out.into_iter().map(why).collect();
        return Err(problem);
    }
    if !options.reviewed && operations.iter().any(|operation| operation.review) {
        return Err(unreviewed(operations, source));
    }
    let by = carry_out::by(caller, options.requested_by.as_deref());
    let submission = Submission { plan, by, operations, undoes };
    carry_out::carry_out(source, submission, wait.wait).await
}

async fn undo(
    source: &Source,
    caller: &Caller,
    id: String,
    headers: &HeaderMap,
    options: UndoRequest,
    wait: WaitQuery,
) -> Result<Response, Problem> {
    let key = carry_out::key(headers, None)?;
    source.settle().await?;
    let plan = ModelPlan { key, requested_by: options.requested_by.clone(), ..ModelPlan::default() };
    if !options.dry_run {
        let by = carry_out::by(caller, options.requested_by.as_deref());
        let submission =
            Submission { plan: plan.clone(), by, operations: Vec::new(), undoes: Some(id.clone()) };
        if let Some(response) = carry_out::earlier(source, &submission).await? {
            return Ok(response);
        }
    }
    let undo = source.provisioner.undo(&id).await?;
    let asked = Asked { plan, undoes: Some(id), left_out: undo.left_out, options, wait };
    finish(source, caller, undo.operations, asked).await
}

/// Undo a plan.
///
/// Its operations are undone from what was there before, the last one first. What changed nothing, and
/// what cannot be undone, is left out and told. The undoing is a plan of its own.
#[utoipa::path(
    post,
    path = "/sources/{source}/plans/{plan}/undo",
    operation_id = "undoPlan",
    tag = "plans",
    params(OfSource, PlanPath, KeyHeader, WaitQuery),
    request_body = UndoRequest,
    responses(Undone)
)]
async fn undo_plan(
    Provisioning { source, caller }: Provisioning,
    Path(path): Path<PlanPath>,
    Query(wait): Query<WaitQuery>,
    headers: HeaderMap,
    Json(options): Json<UndoRequest>,
) -> Result<Response, Problem> {
    undo(&source, &caller, path.plan, &headers, options, wait).await
}

/// Undo one operation.
#[utoipa::path(
    post,
    path = "/sources/{source}/operations/{operation}/undo",
    operation_id = "undoOperation",
    tag = "operations",
    params(OfSource, OperationPath, KeyHeader, WaitQuery),
    request_body = UndoRequest,
    responses(Undone)
)]
async fn undo_operation(
    Provisioning { source, caller }: Provisioning,
    Path(path): Path<OperationPath>,
    Query(wait): Query<WaitQuery>,
    headers: HeaderMap,
    Json(options): Json<UndoRequest>,
) -> Result<Response, Problem> {
    if !path.operation.contains('.') {
        let detail = format!("There is no operation {:?} in the journal.", path.operation);
        return Err(Problem::not_found(detail));
    }
    undo(&source, &caller, path.operation, &headers, options, wait).await
}

/// Put the rights on a mailbox back as they were.
///
/// The feed of changes is read backwards from what is known today to the time asked for.
#[utoipa::path(
    post,
    path = "/sources/{source}/mailboxes/{mailbox}/restore",
    operation_id = "restoreMailbox",
    tag = "mailboxes",
    params(OfSource, MailboxPath, KeyHeader, WaitQuery),
    request_body = RestoreRequest,
    responses(Undone)
)]
async fn restore_mailbox(
    State(gateway): State<Gateway>,
    Provisioning { source, caller }: Provisioning,
    Path(path): Path<MailboxPath>,
    Query(wait): Query<WaitQuery>,
    headers: HeaderMap,
    Json(request): Json<RestoreRequest>,
) -> Result<Response, Problem> {
    let at: Timestamp = request
        .at
        .parse()
        .map_err(|_| Problem::unprocessable("`at` is not an instant such as 2026-11-20T08:00:00Z."))?;
    let key = carry_out::key(&headers, None)?;
    let RestoreRequest { dry_run, reviewed, requested_by, .. } = request;
    let mut plan = restore(&source.store, &path.mailbox, at, gateway.clock.now()).await?;
    plan.key = key;
    plan.requested_by.clone_from(&requested_by);
    let options = UndoRequest { dry_run, reviewed, requested_by };
    let left_out = match plan.is_empty() {
        true => vec![format!("the rights on {:?} are as they were", path.mailbox)],
        false => Vec::new(),
    };
    let operations = source.compile(&plan).await?;
    finish(&source, &caller, operations, Asked { plan, undoes: None, left_out, options, wait }).await
}
