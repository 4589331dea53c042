//! Delta queries over users, groups and contacts: the first sweep page by page, then rounds of what changed,
//! with the oddities that a scenario asks for.

mod round;
mod sweep;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::GraphError;
use super::knobs::DeltaExpiry;
use super::odata::filter::{self, Expr, Literal, Op, Path};
use super::permission::Act;
use super::query::{self, Column, Set, slot};
use super::render::finish;
use super::scene::Scene;
use super::schema::Type;
use super::token;
use crate::clock::Time;
use crate::state::State;

/// The tracked set, as links carry it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tracked {
    /// `$select`; `None` for the default set.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    select: Option<Vec<String>>,
    /// The ids of `$filter`.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<Uuid>>,
    /// `Prefer: return=minimal`
    #[serde(rename = "m", default)]
    minimal: bool,
}

/// Where a delta goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// In the first sweep.
    Sweep,
    /// Inside a round.
    Round,
    /// A round is to begin: a deltaLink.
    Link,
}

/// A token of a nextLink or deltaLink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    #[serde(rename = "k")]
    kind: u8,
    #[serde(rename = "f")]
    phase: Phase,
    /// The change from which the next round counts (sweep) or this one does (round, link).
    #[serde(rename = "a")]
    since: u64,
    /// The last change of this round.
    #[serde(rename = "b", default)]
    until: u64,
    /// Place of the next object (sweep) or its position in the round.
    #[serde(rename = "n", default)]
    at: u32,
    /// How many of its members have been told.
    #[serde(rename = "o", default)]
    members: u32,
    /// Whether the page that the token leads to was told before.
    #[serde(rename = "r", default)]
    again: bool,
    /// Number of the page that the token leads to.
    #[serde(rename = "p")]
    page: u32,
    /// When it was issued, in seconds.
    #[serde(rename = "t")]
    issued: i64,
    /// The moment whose state it was issued for, in milliseconds: no replica goes on from it with an older one.
    #[serde(rename = "v", default)]
    view: i64,
    #[serde(rename = "q")]
    tracked: Tracked,
}

/// What is told of each object.
struct Shape {
    kind: Type,
    columns: Vec<Column>,
    members: bool,
    owners: bool,
    manager: bool,
    context: String,
}

/// A page in the making.
struct Page {
    out: Vec<u8>,
    written: usize,
    /// Where the next page begins; `None` at the end.
    next: Option<(u32, u32)>,
}

/// Answers a delta query.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer(scene: &Scene<'_>, state: &State, call: &Call, kind: Type) -> Result<Answer, GraphError> {
    scene.require(&[match kind {
        Type::User => Act::ReadUsers,
        Type::Group => Act::ReadGroups,
        Type::Contact => Act::ReadContacts,
        Type::Principal => Act::ReadApps,
    }])?;
    let place = place(scene, state, call, kind)?;
    let scene = &Scene { view_at: Time::from_millis(place.view), ..*scene };
    let shape = shape(scene, call, kind, &place.tracked)?;
    if matches!(place.phase, Phase::Link) {
        return Ok(done(scene, call, &shape, &place, place.since, query_begin(&shape)));
    }
    let empty =
        scene.knobs.delta_empty_page_every > 0 && place.page % scene.knobs.delta_empty_page_every == 0;
    let mut page = Page { out: query_begin(&shape), written: 0, next: None };
    if empty {
        page.next = Some((place.at, place.members));
    } else if place.phase == Phase::Sweep {
        sweep::fill(scene, state, &shape, &place, &mut page);
    } else {
        round::fill(scene, state, &shape, &place, &mut page);
    }
    let repeats = scene.knobs.delta_repeat_page_every;
    // An empty page repeats nothing, and is no repetition.
    let again =
        if empty { place.again } else { repeats > 0 && !place.again && place.page.is_multiple_of(repeats) };
    match if again { Some((place.at, place.members)) } else { page.next } {
        Some((at, members)) => {
            let (page_number, issued) = (place.page + 1, scene.now.seconds());
            let mut next = Place { at, members, again, page: page_number, issued, ..place.clone() };
            if scene.knobs.delta_loop && place.page == 2 {
                next = Place { issued: scene.now.seconds(), ..place };
            }
            let link = link(call, kind, "$skiptoken", &token::seal(&next));
            finish(&mut page.out, Some(("@odata.nextLink", &link)));
            Ok(Answer::json(page.out))
        }
        None => {
            let since = if place.phase == Phase::Sweep { place.since } else { place.until };
            Ok(done(scene, call, &shape, &place, since, page.out))
        }
    }
}

