//! The service around the doors: health, unknown places, request ids, runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use exogate_server::Scope;
use exogate_server::runs::{RunKind, RunStart, RunStartError};
use exogate_server::serve::schedule::{self, Schedule};
use reqwest::StatusCode;
use support::{Served, Setup, client_with};

#[tokio::test]
async fn it_says_that_it_lives_and_what_it_does_not_know() {
    let served = Served::start().await;
    let client = client_with(None);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client.get(served.url(path)).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    let answer = client.get(served.url("/nowhere")).header("x-request-id", "mine-1").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(answer.headers()["x-request-id"], "mine-1");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    served.stop().await;
}

#[tokio::test]
async fn one_source_has_one_run_at_a_time_and_a_stopped_one_can_go_on() {
    let served = Served::start().await;
    let (runs, source) = (&served.gateway.runs, served.source());
    let first = runs.start(source, RunStart { fresh: true, ..RunStart::full("one") }).await.unwrap();
    let second = runs.start(source, RunStart::full("two")).await;
    match second {
        Err(error @ RunStartError::UnderWay { .. }) => assert!(error.is_busy()),
        // The first was quicker; then it must have an end.
        Ok(second) => {
            assert!(first.end_if_any().is_some());
            second.cancel();
            second.ended().await;
        }
        Err(other) => panic!("{other}"),
    }
    first.cancel();
    first.ended().await;
    assert!(runs.active(&source.name).is_none());
    assert_eq!(served.aggregate().await.name(), "completed");
    served.gateway.life.stopping.cancel();
    assert!(matches!(runs.start(source, RunStart::full("late")).await, Err(RunStartError::Stopping)));
    served.stop().await;
}

#[tokio::test]
async fn a_source_that_missed_its_turn_is_read_at_once_and_one_that_did_not_waits() {
    let served = Served::with(Setup { aggregate: false, ..Setup::default() }).await;
    let (runs, name) = (&served.gateway.runs, served.source().name.clone());
    // Its last turn was in the past, and it has never been read.
    let yearly = || Schedule { full: Some("0 0 1 1 *".parse().unwrap()), delta: None };
    schedule::keep(&served.gateway, [(name.clone(), yearly())].into());
    let read = loop {
        if let Some(run) = runs.active(&name).or_else(|| runs.last(&name)) {
            break run;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(read.ended().await.name(), "completed");
    assert_eq!(read.by(), "schedule");
    let client = served.client(Scope::Read).await;
    let count = async || {
        let text = client.get(served.url("/metrics")).send().await.unwrap().text().await.unwrap();
        text.lines().find(|line| line.starts_with("exogate_runs_total")).map(str::to_owned)
    };
    let before = count().await;
    // Now that it has been read since, a schedule that begins anew leaves it alone.
    schedule::keep(&served.gateway, [(name.clone(), yearly())].into());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(runs.active(&name).is_none());
    assert_eq!(count().await, before);
    served.stop().await;
}

#[tokio::test]
async fn what_is_different_is_read_by_the_clock() {
    let served = Served::start().await;
    let (runs, name) = (&served.gateway.runs, served.source().name.clone());
    let every_second = Schedule { full: None, delta: Some("* * * * * *".parse().unwrap()) };
    schedule::keep(&served.gateway, [(name.clone(), every_second)].into());
    let run = loop {
        match runs.last(&name) {
            Some(run) if run.kind() == RunKind::Delta => break run,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert_eq!(run.ended().await.name(), "completed");
    served.stop().await;
}
