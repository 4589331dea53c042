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
}

impl StreamKind {
    /// Every stream.
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
        }
    }

    /// What the stream speaks for once it is complete.
    pub(super) fn covers(self) -> &'static [Coverage] {
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
        }
    }
}
