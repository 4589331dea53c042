//! Log lines on standard error: off unless asked for, but for a service, whose log is its face. Never a secret: libraries put none into events.

use exogate_server::traces::TraceLayer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::Global;

/// Starts logging as `-v`, `-vv`, `-q` and `--log-json` say.
pub fn start(global: &Global, styled: bool) {
    if global.verbose > 0 {
        begin(global, styled, None);
    }
}

/// Starts logging of a service: also without being asked, and with its traces.
pub fn start_service(global: &Global, styled: bool, traces: Option<TraceLayer>) {
    begin(global, styled, traces);
}

fn begin(global: &Global, styled: bool, traces: Option<TraceLayer>) {
    let directives = match global.verbose {
        0 if global.quiet => "error",
        0 => "warn,exogate=info,exogate_server=info",
        1 => {
            "warn,exogate=info,exogate_server=info,exogate_engine=info,exogate_microsoft=info,exogate_store=info,exogate_sim=info"
        }
        2 => {
            "info,exogate=debug,exogate_server=debug,exogate_engine=debug,exogate_microsoft=debug,exogate_store=debug,exogate_sim=debug"
        }
        _ => {
            "debug,exogate=trace,exogate_server=trace,exogate_engine=trace,exogate_microsoft=trace,exogate_store=trace,exogate_sim=trace"
        }
    };
    let filter = EnvFilter::new(directives);
    let subscriber = tracing_subscriber::registry();
    // A second subscriber in one process can only come from a test harness; the first one stays.
    let _ = match traces {
        Some(traces) => {
            let lines = lines(global, styled).with_filter(filter);
            subscriber.with(traces.filtered()).with(lines).try_init()
        }
        None => subscriber.with(filter).with(lines(global, styled)).try_init(),
    };
}

fn lines<S>(global: &Global, styled: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(styled);
    if global.log_json { lines.json().boxed() } else { lines.with_target(false).boxed() }
}
