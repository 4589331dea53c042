//! What a delta costs beside a full aggregation, what that follows, and how soon it sees what the
//! activity feed delivers.

mod administrator;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::child::{self, Cost};
use crate::table::{self, Table, seconds};
use crate::tenant::{Tenant, Trace};
use administrator::Administrator;

/// Deltas are ten minutes apart, and rights are read again after four hours at the latest. Here, five
/// minutes stand for the four hours.
const FRESHNESS: Duration = Duration::from_secs(5 * 60);
const APART: Duration = Duration::from_millis(5 * 60 * 1000 / 24);

#[derive(clap::Args)]
pub struct Args {
    /// People in each tenant; one in twenty as many shared mailboxes. The last tenant counts.
    #[arg(long, value_delimiter = ',', default_value = "10000,30000,100000")]
    users: Vec<u32>,
    /// Changes since the run before, in every tenant.
    #[arg(long, default_value_t = 500)]
    changes: usize,
    /// Other numbers of changes, in the last tenant.
    #[arg(long, value_delimiter = ',', default_value = "0,50,5000")]
    also: Vec<usize>,
    /// Grants of which the lag is measured.
    #[arg(long, default_value_t = 12)]
    grants: u32,
}

/// What one run cost the tenant.
struct Run {
    cost: Cost,
    trace: Trace,
    found: usize,
}

struct Measured {
    tenant: Tenant,
    administrator: Administrator,
    /// As the tenant wrote it.
    configuration: String,
    /// Up to where the feed of changes was read.
    told: i64,
    last: Instant,
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}", table::machine());
    println!(
        "tenants without latency or limits; deltas 10 minutes apart, every right read again within 4 hours (here {} \
         and {} minutes)\n",
        seconds(APART),
        FRESHNESS.as_secs() / 60
    );
    let head =
        ["users", "shared mailboxes", "run", "changes", "found", "requests", "cmdlets", "MB", "wall", "CPU"];
    let mut table = Table::new(head.into_iter().chain(["of the full run"]));
    let mut ratio = f64::NAN;
    let mut last = None;
    for users in &args.users {
        let shared = users / 20;
        let mut row = |name: &str, changes: usize, run: &Run, full: u64| {
            table.row([
                users.to_string(),
                shared.to_string(),
                name.to_owned(),
                changes.to_string(),
                run.found.to_string(),
                run.trace.requests.to_string(),
                cmdlets(&run.trace).to_string(),
                format!("{:.1}", run.trace.bytes_out as f64 / 1e6),
                seconds(run.cost.wall),
                seconds(run.cost.cpu),
                format!("{:.2} %", 100.0 * share(run, full)),
            ]);
        };
        let mut measured = Measured::of(*users, shared).await?;
        let full = measured.aggregate(&[]).await?;
        let requests = full.trace.requests;
        row("full", 0, &full, requests);
        row("first delta", 0, &measured.aggregate(&["--delta"]).await?, requests);
        let run = measured.delta(args.changes).await?;
        row("delta", args.changes, &run, requests);
        ratio = share(&run, requests);
        tell(&run.trace);
        if users == args.users.last().unwrap_or(&0) {
            for changes in &args.also {
                let run = measured.delta(*changes).await?;
                row("delta", *changes, &run, requests);
            }
            last = Some(measured);
        }
    }
    table.print();
    if let Some(mut measured) = last {
        println!();
        measured.lag(args.grants).await?;
        measured.tenant.stop()?;
    }
    println!("requests: of every kind, sign-in included; a batch is one. cmdlets: alone or in a batch");
    println!("goal: requests of a delta at most 2 % of a full aggregation's");
    println!("delta ratio {ratio:.4}");
    Ok(())
}

fn share(run: &Run, full: u64) -> f64 {
    run.trace.requests as f64 / full.max(1) as f64
}

fn cmdlets(trace: &Trace) -> u64 {
    let of_exchange =
        |name: &&String| name.split_once('-').is_some_and(|(verb, _)| !verb.contains(['/', ' ']));
    trace
        .operations
        .iter()
        .filter(|(name, _)| of_exchange(name))
        .map(|(_, sums)| sums.requests + sums.in_batches)
        .sum()
}

/// What a run asked for, most first.
fn tell(trace: &Trace) {
    let mut by_number: Vec<(u64, &String)> =
        trace.operations.iter().map(|(name, sums)| (sums.requests + sums.in_batches, name)).collect();
    by_number.sort_unstable_by(|a, b| b.cmp(a));
    let texts: Vec<String> = by_number.iter().map(|(number, name)| format!("{number} {name}")).collect();
    println!("delta: {}", texts.join(", "));
}

