//! The journal: durable before it returns, chained, and honest about what has no end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use exogate_model::clock::FixedClock;
use exogate_model::operation::{Action, Entry, Image, Operation, Outcome, Target, TargetKind};
use exogate_model::plan::Plan;
use exogate_store::{Acceptance, Journal, NewEntry};
use jiff::Timestamp;

fn open(path: &std::path::Path) -> Journal {
    Journal::open(path, Arc::new(FixedClock(Timestamp::UNIX_EPOCH))).unwrap()
}

fn operation(number: u32) -> Operation {
    Operation {
        number,
        target: Target { kind: TargetKind::Mailbox, id: "m".into(), name: "M".into() },
        action: Action::DeleteGroup,
        serves: vec![],
        shown: vec![],
        already: false,
        review: false,
    }
}

fn accepted(plan: &str, operations: u32) -> NewEntry {
    NewEntry {
        source: "s".into(),
        plan: plan.into(),
        operation: None,
        entry: Entry::Accepted {
            plan: Plan::default(),
            by: "kim".into(),
            operations: (1..=operations).map(operation).collect(),
            undoes: None,
        },
    }
}

fn of(plan: &str, number: u32, entry: Entry) -> NewEntry {
    NewEntry { source: "s".into(), plan: plan.into(), operation: Some(number), entry }
}

fn begun() -> Entry {
    Entry::Begun { attempt: 1, target: "m".into(), before: Image::Rights { held: vec![] } }
}

fn finished() -> Entry {
    Entry::Finished { outcome: Outcome::Done, made: None }
}

async fn filled(path: &std::path::Path) -> Journal {
    let journal = open(path);
    journal.accept(accepted("p1", 2), "k", None).await.unwrap();
    journal.append(vec![of("p1", 1, begun()), of("p1", 1, finished())]).await.unwrap();
    journal.append(vec![of("p1", 2, begun())]).await.unwrap();
    journal
}

#[tokio::test]
async fn what_was_appended_is_there_for_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.journal");
    drop(filled(&path).await);
    let journal = open(&path);
    let records = journal.plan("s", "p1").await.unwrap();
    assert_eq!(
        records.iter().map(|r| (r.sequence, r.operation, r.entry.name())).collect::<Vec<_>>(),
        [(1, None, "accepted"), (2, Some(1), "begun"), (3, Some(1), "finished"), (4, Some(2), "begun")]
    );
    assert_eq!(records[0].key.as_deref(), Some("k"));
    assert_eq!(journal.plans("s", 9).await.unwrap(), ["p1"]);
    assert_eq!(journal.plan("other", "p1").await.unwrap(), []);
    journal.accept(accepted("p2", 1), "l", None).await.unwrap();
    let before = async |place, limit| journal.plans_before("s", place, limit).await.unwrap();
    assert_eq!(before(None, 9).await, [("p2".to_owned(), 5), ("p1".to_owned(), 1)]);
    assert_eq!(before(None, 1).await, [("p2".to_owned(), 5)]);
    assert_eq!(before(Some(5), 9).await, [("p1".to_owned(), 1)]);
    assert_eq!(before(Some(1), 9).await, []);
}

#[tokio::test]
async fn what_has_no_end_is_abandoned_once_its_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.journal");
    let first = filled(&path).await;
    let second = open(&path);
    assert!(second.abandoned("s").await.unwrap().is_empty(), "its owner lives");
    drop(first);
    assert_eq!(second.abandoned("s").await.unwrap(), ["p1"]);
    second.adopt("s", "p1").await.unwrap();
    let third = open(&path);
    assert!(third.abandoned("s").await.unwrap().is_empty(), "it has a new owner");
    second.append(vec![of("p1", 2, finished())]).await.unwrap();
    drop(second);
    assert!(third.abandoned("s").await.unwrap().is_empty(), "it has an end");
}

#[tokio::test]
async fn a_key_is_taken_once_unless_its_plan_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("x.journal"));
    assert_eq!(journal.accept(accepted("p1", 0), "k", None).await.unwrap(), Acceptance::Accepted);
    let taken = Acceptance::KeyTaken { plan: "p1".into() };
    assert_eq!(journal.accept(accepted("p2", 0), "k", None).await.unwrap(), taken);
    let again = journal.accept(accepted("p3", 0), "k", Some("p1".into())).await.unwrap();
    assert_eq!(again, Acceptance::Accepted);
    assert_eq!(journal.by_key("s", "k").await.unwrap().as_deref(), Some("p3"));
}

