//! Members and owners: adding and removing references, alone and bound in a list.

use super::super::call::{Answer, Call};
use super::super::error::GraphError;
use super::super::permission::Act;
use super::super::scene::Scene;
use super::super::schema::Type;
use super::{MAIL_GROUP, SYNCED, already, reference, referenced, refused, target};
use crate::state::{Group, GroupKind, Idx, Object, State};

/// What is said of members of dynamic groups.
pub const DYNAMIC: &str = "Insufficient privileges to complete the operation: the members of a group with dynamic membership are computed by its rule and cannot be changed.";

/// Which relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// `members`
    Members,
    /// `owners`
    Owners,
}

impl Edge {
    /// The relation of a path segment.
    #[must_use]
    pub fn of(segment: &str) -> Self {
        if segment == "owners" { Self::Owners } else { Self::Members }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Owners => "owners",
        }
    }
}

/// Refuses groups whose edges cannot be written here.
fn writable<'o>(scene: &Scene<'_>, object: &'o Object, edge: Edge) -> Result<&'o Group, GraphError> {
    let group = object.group().ok_or_else(|| GraphError::not_found(&object.id.to_string()))?;
    if matches!(group.kind, GroupKind::Distribution | GroupKind::MailEnabledSecurity) {
        return Err(GraphError::bad_request(MAIL_GROUP));
    }
    if object.is_dir_synced() {
        return Err(GraphError::bad_request(SYNCED));
    }
    if edge == Edge::Members && group.rule.is_some() {
        return Err(GraphError::bad_request(DYNAMIC));
    }
    if group.assignable_to_role {
        scene.require(&[Act::WriteRoleGroups])?;
    }
    Ok(group)
}

/// The places behind addresses, each checked against what the group holds and may hold.
///
/// # Errors
/// The first refusal; nothing has been changed then.
pub fn checked(
    scene: &Scene<'_>,
    state: &State,
    group: Idx,
    edge: Edge,
    urls: &[String],
) -> Result<Vec<Idx>, GraphError> {
    if urls.is_empty() {
        return Ok(Vec::new());
    }
    let object = state.get(group).ok_or_else(|| GraphError::not_found(""))?;
    let held = writable(scene, object, edge)?;
    let mut places = Vec::with_capacity(urls.len());
    for url in urls {
        let (idx, _) = referenced(scene, state, url)?;
        let there = match edge {
            Edge::Members => held.has_member(idx),
            Edge::Owners => held.owners.contains(&idx),
        };
        if there || places.contains(&idx) {
            return Err(already(edge.name()));
        }
        fits(state, held, group, idx, edge)?;
        places.push(idx);
    }
    if edge == Edge::Owners && held.owners.len() + places.len() > 100 {
        return Err(GraphError::new(
            http::StatusCode::BAD_REQUEST,
            "Directory_QuotaExceeded",
            "The number of owners of the group exceeds the limit of 100.",
        ));
    }
    Ok(places)
}

fn fits(state: &State, held: &Group, group: Idx, other: Idx, edge: Edge) -> Result<(), GraphError> {
    let object = state.get(other).ok_or_else(|| GraphError::not_found(""))?;
    let refuse = || {
        GraphError::bad_request(format!(
            "Unsupported referenced-object resource identifier for link property '{}'.",
            edge.name()
        ))
    };
    if other == group {
        return Err(refuse());
    }
    let user = object.user().is_some();
    let allowed = match edge {
        Edge::Owners => user || object.principal().is_some(),
        // Microsoft 365 groups hold people only.
        Edge::Members => user || held.kind != GroupKind::Microsoft365,
    };
    if allowed { Ok(()) } else { Err(refuse()) }
}

/// `POST /groups/{id}/members/$ref`
pub fn add(scene: &Scene<'_>, call: &Call, key: &str, edge: Edge) -> Result<Answer, GraphError> {
    scene.require(&[if edge == Edge::Owners { Act::WriteGroups } else { Act::WriteMembers }])?;
    let url = reference(call)?;
    let mut state = scene.world.state_mut();
    let (idx, object) = target(scene, &state, Type::Group, key)?;
    let id = object.id;
    let places = checked(scene, &state, idx, edge, &[url])?;
    let mut edit = scene.edit(&mut state);
    for place in places {
        let name = edit.state.get(place).map(|object| object.id.to_string()).unwrap_or_default();
        match edge {
            Edge::Members => edit.add_member(idx, place),
            Edge::Owners => edit.add_owner(idx, place),
        }
        .map_err(|error| refused(&error))?;
        let operation = if edge == Edge::Members { "Add member to group." } else { "Add owner to group." };
        scene.audit(&mut edit, operation, &name, vec![("Group.ObjectID".into(), id.to_string())]);
    }
    Ok(Answer::no_content())
}

/// `DELETE /groups/{id}/members/{member}/$ref`
pub fn remove(scene: &Scene<'_>, key: &str, edge: Edge, other: &str) -> Result<Answer, GraphError> {
    scene.require(&[if edge == Edge::Owners { Act::WriteGroups } else { Act::WriteMembers }])?;
    let mut state = scene.world.state_mut();
    let (idx, object) = target(scene, &state, Type::Group, key)?;
    let id = object.id;
    let held = writable(scene, object, edge)?;
    let place = other.parse().ok().and_then(|id| state.find(id));
    let there = place.filter(|place| match edge {
        Edge::Members => held.has_member(*place),
        Edge::Owners => held.owners.contains(place),
    });
    let Some(place) = there else { return Err(GraphError::not_found(other)) };
    if edge == Edge::Owners && held.kind == GroupKind::Microsoft365 && held.owners.len() == 1 {
        return Err(GraphError::bad_request(
            "The group must have at least one owner, hence this owner cannot be removed.",
        ));
    }
    let mut edit = scene.edit(&mut state);
    match edge {
        Edge::Members => edit.remove_member(idx, place),
        Edge::Owners => edit.remove_owner(idx, place),
    }
    .map_err(|error| refused(&error))?;
    let operation =
        if edge == Edge::Members { "Remove member from group." } else { "Remove owner from group." };
    scene.audit(&mut edit, operation, other, vec![("Group.ObjectID".into(), id.to_string())]);
    Ok(Answer::no_content())
}
