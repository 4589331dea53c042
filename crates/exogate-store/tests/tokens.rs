//! Tokens beside the store: kept by hash, unique by name, revoked for good, seen by other processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use exogate_model::clock::FixedClock;
use exogate_store::{NewToken, StoreError, Tokens};
use jiff::Timestamp;

fn token(id: &str, name: &str) -> NewToken {
    NewToken {
        id: id.to_owned(),
        name: name.to_owned(),
        hash: vec![7; 32],
        scope: "read".to_owned(),
        sources: Some(vec!["contoso".to_owned()]),
        expires: None,
    }
}

#[tokio::test]
async fn a_name_is_free_again_when_its_token_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let path = Tokens::beside(&folder.path().join("exogate.db"));
    let clock = Arc::new(FixedClock(Timestamp::UNIX_EPOCH));
    let tokens = Tokens::open(&path, clock.clone()).unwrap();
    tokens.add(token("a1", "midpoint")).await.unwrap();
    let twice = tokens.add(token("a2", "midpoint")).await.unwrap_err();
    assert!(matches!(&twice, StoreError::TokenNameTaken { name } if name == "midpoint"), "{twice}");

    // What one process does, another sees.
    let other = Tokens::open(&path, clock).unwrap();
    assert_eq!(other.revoke("midpoint").await.unwrap().unwrap().id, "a1");
    assert!(tokens.find("a1").await.unwrap().unwrap().revoked.is_some());
    assert_eq!(other.revoke("midpoint").await.unwrap(), None);
    tokens.add(token("a2", "midpoint")).await.unwrap();
    tokens.used(vec!["a2".to_owned()]).await.unwrap();
    let listed = other.list().await.unwrap();
    assert_eq!(
        listed.iter().map(|t| (t.id.as_str(), t.revoked.is_some())).collect::<Vec<_>>(),
        [("a1", true), ("a2", false)]
    );
    assert_eq!(listed[1].last_used, Some(Timestamp::UNIX_EPOCH));
    assert_eq!(listed[1].sources.as_deref(), Some(&["contoso".to_owned()][..]));
}

#[tokio::test]
async fn another_file_is_not_taken_for_one_of_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exogate.tokens");
    let clock = Arc::new(FixedClock(Timestamp::UNIX_EPOCH));
    drop(exogate_store::Journal::open(&path, clock.clone()).unwrap());
    assert!(matches!(Tokens::open(&path, clock), Err(StoreError::NotAStore { .. })));
}
