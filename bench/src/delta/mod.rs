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

/// Deltas are ten minutes apart, rights are read again after four hours at the latest, and records
/// arrive an hour after the deed. Here, five minutes stand for the four hours, and all else shrinks
/// with it.
const FRESHNESS: Duration = Duration::from_secs(5 * 60);
const APART: Duration = Duration::from_millis(FRESHNESS.as_millis() as u64 / 24);
const OVERLAP: Duration = Duration::from_secs(FRESHNESS.as_secs() / 16);
const SETTLING: Duration = Duration::from_secs(FRESHNESS.as_secs() / 75);
const LATE: Duration = Duration::from_secs(FRESHNESS.as_secs() / 4);
/// Deltas until records of the first changes arrive, and those that are looked at.
const BEFORE: usize = 6;
const COUNTED: usize = 3;

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
        "tenants without latency or limits; deltas 10 minutes apart, every right read again within 4 hours, records an \
         hour late (here {}, {} and {})\n",
        seconds(APART),
        seconds(FRESHNESS),
        seconds(LATE)
    );
    let mut table = Table::new([
        "users",
        "shared mailboxes",
        "run",
        "changes",
        "found",
        "requests",
        "cmdlets",
        "MB",
        "wall",
        "CPU",
        "of the full run",
        "most of any",
    ]);
    let mut ratio = f64::NAN;
    let mut last = None;
    for users in &args.users {
        let shared = users / 20;
        let mut row = |name: &str, changes: usize, runs: &[Run], full: u64| {
            let Some(run) = median(runs) else { return };
            let most = runs.iter().map(|run| share(run, full)).fold(0.0, f64::max);
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
                format!("{:.2} %", 100.0 * most),
            ]);
        };
        let mut measured = Measured::of(*users, shared).await?;
        let full = [measured.aggregate(&[]).await?];
        let requests = full[0].trace.requests;
        row("full", 0, &full, requests);
        row("first deltas", 0, &measured.catch_up().await?, requests);
        let last_one = users == args.users.last().unwrap_or(&0);
        let counts = if last_one { args.also.as_slice() } else { &[] };
        for changes in std::iter::once(&args.changes).chain(counts) {
            let runs = measured.steady(*changes).await?;
            let counted = runs.get(BEFORE..).unwrap_or_default();
            row("deltas", *changes, counted, requests);
            if *changes == args.changes {
                ratio = median(counted).map_or(f64::NAN, |run| share(run, requests));
                median(counted).into_iter().for_each(|run| tell(&run.trace));
            }
            for run in runs.iter().filter(|run| run.pages("Get-Mailbox") >= u64::from(*users) / 1000) {
                println!(
                    "{users} users: a delta that also compared all ids took {} requests, {:.2} % of the full run",
                    run.trace.requests,
                    100.0 * share(run, requests)
                );
            }
        }
        if last_one {
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

impl Run {
    /// Pages of a listing, beside what was asked in batches.
    fn pages(&self, cmdlet: &str) -> u64 {
        self.trace.operations.get(cmdlet).map_or(0, |sums| sums.requests)
    }
}

/// The run in the middle, by what it asked for.
fn median(runs: &[Run]) -> Option<&Run> {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_by_key(|run| run.trace.requests);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
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
        let content =
            json!({"activity": {"blob_seconds": 1}, "provisioning": {"audit_seconds": LATE.as_secs()}});
        fs::write(scenario.path(), content.to_string())?;
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
        let times = [("freshness", FRESHNESS), ("overlap", OVERLAP), ("settling", SETTLING)];
        let times = times.map(|(name, time)| format!("{name} = \"{}s\"\n", time.as_secs())).concat();
        let delta = format!("\n[sources.simulated.delta]\n{times}{means}");
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
        tokio::time::sleep_until((self.last + APART).into()).await;
        self.aggregate(&["--delta"]).await
    }

    /// The deltas until nothing waits any more: the first one subscribes to the activity feed, and
    /// what was done before is not in there.
    async fn catch_up(&mut self) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        loop {
            runs.push(self.delta(0).await?);
            let (_, text) = child::measure(self.exogate()?.args(["status", "--offline", "--json"]))?;
            let status: Value = serde_json::from_str(text.trim())?;
            if status["backlog"].as_u64().context("the status shows no backlog")? == 0 {
                return Ok(runs);
            }
        }
    }

    /// Deltas with so many changes between each and the next, until what a delta learns is what
    /// came to be in one such time: records are late.
    async fn steady(&mut self, changes: usize) -> Result<Vec<Run>> {
        let mut runs = Vec::new();
        for _ in 0..BEFORE + COUNTED {
            runs.push(self.delta(changes).await?);
        }
        Ok(runs)
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
