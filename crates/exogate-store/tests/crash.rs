//! Killed at any batch and resumed, a run ends as if it had not been disturbed.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use exogate_model::mailbox::MailboxKind;
use exogate_model::right::KNOWN;
use exogate_store::*;
use proptest::prelude::*;

/// What a tenant holds: users with departments, shared mailboxes with names, and who has what.
#[derive(Debug, Clone)]
struct Tenant {
    users: Vec<(u8, u8)>,
    mailboxes: Vec<(u8, u8)>,
    memberships: Vec<(u8, u8)>,
    rights: Vec<(u8, u8, u8)>,
    send_as: Vec<(u8, u8)>,
}

fn tenant() -> impl Strategy<Value = Tenant> {
    use proptest::collection::{btree_map, btree_set};
    (
        btree_map(0..8u8, 0..3u8, 0..8),
        btree_map(0..6u8, 0..4u8, 0..6),
        btree_set((0..3u8, 0..8u8), 0..10),
        btree_set((0..6u8, 0..8u8, 0..8u8), 0..12),
        btree_set((0..6u8, 0..8u8), 0..8),
    )
        .prop_map(|(users, mailboxes, memberships, rights, send_as)| Tenant {
            users: users.into_iter().collect(),
            mailboxes: mailboxes.into_iter().collect(),
            memberships: memberships.into_iter().collect(),
            rights: rights.into_iter().collect(),
            send_as: send_as.into_iter().collect(),
        })
}

impl Tenant {
    /// The pages of each stream, as they would come from the tenant.
    fn streams(&self) -> Vec<(&'static str, Vec<Batch>)> {
        let upn = |number: u8| format!("u{number}@contoso.com");
        let mailboxes: Vec<u8> = self.mailboxes.iter().map(|(number, _)| *number).collect();
        let users = self.users.chunks(3).map(|page| Batch {
            users: page
                .iter()
                .map(|(number, department)| user(&format!("u{number}"), &department.to_string()))
                .collect(),
            ..Batch::default()
        });
        let boxes = self.mailboxes.chunks(2).map(|page| Batch {
            mailboxes: page
                .iter()
                .map(|(number, name)| mailbox(&format!("m{number}"), &format!("Box {name}")))
                .collect(),
            ..Batch::default()
        });
        let groups = self.memberships.chunks(3).map(|page| Batch {
            groups: page.iter().map(|(number, _)| group(&format!("g{number}"), "Group")).collect(),
            memberships: page
                .iter()
                .map(|(group, user)| member(&format!("g{group}"), &format!("u{user}")))
                .collect(),
            ..Batch::default()
        });
        let rights = mailboxes.chunks(2).map(|page| Batch {
            grant_sets: page
                .iter()
                .map(|mailbox| {
                    let of_mailbox = self.rights.iter().filter(|(on, ..)| on == mailbox);
                    let grants = of_mailbox
                        .map(|(_, who, right)| allow(KNOWN[usize::from(*right)].clone(), &upn(*who)));
                    set(&format!("m{mailbox}"), grants.collect())
                })
                .collect(),
            ..Batch::default()
        });
        let listed: Vec<_> = self.send_as.iter().filter(|(on, _)| mailboxes.contains(on)).collect();
        let send_as = listed.chunks(3).map(|page| Batch {
            grants: page.iter().map(|(on, who)| send_as(&format!("m{on}"), &upn(*who))).collect(),
            ..Batch::default()
        });
        vec![
            ("users", users.collect()),
            ("mailboxes", boxes.collect()),
            ("groups", groups.collect()),
            ("rights", rights.collect()),
            ("sendAs", send_as.collect()),
        ]
    }
}

