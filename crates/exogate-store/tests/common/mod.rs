//! What the tests of the store share: a clock to turn, a store in a temporary folder, rows in few
//! words, and a dump of everything that a caller can see.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use exogate_model::account::Attributes;
use exogate_model::clock::Clock;
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::mailbox::MailboxKind;
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use exogate_model::value::AttributeValue;
use exogate_store::*;
use jiff::Timestamp;
use tempfile::TempDir;

/// A clock that tests turn.
pub struct Hand(AtomicI64);

impl Hand {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

pub struct Bench {
    pub folder: TempDir,
    pub clock: Arc<Hand>,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(Hand(AtomicI64::new(1_780_000_000_000))),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    pub fn open(&self) -> Store {
        Store::open(self.path(), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }

    pub async fn source(&self) -> SourceStore {
        self.open().source("contoso").await.unwrap()
    }
}

pub fn request(scope: &str) -> RunRequest {
    RunRequest {
        scope: scope.into(),
        fingerprint: "options 1".into(),
        holder: Holder { who: "kim".into(), host: "ops1".into(), pid: 4242 },
        fresh_for: Duration::from_secs(3600),
    }
}

pub async fn begin(source: &SourceStore) -> RunHandle {
    source.begin_or_resume(request("all")).await.unwrap()
}

pub const ALL: [Coverage; 10] = [
    Coverage::Users,
    Coverage::Mailboxes,
    Coverage::CasAttributes,
    Coverage::Groups,
    Coverage::DynamicGroups,
    Coverage::GroupExchange,
    Coverage::Memberships,
    Coverage::Grants(Facet::MailboxPermission),
    Coverage::Grants(Facet::SendAs),
    Coverage::Grants(Facet::SendOnBehalf),
];

pub fn complete() -> Finish {
    Finish {
        state: RunState::Completed,
        covered: ALL.to_vec(),
        delete_unseen: true,
        streams: Vec::new(),
        notes: Vec::new(),
        cursors: Vec::new(),
    }
}

pub fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).into(), AttributeValue::Text((*value).into()))).collect()
}

pub fn user(id: &str, department: &str) -> UserRow {
    UserRow {
        id: id.into(),
        upn: format!("{id}@contoso.com"),
        display_name: Some(format!("User {id}")),
        mail: Some(format!("mail.{id}@contoso.com")),
        disabled: false,
        sid: Some(format!("S-1-5-21-1-{id}")),
        attributes: attributes(&[("department", department)]),
    }
}

pub fn mailbox(key: &str, display_name: &str) -> MailboxRow {
    MailboxRow {
        key: key.into(),
        kind: MailboxKind::Shared,
        display_name: display_name.into(),
        primary_smtp: format!("{key}@contoso.com"),
        exchange_guid: Some(format!("guid-{key}")),
        name: Some(format!("name-{key}")),
        alias: Some(format!("alias-{key}")),
        distinguished_name: Some(format!("CN={key},OU=contoso")),
        legacy_dn: None,
        upn: None,
        attributes: attributes(&[("EXO_Alias", &format!("alias-{key}"))]),
    }
}

pub fn group(id: &str, display_name: &str) -> GroupRow {
    GroupRow {
        id: id.into(),
        kind: GroupKind::Security,
        display_name: display_name.into(),
        mail: None,
        sid: None,
        attributes: Attributes::new(),
    }
}

pub fn member(group: &str, member: &str) -> MembershipRow {
    MembershipRow {
        group: group.into(),
        role: MembershipRole::Member,
        member: member.into(),
        member_kind: MemberKind::User,
    }
}

pub fn trustee(text: &str) -> Trustee {
    Trustee { text: text.into(), sid: None }
}

pub fn allow(right: Right, text: &str) -> (Right, Trustee, bool, bool) {
    (right, trustee(text), false, false)
}

pub fn set(mailbox: &str, grants: Vec<(Right, Trustee, bool, bool)>) -> GrantSet {
    GrantSet { mailbox: mailbox.into(), facet: Facet::MailboxPermission, grants }
}

pub fn send_as(mailbox: &str, text: &str) -> GrantRow {
    GrantRow {
        mailbox: mailbox.into(),
        facet: Facet::SendAs,
        right: Right::SendAs,
        trustee: trustee(text),
        deny: false,
        inherited: false,
    }
}

/// Every trustee that is `<id>@contoso.com` of a stored user is that user.
pub async fn resolve(run: &RunHandle) {
    let trustees = run.unresolved_trustees().await.unwrap();
    let keys = trustees.iter().map(|trustee| trustee.text.clone()).collect();
    let candidates = run.principal_index(keys).await.unwrap();
    let resolved = trustees
        .into_iter()
        .map(|trustee| {
            let principal = candidates
                .iter()
                .find(|candidate| candidate.key == trustee.text && candidate.kind == CandidateKind::User)
                .map_or(Principal::Unknown, |candidate| Principal::User { id: candidate.id.clone() });
            (trustee, principal)
        })
        .collect();
    run.resolve(resolved).await.unwrap();
}

/// One whole run that sees exactly this.
pub async fn aggregate(source: &SourceStore, batch: Batch) -> RunRecord {
    let run = begin(source).await;
    run.write(Batch { stream: "everything".into(), ..batch }).await.unwrap();
    resolve(&run).await;
    run.relabel(&[MailboxKind::Shared]).await.unwrap();
    run.finish(complete()).await.unwrap()
}

/// The feed in short lines.
pub async fn feed(source: &SourceStore, since: i64) -> Vec<String> {
    let changes = source.changes(since, 1000).await.unwrap();
    changes
        .into_iter()
        .map(|change| {
            format!(
                "{} {} {}",
                change.object.name(),
                change.id,
                serde_json::to_string(&change.happened).unwrap()
            )
        })
        .collect()
}

/// Everything that a caller can see of the objects, without times.
pub async fn dump(source: &SourceStore) -> Vec<String> {
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let page = source.accounts(after, 3).await.unwrap();
        for account in page.items {
            lines.push(format!(
                "{:?} {:?} {:?} {:?} {:?}",
                account.user, account.mailbox, account.cas, account.groups, account.grants
            ));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = source.groups(after, 3).await.unwrap();
        for group in page.items {
            lines.push(format!(
                "{:?} {:?} {:?} {:?}",
                group.group, group.exchange, group.members, group.owners
            ));
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = source.entitlements(after, 3).await.unwrap();
        for entitlement in page.items {
            let key = entitlement.mailbox.key.clone();
            let record = source.mailbox(&key).await.unwrap().unwrap();
            lines.push(format!("{entitlement:?} {:?} {:?}", record.mailbox, record.cas));
            for stored in source.grants_of_mailbox(&key).await.unwrap() {
                lines.push(format!("{:?} {:?}", stored.grant, stored.facet));
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    lines.push(format!("{:?}", source.counts().await.unwrap()));
    lines
}
