//! Changes against a tenant that fails, and by a process that is killed: nothing lost, nothing done
//! twice, everything told.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and runs by the real clock"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exogate_engine::aggregate::Outcome as Aggregated;
use exogate_engine::provision::{
    Observer, Patience, PlanResult, Provisioner, Rules, Silent, Snapshot, Step, Submission, compile,
};
use exogate_engine::{SourceContext, Tenant};
use exogate_model::clock::Clock;
use exogate_model::operation::{Operation, Outcome};
use exogate_model::plan::Plan;
use exogate_model::policy::{PolicyAttribute, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::source::SourceOptions;
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_store::Journal;
use futures::future::BoxFuture;
use jiff::Timestamp;
use support::{CONTOSO, Sim, Source, assert_same};
use tokio_util::sync::CancellationToken;

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// One of each kind of write.
const PLAN: &str = r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
    {"op":"add","name":"sharedMailbox","value":["O365Support: FullAccess","Quiet: SendAs","Info2: SendOnBehalf"]},
    {"op":"set","name":"EXO_CustomAttribute1","value":"Sales"},
    {"op":"set","name":"EXO_ImapEnabled","value":false},
    {"op":"add","name":"groups","value":["All staff","VPN users"]}]},
   {"account":"mark.taylor@contoso.com","attributes":[
    {"op":"remove","name":"sharedMailbox","value":["O365Support: ReadPermission","O365Support: SendAs"]},
    {"op":"remove","name":"groups","value":["Project X"]}]}],
  "groups":[{"group":"Sales","operation":"create","kind":"distributionList","attributes":[
    {"op":"add","name":"owners","value":"ines.boss@contoso.com"},
    {"op":"add","name":"members","value":"kim.akers@contoso.com"}]}]}"#;

fn plan(text: &str) -> Plan {
    serde_json::from_str(&text.replace("Info2: ", "INFO (info2@contoso.com): ")).unwrap()
}

fn policy(context: &SourceContext) -> ProvisioningPolicy {
    let attribute = |name: &str| PolicyAttribute {
        name: name.into(),
        kind: None,
        multi_valued: None,
        required: false,
        default: Default::default(),
        review_required: false,
    };
    let names = ["EXO_CustomAttribute1", "EXO_ImapEnabled"];
    let request = PolicyRequest::from([(PolicyKind::Account, names.map(attribute).to_vec())]);
    ProvisioningPolicy::check(&request, &context.account_schema, &context.group_schema).unwrap()
}

struct World {
    sim: Sim,
    source: Source,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(scenario: Scenario) -> Self {
        let sim = Sim::of(CONTOSO, scenario).await;
        let options = SourceOptions {
            aggregate_all_groups: true,
            manage_microsoft_365_groups: true,
            ..SourceOptions::default()
        };
        let source = Source::new(options).await;
        let summary = source.aggregate(&sim.tenant(true)).await;
        assert_eq!(summary.outcome, Aggregated::Completed, "{:#?}", summary.streams);
        sim.running.trace().reset();
        Self { sim, source, folder: tempfile::tempdir().unwrap() }
    }

    fn provisioner(&self, tenant: Tenant) -> Provisioner {
        let journal = Journal::open(self.folder.path().join("x.journal"), Arc::new(Now)).unwrap();
        let patience = Patience {
            first: Duration::from_millis(20),
            longest: Duration::from_millis(200),
            deadline: Duration::from_secs(3),
        };
        Provisioner::new(
            tenant,
            self.source.store.clone(),
            journal,
            Arc::clone(&self.source.context),
            patience,
        )
    }

