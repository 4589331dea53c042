//! The first load of an empty store: whatever ends it, nothing is lost and nothing is there twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::*;
use exogate_model::group::MemberKind;
use exogate_model::mailbox::MailboxKind;
use exogate_model::right::Right;
use exogate_store::*;

const GUID: &str = "3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a01";

/// Indices of the file, and how many are aside.
fn indices(bench: &Bench) -> (i64, i64) {
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (
        count("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"),
        count("SELECT count(*) FROM indices_aside"),
    )
}

fn some() -> Batch {
    Batch {
        stream: "some".into(),
        users: vec![user("u1", "Sales"), user(GUID, "Sales")],
        mailboxes: vec![mailbox("m1", "Box"), mailbox(GUID, "Kim")],
        groups: vec![group("g1", "Group")],
        memberships: vec![member("g1", "u1"), member("g1", "u9"), member("g1", GUID)],
        grant_sets: vec![set("m1", vec![allow(Right::FullAccess, "u1@contoso.com")])],
        ..Batch::default()
    }
}

fn more() -> Batch {
    Batch {
        stream: "more".into(),
        users: vec![user("u9", "Support"), user("u2", "Support")],
        cas: vec![("m1".into(), attributes(&[("EXO_ImapEnabled", "true")]))],
        memberships: vec![member("g1", "u2")],
        ..Batch::default()
    }
}

async fn finish(run: &RunHandle) {
    resolve(run).await;
    run.relabel(&[MailboxKind::Shared]).await.unwrap();
    run.finish(complete()).await.unwrap();
}

/// What an undisturbed run makes of both batches.
async fn undisturbed() -> Vec<String> {
    let bench = Bench::new();
    let before = {
        let _store = bench.open();
        indices(&bench)
    };
    let source = bench.source().await;
    let run = begin(&source).await;
    assert!(indices(&bench).1 > 0, "an empty store is loaded without them");
    run.write(some()).await.unwrap();
    run.write(more()).await.unwrap();
    finish(&run).await;
    assert_eq!(indices(&bench), before, "all of them are there again");
    dump(&source).await
}

#[tokio::test]
async fn mailboxes_are_found_to_be_read_while_it_goes_on() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(Batch { mailboxes: vec![mailbox("m2", "Other")], ..some() }).await.unwrap();
    let kinds = [MailboxKind::Shared];
    let page = run.mailboxes_to_read(&kinds, Facet::MailboxPermission, None, 9).await.unwrap();
    let names: Vec<_> = page.items.into_iter().map(|one| (one.reference.key, one.name)).collect();
    assert_eq!(names, [("m2".to_owned(), Some("name-m2".to_owned()))]);
    assert!(indices(&bench).1 > 0, "that needs none");
}

#[tokio::test]
async fn an_object_that_comes_twice_is_stored_once_and_as_it_came_last() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    let other = GUID.to_uppercase();
    run.write(Batch { users: vec![user("u1", "Old"), user(&other, "Old")], ..some() }).await.unwrap();
    run.write(some()).await.unwrap();
    assert_eq!(indices(&bench).1, 0, "it ended");
    run.write(more()).await.unwrap();
    finish(&run).await;
    assert_eq!(dump(&source).await, undisturbed().await);
}

#[tokio::test]
async fn somebody_else_who_writes_knows_what_is_stored_and_is_known() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(some()).await.unwrap();
    let other = bench.source().await;
    other.set_external_id("u1", Some("1".into())).await.unwrap();
    other.set_external_id("u2", Some("2".into())).await.unwrap();
    assert_eq!(indices(&bench).1, 0, "it ended");
    run.write(more()).await.unwrap();
    finish(&run).await;
    assert_eq!(dump(&source).await, undisturbed().await);
}

#[tokio::test]
async fn a_run_of_another_source_ends_it() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(some()).await.unwrap();
    let fabrikam = bench.open().source("fabrikam").await.unwrap();
    aggregate(&fabrikam, more()).await;
    run.write(more()).await.unwrap();
    finish(&run).await;
    assert_eq!(dump(&source).await, undisturbed().await);
    assert_eq!(fabrikam.counts().await.unwrap().users, 2);
}

#[tokio::test]
async fn what_a_killed_process_left_is_put_right_by_whoever_opens_the_store() {
    let killed = Bench::new();
    let source = killed.source().await;
    let run = begin(&source).await;
    run.write(some()).await.unwrap();
    let bench = Bench::new();
    for name in ["state.db", "state.db-wal"] {
        fs::copy(killed.folder.path().join(name), bench.folder.path().join(name)).unwrap();
    }
    let _early = bench.open();
    assert!(indices(&bench).1 > 0, "as long as its lease lasts, somebody may be loading");
    bench.clock.forward(60);
    let source = bench.source().await;
    assert_eq!(indices(&bench).1, 0);
    let run = begin(&source).await;
    assert!(run.resumed());
    run.write(more()).await.unwrap();
    finish(&run).await;
    assert_eq!(dump(&source).await, undisturbed().await);
}

