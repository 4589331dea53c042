//! `exogate demo`: a simulated tenant, a connection test, a full aggregation and an answer, with nothing to configure.

use std::path::PathBuf;

use exogate_engine::aggregate::Scope;
use exogate_sim::{SimOptions, TenantSource};

use super::aggregate::{self, Wanted};
use super::sim::Size;
use super::{App, test_connection, what};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::simulated::folder::Folder;
use crate::simulated::{self, Simulated};
use crate::{config, connect};

/// Try everything on a simulated tenant; nothing to configure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Starts a simulated Microsoft 365 tenant on loopback, tests the connection, reads it all over TLS, and shows what
Mark Taylor can open. The tenant then stays up for other terminals until Ctrl-C; --once ends after showing.

Examples:
  exogate demo
  exogate demo --users 20000 --shared 500 --once")]
pub struct Args {
    #[command(flatten)]
    size: Size,
    /// The folder for configuration, keys and store; kept in the end [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// End after showing.
    #[arg(long)]
    once: bool,
}

/// Who is shown: the reference's own example.
const EXAMPLE_USER: &str = "mark.taylor@contoso.com";
/// What is shown.
const EXAMPLE_MAILBOX: &str = "O365Support";

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let folder = match &args.dir {
        Some(path) => Folder::lasting(app.environment.absolute(path))?,
        None => Folder::temporary(&app.environment)?,
    };
    let options = SimOptions { tenant: TenantSource::Generated(args.size.sizes()), ..SimOptions::loopback() };
    app.block_on(async {
        let served = simulated::start(options, folder, &app.environment).await?;
        let shown = show(&served, app).await;
        if shown.is_ok() && !args.once {
            let stop = app.interrupts.gracefully("stopping the simulated tenant");
            app.console.print(&farewell(&served, app))?;
            stop.cancelled().await;
        }
        served.sim.shutdown().await;
        shown.map(|()| Exit::Done)
    })
}

async fn show(served: &Simulated, app: &App) -> Result<(), Failure> {
    let tenant = served.sim.tenant();
    let heading = |text: &str| app.console.print(&format!("\n{}", app.console.paint("1", text)));
    app.console.print(&format!(
        "Simulated tenant {} ({}) at {}: {} users, {} shared mailboxes, {} groups",
        tenant.display_name,
        tenant.domain,
        served.facts.origin(),
        tenant.users,
        tenant.shared_mailboxes,
        tenant.groups,
    ))?;
    let path = served.folder.configuration();
    let (config, _) = config::load(Some(&path), &app.environment)?;
    let source = config.source(None)?;
    let reached = connect::tenant(source, &app.environment)?;

    heading("$ exogate test-connection")?;
    test_connection::check(source, &reached, app).await?;

    heading("$ exogate aggregate all")?;
    let store = connect::store(&config, &app.environment)?;
    let store = store.source(&source.name).await.map_err(connect::from_store)?;
    let wanted = Wanted { scope: Scope::All, delta: false, fresh: true, allow_deletions: true };
    let told = aggregate::read(&wanted, source, &reached, &store, app).await?;
    if told.is_worth_telling() {
        app.console.print(&told.text())?;
    }
    told.ending()?;

    heading(&format!("$ exogate what {EXAMPLE_USER}"))?;
    what::show(EXAMPLE_USER, false, source, &store, app).await
}

fn farewell(served: &Simulated, app: &App) -> String {
    let program = app.environment.program.display();
    let exogate = format!("{program} --config {}", served.folder.configuration().display());
    format!(
        "
The tenant stays up until Ctrl-C. Try, from another terminal:
  {exogate} who {EXAMPLE_MAILBOX} --effective
  {exogate} get account {EXAMPLE_USER} --json
  {exogate} aggregate entitlements --format csv
  {exogate} runs
  {program} sim env --state {}    for other clients",
        served.folder.path().display(),
    )
}
