//! The service around the doors: health, unknown places, request ids, runs.

mod support;

use exogate_server::runs::{RunStart, RunStartError};
use reqwest::StatusCode;
use support::{Served, client_with};

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
