//! Log lines on standard error: off unless asked for, but for a service, whose log is its face. Never a secret: libraries put none into events.

use tracing_subscriber::EnvFilter;

use crate::cli::Global;

/// Starts logging as `-v`, `-vv`, `-q` and `--log-json` say; a service also without being asked.
pub fn start(global: &Global, styled: bool, service: bool) {
    let directives = match global.verbose {
        0 if !service => return,
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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(std::io::stderr)
        .with_ansi(styled);
    // A second subscriber in one process can only come from a test harness; the first one stays.
    let _ = if global.log_json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
