//! The commands, one file each. Each reads its arguments, calls the libraries, and hands rows to `output`.

pub mod certificate;
pub mod completions;
pub mod config;
pub mod init;
pub mod man;
pub mod schema;

use std::future::Future;
use std::path::Path;

use crate::cli::{Command, Global};
use crate::config::problems::Severity;
use crate::config::{self as configuration, Config};
use crate::console::Console;
use crate::environment::Environment;
use crate::failure::{Failure, Outcome};
use crate::output::Format;
use crate::output::sink::{AtomicFile, Sink};

/// What every command is handed.
pub struct App {
    /// Options of every command.
    pub global: Global,
    /// The process's surroundings.
    pub environment: Environment,
    /// The streams.
    pub console: Console,
}

/// Runs a command.
pub fn run(command: Command, app: App) -> Outcome {
    match command {
        Command::Init(args) => init::run(args, &app),
        Command::Config(args) => config::run(args, &app),
        Command::Certificate(args) => certificate::run(args, &app),
        Command::Schema(args) => schema::run(&args, &app),
        Command::Completions(args) => completions::run(&args, &app),
        Command::Man(args) => man::run(args, &app),
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
        let result = runtime.block_on(future);
        // Work that was cancelled must not hold up the end.
        runtime.shutdown_background();
        result
    }

    /// Writes a listing to a file, which then is complete or not there, or to standard output.
    pub fn write_to(
        &self,
        file: Option<&Path>,
        write: impl FnOnce(&mut dyn Sink) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match file {
            None => write(&mut self.console.stdout()),
            Some(path) => {
                let path = self.environment.absolute(path);
                let doing = || format!("cannot write {}", path.display());
                let mut file =
                    AtomicFile::create(&path).map_err(|error| Failure::from(error).context(doing()))?;
                write(&mut file)?;
                file.commit().map_err(|error| Failure::from(error).context(doing()))
            }
        }
    }

    /// The format of a listing that a person looks at: a table, or JSON where that was asked for.
    pub fn view_format(&self) -> Format {
        if self.global.json { Format::Jsonl } else { Format::Table }
    }
}
