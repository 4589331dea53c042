//! The file itself: who may read it, and what else may lie at its path.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use common::*;
use exogate_model::clock::Clock;
use exogate_store::*;

fn open(bench: &Bench) -> Result<Store, StoreError> {
    Store::open(bench.path(), Arc::clone(&bench.clock) as Arc<dyn Clock>)
}

#[tokio::test]
async fn only_its_owner_can_read_it() {
    let bench = Bench::new();
    let source = bench.source().await;
    aggregate(&source, Batch { users: vec![user("u1", "Sales")], ..Batch::default() }).await;
    for name in ["state.db", "state.db-wal"] {
        let mode = fs::metadata(bench.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    let bench = Bench::new();
    drop(bench.source().await);
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = open(&bench).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 10, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("99") && text.contains("up to 10"), "{text}");
}

#[tokio::test]
async fn a_layout_that_is_not_ours_is_refused() {
    let bench = Bench::new();
    drop(bench.source().await);
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    connection.execute("UPDATE layout SET checksum = 'other'", []).unwrap();
    drop(connection);
    assert!(matches!(open(&bench), Err(StoreError::ForeignSchema { version: 1, .. })));
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let bench = Bench::new();
    fs::write(bench.path(), "O365Support: FullAccess\n".repeat(1000)).unwrap();
    assert!(matches!(open(&bench), Err(StoreError::NotAStore { .. })));
    assert!(fs::read_to_string(bench.path()).unwrap().starts_with("O365Support"));

    let bench = Bench::new();
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    connection.execute_batch("CREATE TABLE somebody_elses (x)").unwrap();
    drop(connection);
    assert!(matches!(open(&bench), Err(StoreError::NotAStore { .. })));

    let bench = Bench::new();
    fs::create_dir(bench.path()).unwrap();
    assert!(matches!(open(&bench), Err(StoreError::CannotOpen { .. })));
}

#[tokio::test]
async fn a_damaged_store_says_so() {
    let bench = Bench::new();
    let source = bench.source().await;
    let users = (0..2000).map(|number| user(&format!("u{number}"), "Sales")).collect();
    aggregate(&source, Batch { users, ..Batch::default() }).await;
    drop(source);
    // Wait for the writer to close the file.
    while fs::metadata(bench.folder.path().join("state.db-wal")).is_ok() {
        std::thread::yield_now();
    }
    let mut bytes = fs::read(bench.path()).unwrap();
    for byte in bytes.iter_mut().skip(8192 * 4) {
        *byte = 0x55;
    }
    fs::write(bench.path(), bytes).unwrap();
    let outcome = async {
        let source = open(&bench)?.source("contoso").await?;
        source.accounts(None, 5000).await.map(|_| ())
    };
    let error = outcome.await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_missing_folder_is_made_and_an_empty_file_is_filled() {
    let bench = Bench::new();
    let deep = bench.folder.path().join("a/b/state.db");
    Store::open(&deep, Arc::clone(&bench.clock) as Arc<dyn Clock>).unwrap();
    assert!(deep.exists());
    fs::write(bench.path(), "").unwrap();
    assert_eq!(bench.source().await.counts().await.unwrap(), Counts::default());
}

#[tokio::test]
async fn whoever_writes_the_state_is_another_one() {
    let bench = Bench::new();
    let (here, there) = (bench.source().await, bench.source().await);
    aggregate(&here, Batch { users: vec![user("u1", "Sales")], ..Batch::default() }).await;
    let mut seen = vec![here.state().unwrap()];
    for round in 0..50 {
        let writer = if round % 2 == 0 { &here } else { &there };
        writer.set_external_id("u1", Some(round.to_string())).await.unwrap();
        let state = here.state().unwrap();
        assert!(!seen.contains(&state), "{round}");
        // Reading is no writing.
        here.counts().await.unwrap();
        assert_eq!(here.account("u1").await.unwrap(), there.account("u1").await.unwrap());
        assert_eq!((here.state(), there.state()), (Some(state), Some(state)), "{round}");
        seen.push(state);
    }
    drop(there);
    here.set_external_id("u1", None).await.unwrap();
    assert!(!seen.contains(&here.state().unwrap()), "the locks of one are not those of the other");
}
