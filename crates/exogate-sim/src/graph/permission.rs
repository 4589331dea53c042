//! Which permissions let a caller do what: the least one and all that include it.

use super::error::GraphError;
use super::schema::Type;
use crate::token::Principal;

/// Something a caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Basic profile of users.
    ReadUsersBasic,
    /// Full profile of users.
    ReadUsers,
    /// `mailboxSettings`
    ReadMailboxSettings,
    /// `signInActivity`
    ReadSignIns,
    /// `employeeLeaveDateTime`
    ReadLeave,
    /// Create and change users, set managers.
    WriteUsers,
    /// Delete and restore users.
    DeleteUsers,
    /// `accountEnabled`
    EnableUsers,
    /// `mobilePhone`, `businessPhones`
    WritePhones,
    /// `mail`, `otherMails`
    WriteMails,
    /// `passwordProfile`
    WritePasswords,
    /// `revokeSignInSessions`
    RevokeSessions,
    /// `assignLicense`
    AssignLicences,
    /// `subscribedSkus`
    ReadSkus,
    /// Groups themselves.
    ReadGroups,
    /// Members and owners.
    ReadMembers,
    /// Members of groups that hide them.
    ReadHiddenMembers,
    /// Add and remove members.
    WriteMembers,
    /// Change and delete groups, their owners.
    WriteGroups,
    /// Create groups.
    CreateGroups,
    /// Groups that carry directory roles.
    WriteRoleGroups,
    /// Contacts.
    ReadContacts,
    /// Anything of the directory by id.
    ReadDirectory,
    /// Organisation and domains.
    ReadOrganization,
    /// Directory roles.
    ReadRoles,
    /// Applications and service principals.
    ReadApps,
    /// Application permissions granted to applications.
    WriteGrants,
}

const fn permissions(act: Act) -> &'static [&'static str] {
    match act {
        Act::ReadUsersBasic => &[
            "User.ReadBasic.All",
            "User.Read.All",
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadUsers => &[
            "User.Read.All",
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadMailboxSettings => &["MailboxSettings.Read", "MailboxSettings.ReadWrite"],
        Act::ReadSignIns => &["AuditLog.Read.All"],
        Act::ReadLeave => &["User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"],
        Act::WriteUsers => &["User.ReadWrite.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All"],
        Act::DeleteUsers => &[
            "User.DeleteRestore.All",
            "User.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::EnableUsers => &[
            "User.EnableDisableAccount.All",
            "User.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::WritePhones => &[
            "User-Phone.ReadWrite.All",
            "User.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::WriteMails => &[
            "User-Mail.ReadWrite.All",
            "User.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::WritePasswords => &["User-PasswordProfile.ReadWrite.All", "Directory.AccessAsUser.All"],
        Act::RevokeSessions => &["User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"],
        Act::AssignLicences => &[
            "LicenseAssignment.ReadWrite.All",
            "User.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadSkus => &[
            "LicenseAssignment.Read.All",
            "LicenseAssignment.ReadWrite.All",
            "Organization.Read.All",
            "Organization.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadGroups => &[
            "Group.ReadBasic.All",
            "GroupMember.Read.All",
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadMembers => &[
            "GroupMember.ReadBasic.All",
            "GroupMember.Read.All",
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadHiddenMembers => &["Member.Read.Hidden"],
        Act::WriteMembers => &[
            "GroupMember.ReadWrite.All",
            "Group.ReadWrite.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::WriteGroups => &["Group.ReadWrite.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All"],
        Act::CreateGroups => {
            &["Group.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All"]
        }
        Act::WriteRoleGroups => &["RoleManagement.ReadWrite.Directory"],
        Act::ReadContacts => &[
            "OrgContact.Read.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadDirectory => {
            &["Directory.Read.All", "Directory.ReadWrite.All", "Directory.AccessAsUser.All"]
        }
        Act::ReadOrganization => &[
            // For signed-in users the plain profile permission is enough.
            "User.Read",
            "Organization.Read.All",
            "Organization.ReadWrite.All",
            "Domain.Read.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::ReadRoles => &[
            "RoleManagement.Read.Directory",
            "RoleManagement.ReadWrite.Directory",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
        Act::WriteGrants => &["AppRoleAssignment.ReadWrite.All"],
        Act::ReadApps => &[
            "Application.Read.All",
            "Application.ReadWrite.All",
            "Application.ReadWrite.OwnedBy",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
            "Directory.AccessAsUser.All",
        ],
    }
}

/// Whether the caller may.
#[must_use]
pub fn may(principal: &Principal, act: Act) -> bool {
    let held = if principal.is_app() { &principal.roles } else { &principal.scopes };
    permissions(act).iter().any(|permission| held.iter().any(|have| have.eq_ignore_ascii_case(permission)))
}

/// Lets the caller through if any of the acts is allowed.
///
/// # Errors
/// 403
pub fn require(principal: &Principal, acts: &[Act]) -> Result<(), GraphError> {
    if acts.iter().any(|act| may(principal, *act)) { Ok(()) } else { Err(GraphError::denied()) }
}

/// Whether the caller sees more of an object of this type than its id.
#[must_use]
pub fn sees(principal: &Principal, kind: Type) -> bool {
    may(
        principal,
        match kind {
            Type::User => Act::ReadUsersBasic,
            Type::Group => Act::ReadGroups,
            Type::Contact => Act::ReadContacts,
            Type::Principal => Act::ReadApps,
        },
    )
}
