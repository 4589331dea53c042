//! Runs: who may hold one, and what a killed one leaves behind.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use exogate_model::change::Learnt;
use exogate_model::clock::{Clock, FixedClock};
use exogate_model::mailbox::MailboxKind;
use exogate_store::*;

fn page(number: u64) -> Batch {
    Batch {
        stream: "users".into(),
        checkpoint: Some(Checkpoint {
            done: number == 3,
            cursor: Some(format!("after {number}")),
            pages: number,
            objects: number,
            notes: vec![format!("page {number} was odd")],
        }),
        users: vec![user(&format!("u{number}"), "Sales")],
        ..Batch::default()
    }
}

#[tokio::test]
async fn a_dropped_run_is_resumed_where_it_stood() {
    let bench = Bench::new();
    let store = bench.open();
    let run = begin(&store.source("contoso").await.unwrap()).await;
    assert!(!run.resumed());
    assert_eq!(run.checkpoint("users").await.unwrap(), None);
    run.write(page(1)).await.unwrap();
    run.write(page(2)).await.unwrap();
    let id = run.id();
    drop(run);
    store.flush().await.unwrap();
    drop(store);

    let source = bench.source().await;
    let run = begin(&source).await;
    assert!(run.resumed());
    assert_eq!(run.id(), id);
    let checkpoint = run.checkpoint("users").await.unwrap().unwrap();
    assert_eq!((checkpoint.cursor.as_deref(), checkpoint.done), (Some("after 2"), false));
    run.restart_stream("users").await.unwrap();
    assert_eq!(run.checkpoint("users").await.unwrap(), None);
    run.write(page(3)).await.unwrap();
    let record = run.finish(Finish { covered: vec![Coverage::Users], ..complete() }).await.unwrap();
    assert_eq!((record.resumed, record.deleted, record.outcome.created), (1, 0, 3));
    assert!(!record.alive);
    assert_eq!(source.counts().await.unwrap().users, 3);
    // It is over: the handle can do nothing more.
    assert!(matches!(run.write(page(1)).await, Err(StoreError::LeaseLost { .. })));
    assert!(!begin(&source).await.resumed());
}

#[tokio::test]
async fn another_scope_other_options_or_old_age_begin_anew() {
    let bench = Bench::new();
    let source = bench.source().await;
    let cases: [(&str, RunRequest, i64); 4] = [
        ("scope", request("groups"), 0),
        ("options", RunRequest { fingerprint: "options 2".into(), ..request("all") }, 0),
        ("age", request("all"), 3601),
        ("by wish", RunRequest { fresh_for: Duration::ZERO, ..request("all") }, 0),
    ];
    for (what, other, wait) in cases {
        let run = begin(&source).await;
        run.write(page(1)).await.unwrap();
        let id = run.id();
        drop(run);
        bench.clock.forward(wait);
        let run = source.begin_or_resume(other).await.unwrap();
        assert!(!run.resumed(), "{what}");
        assert_eq!(run.checkpoint("users").await.unwrap(), None, "{what}");
        let old = source.run(id).await.unwrap().unwrap();
        assert_eq!(old.state, RunState::Stopped, "{what}");
        assert_eq!(old.notes, ["did not end; given up for a newer run"], "{what}");
        run.finish(complete()).await.unwrap();
    }
    assert_eq!(source.runs(100).await.unwrap().len(), 8);
    assert_eq!(source.runs(1).await.unwrap()[0].state, RunState::Completed);
}

#[tokio::test]
async fn a_stopped_and_an_incomplete_run_are_resumable() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(page(1)).await.unwrap();
    run.stop("interrupted").await.unwrap();
    let record = source.run(run.id()).await.unwrap().unwrap();
    assert_eq!((record.state, record.notes), (RunState::Stopped, vec!["interrupted".to_owned()]));
    assert_eq!((record.streams[0].objects, record.streams[0].complete), (1, false));
    let again = begin(&source).await;
    assert_eq!((again.id(), again.resumed()), (run.id(), true));
    // Why it ended then says nothing of how it ends now; what its streams had to say stays.
    assert_eq!(source.run(run.id()).await.unwrap().unwrap().notes, Vec::<String>::new());
    assert_eq!(again.checkpoint("users").await.unwrap().unwrap().notes, ["page 1 was odd"]);
    let streams = vec![StreamResult {
        stream: "users".into(),
        complete: false,
        pages: 1,
        objects: 1,
        error: Some("the page was cut short".into()),
    }];
    let finish = Finish { state: RunState::Incomplete, covered: Vec::new(), streams, ..complete() };
    let record = again.finish(finish).await.unwrap();
    assert_eq!(record.streams[0].error.as_deref(), Some("the page was cut short"));
    let third = begin(&source).await;
    assert_eq!(third.id(), run.id());
    assert!(third.checkpoint("users").await.unwrap().is_some());
}

