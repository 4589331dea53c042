//! Writes: users, groups, memberships, licences, deletion and restoration. Who may and what is refused is decided
//! here; indices, change log and uniqueness are the state's.

mod dynamic;
mod groups;
mod life;
mod members;
mod property;
mod users;

use http::Method;
use serde_json::Value;
use uuid::Uuid;

use super::apps;
use super::call::{Answer, Call};
use super::error::GraphError;
use super::scene::Scene;
use super::schema::Type;
use super::{single, vacant};
use crate::state::{Idx, KeyKind, Object, State, StateError};

/// What is said of objects that another directory masters.
const SYNCED: &str = "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.";
/// What is said of objects that Exchange masters.
const EXCHANGE_OWNED: &str =
    "Unable to update the specified properties for objects that have originated within an external service.";
/// What is said of distribution lists and mail-enabled security groups.
const MAIL_GROUP: &str = "Cannot Update a mail-enabled security groups and or distribution list.";

/// Answers a call that writes.
///
/// # Errors
/// The refusal that the service would give.
pub fn answer(scene: &Scene<'_>, call: &Call, path: &[&str]) -> Result<Answer, GraphError> {
    let key = |at: usize| call.segments.get(at).map_or("", String::as_str);
    let method = &call.method;
    admit_principals(scene, call, path);
    match path {
        ["serviceprincipals", _, "approleassignments" | "approleassignedto"] if method == Method::POST => {
            apps::assign(scene, call)
        }
        ["serviceprincipals", _, "approleassignments" | "approleassignedto", id]
            if method == Method::DELETE =>
        {
            apps::unassign(scene, id)
        }
        ["users"] if method == Method::POST => users::create(scene, call),
        ["users", _] if method == Method::PATCH => users::update(scene, call, key(1)),
        ["users", _] if method == Method::DELETE => life::delete(scene, Type::User, key(1)),
        ["users", _, "manager", "$ref"] if method == Method::PUT => users::set_manager(scene, call, key(1)),
        ["users", _, "manager", "$ref"] if method == Method::DELETE => users::clear_manager(scene, key(1)),
        ["users", _, "assignlicense"] if method == Method::POST => users::assign_licence(scene, call, key(1)),
        ["users", _, "revokesigninsessions"] if method == Method::POST => {
            users::revoke_sessions(scene, call, key(1))
        }
        ["groups"] if method == Method::POST => groups::create(scene, call),
        ["groups", _] if method == Method::PATCH => groups::update(scene, call, key(1)),
        ["groups", _] if method == Method::DELETE => life::delete(scene, Type::Group, key(1)),
        ["groups", _, edge @ ("members" | "owners"), "$ref"] if method == Method::POST => {
            members::add(scene, call, key(1), members::Edge::of(edge))
        }
        ["groups", _, edge @ ("members" | "owners"), _, "$ref"] if method == Method::DELETE => {
            members::remove(scene, key(1), members::Edge::of(edge), key(3))
        }
        // Without /$ref the address means the member itself, not the membership.
        ["groups", _, "members" | "owners", _] if method == Method::DELETE => life::delete_any(scene, key(3)),
        ["directoryobjects", _] if method == Method::DELETE => life::delete_any(scene, key(1)),
        ["directory", "deleteditems", _, "restore"] if method == Method::POST => {
            life::restore(scene, call, key(2))
        }
        ["directory", "deleteditems", _] if method == Method::DELETE => life::purge(scene, key(2)),
        [
            "users" | "groups" | "contacts" | "directory" | "directoryobjects" | "organization" | "domains",
            ..,
        ] => Err(vacant::write_refusal(path).unwrap_or_else(GraphError::method)),
        _ => Err(vacant::write_refusal(path).unwrap_or_else(|| GraphError::no_segment(key(0)))),
    }
}

/// The state's refusal as the service words it.
fn refused(error: &StateError) -> GraphError {
    match error {
        StateError::Taken { kind, .. } => GraphError::conflict(match kind {
            KeyKind::UserPrincipalName => "userPrincipalName",
            KeyKind::Address => "proxyAddresses",
            _ => "mailNickname",
        }),
        StateError::AlreadyMember => already("members"),
        StateError::AlreadyOwner => already("owners"),
        other => GraphError::bad_request(other.to_string()),
    }
}

