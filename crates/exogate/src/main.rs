//! The binary `exogate`: commands, composition, and progress on a terminal.
//!
//! This file alone reads the process's surroundings (arguments, variables, clock, terminal) and ends the process;
//! everything below it is handed what it needs. `config` reads the configuration, `commands` holds one file per
//! command, `output` writes results, `failure` and `exit` say how it ended. What is done to a tenant lives in the
//! libraries, not here.

mod cli;
mod commands;
mod config;
mod connect;
mod console;
mod environment;
mod exit;
mod failure;
mod interrupt;
mod logging;
mod output;
mod progress;
mod simulated;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use cli::Cli;
use console::Console;
use environment::{Environment, SystemClock};
use exit::Exit;
use failure::Failure;
use interrupt::Interrupts;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // Clap prints help and versions to standard output with code 0, mistakes to standard error.
            let usage = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if usage { Exit::Usage.code() } else { Exit::Done.code() });
        }
    };
    let environment = match surroundings() {
        Ok(environment) => environment,
        Err(failure) => return report(&failure, false),
    };
    let console = Console::new(&cli.global, &environment);
    let coloured = console.stderr_styled();
    // A service begins its log when its configuration is read, which says where its traces go.
    if !matches!(cli.command, cli::Command::Serve(_)) {
        logging::start(&cli.global, coloured);
    }
    match run(cli, environment, console) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) if failure.is_broken_pipe() => ExitCode::from(Exit::Done.code()),
        Err(failure) => report(&failure, coloured),
    }
}

fn run(cli: Cli, environment: Environment, console: Console) -> failure::Outcome {
    let app = commands::App { global: cli.global, environment, console, interrupts: Interrupts::default() };
    commands::run(cli.command, &app)
}

fn surroundings() -> Result<Environment, Failure> {
    let directory = std::env::current_dir()
        .map_err(|error| Failure::from(error).context("the working directory cannot be read"))?;
    let program = std::env::args_os().next().unwrap_or_else(|| "exogate".into());
    let variables: HashMap<OsString, OsString> = std::env::vars_os().collect();
    Ok(Environment {
        user: user(&variables),
        variables,
        directory,
        temporary: std::env::temp_dir(),
        program: program.into(),
        stdout_terminal: std::io::stdout().is_terminal(),
        stderr_terminal: std::io::stderr().is_terminal(),
        host: host(),
        process: std::process::id(),
        clock: Arc::new(SystemClock),
    })
}

/// The name of who runs this process, which others are told that wait for it. Services often have none in
/// their variables.
fn user(variables: &HashMap<OsString, OsString>) -> String {
    let mut named = ["USER", "LOGNAME"].iter().filter_map(|name| variables.get(OsStr::new(name))?.to_str());
    if let Some(name) = named.find(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let Ok(own) = std::fs::metadata("/proc/self") else { return "somebody".to_owned() };
    let id = std::os::unix::fs::MetadataExt::uid(&own).to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut names = users.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    names.next().unwrap_or_else(|| format!("user {id}"))
}

/// The machine's name, which tells whose process a run belongs to.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}

fn report(failure: &Failure, coloured: bool) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    // If standard error is gone there is nobody left to tell.
    let _ = failure.print(&mut stderr, coloured);
    let _ = stderr.flush();
    ExitCode::from(failure.exit().code())
}
