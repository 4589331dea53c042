//! What the service counts, for Prometheus.
//!
//! Counters are raised where things happen; what is a state is read when somebody asks, in
//! [`Meters::render`]. Label values are names of configuration and of this program, never of people.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use exogate_engine::provision::PlanResult;
use exogate_model::operation::Outcome;
use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use crate::gateway::Gateway;
use crate::runs::ActiveRun;
use crate::webhook::Courier;

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

const METADATA: Metadata<'static> = Metadata::new("exogate", Level::INFO, None);

const HTTP_REQUESTS: &str = "exogate_http_requests_total";
const HTTP_SECONDS: &str = "exogate_http_request_seconds";
const HTTP_REFUSED: &str = "exogate_http_refused_total";
const RUNS: &str = "exogate_runs_total";
const RUN_SECONDS: &str = "exogate_run_last_seconds";
const RUN_ACTIVE: &str = "exogate_run_active";
const RUN_ENDED: &str = "exogate_run_last_completed_timestamp_seconds";
const STATE_AGE: &str = "exogate_state_age_seconds";
const OBJECTS: &str = "exogate_objects";
const OPERATIONS: &str = "exogate_operations_total";
const CALLS: &str = "exogate_calls_total";
const LIMIT: &str = "exogate_governor_limit";
const IN_FLIGHT: &str = "exogate_governor_in_flight";
const WAITING: &str = "exogate_governor_waiting";
const PAUSED: &str = "exogate_governor_paused_seconds";
const LATENCY: &str = "exogate_governor_latency_seconds";
const SKIPPED: &str = "exogate_schedule_skipped_total";
const SPANS: &str = "exogate_trace_spans_total";
const WEBHOOK: &str = "exogate_webhook_messages_total";
const WEBHOOK_BEHIND: &str = "exogate_webhook_behind";
const WEBHOOK_DEAD: &str = "exogate_webhook_dead_letters";
const WEBHOOK_FAILING: &str = "exogate_webhook_failing_seconds";
const BUILD: &str = "exogate_build_info";

/// So many durations wait to be put into their buckets, if nobody asks for metrics.
const UPKEEP: u64 = 8192;

/// The counters of one service. Clones share them.
#[derive(Clone)]
pub struct Meters {
    recorder: Arc<PrometheusRecorder>,
    answered: Arc<Answered>,
}

/// What an answer is counted by: door, method and status.
type AnsweredAs = (&'static str, &'static str, u16);

/// Meters of answers: found without building their labels anew for each.
#[derive(Default)]
struct Answered {
    meters: RwLock<HashMap<AnsweredAs, (Counter, Histogram)>>,
    count: AtomicU64,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

impl Default for Meters {
    fn default() -> Self {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets(&BUCKETS).expect("there are buckets");
        let meters = Self { recorder: Arc::new(builder.build_recorder()), answered: Arc::default() };
        meters.describe();
        meters
    }
}

impl Meters {
    /// A request was answered, or its answer began.
    pub fn request(&self, door: &'static str, method: &http::Method, status: u16, took: Duration) {
        // A caller may invent methods, but not series.
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("other");
        let of = (door, method, status);
        let known = self.answered.meters.read().unwrap_or_else(PoisonError::into_inner).get(&of).cloned();
        let (counter, seconds) = known.unwrap_or_else(|| {
            let labels =
                [("door", door.to_owned()), ("method", method.to_owned()), ("status", status.to_string())];
            let counter = self.recorder.register_counter(&key(HTTP_REQUESTS, &labels), &METADATA);
            let seconds = self.recorder.register_histogram(&key(HTTP_SECONDS, &labels[..1]), &METADATA);
            let mut meters = self.answered.meters.write().unwrap_or_else(PoisonError::into_inner);
            meters.entry(of).or_insert((counter, seconds)).clone()
        });
        counter.increment(1);
        seconds.record(took.as_secs_f64());
        if self.answered.count.fetch_add(1, Ordering::Relaxed) % UPKEEP == UPKEEP - 1 {
            self.recorder.handle().run_upkeep();
        }
    }

