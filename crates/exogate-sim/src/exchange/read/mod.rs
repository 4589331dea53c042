//! The reading cmdlets: what each lists and how it is narrowed.
//!
//! Rows and their formats are elsewhere; nothing here changes the state.

mod configuration;
pub(in crate::exchange) mod folder_statistics;
pub(in crate::exchange) mod folders;
mod groups;
mod listing;
mod mailboxes;
mod permissions;
pub(in crate::exchange) mod roles;
mod search;

use std::borrow::Cow;

use super::bind::{Arg, Bound};
use super::emit::Page;
use super::error::{Condition, ExchangeError};
use super::reader::Reader;
use super::render::Row;
use super::schema::{Property, RowClass};
use super::value::Value;

pub use listing::anr_matches;
pub use permissions::{mailbox_permission_cells, recipient_permission_cells};

/// A row whose values were put together by hand.
#[derive(Debug, Default)]
pub struct Cells<'a>(pub Vec<(&'static str, Value<'a>)>);

impl Row for Cells<'_> {
    fn cell(&self, property: &'static Property) -> Option<Value<'_>> {
        self.0.iter().find(|(name, _)| *name == property.name).map(|(_, value)| value.clone())
    }
}

impl Cells<'_> {
    /// A list of fixed texts.
    #[must_use]
    pub fn list(texts: &[&'static str]) -> Value<'static> {
        Value::List(texts.iter().map(|text| Cow::Borrowed(*text)).collect())
    }
}

/// Runs a reading cmdlet into a page; `None` when there is no such cmdlet.
///
/// # Errors
/// What the cmdlet refuses.
pub fn run(reader: &Reader<'_>, bound: &Bound, page: &mut Page) -> Option<Result<(), ExchangeError>> {
    Some(match bound.cmdlet.name.as_str() {
        "Get-Mailbox" => mailboxes::mailboxes(reader, bound, page),
        "Get-CASMailbox" => mailboxes::cas_mailboxes(reader, bound, page),
        "Get-MailboxStatistics" => mailboxes::statistics(reader, bound, page),
        "Get-MailboxAutoReplyConfiguration" => mailboxes::auto_reply(reader, bound, page),
        "Get-MailboxRegionalConfiguration" => mailboxes::regional(reader, bound, page),
        "Get-MailboxFolderStatistics" => folder_statistics::statistics(reader, bound, page),
        "Get-CalendarProcessing" => mailboxes::one(reader, bound, page, RowClass::CalendarProcessing),
        "Get-MailboxCalendarConfiguration" => {
            mailboxes::located(reader, bound, page, RowClass::MailboxCalendar)
        }
        "Get-MailboxMessageConfiguration" => mailboxes::one(reader, bound, page, RowClass::MailboxMessage),
        "Get-MailboxJunkEmailConfiguration" => mailboxes::one(reader, bound, page, RowClass::MailboxJunk),
        "Get-InboxRule" | "Get-MobileDevice" | "Get-MobileDeviceStatistics" => mailboxes::none(reader, bound),
        "Get-Contact" => listing::contacts(reader, bound, page),
        "Get-Recipient" => listing::recipients(reader, bound, page),
        "Get-User" => listing::users(reader, bound, page),
        "Get-MailUser" => listing::mail_users(reader, bound, page),
        "Get-MailContact" => listing::mail_contacts(reader, bound, page),
        "Get-DistributionGroup" => groups::distribution_groups(reader, bound, page),
        "Get-DistributionGroupMember" => groups::distribution_group_members(reader, bound, page),
        "Get-DynamicDistributionGroup" => groups::dynamic_groups(reader, bound, page),
        "Get-DynamicDistributionGroupMember" => groups::dynamic_group_members(reader, bound, page),
        "Get-UnifiedGroup" => groups::unified_groups(reader, bound, page),
        "Get-UnifiedGroupLinks" => groups::unified_group_links(reader, bound, page),
        "Get-Group" => groups::groups(reader, bound, page),
        "Get-MailboxPermission" => permissions::mailbox_permissions(reader, bound, page),
        "Get-RecipientPermission" => permissions::recipient_permissions(reader, bound, page),
        "Get-MailboxFolderPermission" => folders::folder_permissions(reader, bound, page),
        "Get-OrganizationConfig" => configuration::organization(reader, page),
        "Get-AcceptedDomain" => configuration::accepted_domains(reader, bound, page),
        "Get-MailboxPlan" => configuration::mailbox_plans(reader, bound, page),
        "Get-RoleAssignmentPolicy" => configuration::role_assignment_policies(reader, bound, page),
        "Get-OwaMailboxPolicy" => configuration::owa_mailbox_policies(reader, bound, page),
        "Get-AdminAuditLogConfig" => configuration::admin_audit_log(reader, page),
        "Get-RetentionPolicy" => configuration::retention_policies(reader, bound, page),
        "Get-SharingPolicy" => configuration::sharing_policies(reader, bound, page),
        "Get-AuthenticationPolicy" => configuration::authentication_policies(bound),
        "Get-CASMailboxPlan" => configuration::cas_mailbox_plans(reader, bound, page),
        "Get-RoleGroup" => roles::role_groups(reader, bound, page),
        "Get-RoleGroupMember" => roles::members(reader, bound, page),
        "Get-ManagementRole" => roles::roles(reader, bound, page),
        "Get-ManagementRoleAssignment" => roles::assignments(reader, bound, page),
        "Get-ServicePrincipal" => roles::principals(reader, bound, page),
        "Search-UnifiedAuditLog" => search::unified_audit_log(reader, bound, page),
        _ => return None,
    })
}

/// What an Identity parameter asks for.
pub(super) enum Asked<'b> {
    /// No identity was given.
    Everything,
    /// A null or empty one, which returns everything as the reference warns.
    NullEverything,
    /// This one.
    One(&'b str),
}

pub(super) fn asked<'b>(
    reader: &Reader<'_>,
    bound: &'b Bound,
    name: &'static str,
) -> Result<Asked<'b>, ExchangeError> {
    match bound.get(name) {
        None => Ok(Asked::Everything),
        Some(Arg::Text(text)) if !text.trim().is_empty() => Ok(Asked::One(text)),
        Some(_)
            if reader.knobs.null_identity_returns_all
                && !bound.cmdlet.parameters[name].required_in(bound.set) =>
        {
            Ok(Asked::NullEverything)
        }
        Some(_) => Err(ExchangeError::new(Condition::NullParameter, [name])),
    }
}
