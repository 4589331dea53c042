//! The governor against a service with a hidden limit, in virtual time, and its invariants against any history.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exogate_microsoft::governor::{Governor, GovernorSettings, Priority, Throttle};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

/// A service that lets `limit` calls in and turns the others away.
struct Hidden {
    limit: AtomicU32,
    inside: AtomicU32,
    latency: Duration,
    refusal_latency: Duration,
    retry_after: Option<Duration>,
    /// Latencies vary by this share of the mean, deterministically.
    spread: f64,
    draws: Mutex<u64>,
}

impl Hidden {
    fn new(limit: u32, retry_after: Option<Duration>) -> Self {
        Self {
            limit: AtomicU32::new(limit),
            inside: AtomicU32::new(0),
            latency: Duration::from_millis(846),
            refusal_latency: Duration::from_millis(40),
            retry_after,
            spread: 0.3,
            draws: Mutex::new(1),
        }
    }

    fn draw(&self) -> f64 {
        let mut state = self.draws.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state % 10_000) as f64 / 10_000.0
    }

    /// Whether the call was let in.
    async fn call(&self) -> bool {
        let latency = self.latency.mul_f64(1.0 - self.spread + 2.0 * self.spread * self.draw());
        if self.inside.fetch_add(1, Ordering::SeqCst) >= self.limit.load(Ordering::SeqCst) {
            self.inside.fetch_sub(1, Ordering::SeqCst);
            sleep(self.refusal_latency).await;
            return false;
        }
        sleep(latency).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        true
    }
}

async fn one_call(governor: &Governor, service: &Hidden) {
    let mut again = false;
    loop {
        let permit = governor.acquire(Priority::Read, again).await;
        let sent = Instant::now();
        if service.call().await {
            permit.ok(sent.elapsed());
            return;
        }
        permit.throttled(service.retry_after);
        again = true;
    }
}

