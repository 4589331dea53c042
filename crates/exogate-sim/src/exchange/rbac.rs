//! Which role may run which cmdlet, and which parameters a role does not have.
//!
//! It reads a principal and the role groups; how a refusal looks is the answer's business.

use crate::state::app::role;
use crate::state::{Idx, State};
use crate::token::Principal;

use super::catalogue::{CmdletSpec, catalogue};
use super::knobs::ExchangeKnobs;

/// What a caller may do, as the union of his roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    organization: bool,
    recipients: bool,
    view_only: bool,
    view_recipients: bool,
    security: bool,
    audit: bool,
    group_creation: bool,
    extra_view: bool,
}

const BYPASS: &str = "BypassSecurityGroupManagerCheck";

impl Access {
    /// What the principal's directory roles and role groups add up to.
    #[must_use]
    pub fn of(principal: &Principal, state: &State) -> Self {
        let mut access = Self::default();
        for wid in &principal.wids {
            access.add_directory_role(*wid);
        }
        if principal.is_app() {
            for group in state.app(principal.app_id).map_or(&[][..], |app| app.role_groups.as_slice()) {
                access.add_role_group(group, state);
            }
        } else if let Some(user) = state.find(principal.object_id) {
            access.add_user(user, state);
        }
        access
    }

    fn add_user(&mut self, user: Idx, state: &State) {
        for directory_role in state.directory_roles.iter().filter(|held| held.members.contains(&user)) {
            self.add_directory_role(directory_role.template);
        }
        for group in state.role_groups.iter().filter(|group| group.members.contains(&user)) {
            self.add_role_group(&group.name, state);
        }
    }

    fn add_directory_role(&mut self, template: uuid::Uuid) {
        match template {
            role::GLOBAL_ADMINISTRATOR | role::EXCHANGE_ADMINISTRATOR => {
                self.organization = true;
                self.audit = true;
                self.group_creation = true;
            }
            role::EXCHANGE_RECIPIENT_ADMINISTRATOR => self.recipients = true,
            role::GLOBAL_READER => self.view_only = true,
            role::COMPLIANCE_ADMINISTRATOR => {
                self.audit = true;
                self.view_recipients = true;
            }
            role::SECURITY_ADMINISTRATOR => {
                self.security = true;
                self.audit = true;
            }
            role::SECURITY_READER => self.security = true,
            role::HELPDESK_ADMINISTRATOR => self.view_recipients = true,
            _ => {}
        }
    }

    fn add_role_group(&mut self, name: &str, state: &State) {
        match name.to_ascii_lowercase().as_str() {
            "organization management" => {
                self.organization = true;
                self.audit = true;
                self.group_creation = true;
            }
            "recipient management" => self.recipients = true,
            "view-only organization management" => self.view_only = true,
            "help desk" => self.view_recipients = true,
            "security reader" | "security administrator" => self.security = true,
            "compliance management" => {
                self.audit = true;
                self.view_recipients = true;
            }
            _ => {}
        }
        let roles = state.role_groups.iter().find(|group| group.name.eq_ignore_ascii_case(name));
        for carried in roles.map_or(&[][..], |group| group.roles.as_slice()) {
            match carried.to_ascii_lowercase().as_str() {
                "mail recipients" | "mail recipient creation" => {
                    self.recipients = true;
                    self.extra_view = true;
                }
                "view-only recipients" => self.view_recipients = true,
                "view-only configuration" => self.security = true,
                "security group creation and membership" => self.group_creation = true,
                "distribution groups" => self.recipients = true,
                "audit logs" | "view-only audit logs" => self.audit = true,
                "organization configuration" => self.organization = true,
                _ => {}
            }
        }
    }

    /// Whether the caller holds any role at all.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Whether the cmdlet is in the caller's session.
    #[must_use]
    pub fn may_run(&self, cmdlet: &CmdletSpec, knobs: &ExchangeKnobs) -> bool {
        let name = cmdlet.name.as_str();
        if name == "Search-UnifiedAuditLog" {
            return self.audit;
        }
        if self.organization {
            return true;
        }
        if is_configuration(name) {
            let light = matches!(
                name,
                "Get-AcceptedDomain" | "Get-MailboxPlan" | "Get-CASMailboxPlan" | "Get-RetentionPolicy"
            );
            let reads = self.view_only
                || (light && (self.recipients || self.security || self.view_recipients))
                || (name == "Get-AdminAuditLogConfig" && self.audit);
            return !cmdlet.writes() && reads;
        }
        if self.recipients {
            return true;
        }
        if cmdlet.writes() {
            return false;
        }
        if name == "Get-RecipientPermission" {
            return self.extra_view || (self.view_only && knobs.global_reader_recipient_permission);
        }
        self.view_only || self.view_recipients
    }

    /// Parameters that do not exist for the caller.
    #[must_use]
    pub fn hidden_parameters(&self, knobs: &ExchangeKnobs) -> &'static [&'static str] {
        if knobs.hide_bypass_from_recipient_management && !self.organization && !self.group_creation {
            &[BYPASS]
        } else {
            &[]
        }
    }

    /// Whether the group-manager check may be bypassed.
    #[must_use]
    pub fn may_bypass_manager_check(&self) -> bool {
        self.organization || self.group_creation || self.recipients
    }

    /// The cmdlets in the caller's session, by name.
    #[must_use]
    pub fn cmdlets(&self, knobs: &ExchangeKnobs) -> Vec<&'static CmdletSpec> {
        catalogue().served().into_iter().filter(|cmdlet| self.may_run(cmdlet, knobs)).collect()
    }
}

/// Cmdlets about the organisation and its roles, not about recipients.
fn is_configuration(name: &str) -> bool {
    let noun = name.split_once('-').map_or("", |(_, noun)| noun);
    matches!(
        noun,
        "OrganizationConfig"
            | "AcceptedDomain"
            | "MailboxPlan"
            | "CASMailboxPlan"
            | "RoleAssignmentPolicy"
            | "OwaMailboxPolicy"
            | "RetentionPolicy"
            | "SharingPolicy"
            | "AuthenticationPolicy"
            | "AdminAuditLogConfig"
            | "RoleGroup"
            | "RoleGroupMember"
            | "ManagementRole"
            | "ManagementRoleAssignment"
            | "ServicePrincipal"
    )
}
