//! The Exchange side of an object: recipient, mailbox, folder permissions. Defaults of the
//! attributes that are not here are computed by the Exchange face.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ace::{Ace, Rights, Trustee};
use super::{Idx, Text};
use crate::clock::Time;

/// `RecipientTypeDetails`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecipientTypeDetails {
    UserMailbox,
    SharedMailbox,
    RoomMailbox,
    EquipmentMailbox,
    SchedulingMailbox,
    DiscoveryMailbox,
    GroupMailbox,
    MailUser,
    GuestMailUser,
    MailContact,
    MailUniversalDistributionGroup,
    MailUniversalSecurityGroup,
    RoomList,
    DynamicDistributionGroup,
}

impl RecipientTypeDetails {
    pub const ALL: [Self; 14] = [
        Self::UserMailbox,
        Self::SharedMailbox,
        Self::RoomMailbox,
        Self::EquipmentMailbox,
        Self::SchedulingMailbox,
        Self::DiscoveryMailbox,
        Self::GroupMailbox,
        Self::MailUser,
        Self::GuestMailUser,
        Self::MailContact,
        Self::MailUniversalDistributionGroup,
        Self::MailUniversalSecurityGroup,
        Self::RoomList,
        Self::DynamicDistributionGroup,
    ];

    /// The kinds that Get-Mailbox returns without a special switch.
    pub const MAILBOXES: [Self; 6] = [
        Self::UserMailbox,
        Self::SharedMailbox,
        Self::RoomMailbox,
        Self::EquipmentMailbox,
        Self::SchedulingMailbox,
        Self::DiscoveryMailbox,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserMailbox => "UserMailbox",
            Self::SharedMailbox => "SharedMailbox",
            Self::RoomMailbox => "RoomMailbox",
            Self::EquipmentMailbox => "EquipmentMailbox",
            Self::SchedulingMailbox => "SchedulingMailbox",
            Self::DiscoveryMailbox => "DiscoveryMailbox",
            Self::GroupMailbox => "GroupMailbox",
            Self::MailUser => "MailUser",
            Self::GuestMailUser => "GuestMailUser",
            Self::MailContact => "MailContact",
            Self::MailUniversalDistributionGroup => "MailUniversalDistributionGroup",
            Self::MailUniversalSecurityGroup => "MailUniversalSecurityGroup",
            Self::RoomList => "RoomList",
            Self::DynamicDistributionGroup => "DynamicDistributionGroup",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.as_str().eq_ignore_ascii_case(name))
    }

    /// The coarser `RecipientType`.
    #[must_use]
    pub const fn recipient_type(self) -> &'static str {
        match self {
            Self::MailUser | Self::GuestMailUser => "MailUser",
            Self::MailContact => "MailContact",
            Self::MailUniversalDistributionGroup | Self::RoomList | Self::GroupMailbox => {
                "MailUniversalDistributionGroup"
            }
            Self::MailUniversalSecurityGroup => "MailUniversalSecurityGroup",
            Self::DynamicDistributionGroup => "DynamicDistributionGroup",
            _ => "UserMailbox",
        }
    }

    /// A mailbox that Get-Mailbox lists.
    #[must_use]
    pub fn is_mailbox(self) -> bool {
        Self::MAILBOXES.contains(&self)
    }

    #[must_use]
    pub const fn is_group(self) -> bool {
        matches!(
            self,
            Self::GroupMailbox
                | Self::MailUniversalDistributionGroup
                | Self::MailUniversalSecurityGroup
                | Self::RoomList
                | Self::DynamicDistributionGroup
        )
    }
}

impl fmt::Display for RecipientTypeDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Exchange knows of a mail-enabled object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// `Guid` and `ExchangeObjectId`.
    pub guid: Uuid,
    /// `Name`: a human name in older objects, the object id in newer tenants. Unique.
    pub name: Text,
    pub details: RecipientTypeDetails,
    #[serde(default)]
    pub hidden_from_address_lists: bool,
    /// Explicit SendAs entries; see [`Recipient::send_as_rows`] for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub send_as: Vec<Ace>,
    /// `GrantSendOnBehalfTo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub send_on_behalf: Vec<Idx>,
    /// `ExternalEmailAddress` of mail users and contacts, with its `SMTP:` prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_address: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<Box<Mailbox>>,
}

impl Recipient {
    /// Every SendAs row: SELF first on mailboxes, then the explicit ones.
    pub fn send_as_rows(&self) -> impl Iterator<Item = Ace> + '_ {
        self.mailbox
            .is_some()
            .then(|| Ace::allow(Trustee::Itself, Rights::SEND_AS))
            .into_iter()
            .chain(self.send_as.iter().cloned())
    }
}

/// What a mailbox has beyond a recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mailbox {
    pub exchange_guid: Uuid,
    pub created: Time,
    /// Explicit and inherited entries except SELF; see [`Mailbox::rows`] for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aces: Vec<Ace>,
    /// SELF appears a second time, with ExternalAccount.
    #[serde(default)]
    pub self_twice: bool,
    /// Litigation hold; a deleted mailbox on hold is inactive, not soft-deleted.
    #[serde(default)]
    pub litigation_hold: bool,
    /// Delegates whose Outlook maps the mailbox by itself: written, never read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auto_map: Vec<Idx>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<FolderPermission>,
}

impl Mailbox {
    #[must_use]
    pub fn new(exchange_guid: Uuid, created: Time) -> Self {
        Self {
            exchange_guid,
            created,
            aces: Vec::new(),
            self_twice: false,
            litigation_hold: false,
            auto_map: Vec::new(),
            folders: Vec::new(),
        }
    }

    /// Every row of the access control list in print order: SELF (once or twice), then the rest.
    pub fn rows(&self) -> impl Iterator<Item = Ace> + '_ {
        let own = Rights::FULL_ACCESS | Rights::READ_PERMISSION;
        let second = self.self_twice.then(|| Ace::allow(Trustee::Itself, own | Rights::EXTERNAL_ACCOUNT));
        std::iter::once(Ace::allow(Trustee::Itself, own)).chain(second).chain(self.aces.iter().cloned())
    }

    /// How many entries count against the limit of 500; orphans count too.
    #[must_use]
    pub fn ace_count(&self) -> usize {
        1 + usize::from(self.self_twice) + self.aces.len()
    }
}

/// Who holds a folder permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FolderUser {
    Default,
    Anonymous,
    Object(Idx),
    /// An external or unresolved user, as text.
    Text(Text),
}

/// An explicit permission on one folder. Default and Anonymous entries that nobody changed are
/// computed by the Exchange face.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderPermission {
    /// Folder path below the mailbox, such as `\Calendar`.
    pub folder: Text,
    pub user: FolderUser,
    /// A role (`Editor`) or single rights, as the wire names them.
    pub rights: Vec<Text>,
    /// `Delegate`, `CanViewPrivateItems`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sharing_flags: Vec<Text>,
}
