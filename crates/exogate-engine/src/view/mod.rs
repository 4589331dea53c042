//! What a source looks like from outside: accounts, groups, mailboxes and entitlements, each in a
//! stable order and page by page, so that memory does not follow the size of a tenant.

mod assemble;
mod error;
mod search;

use std::sync::Arc;

use exogate_model::account::{Account, Attributes};
use exogate_model::entitlement;
use exogate_model::group::Group;
use exogate_model::nearest;
use exogate_model::right::{KNOWN, Right};
use exogate_store::{
    AccountRecord, Cursor, EntitlementRecord, Found, GroupRecord, MailboxRef, Page, SourceStore, StoreError,
};
use futures::stream::{self, Stream};
use jiff::Timestamp;
use serde::Serialize;

pub use error::ViewError;

use crate::access::{self, What, Who, WhoRow};
use crate::tenant::SourceContext;

/// Objects fetched at once by the streams.
const PAGE: usize = 500;

/// A source as it is stored, seen through its schema and options. Cheap to clone.
#[derive(Debug, Clone)]
pub struct View {
    store: SourceStore,
    context: Arc<SourceContext>,
}

/// What governance can give and take on one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entitlement {
    /// The value: `O365Support: SendAs`.
    pub value: String,
    /// Key of the mailbox.
    pub mailbox: String,
    /// Its primary address.
    pub address: String,
    /// The right.
    pub right: Right,
    /// How many hold it.
    pub holders: u64,
}

/// One mailbox with the rights on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mailbox {
    /// Its key, which is also the id of its account.
    pub id: String,
    /// Display name.
    pub name: String,
    /// What kind it is.
    pub kind: String,
    /// Primary SMTP address.
    pub address: String,
    /// Its label in entitlements, if its rights are governed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Attributes of the account schema that Exchange knows.
    pub attributes: Attributes,
    /// Who has which right on it, as granted.
    pub rights: Vec<WhoRow>,
    /// When it was read.
    pub read_at: Timestamp,
}

impl View {
    /// A view of a source.
    pub fn new(store: SourceStore, context: Arc<SourceContext>) -> Self {
        Self { store, context }
    }

    /// The store behind it.
    pub fn store(&self) -> &SourceStore {
        &self.store
    }

    /// An account as governance sees it, from what is stored of it.
    pub fn account_of(&self, record: AccountRecord) -> Account {
        assemble::account(record, &self.context)
    }

    /// A group as governance sees it, from what is stored of it.
    pub fn group_of(&self, record: GroupRecord) -> Group {
        assemble::group(record, &self.context)
    }

