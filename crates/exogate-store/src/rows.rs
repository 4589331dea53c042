//! Objects as they are stored and read back. Ids are compared and given back in lower case.

use exogate_model::account::Attributes;
use exogate_model::change::{Author, Happened, Learnt, ObjectKind};
use exogate_model::grant::Grant;
use exogate_model::group::{GroupKind, Member, MemberKind, MembershipRole};
use exogate_model::mailbox::MailboxKind;
use exogate_model::right::Right;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::batch::Facet;

/// A user: the Entra side of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserRow {
    /// Entra object id.
    pub id: String,
    /// User principal name.
    pub upn: String,
    /// Display name.
    pub display_name: Option<String>,
    /// Mail address.
    pub mail: Option<String>,
    /// Whether sign-in is blocked.
    pub disabled: bool,
    /// Security identifier.
    pub sid: Option<String>,
    /// Entra attributes of the schema; without `groups` and `sharedMailbox`.
    pub attributes: Attributes,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRow {
    /// `ExternalDirectoryObjectId`.
    pub key: String,
    /// What kind it is.
    pub kind: MailboxKind,
    /// Display name.
    pub display_name: String,
    /// Primary SMTP address.
    pub primary_smtp: String,
    /// `ExchangeGuid` or `Guid`: whatever identifies it to Exchange.
    pub exchange_guid: Option<String>,
    /// `Name`.
    pub name: Option<String>,
    /// `Alias`.
    pub alias: Option<String>,
    /// `DistinguishedName`.
    pub distinguished_name: Option<String>,
    /// `LegacyExchangeDN`.
    pub legacy_dn: Option<String>,
    /// `UserPrincipalName`.
    pub upn: Option<String>,
    /// `EXO_…` attributes of the schema.
    pub attributes: Attributes,
}

/// A group, as Entra (or, for a dynamic distribution group, Exchange) knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    /// Entra object id (of a dynamic distribution group: its Exchange GUID).
    pub id: String,
    /// What kind it is.
    pub kind: GroupKind,
    /// Display name.
    pub display_name: String,
    /// Mail address.
    pub mail: Option<String>,
    /// Security identifier.
    pub sid: Option<String>,
    /// Entra attributes of the schema.
    pub attributes: Attributes,
}

/// What Exchange adds to a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupExchangeRow {
    /// Id of the group.
    pub id: String,
    /// `Guid`.
    pub exchange_guid: Option<String>,
    /// `Name`.
    pub name: Option<String>,
    /// `Alias`.
    pub alias: Option<String>,
    /// `DistinguishedName`.
    pub distinguished_name: Option<String>,
    /// `EXO_…` attributes of the schema.
    pub attributes: Attributes,
}

/// Somebody's place in a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MembershipRow {
    /// Id of the group.
    pub group: String,
    /// Member or owner.
    pub role: MembershipRole,
    /// Id of the member.
    pub member: String,
    /// What the member is.
    pub member_kind: MemberKind,
}

/// Where a listing goes on. Opaque; serializable, so that a caller may hand it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Last sort key of the page before.
    pub(crate) key: String,
    /// Last id of the page before.
    pub(crate) id: String,
}

impl Cursor {
    /// The place behind the object with this name and id, in an order of names.
    pub fn behind(name: &str, id: &str) -> Self {
        Self { key: name.to_owned(), id: id.to_owned() }
    }
}

/// One page of a listing in stable order.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

/// The answer to a look-up by a text that need not be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// Exactly one.
    One(T),
    /// Several bear that name; each, in stable order.
    Many(Vec<T>),
    /// None, and the nearest name that exists.
    Nothing {
        /// A likely typing mistake's correction.
        nearest: Option<String>,
    },
}

/// A group, in few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// Id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// What kind it is.
    pub kind: GroupKind,
}

/// A mailbox, in few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRef {
    /// `ExternalDirectoryObjectId`.
    pub key: String,
    /// What kind it is.
    pub kind: MailboxKind,
    /// Display name.
    pub display_name: String,
    /// Primary SMTP address.
    pub primary_smtp: String,
    /// `ExchangeGuid` or `Guid`, as stored.
    pub exchange_guid: Option<String>,
    /// Its label in entitlement values, if its rights are governed.
    pub label: Option<String>,
}

/// A mailbox with the other names that a listing may call it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedMailbox {
    /// The mailbox.
    pub reference: MailboxRef,
    /// `Name`.
    pub name: Option<String>,
    /// `DistinguishedName`.
    pub distinguished_name: Option<String>,
}

/// A grant with where and when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGrant {
    /// The grant.
    pub grant: Grant,
    /// Where it was read.
    pub facet: Facet,
    /// When it was last seen.
    pub read_at: Timestamp,
}