    /// A request did not come to its door.
    pub fn refused(&self, door: &'static str, why: &'static str) {
        self.count(HTTP_REFUSED, &[("door", door.to_owned()), ("why", why.to_owned())], 1);
    }

    /// A run ended.
    pub fn run(&self, run: &ActiveRun, outcome: &'static str, took: Duration) {
        let source = ("source", run.source().to_owned());
        let kind = ("kind", run.kind().name().to_owned());
        self.count(RUNS, &[source.clone(), kind.clone(), ("outcome", outcome.to_owned())], 1);
        self.gauge(RUN_SECONDS, &[source, kind], took.as_secs_f64());
    }

    /// A plan was carried out.
    pub fn plan(&self, source: &str, result: &PlanResult) {
        if result.repeated {
            return;
        }
        for operation in &result.results {
            let outcome = operation.outcome.as_ref().map_or("open", Outcome::name);
            self.count(OPERATIONS, &[("source", source.to_owned()), ("outcome", outcome.to_owned())], 1);
        }
    }

    /// A scheduled run was left out, because another one was under way.
    pub fn skipped(&self, source: &str, kind: &'static str) {
        self.count(SKIPPED, &[("source", source.to_owned()), ("kind", kind.to_owned())], 1);
    }

    /// Spans of traces were delivered, or were not.
    pub fn spans(&self, result: &'static str, count: u64) {
        self.count(SPANS, &[("result", result.to_owned())], count);
    }

    /// A message was sent to a webhook.
    pub fn webhook(&self, source: &str, webhook: &str, result: &'static str) {
        let labels =
            [("source", source.to_owned()), ("webhook", webhook.to_owned()), ("result", result.to_owned())];
        self.count(WEBHOOK, &labels, 1);
    }

    /// Everything in Prometheus' text format.
    pub async fn render(&self, gateway: &Gateway) -> String {
        self.gauge(BUILD, &[("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0);
        for source in gateway.sources.values() {
            let name = ("source", source.name.clone());
            let active = gateway.runs.active(&source.name).is_some();
            self.gauge(RUN_ACTIVE, std::slice::from_ref(&name), f64::from(u8::from(active)));
            for (service, snapshot) in source.tenant.governors() {
                let labels = [name.clone(), ("service", service.to_owned())];
                for (result, count) in
                    [("ok", snapshot.ok), ("throttled", snapshot.throttled), ("failed", snapshot.failed)]
                {
                    let labels = [labels[0].clone(), labels[1].clone(), ("result", result.to_owned())];
                    self.recorder.register_counter(&key(CALLS, &labels), &METADATA).absolute(count);
                }
                let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
                self.gauge(LIMIT, &labels, f64::from(snapshot.limit));
                self.gauge(IN_FLIGHT, &labels, f64::from(snapshot.in_flight));
                self.gauge(WAITING, &labels, snapshot.waiting as f64);
                self.gauge(PAUSED, &labels, seconds(snapshot.paused_for));
                self.gauge(LATENCY, &labels, seconds(snapshot.latency));
            }
            if let Err(error) = self.stored(source, gateway).await {
                tracing::warn!(source = source.name, %error, "metrics are not complete: the store cannot be read");
            }
        }
        self.recorder.handle().run_upkeep();
        self.recorder.handle().render()
    }

    async fn stored(
        &self,
        source: &crate::Source,
        gateway: &Gateway,
    ) -> Result<(), exogate_store::StoreError> {
        let name = ("source", source.name.clone());
        let counts = source.store.counts().await?;
        for (kind, count) in [
            ("users", counts.users),
            ("mailboxes", counts.mailboxes),
            ("groups", counts.groups),
            ("memberships", counts.memberships),
            ("grants", counts.grants),
        ] {
            self.gauge(OBJECTS, &[name.clone(), ("kind", kind.to_owned())], count as f64);
        }
        const LOOKED_THROUGH: usize = 50;
        let runs = source.store.runs(LOOKED_THROUGH).await?;
        let completed = runs.iter().find(|run| run.state == exogate_store::RunState::Completed);
        if let Some(ended) = completed.and_then(|run| run.finished) {
            let age = gateway.clock.now().duration_since(ended).as_secs_f64();
            self.gauge(RUN_ENDED, std::slice::from_ref(&name), ended.as_second() as f64);
            self.gauge(STATE_AGE, std::slice::from_ref(&name), age.max(0.0));
        }
        for hook in &source.webhooks {
            let courier = Courier::new(source.store.clone(), Arc::clone(hook), Arc::clone(&gateway.clock));
            let standing = courier.standing().await?;
            let labels = [name.clone(), ("webhook", hook.name.clone())];
            let failing =
                standing.failing_since.map(|since| gateway.clock.now().duration_since(since).as_secs_f64());
            self.gauge(WEBHOOK_BEHIND, &labels, standing.behind as f64);
            self.gauge(WEBHOOK_DEAD, &labels, standing.dead_letters as f64);
            self.gauge(WEBHOOK_FAILING, &labels, failing.unwrap_or_default().max(0.0));
        }
        Ok(())
    }

    fn count(&self, name: &'static str, labels: &[(&'static str, String)], by: u64) {
        self.recorder.register_counter(&key(name, labels), &METADATA).increment(by);
    }

    fn gauge(&self, name: &'static str, labels: &[(&'static str, String)], value: f64) {
        self.recorder.register_gauge(&key(name, labels), &METADATA).set(value);
    }

