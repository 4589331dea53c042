//! Listings: pages of objects of a class or of a relation, filtered, searched, ordered and counted.

use serde::{Deserialize, Serialize};

use super::call::{Answer, Body, Call};
use super::error::GraphError;
use super::eval::{by_property, found, holds, type_of};
use super::odata::filter::{Expr, Literal, Op};
use super::query::{Plan, Set, listing};
use super::render::{begin, finish, push_planned};
use super::scene::Scene;
use super::schema::{Field, Type};
use super::token;
use super::value::Source;
use crate::state::{Class, Idx, KeyKind, Object, View};
use http::StatusCode;

/// Where a listing goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Place in the class, or position in the list.
    at: u32,
    /// Number of the page, from 1.
    page: u32,
    /// When it was issued, in seconds.
    issued: i64,
}

/// What is listed.
pub enum Origin<'s> {
    /// A class of the directory.
    Class(Class),
    /// The objects of a relation, in order.
    Fixed(Vec<(Idx, &'s Object)>),
}

/// Objects with what a page token says of where they are: the place in a class, the position in a list.
type Cursor<'s, 'l> = Box<dyn Iterator<Item = (u32, Idx, &'s Object)> + 'l>;

fn expired() -> GraphError {
    GraphError::new(
        StatusCode::BAD_REQUEST,
        "Directory_ExpiredPageToken",
        "The specified page token value has expired and can no longer be included in your request.",
    )
}

fn place(scene: &Scene<'_>, call: &Call) -> Result<Option<Place>, GraphError> {
    let Some(text) = &call.options.skiptoken else { return Ok(None) };
    let place: Place = token::open(text).ok_or_else(|| {
        GraphError::bad_request("Invalid value specified for property 'skipToken' of resource 'PagingToken'.")
    })?;
    let age = scene.now.seconds() - place.issued;
    if scene.knobs.page_token_life_seconds.is_some_and(|life| age > i64::from(life)) {
        return Err(expired());
    }
    Ok(Some(place))
}

fn matches(plan: &Plan, source: &Source<'_>, object: &Object) -> bool {
    if plan.filters.is_empty() && plan.search.is_none() {
        return true;
    }
    plan.filter(type_of(object)).is_none_or(|filter| holds(filter, source, object))
        && plan.search.as_ref().is_none_or(|search| found(search, source, object))
}

/// Places that can match at all, when the filter names a key.
fn candidates(plan: &Plan, view: &View<'_>) -> Option<Vec<Idx>> {
    let Set::One(kind) = plan.set else { return None };
    by_key(plan.filter(kind)?, view)
}

fn by_key(expr: &Expr<super::rules::FieldPath>, view: &View<'_>) -> Option<Vec<Idx>> {
    match expr {
        Expr::And(left, right) => by_key(left, view).or_else(|| by_key(right, view)),
        Expr::Compare(path, Op::Eq, Literal::Text(text)) if path.rest.is_empty() => {
            match path.property?.field {
                Field::Upn => Some(view.by_text(KeyKind::UserPrincipalName, text)),
                Field::DisplayName => Some(view.by_text(KeyKind::DisplayName, text)),
                Field::Alias => Some(view.by_text(KeyKind::Alias, text)),
                Field::Id => Some(
                    text.parse()
                        .ok()
                        .and_then(|id| view.find_live(id))
                        .map(|(idx, _)| idx)
                        .into_iter()
                        .collect(),
                ),
                _ => None,
            }
        }
        Expr::Any(path, Some(body)) if path.property?.field == Field::Addresses => match &**body {
            Expr::Compare(inner, Op::Eq, Literal::Text(text)) if inner.is_empty() => {
                let bare = match text.get(..5) {
                    Some(prefix) if prefix.eq_ignore_ascii_case("smtp:") => &text[5..],
                    _ => text,
                };
                Some(view.by_text(KeyKind::Address, bare))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A class restricted to what a key filter leaves, or as it is.
fn narrowed<'s>(origin: Origin<'s>, plan: &Plan, view: &View<'s>) -> Origin<'s> {
    match origin {
        Origin::Class(class @ (Class::Users | Class::Groups | Class::Contacts)) => {
            match candidates(plan, view) {
                Some(places) => Origin::Fixed(
                    places
                        .into_iter()
                        .filter_map(|idx| view.live(idx).map(|object| (idx, object)))
                        .filter(|(_, object)| belongs(object, class))
                        .collect(),
                ),
                None => Origin::Class(class),
            }
        }
        other => other,
    }
}

fn belongs(object: &Object, class: Class) -> bool {
    match class {
        Class::Users => object.user().is_some(),
        Class::Groups => {
            object.group().is_some_and(|group| group.kind != crate::state::GroupKind::DynamicDistribution)
        }
        _ => object.contact().is_some(),
    }
}

/// Answers a listing.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer<'s>(
    scene: &Scene<'_>,
    view: &View<'s>,
    call: &Call,
    set: Set,
    origin: Origin<'s>,
) -> Result<Answer, GraphError> {
    let plan = listing(scene, call, set)?;
    let place = place(scene, call)?;
    let source = scene.source(view.state);
    let first = place.is_none();
    let place = place.unwrap_or(Place { at: 0, page: 1, issued: 0 });
    let origin = narrowed(origin, &plan, view);
    let sorted;
    let objects: Cursor<'s, '_> = match &origin {
        _ if !plan.order.is_empty() => {
            sorted = in_order(&origin, &plan, &source, view);
            fixed(&sorted, place.at)
        }
        Origin::Class(class) => {
            Box::new(view.list(*class, Idx(place.at)).map(|(idx, object)| (idx.0, idx, object)))
        }
        Origin::Fixed(list) => fixed(list, place.at),
    };
    let count = (first && plan.count).then(|| count(&origin, &plan, &source, view));
    let nth = |every: u32| every > 0 && place.page % every == 0;
    let empty = nth(scene.knobs.list_empty_page_every);
    let limit = match (empty, nth(scene.knobs.list_short_page_every)) {
        (true, _) => 0,
        (_, true) => plan.top.div_ceil(2),
        _ => plan.top,
    };
    let mut out =
        begin(&plan.context(call), count, limit * 48 * plan.columns.iter().map(Vec::len).max().unwrap_or(1));
    let mut written = 0;
    let mut last = None;
    let mut next = None;
    for (at, idx, object) in objects {
        if !matches(&plan, &source, object) {
            continue;
        }
        if written == limit {
            next = Some(at);
            break;
        }
        if written > 0 {
            out.push(b',');
        }
        push_planned(&mut out, &source, view, &plan, scene.principal, idx, object);
        written += 1;
        last = Some(at);
    }
    let link = next.map(|at| {
        let at = if scene.knobs.list_duplicate_across_pages && limit > 1 { last.unwrap_or(at) } else { at };
        call.next_link(&token::seal(&Place { at, page: place.page + 1, issued: scene.now.seconds() }))
    });
    finish(&mut out, link.as_deref().map(|link| ("@odata.nextLink", link)));
    Ok(Answer::json(out))
}

fn fixed<'s, 'l>(list: &'l [(Idx, &'s Object)], from: u32) -> Cursor<'s, 'l> {
    Box::new(
        list.iter()
            .enumerate()
            .skip(from as usize)
            .map(|(at, (idx, object))| (u32::try_from(at).unwrap_or(u32::MAX), *idx, *object)),
    )
}

fn in_order<'s>(
    origin: &Origin<'s>,
    plan: &Plan,
    source: &Source<'_>,
    view: &View<'s>,
) -> Vec<(Idx, &'s Object)> {
    let mut list: Vec<(Idx, &'s Object)> = match origin {
        Origin::Class(class) => view.list(*class, Idx::FIRST).collect(),
        Origin::Fixed(list) => list.clone(),
    };
    list.retain(|(_, object)| matches(plan, source, object));
    list.sort_by(|(_, left), (_, right)| {
        plan.order
            .iter()
            .map(|(property, descending)| {
                let ordering = by_property(property, source, left, right);
                if *descending { ordering.reverse() } else { ordering }
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    list
}

fn count(origin: &Origin<'_>, plan: &Plan, source: &Source<'_>, view: &View<'_>) -> usize {
    let all = plan.filters.is_empty() && plan.search.is_none();
    match origin {
        Origin::Class(class) if all && view.is_current() => view.state.count(*class),
        Origin::Class(class) => {
            view.list(*class, Idx::FIRST).filter(|(_, object)| matches(plan, source, object)).count()
        }
        Origin::Fixed(list) => list.iter().filter(|(_, object)| matches(plan, source, object)).count(),
    }
}

/// Answers a `$count` segment.
///
/// # Errors
/// Without `ConsistencyLevel: eventual`, or when JSON is asked for.
pub fn count_answer<'s>(
    scene: &Scene<'_>,
    view: &View<'s>,
    call: &Call,
    set: Set,
    origin: Origin<'s>,
) -> Result<Answer, GraphError> {
    if !call.eventual() {
        return Err(GraphError::bad_request("$count is not currently supported."));
    }
    let accept = call.header("accept").unwrap_or("*/*").to_ascii_lowercase();
    if accept.contains("json") && !accept.contains("text/plain") && !accept.contains("*/*") {
        return Err(GraphError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "A supported MIME type could not be found that matches the acceptable MIME types for the request.",
        ));
    }
    if call
        .options
        .filter
        .as_deref()
        .is_some_and(|filter| filter.to_ascii_lowercase().contains("signinactivity"))
    {
        return Err(GraphError::new(StatusCode::BAD_GATEWAY, "UnknownError", ""));
    }
    // The segment is a count query by itself.
    let mut counted = call.clone();
    counted.options.count = true;
    let plan = listing(scene, &counted, set)?;
    let source = scene.source(view.state);
    let origin = narrowed(origin, &plan, view);
    let number = count(&origin, &plan, &source, view);
    Ok(Answer { status: StatusCode::OK, body: Body::Text(number.to_string()), headers: Vec::new() })
}

/// Objects of one type among others, for casts.
#[must_use]
pub fn only(list: Vec<(Idx, &Object)>, kind: Type) -> Vec<(Idx, &Object)> {
    list.into_iter().filter(|(_, object)| type_of(object) == kind).collect()
}
