//! Distribution groups and their members: creation, deletion, membership, and who may touch them.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_distribution_group, is_recipient, is_unified_group};
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;
use crate::state::{Body, Group, GroupKind, Idx, Object, RecipientTypeDetails, StateError};

use super::lists;
use super::session::Session;
use super::settings::may_own;

type Shows = Result<bool, ExchangeError>;

fn rule(text: impl Into<String>) -> ExchangeError {
    ExchangeError::new(Condition::RecipientTask, [text.into()])
}

/// Only managers change a group, unless the check is bypassed by somebody who may.
pub(super) fn check_manager(session: &Session<'_>, idx: Idx) -> Result<(), ExchangeError> {
    let object = session.object(idx)?;
    let Some(group) = object.group() else { return Ok(()) };
    let guarded = match group.kind {
        GroupKind::MailEnabledSecurity | GroupKind::Security => true,
        GroupKind::Distribution => session.knobs.manager_check_on_distribution_lists,
        GroupKind::Microsoft365 | GroupKind::DynamicDistribution => false,
    };
    let manager = session.caller_user().is_some_and(|user| group.owners.contains(&user));
    let bypassed = session.bound.switch("BypassSecurityGroupManagerCheck")
        && session.caller.access.may_bypass_manager_check();
    if guarded && !manager && !bypassed {
        return Err(ExchangeError::plain(Condition::NotGroupManager));
    }
    Ok(())
}

/// Membership of synchronised groups is written on premises.
fn check_mastered(session: &Session<'_>, idx: Idx, what: &str) -> Result<(), ExchangeError> {
    let object = session.object(idx)?;
    if object.is_dir_synced() {
        let args = [object.name(), session.bound.cmdlet.name.as_str(), what];
        return Err(ExchangeError::new(Condition::DirSynced, args));
    }
    Ok(())
}

fn group_target(session: &mut Session<'_>, what: &str) -> Result<Idx, ExchangeError> {
    let idx = session.target(is_distribution_group)?;
    check_manager(session, idx)?;
    check_mastered(session, idx, what)?;
    Ok(idx)
}

/// Kinds of recipients that a distribution group may hold.
fn may_be_member(object: &Object) -> bool {
    object.details().is_some_and(|details| {
        !matches!(details, RecipientTypeDetails::GroupMailbox | RecipientTypeDetails::DiscoveryMailbox)
    })
}

fn member(session: &Session<'_>, text: &str) -> Result<Idx, ExchangeError> {
    let reader = session.reader();
    let (idx, object) = reader.lookup(text, is_recipient)?;
    if !may_be_member(object) {
        return Err(rule(format!(
            "\"{}\" is of a type that can't be a member of a distribution group.",
            object.name()
        )));
    }
    Ok(idx)
}

fn shown(session: &Session<'_>, idx: Idx) -> String {
    session.state.get(idx).map_or_else(String::new, |object| object.name().to_owned())
}

fn edge(session: &Session<'_>, error: StateError, group: Idx, member: Idx) -> ExchangeError {
    let names = [shown(session, member), shown(session, group)];
    match error {
        StateError::AlreadyMember => ExchangeError::new(Condition::AlreadyMember, names),
        StateError::NotMember => ExchangeError::new(Condition::NotMember, names),
        StateError::SelfMember => rule("A group can't be a member of itself."),
        other => session.refused(other),
    }
}

pub(super) fn add_member(session: &mut Session<'_>) -> Shows {
    let group = group_target(session, "Members")?;
    let Some(text) = session.bound.text("Member").map(str::to_owned) else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Member"]));
    };
    let member = member(session, &text)?;
    let outcome = session.edit().add_member(group, member);
    outcome.map_err(|error| edge(session, error, group, member))?;
    Ok(false)
}

pub(super) fn remove_member(session: &mut Session<'_>) -> Shows {
    let group = group_target(session, "Members")?;
    let Some(text) = session.bound.text("Member").map(str::to_owned) else {
        return Err(ExchangeError::new(Condition::NullParameter, ["Member"]));
    };
    let (member, _) = session.reader().lookup(&text, |_| true)?;
    let outcome = session.edit().remove_member(group, member);
    outcome.map_err(|error| edge(session, error, group, member))?;
    Ok(false)
}

pub(super) fn update_members(session: &mut Session<'_>) -> Shows {
    let group = group_target(session, "Members")?;
    let mut members = Vec::new();
    for text in session.bound.list("Members") {
        let idx = member(session, text)?;
        if idx == group {
            return Err(rule("A group can't be a member of itself."));
        }
        if !members.contains(&idx) {
            members.push(idx);
        }
    }
    let changed = session.update(group, |object| {
        if let Some(group) = object.group_mut() {
            group.members = members;
        }
    })?;
    if !changed {
        session.warn_unchanged(group);
    }
    Ok(false)
}

