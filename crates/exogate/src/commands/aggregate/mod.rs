//! `exogate aggregate`: reading the tenant into the store, then writing what was asked for.

mod listing;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use exogate_engine::Tenant;
use exogate_engine::aggregate::{
    self, AggregateError, Aggregation, FRESH_FOR, Outcome as Ending, Progress, RunSummary, Scope,
};
use exogate_engine::delta::{self, Delta};
use exogate_store::{Holder, SourceStore};

use super::App;
use crate::config::Source;
use crate::connect;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Format;
use crate::progress::Display;

use listing::Destination;
pub use summary::Told;

/// Read the tenant into the store, and write what was read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Everything is read into the store; what is gone from the tenant is deleted there only after a complete run. A run
that was interrupted, by Ctrl-C or by a crash, goes on where it was when the same command is given again.

Output: accounts, groups and entitlements are written as a table on a terminal, else as JSON lines, or by --format.
`all` writes a summary; with --format jsonl, every account, group and entitlement with an \"object\" field. With -o
the file appears only when it is complete, and only after a complete run; its ending (.csv, .jsonl) chooses the format.
In CSV several values of one attribute are joined by '|' ('\\|' and '\\\\' within a value).

Examples:
  exogate aggregate all
  exogate aggregate all --delta
  exogate aggregate accounts -o accounts.jsonl
  exogate aggregate entitlements --stored --format csv")]
pub struct Args {
    /// What to read.
    #[arg(value_enum)]
    what: What,
    /// How to write what was read.
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<Format>,
    /// Write it to a file, whole or not at all.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write what the store holds without reading the tenant.
    #[arg(long, conflicts_with_all = ["fresh", "allow_deletions"])]
    stored: bool,
    /// Read only what is different since the last run, and who did it.
    #[arg(long, conflicts_with_all = ["stored", "fresh"])]
    delta: bool,
    /// Begin anew even if an interrupted run could go on.
    #[arg(long)]
    fresh: bool,
    /// Delete what is gone even if it is more than deletion_guard_percent allows.
    #[arg(long)]
    allow_deletions: bool,
}

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Accounts with attributes, groups and rights on shared mailboxes.
    Accounts,
    /// Groups with members and owners.
    Groups,
    /// Rights on shared mailboxes, as governance can give and take them.
    Entitlements,
    /// Everything.
    All,
}