    fn describe(&self) {
        let counters = [
            (HTTP_REQUESTS, "Requests answered, by door, method and status."),
            (HTTP_REFUSED, "Requests that did not come to their door, by reason."),
            (RUNS, "Runs that ended, by kind and outcome."),
            (OPERATIONS, "Operations carried out, by outcome."),
            (SKIPPED, "Scheduled runs left out because another was under way."),
            (WEBHOOK, "Messages sent to webhooks, by result."),
            (CALLS, "Calls to Microsoft, by service and result."),
            (SPANS, "Spans of traces, by whether they were delivered."),
        ];
        for (name, text) in counters {
            self.recorder.describe_counter(KeyName::from_const_str(name), None, text.into());
        }
        let gauges = [
            (RUN_SECONDS, "How long the last run took."),
            (RUN_ACTIVE, "Whether a run is under way."),
            (RUN_ENDED, "When the last completed run ended."),
            (STATE_AGE, "How old the last complete reading of the source is."),
            (OBJECTS, "Objects in the store, by kind."),
            (LIMIT, "Calls to Microsoft that may be under way."),
            (IN_FLIGHT, "Calls to Microsoft under way."),
            (WAITING, "Calls to Microsoft that wait."),
            (PAUSED, "For how long no call to Microsoft may go."),
            (LATENCY, "Smoothed latency of good answers from Microsoft."),
            (WEBHOOK_BEHIND, "Changes of the feed that a webhook has not come to yet."),
            (WEBHOOK_DEAD, "Changes that a webhook could not be given."),
            (WEBHOOK_FAILING, "For how long a webhook has failed."),
            (BUILD, "The version that runs."),
        ];
        for (name, text) in gauges {
            self.recorder.describe_gauge(KeyName::from_const_str(name), None, text.into());
        }
        let text = "How long requests took until their answer began.".into();
        self.recorder.describe_histogram(KeyName::from_const_str(HTTP_SECONDS), Some(Unit::Seconds), text);
    }
}

fn key(name: &'static str, labels: &[(&'static str, String)]) -> Key {
    let labels = labels.iter().map(|(name, value)| Label::new(*name, value.clone())).collect::<Vec<_>>();
    Key::from_parts(name, labels)
}
