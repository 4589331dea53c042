//! What a source is asked to do: its options, in the words of the reference where it has them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::group::GroupKind;
use crate::mailbox::MailboxKind;

/// The options of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOptions {
    /// Read and change mailboxes, rights on them and Exchange attributes ("Manage Exchange Online").
    pub manage_exchange_online: bool,
    /// Also aggregate distribution lists ("Aggregate All Groups").
    pub aggregate_all_groups: bool,
    /// Also aggregate Microsoft 365 groups ("Manage Office 365 Groups").
    pub manage_microsoft_365_groups: bool,
    /// Also aggregate `SendOnBehalf`, which the reference does not know.
    pub send_on_behalf: bool,
    /// The kinds of mailbox whose rights are entitlements.
    pub entitlement_mailboxes: Vec<MailboxSelection>,
    /// A run that would delete more than this percentage of the accounts, mailboxes or groups
    /// known before stops and asks.
    pub deletion_guard_percent: u8,
    /// Send `BypassSecurityGroupManagerCheck` where a cmdlet knows it, since an application can own
    /// no group (the reference's `enableByPassSecurityManagerCheck`). Has no effect when a user signs in.
    pub bypass_security_group_manager_check: bool,
    /// Make users in Entra, change their attributes, block them and set their passwords.
    pub manage_users: bool,
    /// The domain of new users whose name is given without one.
    pub user_domain: Option<String>,
    /// Delete users in Entra; with `manage_users` only.
    pub delete_users: bool,
    /// What deleting an account amounts to.
    pub account_deletion: AccountDeletion,
    /// How long the feed of changes is kept.
    pub keep_changes: Duration,
}

/// What deleting an account amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountDeletion {
    /// It is refused.
    #[default]
    Refuse,
    /// The account loses its rights on mailboxes and its places in groups, and stays.
    Deprovision,
}

impl AccountDeletion {
    /// Each with its name in configuration.
    pub const ALL: [(&'static str, Self); 2] = [("refuse", Self::Refuse), ("deprovision", Self::Deprovision)];
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            manage_exchange_online: true,
            aggregate_all_groups: false,
            manage_microsoft_365_groups: false,
            send_on_behalf: true,
            entitlement_mailboxes: vec![MailboxSelection::Shared],
            deletion_guard_percent: 10,
            bypass_security_group_manager_check: true,
            manage_users: false,
            user_domain: None,
            delete_users: false,
            account_deletion: AccountDeletion::Refuse,
            keep_changes: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

/// A kind of mailbox that can be chosen for entitlements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailboxSelection {
    /// Shared mailboxes.
    Shared,
    /// Rooms.
    Room,
    /// Equipment.
    Equipment,
    /// People's own mailboxes: one call for each of them.
    User,
}

impl SourceOptions {
    /// Whether groups of this kind are aggregated.
    pub fn aggregates(&self, kind: GroupKind) -> bool {
        match kind {
            GroupKind::Security | GroupKind::MailEnabledSecurity => true,
            GroupKind::DistributionList => self.aggregate_all_groups,
            GroupKind::DynamicDistribution => self.aggregate_all_groups && self.manage_exchange_online,
            GroupKind::Microsoft365 => self.manage_microsoft_365_groups,
        }
    }

    /// The principal name of a new user: the name given, with the domain of new users where it has none.
    pub fn principal_name(&self, name: &str) -> String {
        match &self.user_domain {
            Some(domain) if !name.contains('@') => format!("{name}@{domain}"),
            _ => name.to_owned(),
        }
    }

    /// Whether rights on mailboxes of this kind are entitlements.
    pub fn governs(&self, kind: &MailboxKind) -> bool {
        let selection = match kind {
            MailboxKind::Shared => MailboxSelection::Shared,
            MailboxKind::Room => MailboxSelection::Room,
            MailboxKind::Equipment => MailboxSelection::Equipment,
            MailboxKind::User => MailboxSelection::User,
            MailboxKind::Other(_) => return false,
        };
        self.entitlement_mailboxes.contains(&selection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_domain_gets_the_one_of_new_users() {
        let plain = SourceOptions::default();
        assert_eq!(plain.principal_name("kim"), "kim");
        let options = SourceOptions { user_domain: Some("contoso.com".to_owned()), ..plain };
        assert_eq!(options.principal_name("kim"), "kim@contoso.com");
        assert_eq!(options.principal_name("kim@fabrikam.com"), "kim@fabrikam.com");
    }

    #[test]
    fn group_kinds_follow_the_reference() {
        let aggregated = |options: &SourceOptions| {
            [
                GroupKind::Security,
                GroupKind::MailEnabledSecurity,
                GroupKind::DistributionList,
                GroupKind::DynamicDistribution,
                GroupKind::Microsoft365,
            ]
            .map(|kind| options.aggregates(kind))
        };
        let default = SourceOptions::default();
        assert_eq!(aggregated(&default), [true, true, false, false, false]);
        let all = SourceOptions { aggregate_all_groups: true, ..default.clone() };
        assert_eq!(aggregated(&all), [true, true, true, true, false]);
        let graph_alone = SourceOptions { manage_exchange_online: false, ..all.clone() };
        assert_eq!(aggregated(&graph_alone), [true, true, true, false, false]);
        assert_eq!(
            aggregated(&SourceOptions { manage_microsoft_365_groups: true, ..default }),
            [true, true, false, false, true]
        );
    }
}
