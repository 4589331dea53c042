//! Notes when spans begin and end, and hands on those that have ended. Delivers nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use exogate_model::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, Filtered, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::context::Above;
use super::span::{Finished, Value, describe};

/// A subscriber's layer that takes part in spans of exogate.
pub struct TraceLayer {
    sample_below: u64,
    clock: Arc<dyn Clock>,
    queue: mpsc::Sender<Finished>,
    dropped: Arc<AtomicU64>,
}

/// The bits of a trace's id that decide whether it is sampled.
const DECIDING: u64 = (1 << 56) - 1;

/// A span that has not ended.
pub(super) struct Open {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    sampled: bool,
    began: Timestamp,
    since: Instant,
    fields: Vec<(&'static str, Value)>,
}

impl Open {
    /// Goes on with a caller's trace; whoever began that has decided whether it is sampled.
    pub(super) fn adopt(&mut self, above: Above) {
        (self.trace, self.parent, self.sampled) = (above.trace, Some(above.span), above.sampled);
    }
}

impl TraceLayer {
    pub(super) fn new(
        sample_percent: u8,
        clock: Arc<dyn Clock>,
        queue: mpsc::Sender<Finished>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        let sample_below = (DECIDING + 1) / 100 * u64::from(sample_percent.min(100));
        // What a hundred does not divide is left over, and everything means everything.
        let sample_below = if sample_percent >= 100 { DECIDING + 1 } else { sample_below };
        Self { sample_below, clock, queue, dropped }
    }

    /// With the filter that lets it see the spans that it tells of, and nothing else.
    pub fn filtered<S>(self) -> Filtered<Self, FilterFn, S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.with_filter(filter_fn(tells_of as fn(&Metadata<'_>) -> bool).with_max_level_hint(Level::TRACE))
    }
}

/// Whether a span is one that is told of.
fn tells_of(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("exogate")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Open>().map(|open| (open.trace, open.id, open.sampled))
        });
        let mut random = rand::rng();
        let (trace, parent, sampled) = match above {
            Some((trace, parent, sampled)) => (trace, Some(parent), sampled),
            None => {
                let trace = random.random_range(1..=u128::MAX);
                (trace, None, (trace as u64 & DECIDING) < self.sample_below)
            }
        };
        let mut open = Open {
            trace,
            id: random.random_range(1..=u64::MAX),
            parent,
            sampled,
            began: self.clock.now(),
            since: Instant::now(),
            fields: Vec::new(),
        };
        attributes.record(&mut Fields(&mut open.fields));
        span.extensions_mut().insert(open);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut Fields(&mut open.fields));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        if !open.sampled {
            return;
        }
        let took = SignedDuration::try_from(open.since.elapsed()).unwrap_or_default();
        let (name, kind, attributes, error) = describe(span.name(), open.fields);
        let finished = Finished {
            trace: open.trace,
            id: open.id,
            parent: open.parent,
            name,
            kind,
            began: open.began,
            ended: open.began.checked_add(took).unwrap_or(open.began),
            attributes,
            error,
        };
        if self.queue.try_send(finished).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Takes fields over; one that is recorded again has the later value.
struct Fields<'a>(&'a mut Vec<(&'static str, Value)>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        match self.0.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, earlier)) => *earlier = value,
            None => self.0.push((field.name(), value)),
        }
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Whole(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Whole(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Flag(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::Number(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, Value::Text(format!("{value:?}")));
    }
}
