//! Webhooks against receivers that fail, are slow, are down and come back: nothing is lost, nothing is
//! told in another order, and what was taken is not told again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authority;
mod feed;
mod property;
mod receiver;
mod services;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::changes::Filter;
use exogate_model::change::{Author, Happening, ObjectKind};
use exogate_model::clock::Clock;
use exogate_server::webhook::message::SigningKey;
use exogate_server::webhook::post::{HttpOptions, HttpPost};
use exogate_server::webhook::{Courier, StandingState, Step, Webhook};

use crate::feed::Feed;
use crate::receiver::{Mood, Received, Receiver, SECRET};

fn hook(address: SocketAddr) -> Webhook {
    let options = HttpOptions { timeout: Duration::from_secs(30), ..HttpOptions::default() };
    Webhook {
        name: "siem".into(),
        address: "http://here/hook".into(),
        filter: Filter::default(),
        mailboxes: Vec::new(),
        attempts: 100,
        give_up_after: Duration::from_secs(24 * 60 * 60),
        await_author: Duration::ZERO,
        key: SigningKey::of(&SECRET.into()).unwrap(),
        post: Box::new(HttpPost::new(format!("http://{address}/hook"), &options).unwrap()),
    }
}

/// Steps until there is nothing to do now.
async fn rest(courier: &mut Courier) -> Step {
    loop {
        let step = courier.step().await.unwrap();
        if matches!(step, Step::Idle | Step::Waiting(_) | Step::Failed { .. }) {
            return step;
        }
    }
}

fn is_failed(step: &Step, why: &str) -> bool {
    matches!(step, Step::Failed { reason, .. } if reason.contains(why))
}

#[tokio::test]
async fn one_that_fails_is_told_again_in_order_across_restarts_and_nothing_twice() {
    let mut feed = Feed::new(250).await;
    let receiver = Receiver::new(Mood::Takes);
    let hook = Arc::new(hook(receiver.start().await));
    let mut courier = feed.courier(&hook);
    assert_eq!(courier.standing().await.unwrap().state, StandingState::New);
    assert_eq!(rest(&mut courier).await, Step::Idle, "what was before it is not its business");

    feed.change(250).await;
    receiver.becomes(Mood::Answers(503));
    assert!(is_failed(&rest(&mut courier).await, "503"));
    assert!(matches!(courier.step().await.unwrap(), Step::Waiting(_)), "not before its time");
    let standing = courier.standing().await.unwrap();
    assert_eq!((standing.state, standing.behind, standing.failures), (StandingState::Failing, 250, 1));

    // More happens meanwhile, the service is restarted, and half of the messages are taken without a word.
    feed.change(30).await;
    drop(courier);
    feed.restart().await;
    let mut courier = feed.courier(&hook);
    assert!(matches!(courier.step().await.unwrap(), Step::Waiting(_)), "a restart is no reason to hurry");
    receiver.becomes(Mood::TakesSilently);
    feed.pass(31);
    assert!(is_failed(&rest(&mut courier).await, "502"));
    drop(courier);
    feed.restart().await;
    receiver.becomes(Mood::Takes);
    feed.pass(61);
    let mut courier = feed.courier(&hook);
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(rest(&mut courier).await, Step::Idle);

    let attempts = receiver.attempts();
    assert!(attempts[..3].iter().all(|id| *id == attempts[0]), "every attempt under one id: {attempts:?}");
    let mut by_id = receiver.taken();
    by_id.dedup_by(|again, first| again.id == first.id);
    let told: Vec<i64> = by_id.iter().flat_map(Received::cursors).collect();
    let all: Vec<i64> =
        feed.store.changes(0, 1000).await.unwrap().iter().map(|change| change.sequence).collect();
    assert_eq!((told.len(), &told), (280, &all), "every change once, in the order of the feed");
    assert_eq!(by_id[0].body["type"], "changes");
    assert_eq!(by_id[0].body["data"]["source"], "contoso");
    assert_eq!(by_id[0].body["data"]["changes"][0]["what"], "modified", "{:#}", by_id[0].body);
    let standing = courier.standing().await.unwrap();
    assert_eq!((standing.state, standing.behind, standing.reason), (StandingState::Delivering, 0, None));
}

