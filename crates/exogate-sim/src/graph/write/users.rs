//! Writing users: creation, properties, manager, licences, sessions.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::call::{Answer, Call};
use super::super::error::GraphError;
use super::super::organization::seats;
use super::super::permission::{Act, may};
use super::super::query::{Plan, single};
use super::super::scene::Scene;
use super::super::schema::{Field, Type};
use super::super::single::entity;
use super::dynamic;
use super::property::{self, Assignment};
use super::{EXCHANGE_OWNED, SYNCED, body_of, reference, referenced, refused, target};
use crate::state::app::role;
use crate::state::{Body, Idx, Object, State, User, UserType};

fn plan(scene: &Scene<'_>, call: &Call) -> Result<Plan, GraphError> {
    let mut plain = call.clone();
    plain.options = Default::default();
    single(scene, &plain, Type::User)
}

fn entity_of(scene: &Scene<'_>, state: &State, call: &Call, idx: Idx) -> Result<Vec<u8>, GraphError> {
    let plan = plan(scene, call)?;
    let object = state.get(idx).ok_or_else(|| GraphError::not_found(""))?;
    Ok(entity(scene, &scene.view(state), call, &plan, idx, object))
}

/// `POST /users`
pub fn create(scene: &Scene<'_>, call: &Call) -> Result<Answer, GraphError> {
    scene.require(&[Act::WriteUsers])?;
    let body = body_of(call, Type::User)?;
    let mut state = scene.world.state_mut();
    for name in ["accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"] {
        if body.get(name).is_none_or(Value::is_null) {
            return Err(if name == "passwordProfile" {
                GraphError::bad_request("A password must be specified to create a new user.")
            } else {
                GraphError::bad_request(format!(
                    "A value is required for property '{name}' of resource 'User'."
                ))
            });
        }
    }
    let assignments = property::read(&mut state, &body, Type::User, true)?;
    let upn = body["userPrincipalName"].as_str().unwrap_or_default().to_owned();
    check_upn(&state, &upn)?;
    check_password(&body)?;
    let name = body["displayName"].as_str().unwrap_or_default().to_owned();
    let alias = body["mailNickname"].as_str().unwrap_or_default().to_owned();
    let manager = match body.get("manager@odata.bind").and_then(Value::as_str) {
        Some(url) => Some(referenced(scene, &state, url)?.0),
        None => None,
    };
    let user = User { upn: upn.clone().into(), user_type: UserType::Member, manager, ..User::default() };
    let mut object = state.new_object(&name, &alias, Body::User(Box::new(user)), scene.now);
    for assignment in &assignments {
        assignment.apply(&mut object);
    }
    let id = object.id;
    let mut edit = scene.edit(&mut state);
    let idx = edit.insert(object).map_err(|error| refused(&error))?;
    dynamic::settle_user(&mut edit, idx);
    scene.audit(&mut edit, "Add user.", &upn, vec![("displayName".into(), name)]);
    let mut answer = Answer::json(entity_of(scene, &state, call, idx)?);
    answer.status = http::StatusCode::CREATED;
    Ok(answer.header(http::header::LOCATION, format!("{}/users/{id}", call.base)))
}

fn check_upn(state: &State, upn: &str) -> Result<(), GraphError> {
    let refuse = |text: &str| {
        let mut error = GraphError::bad_request(text);
        error.detail = Some(Box::new(("InvalidValue", "userPrincipalName".to_owned())));
        Err(error)
    };
    let Some((local, domain)) = upn.rsplit_once('@') else {
        return refuse("Property userPrincipalName is invalid.");
    };
    let strange = |character: char| {
        character.is_whitespace()
            || matches!(character, '@' | '"' | '(' | ')' | ',' | ':' | ';' | '<' | '>' | '[' | ']' | '\\')
    };
    if local.is_empty() || local.chars().any(strange) {
        return refuse("Property userPrincipalName is invalid.");
    }
    if state.tenant.domain(domain).is_none() {
        return refuse(
            "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.",
        );
    }
    Ok(())
}

fn check_password(body: &Map<String, Value>) -> Result<(), GraphError> {
    let Some(profile) = body.get("passwordProfile") else { return Ok(()) };
    let Some(password) = profile.get("password") else { return Ok(()) };
    let password = password.as_str().unwrap_or_default();
    let kinds = [
        password.chars().any(char::is_lowercase),
        password.chars().any(char::is_uppercase),
        password.chars().any(|character| character.is_ascii_digit()),
        password.chars().any(|character| !character.is_alphanumeric()),
    ];
    let length = password.chars().count();
    if (8..=256).contains(&length) && kinds.into_iter().filter(|kind| *kind).count() >= 3 {
        return Ok(());
    }
    let mut error = GraphError::bad_request(
        "The specified password does not comply with password complexity requirements. Please provide a different password.",
    );
    error.detail = Some(Box::new(("InvalidValue", "password".to_owned())));
    Err(error)
}

