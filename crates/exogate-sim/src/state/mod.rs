//! The tenant's state: one directory behind every face, its indices, its change log and what each
//! face may see of it yet. It knows nothing of HTTP, of permissions or of how things are printed.
//!
//! Writers go through [`State::edit`]; readers through [`State::view`].

pub mod ace;
pub mod app;
pub mod attrs;
pub mod audit;
pub mod change;
mod edit;
mod groups;
mod keys;
mod lifecycle;
mod make;
pub mod object;
mod overlay;
mod provision;
pub mod recipient;
mod resolve;
pub mod save;
pub mod tenant;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use ace::{Ace, Inheritance, Rights, Trustee};
pub use app::{App, AppCertificate, AppKind, AppSecret, Consent, DirectoryRole, ResourceRole, RoleGroup};
pub use attrs::{AttrValue, Attrs, Extra};
pub use audit::{Actor, ActorKind, AuditRecord, NewAudit};
pub use change::{Change, ChangeKind, ChangeLog};
pub use edit::{Edit, StateError};
pub use keys::KeyKind;
pub use object::{
    Body, Contact, DirSync, Disconnected, Group, GroupKind, Life, MembershipRule, Object, ObjectKind,
    OnPremises, Principal, Snapshot, User, UserType,
};
pub use overlay::{Delays, Face};
pub use recipient::{FolderPermission, FolderUser, Mailbox, Recipient, RecipientTypeDetails};
pub use tenant::{AcceptedDomain, DomainType, ServicePlan, Sku, Tenant};
pub use view::View;

/// Owned text.
pub type Text = Box<str>;
/// Text that many objects share (departments, cities …).
pub type Word = Arc<str>;

/// The place of an object in the state. Places are never reused; they ascend with creation, so
/// they serve as cursors for paging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Idx(pub u32);

impl Idx {
    pub const FIRST: Self = Self(0);

    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    pub(crate) const fn slot(self) -> usize {
        self.0 as usize
    }
}

/// A listing that the state keeps ready, ascending by [`Idx`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Live users, guests and mail users included.
    Users,
    /// Live groups that the directory knows (dynamic distribution groups are not among them).
    Groups,
    /// Live mail contacts.
    Contacts,
    /// Live recipients of one kind.
    Recipients(RecipientTypeDetails),
    DeletedUsers,
    DeletedGroups,
    /// Deleted users with a mailbox and live users with a disconnected one.
    SoftDeletedMailboxes,
    /// Service principals that take part in relations.
    Principals,
}

impl Class {
    const COUNT: usize = 7 + RecipientTypeDetails::ALL.len();

    const fn slot(self) -> usize {
        match self {
            Self::Users => 0,
            Self::Groups => 1,
            Self::Contacts => 2,
            Self::DeletedUsers => 3,
            Self::DeletedGroups => 4,
            Self::SoftDeletedMailboxes => 5,
            Self::Principals => 6,
            Self::Recipients(details) => 7 + details as usize,
        }
    }
}

/// What remains known of an object that is gone for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    pub id: Uuid,
    pub rid: u32,
    pub kind: ObjectKind,
    pub name: Text,
    pub at: crate::clock::Time,
}

/// The whole tenant.
#[derive(Debug)]
pub struct State {
    pub tenant: Tenant,
    pub apps: Vec<App>,
    /// Directory roles that exist in the tenant.
    pub directory_roles: Vec<DirectoryRole>,
    /// Exchange role groups.
    pub role_groups: Vec<RoleGroup>,
    objects: Vec<Option<Snapshot>>,
    /// Groups that each object is a direct member of, ascending.
    member_of: Vec<Vec<Idx>>,
    /// Groups that each object owns.
    owner_of: HashMap<Idx, BTreeSet<Idx>>,
    reports: HashMap<Idx, BTreeSet<Idx>>,
    gone: HashMap<Idx, Gone>,
    keys: keys::KeyIndex,
    deleted_keys: keys::KeyIndex,
    classes: Vec<BTreeSet<Idx>>,
    overlay: overlay::Overlay,
    pub(crate) changes: ChangeLog,
    audit: Vec<AuditRecord>,
    words: HashMap<Word, ()>,
    ids: u64,
    next_rid: u32,
    jobs: BTreeSet<provision::Job>,
    mailbox_delay: std::time::Duration,
    /// Giving and taking rights does not move the change time of a mailbox.
    quiet_rights: bool,
}