fn query_begin(shape: &Shape) -> Vec<u8> {
    super::render::begin(&shape.context, None, 16 * 1024)
}

/// The last page of a sweep or round, with its deltaLink.
fn done(
    scene: &Scene<'_>,
    call: &Call,
    shape: &Shape,
    place: &Place,
    since: u64,
    mut out: Vec<u8>,
) -> Answer {
    let next = Place {
        phase: Phase::Link,
        since,
        until: 0,
        at: 0,
        members: 0,
        again: false,
        page: 1,
        issued: scene.now.seconds(),
        view: scene.view_at.millis(),
        ..place.clone()
    };
    let link = link(call, shape.kind, "$deltatoken", &token::seal(&next));
    finish(&mut out, Some(("@odata.deltaLink", &link)));
    Answer::json(out)
}

fn link(call: &Call, kind: Type, name: &str, token: &str) -> String {
    format!("{}/{}/delta?{name}={token}", call.base, kind.set())
}

fn place(scene: &Scene<'_>, state: &State, call: &Call, kind: Type) -> Result<Place, GraphError> {
    let number = slot(kind) as u8;
    let now = scene.now.seconds();
    let malformed = || GraphError::bad_request("Badly formed token.");
    let view = |token: i64| scene.view_at.millis().max(token);
    let seen = |view: i64| state.changes().last_visible(Time::from_millis(view));
    if let Some(text) = call.options.skiptoken.as_deref() {
        let place: Place =
            token::open(text).filter(|place: &Place| place.kind == number).ok_or_else(malformed)?;
        if scene.knobs.page_token_life_seconds.is_some_and(|life| now - place.issued > i64::from(life)) {
            return Err(GraphError::new(
                StatusCode::BAD_REQUEST,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            ));
        }
        if matches!(place.phase, Phase::Link) || !state.changes().reaches(place.since) {
            return Err(malformed());
        }
        return Ok(Place { view: view(place.view), ..place });
    }
    let fresh = |phase: Phase, tracked: Tracked| Place {
        kind: number,
        phase,
        since: seen(view(0)),
        until: 0,
        at: 0,
        members: 0,
        again: false,
        page: 1,
        issued: now,
        view: view(0),
        tracked,
    };
    match call.options.deltatoken.as_deref().map(str::trim) {
        None | Some("") => Ok(fresh(Phase::Sweep, tracked(call)?)),
        Some(latest) if latest.eq_ignore_ascii_case("latest") => Ok(fresh(Phase::Link, tracked(call)?)),
        Some(text) => {
            let place: Place = token::open(text)
                .filter(|place: &Place| place.kind == number && matches!(place.phase, Phase::Link))
                .ok_or_else(malformed)?;
            let old = now - place.issued > i64::from(scene.knobs.delta_token_life_seconds);
            if old || scene.knobs.delta_tokens_void || !state.changes().reaches(place.since) {
                return Err(expired(scene, call, kind, &place.tracked));
            }
            let since = place.since.saturating_sub(u64::from(scene.knobs.delta_replay));
            let since = if state.changes().reaches(since) { since } else { place.since };
            let view = view(place.view);
            let until = seen(view).max(place.since);
            Ok(Place { phase: Phase::Round, since, until, at: 0, page: 1, issued: now, view, ..place })
        }
    }
}

