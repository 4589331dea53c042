//! A directory object as both faces share it: users, groups, contacts, service principals. Rendering, defaults
//! and rules of what may be written belong to the faces.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attrs::Extra;
use super::recipient::{Mailbox, Recipient, RecipientTypeDetails};
use super::{Idx, Text, Word};
use crate::clock::Time;

/// Where an object stands in its life. Objects that are gone for good are not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    Live,
    /// In the recycle bin since then.
    SoftDeleted(Time),
}

/// The mastering of an object, as `onPremisesSyncEnabled` and `IsDirSynced` show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirSync {
    /// Made in the cloud (`null`).
    #[default]
    Never,
    /// Was synchronised once (`false`).
    Stopped,
    /// Mastered on premises (`true`).
    Synced,
}

/// One user, group or contact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Entra object id, `ExternalDirectoryObjectId` of Exchange.
    pub id: Uuid,
    /// Last part of the SID.
    pub rid: u32,
    pub life: Life,
    #[serde(default)]
    pub sync: DirSync,
    pub created: Time,
    pub changed: Time,
    pub display_name: Text,
    /// `mailNickname` of Graph, `Alias` of Exchange.
    pub alias: Text,
    /// Proxy addresses with their prefixes; exactly one `SMTP:` when there is any `smtp:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises: Option<Box<OnPremises>>,
    /// The Exchange side, when the object is mail-enabled there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Box<Recipient>>,
    /// A mailbox disconnected by Disable-Mailbox or loss of licence, still recoverable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected: Option<Box<Disconnected>>,
    pub body: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Box<Extra>>,
}

/// What kind of object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    User,
    Group,
    Contact,
    Principal,
}

/// What only one kind of object has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    User(Box<User>),
    Group(Box<Group>),
    Contact(Box<Contact>),
    Principal(Box<Principal>),
}

/// Traces of an on-premises directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OnPremises {
    pub immutable_id: Option<Text>,
    pub sam_account_name: Option<Text>,
    pub distinguished_name: Option<Text>,
    pub domain: Option<Word>,
    pub net_bios: Option<Word>,
    pub sid: Option<Text>,
    pub last_sync: Option<Time>,
    /// `IsExchangeCloudManaged`: Exchange attributes mastered in the cloud all the same.
    pub exchange_cloud_managed: bool,
}

/// A soft-deleted mailbox of a user who lives on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disconnected {
    pub recipient: Recipient,
    pub at: Time,
}

/// `userType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserType {
    #[default]
    Member,
    Guest,
}

impl UserType {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "Member",
            Self::Guest => "Guest",
        }
    }
}

/// A user account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    pub upn: Text,
    pub account_enabled: bool,
    pub user_type: UserType,
    /// `mail` when the user has no proxy address.
    pub mail: Option<Text>,
    pub given_name: Option<Text>,
    pub surname: Option<Text>,
    pub job_title: Option<Word>,
    pub department: Option<Word>,
    pub company: Option<Word>,
    pub office: Option<Word>,
    pub city: Option<Word>,
    pub country: Option<Word>,
    pub usage_location: Option<Word>,
    pub preferred_language: Option<Word>,
    pub employee_id: Option<Text>,
    pub mobile_phone: Option<Text>,
    pub business_phone: Option<Text>,
    pub manager: Option<Idx>,
    /// Assigned licences, as positions in [`super::Tenant::skus`].
    pub licences: Vec<u16>,
    /// A password of its own; without it the tenant's default password opens the account.
    pub password: Option<Text>,
    /// Sessions before this are revoked.
    pub sessions_valid_from: Option<Time>,
}

/// Kinds of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    Microsoft365,
    Security,
    MailEnabledSecurity,
    Distribution,
    /// Exchange only; Graph never shows it.
    DynamicDistribution,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub kind: GroupKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Direct members, ascending by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Idx>,
    /// Owners (`ManagedBy`), in the order they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Idx>,
    /// Dynamic membership of Entra: members are computed, not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Box<MembershipRule>>,
    /// The filter of a dynamic distribution group (OPATH).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient_filter: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Word>,
    /// `securityEnabled` of a Microsoft 365 group; the other kinds have it by nature.
    #[serde(default)]
    pub unified_security: bool,
    #[serde(default)]
    pub assignable_to_role: bool,
    /// A team stands on it (`resourceProvisioningOptions`).
    #[serde(default)]
    pub team: bool,
    #[serde(default)]
    pub hidden_membership: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licences: Vec<u16>,
}

impl Group {
    #[must_use]
    pub fn new(kind: GroupKind) -> Self {
        Self {
            kind,
            description: None,
            members: Vec::new(),
            owners: Vec::new(),
            rule: None,
            recipient_filter: None,
            visibility: None,
            unified_security: false,
            assignable_to_role: false,
            team: false,
            hidden_membership: false,
            licences: Vec::new(),
        }
    }

