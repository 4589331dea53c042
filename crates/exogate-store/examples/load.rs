//! How long the store takes for a tenant of a given size: a fresh aggregation, the same again
//! unchanged, and all accounts read back.
//!
//! `cargo run --release -p exogate-store --example load -- [USERS] [SHARED] [GROUPS] [MEMBERSHIPS]`
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use exogate_model::account::Attributes;
use exogate_model::clock::Clock;
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::mailbox::MailboxKind;
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use exogate_model::value::AttributeValue;
use exogate_store::*;
use uuid::Uuid;

const PAGE: usize = 1000;

struct Wall;

impl Clock for Wall {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

#[derive(Clone, Copy)]
struct Size {
    users: usize,
    shared: usize,
    groups: usize,
    memberships: usize,
}

/// Random to look at, the same every time.
fn id(kind: u128, number: usize) -> String {
    let mixed = (kind << 64 | number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128(mixed ^ (mixed >> 61)).to_string()
}

fn attributes(prefix: &str, number: usize, count: usize) -> Attributes {
    (0..count)
        .map(|index| {
            (
                format!("{prefix}attributeNumber{index}"),
                AttributeValue::Text(format!("value {number} of {index}")),
            )
        })
        .collect()
}

fn user(number: usize) -> UserRow {
    UserRow {
        id: id(1, number),
        upn: format!("user{number}@contoso.com"),
        display_name: Some(format!("User {number}")),
        mail: Some(format!("user{number}@contoso.com")),
        disabled: false,
        sid: Some(format!("S-1-12-1-2938923-{number}")),
        attributes: attributes("", number, 20),
    }
}

fn mailbox(number: usize, users: usize) -> MailboxRow {
    MailboxRow {
        key: id(1, number),
        kind: if number < users { MailboxKind::User } else { MailboxKind::Shared },
        display_name: format!("User {number}"),
        primary_smtp: format!("user{number}@contoso.com"),
        exchange_guid: Some(id(2, number)),
        name: Some(id(1, number)),
        alias: Some(format!("user{number}")),
        distinguished_name: Some(format!(
            "CN={},OU=contoso.onmicrosoft.com,OU=Microsoft Exchange Hosted Organizations,DC=EURPR01A001,DC=PROD",
            id(1, number)
        )),
        legacy_dn: None,
        upn: Some(format!("user{number}@contoso.com")),
        attributes: attributes("EXO_", number, 20),
    }
}

fn group(number: usize) -> GroupRow {
    GroupRow {
        id: id(3, number),
        kind: GroupKind::Security,
        display_name: format!("Group {number}"),
        mail: None,
        sid: Some(format!("S-1-12-1-777-{number}")),
        attributes: attributes("", number, 8),
    }
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// Processor seconds used so far, and MiB handed to the system for writing.
fn spent() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).and_then(|text| text.parse().ok());
    ((ticks(11) + ticks(12)) / 100.0, written.unwrap_or(0u64) >> 20)
}

/// Hands batches over as an aggregation does: a few in memory at once.
async fn hand_over(run: &RunHandle, batches: impl Iterator<Item = Batch>) {
    let (mut held, mut written) = (std::collections::VecDeque::new(), Vec::new());
    for batch in batches {
        held.push_back(run.submit(batch).await.unwrap());
        if held.len() > 3 {
            let mut oldest = held.pop_front().unwrap();
            oldest.let_go().await;
            written.push(oldest);
        }
    }
    for one in written.into_iter().chain(held) {
        one.stored().await.unwrap();
    }
}

async fn aggregate(source: &SourceStore, size: Size) -> RunRecord {
    let run = source
        .begin_or_resume(RunRequest {
            scope: "all".into(),
            fingerprint: "load".into(),
            holder: Holder { who: "load".into(), host: "here".into(), pid: std::process::id() },
            fresh_for: Duration::ZERO,
        })
        .await
        .unwrap();
    let began = Instant::now();
    let before = spent();
    let pages = |all: usize, page: usize| (0..all).step_by(page).map(move |at| at..(at + page).min(all));
    let users = pages(size.users, PAGE).map(|page| Batch {
        stream: "users".into(),
        users: page.map(user).collect(),
        ..Batch::default()
    });
    let mailboxes = pages(size.users + size.shared, PAGE).map(|page| Batch {
        stream: "mailboxes".into(),
        mailboxes: page.map(|number| mailbox(number, size.users)).collect(),
        ..Batch::default()
    });
    let each = size.memberships / size.groups.max(1);
    let groups = pages(size.groups, 200).map(|page| Batch {
        stream: "groups".into(),
        groups: page.clone().map(group).collect(),
        memberships: page
            .flat_map(|number| {
                (0..each).map(move |index| MembershipRow {
                    group: id(3, number),
                    role: MembershipRole::Member,
                    member: id(1, (number * 7919 + index * 104_729) % size.users),
                    member_kind: MemberKind::User,
                })
            })
            .collect(),
        ..Batch::default()
    });
    let grants = pages(size.shared, 10).map(|page| Batch {
        stream: "rights".into(),
        grant_sets: page
            .map(|number| GrantSet {
                mailbox: id(1, size.users + number),
                facet: Facet::MailboxPermission,
                grants: (0..8)
                    .map(|index| {
                        let text = format!("user{}@contoso.com", (number * 31 + index * 97) % size.users);
                        (Right::FullAccess, Trustee { text, sid: None }, false, false)
                    })
                    .collect(),
            })
            .collect(),
        ..Batch::default()
    });
    tokio::join!(
        hand_over(&run, users),
        hand_over(&run, mailboxes),
        hand_over(&run, groups),
        hand_over(&run, grants)
    );
    let written = began.elapsed();
    let began = Instant::now();
    let trustees = run.unresolved_trustees().await.unwrap();
    let keys = trustees.iter().map(|trustee| trustee.text.clone()).collect();
    let found = run.principal_index(keys).await.unwrap();
    let by_key: std::collections::HashMap<_, _> = found.into_iter().map(|one| (one.key, one.id)).collect();
    let resolved = trustees
        .into_iter()
        .map(|trustee| {
            let principal = match by_key.get(&trustee.text) {
                Some(id) => Principal::User { id: id.clone() },
                None => Principal::Unknown,
            };
            (trustee, principal)
        })
        .collect();
    run.resolve(resolved).await.unwrap();
    let resolved = began.elapsed();
    let began = Instant::now();
    run.relabel(&[MailboxKind::Shared]).await.unwrap();
    let covered = vec![
        Coverage::Users,
        Coverage::Mailboxes,
        Coverage::Groups,
        Coverage::Memberships,
        Coverage::Grants(Facet::MailboxPermission),
    ];
    let finish = Finish {
        state: RunState::Completed,
        covered,
        delete_unseen: true,
        streams: Vec::new(),
        notes: Vec::new(),
        cursors: Vec::new(),
    };
    let record = run.finish(finish).await.unwrap();
    let after = spent();
    println!(
        "  written {:.2} s, resolved {:.2} s, finished {:.2} s; {:?}; {:.1} processor s, {} MiB written; \
         peak memory {} MiB",
        written.as_secs_f64(),
        resolved.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        record.outcome,
        after.0 - before.0,
        after.1 - before.1,
        resident_mib()
    );
    record
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().unwrap());
    let size = Size {
        users: numbers.next().unwrap_or(100_000),
        shared: numbers.next().unwrap_or(5_000),
        groups: numbers.next().unwrap_or(10_000),
        memberships: numbers.next().unwrap_or(300_000),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.db");
    let source = Store::open(&path, Arc::new(Wall)).unwrap().source("load").await.unwrap();
    println!("fresh");
    aggregate(&source, size).await;
    println!("  {} MiB on disk", std::fs::metadata(&path).unwrap().len() >> 20);
    println!("unchanged");
    aggregate(&source, size).await;
    let began = Instant::now();
    let (mut after, mut accounts) = (None, 0);
    loop {
        let page = source.accounts(after, PAGE).await.unwrap();
        accounts += page.items.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    println!(
        "{accounts} accounts read back in {:.2} s; peak memory {} MiB",
        began.elapsed().as_secs_f64(),
        resident_mib()
    );
}
