//! What reading only the differences needs of the store: where each feed goes on, what waits to be
//! read again, how old the facts are, which audit records were seen, and the end of such a run.
//!
//! How differences are found, and which object a record means, is decided elsewhere.

mod ages;
mod audit;
mod backlog;
mod cursors;
mod settle;
mod turns;
mod webhooks;

use std::collections::HashMap;

use exogate_model::change::{Author, Learnt, ObjectKind};
use exogate_model::mailbox::MailboxKind;
use jiff::Timestamp;
use rusqlite::Connection;

pub use self::ages::{Ages, MailboxReads};
pub use self::audit::AuditNote;
pub use self::backlog::{Backlog, Waiting};
pub use self::cursors::FeedCursor;
pub(crate) use self::settle::left_over;
use self::turns::Turn;
pub use self::webhooks::{DeadLetter, WebhookState};
use crate::batch::{Coverage, Facet};
use crate::error::{Fault, StoreError};
use crate::rows::{ChangeRecord, MailboxRef, MembershipRow, UserRow};
use crate::source::SourceStore;
use crate::write::Context;

/// One object of one part of the state, and how it came to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The part.
    pub part: Coverage,
    /// Its id.
    pub id: String,
    /// How.
    pub learnt: Learnt,
}

/// What a run that read single objects settles: of these alone it speaks.
#[derive(Debug, Clone, Default)]
pub struct Settlement {
    /// Objects that it wrote; those that the feed does not know are new.
    pub seen: Vec<Named>,
    /// Objects that are certainly gone.
    pub gone: Vec<Named>,
    /// Facets of mailboxes that it read whole.
    pub facets: Vec<(String, Facet, Learnt)>,
    /// Memberships that it wrote.
    pub joined: Vec<MembershipRow>,
    /// Memberships that ended.
    pub left: Vec<MembershipRow>,
    /// The kinds of mailbox that bear labels, where mailboxes were read.
    pub labels: Option<Vec<MailboxKind>>,
    /// Objects of which these parts do not have to be read again any more, as far as they were due;
    /// `None`: no part of them.
    pub read_again: Vec<(ObjectKind, String, Option<u8>)>,
    /// Objects to be read again.
    pub queued: Vec<Waiting>,
    /// Pieces of the activity feed that were read to their end.
    pub content: Vec<String>,
    /// Audit records that were seen.
    pub records: Vec<AuditNote>,
}

impl Settlement {
    /// Writes what it amounts to.
    pub(crate) fn put(&self, connection: &Connection, context: &Context) -> Result<(), Fault> {
        settle::settle(connection, context, self)?;
        backlog::finish(connection, context, &self.read_again)?;
        backlog::queue(connection, context, &self.queued)?;
        cursors::keep_content(connection, context, &self.content)?;
        audit::keep(connection, context, &self.records)
    }
}

/// Writes where feeds go on.
pub(crate) fn advance(
    connection: &Connection,
    context: &Context,
    advanced: &[(String, String)],
) -> Result<(), Fault> {
    cursors::advance(connection, context, advanced)
}

impl SourceStore {
    /// Where a feed of differences goes on.
    pub async fn feed_cursor(&self, feed: &str) -> Result<Option<FeedCursor>, StoreError> {
        let feed = feed.to_owned();
        self.read(move |connection, source| cursors::one(connection, source, &feed)).await
    }

    /// Of these pieces of the activity feed, those that were not read yet, in the order given.
    pub async fn unread_content(&self, ids: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read(move |connection, source| cursors::unread(connection, source, ids)).await
    }

    /// What waits to be read again and is due, the longest waiting first.
    pub async fn due(&self, object: ObjectKind, limit: usize) -> Result<Vec<Waiting>, StoreError> {
        let now = self.store().now();
        self.read(move |connection, source| backlog::due(connection, source, object, now, limit)).await
    }

