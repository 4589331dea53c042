//! Killed at every step of every kind of write; the next process settles it by reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use exogate_engine::provision::{Observer, Silent, Step};
use exogate_model::operation::Outcome;
use exogate_sim::Scenario;
use futures::future::BoxFuture;

use crate::world::{World, outcomes, patience};
use crate::writes::{self, Write};

/// Where a process can be killed: before the call, after its effect and before its answer stands in
/// the journal, after that, while looking, and before and after the end stands there.
const POINTS: [&str; 8] =
    ["accepted", "observed", "begun", "sent", "answered", "verifying", "stored", "finished"];

fn name(step: Step) -> &'static str {
    match step {
        Step::Accepted => "accepted",
        Step::Queued(_) => "queued",
        Step::Observed(_) => "observed",
        Step::Begun(_) => "begun",
        Step::Sent(_) => "sent",
        Step::Answered(_) => "answered",
        Step::Verifying(_) => "verifying",
        Step::Stored(_) => "stored",
        Step::Finished(_) => "finished",
    }
}

/// Goes no further than a point, as a killed process does.
struct KillAt {
    point: &'static str,
    killed: tokio::sync::Notify,
    reached: AtomicBool,
}

impl Observer for KillAt {
    fn reached(&self, step: Step) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if name(step) == self.point {
                self.reached.store(true, Ordering::SeqCst);
                self.killed.notify_one();
                std::future::pending::<()>().await;
            }
        })
    }

    fn ended(&self, _: u32, _: &Outcome) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_of_a_write_by_exchange() {
    walk(&writes::EXCHANGE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_of_a_write_by_graph() {
    walk(&writes::GRAPH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_step_of_a_write_to_a_user() {
    walk(&writes::USERS).await;
}

async fn walk(writes: &[Write]) {
    let world = World::new(Scenario::default()).await;
    for write in writes {
        for point in POINTS {
            killed(&world, *write, point).await;
        }
    }
    assert_eq!(world.journal().verify(None).await.unwrap().broken, None);
    world.agrees("in the end").await;
}

async fn killed(world: &World, (name, text): Write, point: &'static str) {
    let what = format!("{name}, killed when {point}");
    let plan = world.prepared(text).await;
    let effects = world.effects();
    let observer =
        Arc::new(KillAt { point, killed: tokio::sync::Notify::new(), reached: AtomicBool::new(false) });
    {
        let provisioner = world.provisioner(patience(2000));
        let submission = world.submission(&provisioner, &plan).await;
        tokio::select! {
            result = world.submit(&provisioner, submission, Arc::clone(&observer) as Arc<dyn Observer>) => {
                panic!("{what}: it went on: {result:#?}");
            }
            () = observer.killed.notified() => {}
        }
    }
    assert!(observer.reached.load(Ordering::SeqCst));
    let sent = !matches!(point, "accepted" | "observed" | "begun");
    assert_eq!(world.effects() - effects, usize::from(sent), "{what}");

    // A cold process: what was sent is known to be done, what was not is known not to be.
    let provisioner = world.provisioner(patience(40));
    let settled = provisioner.recover(&Silent).await.unwrap();
    let first = match settled.as_slice() {
        [settled] => {
            let wanted = match (sent, point, writes::makes(text)) {
                (true, ..) => "done",
                // Reading cannot tell a group that comes late from one that never comes.
                (false, "begun", true) => "unknown",
                (false, ..) => "failed",
            };
            assert_eq!(outcomes(settled), [wanted], "{what}: {settled:#?}");
            settled.plan.clone()
        }
        [] if point == "finished" => newest(world).await,
        _ => panic!("{what}: {settled:#?}"),
    };
    assert!(provisioner.recover(&Silent).await.unwrap().is_empty(), "{what}: settled once and for all");

    // Applied again, only what is missing is done; the stored state has known of it all along.
    let provisioner = world.provisioner(patience(2000));
    let last = if sent && writes::is_blind(text) {
        first
    } else {
        if sent {
            let known = world.compiled(&provisioner, &plan).await.unwrap();
            assert!(
                known.iter().all(|one| one.already || one.shown[0].what.starts_with("owners")),
                "{what}: {known:#?}"
            );
        }
        let again = world.apply(&provisioner, &plan).await;
        assert!(again.is_success(), "{what}: {again:#?}");
        if sent { first } else { again.plan }
    };
    assert_eq!(world.effects() - effects, 1, "{what}: once, and once only");

    // As an undisturbed run: it can be undone.
    world.undo(&provisioner, &last, writes::for_good(text), &what).await;
}

/// The newest plan in the journal.
async fn newest(world: &World) -> String {
    world.journal().plans(world.source.store.name(), 1).await.unwrap().remove(0)
}
