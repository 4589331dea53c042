//! What a stream of a run writes: one batch, one transaction, one checkpoint.

use exogate_model::account::Attributes;
use exogate_model::change::Learnt;
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use serde::{Deserialize, Serialize};

use crate::rendered::Rendered;
use crate::rows::{GroupExchangeRow, GroupRow, MailboxRow, MembershipRow, UserRow};

/// How far a stream of a run has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whether the stream is read to its end.
    pub done: bool,
    /// Where to go on: the next page's token, or whatever the stream wants to find again.
    pub cursor: Option<String>,
    /// Pages read.
    pub pages: u64,
    /// Objects read.
    pub objects: u64,
    /// What is to be said of the stream so far: fallbacks used, values left out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Which of the three places that hold rights on a mailbox a grant was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Facet {
    /// The permissions of the mailbox itself.
    MailboxPermission,
    /// The permissions of the recipient.
    SendAs,
    /// The list of those who may send on behalf.
    SendOnBehalf,
}

impl Facet {
    /// Every facet.
    pub const ALL: [Self; 3] = [Self::MailboxPermission, Self::SendAs, Self::SendOnBehalf];

    /// The name used in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::MailboxPermission => "mailboxPermission",
            Self::SendAs => "sendAs",
            Self::SendOnBehalf => "sendOnBehalf",
        }
    }
}

/// A part of the state that complete streams speak for: what they did not see is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Coverage {
    /// Users.
    Users,
    /// Mailboxes with their own attributes.
    Mailboxes,
    /// Client access attributes of mailboxes.
    CasAttributes,
    /// Every group but dynamic distribution groups.
    Groups,
    /// Dynamic distribution groups, which Exchange alone knows.
    DynamicGroups,
    /// Exchange attributes of groups.
    GroupExchange,
    /// Members and owners.
    Memberships,
    /// Grants of one facet, on all governed mailboxes.
    Grants(Facet),
}

/// One grant on a page of a tenant-wide listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// Key of the mailbox.
    pub mailbox: String,
    /// Where it was read.
    pub facet: Facet,
    /// The right.
    pub right: Right,
    /// The trustee as rendered.
    pub trustee: Trustee,
    /// A negative fact.
    pub deny: bool,
    /// Comes from a container.
    pub inherited: bool,
}

/// All grants of one facet of one mailbox. `mailbox` and `facet` of the rows are those of the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantSet {
    /// Key of the mailbox.
    pub mailbox: String,
    /// The facet.
    pub facet: Facet,
    /// Every grant of it: right, trustee, deny, inherited.
    pub grants: Vec<(Right, Trustee, bool, bool)>,
}

/// What a stream has read since its last checkpoint; stored in one transaction or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The stream, by a name of the caller's choice that stays the same between runs.
    pub stream: String,
    /// The stream's position after this batch. `None`: leave it as it is.
    pub checkpoint: Option<Checkpoint>,
    /// How it came to be read.
    pub learnt: Learnt,
    /// Users.
    pub users: Vec<UserRow>,
    /// Users whose attributes are rendered already; in the row there are none.
    pub rendered_users: Vec<(UserRow, Rendered)>,
    /// Mailboxes.
    pub mailboxes: Vec<MailboxRow>,
    /// Mailboxes whose attributes are rendered already; in the row there are none.
    pub rendered_mailboxes: Vec<(MailboxRow, Rendered)>,
    /// Client access attributes, by mailbox key.
    pub cas: Vec<(String, Attributes)>,
    /// Groups.
    pub groups: Vec<GroupRow>,
    /// What Exchange adds to groups.
    pub group_exchange: Vec<GroupExchangeRow>,
    /// Members and owners.
    pub memberships: Vec<MembershipRow>,
    /// Whole facets of single mailboxes: each replaces what was known of it.
    pub grant_sets: Vec<GrantSet>,
    /// Grants of a tenant-wide listing: what the listing does not show is settled at the end.
    pub grants: Vec<GrantRow>,
}

/// What a batch made of the objects in it (users, mailboxes, client access attributes, groups,
/// memberships and grants alike).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// Not known before.
    pub created: u64,
    /// Known, and different now.
    pub changed: u64,
    /// Known, and the same.
    pub unchanged: u64,
}

impl std::ops::AddAssign for BatchOutcome {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }
}
