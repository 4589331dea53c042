//! A source whose feed of changes grows as a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use exogate_model::clock::Clock;
use exogate_model::mailbox::MailboxKind;
use exogate_model::value::AttributeValue;
use exogate_server::webhook::{Courier, Webhook};
use exogate_store::{
    Batch, Coverage, Finish, Holder, MailboxRow, RunRequest, RunState, SourceStore, Store, UserRow,
};
use jiff::Timestamp;
use tempfile::TempDir;

/// A clock that tests turn.
pub struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A source whose feed grows as a test wants.
pub struct Feed {
    folder: TempDir,
    pub clock: Arc<Hand>,
    pub store: SourceStore,
    users: Vec<UserRow>,
    round: u32,
    /// Users that ever were.
    made: usize,
}

impl Feed {
    /// A source that was read once.
    pub async fn new(users: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000)));
        let store = open(&folder, &clock).await;
        let feed =
            Self { folder, clock, store, users: (0..users).map(user).collect(), round: 0, made: users };
        feed.read().await;
        feed
    }

    /// Another process takes over.
    pub async fn restart(&mut self) {
        self.store = open(&self.folder, &self.clock).await;
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// So many users go to another department.
    pub async fn change(&mut self, count: usize) {
        self.round += 1;
        for user in self.users.iter_mut().take(count) {
            user.attributes.insert("department".into(), AttributeValue::Text(self.round.to_string()));
        }
        self.read().await;
    }

    /// So many users are new.
    pub async fn grow(&mut self, count: usize) {
        self.users.extend((self.made..self.made + count).map(user));
        self.made += count;
        self.read().await;
    }

    /// So many users go.
    pub async fn shrink(&mut self, count: usize) {
        self.users.truncate(self.users.len().saturating_sub(count));
        self.read().await;
    }

    async fn read(&self) {
        let holder = Holder { who: "test".into(), host: "here".into(), pid: 1 };
        let request =
            RunRequest { scope: "all".into(), fingerprint: "f".into(), holder, fresh_for: Duration::ZERO };
        let run = self.store.begin_or_resume(request).await.unwrap();
        let mailboxes = vec![support()];
        let batch =
            Batch { stream: "users".into(), users: self.users.clone(), mailboxes, ..Batch::default() };
        run.write(batch).await.unwrap();
        let finish = Finish {
            state: RunState::Completed,
            covered: vec![Coverage::Users, Coverage::Mailboxes],
            delete_unseen: true,
            streams: Vec::new(),
            notes: Vec::new(),
            cursors: Vec::new(),
        };
        run.finish(finish).await.unwrap();
    }

    pub fn courier(&self, hook: &Arc<Webhook>) -> Courier {
        Courier::new(self.store.clone(), Arc::clone(hook), Arc::clone(&self.clock) as Arc<dyn Clock>)
    }
}

fn user(number: usize) -> UserRow {
    UserRow {
        id: format!("00000000-0000-4000-8000-{number:012}"),
        upn: format!("user{number}@contoso.com"),
        display_name: Some(format!("User {number}")),
        mail: None,
        disabled: false,
        sid: None,
        attributes: Default::default(),
    }
}

async fn open(folder: &TempDir, clock: &Arc<Hand>) -> SourceStore {
    let store = Store::open(folder.path().join("store.db"), Arc::clone(clock) as Arc<dyn Clock>).unwrap();
    store.source("contoso").await.unwrap()
}

/// A mailbox that never changes.
fn support() -> MailboxRow {
    MailboxRow {
        key: "10000000-0000-4000-8000-000000000000".into(),
        kind: MailboxKind::Shared,
        display_name: "Support".into(),
        primary_smtp: "support@contoso.com".into(),
        exchange_guid: None,
        name: Some("Support".into()),
        alias: None,
        distinguished_name: None,
        legacy_dn: None,
        upn: None,
        attributes: Default::default(),
    }
}