/// Runs `calls` and returns the time they took.
async fn run(governor: &Governor, service: &Arc<Hidden>, calls: u32) -> Duration {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..calls)
        .map(|_| {
            let (governor, service) = (governor.clone(), Arc::clone(service));
            tokio::spawn(async move { one_call(&governor, &service).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed()
}

fn ideal(service: &Hidden, calls: u32) -> f64 {
    service.latency.as_secs_f64() * f64::from(calls) / f64::from(service.limit.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn finds_a_hidden_limit_and_stays_near_it() {
    let answers = [None, Some(1), Some(5)].map(|seconds| seconds.map(Duration::from_secs));
    for limit in [3, 10, 40] {
        for retry_after in answers {
            for (spread, refusal_millis) in [(0.3, 40), (0.0, 5), (0.3, 700), (0.9, 40)] {
                let governor = Governor::new(GovernorSettings::default());
                let refusal_latency = Duration::from_millis(refusal_millis);
                let service = Hidden { spread, refusal_latency, ..Hidden::new(limit, retry_after) };
                found(&governor, &Arc::new(service)).await;
            }
        }
    }
}

async fn found(governor: &Governor, service: &Arc<Hidden>) {
    const CALLS: u32 = 2_000;
    let limit = service.limit.load(Ordering::SeqCst);
    let took = run(governor, service, CALLS).await.as_secs_f64();
    let ratio = took / ideal(service, CALLS);
    let seen = governor.snapshot();
    let case = format!(
        "limit {limit:2}, Retry-After {:?}, refused in {:?}, spread {}",
        service.retry_after, service.refusal_latency, service.spread
    );
    println!("{case}: ratio {ratio:.3}, throttled {}, ended at {}", seen.throttled, seen.limit);
    // At a limit of 40 the whole run takes 42 s, of which one pause of 5 s is an eighth.
    let pause_share = service.retry_after.map_or(0.0, |wait| wait.as_secs_f64() / ideal(service, CALLS));
    assert!(ratio <= f64::max(1.15, 1.1 + pause_share), "{case}: ratio {ratio:.3}");
    assert!(seen.throttled <= 60, "{case}: {} throttled", seen.throttled);
    assert!(seen.limit >= limit - limit / 10 && seen.limit <= limit + 1, "{case}: ended at {}", seen.limit);
    assert_eq!((seen.ok, seen.in_flight, seen.waiting), (u64::from(CALLS), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn follows_a_limit_that_falls_and_rises() {
    let governor = Governor::new(GovernorSettings::default());
    let service = Arc::new(Hidden::new(20, None));
    run(&governor, &service, 1_000).await;
    service.limit.store(6, Ordering::SeqCst);
    let took = run(&governor, &service, 1_000).await.as_secs_f64();
    let falling = took / ideal(&service, 1_000);
    service.limit.store(30, Ordering::SeqCst);
    run(&governor, &service, 3_000).await;
    let took = run(&governor, &service, 2_000).await.as_secs_f64();
    let risen = took / ideal(&service, 2_000);
    println!("after the fall {falling:.3}, long after the rise {risen:.3}, {:?}", governor.snapshot());
    assert!(falling <= 1.15, "{falling:.3}");
    assert!(risen <= 1.25, "{risen:.3}");
}

#[tokio::test(start_paused = true)]
async fn quick_calls_before_long_ones_do_not_hold_the_search_up() {
    let governor = Governor::new(GovernorSettings::default());
    // Just enough to fill one window at the initial limit.
    let quick = Arc::new(Hidden { latency: Duration::from_millis(60), ..Hidden::new(10, None) });
    run(&governor, &quick, 8).await;
    let service = Arc::new(Hidden::new(10, None));
    let took = run(&governor, &service, 2_000).await.as_secs_f64();
    let ratio = took / ideal(&service, 2_000);
    println!("long calls after quick ones: {ratio:.3}");
    assert!(ratio <= 1.15, "{ratio:.3}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_queues_is_not_flooded() {
    // Ten calls are served at a time; the others wait inside, and nobody is turned away.
    let governor = Governor::new(GovernorSettings::default());
    let served = Arc::new(tokio::sync::Semaphore::new(10));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..2_000_u64)
        .map(|number| {
            let (governor, served) = (governor.clone(), Arc::clone(&served));
            tokio::spawn(async move {
                let permit = governor.acquire(Priority::Read, false).await;
                let sent = Instant::now();
                let place = served.acquire().await.unwrap();
                sleep(Duration::from_millis(600 + number * 7919 % 493)).await;
                drop(place);
                permit.ok(sent.elapsed());
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let (ratio, seen) = (begun.elapsed().as_secs_f64() / 169.2, governor.snapshot());
    println!("a queueing service: ratio {ratio:.3}, ended at {}", seen.limit);
    assert!(ratio <= 1.05, "{ratio:.3}");
    assert!(seen.limit <= 40, "ended at {}", seen.limit);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_rate_is_survived_without_a_storm() {
    // 20 calls a second, everything above is turned away with Retry-After: 1.
    let governor = Governor::new(GovernorSettings::default());
    let bucket = Arc::new(Mutex::new((Instant::now(), 20.0_f64)));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..600)
        .map(|_| {
            let (governor, bucket) = (governor.clone(), Arc::clone(&bucket));
            tokio::spawn(async move {
                loop {
                    let permit = governor.acquire(Priority::Read, false).await;
                    let sent = Instant::now();
                    let allowed = {
                        let mut bucket = bucket.lock().unwrap();
                        bucket.1 = (bucket.1 + bucket.0.elapsed().as_secs_f64() * 20.0).min(20.0);
                        bucket.0 = Instant::now();
                        let allowed = bucket.1 >= 1.0;
                        bucket.1 -= f64::from(u8::from(allowed));
                        allowed
                    };
                    sleep(Duration::from_millis(100)).await;
                    if allowed {
                        permit.ok(sent.elapsed());
                        return;
                    }
                    permit.throttled(Some(Duration::from_secs(1)));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seen = governor.snapshot();
    println!("600 calls at 20/s: {:.1} s, {} throttled", begun.elapsed().as_secs_f64(), seen.throttled);
    assert!(begun.elapsed() < Duration::from_secs(90));
    assert!(seen.throttled < 120, "{} throttled", seen.throttled);
}

#[tokio::test(start_paused = true)]
async fn writes_go_before_reads_and_a_pause_stops_everybody() {
    let governor = Governor::new(GovernorSettings { initial: 1, ceiling: 1, ..GovernorSettings::default() });
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = governor.acquire(Priority::Read, false).await;
    let mut tasks = Vec::new();
    for (name, priority, again) in [
        ("read 1", Priority::Read, false),
        ("read 2", Priority::Read, false),
        ("read again", Priority::Read, true),
        ("write", Priority::Write, false),
    ] {
        let (governor, order) = (governor.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let permit = governor.acquire(priority, again).await;
            order.lock().unwrap().push(name);
            permit.ok(Duration::from_millis(1));
        }));
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    first.throttled(Some(Duration::from_secs(7)));
    for task in tasks {
        task.await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_secs(7));
    assert_eq!(*order.lock().unwrap(), ["write", "read again", "read 1", "read 2"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_its_place() {
    let governor = Governor::new(GovernorSettings { initial: 1, ceiling: 1, ..GovernorSettings::default() });
    let held = governor.acquire(Priority::Read, false).await;
    let gone = tokio::spawn({
        let governor = governor.clone();
        async move { governor.acquire(Priority::Write, false).await }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let _ = gone.await;
    drop(held);
    let next = tokio::time::timeout(Duration::from_secs(1), governor.acquire(Priority::Read, false)).await;
    assert!(next.is_ok());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    Ok(u16),
    Throttled(Option<u8>),
    Failed,
    Cancelled,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Acquire),
        4 => (1..5_000_u16).prop_map(Step::Ok),
        2 => proptest::option::of(0..30_u8).prop_map(Step::Throttled),
        1 => Just(Step::Failed),
        1 => Just(Step::Cancelled),
        2 => (0..20_000_u16).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_the_bounds(steps in proptest::collection::vec(step(), 1..400), ceiling in 1..80_u32) {
        let mut throttle = Throttle::new(GovernorSettings { ceiling, ..GovernorSettings::default() });
        let mut now = Duration::ZERO;
        let mut under_way = Vec::new();
        for step in steps {
            match step {
                Step::Acquire => {
                    let full = throttle.in_flight() >= throttle.limit();
                    let paused = throttle.paused_until(now).is_some();
                    match throttle.acquire(now) {
                        Some(ticket) => {
                            prop_assert!(!full && !paused);
                            under_way.push(ticket);
                        }
                        None => prop_assert!(full || paused),
                    }
                }
                Step::Wait(millis) => now += Duration::from_millis(millis.into()),
                _ if under_way.is_empty() => {}
                Step::Ok(millis) => {
                    let before = throttle.limit();
                    throttle.ok(under_way.remove(0), Duration::from_millis(millis.into()), true, now);
                    prop_assert!(throttle.limit() >= before && throttle.limit() <= before + 1);
                }
                Step::Throttled(seconds) => {
                    let before = throttle.limit();
                    throttle.throttled(under_way.remove(0), seconds.map(|s| Duration::from_secs(s.into())), now);
                    prop_assert!(throttle.limit() <= before, "a throttled answer never raises the limit");
                    if let Some(seconds @ 1..) = seconds {
                        prop_assert!(throttle.paused_until(now) >= Some(now + Duration::from_secs(seconds.into())));
                    }
                }
                Step::Failed => {
                    under_way.remove(0);
                    throttle.failed(now);
                }
                Step::Cancelled => {
                    under_way.remove(0);
                    throttle.cancelled();
                }
            }
            prop_assert!((1..=ceiling).contains(&throttle.limit()));
            prop_assert_eq!(throttle.in_flight() as usize, under_way.len());
        }
        let counts = throttle.counts();
        prop_assert!(counts.ok + counts.throttled + counts.failed <= counts.calls);
    }
}
