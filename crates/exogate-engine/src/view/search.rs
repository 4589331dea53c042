//! Accounts, groups and mailboxes that answer to a filter, as governance sees them.

use exogate_model::account::Account;
use exogate_model::group::{Group, GroupKind};
use exogate_store::{AccountFilter, Cursor, GroupFilter, MailboxFilter, MailboxRecord, Page};

use super::{Mailbox, View, ViewError, assemble};

impl View {
    /// A page of the accounts that answer to a filter, in the order of their names.
    pub async fn accounts_where(
        &self,
        filter: AccountFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Account>, ViewError> {
        let page = self.store.accounts_where(filter, after, limit).await?;
        let items = page.items.into_iter().map(|record| assemble::account(record, &self.context)).collect();
        Ok(Page { items, next: page.next })
    }

    /// A page of the groups that answer to a filter, in the order of their names; of the kinds named,
    /// only those that the source aggregates. No kinds: all of these.
    pub async fn groups_where(
        &self,
        mut filter: GroupFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Group>, ViewError> {
        if filter.kinds.is_empty() {
            filter.kinds = GroupKind::ALL.to_vec();
        }
        filter.kinds.retain(|kind| self.context.options.aggregates(*kind));
        let page = self.store.groups_where(filter, after, limit).await?;
        let items = page.items.into_iter().map(|record| assemble::group(record, &self.context)).collect();
        Ok(Page { items, next: page.next })
    }

    /// A page of the mailboxes that answer to a filter, in the order of their addresses; without the
    /// rights on them.
    pub async fn mailboxes_where(
        &self,
        filter: MailboxFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Mailbox>, ViewError> {
        let page = self.store.mailboxes_where(filter, after, limit).await?;
        let items = page.items.into_iter().map(|record| self.mailbox_of(record, Vec::new())).collect();
        Ok(Page { items, next: page.next })
    }

    /// A mailbox from what is stored of it.
    pub(super) fn mailbox_of(&self, record: MailboxRecord, rights: Vec<crate::access::WhoRow>) -> Mailbox {
        let MailboxRecord { mailbox, cas, label, read_at } = record;
        let mut attributes = mailbox.attributes;
        attributes.extend(cas.unwrap_or_default());
        attributes.retain(|name, _| self.context.account_schema.get(name).is_some());
        Mailbox {
            id: mailbox.key,
            name: mailbox.display_name,
            kind: mailbox.kind.to_string(),
            address: mailbox.primary_smtp,
            label,
            attributes,
            rights,
            read_at,
        }
    }
}
