//! `exogate completions`: a completion script for a shell.

use std::io::Write;

use clap_complete::Shell;

use super::App;
use crate::cli;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "For example, in bash:  source <(exogate completions bash)")]
pub struct Args {
    /// The shell.
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "exogate", &mut script);
    let mut stdout = app.console.stdout();
    stdout.write_all(&script)?;
    stdout.flush()?;
    Ok(Exit::Done)
}
