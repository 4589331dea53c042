//! Whatever a receiver does, and whenever the sender is stopped: every change that is wanted is taken
//! at least once, in order, under one id with the same words; or it is a dead letter; or the receiver
//! was told to start over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exogate_engine::changes::Filter;
use exogate_model::change::Happening;
use exogate_model::clock::Clock;
use exogate_server::webhook::message::{Signed, SigningKey};
use exogate_server::webhook::post::{Post, Undelivered};
use exogate_server::webhook::{Courier, Step, Webhook};
use futures::future::{BoxFuture, Either, select};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::sync::watch;

use crate::feed::Feed;
use crate::receiver::SECRET;
use crate::rest;

const SEQUENCES: u64 = 120;

/// A receiver in this process that fails as it likes.
#[derive(Clone)]
struct Moody {
    random: Arc<Mutex<SmallRng>>,
    calm: Arc<Mutex<bool>>,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
    /// It neither takes the message nor says anything.
    silent: watch::Sender<bool>,
}

impl Post for Moody {
    fn post<'a>(&'a self, message: &'a Signed) -> BoxFuture<'a, Result<(), Undelivered>> {
        let mood =
            if *self.calm.lock().unwrap() { 0 } else { self.random.lock().unwrap().random_range(0..9) };
        let refuses = |seconds: Option<u64>| {
            Err(Undelivered { reason: "no".to_owned(), retry_after: seconds.map(Duration::from_secs) })
        };
        let takes = || {
            let body = serde_json::from_str(&message.body).unwrap();
            self.taken.lock().unwrap().push((message.id.clone(), body));
        };
        let answer = match mood {
            0..=3 => {
                takes();
                Some(Ok(()))
            }
            4 => {
                takes();
                Some(refuses(None))
            }
            5 => {
                takes();
                None
            }
            6 => None,
            7 => Some(refuses(Some(90))),
            _ => Some(refuses(None)),
        };
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => {
                    self.silent.send_replace(true);
                    std::future::pending().await
                }
            }
        })
    }
}

