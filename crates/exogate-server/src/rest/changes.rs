//! The feed of changes: page by page, with patience, and as a stream.
//!
//! A cursor says which changes a consumer has taken. Changes are kept for a time only; one who asks for
//! what is no longer kept is told so (410), and where to go on after reading the whole state.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use exogate_engine::changes::Filter;
use exogate_model::change::ObjectKind;
use exogate_store::{ChangeRecord, Feed};
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::change::{Change, ChangedObject};
use super::extract::{Answer, Query, Reading};
use super::page::{Bounded, Limit, Text};
use super::params::OfSource;
use super::problem::Problem;
use super::refusals::Refusals;
use crate::gateway::{Gateway, Source};

/// How often one who waits looks.
const LOOK: Duration = Duration::from_millis(500);
/// After how long a stream without changes says that it lives.
const ALIVE: Duration = Duration::from_secs(20);
/// Changes read at once by a stream.
const BATCH: usize = 500;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(follow))
}

/// A page of the feed of changes.
#[derive(Serialize, ToSchema)]
struct ChangePage {
    /// The changes after the cursor, oldest first; of those read, the ones asked for.
    items: Vec<Change>,
    /// Send this as `cursor` to go on; the same as before where nothing happened.
    next: String,
    /// Whether there are more at once.
    more: bool,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Where to go on: `next` of the page before, or `latest` for what happens from now on. Left out: from
    /// the oldest change that is kept.
    #[param(value_type = Option<String>, min_length = 1)]
    cursor: Option<Text>,
    /// How many to read at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// How many seconds to wait for a change where there is none yet.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 60, default = 0)]
    wait: Bounded<0, 60, 0>,
    /// Only changes of objects of this kind.
    #[param(inline)]
    object: Option<ChangedObject>,
    /// Only changes of the object with this id.
    #[param(value_type = Option<String>, min_length = 1)]
    id: Option<Text>,
    /// Only changes that somebody made: a part of a user, application or plan; or `ours`, `outside`, `unknown`.
    #[param(value_type = Option<String>, min_length = 1)]
    by: Option<Text>,
    /// Only rights that were given in Exchange and not by exogate.
    #[serde(default)]
    #[param(value_type = Option<bool>, default = false)]
    outside: bool,
}

/// Read the feed of changes.
///
/// What happened after a cursor, oldest first; with `wait`, as soon as something happens. A cursor that
/// lies before what is still kept, or is none of this feed, is answered by 410: then read the whole state,
/// and go on from the cursor in `detail`.
#[utoipa::path(
    get,
    path = "/sources/{source}/changes",
    operation_id = "listChanges",
    tag = "changes",
    params(OfSource, ListQuery),
    responses(
        (status = 200, description = "A page of the feed", body = ChangePage),
        (status = 410, description = "What comes after the cursor is no longer kept", body = Problem,
            content_type = "application/problem+json"),
        Refusals
    )
)]
async fn list(
    State(gateway): State<Gateway>,
    Reading(source): Reading,
    Query(query): Query<ListQuery>,
) -> Answer<ChangePage> {
    let wanted = wanted(query.object, query.id, query.by, query.outside);
    let (wait, limit) = (Duration::from_secs(query.wait.get().into()), query.limit.get().into());
    let begin = Instant::now();
    let mut after = place(&source, query.cursor.as_ref()).await?;
    loop {
        let records = read(&source, after, limit).await?;
        let more = records.len() == limit;
        after = records.last().map_or(after, |last| last.sequence);
        let items: Vec<Change> =
            records.into_iter().filter(|record| wanted.admits(record)).map(Change::from).collect();
        let waited = begin.elapsed() >= wait || gateway.life.stopping.is_cancelled();
        if !items.is_empty() || more || waited {
            return Ok(Json(ChangePage { items, next: after.to_string(), more }));
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FollowQuery {
    /// Where to go on: `cursor` of the last change taken, or `latest` for what happens from now on. Left
    /// out: from the oldest change that is kept.
    #[param(value_type = Option<String>, min_length = 1)]
    cursor: Option<Text>,
    /// Go on with what happens from now on, instead of ending where the feed ends.
    #[serde(default)]
    #[param(value_type = Option<bool>, default = false)]
    follow: bool,
    /// Only changes of objects of this kind.
    #[param(inline)]
    object: Option<ChangedObject>,
    /// Only changes of the object with this id.
    #[param(value_type = Option<String>, min_length = 1)]
    id: Option<Text>,
    /// Only changes that somebody made: a part of a user, application or plan; or `ours`, `outside`, `unknown`.
    #[param(value_type = Option<String>, min_length = 1)]
    by: Option<Text>,
    /// Only rights that were given in Exchange and not by exogate.
    #[serde(default)]
    #[param(value_type = Option<bool>, default = false)]
    outside: bool,
}

/// Stream the feed of changes.
///
/// One change (as in a page of the feed) per line. While nothing happens, an empty line comes every twenty
/// seconds. A stream that ends was cut off, or the service stops: go on with the cursor of the last change.
#[utoipa::path(
    get,
    path = "/sources/{source}/changes/stream",
    operation_id = "followChanges",
    tag = "changes",
    params(OfSource, FollowQuery),
    responses(
        (status = 200, description = "Changes, each a line of JSON", content_type = "application/x-ndjson",
            body = String),
        (status = 410, description = "What comes after the cursor is no longer kept", body = Problem,
            content_type = "application/problem+json"),
        Refusals
    )
)]
async fn follow(
    State(gateway): State<Gateway>,
    Reading(source): Reading,
    Query(query): Query<FollowQuery>,
) -> Result<Response, Problem> {
    let wanted = wanted(query.object, query.id, query.by, query.outside);
    let after = place(&source, query.cursor.as_ref()).await?;
    // The first look decides about the status.
    let first = read(&source, after, BATCH).await?;
    let following = Following {
        source,
        wanted,
        after,
        follow: query.follow,
        stopping: gateway.life.stopping.clone(),
        read: Some(first),
        lines: VecDeque::new(),
    };
    let lines = stream::unfold(following, |mut following| async move {
        let line = following.next().await?;
        Some((line, following))
    });
    let mut response = Response::new(Body::from_stream(lines));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// A stream under way.
struct Following {
    source: Arc<Source>,
    wanted: Filter,
    after: i64,
    follow: bool,
    stopping: CancellationToken,
    read: Option<Vec<ChangeRecord>>,
    lines: VecDeque<Bytes>,
}

impl Following {
    /// The next line, or the end.
    async fn next(&mut self) -> Option<Result<Bytes, std::io::Error>> {
        let mut silent = Instant::now();
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(Ok(line));
            }
            let records = match self.read.take() {
                Some(records) => records,
                // A consumer that is too slow for what is kept learns it when it comes again.
                None => match read(&self.source, self.after, BATCH).await {
                    Ok(records) => records,
                    Err(_) => return Some(Err(std::io::Error::other("the feed of changes ended"))),
                },
            };
            let Some(last) = records.last() else {
                if !self.follow || self.stopping.is_cancelled() {
                    return None;
                }
                if silent.elapsed() >= ALIVE {
                    return Some(Ok(Bytes::from_static(b"\n")));
                }
                tokio::time::sleep(LOOK).await;
                continue;
            };
            self.after = last.sequence;
            silent = Instant::now();
            let wanted = records.into_iter().filter(|record| self.wanted.admits(record));
            self.lines.extend(wanted.map(Change::from).filter_map(|change| line(&change)));
        }
    }
}