impl What {
    fn scope(self) -> Scope {
        match self {
            Self::Accounts => Scope::Accounts,
            Self::Groups => Scope::Groups,
            Self::Entitlements => Scope::Entitlements,
            Self::All => Scope::All,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let format = format(args, app)?;
    let output = Destination::open(args, app)?;
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    app.block_on(async {
        if args.stored {
            let store = connect::stored_source(&config, source, &app.environment).await?;
            listing::write(args.what, format, output, source, &store, app).await?;
            return Ok(Exit::Done);
        }
        let tenant = connect::tenant(source, &app.environment)?;
        let store = connect::store(&config, &app.environment)?;
        let store = store.source(&source.name).await.map_err(connect::from_store)?;
        let wanted = Wanted {
            scope: args.what.scope(),
            delta: args.delta,
            fresh: args.fresh,
            allow_deletions: args.allow_deletions,
        };
        let told = read(&wanted, source, &tenant, &store, app).await?;
        let summary_only = args.what == What::All && format == Format::Table;
        if summary_only && told.is_complete() {
            app.console.print(&told.text())?;
        } else if told.is_worth_telling() {
            app.console.note(&told.text());
        }
        told.ending()?;
        if !summary_only {
            listing::write(args.what, format, output, source, &store, app).await?;
        }
        Ok(Exit::Done)
    })
}

fn format(args: &Args, app: &App) -> Result<Format, Failure> {
    let by_name = args.output.as_ref().and_then(|path| path.extension()).and_then(|ending| {
        match ending.to_string_lossy().to_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            _ => None,
        }
    });
    let json = app.global.json.then_some(Format::Jsonl);
    let format = args.format.or(json).or(by_name).unwrap_or_else(|| {
        let table = args.output.is_none() && (app.console.stdout_terminal() || args.what == What::All);
        if table { Format::Table } else { Format::Jsonl }
    });
    match (args.what, format) {
        (What::All, Format::Csv) => Err(Failure::usage("`aggregate all` has no single CSV form")
            .hint("write accounts, groups and entitlements one by one, the later two with --stored")),
        (What::All, Format::Table) if args.output.is_some() || args.stored => {
            Err(Failure::usage("`aggregate all` writes objects only as JSON lines")
                .hint("add --format jsonl"))
        }
        _ => Ok(format),
    }
}

/// What is to be read, and how far it may go.
pub struct Wanted {
    /// How much.
    pub scope: Scope,
    /// Only what is different.
    pub delta: bool,
    /// Never go on with an interrupted run.
    pub fresh: bool,
    /// Beyond the deletion guard.
    pub allow_deletions: bool,
}

/// Reads the tenant into the store with a display of the progress.
pub async fn read(
    wanted: &Wanted,
    source: &Source,
    tenant: &Tenant,
    store: &SourceStore,
    app: &App,
) -> Result<Told, Failure> {
    let begun = app.environment.clock.now();
    let progress = Arc::new(Progress::new());
    let cancel = app
        .interrupts
        .gracefully("stopping at the next checkpoint; what was read is kept (Ctrl-C again stops at once)");
    let display = Display::start(&app.console, Arc::clone(&progress), tenant.clone());
    let aggregation = Aggregation {
        tenant: tenant.clone(),
        store: store.clone(),
        context: Arc::new(connect::context(source)),
        scope: wanted.scope,
        holder: holder(&app.environment),
        fresh_for: if wanted.fresh { Duration::ZERO } else { FRESH_FOR },
        progress,
        cancel: cancel.token(),
        allow_deletions: wanted.allow_deletions,
    };
    let result = if wanted.delta {
        let (options, clock) = (source.delta.clone(), Arc::clone(&app.environment.clock));
        delta::run(Delta { aggregation, options, clock }).await
    } else {
        aggregate::run(aggregation).await
    };
    display.finish().await;
    let took = app.environment.clock.now().duration_since(begun);
    match result {
        Ok(summary) => Ok(Told::new(summary, &source.name, took, tenant)),
        Err(error) => Err(from_engine(error)),
    }
}

fn from_engine(error: AggregateError) -> Failure {
    match error {
        AggregateError::Store(error) => connect::from_store(error),
        AggregateError::RunLost => Failure::new(Exit::Failed, error),
    }
}

fn holder(environment: &Environment) -> Holder {
    Holder { who: environment.user.clone(), host: environment.host.clone(), pid: environment.process }
}

/// What taking a run up again means.
const GOING_ON: &str =
    "what is complete is not read again for six hours after the run began; --fresh reads everything";

/// The failure that a run is which did not complete, if it did not.
fn ending(summary: &RunSummary) -> Result<(), Failure> {
    let command = format!("exogate aggregate {}", summary.scope);
    let cause = || {
        summary.failure().map(|(stream, error)| {
            (
                format!("{}: {error}", stream.name()),
                error.remedy().to_owned(),
                error.wire().map(connect::exit_of),
            )
        })
    };
    match &summary.outcome {
        Ending::Completed => Ok(()),
        Ending::Stopped => {
            Err(Failure::message(Exit::Interrupted, "stopped before its end; what was read is kept")
                .hint(format!("go on with: {command} ({GOING_ON})")))
        }
        Ending::Refused { losses } => {
            let lost: Vec<String> = losses.iter().map(summary::loss).collect();
            Err(Failure::message(
                Exit::Guarded,
                format!(
                    "{}; this is more than deletion_guard_percent allows, so nothing was deleted",
                    lost.join(", ")
                ),
            )
            .hint("look whether the tenant, the permissions and the options are what they should be")
            .hint(format!("if it is true: {command} --allow-deletions")))
        }
        Ending::Incomplete | Ending::Failed => {
            let partly = summary.outcome == Ending::Incomplete;
            let Some((text, remedy, exit)) = cause() else {
                let exit = if partly { Exit::Partly } else { Exit::Failed };
                return Err(Failure::message(exit, "the run did not come to its end"));
            };
            let failure = if partly {
                Failure::message(Exit::Partly, format!("the run is incomplete, nothing was deleted: {text}"))
            } else {
                Failure::message(exit.unwrap_or(Exit::Failed), format!("nothing could be read: {text}"))
            };
            let again = format!("then go on with: {command}");
            Err(failure.hint(remedy).hint(if partly { format!("{again} ({GOING_ON})") } else { again }))
        }
    }
}
