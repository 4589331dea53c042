//! Each fault of the tenant on each kind of write: in the end it is as asked, the effect came once,
//! and what was told on the way was true.

use std::sync::Arc;

use exogate_engine::provision::{PlanResult, Silent};
use exogate_model::operation::{Fault, Outcome};
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};

use crate::world::{World, outcomes, patience};
use crate::writes::{self, Write};

/// What a fault may come to at the first attempt.
#[derive(Clone, Copy, PartialEq)]
enum First {
    /// Done in spite of it.
    Done,
    /// Done; but nobody can tell that a group was not made, so making one is left open.
    DoneOrOpen,
    /// Refused, with the blame where it belongs.
    Refused,
}

fn status(status: u16, retry_after: Option<u32>) -> FaultAction {
    FaultAction::Status { status, body: None, content_type: None, retry_after }
}

fn faults(exchange: bool) -> Vec<(&'static str, FaultAction, bool, First)> {
    let mut faults = vec![
        ("reset before", FaultAction::ResetBefore, true, First::DoneOrOpen),
        ("reset after", FaultAction::ResetAfter, true, First::Done),
        ("429 with Retry-After", status(429, Some(0)), true, First::Done),
        ("429 without", status(429, None), true, First::Done),
        ("503", status(503, None), true, First::DoneOrOpen),
        ("504", status(504, None), true, First::DoneOrOpen),
        ("500", status(500, None), true, First::DoneOrOpen),
        ("an expired token", status(401, None), true, First::Done),
        ("truncated answer", FaultAction::Truncate, true, First::Done),
        ("a gateway's page", FaultAction::Html { status: 502 }, true, First::DoneOrOpen),
        ("a slow answer", FaultAction::Delay { millis: 30 }, true, First::Done),
    ];
    if exchange {
        faults.extend([
            ("plain-text throttling", FaultAction::PlainThrottle { status: 200 }, true, First::Done),
            ("plain-text throttling as 503", FaultAction::PlainThrottle { status: 503 }, true, First::Done),
            ("another language", FaultAction::Localise { language: "de-DE".into() }, true, First::Done),
            (
                "transient type in a 400",
                FaultAction::Transient400 { exception: "StorageTransientException".into() },
                true,
                First::DoneOrOpen,
            ),
            ("403 of NUL bytes", FaultAction::Nul403, true, First::Refused),
            ("a stale replica", FaultAction::Stale { seconds: 0.05 }, false, First::Done),
        ]);
    }
    faults
}

fn rule(action: FaultAction, write: bool, path: &str) -> FaultRule {
    let when = FaultMatch {
        write: Some(write),
        // Reading by POST is a write to the tenant's eyes; what changes something has a path of its own.
        path: Some(path.to_owned()),
        times: Some(if write { 1 } else { 1000 }),
        ..FaultMatch::default()
    };
    FaultRule { name: None, when, action }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_on_each_write_by_exchange() {
    walk(&writes::EXCHANGE, "/adminapi/").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_on_each_write_by_graph() {
    walk(&writes::GRAPH, "/v1.0/groups").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_on_each_write_to_a_user() {
    walk(&writes::USERS, "/v1.0/users").await;
}

async fn walk(writes: &[Write], path: &str) {
    let world = World::new(Scenario::default()).await;
    for (fault, action, on_writes, first) in faults(path.contains("adminapi")) {
        for write in writes {
            befallen(&world, *write, fault, rule(action.clone(), on_writes, path), first).await;
        }
    }
    assert_eq!(world.journal().verify(None).await.unwrap().broken, None);
    world.agrees("in the end").await;
}

async fn befallen(world: &World, (name, text): Write, fault: &str, rule: FaultRule, first: First) {
    let what = format!("{name}, {fault}");
    let plan = world.prepared(text).await;
    let effects = world.effects();
    let provisioner = world.provisioner(patience(200));
    let submission = world.submission(&provisioner, &plan).await;
    let running = world.sim.running.world();
    running.set_faults(vec![rule]);
    let result = world.submit(&provisioner, submission, Arc::new(Silent)).await.unwrap();
    let fired: u64 = running.faults.states().iter().map(|state| state.fired).sum();
    running.set_faults(Vec::new());
    assert!(fired > 0, "{what}: the fault did not come to pass");
    told_truly(&result, first, writes::makes(text), &what);
    let happened = world.effects() - effects;
    assert_eq!(happened == 1, result.is_success(), "{what}: {happened} effects, {:?}", outcomes(&result));

    let mut last = result.plan.clone();
    if !result.is_success() {
        let again = world.apply(&provisioner, &plan).await;
        assert!(again.is_success(), "{what}: {again:#?}");
        last = again.plan;
    }
    assert_eq!(world.effects() - effects, 1, "{what}: once, and once only");
    world.undo(&provisioner, &last, writes::for_good(text), &what).await;
}

fn told_truly(result: &PlanResult, first: First, makes: bool, what: &str) {
    let [one] = result.results.as_slice() else { panic!("{what}: {result:#?}") };
    let outcome = one.outcome.as_ref().unwrap();
    let fine = match first {
        First::DoneOrOpen if makes => matches!(outcome, Outcome::Unknown { .. }),
        First::Done | First::DoneOrOpen => matches!(outcome, Outcome::Done | Outcome::DoneNotYetVisible),
        First::Refused => {
            matches!(outcome, Outcome::Failed { fault: Fault::Tenant, remedy, .. } if !remedy.is_empty())
        }
    };
    assert!(fine, "{what}: {outcome:#?}");
}
