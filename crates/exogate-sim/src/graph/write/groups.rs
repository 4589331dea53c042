//! Writing groups: creation by kind, properties, bound members.

use serde_json::{Map, Value};

use super::super::call::{Answer, Call};
use super::super::error::GraphError;
use super::super::permission::Act;
use super::super::query::single;
use super::super::scene::Scene;
use super::super::schema::{Field, Type};
use super::super::single::entity;
use super::dynamic;
use super::members::{self, Edge};
use super::property::{self, Assignment};
use super::users::changed;
use super::{MAIL_GROUP, SYNCED, body_of, bound, referenced, refused, target};
use crate::state::{
    Body, Group, GroupKind, Idx, KeyKind, MembershipRule, Object, RecipientTypeDetails, State,
};

fn flag(body: &Map<String, Value>, name: &str) -> Result<bool, GraphError> {
    match body.get(name) {
        Some(Value::Bool(value)) => Ok(*value),
        None | Some(Value::Null) => Err(GraphError::bad_request(format!(
            "A value is required for property '{name}' of resource 'Group'."
        ))),
        Some(other) => Err(GraphError::unreadable(format!(
            "Cannot convert the literal '{other}' to the expected type 'Edm.Boolean'."
        ))),
    }
}

/// The kind that a creation asks for.
fn kind_of(body: &Map<String, Value>) -> Result<(GroupKind, bool), GraphError> {
    let types: Vec<&str> = body
        .get("groupTypes")
        .and_then(Value::as_array)
        .map(|types| types.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let has = |name: &str| types.iter().any(|kind| kind.eq_ignore_ascii_case(name));
    let (mail, security) = (flag(body, "mailEnabled")?, flag(body, "securityEnabled")?);
    let dynamic = has("DynamicMembership");
    if has("Unified") {
        if !mail {
            return Err(GraphError::bad_request(
                "Unified groups must be mail-enabled: set 'mailEnabled' to true.",
            ));
        }
        return Ok((GroupKind::Microsoft365, dynamic));
    }
    if mail {
        return Err(GraphError::bad_request(
            "The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is unset and the security-enablement property is set.",
        ));
    }
    if !security {
        return Err(GraphError::bad_request(
            "A group must be mail-enabled or security-enabled: set 'securityEnabled' to true.",
        ));
    }
    Ok((GroupKind::Security, dynamic))
}

/// `POST /groups`
pub fn create(scene: &Scene<'_>, call: &Call) -> Result<Answer, GraphError> {
    scene.require(&[Act::CreateGroups])?;
    let body = body_of(call, Type::Group)?;
    for name in ["displayName", "mailNickname"] {
        if body.get(name).is_none_or(Value::is_null) {
            return Err(GraphError::bad_request(format!(
                "A value is required for property '{name}' of resource 'Group'."
            )));
        }
    }
    let (kind, computed) = kind_of(&body)?;
    let mut state = scene.world.state_mut();
    let assignments = property::read(&mut state, &body, Type::Group, true)?;
    let rule = body.get("membershipRule").and_then(Value::as_str).unwrap_or_default();
    if computed && rule.is_empty() {
        return Err(GraphError::bad_request(
            "A value is required for property 'membershipRule' of a group with dynamic membership.",
        ));
    }
    if !computed && !rule.is_empty() {
        return Err(GraphError::bad_request(
            "The property 'membershipRule' needs the group type 'DynamicMembership'.",
        ));
    }
    let assignable = body.get("isAssignableToRole").and_then(Value::as_bool).unwrap_or(false);
    if assignable {
        scene.require(&[Act::WriteRoleGroups])?;
    }
    let mut group = Group::new(kind);
    group.assignable_to_role = assignable;
    group.members = places(scene, &state, &body, "members")?;
    group.owners = places(scene, &state, &body, "owners")?;
    if computed {
        if !group.members.is_empty() {
            return Err(GraphError::bad_request(members::DYNAMIC));
        }
        group.rule = Some(Box::new(MembershipRule { rule: rule.into(), paused: false }));
    }
    let name = body["displayName"].as_str().unwrap_or_default().to_owned();
    let alias = body["mailNickname"].as_str().unwrap_or_default().to_owned();
    let mut object = state.new_object(&name, &alias, Body::Group(Box::new(group)), scene.now);
    if kind == GroupKind::Microsoft365 {
        mail(scene, &mut state, &mut object, &alias)?;
    }
    for assignment in &assignments {
        assignment.apply(&mut object);
    }
    let id = object.id;
    let mut edit = scene.edit(&mut state);
    let idx = edit.insert(object).map_err(|error| refused(&error))?;
    dynamic::settle_group(&mut edit, idx);
    scene.audit(&mut edit, "Add group.", &id.to_string(), vec![("displayName".into(), name)]);
    let mut answer = Answer::json(entity_of(scene, &state, call, idx)?);
    answer.status = http::StatusCode::CREATED;
    Ok(answer.header(http::header::LOCATION, format!("{}/groups/{id}", call.base)))
}

fn entity_of(scene: &Scene<'_>, state: &State, call: &Call, idx: Idx) -> Result<Vec<u8>, GraphError> {
    let mut plain = call.clone();
    plain.options = Default::default();
    let plan = single(scene, &plain, Type::Group)?;
    let object = state.get(idx).ok_or_else(|| GraphError::not_found(""))?;
    Ok(entity(scene, &scene.view(state), call, &plan, idx, object))
}

fn places(
    scene: &Scene<'_>,
    state: &State,
    body: &Map<String, Value>,
    edge: &str,
) -> Result<Vec<Idx>, GraphError> {
    let mut places = Vec::new();
    for url in bound(body, edge)? {
        let (idx, _) = referenced(scene, state, &url)?;
        if !places.contains(&idx) {
            places.push(idx);
        }
    }
    Ok(places)
}

/// Gives a Microsoft 365 group its address and its recipient.
fn mail(scene: &Scene<'_>, state: &mut State, object: &mut Object, alias: &str) -> Result<(), GraphError> {
    let default = state.tenant.default_domain().to_owned();
    let initial = state.tenant.initial_domain().to_owned();
    let taken = state.find_address(&format!("{alias}@{default}")).is_some()
        || state
            .live_by_text(KeyKind::Alias, alias)
            .iter()
            .any(|idx| state.get(*idx).is_some_and(|held| held.recipient.is_some()));
    if taken {
        return Err(GraphError::conflict("mailNickname"));
    }
    object.addresses.push(format!("SMTP:{alias}@{default}").into());
    if !initial.eq_ignore_ascii_case(&default) {
        object.addresses.push(format!("smtp:{alias}@{initial}").into());
    }
    let suffix: String = object.id.simple().to_string().chars().take(10).collect();
    let recipient =
        state.new_recipient(&format!("{alias}_{suffix}"), RecipientTypeDetails::GroupMailbox, scene.now);
    object.recipient = Some(Box::new(recipient));
    if let Some(group) = object.group_mut() {
        group.visibility = Some(state.word("Public"));
    }
    Ok(())
}

/// `PATCH /groups/{id}`
pub fn update(scene: &Scene<'_>, call: &Call, key: &str) -> Result<Answer, GraphError> {
    let mut body = body_of(call, Type::Group)?;
    let binds = body.keys().any(|name| name.ends_with("@odata.bind"));
    let only_binds = body.keys().all(|name| name.contains('@'));
    scene.require(if only_binds && binds { &[Act::WriteMembers] } else { &[Act::WriteGroups] })?;
    let mut state = scene.world.state_mut();
    let types = body.remove("groupTypes");
    let assignments = property::read(&mut state, &body, Type::Group, false)?;
    let (idx, object) = target(scene, &state, Type::Group, key)?;
    let group = object.group().ok_or_else(|| GraphError::not_found(key))?;
    if matches!(group.kind, GroupKind::Distribution | GroupKind::MailEnabledSecurity) {
        return Err(GraphError::bad_request(MAIL_GROUP));
    }
    if object.is_dir_synced() {
        return Err(GraphError::bad_request(SYNCED));
    }
    if group.assignable_to_role {
        scene.require(&[Act::WriteRoleGroups])?;
    }
    let computed = dynamic_wanted(types.as_ref(), group)?;
    check_rule(&assignments, computed.unwrap_or(group.rule.is_some()), group)?;
    if group.kind == GroupKind::Security
        && assignments
            .iter()
            .any(|assignment| assignment.is(Field::SecurityEnabled) && assignment.truth() == Some(false))
    {
        return Err(GraphError::bad_request("A group must be mail-enabled or security-enabled."));
    }
    let members = bound(&body, "members")?;
    let owners = bound(&body, "owners")?;
    // All or nothing: everything is looked at before anything is changed.
    let members = members::checked(scene, &state, idx, Edge::Members, &members)?;
    let owners = members::checked(scene, &state, idx, Edge::Owners, &owners)?;
    let id = object.id;
    let mut edit = scene.edit(&mut state);
    edit.update(idx, |object| {
        if computed == Some(false)
            && let Some(group) = object.group_mut()
        {
            group.rule = None;
        }
        for assignment in &assignments {
            assignment.apply(object);
        }
    })
    .map_err(|error| refused(&error))?;
    for member in members {
        edit.add_member(idx, member).map_err(|error| refused(&error))?;
    }
    for owner in owners {
        edit.add_owner(idx, owner).map_err(|error| refused(&error))?;
    }
    if computed == Some(true)
        || assignments.iter().any(|assignment| assignment.is(Field::Rule) || assignment.is(Field::RuleState))
    {
        dynamic::settle_group(&mut edit, idx);
    }
    scene.audit(&mut edit, "Update group.", &id.to_string(), changed(&assignments));
    Ok(Answer::no_content())
}

/// Whether `groupTypes` turns membership dynamic or back; other kinds cannot be changed.
fn dynamic_wanted(types: Option<&Value>, group: &Group) -> Result<Option<bool>, GraphError> {
    let Some(types) = types else { return Ok(None) };
    let names: Vec<&str> =
        types.as_array().map(|types| types.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
    let unified = names.iter().any(|name| name.eq_ignore_ascii_case("Unified"));
    if unified != (group.kind == GroupKind::Microsoft365) {
        return Err(GraphError::bad_request(
            "Property 'groupTypes' cannot be changed between Unified and other kinds of group.",
        ));
    }
    Ok(Some(names.iter().any(|name| name.eq_ignore_ascii_case("DynamicMembership"))))
}

fn check_rule(assignments: &[Assignment], dynamic: bool, group: &Group) -> Result<(), GraphError> {
    let rule = assignments.iter().find(|assignment| assignment.is(Field::Rule));
    let has_rule = rule
        .map_or(group.rule.is_some(), |assignment| assignment.text().is_some_and(|text| !text.is_empty()));
    if dynamic && !has_rule {
        return Err(GraphError::bad_request(
            "A value is required for property 'membershipRule' of a group with dynamic membership.",
        ));
    }
    if !dynamic && rule.is_some_and(|assignment| assignment.text().is_some()) {
        return Err(GraphError::bad_request(
            "The property 'membershipRule' needs the group type 'DynamicMembership'.",
        ));
    }
    Ok(())
}
