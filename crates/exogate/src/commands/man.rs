//! `exogate man`: the manual pages, for packages.

use std::fs;
use std::path::PathBuf;

use super::App;
use crate::cli;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Write the manual pages.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to write into.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let folder = app.environment.absolute(&args.folder);
    let write = || {
        fs::create_dir_all(&folder)?;
        clap_mangen::generate_to(cli::command(), &folder)
    };
    write().map_err(|error| Failure::from(error).context(format!("cannot write to {}", folder.display())))?;
    Ok(Exit::Done)
}
