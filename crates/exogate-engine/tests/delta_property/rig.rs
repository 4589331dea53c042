//! A tenant without sockets whose time stands still, an administrator who changes it, and a source
//! that reads the differences and can be killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::aggregate::{self, Aggregation, Outcome, RunSummary};
use exogate_engine::delta::{self, Delta};
use exogate_engine::provision::{
    Patience, Provisioner, Rules, Secrets, Silent as NobodyHears, Snapshot, Submission, compile,
};
use exogate_engine::{SourceContext, Tenant};
use exogate_microsoft::caller::{Caller, SeededIds, Silent};
use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::graph::GraphCall;
use exogate_microsoft::transport::Transport;
use exogate_model::clock::Clock;
use exogate_model::plan::Plan;
use exogate_model::policy::{PolicyRequest, ProvisioningPolicy};
use exogate_model::source::SourceOptions;
use exogate_sim::clock::Time;
use exogate_sim::server::operation::Service;
use exogate_sim::server::{self, Request};
use exogate_sim::state::{Class, Face, Idx};
use exogate_sim::world::World;
use exogate_sim::{AppSpec, TraceSink};
use exogate_store::{Feed, Found, Journal};
use futures::future::{Either, select};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::direct::Direct;
use crate::oddities::Oddities;
use crate::random::Random;
use crate::support::{Source, context, settings};
use crate::witness::Witness;

const HERE: &str = "https://tenant.example/";

/// The simulated tenant's own time.
struct TenantClock(Arc<World>);

impl Clock for TenantClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.now().millis()).unwrap()
    }
}

/// How a process is killed.
#[derive(Debug)]
pub struct Kill {
    /// While it reads everything, and not the differences.
    pub whole: bool,
    /// After so many requests.
    pub requests: u64,
    /// The last request still has its effect.
    pub after: bool,
    /// Nothing is put in order: another process goes on with what is on the disk.
    pub minus_nine: bool,
}

pub struct Rig<'a> {
    beginning: &'a Beginning,
    pub world: Arc<World>,
    pub source: Source,
    pub options: delta::DeltaOptions,
    clock: Arc<dyn Clock>,
    way: Arc<Direct>,
    tenant: Tenant,
    administrators: Vec<Administrator>,
    journal: Journal,
    _journal_folder: TempDir,
    /// The administrator at work.
    acting: usize,
    pub witness: Witness,
    /// Whether every run since the last full aggregation came to its end.
    pub settled: bool,
    /// The last change that is not kept any more.
    pub forgotten: i64,
}

/// Somebody who changes the tenant.
struct Administrator {
    app: String,
    tenant: Tenant,
}

const ADMINISTRATORS: usize = 3;

/// A folder in memory, where there is such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::Builder::new().tempdir_in(memory).or_else(|_| TempDir::new()).unwrap()
}

/// What all sequences begin with, made once.
pub struct Beginning {
    fixture: PathBuf,
    /// A store in which nothing was written yet.
    store: Source,
    context: Arc<SourceContext>,
}

impl Beginning {
    pub async fn new(fixture: PathBuf) -> Self {
        let context = context(SourceOptions {
            aggregate_all_groups: true,
            manage_microsoft_365_groups: true,
            ..SourceOptions::default()
        });
        let store = Source::open(folder(), Arc::clone(&context), Arc::new(Epoch)).await;
        store.flush().await;
        Self { fixture, store, context }
    }

    async fn source(&self, clock: &Arc<dyn Clock>) -> Source {
        let folder = folder();
        self.store.copy_to(&folder);
        Source::open(folder, Arc::clone(&self.context), Arc::clone(clock)).await
    }
}

/// A clock that nobody looks at.
struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

