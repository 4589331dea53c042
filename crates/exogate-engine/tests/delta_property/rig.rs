//! A tenant without sockets whose time stands still, an administrator who changes it, and a source
//! that reads the differences and can be killed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::Tenant;
use exogate_engine::aggregate::{self, Aggregation, Outcome, RunSummary};
use exogate_engine::delta::{self, Delta};
use exogate_microsoft::Resource;
use exogate_microsoft::caller::{CallSpec, Caller, Judge, Priority, Repeat, SeededIds, Silent, Verdict};
use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::graph::GraphCall;
use exogate_microsoft::transport::{Transport, WireRequest, WireResponse};
use exogate_model::clock::Clock;
use exogate_model::source::SourceOptions;
use exogate_sim::clock::Time;
use exogate_sim::server::operation::Service;
use exogate_sim::server::{self, Request};
use exogate_sim::state::{Class, Face, Idx};
use exogate_sim::world::World;
use exogate_sim::{AppSpec, TraceSink};
use exogate_store::ChangeRecord;
use futures::future::{Either, select};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::direct::Direct;
use crate::oddities::Oddities;
use crate::support::{Source, context, settings};

const HERE: &str = "https://tenant.example/";

/// Takes any answer.
struct Whatever;

impl Judge for Whatever {
    fn judge(&self, _: &str, _: &WireResponse) -> Verdict {
        Verdict::Done
    }
}

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

pub struct Rig {
    pub world: Arc<World>,
    pub source: Source,
    pub options: delta::DeltaOptions,
    clock: Arc<dyn Clock>,
    way: Arc<Direct>,
    tenant: Tenant,
    administrator: Tenant,
}

/// A folder in memory, where there is such a place.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::Builder::new().tempdir_in(memory).or_else(|_| TempDir::new()).unwrap()
}

async fn client(
    world: &Arc<World>,
    way: Arc<dyn Transport>,
    roles: &[String],
    clock: &Arc<dyn Clock>,
) -> Tenant {
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
    Tenant::new(caller, true)
}

impl Rig {
    /// A tenant that was aggregated once.
    pub async fn new(fixture: &Path, oddities: &Oddities) -> Self {
        let mut scenario = oddities.scenario.clone();
        scenario.faults = oddities.standing();
        let begin = scenario.clock.start.unwrap_or_else(|| Time::from_seconds(0));
        let state = exogate_sim::fixture::read(fixture, begin).unwrap();
        let world = Arc::new(World::new(state, scenario, None, &TraceSink::Off).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(TenantClock(Arc::clone(&world)));
        let way = Arc::new(Direct::new(Arc::clone(&world)));
        let all = AppSpec::exogate().roles;
        let mut ours = all.clone();
        if oddities.no_feed {
            ours.retain(|role| role != "ActivityFeed.Read");
        }
        let tenant = client(&world, Arc::clone(&way) as Arc<dyn Transport>, &ours, &clock).await;
        let other_way = Arc::new(Direct::new(Arc::clone(&world)));
        let administrator = client(&world, other_way, &all, &clock).await;
        let options = SourceOptions {
            aggregate_all_groups: true,
            manage_microsoft_365_groups: true,
            ..SourceOptions::default()
        };
        let source = Source::open(folder(), context(options), Arc::clone(&clock)).await;
        // Longer than any reader of this tenant is behind.
        let settling = Duration::from_secs(20 * 60);
        let options = delta::DeltaOptions { settling, ..oddities.options.clone() };
        let rig = Self { world, source, options, clock, way, tenant, administrator };
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
            self.source.flush().await;
        }
        self.way.mend();
        killed
    }

    /// What a fresh full aggregation shows.
    pub async fn fresh(&self) -> String {
        let fresh = Source::open(folder(), Arc::clone(&self.source.context), Arc::clone(&self.clock)).await;
        let summary = fresh.aggregate(&self.tenant).await;
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
        fresh.picture().await
    }

    /// An administrator runs a cmdlet. What is refused (gone, ambiguous, there already) changes nothing.
    pub async fn run(&self, cmdlet: Cmdlet) {
        let _ = self.administrator.exchange.as_ref().unwrap().invoke(&cmdlet).await;
    }

    /// An administrator changes the directory.
    pub async fn graph(&self, method: Method, path: &str, body: Option<Value>) {
        let _ = self.administrator.graph.batch(&[GraphCall::new(method, path, body)]).await;
    }

    /// Somebody ends our subscription to the activity feed.
    pub async fn unsubscribe(&self) {
        let caller = &self.tenant.caller;
        let path = format!("api/v1.0/{}/activity/feed/subscriptions/stop", caller.tenant());
        let url = Url::parse(&format!("{HERE}{path}?contentType=Audit.Exchange")).unwrap();
        let spec = CallSpec {
            resource: Resource::Activity,
            what: "POST subscriptions/stop",
            request: &|_| WireRequest::new(Method::POST, url.clone()),
            repeat: Repeat::Safe,
            priority: Priority::Read,
            judge: &Whatever,
        };
        let _ = caller.call(spec).await;
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

    /// The changes behind a place in the feed.
    pub async fn changes(&self, since: i64) -> Vec<ChangeRecord> {
        self.source.store.changes(since, 100_000).await.unwrap()
    }
}