fn line(change: &Change) -> Option<Bytes> {
    let mut line = serde_json::to_vec(change).ok()?;
    line.push(b'\n');
    Some(line.into())
}

/// What a consumer asks for.
fn wanted(object: Option<ChangedObject>, id: Option<Text>, by: Option<Text>, outside: bool) -> Filter {
    Filter {
        objects: object.into_iter().map(ObjectKind::from).collect(),
        ids: id.map(|id| [id.0.to_lowercase()].into()),
        what: Vec::new(),
        by: by.map(|by| by.0),
        outside,
    }
}

/// The place that a cursor stands for.
async fn place(source: &Source, cursor: Option<&Text>) -> Result<i64, Problem> {
    let Some(Text(cursor)) = cursor else { return oldest(source).await };
    if cursor == "latest" {
        return Ok(source.store.feed_end().await?);
    }
    let place = cursor.parse::<i64>().ok().filter(|place| *place >= 0);
    let place = place.ok_or_else(|| {
        Problem::unprocessable(
            "`cursor` is not one of this feed: send `next` of the page before, or `latest`.",
        )
    })?;
    let end = source.store.feed_end().await?;
    // Another store, or one restored from a backup: whoever has seen more cannot go on here.
    if place > end { Err(gone(end)) } else { Ok(place) }
}

/// The place before the oldest change that is kept.
async fn oldest(source: &Source) -> Result<i64, Problem> {
    match source.store.feed(0, 1).await? {
        Feed::Changes(_) => Ok(0),
        Feed::StartOver { .. } => {
            let first = source.store.changes(0, 1).await?;
            match first.first() {
                Some(first) => Ok(first.sequence - 1),
                None => Ok(source.store.feed_end().await?),
            }
        }
    }
}

async fn read(source: &Source, after: i64, limit: usize) -> Result<Vec<ChangeRecord>, Problem> {
    match source.store.feed(after, limit).await? {
        Feed::Changes(records) => Ok(records),
        Feed::StartOver { cursor } => Err(gone(cursor)),
    }
}

fn gone(end: i64) -> Problem {
    Problem::of_status(
        StatusCode::GONE,
        format!(
            "The feed cannot go on from this cursor: what comes after it is no longer kept. Read the accounts, groups \
             and mailboxes anew, then go on with the cursor \"{end}\"."
        ),
    )
}
