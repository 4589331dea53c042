//! Reading one object: by id, by sign-in name, among the deleted, or of any type.

use super::call::{Answer, Call};
use super::error::GraphError;
use super::permission::Act;
use super::query::{Plan, Set, single};
use super::render::push_planned;
use super::scene::Scene;
use super::schema::Type;
use crate::json::push_text;
use crate::state::{GroupKind, Idx, Object, State, View};

/// The live object of a type behind a key.
///
/// # Errors
/// 404
pub fn find<'s>(view: &View<'s>, kind: Type, key: &str) -> Result<(Idx, &'s Object), GraphError> {
    let found = match key.parse() {
        Ok(id) => view.find_live(id),
        Err(_) if kind == Type::User => view.find_upn(key),
        Err(_) => None,
    };
    found
        .filter(|(_, object)| match kind {
            Type::User => object.user().is_some(),
            Type::Group => object.group().is_some_and(|group| group.kind != GroupKind::DynamicDistribution),
            Type::Contact => object.contact().is_some(),
            Type::Principal => object.principal().is_some(),
        })
        .ok_or_else(|| GraphError::not_found(key))
}

/// Answers `GET /users/{key}` and its like.
///
/// # Errors
/// The refusal that the service would give.
pub fn get(
    scene: &Scene<'_>,
    state: &State,
    call: &Call,
    kind: Type,
    key: &str,
) -> Result<Answer, GraphError> {
    let own = kind == Type::User && key == scene.principal.object_id.to_string() && !scene.principal.is_app();
    if !own {
        scene.require(&[match kind {
            Type::User => Act::ReadUsersBasic,
            Type::Group => Act::ReadGroups,
            Type::Contact => Act::ReadContacts,
            Type::Principal => Act::ReadApps,
        }])?;
    }
    let plan = single(scene, call, kind)?;
    let view = scene.view(state);
    let activity =
        call.options.select.iter().flatten().any(|name| name.eq_ignore_ascii_case("signInActivity"));
    if kind == Type::User && activity && key.parse::<uuid::Uuid>().is_err() {
        return Err(GraphError::unreadable(
            "Get By Key only supports UserId and the key has to be a valid Guid",
        ));
    }
    let (idx, object) = find(&view, kind, key)?;
    Ok(Answer::json(entity(scene, &view, call, &plan, idx, object)))
}

/// An object with its context, as single answers carry it.
#[must_use]
pub fn entity(
    scene: &Scene<'_>,
    view: &View<'_>,
    call: &Call,
    plan: &Plan,
    idx: Idx,
    object: &Object,
) -> Vec<u8> {
    let source = scene.source(view.state);
    let mut inner = Vec::with_capacity(2048);
    push_planned(&mut inner, &source, view, plan, scene.principal, idx, object);
    let mut out = Vec::with_capacity(inner.len() + 160);
    out.extend_from_slice(b"{\"@odata.context\":");
    push_text(&mut out, &format!("{}/$entity", plan.context(call)));
    if inner.len() > 2 {
        out.push(b',');
    }
    out.extend_from_slice(&inner[1..]);
    out
}

/// A plan for an object of any type with its default properties.
///
/// # Errors
/// Never for a call without options; else what `$select` is refused for.
pub fn any_plan(scene: &Scene<'_>, call: &Call) -> Result<Plan, GraphError> {
    let (columns, selected) =
        super::query::columns(scene, call.options.select.as_deref(), Set::Mixed, false)?;
    Ok(Plan {
        set: Set::Mixed,
        columns,
        selected,
        filters: Vec::new(),
        search: None,
        order: Vec::new(),
        expand: None,
        top: 1,
        count: false,
    })
}