#[tokio::test]
async fn one_that_is_down_or_slow_is_told_when_it_comes_back() {
    let mut feed = Feed::new(3).await;
    let receiver = Receiver::new(Mood::Takes);
    let (address, serving) = receiver.listen("127.0.0.1:0".parse().unwrap()).await;
    let within = |timeout| {
        let options = HttpOptions { timeout, ..HttpOptions::default() };
        let post = Box::new(HttpPost::new(format!("http://{address}/hook?token=hidden"), &options).unwrap());
        Arc::new(Webhook { post, ..hook(address) })
    };
    let mut courier = feed.courier(&within(Duration::from_secs(60)));
    let mut impatient = feed.courier(&within(Duration::from_millis(300)));
    rest(&mut courier).await;

    serving.abort();
    let _ = serving.await;
    feed.change(2).await;
    let Step::Failed { reason, .. } = rest(&mut courier).await else { panic!("nobody listens") };
    assert!(!reason.contains("hidden"), "{reason}");

    let (_, serving) = receiver.listen(address).await;
    receiver.becomes(Mood::Slow);
    feed.pass(31);
    assert!(is_failed(&rest(&mut impatient).await, "did not answer in time"));
    assert_eq!(receiver.cursors(), [] as [i64; 0]);

    receiver.becomes(Mood::Busy(600));
    feed.pass(61);
    let now = feed.clock.now();
    let Step::Failed { until, failures, .. } = rest(&mut courier).await else { panic!("it was busy") };
    assert_eq!((until.duration_since(now).as_secs(), failures), (600, 3), "the receiver says when");

    receiver.becomes(Mood::Moved);
    feed.pass(601);
    assert!(is_failed(&rest(&mut courier).await, "redirects are not followed"));

    receiver.becomes(Mood::Takes);
    feed.pass(3600);
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 2);
    serving.abort();
}

#[tokio::test]
async fn what_is_not_taken_for_too_long_is_put_aside_and_sent_again_when_somebody_asks() {
    let mut feed = Feed::new(130).await;
    let receiver = Receiver::new(Mood::Takes);
    let hook = Arc::new(Webhook { attempts: 3, ..hook(receiver.start().await) });
    let mut courier = feed.courier(&hook);
    rest(&mut courier).await;
    feed.change(130).await;
    receiver.becomes(Mood::Answers(400));
    for _ in 0..2 {
        assert!(is_failed(&rest(&mut courier).await, "400"));
        feed.pass(3601);
    }
    assert_eq!(
        courier.step().await.unwrap(),
        Step::GivenUp { reason: "the receiver answered 400 Bad Request".into(), changes: 100 }
    );
    let standing = courier.standing().await.unwrap();
    assert_eq!((standing.dead_letters, standing.behind), (100, 30));
    let id = receiver.attempts()[0].clone();

    // What comes after it goes on.
    receiver.becomes(Mood::Takes);
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 30);

    receiver.becomes(Mood::Answers(500));
    let resent = courier.resend().await.unwrap();
    assert_eq!((resent.delivered, resent.left), (0, 100));
    assert!(resent.reason.unwrap().contains("500"));
    receiver.becomes(Mood::Takes);
    let resent = courier.resend().await.unwrap();
    assert_eq!((resent.delivered, resent.left, resent.reason), (100, 0, None));
    let last = receiver.taken().pop().unwrap();
    assert_eq!((last.id.as_str(), last.cursors().len()), (id.as_str(), 100), "as it was the first time");
    assert_eq!(courier.standing().await.unwrap().dead_letters, 0);
    assert_eq!(courier.resend().await.unwrap().delivered, 0);

    // Given up for its age, however few the attempts were; and forgotten.
    let hook = Webhook { attempts: 100, give_up_after: Duration::from_secs(40), ..hook_at(&receiver).await };
    let mut courier = feed.courier(&Arc::new(hook));
    receiver.becomes(Mood::Answers(500));
    feed.change(1).await;
    assert!(is_failed(&rest(&mut courier).await, "500"));
    feed.pass(41);
    assert!(matches!(courier.step().await.unwrap(), Step::GivenUp { changes: 1, .. }));
    assert_eq!(courier.discard().await.unwrap(), 1);
    assert_eq!(courier.standing().await.unwrap().dead_letters, 0);
}