    async fn compiled(&self, provisioner: &Provisioner, plan: &Plan) -> Vec<Operation> {
        let policy = policy(&self.source.context);
        let mut snapshot = Snapshot::of(&self.source.store, plan).await.unwrap();
        snapshot.made = provisioner.made_before(plan).await.unwrap();
        let rules = Rules {
            account_schema: &self.source.context.account_schema,
            group_schema: &self.source.context.group_schema,
            policy: &policy,
            options: &self.source.context.options,
        };
        compile(plan, &snapshot, rules).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    async fn submission(&self, provisioner: &Provisioner, plan: &Plan) -> Submission {
        let operations = self.compiled(provisioner, plan).await;
        Submission { plan: plan.clone(), by: "tester".into(), operations, undoes: None }
    }

    async fn apply(&self, provisioner: &Provisioner, plan: &Plan) -> PlanResult {
        let submission = self.submission(provisioner, plan).await;
        provisioner.apply(submission, Arc::new(Silent), CancellationToken::new()).await.unwrap()
    }

    /// How often each writing cmdlet or call was answered with success.
    fn writes(&self) -> Vec<(String, u64)> {
        let reads =
            |name: &str| name.starts_with("Get-") || name.starts_with("GET ") || name.contains("getByIds");
        let aggregate = self.sim.running.trace().aggregate();
        aggregate
            .operations
            .iter()
            .filter(|(name, _)| !reads(name) && !name.contains("token"))
            .map(|(name, totals)| (name.clone(), totals.requests))
            .collect()
    }

    /// The store must say what a fresh reading of the tenant by somebody else says.
    async fn agrees(&self, what: &str) {
        let fresh = Source::new(self.source.context.options.clone()).await;
        fresh.aggregate(&self.sim.tenant(true)).await;
        let relevant = |picture: String| -> String {
            // A group made a moment ago has attributes that only an aggregation reads.
            picture.lines().filter(|line| !line.contains("\"name\":\"Sales\"")).collect::<Vec<_>>().join("\n")
        };
        assert_same(&relevant(self.source.picture().await), &relevant(fresh.picture().await), what);
    }
}

fn outcomes(result: &PlanResult) -> Vec<&'static str> {
    result.results.iter().map(|one| one.outcome.as_ref().map_or("open", Outcome::name)).collect()
}

/// Stops for good at the nth step, as a killed process does.
struct KillAt {
    nth: usize,
    seen: AtomicUsize,
    killed: tokio::sync::Notify,
}

impl Observer for KillAt {
    fn reached(&self, _: Step) -> BoxFuture<'_, ()> {
        let now = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move {
            if now >= self.nth {
                self.killed.notify_one();
                std::future::pending::<()>().await;
            }
        })
    }

    fn ended(&self, _: u32, _: &Outcome) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_carried_out_and_applying_it_again_changes_nothing() {
    let world = World::new(Scenario::default()).await;
    let provisioner = world.provisioner(world.sim.tenant(true));
    let result = world.apply(&provisioner, &plan(PLAN)).await;
    assert!(result.is_success(), "{result:#?}");
    assert!(outcomes(&result).iter().all(|outcome| *outcome == "done"), "{:?}", outcomes(&result));
    world.agrees("after the plan").await;
    let writes = world.writes();
    let again = world.apply(&provisioner, &plan(PLAN)).await;
    assert!(outcomes(&again).iter().all(|outcome| *outcome == "already so"), "{again:#?}");
    assert_eq!(world.writes(), writes, "nothing was sent again");
}

/// Killed after each step in turn; then the next process settles it and applies the plan again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_anywhere_nothing_is_lost_and_nothing_done_twice() {
    let mut nth = 1;
    loop {
        let world = World::new(Scenario::default()).await;
        let plan = plan(PLAN);
        let observer =
            Arc::new(KillAt { nth, seen: AtomicUsize::new(0), killed: tokio::sync::Notify::new() });
        let ended = {
            let provisioner = world.provisioner(world.sim.tenant(true));
            let submission = world.submission(&provisioner, &plan).await;
            let cancel = CancellationToken::new();
            tokio::select! {
                result = provisioner.apply(submission, Arc::clone(&observer) as Arc<dyn Observer>, cancel) => {
                    assert!(result.unwrap().is_success());
                    true
                }
                () = observer.killed.notified() => false,
            }
        };
        let provisioner = world.provisioner(world.sim.tenant(true));
        for settled in provisioner.recover(&Silent).await.unwrap() {
            assert!(!outcomes(&settled).contains(&"open"), "step {nth}: {settled:#?}");
        }
        assert!(
            provisioner.recover(&Silent).await.unwrap().is_empty(),
            "step {nth}: settled once and for all"
        );
        world.agrees(&format!("recovered after step {nth}")).await;
        let again = world.apply(&provisioner, &plan).await;
        assert!(again.is_success(), "step {nth}: {again:#?}");
        world.agrees(&format!("applied again after step {nth}")).await;
        for (name, count) in world.writes() {
            // Mailbox permissions, members and attributes are each written by two operations at most.
            let most = if name.contains("MailboxPermission") { 1 } else { 2 };
            assert!(count <= most, "step {nth}: {name} was sent {count} times");
        }
        let verified = Journal::open(world.folder.path().join("x.journal"), Arc::new(Now)).unwrap();
        assert_eq!(verified.verify(None).await.unwrap().broken, None);
        if ended {
            assert!(nth > 30, "only {nth} steps");
            break;
        }
        // Every step would take minutes; a prime stride meets every kind of step.
        nth += 7;
    }
}