impl State {
    #[must_use]
    pub fn new(tenant: Tenant) -> Self {
        Self {
            tenant,
            apps: Vec::new(),
            directory_roles: Vec::new(),
            role_groups: Vec::new(),
            objects: Vec::new(),
            member_of: Vec::new(),
            owner_of: HashMap::new(),
            reports: HashMap::new(),
            gone: HashMap::new(),
            keys: keys::KeyIndex::default(),
            deleted_keys: keys::KeyIndex::default(),
            classes: vec![BTreeSet::new(); Class::COUNT],
            overlay: overlay::Overlay::default(),
            changes: ChangeLog::default(),
            audit: Vec::new(),
            words: HashMap::new(),
            ids: 0,
            next_rid: 1000,
            jobs: BTreeSet::new(),
            mailbox_delay: std::time::Duration::ZERO,
            quiet_rights: false,
        }
    }

    /// One past the last place in use.
    #[must_use]
    pub fn end(&self) -> Idx {
        Idx(u32::try_from(self.objects.len()).unwrap_or(u32::MAX))
    }

    /// The authoritative object, live or soft-deleted.
    #[must_use]
    pub fn get(&self, idx: Idx) -> Option<&Object> {
        self.objects.get(idx.slot())?.as_deref()
    }

    #[must_use]
    pub fn gone(&self, idx: Idx) -> Option<&Gone> {
        self.gone.get(&idx)
    }

    /// Direct groups of an object, authoritative, ascending.
    #[must_use]
    pub fn member_of(&self, idx: Idx) -> &[Idx] {
        self.member_of.get(idx.slot()).map_or(&[], Vec::as_slice)
    }

    /// Groups that an object owns, authoritative, ascending.
    pub fn owner_of(&self, idx: Idx) -> impl Iterator<Item = Idx> + '_ {
        self.owner_of.get(&idx).into_iter().flatten().copied()
    }

    /// Direct reports of a user, authoritative, ascending.
    pub fn direct_reports(&self, idx: Idx) -> impl Iterator<Item = Idx> + '_ {
        self.reports.get(&idx).into_iter().flatten().copied()
    }

    /// The SID of an object, also after it is gone for good.
    #[must_use]
    pub fn sid(&self, idx: Idx) -> Option<String> {
        let rid = self.get(idx).map(|o| o.rid).or_else(|| self.gone(idx).map(|g| g.rid))?;
        Some(self.tenant.sid(rid))
    }

    /// How many objects of a class there are, authoritative.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        self.classes[class.slot()].len()
    }

    #[must_use]
    pub fn changes(&self) -> &ChangeLog {
        &self.changes
    }

    /// Audit records in the order in which they were written.
    #[must_use]
    pub fn audit(&self) -> &[AuditRecord] {
        &self.audit
    }

    /// One shared copy of `text`.
    pub fn word(&mut self, text: &str) -> Word {
        if let Some((word, ())) = self.words.get_key_value(text) {
            return Arc::clone(word);
        }
        let word: Word = text.into();
        self.words.insert(Arc::clone(&word), ());
        word
    }

    /// The next id of this tenant: random in shape, the same in every run with the same seed.
    pub fn next_id(&mut self) -> Uuid {
        self.ids += 1;
        tenant::derived_id(self.tenant.seed, self.ids)
    }

    /// The next relative id for a SID.
    pub fn next_rid(&mut self) -> u32 {
        self.next_rid += 1;
        self.next_rid
    }

    /// How long writes through one face stay unseen by readers.
    pub fn set_delays(&mut self, delays: Delays) {
        self.overlay.delays = delays;
    }

    /// Whether giving and taking rights moves the change time of a mailbox.
    pub fn set_rights_move_change_time(&mut self, moves: bool) {
        self.quiet_rights = !moves;
    }

    #[must_use]
    pub fn app(&self, client_id: Uuid) -> Option<&App> {
        self.apps.iter().find(|a| a.client_id == client_id)
    }

    pub fn app_mut(&mut self, client_id: Uuid) -> Option<&mut App> {
        self.apps.iter_mut().find(|a| a.client_id == client_id)
    }
}

#[cfg(test)]
mod tests;