async fn hook_at(receiver: &Receiver) -> Webhook {
    hook(receiver.start().await)
}

#[tokio::test]
async fn one_that_fell_behind_what_is_kept_is_told_to_start_over() {
    let mut feed = Feed::new(5).await;
    let receiver = Receiver::new(Mood::Answers(500));
    let hook = Arc::new(hook(receiver.start().await));
    let mut courier = feed.courier(&hook);
    rest(&mut courier).await;
    feed.change(5).await;
    assert!(is_failed(&rest(&mut courier).await, "500"));
    feed.pass(100);
    feed.store.forget_changes(feed.clock.now()).await.unwrap();
    let end = feed.store.feed_end().await.unwrap();
    // Even that is told again, and never given up.
    for _ in 0..3 {
        assert!(is_failed(&rest(&mut courier).await, "500"));
        feed.pass(3601);
    }
    receiver.becomes(Mood::Takes);
    assert_eq!(courier.step().await.unwrap(), Step::ToldToStartOver);
    let told = receiver.taken().pop().unwrap().body;
    assert_eq!(
        (told["type"].as_str(), told["data"]["cursor"].as_str()),
        (Some("startOver"), Some(&*end.to_string()))
    );
    feed.change(1).await;
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 1, "and goes on from there");
}

#[tokio::test]
async fn it_is_told_what_it_asked_for_and_who_did_it_where_that_becomes_known() {
    let mut feed = Feed::new(4).await;
    let receiver = Receiver::new(Mood::Takes);
    let filter =
        Filter { objects: vec![ObjectKind::User], what: vec![Happening::Modified], ..Filter::default() };
    let by = Filter { by: Some("kim".into()), ..filter.clone() };
    let patient = Webhook {
        name: "patient".into(),
        filter: by,
        await_author: Duration::from_secs(60),
        ..hook_at(&receiver).await
    };
    let mailboxes = Webhook {
        name: "mailboxes".into(),
        mailboxes: vec!["support@contoso.com".into()],
        ..hook_at(&receiver).await
    };
    let users = Webhook { name: "users".into(), filter, ..hook_at(&receiver).await };
    let mut couriers = [patient, mailboxes, users].map(|hook| feed.courier(&Arc::new(hook)));
    for courier in &mut couriers {
        rest(courier).await;
    }
    feed.change(3).await;
    let [mut patient, mut mailboxes, mut users] = couriers;
    assert!(matches!(rest(&mut patient).await, Step::Waiting(_)));
    assert_eq!(rest(&mut mailboxes).await, Step::Idle);
    assert_eq!(receiver.taken().len(), 0, "no mailbox changed");
    assert_eq!(rest(&mut users).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 3);

    let second = receiver.cursors()[1];
    let kim = Author::SomeoneElse {
        user: Some("kim@contoso.com".into()),
        app: None,
        call: "Set-User".into(),
        record: "r".into(),
        at: feed.clock.now(),
    };
    feed.store.attribute(vec![(second, kim)]).await.unwrap();
    feed.pass(61);
    assert_eq!(rest(&mut patient).await, Step::Idle);
    let told = receiver.taken().pop().unwrap();
    assert_eq!(told.cursors(), [second]);
    assert_eq!(told.body["data"]["changes"][0]["by"]["user"], "kim@contoso.com");
}

#[tokio::test]
async fn a_message_to_see_whether_it_arrives_changes_nothing() {
    let mut feed = Feed::new(1).await;
    let receiver = Receiver::new(Mood::Takes);
    let hook = Arc::new(hook(receiver.start().await));
    let courier = feed.courier(&hook);
    courier.test().await.unwrap();
    assert_eq!(receiver.taken()[0].body["type"], "test");
    assert_eq!(courier.standing().await.unwrap().state, StandingState::New);
    receiver.becomes(Mood::Answers(404));
    assert!(courier.test().await.unwrap_err().reason.contains("404"));
    feed.change(1).await;
}