    /// How much waits to be read again.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.read(backlog::summary).await
    }

    /// Has every mailbox of these kinds read again, or these parts of it.
    pub async fn queue_all(
        &self,
        kinds: Vec<MailboxKind>,
        reason: &str,
        parts: Option<u8>,
    ) -> Result<u64, StoreError> {
        let (source, reason) = (self.number(), reason.to_owned());
        self.store()
            .write(move |writer| {
                writer.transact(|transaction, now| {
                    backlog::queue_all(transaction, source, &kinds, (&reason, parts), now)
                })
            })
            .await
    }

    /// The mailboxes of these kinds whose permissions were read longest ago, oldest first; those
    /// never read come before all others.
    pub async fn oldest(&self, kinds: Vec<MailboxKind>, limit: usize) -> Result<Vec<MailboxRef>, StoreError> {
        self.read(move |connection, source| ages::oldest(connection, source, &kinds, limit)).await
    }

    /// When each part of these mailboxes was last read, by the keys as given.
    pub async fn mailbox_reads(
        &self,
        keys: Vec<String>,
    ) -> Result<HashMap<String, MailboxReads>, StoreError> {
        self.read(move |connection, source| ages::mailbox_reads(connection, source, keys)).await
    }

    /// How old the facts of this source are.
    pub async fn ages(&self, kinds: Vec<MailboxKind>) -> Result<Ages, StoreError> {
        self.read(move |connection, source| ages::of(connection, source, &kinds)).await
    }

    /// Which parts of the state the feed speaks of: those that a complete run has read.
    pub async fn settled_parts(&self) -> Result<Vec<Coverage>, StoreError> {
        self.read(ages::settled).await
    }

    /// Of these users, those that are stored but that the feed of changes does not know yet: a run wrote
    /// them that did not come to its end.
    pub async fn unannounced_users(&self, ids: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read(move |connection, source| ages::unannounced_users(connection, source, ids)).await
    }

    /// The users of whom an attribute has this value.
    pub async fn users_with(&self, attribute: &str, value: &str) -> Result<Vec<UserRow>, StoreError> {
        let (attribute, value) = (attribute.to_owned(), value.to_owned());
        self.read(move |connection, source| ages::users_with(connection, source, &attribute, &value)).await
    }

    /// The keys of all mailboxes, sorted.
    pub async fn mailbox_keys(&self) -> Result<Vec<String>, StoreError> {
        self.read(ages::mailbox_keys).await
    }

    /// The ids of all dynamic distribution groups, sorted.
    pub async fn dynamic_groups(&self) -> Result<Vec<String>, StoreError> {
        self.read(ages::dynamic_groups).await
    }

    /// Of these audit records, those that were not seen yet.
    pub async fn unseen_records(&self, ids: Vec<String>) -> Result<Vec<String>, StoreError> {
        self.read(move |connection, source| audit::unseen(connection, source, ids)).await
    }

    /// Changes learnt since an instant of which nobody knows who made them, oldest first.
    pub async fn unattributed(&self, since: Timestamp) -> Result<Vec<ChangeRecord>, StoreError> {
        self.read(move |connection, source| audit::unattributed(connection, source, since)).await
    }

    /// The audit records about an object, oldest first.
    pub async fn records_about(&self, object: &str) -> Result<Vec<AuditNote>, StoreError> {
        let object = object.to_owned();
        self.read(move |connection, source| audit::about(connection, source, &object)).await
    }

    /// The changes of one object, oldest first.
    pub async fn changes_of(&self, object: &str) -> Result<Vec<ChangeRecord>, StoreError> {
        let object = object.to_owned();
        self.read(move |connection, source| crate::read::feed::of_object(connection, source, &object)).await
    }

    /// Where a webhook stands; `None` for one that was never delivered to.
    pub async fn webhook(&self, name: &str) -> Result<Option<WebhookState>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection, source| webhooks::one(connection, source, &name)).await
    }

    /// Notes where a webhook stands, and what it could not be given.
    pub async fn set_webhook(
        &self,
        name: &str,
        state: WebhookState,
        dead: Vec<DeadLetter>,
    ) -> Result<(), StoreError> {
        let (source, name) = (self.number(), name.to_owned());
        self.store()
            .write(move |writer| {
                writer.transact(|transaction, _| {
                    webhooks::bury(transaction, source, &name, &dead)?;
                    webhooks::put(transaction, source, &name, &state)
                })
            })
            .await
    }

    /// Takes or keeps the turn to deliver to a webhook, for whoever bears this token; `false` while somebody else
    /// who is alive has it. To be asked for again every few seconds.
    pub async fn take_webhook(&self, name: &str, token: &str) -> Result<bool, StoreError> {
        let now = self.store().now();
        let (source, name, token) = (self.number(), name.to_owned(), token.to_owned());
        let (asked, by) = (name.clone(), token.clone());
        let turn = self.read(move |connection, source| turns::look(connection, source, &asked, &by, now));
        match turn.await? {
            Turn::Ours => Ok(true),
            Turn::Theirs => Ok(false),
            Turn::Open => {
                self.store()
                    .write(move |writer| {
                        writer
                            .transact(|transaction, now| turns::take(transaction, source, &name, &token, now))
                    })
                    .await
            }
        }
    }

    /// Gives the turn at a webhook to others, if this token has it.
    pub async fn release_webhook(&self, name: &str, token: &str) -> Result<(), StoreError> {
        let (source, name, token) = (self.number(), name.to_owned(), token.to_owned());
        self.store()
            .write(move |writer| {
                writer.transact(|transaction, _| turns::give_up(transaction, source, &name, &token))
            })
            .await
    }

    /// What a webhook could not be given, in the order of the feed.
    pub async fn dead_letters(&self, name: &str) -> Result<Vec<(DeadLetter, ChangeRecord)>, StoreError> {
        let name = name.to_owned();
        self.read(move |connection, source| webhooks::dead(connection, source, &name)).await
    }

    /// How much a webhook could not be given.
    pub async fn dead_letter_count(&self, name: &str) -> Result<u64, StoreError> {
        let name = name.to_owned();
        self.read(move |connection, source| webhooks::dead_count(connection, source, &name)).await
    }

    /// Forgets dead letters of a webhook, by the numbers of their changes. Returns how many.
    pub async fn forget_dead_letters(&self, name: &str, sequences: Vec<i64>) -> Result<u64, StoreError> {
        let (source, name) = (self.number(), name.to_owned());
        self.store()
            .write(move |writer| {
                writer.transact(|transaction, _| webhooks::unbury(transaction, source, &name, &sequences))
            })
            .await
    }

    /// How many changes come after one.
    pub async fn changes_after(&self, sequence: i64) -> Result<u64, StoreError> {
        self.read(move |connection, source| webhooks::behind(connection, source, sequence)).await
    }

    /// Notes who made changes, by sequence number.
    pub async fn attribute(&self, authors: Vec<(i64, Author)>) -> Result<(), StoreError> {
        let source = self.number();
        self.store()
            .write(move |writer| {
                writer.transact(|transaction, _| audit::attribute(transaction, source, &authors))
            })
            .await
    }
}