async fn client(
    world: &Arc<World>,
    way: Arc<dyn Transport>,
    roles: &[String],
    clock: &Arc<dyn Clock>,
) -> Administrator {
    let body = json!({"display_name": "client", "generate_secret": true, "roles": roles,
        "directory_roles": ["Exchange Administrator"]});
    let request =
        Request::new(Method::POST, "localhost", "/_sim/apps", world.now()).with_body(body.to_string());
    let reply = server::answer(world, Service::Control, request).await;
    let app: Value = serde_json::from_slice(&reply.body.to_bytes()).unwrap();
    let text = |name: &str| app[name].as_str().unwrap_or_else(|| panic!("{app}")).to_owned();
    let mut settings = settings(HERE, &text("tenant_id"), text("client_id"), &text("secret"));
    settings.retry.backoff = Duration::from_millis(1);
    settings.retry.backoff_cap = Duration::from_millis(2);
    settings.retry.attempts = 4;
    let caller =
        Caller::new(&settings, way, Arc::clone(clock), Arc::new(SeededIds::new(7)), Arc::new(Silent));
    Administrator { app: text("client_id"), tenant: Tenant::new(caller, true) }
}

impl<'a> Rig<'a> {
    /// A tenant that was aggregated once.
    pub async fn new(beginning: &'a Beginning, oddities: &Oddities) -> Self {
        let mut scenario = oddities.scenario.clone();
        scenario.faults = oddities.standing();
        let begin = scenario.clock.start.unwrap_or_else(|| Time::from_seconds(0));
        let state = exogate_sim::fixture::read(&beginning.fixture, begin).unwrap();
        let world = Arc::new(World::new(state, scenario, None, &TraceSink::Off).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(TenantClock(Arc::clone(&world)));
        let way = Arc::new(Direct::new(Arc::clone(&world)));
        let all = AppSpec::exogate().roles;
        let mut ours = all.clone();
        if oddities.no_feed {
            ours.retain(|role| role != "ActivityFeed.Read");
        }
        let tenant = client(&world, Arc::clone(&way) as Arc<dyn Transport>, &ours, &clock).await.tenant;
        let mut administrators = Vec::new();
        for _ in 0..ADMINISTRATORS {
            let other_way = Arc::new(Direct::new(Arc::clone(&world)));
            administrators.push(client(&world, other_way, &all, &clock).await);
        }
        let source = beginning.source(&clock).await;
        // Longer than any reader of this tenant is behind.
        let settling = Duration::from_secs(20 * 60);
        let options = delta::DeltaOptions { settling, ..oddities.options.clone() };
        let journal_folder = folder();
        let journal = Journal::open(journal_folder.path().join("x.journal"), Arc::clone(&clock)).unwrap();
        let rig = Self {
            journal,
            _journal_folder: journal_folder,
            beginning,
            world,
            source,
            options,
            clock,
            way,
            tenant,
            administrators,
            acting: 0,
            witness: Witness::default(),
            settled: true,
            forgotten: 0,
        };
        rig.pass(60);
        let summary = rig.full().await;
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
        rig
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
        self.world.run_due();
    }

    fn aggregation(&self) -> Aggregation {
        let mut aggregation = self.source.aggregation(&self.tenant);
        aggregation.allow_deletions = true;
        aggregation
    }

    /// Reads everything.
    pub async fn full(&self) -> RunSummary {
        aggregate::run(self.aggregation()).await.unwrap()
    }

    /// Reads the differences.
    pub async fn delta(&self) -> RunSummary {
        let (aggregation, options) = (self.aggregation(), self.options.clone());
        delta::run(Delta { aggregation, options, clock: Arc::clone(&self.clock) }).await.unwrap()
    }

    /// Reads the differences, or everything, and is killed on the way, if it comes to that.
    pub async fn killed(&mut self, kill: &Kill) -> bool {
        let &Kill { whole, requests, after, minus_nine } = kill;
        self.way.kill_after(requests, after);
        let mut left = None;
        let killed = {
            let run = std::pin::pin!(async { if whole { self.full().await } else { self.delta().await } });
            let blown = std::pin::pin!(self.way.blown());
            match select(run, blown).await {
                Either::Left(_) => false,
                Either::Right(_) => {
                    if minus_nine {
                        self.source.flush().await;
                        let folder = folder();
                        self.source.copy_to(&folder);
                        left = Some(folder);
                    }
                    true
                }
            }
        };
        if let Some(left) = left {
            self.source = Source::open(left, Arc::clone(&self.source.context), Arc::clone(&self.clock)).await;
        } else {
            self.source.let_go().await;
            self.source.flush().await;
        }
        self.way.mend();
        killed
    }

    /// What a fresh full aggregation shows.
    pub async fn fresh(&self) -> String {
        let fresh = self.beginning.source(&self.clock).await;
        let summary = fresh.aggregate(&self.tenant).await;
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
        fresh.picture().await
    }

    /// An administrator runs a cmdlet. What is refused (gone, ambiguous, there already) changes nothing.
    pub async fn run(&mut self, cmdlet: Cmdlet) {
        let Administrator { app, tenant } = &self.administrators[self.acting];
        let sight = Witness::before(&self.world, app, &cmdlet);
        let _ = tenant.exchange.as_ref().unwrap().invoke(&cmdlet).await;
        self.witness.after(&self.world, sight);
    }

    /// We carry out what governance asks for: a right on a mailbox, by its label.
    pub async fn provision(&mut self, verb: &str, who: &str, label: &str, right: &str) -> bool {
        let text = json!({"accounts": [{"account": who, "attributes": [
            {"op": verb, "name": "sharedMailbox", "value": format!("{label}: {right}")}]}]});
        let plan: Plan = serde_json::from_value(text).unwrap();
        let (store, context) = (self.source.store.clone(), Arc::clone(&self.source.context));
        let snapshot = Snapshot::of(&store, &plan).await.unwrap();
        let (account_schema, group_schema) = (&context.account_schema, &context.group_schema);
        let policy = ProvisioningPolicy::check(&PolicyRequest::new(), account_schema, group_schema).unwrap();
        let rules = Rules { account_schema, group_schema, policy: &policy, options: &context.options };
        let Ok(operations) = compile(&plan, &snapshot, rules) else { return false };
        let whom = self.source.store.account(who).await.unwrap();
        let patience = Patience {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(1),
            deadline: Duration::from_millis(2),
        };
        let journal = self.journal.clone();
        let provisioner =
            Provisioner::new(self.tenant.clone(), store, journal, Arc::clone(&context), patience);
        let submission = Submission { plan, by: "governance".into(), operations, undoes: None };
        let records = self.world.state().audit().len();
        let result = provisioner
            .apply_with(submission, Secrets::default(), Arc::new(NobodyHears), CancellationToken::new())
            .await
            .unwrap();
        if let Found::One(account) = whom {
            self.witness.ours(&self.world, records, &result.plan, verb, &account.user.id, right);
        }
        true
    }

    /// Another administrator comes to work.
    pub fn relieve(&mut self, random: &mut Random) {
        self.acting = usize::try_from(random.below(ADMINISTRATORS as u64)).unwrap();
    }

    /// An administrator changes the directory.
    pub async fn graph(&self, method: Method, path: &str, body: Option<Value>) {
        let _ =
            self.administrators[self.acting].tenant.graph.batch(&[GraphCall::new(method, path, body)]).await;
    }

    /// Somebody ends our subscription to the activity feed.
    pub fn unsubscribe(&self) {
        self.world.services.activity.end_subscriptions();
    }

    /// The id of a live object by any of its names.
    pub fn id_of(&self, text: &str) -> Option<String> {
        let state = self.world.state();
        let idx = state.by_identity(false, text).first().copied()?;
        state.get(idx).map(|object| object.id.to_string())
    }

    /// One of those in the recycle bin.
    pub fn deleted(&self, number: u64) -> Option<(Idx, String)> {
        let state = self.world.state();
        let view = state.view(Face::Graph, self.world.now());
        let all: Vec<_> = view.list(Class::DeletedUsers, Idx(0)).collect();
        let at = usize::try_from(number).unwrap().checked_rem(all.len())?;
        all.get(at).map(|(idx, object)| (*idx, object.id.to_string()))
    }

    /// What is behind a place in the feed.
    pub async fn feed(&self, since: i64) -> Feed {
        self.source.store.feed(since, 100_000).await.unwrap()
    }

    /// Forgets the changes that are older.
    pub async fn compact(&mut self, seconds: i64) {
        let before = self.clock.now() - jiff::SignedDuration::from_secs(seconds);
        let changes = self.source.store.changes(0, 100_000).await.unwrap();
        let old = changes.iter().filter(|change| change.at < before).map(|change| change.sequence);
        self.forgotten = old.max().unwrap_or_default().max(self.forgotten);
        self.source.store.forget_changes(before).await.unwrap();
    }
}