pub(super) fn create(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let bound = session.bound;
    let name = bound.text("Name").unwrap_or_default().trim().to_owned();
    session.object.clone_from(&name);
    if name.is_empty() {
        return Err(rule("The property 'Name' can't be empty."));
    }
    let kind = if bound.text("Type") == Some("Security") {
        GroupKind::MailEnabledSecurity
    } else {
        GroupKind::Distribution
    };
    let details = match (kind, bound.switch("RoomList")) {
        (GroupKind::MailEnabledSecurity, true) => {
            return Err(rule("A security group can't become a room list."));
        }
        (GroupKind::MailEnabledSecurity, false) => RecipientTypeDetails::MailUniversalSecurityGroup,
        (_, true) => RecipientTypeDetails::RoomList,
        _ => RecipientTypeDetails::MailUniversalDistributionGroup,
    };
    for restriction in ["MemberJoinRestriction", "MemberDepartRestriction"] {
        if kind == GroupKind::MailEnabledSecurity && bound.text(restriction) == Some("Open") {
            return Err(rule(format!("The {restriction} value Open isn't valid for security groups.")));
        }
    }
    let alias = match bound.text("Alias") {
        Some(alias) => alias.to_owned(),
        None => session.state.free_alias(&alias_from(&name)),
    };
    let primary = match bound.text("PrimarySmtpAddress").filter(|text| !text.is_empty()) {
        Some(address) => address.to_owned(),
        None => format!("{alias}@{}", session.state.tenant.default_domain()),
    };
    session.accepted(&primary)?;
    let display = bound.text("DisplayName").unwrap_or(&name).to_owned();
    let owners = match bound.get("ManagedBy") {
        Some(given) => lists::recipients(&session.reader(), "ManagedBy", &[], given, may_own)?,
        // Without owners the caller becomes one; an app cannot.
        None => session.caller_user().into_iter().collect(),
    };
    let mut members = Vec::new();
    for text in bound.list("Members") {
        members.push(member(session, text)?);
    }
    if bound.switch("CopyOwnerToMember") {
        members.extend(owners.iter().copied());
    }
    let mut body = Group::new(kind);
    (body.members, body.owners) = (members, owners);
    body.hidden_membership = bound.switch("HiddenGroupMembershipEnabled");
    body.description = bound.text("Notes").filter(|text| !text.is_empty()).map(Into::into);
    if let Some(text) = bound.list("Description").first() {
        body.description = Some((*text).into());
    }
    let at = session.at;
    let mut object = session.state.new_object(&display, &alias, Body::Group(Box::new(body)), at);
    object.addresses = vec![format!("SMTP:{primary}").into()];
    object.recipient = Some(Box::new(session.state.new_recipient(&name, details, at)));
    for attribute in ["MemberJoinRestriction", "MemberDepartRestriction", "SendModerationNotifications"] {
        if let Some(text) = bound.text(attribute) {
            object.extra_mut().exchange.set(attribute, text);
        }
    }
    for attribute in [
        "RequireSenderAuthenticationEnabled",
        "ModerationEnabled",
        "BypassNestedModerationEnabled",
        "BccBlocked",
    ] {
        if let Some(value) = bound.bool(attribute) {
            object.extra_mut().exchange.set(attribute, value);
        }
    }
    let outcome = session.edit().insert(object);
    let idx = outcome.map_err(|error| session.refused(error))?;
    session.name_target(idx);
    let reader = session.reader();
    let row = RecipientRow::new(&reader, RowClass::DistributionGroup, idx, session.object(idx)?);
    page.single(RowClass::DistributionGroup, &row);
    Ok(true)
}

/// The letters of a name that an alias may have.
pub(super) fn alias_from(name: &str) -> String {
    let alias: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(64).collect();
    if alias.is_empty() { "group".to_owned() } else { alias }
}

