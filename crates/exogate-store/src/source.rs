//! One source in the store: its runs begin here, and its state is read here.

use std::collections::HashMap;
use std::sync::Arc;

use exogate_model::change::{Author, ObjectKind};
use exogate_model::group::MembershipRole;
use exogate_model::right::Right;
use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use crate::error::{Fault, StoreError};
use crate::read::groups::End;
use crate::read::query;
use crate::read::selection::{Dated, Key, Parties, Selection, Window};
use crate::read::{accounts, by_id, feed, grants, groups, load, mailboxes, names, position, search};
use crate::rows::{
    AccountFilter, AccountRecord, ChangeRecord, Counts, Cursor, EntitlementRecord, Feed, FeedPosition, Found,
    GroupFilter, GroupRecord, GroupRef, GroupRow, LabelMatch, MailboxFilter, MailboxRecord, MailboxRef,
    MembershipRow, ObjectName, Page, StoredGrant,
};
use crate::run::{RunHandle, RunRecord, RunRequest, record};
use crate::store::Store;
use crate::watch::State;
use crate::write::provisioned::Provisioned;
use crate::write::{self, batch::last_cursor};
use crate::write::{external_ids, ids};

/// The state of one source. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SourceStore {
    store: Store,
    number: i64,
    name: Arc<str>,
}