#[tokio::test]
async fn many_at_once_keep_the_chain_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.journal");
    let (one, other) = (open(&path), open(&path));
    let appends = (0..60u32).map(|n| {
        let journal = if n % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { journal.append(vec![of("p", n, begun())]).await.unwrap() })
    });
    for append in appends.collect::<Vec<_>>() {
        append.await.unwrap();
    }
    let verified = one.verify(None).await.unwrap();
    assert_eq!((verified.entries, verified.broken), (60, None));
}

/// Every alteration of the file shows; each is made as somebody with the file in hand would.
#[tokio::test]
async fn tampering_shows() {
    let table = [
        ("UPDATE entries SET record = replace(record, 'kim', 'lee') WHERE sequence = 1", 1),
        ("UPDATE entries SET at = at + 1 WHERE sequence = 3", 3),
        ("UPDATE entries SET operation = 2 WHERE sequence = 3", 3),
        ("UPDATE entries SET key = NULL WHERE sequence = 1", 1),
        ("UPDATE entries SET source = 't' WHERE sequence = 2", 2),
        ("DELETE FROM entries WHERE sequence = 2", 3),
        ("DELETE FROM entries WHERE sequence = 4", 4),
        ("DELETE FROM entries", 1),
    ];
    for (sql, place) in table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.journal");
        let journal = filled(&path).await;
        let head = journal.verify(None).await.unwrap();
        assert_eq!((head.entries, &head.broken), (4, &None));
        let connection = rusqlite::Connection::open(&path).unwrap();
        assert!(connection.execute_batch(sql).is_err(), "the file itself refuses: {sql}");
        connection.execute_batch("DROP TRIGGER entries_stay; DROP TRIGGER entries_remain;").unwrap();
        connection.execute_batch(sql).unwrap();
        let verified = journal.verify(Some(head.head)).await.unwrap();
        assert_eq!(verified.broken.map(|(place, _)| place), Some(place), "{sql}");
    }
}

#[tokio::test]
async fn who_comes_later_to_an_object_learns_who_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.journal");
    let (one, other) = (open(&path), open(&path));
    one.accept(accepted("p1", 2), "k", None).await.unwrap();
    other.accept(accepted("p2", 1), "l", None).await.unwrap();
    one.accept(accepted("p3", 1), "m", None).await.unwrap();
    let ahead = async |journal: &Journal, plan| journal.ahead("s", plan).await.unwrap().into_values().next();
    assert_eq!(ahead(&one, "p1").await, None, "nobody was before it");
    assert_eq!(ahead(&other, "p2").await.as_deref(), Some("p1"));
    assert_eq!(ahead(&one, "p3").await.as_deref(), Some("p2"), "its own are a matter of its own locks");
    one.append(vec![of("p1", 1, finished())]).await.unwrap();
    assert_eq!(ahead(&other, "p2").await.as_deref(), Some("p1"), "not done with the object yet");
    one.append(vec![of("p1", 2, finished())]).await.unwrap();
    assert_eq!(ahead(&other, "p2").await, None);
    drop(other);
    assert_eq!(ahead(&one, "p3").await, None, "the dead are not waited for");
}

/// Commits in the write-ahead log: frames whose header tells the size of the file after it. Each is
/// one sync.
fn commits(path: &std::path::Path) -> usize {
    let log = std::fs::read(path.with_file_name("x.journal-wal")).unwrap();
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let frame = 24 + word(8) as usize;
    (32..log.len()).step_by(frame).filter(|at| word(at + 4) != 0).count()
}

#[tokio::test]
async fn what_waits_together_is_synced_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.journal");
    let journal = open(&path);
    journal.accept(accepted("p1", 100), "k", None).await.unwrap();
    let before = commits(&path);
    journal.append(vec![of("p1", 1, begun())]).await.unwrap();
    assert_eq!(commits(&path), before + 1, "one by itself is one commit");
    let blocker = rusqlite::Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    // On one thread each task runs until it waits for its answer: then all have handed in.
    let waiting: Vec<_> = (2..=100)
        .map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(vec![of("p1", number, begun())]).await })
        })
        .collect();
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    blocker.execute_batch("ROLLBACK").unwrap();
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert_eq!(journal.plan("s", "p1").await.unwrap().len(), 101);
    // The first may have been taken up alone; what waited behind it was committed as one.
    assert!(commits(&path) <= before + 3, "{} commits for 99 entries", commits(&path) - before - 1);
}
