//! One source in the store: its runs begin here, and its state is read here.

use std::collections::HashMap;
use std::sync::Arc;

use exogate_model::change::ObjectKind;
use exogate_model::group::MembershipRole;
use exogate_model::right::Right;
use uuid::Uuid;

use crate::error::StoreError;
use crate::rows::{
    AccountRecord, ChangeRecord, Counts, Cursor, EntitlementRecord, Found, GroupRecord, GroupRef, LabelMatch,
    MailboxRecord, MailboxRef, MembershipRow, ObjectName, Page, StoredGrant,
};
use crate::run::{RunHandle, RunRecord, RunRequest};

/// The state of one source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SourceStore {
    inner: Arc<str>,
}

impl SourceStore {
    /// Name of the source.
    pub fn name(&self) -> &str {
        &self.inner
    }

    /// Begins a run, or resumes the newest one: if it is unfinished, of the same scope and
    /// fingerprint, fresh enough, and held by nobody who lives.
    pub async fn begin_or_resume(&self, _request: RunRequest) -> Result<RunHandle, StoreError> {
        todo!()
    }

    /// One account by Entra object id, UPN or mail address, without case.
    pub async fn account(&self, _who: &str) -> Result<Found<AccountRecord>, StoreError> {
        todo!()
    }

    /// Accounts in the order of UPN, then id.
    pub async fn accounts(
        &self,
        _after: Option<Cursor>,
        _limit: usize,
    ) -> Result<Page<AccountRecord>, StoreError> {
        todo!()
    }

    /// One mailbox by its key.
    pub async fn mailbox(&self, _key: &str) -> Result<Option<MailboxRecord>, StoreError> {
        todo!()
    }

    /// One mailbox by key, address, label (today's before former ones), GUID, alias, name or
    /// display name: the first of these that anything bears decides.
    pub async fn find_mailbox(&self, _text: &str) -> Result<Found<MailboxRef>, StoreError> {
        todo!()
    }

    /// One group by id, mail address or display name.
    pub async fn group(&self, _text: &str) -> Result<Found<GroupRecord>, StoreError> {
        todo!()
    }

    /// Groups in the order of display name, then id.
    pub async fn groups(
        &self,
        _after: Option<Cursor>,
        _limit: usize,
    ) -> Result<Page<GroupRecord>, StoreError> {
        todo!()
    }

    /// Governed mailboxes in the order of their labels.
    pub async fn entitlements(
        &self,
        _after: Option<Cursor>,
        _limit: usize,
    ) -> Result<Page<EntitlementRecord>, StoreError> {
        todo!()
    }

    /// Every grant on a mailbox, sorted.
    pub async fn grants_of_mailbox(&self, _key: &str) -> Result<Vec<StoredGrant>, StoreError> {
        todo!()
    }

    /// Every grant whose trustee is one of these users or groups, sorted.
    pub async fn grants_of_principals(&self, _ids: Vec<String>) -> Result<Vec<StoredGrant>, StoreError> {
        todo!()
    }

    /// The members (or owners) of groups, sorted.
    pub async fn members_of(
        &self,
        _groups: Vec<String>,
        _role: MembershipRole,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        todo!()
    }

    /// The places that these users and groups have in groups, sorted.
    pub async fn memberships_of(
        &self,
        _members: Vec<String>,
        _role: MembershipRole,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        todo!()
    }

    /// What to call these objects by; unknown ones are left out.
    pub async fn names(&self, _ids: Vec<String>) -> Result<HashMap<String, ObjectName>, StoreError> {
        todo!()
    }

    /// Groups in few words, by id; unknown ones are left out.
    pub async fn group_refs(&self, _ids: Vec<String>) -> Result<HashMap<String, GroupRef>, StoreError> {
        todo!()
    }

    /// Mailboxes in few words, by key; unknown ones are left out.
    pub async fn mailbox_refs(&self, _keys: Vec<String>) -> Result<HashMap<String, MailboxRef>, StoreError> {
        todo!()
    }

    /// The mailboxes that bear this label, or bore it, today's first; compared without case.
    pub async fn labelled(&self, _label: &str) -> Result<Vec<LabelMatch>, StoreError> {
        todo!()
    }

    /// How many trustees hold this right on this mailbox as an entitlement.
    pub async fn holders(&self, _mailbox: &str, _right: &Right) -> Result<u64, StoreError> {
        todo!()
    }

    /// The stored name nearest to a mistyped one.
    pub async fn nearest(&self, _kind: ObjectKind, _text: &str) -> Result<Option<String>, StoreError> {
        todo!()
    }

    /// How much is stored.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        todo!()
    }

    /// The newest runs, newest first.
    pub async fn runs(&self, _limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        todo!()
    }

    /// One run.
    pub async fn run(&self, _id: Uuid) -> Result<Option<RunRecord>, StoreError> {
        todo!()
    }

    /// The feed of changes after a sequence number, oldest first.
    pub async fn changes(&self, _since: i64, _limit: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        todo!()
    }
}