/// Reads the tenant from wherever the run stands. `patience` counts writes until the process dies.
async fn read_on(run: &RunHandle, tenant: &Tenant, patience: &mut Option<usize>) -> bool {
    for (stream, pages) in tenant.streams() {
        let checkpoint = run.checkpoint(stream).await.unwrap().unwrap_or_default();
        if checkpoint.done {
            continue;
        }
        let read = usize::try_from(checkpoint.pages).unwrap();
        let count = pages.len();
        for (number, page) in pages.into_iter().enumerate().skip(read) {
            if let Some(left) = patience {
                if *left == 0 {
                    return false;
                }
                *left -= 1;
            }
            let checkpoint = Checkpoint {
                done: number + 1 == count,
                cursor: Some(number.to_string()),
                pages: number as u64 + 1,
                objects: 0,
                notes: Vec::new(),
            };
            run.write(Batch { stream: stream.into(), checkpoint: Some(checkpoint), ..page }).await.unwrap();
        }
    }
    true
}

async fn aggregate_with_crashes(bench: &Bench, tenant: &Tenant, crashes: &[usize]) {
    for crash in crashes {
        let store = bench.open();
        let run = begin(&store.source("contoso").await.unwrap()).await;
        if read_on(&run, tenant, &mut Some(*crash)).await {
            resolve(&run).await;
        }
        // Dropped without a word: as the system leaves it when a process is killed.
        drop(run);
        store.flush().await.unwrap();
    }
    let source = bench.source().await;
    let run = begin(&source).await;
    assert!(read_on(&run, tenant, &mut None).await);
    resolve(&run).await;
    run.relabel(&[MailboxKind::Shared]).await.unwrap();
    run.finish(complete()).await.unwrap();
}

async fn everything(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let source = bench.source().await;
    let mut changes = feed(&source, 0).await;
    changes.sort_unstable();
    (dump(&source).await, changes)
}

/// What the state must be, told from the tenant alone.
async fn check(bench: &Bench, tenant: &Tenant) {
    let counts = bench.source().await.counts().await.unwrap();
    let has = |mailbox: u8| tenant.mailboxes.iter().any(|(number, _)| *number == mailbox);
    let grants = tenant.rights.iter().filter(|(mailbox, ..)| has(*mailbox)).count()
        + tenant.send_as.iter().filter(|(mailbox, _)| has(*mailbox)).count();
    assert_eq!(counts.users, tenant.users.len() as u64);
    assert_eq!(counts.mailboxes, tenant.mailboxes.len() as u64);
    assert_eq!(counts.labelled_mailboxes, tenant.mailboxes.len() as u64);
    assert_eq!(counts.memberships, tenant.memberships.len() as u64);
    assert_eq!(counts.grants, grants as u64);
}

/// A tenant with some of everything.
fn full() -> Tenant {
    Tenant {
        users: (0..8).map(|number| (number, number % 3)).collect(),
        mailboxes: (0..6).map(|number| (number, number % 4)).collect(),
        memberships: (0..9).map(|number| (number % 3, number % 8)).collect(),
        rights: (0..12).map(|number| (number % 6, number % 8, number % 8)).collect(),
        send_as: (0..8).map(|number| (number % 6, number)).collect(),
    }
}

#[tokio::test]
async fn killed_behind_each_single_checkpoint_it_ends_the_same() {
    let tenant = full();
    let checkpoints: usize = tenant.streams().iter().map(|(_, pages)| pages.len()).sum();
    assert!(checkpoints > 8, "{checkpoints}");
    let calm = Bench::new();
    aggregate_with_crashes(&calm, &tenant, &[]).await;
    let undisturbed = everything(&calm).await;
    for checkpoint in 0..=checkpoints {
        let disturbed = Bench::new();
        aggregate_with_crashes(&disturbed, &tenant, &[checkpoint]).await;
        assert_eq!(everything(&disturbed).await, undisturbed, "killed behind checkpoint {checkpoint}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_disturbed_run_ends_like_an_undisturbed_one(
        tenants in proptest::collection::vec(tenant(), 1..4),
        crashes in proptest::collection::vec(0..12usize, 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (calm, disturbed) = (Bench::new(), Bench::new());
            for tenant in &tenants {
                aggregate_with_crashes(&calm, tenant, &[]).await;
                aggregate_with_crashes(&disturbed, tenant, &crashes).await;
                check(&disturbed, tenant).await;
            }
            assert_eq!(everything(&calm).await, everything(&disturbed).await);
        });
    }
}
