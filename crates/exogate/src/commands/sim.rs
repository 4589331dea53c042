//! `exogate sim`: the simulated tenant alone, for this and other clients; `exogate sim env` tells how to use it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use exogate_sim::latency::Profile;
use exogate_sim::{Scenario, SimOptions, Sizes, TenantSource, TraceSink};
use serde_json::json;

use super::App;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::json_line;
use crate::simulated::folder::{self, Folder};
use crate::simulated::{self, Facts, clients};

/// Run the simulated tenant alone, for this and other clients.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The tenant signs in, answers Microsoft Graph, the Exchange admin API and the activity feed over TLS, on real sockets.
Its folder gets the certificate authority to trust, an app registration's certificate and secret, and a ready
exogate.toml; a folder that is used again keeps them. Stop it with Ctrl-C.

Examples:
  exogate sim                                    a small tenant on 127.0.0.1:8443
  exogate sim --users 5000 --profile measured    slow and throttled as the real one
  exogate sim --listen 127.0.0.1:443             for clients that know only Microsoft's names
  exogate sim env                                hosts, variables and snippets for other clients"
)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print how other clients are pointed at a simulated tenant.
    Env {
        /// The tenant's folder.
        #[arg(long, value_name = "DIR", default_value = DEFAULT_FOLDER)]
        state: PathBuf,
    },
}

const DEFAULT_FOLDER: &str = "exogate-sim";

#[derive(Debug, clap::Args)]
struct Serve {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Also answer as the metadata service for managed identities, over plain HTTP.
    #[arg(long, value_name = "ADDRESS")]
    imds: Option<SocketAddr>,
    /// Also answer the control API (faults, clock, apps, trace), over plain HTTP.
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
    /// The folder for the tenant's files.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_FOLDER)]
    state: PathBuf,
    /// A tenant written by hand (TOML or JSON) instead of a generated one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["saved", "users", "shared", "groups", "memberships", "seed"])]
    fixture: Option<PathBuf>,
    /// A tenant that was saved through the control API.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "shared", "groups", "memberships", "seed"])]
    saved: Option<PathBuf>,
    #[command(flatten)]
    size: Size,
    /// How fast it answers: at once, or as slowly as others measured the real one.
    #[arg(long, value_enum)]
    profile: Option<Speed>,
    /// Divide every latency by this.
    #[arg(long, value_name = "FACTOR", value_parser = positive)]
    time_scale: Option<f64>,
    /// Behaviour and faults (TOML or JSON).
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Write every request to this file as a line of JSON.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// A further name for the certificate; may be repeated.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

/// How large a generated tenant is.
#[derive(Clone, Debug, clap::Args)]
pub struct Size {
    /// People.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    users: Option<u32>,
    /// Shared mailboxes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    shared: Option<u32>,
    /// Groups.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    groups: Option<u32>,
    /// Memberships of all groups together; by default about eight per group.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=20_000_000))]
    memberships: Option<u32>,
    /// The same seed and sizes give the same tenant.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl Size {
    /// The sizes of the tenant; what is not given has the default.
    pub fn sizes(&self) -> Sizes {
        let default = Sizes::default();
        Sizes {
            users: self.users.unwrap_or(default.users),
            shared: self.shared.unwrap_or(default.shared),
            groups: self.groups.unwrap_or(default.groups),
            memberships: self.memberships.or(default.memberships),
            seed: self.seed.unwrap_or(default.seed),
            ..default
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Speed {
    Zero,
    Measured,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

/// Runs the command.
pub fn run(args: Args, app: &App) -> Outcome {
    if let Some(Action::Env { state }) = args.action {
        let folder = app.environment.absolute(&state);
        let facts = Folder::facts(&folder)?;
        app.console.print(&clients::text(&facts, &folder))?;
        return Ok(Exit::Done);
    }
    let options = options(&args.serve, app)?;
    let folder = Folder::lasting(app.environment.absolute(&args.serve.state))?;
    app.block_on(async {
        let served = simulated::start(options, folder, &app.environment).await?;
        let stop = app.interrupts.gracefully("stopping");
        tell(&served.facts, &served.folder, &served.sim.tenant(), app)?;
        stop.cancelled().await;
        served.sim.shutdown().await;
        Ok(Exit::Done)
    })
}

fn options(args: &Serve, app: &App) -> Result<SimOptions, Failure> {
    let here = |path: &PathBuf| app.environment.absolute(path);
    let mut scenario = match &args.scenario {
        Some(path) => Scenario::read(&here(path)).map_err(|error| Failure::new(Exit::Usage, error))?,
        None => Scenario::default(),
    };
    match args.profile {
        Some(Speed::Zero) => scenario.latency.profile = Profile::Zero,
        Some(Speed::Measured) => scenario.latency.profile = Profile::Measured,
        None => {}
    }
    if let Some(scale) = args.time_scale {
        scenario.latency.time_scale = scale;
    }
    let tenant = match (&args.fixture, &args.saved) {
        (Some(path), _) => TenantSource::Fixture(here(path)),
        (None, Some(path)) => TenantSource::Saved(here(path)),
        (None, None) => TenantSource::Generated(args.size.sizes()),
    };
    Ok(SimOptions {
        listen: args.listen,
        imds_listen: args.imds,
        control_listen: args.control,
        state_dir: None,
        tenant,
        scenario,
        extra_hosts: args.hosts.clone(),
        trace: args.trace.as_ref().map_or(TraceSink::Off, |path| TraceSink::File(here(path))),
    })
}

fn tell(facts: &Facts, folder: &Folder, tenant: &exogate_sim::TenantFacts, app: &App) -> Result<(), Failure> {
    if app.global.json {
        let mut stdout = app.console.stdout();
        let value = json!({
            "facts": facts, "folder": folder.path(), "configuration": folder.configuration(),
            "ca": folder.file(folder::CA),
        });
        json_line(&value, &mut stdout)?;
        return Ok(std::io::Write::flush(&mut stdout)?);
    }
    let file = |name: &str| folder.file(name).display().to_string();
    let mut text = format!(
        "\
Simulated tenant {name} at {origin}
  tenant      {tenant_id} ({domain}, {initial})
  holds       {users} users, {shared} shared mailboxes, {groups} groups
  trust       {ca}
  application {client_id}
  certificate {pfx} (password in {password})
  secret      {secret}
",
        name = tenant.display_name,
        origin = facts.origin(),
        tenant_id = facts.tenant_id,
        domain = facts.domain,
        initial = facts.initial_domain,
        users = tenant.users,
        shared = tenant.shared_mailboxes,
        groups = tenant.groups,
        ca = file(folder::CA),
        client_id = facts.client_id,
        pfx = file(folder::PFX),
        password = folder::PFX_PASSWORD,
        secret = file(folder::SECRET),
    );
    if let Some(imds) = facts.imds {
        text.push_str(&format!("  metadata    http://{imds}\n"));
    }
    if let Some(control) = facts.control {
        text.push_str(&format!("  control     http://{control}/_sim/\n"));
    }
    let configuration = folder.configuration().display().to_string();
    text.push_str(&format!(
        "\nReady configuration, {configuration}:\n\n{}\nFrom another terminal:\n  exogate --config {configuration} \
         test-connection\n  exogate --config {configuration} aggregate all\n  exogate sim env --state {}    for other \
         clients\n\nCtrl-C stops it.",
        indented(&simulated::configuration(facts)),
        folder.path().display(),
    ));
    Ok(app.console.print(&text)?)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}