/// Names of the indices that are aside.
fn aside(bench: &Bench) -> Vec<String> {
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    let mut statement =
        connection.prepare("SELECT name FROM indices_aside WHERE sql <> '' ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Writes until whatever is due must have been made.
async fn pass(run: &RunHandle) {
    for _ in 0..200 {
        run.write(Batch { stream: "others".into(), ..Batch::default() }).await.unwrap();
    }
}

#[tokio::test]
async fn indices_are_made_one_by_one_while_others_read_on() {
    let done = |batch: Batch| Batch {
        checkpoint: Some(Checkpoint { done: true, ..Checkpoint::default() }),
        ..batch
    };
    let users = done(Batch { mailboxes: Vec::new(), groups: Vec::new(), ..some() });
    let others = Batch { users: Vec::new(), memberships: Vec::new(), grant_sets: Vec::new(), ..some() };
    for kills in [false, true] {
        let first = Bench::new();
        let source = first.source().await;
        let run = begin(&source).await;
        run.write(Batch { users: more().users, ..Batch::default() }).await.unwrap();
        run.write(users.clone()).await.unwrap();
        pass(&run).await;
        let left = aside(&first);
        assert!(left.iter().all(|name| !name.starts_with("users")), "{left:?}");
        assert!(left.iter().any(|name| name.starts_with("mailboxes")), "{left:?}");
        assert!(left.iter().any(|name| name.starts_with("ids")), "{left:?}");
        let bench = Bench::new();
        let (_kept, run, source) = if kills {
            for name in ["state.db", "state.db-wal"] {
                fs::copy(first.folder.path().join(name), bench.folder.path().join(name)).unwrap();
            }
            bench.clock.forward(60);
            let source = bench.source().await;
            assert_eq!(aside(&bench), Vec::<String>::new());
            (Some(run), begin(&source).await, source)
        } else {
            (None, run, source)
        };
        run.write(others.clone()).await.unwrap();
        run.write(Batch { cas: more().cas, memberships: more().memberships, ..Batch::default() })
            .await
            .unwrap();
        run.objects_ended().unwrap();
        pass(&run).await;
        if !kills {
            let left = aside(&first);
            assert_eq!(left, Vec::<String>::new());
        }
        // What comes once more is known.
        let sees = run.write(Batch { users: more().users, ..Batch::default() }).await.unwrap();
        assert_eq!((sees.created, sees.unchanged), (0, 2));
        finish(&run).await;
        assert_eq!(dump(&source).await, undisturbed().await, "kills: {kills}");
    }
}

#[tokio::test]
async fn of_many_objects_each_keeps_its_own_attributes() {
    for comes_twice in [None, Some(3), Some(66)] {
        let bench = Bench::new();
        let source = bench.source().await;
        let run = begin(&source).await;
        let id = |number: usize| format!("u{number}");
        let mut users: Vec<_> = (0..70).map(|number| user(&id(number), &number.to_string())).collect();
        let mut mailboxes: Vec<_> = (0..40).map(|number| mailbox(&id(number), &number.to_string())).collect();
        if let Some(number) = comes_twice {
            users.insert(67, user(&id(number), "again"));
        }
        mailboxes.rotate_left(7);
        for mailbox in &mut mailboxes {
            mailbox.attributes = attributes(&[("EXO_Alias", &mailbox.key)]);
        }
        run.write(Batch { users, mailboxes, ..Batch::default() }).await.unwrap();
        run.finish(complete()).await.unwrap();
        for number in 0..70 {
            let Found::One(account) = source.account(&id(number)).await.unwrap() else { panic!("{number}") };
            let department = if comes_twice == Some(number) { "again".into() } else { number.to_string() };
            assert_eq!(account.user, user(&id(number), &department));
            let aliases = account.mailbox.map(|mailbox| (mailbox.display_name, mailbox.attributes));
            let alias = attributes(&[("EXO_Alias", &id(number))]);
            assert_eq!(aliases, (number < 40).then(|| (number.to_string(), alias)));
        }
        assert_eq!(source.counts().await.unwrap().users, 70);
    }
}

#[tokio::test]
async fn of_many_memberships_those_that_are_known_already_count_as_such() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    let some = |numbers: std::ops::Range<u8>| numbers.map(|number| member("g1", &format!("u{number}")));
    let write = async |memberships: Vec<MembershipRow>| {
        let outcome = run.write(Batch { memberships, ..Batch::default() }).await.unwrap();
        (outcome.created, outcome.changed, outcome.unchanged)
    };
    assert_eq!(write(some(0..40).collect()).await, (40, 0, 0));
    let contact = MembershipRow { member_kind: MemberKind::Contact, ..member("g1", "u35") };
    assert_eq!(write(some(30..80).chain([contact.clone()]).collect()).await, (40, 1, 10));
    assert_eq!(write(vec![contact]).await, (0, 0, 1));
    run.finish(complete()).await.unwrap();
    assert_eq!(source.counts().await.unwrap().memberships, 80);
}