#[tokio::test]
async fn nothing_is_stored_behind_a_batch_that_could_not_be() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(page(1)).await.unwrap();
    let raw = rusqlite::Connection::open(bench.path()).unwrap();
    raw.execute_batch(
        "CREATE TRIGGER no_second BEFORE INSERT ON users WHEN NEW.upn LIKE 'u2@%'
         BEGIN SELECT RAISE(ABORT, 'the disk is full of holes'); END",
    )
    .unwrap();
    let second = run.submit(page(2)).await.unwrap();
    let third = run.submit(page(3)).await.unwrap();
    assert!(matches!(second.stored().await, Err(StoreError::Sqlite { .. })));
    assert!(matches!(third.stored().await, Err(StoreError::RunBroken { .. })));
    assert!(matches!(run.finish(complete()).await, Err(StoreError::RunBroken { .. })));
    run.stop("the store failed").await.unwrap();
    raw.execute_batch("DROP TRIGGER no_second").unwrap();
    let again = begin(&source).await;
    assert_eq!(again.checkpoint("users").await.unwrap().unwrap().pages, 1);
    again.write(page(2)).await.unwrap();
}

#[tokio::test]
async fn where_a_stream_ended_is_kept_until_it_ends_again() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    run.write(page(3)).await.unwrap();
    assert_eq!(source.last_cursor("users").await.unwrap(), None);
    run.finish(complete()).await.unwrap();
    assert_eq!(source.last_cursor("users").await.unwrap().as_deref(), Some("after 3"));
    // A run that does not come to the end of the stream, and one that does not read it.
    let run = begin(&source).await;
    assert_eq!(run.checkpoint("users").await.unwrap(), None);
    run.write(page(2)).await.unwrap();
    run.stop("interrupted").await.unwrap();
    let run = source.begin_or_resume(request("groups")).await.unwrap();
    run.finish(complete()).await.unwrap();
    assert_eq!(source.last_cursor("users").await.unwrap().as_deref(), Some("after 3"));
}

#[tokio::test]
async fn two_runs_at_once_are_refused_and_say_who() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    let other = bench.source().await;
    for source in [&source, &other] {
        let error = source.begin_or_resume(request("all")).await.unwrap_err();
        assert!(matches!(error, StoreError::AlreadyRunning { .. }));
        let text = error.to_string();
        assert!(text.contains("kim on ops1, process 4242") && text.contains("contoso"), "{text}");
    }
    assert!(source.run(run.id()).await.unwrap().unwrap().alive);
    // Another source is not concerned.
    let fabrikam = bench.open().source("fabrikam").await.unwrap();
    assert!(fabrikam.begin_or_resume(request("all")).await.is_ok());
}

#[tokio::test]
async fn who_was_silent_too_long_loses_the_run_and_cannot_write_any_more() {
    let bench = Bench::new();
    // A process that stands still: its clock does not move, so it shows no sign of life.
    let still = Store::open(bench.path(), Arc::new(FixedClock(bench.clock.now()))).unwrap();
    let slow = still.source("contoso").await.unwrap();
    let run = begin(&slow).await;
    run.write(page(1)).await.unwrap();
    let source = bench.source().await;
    bench.clock.forward(9);
    assert!(source.begin_or_resume(request("all")).await.is_err());
    bench.clock.forward(2);
    let taken = begin(&source).await;
    assert_eq!(taken.id(), run.id());
    assert!(matches!(run.write(page(2)).await, Err(StoreError::LeaseLost { .. })));
    assert!(matches!(run.heartbeat().await, Err(StoreError::LeaseLost { .. })));
    assert!(matches!(run.finish(complete()).await, Err(StoreError::LeaseLost { .. })));
    drop(run);
    taken.write(page(2)).await.unwrap();
    taken.finish(Finish { covered: vec![Coverage::Users], ..complete() }).await.unwrap();
    assert_eq!(source.counts().await.unwrap().users, 2);
}