fn already(edge: &str) -> GraphError {
    GraphError::bad_request(format!(
        "One or more added object references already exist for the following modified properties: '{edge}'."
    ))
}

/// Service principals named by the body of a write of groups enter the directory's relations before it.
fn admit_principals(scene: &Scene<'_>, call: &Call, path: &[&str]) {
    if path.first() != Some(&"groups") || call.body.is_empty() {
        return;
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&call.body) else { return };
    let named = body.iter().filter(|(name, _)| *name == "@odata.id" || name.ends_with("@odata.bind"));
    let urls = named.flat_map(|(_, value)| match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    });
    for url in urls {
        let key = url.rsplit(['/', '(']).next().unwrap_or_default().trim_matches([')', '\'']);
        if let Ok(id) = key.parse::<Uuid>() {
            apps::admit(scene, &mut scene.world.state_mut(), id);
        }
    }
}

/// The object that an `@odata.id` leads to.
fn referenced(scene: &Scene<'_>, state: &State, url: &str) -> Result<(Idx, Uuid), GraphError> {
    let call = Call::relative(
        Method::GET,
        url.split_once("://").map_or(url, |(_, rest)| rest),
        Default::default(),
        Default::default(),
        "",
    );
    let key = call.segments.last().cloned().unwrap_or_default();
    let view = scene.view(state);
    let found = match key.parse::<Uuid>() {
        Ok(id) => view.find_live(id),
        Err(_) if call.segments.iter().any(|segment| segment.eq_ignore_ascii_case("users")) => {
            view.find_upn(&key)
        }
        Err(_) => {
            return Err(GraphError::bad_request(
                "Invalid URL format specified in @odata.id for reference-property update.",
            ));
        }
    };
    found.map(|(idx, object)| (idx, object.id)).ok_or_else(|| GraphError::not_found(&key))
}

/// The body of a write of an object, its properties spelled as documented: clients write `mailNickName` too.
fn body_of(call: &Call, kind: Type) -> Result<serde_json::Map<String, Value>, GraphError> {
    let spelled = |name: String| match kind.property(&name) {
        Some(property) => property.name.to_owned(),
        None => name,
    };
    Ok(call.json()?.into_iter().map(|(name, value)| (spelled(name), value)).collect())
}

/// The `@odata.id` of a body.
fn reference(call: &Call) -> Result<String, GraphError> {
    let body = call.json()?;
    body.get("@odata.id").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        GraphError::bad_request("Invalid URL format specified in @odata.id for reference-property update.")
    })
}

/// A list of `…@odata.bind` addresses.
fn bound(body: &serde_json::Map<String, Value>, name: &str) -> Result<Vec<String>, GraphError> {
    let Some(value) = body.get(&format!("{name}@odata.bind")) else { return Ok(Vec::new()) };
    let list = value
        .as_array()
        .and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        })
        .ok_or_else(|| {
            GraphError::unreadable("Invalid reference list: an array of addresses is expected.")
        })?;
    if list.len() > 20 {
        return Err(GraphError::bad_request(format!(
            "The number of references in the bind operation exceeds the limit of 20 for property '{name}'."
        )));
    }
    Ok(list)
}

/// The live object of a type that a write is for. Writes see what was written, whatever readers see.
fn target<'s>(
    scene: &Scene<'_>,
    state: &'s State,
    kind: Type,
    key: &str,
) -> Result<(Idx, &'s Object), GraphError> {
    let direct = key
        .parse::<Uuid>()
        .ok()
        .and_then(|id| state.find(id))
        .or_else(|| (kind == Type::User).then(|| state.find_upn(key)).flatten());
    if let Some(idx) = direct
        && let Some(object) = state.get(idx)
        && object.is_live()
        && super::eval::type_of(object) == kind
    {
        return Ok((idx, object));
    }
    single::find(&scene.view(state), kind, key)
}