    /// A page of accounts in the order of their names.
    pub async fn accounts_page(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Account>, ViewError> {
        let page = self.store.accounts(after, limit).await?;
        let items = page.items.into_iter().map(|record| assemble::account(record, &self.context)).collect();
        Ok(Page { items, next: page.next })
    }

    /// A page of groups in the order of their names. Kinds that the source does not aggregate are
    /// left out, so a page may be short.
    pub async fn groups_page(&self, after: Option<Cursor>, limit: usize) -> Result<Page<Group>, ViewError> {
        let page = self.store.groups(after, limit).await?;
        let items = page
            .items
            .into_iter()
            .filter(|record| self.context.options.aggregates(record.group.kind))
            .map(|record| assemble::group(record, &self.context))
            .collect();
        Ok(Page { items, next: page.next })
    }

    /// The entitlements of a page of mailboxes, in the order of their labels. Rights that nobody
    /// holds are there as well: they can be given.
    pub async fn entitlements_page(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Entitlement>, ViewError> {
        let page = self.store.entitlements(after, limit).await?;
        let items = page.items.iter().flat_map(|record| self.entitlements_of(record)).collect();
        Ok(Page { items, next: page.next })
    }

    fn entitlements_of(&self, record: &EntitlementRecord) -> Vec<Entitlement> {
        let label = record.mailbox.label.as_deref().unwrap_or(&record.mailbox.display_name);
        KNOWN
            .iter()
            .filter(|right| self.context.options.send_on_behalf || **right != Right::SendOnBehalf)
            .map(|right| Entitlement {
                value: entitlement::value(label, right),
                mailbox: record.mailbox.key.clone(),
                address: record.mailbox.primary_smtp.clone(),
                right: right.clone(),
                holders: record.holders.iter().find(|(held, _)| held == right).map_or(0, |(_, count)| *count),
            })
            .collect()
    }

    /// Every account, in the order of their names.
    pub fn accounts(&self) -> impl Stream<Item = Result<Account, ViewError>> + Send + use<> {
        let view = self.clone();
        paged(move |after| {
            let view = view.clone();
            async move { view.accounts_page(after, PAGE).await }
        })
    }

    /// Every group, in the order of their names.
    pub fn groups(&self) -> impl Stream<Item = Result<Group, ViewError>> + Send + use<> {
        let view = self.clone();
        paged(move |after| {
            let view = view.clone();
            async move { view.groups_page(after, PAGE).await }
        })
    }

    /// Every entitlement, in the order of their labels.
    pub fn entitlements(&self) -> impl Stream<Item = Result<Entitlement, ViewError>> + Send + use<> {
        let view = self.clone();
        paged(move |after| {
            let view = view.clone();
            async move { view.entitlements_page(after, PAGE).await }
        })
    }

    /// One account by id, principal name or address.
    pub async fn account(&self, text: &str) -> Result<Account, ViewError> {
        Ok(assemble::account(self.account_record(text).await?, &self.context))
    }

    /// The accounts of these ids, in their order; those that are not there are left out.
    pub async fn accounts_by_id(&self, ids: Vec<String>) -> Result<Vec<Account>, ViewError> {
        let records = self.store.accounts_by_id(ids).await?;
        Ok(records.into_iter().map(|record| assemble::account(record, &self.context)).collect())
    }

    /// The group of this id, if it is there and of a kind that the source aggregates.
    pub async fn group_by_id(&self, id: &str) -> Result<Option<Group>, ViewError> {
        let record = self.store.group_by_id(id).await?;
        let aggregated = record.filter(|record| self.context.options.aggregates(record.group.kind));
        Ok(aggregated.map(|record| assemble::group(record, &self.context)))
    }

    async fn account_record(&self, text: &str) -> Result<AccountRecord, ViewError> {
        let found = self.store.account(text).await?;
        self.one("account", text, found, |record| format!("{} ({})", record.user.upn, record.user.id)).await
    }

    /// One group by id, address or name.
    pub async fn group(&self, text: &str) -> Result<Group, ViewError> {
        let record = self.group_record(text).await?;
        let kind = record.group.kind;
        if !self.context.options.aggregates(kind) {
            return Err(ViewError::NotAggregated { name: record.group.display_name, kind: kind.name() });
        }
        Ok(assemble::group(record, &self.context))
    }

    async fn group_record(&self, text: &str) -> Result<GroupRecord, ViewError> {
        let found = self.store.group(text).await?;
        self.one("group", text, found, |record| {
            format!("{} ({})", record.group.display_name, record.group.id)
        })
        .await
    }

    /// One mailbox by key, address, label or name.
    pub async fn mailbox(&self, text: &str) -> Result<Mailbox, ViewError> {
        let reference = self.mailbox_ref(text).await?;
        let Some(record) = self.store.mailbox(&reference.key).await? else {
            return Err(self.not_found("mailbox", text, None).await?);
        };
        let rights = access::who(&self.store, &reference, false).await?.rows;
        Ok(self.mailbox_of(record, rights))
    }

    async fn mailbox_ref(&self, text: &str) -> Result<MailboxRef, ViewError> {
        let found = self.store.find_mailbox(text).await?;
        self.one("mailbox", text, found, |mailbox| mailbox.primary_smtp.clone()).await
    }

    /// Who has rights on a mailbox: as granted, or in effect through nested groups.
    pub async fn who(&self, mailbox: &str, effective: bool) -> Result<Who, ViewError> {
        let mailbox = self.mailbox_ref(mailbox).await?;
        Ok(access::who(&self.store, &mailbox, effective).await?)
    }

    /// On which mailboxes an account, or a group, has rights: its own, or in effect.
    pub async fn what(&self, holder: &str, effective: bool) -> Result<What, ViewError> {
        let (id, name) = match self.account_record(holder).await {
            Ok(record) => (record.user.id, record.user.upn),
            Err(unknown @ ViewError::NotFound { .. }) => match self.group_record(holder).await {
                Ok(record) => (record.group.id, record.group.display_name),
                Err(ViewError::NotFound { .. }) => return Err(unknown),
                Err(other) => return Err(other),
            },
            Err(other) => return Err(other),
        };
        Ok(access::what(&self.store, &id, &name, effective).await?)
    }

    async fn one<T>(
        &self,
        what: &'static str,
        text: &str,
        found: Found<T>,
        name: impl Fn(&T) -> String,
    ) -> Result<T, ViewError> {
        match found {
            Found::One(object) => Ok(object),
            Found::Many(all) => Err(ViewError::Ambiguous {
                what,
                text: text.to_owned(),
                candidates: all.iter().map(name).collect(),
            }),
            Found::Nothing { nearest } => Err(self.not_found(what, text, nearest).await?),
        }
    }

    async fn not_found(
        &self,
        what: &'static str,
        text: &str,
        nearest: Option<String>,
    ) -> Result<ViewError, StoreError> {
        let counts = self.store.counts().await?;
        if counts.users + counts.mailboxes + counts.groups == 0 {
            return Ok(ViewError::Empty);
        }
        let hint = nearest.map_or_else(String::new, |name| nearest::hint(text, [name.as_str()]));
        Ok(ViewError::NotFound { what, text: text.to_owned(), hint })
    }
}

/// All items of a paged listing.
fn paged<T, F, P>(page: F) -> impl Stream<Item = Result<T, ViewError>> + Send
where
    T: Send + 'static,
    F: Fn(Option<Cursor>) -> P + Send + 'static,
    P: Future<Output = Result<Page<T>, ViewError>> + Send,
{
    /// What is left of a page, and where the next one begins.
    struct Left<T> {
        items: std::vec::IntoIter<T>,
        next: Option<Option<Cursor>>,
    }
    let begin = (Left { items: Vec::new().into_iter(), next: Some(None) }, page);
    stream::try_unfold(begin, |(mut left, page)| async move {
        loop {
            if let Some(item) = left.items.next() {
                return Ok(Some((item, (left, page))));
            }
            let Some(after) = left.next.take() else { return Ok(None) };
            let read = page(after).await?;
            left = Left { items: read.items.into_iter(), next: read.next.map(Some) };
        }
    })
}
