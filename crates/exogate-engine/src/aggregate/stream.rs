//! The streams of an aggregation: each a listing of its own with checkpoints of its own.

use exogate_store::{Coverage, Facet};

/// A stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Users of Entra.
    Users,
    /// Groups of Entra with members and owners.
    Groups,
    /// Mailboxes with their attributes, and who may send on their behalf.
    Mailboxes,
    /// Client access settings of mailboxes.
    CasMailboxes,
    /// Exchange attributes of distribution lists and mail-enabled security groups.
    DistributionGroups,
    /// Exchange attributes of Microsoft 365 groups.
    Microsoft365Groups,
    /// Dynamic distribution groups.
    DynamicGroups,
    /// Who may send as a mailbox.
    SendAs,
    /// The permissions of governed mailboxes.
    MailboxPermissions,
    /// What the directory says is different about users.
    UserChanges,
    /// What the directory says is different about groups, members and owners.
    GroupChanges,
    /// Mailboxes whose time of change is new.
    MailboxChanges,
    /// Groups in Exchange whose time of change is new.
    ExchangeGroupChanges,
    /// What the audit log says was done.
    Activity,
    /// The ids of all mailboxes, to find those that came or went unnoticed.
    Sweep,
    /// Single mailboxes that were read again.
    Reread,
}

impl StreamKind {
    /// Every stream, those that read only differences included.
    pub(crate) const EVERY: [Self; 16] = [
        Self::Users,
        Self::Groups,
        Self::Mailboxes,
        Self::CasMailboxes,
        Self::DistributionGroups,
        Self::Microsoft365Groups,
        Self::DynamicGroups,
        Self::SendAs,
        Self::MailboxPermissions,
        Self::UserChanges,
        Self::GroupChanges,
        Self::MailboxChanges,
        Self::ExchangeGroupChanges,
        Self::Activity,
        Self::Sweep,
        Self::Reread,
    ];

    /// The streams of a full aggregation.
    pub const ALL: [Self; 9] = [
        Self::Users,
        Self::Groups,
        Self::Mailboxes,
        Self::CasMailboxes,
        Self::DistributionGroups,
        Self::Microsoft365Groups,
        Self::DynamicGroups,
        Self::SendAs,
        Self::MailboxPermissions,
    ];

    /// The name used in the store and in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Mailboxes => "mailboxes",
            Self::CasMailboxes => "casMailboxes",
            Self::DistributionGroups => "distributionGroups",
            Self::Microsoft365Groups => "microsoft365Groups",
            Self::DynamicGroups => "dynamicGroups",
            Self::SendAs => "sendAs",
            Self::MailboxPermissions => "mailboxPermissions",
            Self::UserChanges => "userChanges",
            Self::GroupChanges => "groupChanges",
            Self::MailboxChanges => "mailboxChanges",
            Self::ExchangeGroupChanges => "exchangeGroupChanges",
            Self::Activity => "activity",
            Self::Sweep => "sweep",
            Self::Reread => "reread",
        }
    }

    /// Whether all that the stream brings are rights on mailboxes.
    pub(crate) fn brings_only_rights(self) -> bool {
        matches!(self, Self::SendAs | Self::MailboxPermissions)
    }

    /// What the stream speaks for once it is complete.
    pub(crate) fn covers(self) -> &'static [Coverage] {
        match self {
            Self::Users => &[Coverage::Users],
            Self::Groups => &[Coverage::Groups, Coverage::Memberships],
            Self::Mailboxes => &[Coverage::Mailboxes, Coverage::Grants(Facet::SendOnBehalf)],
            Self::CasMailboxes => &[Coverage::CasAttributes],
            // The two listings together speak for this part: see `settle`.
            Self::DistributionGroups | Self::Microsoft365Groups => &[],
            Self::DynamicGroups => &[Coverage::DynamicGroups],
            Self::SendAs => &[Coverage::Grants(Facet::SendAs)],
            Self::MailboxPermissions => &[Coverage::Grants(Facet::MailboxPermission)],
            // These speak for single objects only.
            Self::UserChanges
            | Self::GroupChanges
            | Self::MailboxChanges
            | Self::ExchangeGroupChanges
            | Self::Activity
            | Self::Sweep
            | Self::Reread => &[],
        }
    }
}
