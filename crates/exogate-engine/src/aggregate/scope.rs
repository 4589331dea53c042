//! What an aggregation is asked for, and which streams that takes.

use std::fmt;
use std::str::FromStr;

use exogate_model::catalogue::ExchangeObject;
use thiserror::Error;

use super::stream::StreamKind;
use crate::read::attributes::AttributeReader;
use crate::tenant::SourceContext;

/// What an aggregation reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Accounts with everything that is shown on them, groups and rights included.
    Accounts,
    /// Groups with members and owners.
    Groups,
    /// Shared mailboxes with the rights on them, and groups.
    Entitlements,
    /// Everything.
    All,
}

/// A scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is nothing called {0:?} to aggregate; it is accounts, groups, entitlements or all")]
pub struct UnknownScope(String);

impl Scope {
    /// The name used on the command line and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Groups => "groups",
            Self::Entitlements => "entitlements",
            Self::All => "all",
        }
    }

    /// The streams to read, in the order of [`StreamKind::ALL`].
    pub fn streams(self, context: &SourceContext, exchange: bool) -> Vec<StreamKind> {
        let wants = |kind: StreamKind| {
            let mailboxes = self != Self::Groups;
            match kind {
                StreamKind::Users => matches!(self, Self::Accounts | Self::All),
                StreamKind::Groups => true,
                StreamKind::Mailboxes => exchange && mailboxes,
                StreamKind::CasMailboxes => {
                    exchange
                        && matches!(self, Self::Accounts | Self::All)
                        && !AttributeReader::exchange(&context.account_schema, &[ExchangeObject::CasMailbox])
                            .is_empty()
                }
                // Their names in Exchange are also how trustees are recognised.
                StreamKind::DistributionGroups => exchange,
                StreamKind::Microsoft365Groups => {
                    exchange
                        && self != Self::Accounts
                        && context.options.manage_microsoft_365_groups
                        && context
                            .group_schema
                            .attributes()
                            .iter()
                            .any(|a| a.name.starts_with(exogate_model::account::EXCHANGE_PREFIX))
                }
                StreamKind::DynamicGroups => {
                    exchange
                        && matches!(self, Self::Groups | Self::All)
                        && context.options.aggregate_all_groups
                }
                StreamKind::SendAs | StreamKind::MailboxPermissions => {
                    exchange && mailboxes && !context.governed_kinds().is_empty()
                }
                // Those that read only differences are not listings.
                _ => false,
            }
        };
        StreamKind::ALL.into_iter().filter(|kind| wants(*kind)).collect()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Accounts, Self::Groups, Self::Entitlements, Self::All]
            .into_iter()
            .find(|scope| scope.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::{AttributeRequest, Schema};
    use exogate_model::source::SourceOptions;

    use super::*;

    fn context(options: SourceOptions, account: &[&str], group: &[&str]) -> SourceContext {
        let requests = |names: &[&str]| {
            names.iter().map(|n| AttributeRequest::Name((*n).to_owned())).collect::<Vec<_>>()
        };
        SourceContext {
            account_schema: Schema::account(&requests(account), options.manage_exchange_online).unwrap(),
            group_schema: Schema::group(&requests(group)).unwrap(),
            options,
        }
    }

    #[test]
    fn only_what_is_asked_for_is_read() {
        use StreamKind::*;
        let plain = context(SourceOptions::default(), &["EXO_Alias"], &[]);
        assert_eq!(
            Scope::All.streams(&plain, true),
            [Users, Groups, Mailboxes, DistributionGroups, SendAs, MailboxPermissions]
        );
        assert_eq!(Scope::All.streams(&plain, false), [Users, Groups]);
        assert_eq!(Scope::Groups.streams(&plain, true), [Groups, DistributionGroups]);
        let everything = context(
            SourceOptions {
                aggregate_all_groups: true,
                manage_microsoft_365_groups: true,
                ..SourceOptions::default()
            },
            &["EXO_ImapEnabled"],
            &["EXO_ManagedBy"],
        );
        assert_eq!(Scope::All.streams(&everything, true), StreamKind::ALL);
        let none = context(
            SourceOptions { entitlement_mailboxes: Vec::new(), ..SourceOptions::default() },
            &[],
            &[],
        );
        assert!(!Scope::All.streams(&none, true).contains(&MailboxPermissions));
    }

    #[test]
    fn another_schema_is_another_fingerprint_and_another_guard_is_not() {
        let base = context(SourceOptions::default(), &[], &[]);
        let guarded =
            context(SourceOptions { deletion_guard_percent: 50, ..SourceOptions::default() }, &[], &[]);
        assert_eq!(base.fingerprint(), guarded.fingerprint());
        assert_ne!(base.fingerprint(), context(SourceOptions::default(), &["EXO_Alias"], &[]).fingerprint());
    }

    #[test]
    fn scopes_read_back() {
        for name in ["accounts", "groups", "entitlements", "ALL"] {
            assert_eq!(name.parse::<Scope>().unwrap().name(), name.to_lowercase());
        }
        assert!("everything".parse::<Scope>().is_err());
    }
}
