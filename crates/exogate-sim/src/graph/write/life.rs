//! Deletion, the recycle bin, restoration: what is kept for thirty days and what is gone at once.

use uuid::Uuid;

use super::super::call::{Answer, Call};
use super::super::error::GraphError;
use super::super::eval::type_of;
use super::super::permission::Act;
use super::super::query::single;
use super::super::scene::Scene;
use super::super::schema::Type;
use super::super::single::entity;
use super::{refused, target};
use crate::state::app::role;
use crate::state::{GroupKind, Idx, Object, State};

/// `DELETE /users/{key}`, `DELETE /groups/{id}`
pub fn delete(scene: &Scene<'_>, kind: Type, key: &str) -> Result<Answer, GraphError> {
    let mut state = scene.world.state_mut();
    scene.require(&[match kind {
        Type::User => Act::DeleteUsers,
        Type::Group | Type::Contact | Type::Principal => Act::WriteGroups,
    }])?;
    let (idx, _) = target(scene, &state, kind, key)?;
    remove(scene, &mut state, idx)
}

/// Deletes an object of any type by its id.
pub fn delete_any(scene: &Scene<'_>, id: &str) -> Result<Answer, GraphError> {
    let mut state = scene.world.state_mut();
    let (idx, kind) = id
        .parse::<Uuid>()
        .ok()
        .and_then(|id| state.find(id))
        .and_then(|idx| state.get(idx).filter(|object| object.is_live()).map(|object| (idx, type_of(object))))
        .ok_or_else(|| GraphError::not_found(id))?;
    scene.require(&[match kind {
        Type::User => Act::DeleteUsers,
        Type::Group | Type::Contact | Type::Principal => Act::WriteGroups,
    }])?;
    remove(scene, &mut state, idx)
}

fn is_admin(scene: &Scene<'_>) -> bool {
    scene.principal.has_wid(role::GLOBAL_ADMINISTRATOR) || scene.principal.has_wid(role::USER_ADMINISTRATOR)
}

/// Whether an object goes to the recycle bin.
fn is_kept(scene: &Scene<'_>, object: &Object) -> bool {
    match object.group() {
        None => object.user().is_some(),
        Some(group) => match group.kind {
            GroupKind::Microsoft365 => true,
            GroupKind::Security => scene.knobs.soft_delete_security_groups && !object.is_dir_synced(),
            _ => false,
        },
    }
}

fn remove(scene: &Scene<'_>, state: &mut State, idx: Idx) -> Result<Answer, GraphError> {
    let object = state.get(idx).ok_or_else(|| GraphError::not_found(""))?;
    let id = object.id.to_string();
    if object.contact().is_some() {
        return Err(GraphError::bad_request(super::EXCHANGE_OWNED));
    }
    if let Some(group) = object.group() {
        if matches!(group.kind, GroupKind::Distribution | GroupKind::MailEnabledSecurity) {
            return Err(GraphError::bad_request(
                "Cannot Delete a mail-enabled security groups and or distribution list.",
            ));
        }
        if group.assignable_to_role {
            scene.require(&[Act::WriteRoleGroups])?;
        }
    }
    let privileged = state.directory_roles.iter().any(|role| role.members.contains(&idx));
    if privileged && scene.principal.is_app() && !is_admin(scene) {
        return Err(GraphError::denied());
    }
    let operation = if object.user().is_some() { "Delete user." } else { "Delete group." };
    let kept = is_kept(scene, object);
    let mut edit = scene.edit(state);
    let done = if kept { edit.soft_delete(idx) } else { edit.purge(idx) };
    done.map_err(|error| refused(&error))?;
    scene.audit(&mut edit, operation, &id, Vec::new());
    Ok(Answer::no_content())
}

fn in_bin<'s>(state: &'s State, id: &str) -> Result<(Idx, &'s Object), GraphError> {
    id.parse::<Uuid>()
        .ok()
        .and_then(|id| state.find(id))
        .and_then(|idx| state.get(idx).filter(|object| !object.is_live()).map(|object| (idx, object)))
        .ok_or_else(|| GraphError::not_found(id))
}

fn act(object: &Object) -> Act {
    if object.user().is_some() { Act::DeleteUsers } else { Act::WriteGroups }
}

/// `POST /directory/deletedItems/{id}/restore`
pub fn restore(scene: &Scene<'_>, call: &Call, id: &str) -> Result<Answer, GraphError> {
    let mut state = scene.world.state_mut();
    let (idx, object) = in_bin(&state, id)?;
    scene.require(&[act(object)])?;
    let operation = if object.user().is_some() { "Restore user." } else { "Restore Group." };
    let mut edit = scene.edit(&mut state);
    edit.restore(idx).map_err(|error| refused(&error))?;
    scene.audit(&mut edit, operation, id, Vec::new());
    let object = state.get(idx).ok_or_else(|| GraphError::not_found(id))?;
    let mut plain = call.clone();
    plain.options = Default::default();
    let plan = single(scene, &plain, type_of(object))?;
    Ok(Answer::json(entity(scene, &scene.view(&state), call, &plan, idx, object)))
}

/// `DELETE /directory/deletedItems/{id}`
pub fn purge(scene: &Scene<'_>, id: &str) -> Result<Answer, GraphError> {
    let mut state = scene.world.state_mut();
    let (idx, object) = in_bin(&state, id)?;
    scene.require(&[act(object)])?;
    let mut edit = scene.edit(&mut state);
    edit.purge(idx).map_err(|error| refused(&error))?;
    scene.audit(&mut edit, "Hard Delete user.", id, Vec::new());
    Ok(Answer::no_content())
}