pub(super) fn remove(session: &mut Session<'_>) -> Shows {
    let idx = group_target(session, "Remove")?;
    let outcome = session.edit().purge(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}

/// Links of Microsoft 365 groups; apps may not change them.
pub(super) fn links(session: &mut Session<'_>, add: bool) -> Shows {
    refuse_apps(session)?;
    let group = session.target(is_unified_group)?;
    check_mastered(session, group, "Links")?;
    let kind = session.bound.text("LinkType").unwrap_or_default().to_owned();
    for text in session.bound.list("Links") {
        let (member, object) = session.reader().lookup(text, |object| object.user().is_some())?;
        let guest = object.details() == Some(RecipientTypeDetails::GuestMailUser);
        let is_member = session.object(group)?.group().is_some_and(|group| group.has_member(member));
        let owners = session.object(group)?.group().map_or(0, |group| group.owners.len());
        let outcome = match (kind.as_str(), add) {
            ("Members", true) if is_member => Ok(()),
            ("Members", true) => session.edit().add_member(group, member),
            ("Members", false) => {
                if session.object(group)?.group().is_some_and(|group| group.owners.contains(&member)) {
                    return Err(rule(format!(
                        "Only Members who are not owners can be removed from the group. \"{text}\" is an owner."
                    )));
                }
                session.edit().remove_member(group, member)
            }
            ("Owners", true) if guest => return Err(rule("A guest can't be an owner of a group.")),
            ("Owners", true) if !is_member => {
                return Err(rule(format!(
                    "Only Members can be owners of a group. Add \"{text}\" as a member first."
                )));
            }
            ("Owners", true) => match session.edit().add_owner(group, member) {
                Err(StateError::AlreadyOwner) => Ok(()),
                other => other,
            },
            ("Owners", false) if owners <= 1 => {
                return Err(rule("You can't remove the last owner: a group must have at least one owner."));
            }
            ("Owners", false) => session.edit().remove_owner(group, member),
            _ => Ok(()),
        };
        outcome.map_err(|error| edge(session, error, group, member))?;
    }
    Ok(false)
}

fn refuse_apps(session: &Session<'_>) -> Result<(), ExchangeError> {
    if session.caller.principal.is_app() {
        let cmdlet = session.bound.cmdlet.name.as_str();
        return Err(ExchangeError::new(Condition::AppOnlyUnsupported, [cmdlet]));
    }
    Ok(())
}

pub(super) fn create_unified(session: &mut Session<'_>, page: &mut Page) -> Shows {
    refuse_apps(session)?;
    let bound = session.bound;
    let display = bound.text("DisplayName").or(bound.text("Name")).unwrap_or_default().to_owned();
    session.object.clone_from(&display);
    if display.is_empty() {
        return Err(rule("A group needs a display name."));
    }
    let alias = match bound.text("Alias") {
        Some(alias) => alias.to_owned(),
        None => session.state.free_alias(&alias_from(&display)),
    };
    let primary = match bound.text("PrimarySmtpAddress") {
        Some(address) => address.to_owned(),
        None => format!("{alias}@{}", session.state.tenant.default_domain()),
    };
    session.accepted(&primary)?;
    let mut body = Group::new(GroupKind::Microsoft365);
    let is_person: fn(&Object) -> bool = |object| object.user().is_some();
    for text in bound.list("ManagedBy").into_iter().chain(bound.text("Owner")) {
        body.owners.push(session.reader().lookup(text, is_person)?.0);
    }
    if body.owners.is_empty() {
        body.owners.extend(session.caller_user());
    }
    for text in bound.list("Members") {
        body.members.push(session.reader().lookup(text, is_person)?.0);
    }
    body.members.extend(body.owners.iter().copied());
    body.description = bound.text("Notes").map(Into::into);
    body.hidden_membership = bound.switch("HiddenGroupMembershipEnabled");
    let access = bound.text("AccessType").unwrap_or("Private");
    body.visibility = Some(session.state.word(access));
    let at = session.at;
    let mut object = session.state.new_object(&display, &alias, Body::Group(Box::new(body)), at);
    object.addresses = vec![format!("SMTP:{primary}").into()];
    let name = bound
        .text("Name")
        .map_or_else(|| format!("{alias}_{}", &object.id.simple().to_string()[..10]), str::to_owned);
    object.recipient =
        Some(Box::new(session.state.new_recipient(&name, RecipientTypeDetails::GroupMailbox, at)));
    let outcome = session.edit().insert(object);
    let idx = outcome.map_err(|error| session.refused(error))?;
    session.name_target(idx);
    let reader = session.reader();
    let row = RecipientRow::new(&reader, RowClass::UnifiedGroup, idx, session.object(idx)?);
    page.single(RowClass::UnifiedGroup, &row);
    Ok(true)
}

pub(super) fn remove_unified(session: &mut Session<'_>) -> Shows {
    refuse_apps(session)?;
    let idx = session.target(is_unified_group)?;
    check_mastered(session, idx, "Remove")?;
    let outcome = session.edit().soft_delete(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}
