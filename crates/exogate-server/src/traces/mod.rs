//! Traces for OpenTelemetry: which request led to which run or plan, and that to which calls.
//!
//! Spans are those that the crates open for `tracing` anyway. [`TraceLayer`] notes when they begin and end,
//! [`Exporter`] delivers them as OTLP over HTTP. Without both nothing of this costs anything. Written here rather
//! than taken from the OpenTelemetry crates: those read the environment and the clock by themselves, and take more
//! time to build than everything else that the service is made of.
//!
//! Nothing that names a person leaves in a trace: ids and addresses in paths are left out, errors are told by kind.

mod context;
mod layer;
mod otlp;
mod send;
mod span;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use exogate_model::clock::Clock;
use tokio::sync::mpsc;

pub use self::context::adopt;
pub use self::layer::TraceLayer;
pub use self::send::{Exporter, Exporting, TraceSettings, TraceSetupError};

/// Spans that wait to be delivered at most; more are dropped, and counted.
const WAITING: usize = 8192;

/// What notes spans, and what delivers them.
pub fn new(
    settings: TraceSettings,
    clock: Arc<dyn Clock>,
) -> Result<(TraceLayer, Exporter), TraceSetupError> {
    let (queue, arriving) = mpsc::channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let layer = TraceLayer::new(settings.sample_percent, clock, queue, Arc::clone(&dropped));
    Ok((layer, Exporter::new(settings, arriving, dropped)?))
}