/// A grant that somebody holds, with the label of the mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGrant {
    /// The grant.
    pub grant: Grant,
    /// Where it was read.
    pub facet: Facet,
    /// Label of the mailbox in entitlement values.
    pub label: Option<String>,
    /// Primary SMTP address of the mailbox.
    pub primary_smtp: String,
}

/// Everything about one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// The Entra side.
    pub user: UserRow,
    /// When the Entra side was read.
    pub read_at: Timestamp,
    /// Its mailbox, if it has one.
    pub mailbox: Option<MailboxRow>,
    /// Client access attributes of the mailbox.
    pub cas: Option<Attributes>,
    /// The groups it is a direct member of, by id.
    pub groups: Vec<GroupRef>,
    /// The grants it holds itself, deny and inherited ones included, by label and right.
    pub grants: Vec<HeldGrant>,
}

/// Everything about one mailbox but the grants on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxRecord {
    /// The mailbox.
    pub mailbox: MailboxRow,
    /// Client access attributes.
    pub cas: Option<Attributes>,
    /// Its label in entitlement values, if its rights are governed.
    pub label: Option<String>,
    /// When it was read.
    pub read_at: Timestamp,
}

/// Everything about one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// The group.
    pub group: GroupRow,
    /// What Exchange adds.
    pub exchange: Option<GroupExchangeRow>,
    /// Direct members, sorted.
    pub members: Vec<Member>,
    /// Owners, sorted.
    pub owners: Vec<Member>,
    /// When it was read.
    pub read_at: Timestamp,
}

/// A governed mailbox with who-many hold which right on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitlementRecord {
    /// The mailbox; its label is set.
    pub mailbox: MailboxRef,
    /// Each right that somebody holds as an entitlement, with the number of trustees.
    pub holders: Vec<(Right, u64)>,
}

/// A mailbox that bears a label, or bore it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMatch {
    /// Key of the mailbox.
    pub mailbox: String,
    /// The label as it was stored.
    pub label: String,
    /// Whether it is the label of today.
    pub current: bool,
}

/// Which accounts are wanted; what is left out does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Part of the UPN, display name or mail address, without regard to case.
    pub text: Option<String>,
    /// Whether sign-in is blocked.
    pub disabled: Option<bool>,
    /// Whether there is a mailbox.
    pub has_mailbox: Option<bool>,
    /// Id of a group that they are direct members of.
    pub group: Option<String>,
}

/// Which groups are wanted; what is left out does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// Part of the display name or mail address, without regard to case.
    pub text: Option<String>,
    /// The kinds wanted.
    pub kinds: Vec<GroupKind>,
    /// Id of a direct member.
    pub member: Option<String>,
}

/// Which mailboxes are wanted; what is left out does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxFilter {
    /// Part of the primary address, display name or alias, without regard to case.
    pub text: Option<String>,
    /// The kind.
    pub kind: Option<MailboxKind>,
    /// Whether the rights on it are governed.
    pub governed: Option<bool>,
}

/// What to call an object by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectName {
    /// What it is.
    pub kind: ObjectKind,
    /// Display name, or what comes nearest.
    pub display_name: String,
    /// UPN of a user, mail address of a group.
    pub address: Option<String>,
}

/// How much is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Users.
    pub users: u64,
    /// Mailboxes of any kind.
    pub mailboxes: u64,
    /// Groups of any kind.
    pub groups: u64,
    /// Memberships and ownerships.
    pub memberships: u64,
    /// Grants, system and inherited ones included.
    pub grants: u64,
    /// Mailboxes with a label.
    pub labelled_mailboxes: u64,
}

/// What a consumer of the feed of changes gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The changes after its cursor, oldest first; none where there are none yet.
    Changes(Vec<ChangeRecord>),
    /// Changes after its cursor are no longer kept: it has to read the whole state, and go on from here.
    StartOver {
        /// The cursor to go on from, taken before the state is read.
        cursor: i64,
    },
}

/// One entry of the feed of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRecord {
    /// Its place in the feed; grows.
    pub sequence: i64,
    /// What kind of object changed.
    pub object: ObjectKind,
    /// Id of the object.
    pub id: String,
    /// Its name at the time.
    pub name: String,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
    /// How it was learnt.
    pub learnt: Learnt,
    /// Who made it.
    pub by: Author,
    /// The run that learnt it.
    pub run: uuid::Uuid,
    /// When it was learnt.
    pub at: Timestamp,
}

/// Where the feed of changes stands, for those who follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPosition {
    /// The last change; zero where there is none.
    pub head: i64,
    /// The last complete run; zero where there is none.
    pub run: i64,
    /// Differs whenever objects may have changed without a word in the feed.
    pub shape: String,
    /// Whether the feed tells of accounts that go.
    pub complete: bool,
}
