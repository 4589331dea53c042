//! `exogate undo` and `exogate restore`: back to what was.

use exogate_engine::provision::{RestoreError, Submission, restore};
use exogate_model::plan::Plan;
use jiff::Timestamp;

use super::App;
use super::change::{self, Options};
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Undo a plan, or one operation of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  exogate undo 3f9a1c22b0          all operations of the plan, the last one first
  exogate undo 3f9a1c22b0.2 --yes  one operation")]
pub struct UndoArgs {
    /// The plan, or `plan.number`; `exogate operations` lists them.
    #[arg(value_name = "PLAN|OPERATION")]
    id: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: Options,
}

/// Put the rights on a mailbox back as they were at a time.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  exogate restore O365Support --at 2026-11-20T08:00:00Z")]
pub struct RestoreArgs {
    /// The mailbox: address, id or label.
    mailbox: String,
    /// The time, in UTC: 2026-11-20T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Timestamp,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: Options,
}

/// Runs `undo`.
pub fn undo(args: &UndoArgs, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    app.block_on(async {
        let changing = change::open(app, &config, source, args.options.wait).await?;
        changing.recover(app).await?;
        let undo = changing.provisioner.undo(&args.id).await.map_err(change::from_provision)?;
        for line in &undo.left_out {
            app.console.note(line);
        }
        let plan = Plan { key: args.options.key.clone(), ..Plan::default() };
        let by = change::requester(app, &plan);
        let submission = Submission { plan, by, operations: undo.operations, undoes: Some(args.id.clone()) };
        changing.carry_out(app, submission, &args.options, !args.yes).await
    })
}

/// Runs `restore`.
pub fn restore_mailbox(args: &RestoreArgs, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    app.block_on(async {
        let changing = change::open(app, &config, source, args.options.wait).await?;
        let now = app.environment.clock.now();
        let plan = restore(&changing.store, &args.mailbox, args.at, now).await.map_err(from_restore)?;
        if plan.is_empty() {
            app.console.note("The rights are as they were.");
            return Ok(Exit::Done);
        }
        changing.submit(app, plan, &args.options, !args.yes).await
    })
}

fn from_restore(error: RestoreError) -> Failure {
    match error {
        RestoreError::Store(error) => connect::from_store(error),
        other => Failure::new(Exit::Usage, other),
    }
}