impl Moody {
    /// Lets the courier take a step, and stops it where the receiver is silent.
    async fn step(&self, courier: &mut Courier) -> Option<Step> {
        self.silent.send_replace(false);
        let mut silent = self.silent.subscribe();
        let stopped = std::pin::pin!(silent.wait_for(|silent| *silent));
        match select(std::pin::pin!(courier.step()), stopped).await {
            Either::Left((step, _)) => Some(step.unwrap()),
            Either::Right(_) => None,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_taken_in_order_or_known_not_to_be() {
    let (mut repeated, mut dead, mut started_over) = (0, 0, 0);
    for seed in 1..=SEQUENCES {
        let told = sequence(seed).await;
        repeated += told.repeated;
        dead += told.dead;
        started_over += told.started_over;
    }
    assert!(repeated > 0 && dead > 0 && started_over > 0, "{repeated} {dead} {started_over}");
}

/// What came to pass.
struct Told {
    repeated: usize,
    dead: u64,
    started_over: usize,
}

async fn sequence(seed: u64) -> Told {
    let mut random = SmallRng::seed_from_u64(seed);
    let moody = Moody {
        random: Arc::new(Mutex::new(SmallRng::seed_from_u64(!seed))),
        calm: Arc::default(),
        taken: Arc::default(),
        silent: watch::Sender::new(false),
    };
    let what = match random.random_range(0..3) {
        0 => Vec::new(),
        1 => vec![Happening::Modified],
        _ => vec![Happening::Created, Happening::Deleted],
    };
    let hook = Arc::new(Webhook {
        name: "siem".into(),
        address: "http://here/hook".into(),
        filter: Filter { what: what.clone(), ..Filter::default() },
        mailboxes: Vec::new(),
        attempts: random.random_range(2..6),
        give_up_after: Duration::from_secs(24 * 60 * 60),
        await_author: Duration::ZERO,
        key: SigningKey::of(&SECRET.into()).unwrap(),
        post: Box::new(moody.clone()),
    });
    let mut feed = Feed::new(20).await;
    let mut courier = feed.courier(&hook);
    assert_eq!(courier.step().await.unwrap(), Step::Idle);
    // Every change that is wanted.
    let mut wanted: BTreeSet<i64> = BTreeSet::new();
    // Dead letters that were forgotten with the changes of their time.
    let mut given_up: BTreeSet<i64> = BTreeSet::new();
    let mut seen = 0;
    for _ in 0..random.random_range(20..60) {
        match random.random_range(0..12) {
            0 | 1 => feed.change(random.random_range(1..15)).await,
            // More than one message holds.
            2 if random.random_bool(0.2) => feed.grow(130).await,
            2 => feed.grow(random.random_range(1..4)).await,
            3 => feed.shrink(random.random_range(1..3)).await,
            4 => {
                // Another process takes over.
                feed.restart().await;
                courier = feed.courier(&hook);
            }
            5 if random.random_bool(0.3) => {
                feed.pass(1);
                let dead = feed.store.dead_letters(&hook.name).await.unwrap();
                given_up.extend(dead.iter().map(|(letter, _)| letter.sequence));
                feed.store.forget_changes(feed.clock.now()).await.unwrap();
            }
            _ => {
                feed.pass(random.random_range(0..120));
                if moody.step(&mut courier).await.is_none() {
                    courier = feed.courier(&hook);
                }
            }
        }
        for change in feed.store.changes(seen, 10_000).await.unwrap() {
            seen = change.sequence;
            if what.is_empty() || what.contains(&change.happened.kind()) {
                wanted.insert(change.sequence);
            }
        }
    }
    *moody.calm.lock().unwrap() = true;
    feed.pass(4000);
    assert_eq!(rest(&mut courier).await, Step::Idle, "seed {seed}");
    let in_order = moody.taken.lock().unwrap().len();
    let dead = courier.standing().await.unwrap().dead_letters;
    assert_eq!(courier.resend().await.unwrap().delivered, dead, "seed {seed}");
    let taken = moody.taken.lock().unwrap().clone();
    let owed = &wanted - &given_up;
    let mut told = check(seed, &wanted, &owed, &taken, in_order);
    told.dead = dead;
    told
}

fn check(
    seed: u64,
    wanted: &BTreeSet<i64>,
    owed: &BTreeSet<i64>,
    taken: &[(String, Value)],
    in_order: usize,
) -> Told {
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let mut bodies: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut told: BTreeSet<i64> = BTreeSet::new();
    // Up to there nothing is owed any more.
    let (mut floor, mut last, mut started_over) = (0, 0, 0);
    for (at, (id, body)) in taken.iter().enumerate() {
        if let Some(before) = bodies.insert(id, body) {
            assert_eq!(before["data"], body["data"], "seed {seed}: {id} is told in other words");
            // When one is told to start over is when it was last told.
            let started_over = body["type"] == "startOver";
            assert!(started_over || before == body, "seed {seed}: {id} is told in other words");
            continue;
        }
        if body["type"] == "startOver" {
            floor = number(&body["data"]["cursor"]).max(floor);
            last = floor.max(last);
            started_over += 1;
            continue;
        }
        for change in body["data"]["changes"].as_array().unwrap() {
            let cursor = number(&change["cursor"]);
            assert!(wanted.contains(&cursor), "seed {seed}: nobody wanted {cursor}");
            assert!(at >= in_order || cursor > last, "seed {seed}: {cursor} comes after {last}");
            last = last.max(cursor);
            assert!(told.insert(cursor), "seed {seed}: {cursor} is told in two messages");
        }
    }
    let lost: Vec<&i64> = owed.iter().filter(|cursor| **cursor > floor && !told.contains(cursor)).collect();
    assert!(lost.is_empty(), "seed {seed}: never told: {lost:?}");
    Told { repeated: taken.len() - bodies.len(), dead: 0, started_over }
}
