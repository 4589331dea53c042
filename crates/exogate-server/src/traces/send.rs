//! Delivers spans that have ended, some at a time. A collector that cannot be reached costs spans, and nothing else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::otlp::{self, Resource};
use super::span::{Finished, Value};
use crate::causes::with_causes;
use crate::meters::Meters;
use crate::outgoing;

/// Spans in one request.
const BATCH: usize = 512;
/// The longest that a span waits for others.
const TICK: Duration = Duration::from_secs(2);
/// How often a request is tried.
const TRIES: u32 = 5;
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where traces go, and as whose.
#[derive(Clone)]
pub struct TraceSettings {
    /// The address that takes them.
    pub endpoint: String,
    /// What is sent along, such as a credential.
    pub headers: HeaderMap,
    /// PEM of further certificate authorities to trust.
    pub authorities: Option<Vec<u8>>,
    /// How many of a hundred traces are told.
    pub sample_percent: u8,
    /// The name of this service.
    pub service: String,
    /// The name of this machine.
    pub host: String,
    /// The id of this process.
    pub process: u32,
}

impl fmt::Debug for TraceSettings {
    // Headers hold credentials.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TraceSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Why traces cannot be delivered at all.
#[derive(Debug, Error)]
#[error("the client for the collector of traces cannot be made")]
pub struct TraceSetupError(#[source] reqwest::Error);

/// What delivers spans, once it is started.
pub struct Exporter {
    client: reqwest::Client,
    endpoint: String,
    headers: HeaderMap,
    resource: Resource,
    arriving: mpsc::Receiver<Finished>,
    dropped: Arc<AtomicU64>,
}

/// An exporter at work.
pub struct Exporting {
    ending: CancellationToken,
    work: JoinHandle<()>,
}

impl Exporting {
    /// Delivers what is there, and ends.
    pub async fn finish(self) {
        self.ending.cancel();
        // A fault in it has cost traces, and nothing else.
        let _ = self.work.await;
    }
}

/// Why a request was not taken.
enum Failure {
    /// It may be later.
    ForNow(String),
    /// It never will be.
    ForGood(String),
}

impl Exporter {
    pub(super) fn new(
        settings: TraceSettings,
        arriving: mpsc::Receiver<Finished>,
        dropped: Arc<AtomicU64>,
    ) -> Result<Self, TraceSetupError> {
        let client = outgoing::client(PATIENCE, settings.authorities.as_deref()).map_err(TraceSetupError)?;
        let mut headers = settings.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let resource = vec![
            ("service.name", Value::Text(settings.service)),
            ("service.version", Value::Text(env!("CARGO_PKG_VERSION").to_owned())),
            ("host.name", Value::Text(settings.host)),
            ("process.pid", Value::Whole(i64::from(settings.process))),
        ];
        Ok(Self { client, endpoint: settings.endpoint, headers, resource, arriving, dropped })
    }

    /// Begins to deliver; must be called within a runtime.
    pub fn start(self, meters: Meters) -> Exporting {
        let ending = CancellationToken::new();
        let work = tokio::spawn(self.deliver(meters, ending.clone()));
        Exporting { ending, work }
    }

    async fn deliver(mut self, meters: Meters, ending: CancellationToken) {
        let mut delivery = Delivery { batch: Vec::with_capacity(BATCH), tries: 0, told: false, meters };
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let room = BATCH - delivery.batch.len();
            tokio::select! {
                () = ending.cancelled() => break,
                // A full batch that was not taken waits for its next turn; what arrives waits in the queue.
                arrived = self.arriving.recv_many(&mut delivery.batch, room), if room > 0 => {
                    if arrived == 0 {
                        break;
                    }
                    if delivery.batch.len() < BATCH || delivery.tries > 0 {
                        continue;
                    }
                }
                _ = tick.tick() => {}
            }
            delivery.attempt(&self, TRIES).await;
        }
        // One attempt each: nobody waits for a collector that is down.
        loop {
            while delivery.batch.len() < BATCH
                && let Ok(span) = self.arriving.try_recv()
            {
                delivery.batch.push(span);
            }
            if delivery.batch.is_empty() || !delivery.attempt(&self, 1).await {
                break;
            }
        }
    }

    async fn post(&self, spans: &[Finished]) -> Result<(), Failure> {
        let body = otlp::request(&self.resource, spans).freeze();
        let sending = self.client.post(&self.endpoint).headers(self.headers.clone()).body(body).send();
        let answer = sending.await.map_err(|error| Failure::ForNow(with_causes(&error.without_url())))?;
        let told = format!("it answers {}", answer.status());
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Failure::ForNow(told)),
            _ => Err(Failure::ForGood(told)),
        }
    }
}

/// What is being delivered.
struct Delivery {
    batch: Vec<Finished>,
    tries: u32,
    told: bool,
    meters: Meters,
}

impl Delivery {
    /// Tries once to deliver what there is; tells whether it was taken. After `tries` it is given up.
    async fn attempt(&mut self, exporter: &Exporter, tries: u32) -> bool {
        let lost = exporter.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.meters.spans("dropped", lost);
        }
        if self.batch.is_empty() {
            return true;
        }
        let failure = match exporter.post(&self.batch).await {
            Ok(()) => {
                self.end("delivered");
                self.told = false;
                return true;
            }
            Err(failure) => failure,
        };
        self.tries += 1;
        let (why, again) = match failure {
            Failure::ForNow(why) => (why, self.tries < tries),
            Failure::ForGood(why) => (why, false),
        };
        // Told once, not at every attempt.
        if !self.told {
            tracing::warn!(endpoint = exporter.endpoint, why, "traces cannot be delivered");
            self.told = true;
        }
        if !again {
            self.end("failed");
        }
        false
    }

    fn end(&mut self, result: &'static str) {
        self.meters.spans(result, self.batch.len() as u64);
        self.batch.clear();
        self.tries = 0;
    }
}