#[tokio::test]
async fn who_works_long_keeps_the_run() {
    let bench = Bench::new();
    let source = bench.source().await;
    let run = begin(&source).await;
    let other = bench.source().await;
    for _ in 0..4 {
        bench.clock.forward(6);
        // Any job makes the writer look at the clock.
        run.write(page(1)).await.unwrap();
        run.checkpoint("users").await.unwrap();
        let beat = tokio::time::timeout(Duration::from_secs(5), async {
            while !other.run(run.id()).await.unwrap().unwrap().alive {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        beat.await.unwrap();
        assert!(other.begin_or_resume(request("all")).await.is_err());
    }
}

#[tokio::test]
async fn what_is_left_to_read_shrinks_with_every_set() {
    let bench = Bench::new();
    let source = bench.source().await;
    let kinds = [MailboxKind::Shared];
    let left = async |run: &RunHandle| {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let page = run.mailboxes_to_read(&kinds, Facet::MailboxPermission, after, 2).await.unwrap();
            assert!(page.items.len() <= 2);
            keys.extend(page.items.into_iter().map(|mailbox| mailbox.reference.key));
            after = page.next;
            if after.is_none() {
                return keys;
            }
        }
    };
    let boxes = || Batch {
        mailboxes: (1..=5)
            .map(|number| mailbox(&format!("m{number}"), "Box"))
            .chain([MailboxRow { kind: MailboxKind::User, ..mailbox("p1", "Person") }])
            .collect(),
        ..Batch::default()
    };
    let run = begin(&source).await;
    run.write(boxes()).await.unwrap();
    assert_eq!(left(&run).await, ["m1", "m2", "m3", "m4", "m5"]);
    let batch = Batch { grant_sets: vec![set("m2", Vec::new()), set("m4", Vec::new())], ..Batch::default() };
    run.write(batch).await.unwrap();
    drop(run);
    let run = begin(&source).await;
    assert_eq!(left(&run).await, ["m1", "m3", "m5"]);
    run.finish(complete()).await.unwrap();
    // The next run has seen none yet, and then has to read all of them again.
    let run = begin(&source).await;
    assert_eq!(left(&run).await, Vec::<String>::new());
    run.write(boxes()).await.unwrap();
    assert_eq!(left(&run).await.len(), 5);
}

/// Not a test of its own: the other process of the test below.
#[tokio::test]
async fn other_process() {
    let Ok(path) = std::env::var("EXOGATE_STORE_TEST_PATH") else { return };
    let clock = FixedClock(jiff::Timestamp::from_millisecond(1_780_000_000_000).unwrap());
    let source = Store::open(path, Arc::new(clock)).unwrap().source("contoso").await.unwrap();
    let run = begin(&source).await;
    run.write(page(1)).await.unwrap();
    println!("\nholding");
    let mut number = 0;
    loop {
        // Killed in the middle of this.
        number += 1;
        let users = (0..50).map(|index| user(&format!("k{number}x{index}"), "Sales")).collect();
        run.write(Batch { stream: "more".into(), users, ..Batch::default() }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_blocks_nobody_and_loses_nothing() {
    let bench = Bench::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_process", "--nocapture"])
        .env("EXOGATE_STORE_TEST_PATH", bench.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "holding"));
    let source = bench.source().await;
    let error = source.begin_or_resume(request("all")).await.unwrap_err();
    assert!(matches!(error, StoreError::AlreadyRunning { .. }), "{error}");
    // Reading goes on while the other one writes.
    assert!(source.counts().await.unwrap().users >= 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    let run = begin(&source).await;
    assert!(run.resumed());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(run.checkpoint("users").await.unwrap().unwrap().pages, 1);
    // Whole batches or nothing.
    assert_eq!(source.counts().await.unwrap().users % 50, 1);
    run.finish(complete()).await.unwrap();
}

#[tokio::test]
async fn what_is_listed_and_read_by_itself_in_one_run_is_told_once() {
    let bench = Bench::new();
    let source = bench.source().await;
    let users = || Finish { covered: vec![Coverage::Users], ..complete() };
    let run = begin(&source).await;
    run.write(page(1)).await.unwrap();
    run.finish(users()).await.unwrap();
    let run = begin(&source).await;
    run.write(page(1)).await.unwrap();
    run.write(page(2)).await.unwrap();
    let named = Named { part: Coverage::Users, id: "u2".into(), learnt: Learnt::Reread };
    let settlement = Settlement { seen: vec![named], ..Settlement::default() };
    run.finish_with(users(), settlement).await.unwrap();
    let told = source.changes(0, 10).await.unwrap();
    assert_eq!(told.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), ["u2"], "{told:?}");
}

#[tokio::test]
async fn a_webhook_is_one_services_at_a_time() {
    let bench = Bench::new();
    let (here, there) = (bench.source().await, bench.source().await);
    assert!(here.take_webhook("siem", "a").await.unwrap());
    assert!(!there.take_webhook("siem", "b").await.unwrap());
    assert!(there.take_webhook("other", "b").await.unwrap(), "each webhook by itself");
    // Kept for as long as it is asked for again, however long that is.
    for _ in 0..20 {
        bench.clock.forward(15);
        assert!(here.take_webhook("siem", "a").await.unwrap());
        assert!(!there.take_webhook("siem", "b").await.unwrap());
    }
    there.release_webhook("siem", "b").await.unwrap();
    assert!(!there.take_webhook("siem", "b").await.unwrap(), "only its own turn can be given up");
    here.release_webhook("siem", "a").await.unwrap();
    assert!(there.take_webhook("siem", "b").await.unwrap());
    assert!(!here.take_webhook("siem", "a").await.unwrap());
    // Who is heard of no more loses it, and does not get it back by coming late.
    bench.clock.forward(61);
    assert!(here.take_webhook("siem", "a").await.unwrap());
    assert!(!there.take_webhook("siem", "b").await.unwrap());

    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    connection
        .execute(
            "UPDATE webhook_leases SET process = replace(process, ' ' || ?1 || ' ', ' 999999999 ')",
            [std::process::id().to_string()],
        )
        .unwrap();
    assert!(there.take_webhook("siem", "b").await.unwrap(), "a process that is gone blocks nobody");
}