impl Measured {
    async fn of(users: u32, shared: u32) -> Result<Self> {
        let scenario = tempfile::NamedTempFile::with_suffix(".json")?;
        // Content becomes available at once.
        fs::write(scenario.path(), json!({"activity": {"blob_seconds": 1}}).to_string())?;
        let path = scenario.path().to_str().context("the temporary folder has a strange name")?;
        let numbers = [
            ("--users", users),
            ("--shared", shared),
            ("--groups", users / 10),
            ("--memberships", 3 * users),
        ];
        let mut arguments: Vec<String> =
            numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]).collect();
        arguments.extend(["--scenario".to_owned(), path.to_owned()]);
        let tenant = Tenant::start(&arguments)?;
        let configuration = fs::read_to_string(tenant.folder().join("exogate.toml"))?;
        let administrator = Administrator::of(&tenant).await?;
        let new = Self { tenant, administrator, configuration, told: 0, last: Instant::now() };
        new.configure("")?;
        Ok(new)
    }

    /// Writes how differences are looked for.
    fn configure(&self, means: &str) -> Result<()> {
        let freshness = FRESHNESS.as_secs();
        let delta = format!("\n[sources.simulated.delta]\nfreshness = \"{freshness}s\"\n{means}");
        fs::write(self.tenant.folder().join("exogate.toml"), format!("{}{delta}", self.configuration))?;
        Ok(())
    }

    /// One aggregation in a process of its own.
    async fn aggregate(&mut self, arguments: &[&str]) -> Result<Run> {
        self.tenant.forget_trace().await?;
        let (cost, _) = child::measure(self.exogate()?.args(["aggregate", "all"]).args(arguments))?;
        let trace = self.tenant.trace().await?;
        self.last = Instant::now();
        let found = self.changes()?.len();
        Ok(Run { cost, trace, found })
    }

    fn exogate(&self) -> Result<Command> {
        let mut command = Command::new(child::exogate()?);
        command.arg("--config").arg(self.tenant.folder().join("exogate.toml"));
        Ok(command)
    }

    /// A delta after so many changes, when it is time for one.
    async fn delta(&mut self, changes: usize) -> Result<Run> {
        self.administrator.change(changes).await?;
        // The end of a window is exclusive, and counted in whole seconds.
        let due = (self.last + APART).max(Instant::now() + Duration::from_secs(2));
        tokio::time::sleep_until(due.into()).await;
        self.aggregate(&["--delta"]).await
    }

    /// How long after the feed delivered a record its change is known, with the feed alone.
    async fn lag(&mut self, grants: u32) -> Result<()> {
        /// From a deed to its record, and from one look to the next.
        const LATENCY: Duration = Duration::from_secs(8);
        const POLL: Duration = Duration::from_secs(6);
        self.configure("change_time = false\nreread = false\nsweep = false\n")?;
        let late = json!({"provisioning": {"audit_seconds": LATENCY.as_secs()}});
        self.tenant.tell("scenario", &late).await?;
        self.changes()?;
        let looks = async {
            let mut longest = Duration::ZERO;
            for _ in 0..(u64::from(grants) + LATENCY.as_secs()).div_ceil(POLL.as_secs()) + 2 {
                let next = Instant::now() + POLL;
                let mut command = self.exogate()?;
                command.args(["aggregate", "all", "--delta"]);
                let (cost, _) = tokio::task::spawn_blocking(move || child::measure(&mut command)).await??;
                longest = longest.max(cost.wall);
                tokio::time::sleep_until(next.into()).await;
            }
            anyhow::Ok(longest)
        };
        let deeds = async {
            for number in 0..grants {
                self.administrator.grant(number as usize).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            anyhow::Ok(())
        };
        let (longest, ()) = tokio::try_join!(looks, deeds)?;
        let mut lags = Vec::new();
        for change in self.changes()? {
            let instant = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
            if let (Some(done), Some(learnt)) = (instant(&change["by"]["at"]), instant(&change["at"])) {
                lags.push((learnt.duration_since(done).as_secs_f64() - LATENCY.as_secs_f64()).max(0.0));
            }
        }
        let (_, most) = table::range(&lags);
        println!(
            "lag: {} of {grants} grants, known {:.1} s after the feed had them (median), {most:.1} s at most; a look \
             every {}, the longest took {}",
            lags.len(),
            table::median(&lags),
            seconds(POLL),
            seconds(longest)
        );
        Ok(())
    }

    /// What the feed tells that was not read before.
    fn changes(&mut self) -> Result<Vec<Value>> {
        let since = self.told.to_string();
        let (_, text) = child::measure(
            self.exogate()?.args(["changes", "--json", "--limit", "1000000", "--since"]).arg(since),
        )?;
        let mut changes = Vec::new();
        for line in text.lines() {
            let change: Value = serde_json::from_str(line)?;
            self.told = change["sequence"].as_i64().context("a change has no number")?;
            changes.push(change);
        }
        Ok(changes)
    }
}