fn on_writes(action: FaultAction, nth: u64) -> FaultRule {
    FaultRule {
        name: None,
        when: FaultMatch { write: Some(true), every: Some(nth), times: Some(30), ..FaultMatch::default() },
        action,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_a_write_the_plan_comes_to_its_end() {
    let status =
        |status, retry_after| FaultAction::Status { status, body: None, content_type: None, retry_after };
    let table = [
        ("reset before", on_writes(FaultAction::ResetBefore, 2)),
        ("reset after", on_writes(FaultAction::ResetAfter, 2)),
        ("throttled", on_writes(status(429, Some(0)), 2)),
        ("plain throttle", on_writes(FaultAction::PlainThrottle { status: 200 }, 2)),
        ("unavailable", on_writes(status(503, None), 2)),
        (
            "transient",
            on_writes(FaultAction::Transient400 { exception: "StorageTransientException".into() }, 2),
        ),
        ("truncated", on_writes(FaultAction::Truncate, 2)),
    ];
    for (name, rule) in table {
        let world = World::new(Scenario::default()).await;
        let provisioner = world.provisioner(world.sim.tenant(true));
        let submission = world.submission(&provisioner, &plan(PLAN)).await;
        world.sim.running.world().set_faults(vec![rule]);
        let result = provisioner.apply(submission, Arc::new(Silent), CancellationToken::new()).await.unwrap();
        world.sim.running.world().set_faults(Vec::new());
        for one in &result.results {
            // What is not so is told as a failure that may be tried again, never left open or unknown.
            let fine = match &one.outcome {
                Some(Outcome::Failed { retry, .. }) => *retry,
                Some(outcome) => outcome.is_success(),
                None => false,
            };
            assert!(fine, "{name}: {one:#?}");
        }
        world.agrees(name).await;
        let again = world.apply(&provisioner, &plan(PLAN)).await;
        assert!(again.is_success(), "{name}: {again:#?}");
        world.agrees(&format!("{name}, applied again")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_takes_its_time_is_waited_for_and_then_told() {
    let mut scenario = Scenario::default();
    scenario.visibility.exchange_seconds = Some(0.4);
    scenario.visibility.graph_seconds = 0.4;
    scenario.visibility.cross_face_seconds = Some(0.4);
    let world = World::new(scenario).await;
    let provisioner = world.provisioner(world.sim.tenant(true));
    let result = world.apply(&provisioner, &plan(PLAN)).await;
    assert!(outcomes(&result).iter().all(|outcome| *outcome == "done"), "{:?}", outcomes(&result));
    let mut scenario = Scenario::default();
    scenario.visibility.exchange_seconds = Some(60.0);
    let world = World::new(scenario).await;
    let provisioner = world.provisioner(world.sim.tenant(true));
    let grant = plan(
        r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"op":"add","name":"sharedMailbox","value":"Quiet: FullAccess"}]}]}"#,
    );
    let result = world.apply(&provisioner, &grant).await;
    assert_eq!(outcomes(&result), ["done, not yet visible"]);
}
