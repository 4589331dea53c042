//! Role groups and service principals of Exchange: who is in them, which there are.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::is_user;
use crate::exchange::read::roles::{app_named, in_exchange, role_group, show_principal, show_role_group};
use crate::generate::org::{built_in_roles, is_built_in_role_group};
use crate::state::{Idx, Object, RoleGroup};

use super::session::Session;

type Shows = Result<bool, ExchangeError>;

fn rule(text: impl Into<String>) -> ExchangeError {
    ExchangeError::new(Condition::RecipientTask, [text.into()])
}

/// Whom a role group may hold.
#[derive(Clone, Copy)]
enum Member {
    Person(Idx),
    /// By application id.
    App(uuid::Uuid),
}

fn member(session: &Session<'_>, text: &str) -> Result<Member, ExchangeError> {
    if let Some(app) = app_named(session.state, text).filter(|app| in_exchange(app)) {
        return Ok(Member::App(app.client_id));
    }
    let accepts = |object: &Object| is_user(object) || object.group().is_some();
    session.reader().lookup(text, accepts).map(|(idx, _)| Member::Person(idx))
}

fn group_named(session: &mut Session<'_>) -> Result<String, ExchangeError> {
    let identity = session.identity()?.to_owned();
    session.object.clone_from(&identity);
    let found = role_group(session.state, &identity).map(|group| group.name.clone());
    found.ok_or_else(|| ExchangeError::new(Condition::NotFound, [identity]))
}

fn group_mut<'s>(session: &'s mut Session<'_>, name: &str) -> Option<&'s mut RoleGroup> {
    session.state.role_groups.iter_mut().find(|group| group.name == name)
}

fn put_in(session: &mut Session<'_>, name: &str, member: Member) -> bool {
    match member {
        Member::Person(idx) => {
            let Some(group) = group_mut(session, name) else { return false };
            if group.members.contains(&idx) {
                return false;
            }
            group.members.push(idx);
            true
        }
        Member::App(client) => {
            let Some(app) = session.state.app_mut(client) else { return false };
            if app.role_groups.iter().any(|held| held.eq_ignore_ascii_case(name)) {
                return false;
            }
            app.role_groups.push(name.to_owned());
            true
        }
    }
}

pub(super) fn add_member(session: &mut Session<'_>) -> Shows {
    let name = group_named(session)?;
    let text = session.bound.text("Member").unwrap_or_default().to_owned();
    let who = member(session, &text)?;
    if !put_in(session, &name, who) {
        return Err(ExchangeError::new(Condition::AlreadyMember, [text, name]));
    }
    Ok(false)
}

pub(super) fn remove_member(session: &mut Session<'_>) -> Shows {
    let name = group_named(session)?;
    let text = session.bound.text("Member").unwrap_or_default().to_owned();
    let gone = match member(session, &text)? {
        Member::Person(idx) => group_mut(session, &name).is_some_and(|group| {
            let before = group.members.len();
            group.members.retain(|held| *held != idx);
            group.members.len() < before
        }),
        Member::App(client) => session.state.app_mut(client).is_some_and(|app| {
            // It stays a principal of Exchange when it leaves its last group.
            app.exchange_principal = true;
            let before = app.role_groups.len();
            app.role_groups.retain(|held| !held.eq_ignore_ascii_case(&name));
            app.role_groups.len() < before
        }),
    };
    if !gone {
        return Err(ExchangeError::new(Condition::NotMember, [text, name]));
    }
    Ok(false)
}

pub(super) fn create_group(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let bound = session.bound;
    let name = bound.text("Name").unwrap_or_default().trim().to_owned();
    session.object.clone_from(&name);
    if name.is_empty() {
        return Err(rule("The property 'Name' can't be empty."));
    }
    if role_group(session.state, &name).is_some() {
        let dn = session.state.tenant.distinguished_name(&name);
        return Err(ExchangeError::new(Condition::AlreadyExists, [dn]));
    }
    let mut roles = Vec::new();
    for wanted in bound.list("Roles") {
        match built_in_roles().find(|role| role.eq_ignore_ascii_case(wanted)) {
            Some(role) => roles.push(role.to_owned()),
            None => return Err(ExchangeError::new(Condition::LookupNotFound, [wanted])),
        }
    }
    let mut members = Vec::new();
    for text in bound.list("Members") {
        members.push(member(session, text)?);
    }
    let id = session.state.next_id();
    session.state.role_groups.push(RoleGroup { id, name: name.clone(), roles, members: Vec::new() });
    for who in members {
        put_in(session, &name, who);
    }
    if let Some(group) = role_group(session.state, &name) {
        show_role_group(&session.reader(), page, group);
    }
    Ok(true)
}

pub(super) fn remove_group(session: &mut Session<'_>) -> Shows {
    let name = group_named(session)?;
    if is_built_in_role_group(&name) {
        return Err(rule(format!("The role group \"{name}\" is built in and can't be removed.")));
    }
    session.state.role_groups.retain(|group| group.name != name);
    for app in &mut session.state.apps {
        app.role_groups.retain(|held| !held.eq_ignore_ascii_case(&name));
    }
    Ok(false)
}

pub(super) fn create_principal(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let bound = session.bound;
    let app_id = bound.text("AppId").unwrap_or_default().to_owned();
    let object_id = bound.text("ObjectId").unwrap_or_default().to_owned();
    session.object.clone_from(&app_id);
    let known = app_named(session.state, &app_id)
        .filter(|app| app.client_id.to_string().eq_ignore_ascii_case(app_id.trim()))
        .filter(|app| app.principal_id.to_string().eq_ignore_ascii_case(object_id.trim()))
        .map(|app| (app.client_id, in_exchange(app)));
    let Some((client, there)) = known else {
        return Err(rule(format!(
            "The application \"{app_id}\" with the service principal \"{object_id}\" couldn't be found in the directory. The ObjectId must be the one of the enterprise application."
        )));
    };
    if there {
        let dn = session.state.tenant.distinguished_name(&object_id);
        return Err(ExchangeError::new(Condition::AlreadyExists, [dn]));
    }
    if let Some(app) = session.state.app_mut(client) {
        app.exchange_principal = true;
    }
    if let Some(app) = session.state.app(client) {
        show_principal(&session.reader(), page, 0, app);
    }
    Ok(true)
}

pub(super) fn remove_principal(session: &mut Session<'_>) -> Shows {
    let identity = session.identity()?.to_owned();
    session.object.clone_from(&identity);
    let found = app_named(session.state, &identity).filter(|app| in_exchange(app)).map(|app| app.client_id);
    let client = found.ok_or_else(|| ExchangeError::new(Condition::NotFound, [identity]))?;
    if let Some(app) = session.state.app_mut(client) {
        app.exchange_principal = false;
        app.role_groups.clear();
    }
    Ok(false)
}
