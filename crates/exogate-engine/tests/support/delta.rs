//! A tenant whose time stands still until a test moves it, an administrator who changes it, and a
//! source that reads the differences.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use exogate_engine::Tenant;
use exogate_engine::aggregate::RunSummary;
use exogate_engine::delta::{self, Delta, DeltaOptions};
use exogate_microsoft::Resource;
use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::graph::GraphCall;
use exogate_model::clock::Clock;
use exogate_model::source::SourceOptions;
use exogate_sim::world::World;
use exogate_sim::{AppSpec, Scenario, Sizes};
use exogate_store::ChangeRecord;
use http::Method;
use jiff::Timestamp;

use crate::support::{Sim, Source};

/// The simulated tenant's own time.
pub struct TenantClock(Arc<World>);

impl Clock for TenantClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.now().millis()).unwrap()
    }
}

pub struct Bench {
    pub sim: Sim,
    pub tenant: Tenant,
    pub source: Source,
    pub clock: Arc<TenantClock>,
    pub options: DeltaOptions,
    source_options: SourceOptions,
}

pub fn everything() -> SourceOptions {
    SourceOptions {
        aggregate_all_groups: true,
        manage_microsoft_365_groups: true,
        ..SourceOptions::default()
    }
}

impl Bench {
    /// A tenant that was aggregated once.
    pub async fn new(fixture: &str, mut scenario: Scenario) -> Self {
        scenario.clock.frozen = true;
        Self::of(Sim::with_app(fixture, scenario, AppSpec::exogate()).await).await
    }

    /// The same, read by an application with other grants.
    pub async fn by(app: AppSpec, mut scenario: Scenario) -> Self {
        scenario.clock.frozen = true;
        Self::of(Sim::with_app(crate::support::CONTOSO, scenario, app).await).await
    }

    /// The same of a generated tenant.
    pub async fn generated(sizes: Sizes) -> Self {
        let mut scenario = Scenario::default();
        scenario.clock.frozen = true;
        Self::of(Sim::generated(sizes, scenario).await).await
    }

    async fn of(sim: Sim) -> Self {
        let clock = Arc::new(TenantClock(Arc::clone(sim.running.world())));
        let tenant = sim.tenant_by(true, Arc::clone(&clock) as Arc<dyn Clock>);
        let source = Source::by(everything(), Arc::clone(&clock) as Arc<dyn Clock>).await;
        let bench = Self {
            sim,
            tenant,
            source,
            clock,
            options: DeltaOptions::default(),
            source_options: everything(),
        };
        bench.pass(60);
        let summary = bench.source.aggregate(&bench.tenant).await;
        assert_eq!(summary.outcome, exogate_engine::aggregate::Outcome::Completed, "{:#?}", summary.streams);
        bench
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.sim.running.world().clock.advance(Duration::from_secs(seconds));
        self.sim.running.world().run_due();
    }

    /// Reads the differences.
    pub async fn delta(&self) -> RunSummary {
        let mut aggregation = self.source.aggregation(&self.tenant);
        aggregation.allow_deletions = true;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        delta::run(Delta { aggregation, options: self.options.clone(), clock }).await.unwrap()
    }

    /// What a fresh full aggregation shows.
    pub async fn fresh(&self) -> String {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let fresh = Source::by(self.source_options.clone(), clock).await;
        let summary = fresh.aggregate(&self.tenant).await;
        assert_eq!(summary.outcome, exogate_engine::aggregate::Outcome::Completed, "{:#?}", summary.streams);
        fresh.picture().await
    }

    /// Calls sent to the tenant so far; the items of a batch are one call.
    pub fn calls(&self) -> u64 {
        let caller = &self.tenant.caller;
        Resource::ALL.into_iter().map(|resource| caller.snapshot(resource).calls).sum()
    }

    /// An administrator runs a cmdlet.
    pub async fn run(&self, cmdlet: Cmdlet) {
        self.tenant.exchange.as_ref().unwrap().invoke(&cmdlet).await.unwrap();
    }

    /// An administrator changes the directory; whether it was taken.
    pub async fn graph(&self, method: Method, path: &str, body: Option<serde_json::Value>) -> bool {
        let call = GraphCall::new(method, path, body);
        self.tenant.graph.batch(&[call]).await.pop().unwrap().is_ok_and(|reply| reply.status.is_success())
    }

    /// Waits until a dropped run has let go.
    pub async fn flush(&self) {
        self.source.flush().await;
    }

    pub async fn changes(&self, since: i64) -> Vec<ChangeRecord> {
        self.source.store.changes(since, 100_000).await.unwrap()
    }
}

/// One change in one line: object, what, how learnt.
pub fn line(change: &ChangeRecord) -> String {
    let happened = serde_json::to_value(&change.happened).unwrap();
    let mut line = format!("{} {} {}", change.object.name(), change.name, happened["what"].as_str().unwrap());
    for field in ["right", "trustee", "role"] {
        if let Some(text) = happened[field].as_str() {
            line.push_str(&format!(" {text}"));
        }
    }
    line
}