impl SourceStore {
    pub(crate) fn new(store: Store, number: i64, name: &str) -> Self {
        Self { store, number, name: name.into() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn number(&self) -> i64 {
        self.number
    }

    /// Name of the source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins a run, or resumes the newest one of this source: if it did not complete, has the same
    /// scope and fingerprint, is fresh enough, and is held by nobody who lives.
    pub async fn begin_or_resume(&self, request: RunRequest) -> Result<RunHandle, StoreError> {
        RunHandle::begin_or_resume(self.clone(), request).await
    }

    /// One account by Entra object id, UPN or mail address, without case.
    pub async fn account(&self, who: &str) -> Result<Found<AccountRecord>, StoreError> {
        if let Some(found) =
            self.read_exactly(|connection, source| accounts::by_id(connection, source, who))?
        {
            return Ok(Found::One(found));
        }
        let who = who.to_owned();
        self.read(move |connection, source| accounts::find(connection, source, &who)).await
    }

    /// Accounts in the order of UPN (without case), then id.
    pub async fn accounts(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<AccountRecord>, StoreError> {
        self.read(move |connection, source| accounts::list(connection, source, after.as_ref(), limit)).await
    }

    /// What the store is now; see [`Store::state`].
    pub fn state(&self) -> Option<State> {
        self.store.state()
    }

    /// The keys of a part of a selection, in its order.
    pub async fn keys(&self, selection: Selection, window: Window) -> Result<Vec<Key>, StoreError> {
        self.read(move |connection, source| query::keys(connection, source, &selection, &window)).await
    }

    /// How many objects a selection has: counted once, as long as nobody writes.
    pub async fn count(&self, selection: Selection) -> Result<u64, StoreError> {
        let known = self.state().map(|state| self.store.counted().of(self.number, &selection, state));
        let count = || self.read(move |connection, source| query::count(connection, source, &selection));
        match known {
            Some(known) => known.get_or_try_init(count).await.copied(),
            None => count().await,
        }
    }

    /// The accounts of a part of a selection, in its order, as they are at one moment; and how many keys it
    /// has, whatever could be read behind them.
    pub async fn accounts_in(
        &self,
        selection: Selection,
        window: Window,
    ) -> Result<(Vec<Dated<AccountRecord>>, usize), StoreError> {
        if let Some(what) = selection.exactly(&window) {
            let mut found =
                self.read_exactly(|connection, source| accounts::exactly(connection, source, what))?;
            if let Window::From { limit, .. } = window {
                found.truncate(limit);
            }
            let keys = found.len();
            return Ok((found, keys));
        }
        let few = selection.is_few();
        let work = move |connection: &Connection, source| {
            let keys = query::keys(connection, source, &selection, &window)?;
            Ok((query::accounts_of(connection, source, &keys)?, keys.len()))
        };
        if few { self.read_few(work) } else { self.read(work).await }
    }

    /// The same of groups.
    pub async fn groups_in(
        &self,
        selection: Selection,
        window: Window,
        parties: Parties,
    ) -> Result<(Vec<Dated<GroupRecord>>, usize), StoreError> {
        self.read(move |connection, source| {
            let keys = query::keys(connection, source, &selection, &window)?;
            Ok((query::groups_of(connection, source, &keys, parties)?, keys.len()))
        })
        .await
    }

    /// The accounts behind keys, in their order; those that are gone are left out.
    pub async fn accounts_of(&self, keys: Vec<Key>) -> Result<Vec<Dated<AccountRecord>>, StoreError> {
        self.read(move |connection, source| query::accounts_of(connection, source, &keys)).await
    }

    /// The groups behind keys, in their order; those that are gone are left out.
    pub async fn groups_of(
        &self,
        keys: Vec<Key>,
        parties: Parties,
    ) -> Result<Vec<Dated<GroupRecord>>, StoreError> {
        self.read(move |connection, source| query::groups_of(connection, source, &keys, parties)).await
    }

    /// Remembers by which id a client knows an object, or forgets it.
    pub async fn set_external_id(&self, id: &str, value: Option<String>) -> Result<(), StoreError> {
        let (source, id) = (self.number, id.to_owned());
        self.store
            .enter(move |connection, now| external_ids::put(connection, source, &id, value.as_deref(), now))
            .await
    }

    /// The accounts that answer to a filter, in the order of UPN (without case), then id.
    pub async fn accounts_where(
        &self,
        filter: AccountFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<AccountRecord>, StoreError> {
        self.read(move |connection, source| {
            search::accounts(connection, source, &filter, after.as_ref(), limit)
        })
        .await
    }

    /// The groups that answer to a filter, in the order of display name (without case), then id.
    pub async fn groups_where(
        &self,
        filter: GroupFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<GroupRecord>, StoreError> {
        self.read(move |connection, source| {
            search::groups(connection, source, &filter, after.as_ref(), limit)
        })
        .await
    }

    /// The mailboxes that answer to a filter, in the order of primary address (without case), then key.
    pub async fn mailboxes_where(
        &self,
        filter: MailboxFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<MailboxRecord>, StoreError> {
        self.read(move |connection, source| {
            search::mailboxes(connection, source, &filter, after.as_ref(), limit)
        })
        .await
    }

    /// One mailbox by its key.
    pub async fn mailbox(&self, key: &str) -> Result<Option<MailboxRecord>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection, source| mailboxes::by_key(connection, source, &key)).await
    }

    /// One mailbox by key, primary address, label (today's before former ones), GUID, UPN, alias,
    /// name or display name: the first of these that any mailbox bears decides.
    pub async fn find_mailbox(&self, text: &str) -> Result<Found<MailboxRef>, StoreError> {
        let text = text.to_owned();
        self.read(move |connection, source| mailboxes::find(connection, source, &text)).await
    }

    /// One group by id, mail address or display name: the first of these that any group bears
    /// decides.
    pub async fn group(&self, text: &str) -> Result<Found<GroupRecord>, StoreError> {
        let text = text.to_owned();
        self.read(move |connection, source| groups::find(connection, source, &text)).await
    }

    /// What is stored of a group itself, by its id.
    pub async fn stored_group(&self, id: &str) -> Result<Option<GroupRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, source| {
            let Some(oid) = ids::find(connection, source, &id)? else { return Ok(None) };
            Ok(load::group(connection, oid)?.map(|(group, _)| group))
        })
        .await
    }

    /// Groups in the order of display name (without case), then id.
    pub async fn groups(&self, after: Option<Cursor>, limit: usize) -> Result<Page<GroupRecord>, StoreError> {
        self.read(move |connection, source| groups::list(connection, source, after.as_ref(), limit)).await
    }

    /// Governed mailboxes in the order of their labels.
    pub async fn entitlements(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<EntitlementRecord>, StoreError> {
        self.read(move |connection, source| {
            mailboxes::entitlements(connection, source, after.as_ref(), limit)
        })
        .await
    }

    /// Every grant on a mailbox, sorted.
    pub async fn grants_of_mailbox(&self, key: &str) -> Result<Vec<StoredGrant>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection, source| grants::of_mailbox(connection, source, &key)).await
    }

    /// Every grant whose trustee is one of these users or groups, sorted.
    pub async fn grants_of_principals(&self, ids: Vec<String>) -> Result<Vec<StoredGrant>, StoreError> {
        self.read(move |connection, source| grants::of_principals(connection, source, &ids)).await
    }

    /// The members (or owners) of groups, sorted.
    pub async fn members_of(
        &self,
        groups: Vec<String>,
        role: MembershipRole,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        self.read(move |connection, source| {
            groups::memberships(connection, source, End::Groups, &groups, role)
        })
        .await
    }

    /// The places that these users and groups have in groups, sorted.
    pub async fn memberships_of(
        &self,
        members: Vec<String>,
        role: MembershipRole,
    ) -> Result<Vec<MembershipRow>, StoreError> {
        self.read(move |connection, source| {
            groups::memberships(connection, source, End::Members, &members, role)
        })
        .await
    }

    /// What to call these objects by; unknown ones are left out.
    pub async fn names(&self, ids: Vec<String>) -> Result<HashMap<String, ObjectName>, StoreError> {
        self.read(move |connection, source| names::of(connection, source, ids)).await
    }

    /// Groups in few words, by id; unknown ones are left out.
    pub async fn group_refs(&self, ids: Vec<String>) -> Result<HashMap<String, GroupRef>, StoreError> {
        self.read(move |connection, source| names::group_refs(connection, source, ids)).await
    }

    /// Mailboxes in few words, by key; unknown ones are left out.
    pub async fn mailbox_refs(&self, keys: Vec<String>) -> Result<HashMap<String, MailboxRef>, StoreError> {
        self.read(move |connection, source| names::mailbox_refs(connection, source, keys)).await
    }

    /// The mailboxes that bear this label, or bore it, today's first; compared without case.
    pub async fn labelled(&self, label: &str) -> Result<Vec<LabelMatch>, StoreError> {
        let label = label.to_owned();
        self.read(move |connection, source| mailboxes::labelled(connection, source, &label)).await
    }

    /// How many trustees hold this right on this mailbox as an entitlement.
    pub async fn holders(&self, mailbox: &str, right: &Right) -> Result<u64, StoreError> {
        let (mailbox, right) = (mailbox.to_owned(), right.clone());
        self.read(move |connection, source| {
            let Some(oid) = ids::find(connection, source, &mailbox)? else { return Ok(0) };
            let holders = grants::holders(connection, oid)?;
            Ok(holders.into_iter().find(|(held, _)| *held == right).map_or(0, |(_, count)| count))
        })
        .await
    }

    /// The stored name nearest to a mistyped one: a UPN, an address or label, a group's name.
    pub async fn nearest(&self, kind: ObjectKind, text: &str) -> Result<Option<String>, StoreError> {
        let text = text.to_owned();
        self.read(move |connection, source| names::nearest(connection, source, kind, &text)).await
    }

    /// Stores what exogate itself changed, and puts it into the feed of changes.
    pub async fn provisioned(&self, changes: Vec<Provisioned>, author: Author) -> Result<(), StoreError> {
        let source = self.number;
        self.store
            .write(move |writer| {
                writer.transact(|transaction, now| {
                    write::provisioned::put(transaction, source, &changes, author, now)
                })
            })
            .await
    }

    /// How much is stored.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(names::counts).await
    }