    #[must_use]
    pub fn mail_enabled(&self) -> bool {
        self.kind != GroupKind::Security
    }

    #[must_use]
    pub fn security_enabled(&self) -> bool {
        match self.kind {
            GroupKind::Security | GroupKind::MailEnabledSecurity => true,
            GroupKind::Microsoft365 => self.unified_security,
            GroupKind::Distribution | GroupKind::DynamicDistribution => false,
        }
    }

    #[must_use]
    pub fn has_member(&self, member: Idx) -> bool {
        self.members.binary_search(&member).is_ok()
    }
}

/// `membershipRule` with its processing state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MembershipRule {
    pub rule: Text,
    #[serde(default)]
    pub paused: bool,
}

/// A mail contact (orgContact of Graph).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    pub given_name: Option<Text>,
    pub surname: Option<Text>,
    pub job_title: Option<Word>,
    pub department: Option<Word>,
    pub company: Option<Word>,
    pub phone: Option<Text>,
}

/// A service principal as a member or owner of groups. What it is and may do, its [`super::App`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    pub app_id: Uuid,
    /// `servicePrincipalType`.
    pub kind: Text,
}

impl Object {
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        match self.body {
            Body::User(_) => ObjectKind::User,
            Body::Group(_) => ObjectKind::Group,
            Body::Contact(_) => ObjectKind::Contact,
            Body::Principal(_) => ObjectKind::Principal,
        }
    }

    #[must_use]
    pub fn is_live(&self) -> bool {
        self.life == Life::Live
    }

    #[must_use]
    pub fn deleted_at(&self) -> Option<Time> {
        match self.life {
            Life::Live => None,
            Life::SoftDeleted(at) => Some(at),
        }
    }

    #[must_use]
    pub fn is_dir_synced(&self) -> bool {
        self.sync == DirSync::Synced
    }

    #[must_use]
    pub fn user(&self) -> Option<&User> {
        if let Body::User(user) = &self.body { Some(user) } else { None }
    }

    pub fn user_mut(&mut self) -> Option<&mut User> {
        if let Body::User(user) = &mut self.body { Some(user) } else { None }
    }

    #[must_use]
    pub fn group(&self) -> Option<&Group> {
        if let Body::Group(group) = &self.body { Some(group) } else { None }
    }

    pub fn group_mut(&mut self) -> Option<&mut Group> {
        if let Body::Group(group) = &mut self.body { Some(group) } else { None }
    }

    #[must_use]
    pub fn contact(&self) -> Option<&Contact> {
        if let Body::Contact(contact) = &self.body { Some(contact) } else { None }
    }

    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        if let Body::Principal(principal) = &self.body { Some(principal) } else { None }
    }

    pub fn contact_mut(&mut self) -> Option<&mut Contact> {
        if let Body::Contact(contact) = &mut self.body { Some(contact) } else { None }
    }

    #[must_use]
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.recipient.as_deref()?.mailbox.as_deref()
    }

    pub fn mailbox_mut(&mut self) -> Option<&mut Mailbox> {
        self.recipient.as_deref_mut()?.mailbox.as_deref_mut()
    }

    #[must_use]
    pub fn details(&self) -> Option<RecipientTypeDetails> {
        self.recipient.as_deref().map(|r| r.details)
    }

    /// The address behind `SMTP:`, in the case it was given.
    #[must_use]
    pub fn primary_smtp(&self) -> Option<&str> {
        self.addresses.iter().find_map(|a| a.strip_prefix("SMTP:"))
    }

    /// `mail` of Graph.
    #[must_use]
    pub fn mail(&self) -> Option<&str> {
        self.primary_smtp().or_else(|| self.user().and_then(|u| u.mail.as_deref()))
    }

    #[must_use]
    pub fn upn(&self) -> Option<&str> {
        self.user().map(|u| &*u.upn)
    }

    /// `Name` of Exchange; the display name where there is no recipient.
    #[must_use]
    pub fn name(&self) -> &str {
        self.recipient.as_deref().map_or(&*self.display_name, |r| &*r.name)
    }

    #[must_use]
    pub fn extra(&self) -> Option<&Extra> {
        self.extra.as_deref()
    }

    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(Box::default)
    }

    /// Makes `address` the primary one and keeps the old primary as a secondary.
    pub fn set_primary_smtp(&mut self, address: &str) {
        for held in &mut self.addresses {
            if let Some(rest) = held.strip_prefix("SMTP:") {
                *held = format!("smtp:{rest}").into();
            }
        }
        self.addresses.retain(|held| {
            !held.strip_prefix("smtp:").is_some_and(|rest| rest.eq_ignore_ascii_case(address))
        });
        self.addresses.insert(0, format!("SMTP:{address}").into());
    }
}

/// A snapshot of an object.
pub type Snapshot = Arc<Object>;