/// What lets a caller change these properties.
fn acts(assignments: &[Assignment]) -> Vec<Act> {
    let all = |fits: fn(&Assignment) -> bool| !assignments.is_empty() && assignments.iter().all(fits);
    let mut acts = vec![Act::WriteUsers];
    if all(|assignment| assignment.is(Field::Enabled)) {
        acts.push(Act::EnableUsers);
    }
    if all(|assignment| assignment.is(Field::MobilePhone) || assignment.is(Field::BusinessPhones)) {
        acts.push(Act::WritePhones);
    }
    if all(|assignment| assignment.is(Field::Mail) || assignment.name == "otherMails") {
        acts.push(Act::WriteMails);
    }
    if all(|assignment| assignment.is(Field::Hidden)) {
        acts = vec![Act::WritePasswords];
    }
    acts
}

fn is_sensitive(assignment: &Assignment) -> bool {
    matches!(
        assignment.name.as_str(),
        "accountEnabled"
            | "businessPhones"
            | "mobilePhone"
            | "onPremisesImmutableId"
            | "otherMails"
            | "passwordProfile"
            | "userPrincipalName"
    )
}

fn is_admin(scene: &Scene<'_>) -> bool {
    scene.principal.has_wid(role::GLOBAL_ADMINISTRATOR) || scene.principal.has_wid(role::USER_ADMINISTRATOR)
}

/// What may be changed of users that are mastered on premises.
const CLOUD_OWNED: [&str; 9] = [
    "ageGroup",
    "consentProvidedForMinor",
    "employeeHireDate",
    "employeeLeaveDateTime",
    "otherMails",
    "passwordPolicies",
    "preferredDataLocation",
    "showInAddressList",
    "usageLocation",
];

/// `PATCH /users/{key}`
pub fn update(scene: &Scene<'_>, call: &Call, key: &str) -> Result<Answer, GraphError> {
    let body = body_of(call, Type::User)?;
    let mut state = scene.world.state_mut();
    let assignments = property::read(&mut state, &body, Type::User, false)?;
    scene.require(&acts(&assignments))?;
    let password = assignments.iter().any(|assignment| assignment.is(Field::Hidden));
    if password && !(is_admin(scene) && (may(scene.principal, Act::WritePasswords))) {
        return Err(GraphError::denied());
    }
    let (idx, object) = target(scene, &state, Type::User, key)?;
    let privileged = state.directory_roles.iter().any(|role| role.members.contains(&idx));
    if privileged && scene.principal.is_app() && assignments.iter().any(is_sensitive) && !is_admin(scene) {
        return Err(GraphError::denied());
    }
    if object.is_dir_synced()
        && !assignments.iter().all(|assignment| CLOUD_OWNED.contains(&assignment.name.as_str()))
    {
        return Err(GraphError::bad_request(SYNCED));
    }
    if object.mailbox().is_some() && assignments.iter().any(|assignment| assignment.is(Field::Mail)) {
        return Err(GraphError::bad_request(EXCHANGE_OWNED));
    }
    if let Some(upn) =
        assignments.iter().find(|assignment| assignment.is(Field::Upn)).and_then(Assignment::text)
    {
        check_upn(&state, upn)?;
    }
    check_password(&body)?;
    let name = object.upn().unwrap_or_default().to_owned();
    let now = scene.now;
    let mut edit = scene.edit(&mut state);
    edit.update(idx, |object| {
        for assignment in &assignments {
            assignment.apply(object);
        }
        // A new password ends the sessions that began with the old one, and is dated.
        if let (true, Some(user)) = (password, object.user_mut()) {
            user.sessions_valid_from = Some(now);
        }
    })
    .map_err(|error| refused(&error))?;
    dynamic::settle_user(&mut edit, idx);
    scene.audit(&mut edit, "Update user.", &name, changed(&assignments));
    Ok(Answer::no_content())
}

/// What was asked, for the audit log; a password is not repeated.
pub(super) fn changed(assignments: &[Assignment]) -> Vec<(String, String)> {
    assignments
        .iter()
        .map(|assignment| {
            let value =
                if assignment.is(Field::Hidden) { "***".to_owned() } else { assignment.value().to_string() };
            (assignment.name.clone(), value)
        })
        .collect()
}

/// `PUT /users/{key}/manager/$ref`
pub fn set_manager(scene: &Scene<'_>, call: &Call, key: &str) -> Result<Answer, GraphError> {
    scene.require(&[Act::WriteUsers])?;
    let url = reference(call)?;
    let mut state = scene.world.state_mut();
    let (idx, object) = target(scene, &state, Type::User, key)?;
    if object.is_dir_synced() {
        return Err(GraphError::bad_request(SYNCED));
    }
    let name = object.upn().unwrap_or_default().to_owned();
    let (manager, id) = referenced(scene, &state, &url)?;
    if state.get(manager).is_none_or(|manager| manager.user().is_none()) {
        return Err(GraphError::bad_request(
            "Unsupported referenced-object resource identifier for link property 'manager'.",
        ));
    }
    let mut edit = scene.edit(&mut state);
    edit.update(idx, |object| {
        if let Some(user) = object.user_mut() {
            user.manager = Some(manager);
        }
    })
    .map_err(|error| refused(&error))?;
    scene.audit(&mut edit, "Update user.", &name, vec![("manager".into(), id.to_string())]);
    Ok(Answer::no_content())
}