    /// The newest runs, newest first.
    pub async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        self.runs_before(None, limit).await
    }

    /// The newest runs before that one, newest first; none where there is no such run.
    pub async fn runs_before(
        &self,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<RunRecord>, StoreError> {
        let now = self.store.now();
        self.read(move |connection, source| record::newest(connection, source, before, limit, now)).await
    }

    /// One run.
    pub async fn run(&self, id: Uuid) -> Result<Option<RunRecord>, StoreError> {
        let now = self.store.now();
        self.read(move |connection, source| record::one(connection, source, id, now)).await
    }

    /// The cursor that a stream ended with in the newest completed run that read it: from there,
    /// reading only the differences can go on.
    pub async fn last_cursor(&self, stream: &str) -> Result<Option<String>, StoreError> {
        let stream = stream.to_owned();
        self.read(move |connection, source| last_cursor(connection, source, &stream)).await
    }

    /// Accounts by their ids alone; those that are not there are left out.
    pub async fn accounts_by_id(&self, ids: Vec<String>) -> Result<Vec<AccountRecord>, StoreError> {
        self.read(move |connection, source| by_id::accounts(connection, source, &ids)).await
    }

    /// One group by its id alone.
    pub async fn group_by_id(&self, id: &str) -> Result<Option<GroupRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, source| by_id::group(connection, source, &id)).await
    }

    /// Where the feed of changes stands.
    pub async fn feed_position(&self) -> Result<FeedPosition, StoreError> {
        self.read(position::position).await
    }

    /// The labels that came or went with runs after this one, those that went first.
    pub async fn relabelled(&self, run: i64) -> Result<Vec<LabelMatch>, StoreError> {
        self.read(move |connection, source| position::relabelled(connection, source, run)).await
    }

    /// The feed of changes after a sequence number, oldest first.
    pub async fn changes(&self, since: i64, limit: usize) -> Result<Vec<ChangeRecord>, StoreError> {
        self.read(move |connection, source| feed::since(connection, source, since, limit)).await
    }

    /// The feed of changes after a cursor (the sequence number of the last change taken; zero: the
    /// beginning), or word that the cursor lies before what is still kept.
    pub async fn feed(&self, since: i64, limit: usize) -> Result<Feed, StoreError> {
        self.read(move |connection, source| feed::read(connection, source, since, limit)).await
    }

    /// The cursor from which everything follows that is still kept.
    pub async fn feed_start(&self) -> Result<i64, StoreError> {
        self.read(feed::start).await
    }

    /// The cursor of one who has taken every change there is.
    pub async fn feed_end(&self) -> Result<i64, StoreError> {
        self.read(feed::end).await
    }

    /// Forgets changes that were learnt before an instant. Returns how many.
    pub async fn forget_changes(&self, before: Timestamp) -> Result<u64, StoreError> {
        let (source, before) = (self.number, before.as_millisecond());
        // Whoever writes waits for the writer, and for what it puts in order after a run.
        if !self
            .read(move |connection, source| write::feed::begins_before(connection, source, before))
            .await?
        {
            return Ok(0);
        }
        self.store
            .write(move |writer| {
                writer.transact(|transaction, _| write::feed::forget(transaction, source, before))
            })
            .await
    }

    /// See [`Store::read_exactly`].
    fn read_exactly<T>(
        &self,
        work: impl FnOnce(&Connection, i64) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.store.read_exactly(|connection| work(connection, self.number))
    }

    /// See [`Store::read_few`].
    fn read_few<T>(&self, work: impl FnOnce(&Connection, i64) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.store.read_few(|connection| work(connection, self.number))
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, i64) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let source = self.number;
        self.store.read(move |connection| work(connection, source)).await
    }
}
