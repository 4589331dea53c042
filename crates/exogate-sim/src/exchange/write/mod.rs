//! The writing cmdlets: their rules, their effects, and a record of each in the audit log.
//!
//! Indices, change times and visibility belong to the state.

mod addresses;
mod contacts;
mod dynamic;
mod folders;
mod groups;
mod lists;
mod mailboxes;
mod organization;
mod permissions;
mod roles;
mod session;
mod set;
mod settings;
mod synced;

use serde_json::{Map, Value as Json};

use crate::server::Request;
use crate::state::{Actor, ActorKind, Face, NewAudit};
use crate::world::World;

use super::answer::Caller;
use super::bind::{Bound, logged};
use super::catalogue::{CmdletSpec, Kind};
use super::emit::Page;
use super::error::{Condition, ExchangeError};
use super::knobs::ExchangeKnobs;
use super::schema::RowClass;
use session::Session;

/// Runs a writing cmdlet; true when the answer has rows.
pub(super) fn run(
    ctx: &World,
    req: &Request,
    caller: &Caller,
    knobs: &ExchangeKnobs,
    bound: &Bound,
    page: &mut Page,
) -> Result<bool, ExchangeError> {
    let latency = ctx.audit_latency();
    let at = ctx.now();
    let mut state = ctx.state_mut();
    let mut session = Session {
        state: &mut state,
        at,
        knobs,
        sessions: &ctx.services.exchange.sessions,
        caller,
        bound,
        warnings: Vec::new(),
        object: bound.text("Identity").unwrap_or_default().to_owned(),
    };
    let outcome = dispatch(&mut session, page);
    let Session { warnings, object, .. } = session;
    page.warnings.extend(warnings);
    let record = NewAudit {
        workload: "Exchange",
        operation: bound.cmdlet.name.clone(),
        actor: actor(caller),
        object,
        parameters: bound.typed.clone(),
        succeeded: outcome.is_ok(),
        client_ip: req.client.map(|address| address.to_string()),
    };
    state.edit(Face::Exchange, at).audit(record, latency);
    outcome
}

fn dispatch(session: &mut Session<'_>, page: &mut Page) -> Result<bool, ExchangeError> {
    match session.bound.cmdlet.name.as_str() {
        "Set-Mailbox" => set::mailbox(session).map(|()| false),
        "Set-CASMailbox" => set::cas_mailbox(session).map(|()| false),
        "Set-User" => set::user(session).map(|()| false),
        "Set-MailUser" => set::mail_user(session).map(|()| false),
        "Set-DistributionGroup" => set::distribution_group(session).map(|()| false),
        "Set-DynamicDistributionGroup" => set::dynamic_group(session).map(|()| false),
        "Set-UnifiedGroup" => set::unified_group(session).map(|()| false),
        "Set-Group" => set::group(session).map(|()| false),
        "Set-MailboxAutoReplyConfiguration" => set::auto_reply(session).map(|()| false),
        "Set-MailboxRegionalConfiguration" => set::regional(session).map(|()| false),
        "Set-MailContact" => set::mail_contact(session).map(|()| false),
        "Set-Contact" => set::contact(session).map(|()| false),
        "Set-CalendarProcessing" => set::calendar_processing(session).map(|()| false),
        "Set-MailboxCalendarConfiguration" => set::calendar(session).map(|()| false),
        "Set-MailboxMessageConfiguration" => set::messages(session).map(|()| false),
        "Set-MailboxJunkEmailConfiguration" => set::junk(session).map(|()| false),
        "Set-OrganizationConfig" => organization::set(session, RowClass::OrganizationConfig).map(|()| false),
        "Set-AdminAuditLogConfig" => {
            organization::set(session, RowClass::AdminAuditLogConfig).map(|()| false)
        }
        "New-Mailbox" => mailboxes::create(session, page),
        "Enable-Mailbox" => mailboxes::enable(session, page),
        "Disable-Mailbox" => mailboxes::disable(session),
        "Remove-Mailbox" => mailboxes::remove(session),
        "Undo-SoftDeletedMailbox" => mailboxes::undo(session, page),
        "Add-MailboxPermission" => permissions::add_mailbox_permission(session, page),
        "Remove-MailboxPermission" => permissions::remove_mailbox_permission(session),
        "Add-RecipientPermission" => permissions::add_recipient_permission(session, page),
        "Remove-RecipientPermission" => permissions::remove_recipient_permission(session),
        "Add-MailboxFolderPermission" => folders::add(session, page),
        "Set-MailboxFolderPermission" => folders::set(session),
        "Remove-MailboxFolderPermission" => folders::remove(session),
        "New-DistributionGroup" => groups::create(session, page),
        "Remove-DistributionGroup" => groups::remove(session),
        "Add-DistributionGroupMember" => groups::add_member(session),
        "Remove-DistributionGroupMember" => groups::remove_member(session),
        "Update-DistributionGroupMember" => groups::update_members(session),
        "Add-UnifiedGroupLinks" => groups::links(session, true),
        "Remove-UnifiedGroupLinks" => groups::links(session, false),
        "New-UnifiedGroup" => groups::create_unified(session, page),
        "Remove-UnifiedGroup" => groups::remove_unified(session),
        "New-MailContact" => contacts::create_contact(session, page),
        "Remove-MailContact" => contacts::remove_contact(session),
        "New-MailUser" => contacts::create_user(session, page),
        "Remove-MailUser" => contacts::remove_user(session),
        "New-DynamicDistributionGroup" => dynamic::create(session, page),
        "Remove-DynamicDistributionGroup" => dynamic::remove(session),
        "New-RoleGroup" => roles::create_group(session, page),
        "Remove-RoleGroup" => roles::remove_group(session),
        "Add-RoleGroupMember" => roles::add_member(session),
        "Remove-RoleGroupMember" => roles::remove_member(session),
        "New-ServicePrincipal" => roles::create_principal(session, page),
        "Remove-ServicePrincipal" => roles::remove_principal(session),
        other => Err(ExchangeError::new(Condition::UnknownParameter, [other])),
    }
}

/// Notes a write that failed before it could begin.
pub(super) fn note_failure(
    ctx: &World,
    req: &Request,
    caller: &Caller,
    cmdlet: &CmdletSpec,
    parameters: &Map<String, Json>,
) {
    let kind = |name: &str| cmdlet.parameter(name).map_or(Kind::String, |(_, spec)| spec.kind);
    let typed: Vec<(String, String)> = parameters
        .iter()
        .filter(|(name, _)| !name.contains('@'))
        .map(|(name, value)| (name.clone(), logged(kind(name), value)))
        .collect();
    let target = typed.iter().find(|(name, _)| name.eq_ignore_ascii_case("Identity"));
    let record = NewAudit {
        workload: "Exchange",
        operation: cmdlet.name.clone(),
        actor: actor(caller),
        object: target.map(|(_, value)| value.clone()).unwrap_or_default(),
        parameters: typed,
        succeeded: false,
        client_ip: req.client.map(|address| address.to_string()),
    };
    let latency = ctx.audit_latency();
    let at = ctx.now();
    ctx.state_mut().edit(Face::Exchange, at).audit(record, latency);
}

fn actor(caller: &Caller) -> Actor {
    let principal = &caller.principal;
    let (kind, user_id) = match &principal.upn {
        Some(upn) => (ActorKind::Admin, upn.clone()),
        None => (ActorKind::ServicePrincipal, format!("ServicePrincipal_{}", principal.object_id)),
    };
    Actor { kind, user_id: user_id.into(), object_id: principal.object_id, app_id: Some(principal.app_id) }
}