/// `DELETE /users/{key}/manager/$ref`
pub fn clear_manager(scene: &Scene<'_>, key: &str) -> Result<Answer, GraphError> {
    scene.require(&[Act::WriteUsers])?;
    let mut state = scene.world.state_mut();
    let (idx, object) = target(scene, &state, Type::User, key)?;
    if object.is_dir_synced() {
        return Err(GraphError::bad_request(SYNCED));
    }
    if object.user().is_none_or(|user| user.manager.is_none()) {
        return Err(GraphError::not_found("manager"));
    }
    let mut edit = scene.edit(&mut state);
    edit.update(idx, |object| {
        if let Some(user) = object.user_mut() {
            user.manager = None;
        }
    })
    .map_err(|error| refused(&error))?;
    Ok(Answer::no_content())
}

/// `POST /users/{key}/assignLicense`
pub fn assign_licence(scene: &Scene<'_>, call: &Call, key: &str) -> Result<Answer, GraphError> {
    scene.require(&[Act::AssignLicences])?;
    let body = call.json()?;
    let (Some(Value::Array(add)), Some(Value::Array(remove))) =
        (body.get("addLicenses"), body.get("removeLicenses"))
    else {
        let missing = if body.get("addLicenses").is_some_and(Value::is_array) {
            "removeLicenses"
        } else {
            "addLicenses"
        };
        return Err(GraphError::bad_request(format!(
            "Property {missing} in payload has a value that does not match schema."
        )));
    };
    let mut state = scene.world.state_mut();
    let (idx, object) = target(scene, &state, Type::User, key)?;
    let held = object.user().map(|user| user.licences.clone()).unwrap_or_default();
    let located = object.user().is_some_and(|user| user.usage_location.is_some());
    let name = object.upn().unwrap_or_default().to_owned();
    let sku_of = |id: &Value| -> Result<(u16, Uuid), GraphError> {
        let text = id.as_str().unwrap_or_default();
        let unknown = || {
            GraphError::bad_request(format!("License {text} does not correspond to a valid company License."))
        };
        let id = text.parse::<Uuid>().map_err(|_| unknown())?;
        state.tenant.sku(id).map(|(at, _)| (at, id)).ok_or_else(unknown)
    };
    let mut licences = held.clone();
    for id in remove {
        let (at, _) = sku_of(id)?;
        if !licences.contains(&at) {
            return Err(GraphError::bad_request("User does not have a corresponding license."));
        }
        licences.retain(|held| *held != at);
    }
    if !add.is_empty() && !located {
        return Err(GraphError::bad_request(
            "License assignment cannot be done for user with invalid usage location.",
        ));
    }
    let used = if add.is_empty() { Vec::new() } else { seats(&state) };
    for licence in add {
        let (at, id) = sku_of(&licence["skuId"])?;
        if licences.contains(&at) {
            continue;
        }
        let enabled = state.tenant.skus[usize::from(at)].enabled_units;
        if used.get(usize::from(at)).is_some_and(|used| *used >= enabled) {
            return Err(GraphError::bad_request(format!(
                "Subscription with SKU {id} does not have any available licenses."
            )));
        }
        licences.push(at);
    }
    let mut edit = scene.edit(&mut state);
    edit.update(idx, |object| {
        if let Some(user) = object.user_mut() {
            user.licences.clone_from(&licences);
        }
    })
    .map_err(|error| refused(&error))?;
    scene.audit(&mut edit, "Change user license.", &name, Vec::new());
    Ok(Answer::json(entity_of(scene, &state, call, idx)?))
}

/// `POST /users/{key}/revokeSignInSessions`
pub fn revoke_sessions(scene: &Scene<'_>, call: &Call, key: &str) -> Result<Answer, GraphError> {
    scene.require(&[Act::RevokeSessions])?;
    let mut state = scene.world.state_mut();
    let (idx, object) = target(scene, &state, Type::User, key)?;
    let name = object.upn().unwrap_or_default().to_owned();
    let now = scene.now;
    let mut edit = scene.edit(&mut state);
    edit.update(idx, |object: &mut Object| {
        if let Some(user) = object.user_mut() {
            user.sessions_valid_from = Some(now);
        }
    })
    .map_err(|error| refused(&error))?;
    scene.audit(&mut edit, "Update StsRefreshTokenValidFrom Timestamp.", &name, Vec::new());
    Ok(Answer::value(
        &json!({"@odata.context": format!("{}/$metadata#Edm.Boolean", call.base), "value": true}),
    ))
}