fn expired(scene: &Scene<'_>, call: &Call, kind: Type, tracked: &Tracked) -> GraphError {
    let text = "The sync state generation is not found. The delta token is expired and data must be synchronized again.";
    match scene.knobs.delta_expiry {
        DeltaExpiry::BadRequest => GraphError::new(StatusCode::BAD_REQUEST, "syncStateNotFound", text),
        DeltaExpiry::Gone => {
            let mut error = GraphError::new(StatusCode::GONE, "syncStateNotFound", text);
            let mut location = format!("{}/{}/delta?$deltatoken=", call.base, kind.set());
            if let Some(select) = &tracked.select {
                location.push_str("&$select=");
                location.push_str(&select.join(","));
            }
            error.location = Some(location.into());
            error
        }
    }
}

/// Reads the options of a first call.
fn tracked(call: &Call) -> Result<Tracked, GraphError> {
    let options = &call.options;
    for (name, given) in [
        ("$expand", &options.expand),
        ("$orderby", &options.orderby),
        ("$search", &options.search),
        ("$skip", &options.skip),
    ] {
        if given.is_some() {
            return Err(GraphError::unsupported_query(format!(
                "The query parameter '{name}' is not supported for this request."
            )));
        }
    }
    let ids = match &options.filter {
        None => None,
        Some(text) => {
            let refused = || {
                GraphError::unsupported_query(
                    "Only filtering by object id is supported: $filter=id eq '{value}' or id eq '{value}'.",
                )
            };
            let expr = filter::parse(text).map_err(|malformed| {
                GraphError::unreadable(format!("Invalid filter clause: {}", malformed.what))
            })?;
            let mut ids = Vec::new();
            if !collect_ids(&expr, &mut ids) {
                return Err(refused());
            }
            if ids.len() > 50 {
                return Err(GraphError::unsupported_query(
                    "Too many object ids in filter; the maximum is 50.",
                ));
            }
            Some(ids)
        }
    };
    Ok(Tracked {
        select: options.select.clone().filter(|names| !names.is_empty()),
        ids,
        minimal: call.preference("return").is_some_and(|value| value.eq_ignore_ascii_case("minimal")),
    })
}

fn collect_ids(expr: &Expr<Path>, ids: &mut Vec<Uuid>) -> bool {
    match expr {
        Expr::Or(left, right) => collect_ids(left, ids) && collect_ids(right, ids),
        Expr::Compare(path, Op::Eq, literal) if path.len() == 1 && path[0].eq_ignore_ascii_case("id") => {
            match literal {
                Literal::Guid(id) => {
                    ids.push(*id);
                    true
                }
                Literal::Text(text) => {
                    // An id that is none matches nothing.
                    ids.push(text.parse().unwrap_or_default());
                    true
                }
                _ => false,
            }
        }
        _ => false,
    }
}

fn shape(scene: &Scene<'_>, call: &Call, kind: Type, tracked: &Tracked) -> Result<Shape, GraphError> {
    let named =
        |name: &str| tracked.select.iter().flatten().any(|selected| selected.eq_ignore_ascii_case(name));
    let navigation = |name: &str| match kind {
        Type::Group => name.eq_ignore_ascii_case("members") || name.eq_ignore_ascii_case("owners"),
        Type::User | Type::Contact | Type::Principal => name.eq_ignore_ascii_case("manager"),
    };
    let plain: Option<Vec<String>> =
        tracked.select.as_ref().map(|names| names.iter().filter(|name| !navigation(name)).cloned().collect());
    let mut names = plain.clone().unwrap_or_default();
    if plain.is_some() && !names.iter().any(|name| name.eq_ignore_ascii_case("id")) {
        names.insert(0, "id".to_owned());
    }
    let (mut columns, _) =
        query::columns(scene, plain.is_some().then_some(&names[..]), Set::One(kind), true)?;
    let mut columns = std::mem::take(&mut columns[slot(kind)]);
    // The id leads, also in the default set.
    columns.sort_by_key(|column| column.property.is_none_or(|property| property.name != "id"));
    let mut context = format!("{}/$metadata#{}", call.base, kind.set());
    if let Some(select) = &tracked.select {
        context = format!("{context}({})", select.join(","));
    }
    Ok(Shape {
        kind,
        columns,
        members: kind == Type::Group && (tracked.select.is_none() || named("members")),
        owners: kind == Type::Group && named("owners"),
        manager: kind == Type::User && named("manager"),
        context,
    })
}
