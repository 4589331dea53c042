//! From a compiled plan to an answer: carried out in the background, waited for as long as the caller
//! likes, and never twice under one key.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use exogate_engine::provision::{Observer, PlanResult, Step, Submission, result_of};
use exogate_model::operation::{Entry, Outcome};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use uuid::Uuid;

use super::operation::Plan;
use super::page::Bounded;
use super::problem::Problem;
use crate::caller::Caller;
use crate::gateway::Source;

/// The header of the idempotency key.
const KEY: &str = "idempotency-key";
/// The longest key.
const LONGEST_KEY: usize = 255;

/// How many seconds to wait for the end of a plan.
pub type Wait = Bounded<0, 300, 30>;

#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// How many seconds to wait for the end. A plan that takes longer is answered by 202 and goes on.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 300, default = 30)]
    pub wait: Wait,
}

/// The idempotency key of a request: from the header, or from the body.
pub fn key(headers: &HeaderMap, body: Option<String>) -> Result<Option<String>, Problem> {
    let header = match headers.get(KEY).map(HeaderValue::as_bytes) {
        None => None,
        Some(key) if is_key(key) => Some(String::from_utf8_lossy(key).into_owned()),
        Some(_) => return Err(bad_key("Idempotency-Key")),
    };
    if body.as_ref().is_some_and(|key| !is_key(key.as_bytes())) {
        return Err(bad_key("`key`"));
    }
    match (header, body) {
        (Some(header), Some(body)) if header != body => Err(Problem::unprocessable(
            "The header Idempotency-Key and `key` in the body differ: send one of them.",
        )),
        (header, body) => Ok(header.or(body)),
    }
}

fn is_key(key: &[u8]) -> bool {
    (1..=LONGEST_KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

fn bad_key(what: &str) -> Problem {
    Problem::malformed(format!(
        "{what}: send 1 to {LONGEST_KEY} printable characters of ASCII without blanks."
    ))
}

/// Who asks, for the journal: the credential, and whom it says it acts for.
pub fn by(caller: &Caller, requested_by: Option<&str>) -> String {
    match requested_by {
        Some(other) if !other.is_empty() => format!("{} for {other}", caller.name),
        _ => caller.name.clone(),
    }
}

/// Says when a plan stands in the journal.
struct Accepted(watch::Sender<bool>);

impl Observer for Accepted {
    fn reached(&self, step: Step) -> BoxFuture<'_, ()> {
        if step == Step::Accepted {
            self.0.send_replace(true);
        }
        Box::pin(std::future::ready(()))
    }

    fn ended(&self, _: u32, _: &Outcome) {}
}

/// The result of an earlier request that asked for the same under the same key, if it ended well.
pub async fn earlier(source: &Source, submission: &Submission) -> Result<Option<Response>, Problem> {
    let Some(key) = &submission.plan.key else { return Ok(None) };
    if let Some(id) = source.journal.by_key(&source.name, key).await? {
        let records = source.journal.plan(&source.name, &id).await?;
        let same = records.iter().any(
            |record| matches!(&record.entry, Entry::Accepted { undoes, .. } if *undoes == submission.undoes),
        );
        if !same {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "The key stands for another request",
                format!(
                    "The key {key:?} was used for another request (plan {id}); choose a new key for a new request."
                ),
            ));
        }
    }
    match source.provisioner.earlier(&submission.plan).await? {
        Some(result) => Ok(Some(answer(source, &result, StatusCode::OK).await?)),
        None => Ok(None),
    }
}

/// Carries out what is compiled and reviewed, and answers when it has ended or the wait has.
pub async fn carry_out(source: &Source, mut submission: Submission, wait: Wait) -> Result<Response, Problem> {
    let key = submission.plan.key.get_or_insert_with(|| Uuid::new_v4().to_string()).clone();
    let accepted = watch::Sender::new(false);
    let mut told = accepted.subscribe();
    let submitting = source.submit(submission, Arc::new(Accepted(accepted)), CancellationToken::new());
    let patience = async {
        tokio::time::sleep(Duration::from_secs(wait.get().into())).await;
        // No id can be told before the plan stands in the journal.
        if told.wait_for(|accepted| *accepted).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = submitting => answer(source, &result?, StatusCode::OK).await,
        () = patience => {
            let Some(id) = source.journal.by_key(&source.name, &key).await? else { return Err(Problem::internal()) };
            let records = source.journal.plan(&source.name, &id).await?;
            answer(source, &result_of(&id, &records), StatusCode::ACCEPTED).await
        }
    }
}

async fn answer(source: &Source, result: &PlanResult, status: StatusCode) -> Result<Response, Problem> {
    let records = source.journal.plan(&source.name, &result.plan).await?;
    let plan = Plan::of(result, &records, source).ok_or_else(Problem::internal)?;
    let location = format!("{}/sources/{}/plans/{}", super::MOUNT, source.name, plan.id);
    let mut response = (status, axum::Json(plan)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
