//! The commands, one file each. Each reads its arguments, calls the libraries, and hands rows to `output`.

pub mod aggregate;
pub mod certificate;
mod change;
pub mod changes;
pub mod completions;
pub mod config;
pub mod demo;
pub mod get;
pub mod grant;
pub mod group;
mod image;
pub mod init;
pub mod man;
pub mod operations;
pub mod plan;
pub mod runs;
pub mod schema;
pub mod serve;
pub mod set;
pub mod sim;
pub mod status;
pub mod test_connection;
pub mod token;
pub mod undo;
pub mod webhooks;
pub mod what;
pub mod who;

use std::future::Future;

use jiff::{SignedDuration, Timestamp};

use crate::cli::{Command, Global};
use crate::config::problems::Severity;
use crate::config::{self as configuration, Config};
use crate::console::Console;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupts;
use crate::output::Format;
use crate::output::sink::Sink;

/// What every command is handed.
pub struct App {
    /// Options of every command.
    pub global: Global,
    /// The process's surroundings.
    pub environment: Environment,
    /// The streams.
    pub console: Console,
    /// What a signal does.
    pub interrupts: Interrupts,
}

/// Runs a command.
pub fn run(command: Command, app: &App) -> Outcome {
    match command {
        Command::Demo(args) => demo::run(&args, app),
        Command::Sim(args) => sim::run(args, app),
        Command::Init(args) => init::run(args, app),
        Command::Config(args) => config::run(&args, app),
        Command::Certificate(args) => certificate::run(args, app),
        Command::TestConnection(args) => test_connection::run(&args, app),
        Command::Schema(args) => schema::run(&args, app),
        Command::Aggregate(args) => aggregate::run(&args, app),
        Command::Get(args) => get::run(&args, app),
        Command::Who(args) => who::run(&args, app),
        Command::What(args) => what::run(&args, app),
        Command::Runs(args) => runs::run(&args, app),
        Command::Changes(args) => changes::run(&args, app),
        Command::Status(args) => status::run(&args, app),
        Command::Grant(args) => grant::grant(&args, app),
        Command::Revoke(args) => grant::revoke(&args, app),
        Command::Set(args) => set::run(&args, app),
        Command::Group(args) => group::run(&args, app),
        Command::Plan(args) => plan::plan(&args, app),
        Command::Apply(args) => plan::apply(&args, app),
        Command::Undo(args) => undo::undo(&args, app),
        Command::Restore(args) => undo::restore_mailbox(&args, app),
        Command::Operations(args) => operations::list(&args, app),
        Command::Operation(args) => operations::show(&args, app),
        Command::Serve(args) => serve::run(&args, app),
        Command::Webhooks(args) => webhooks::run(&args, app),
        Command::Token(args) => token::run(&args, app),
        Command::Completions(args) => completions::run(&args, app),
        Command::Man(args) => man::run(&args, app),
    }
}

impl App {
    /// The configuration; its warnings are told on standard error.
    pub fn config(&self) -> Result<Config, Failure> {
        let (config, warnings) = configuration::load(self.global.config.as_deref(), &self.environment)?;
        for problem in warnings.iter().filter(|problem| problem.severity == Severity::Warning) {
            self.console.warn(&problem.to_string());
        }
        Ok(config)
    }

    /// Runs a future to its end.
    pub fn block_on<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let result = runtime.block_on(async {
            self.interrupts.watch(self.console.clone());
            tokio::select! {
                result = future => result,
                () = self.interrupts.abandoned() => Err(Failure::message(Exit::Interrupted, "interrupted")),
            }
        });
        // Work that was cancelled must not hold up the end.
        runtime.shutdown_background();
        result
    }

    /// Writes a listing to standard output.
    pub fn list(&self, write: impl FnOnce(&mut dyn Sink) -> std::io::Result<()>) -> Result<(), Failure> {
        Ok(write(&mut self.console.stdout())?)
    }

    /// The format of a listing that a person looks at: a table, or JSON where that was asked for.
    pub fn view_format(&self) -> Format {
        if self.global.json { Format::Jsonl } else { Format::Table }
    }
}

/// A duration in words: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
pub fn seconds(duration: SignedDuration) -> String {
    let whole = duration.as_secs().max(0);
    match whole {
        0..10 => format!("{:.1} s", duration.as_secs_f64().max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// An instant to the second, in UTC.
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
