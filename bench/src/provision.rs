//! How near a plan of many grants comes to the ideal: the work that the tenant did for it, divided
//! by the calls that it lets run at once, and the time after which a write can be seen at all. What
//! the journal costs, and what compiling does.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::table::{self, Table, mib, seconds};
use crate::tenant::{Operation, Tenant, Trace};
use crate::{child, compile, syncs};

/// Calls of Exchange that the tenant lets run at once; the client is not told.
const HIDDEN_LIMIT: u32 = 10;
/// How long a write stays unseen at measured latencies, in the tenant's time.
const UNSEEN: Duration = Duration::from_secs(30);
/// The thread that writes the journal.
const JOURNAL: &str = "exogate-journal";
/// Entries of an operation that is carried out: begun, answered, finished.
const ENTRIES: usize = 3;

#[derive(clap::Args)]
pub struct Args {
    /// Shared mailboxes that rights are given on.
    #[arg(long, default_value_t = 200)]
    mailboxes: usize,
    /// Rights given.
    #[arg(long, default_value_t = 1000)]
    grants: usize,
    /// How much faster than the real service the tenant answers; what the client itself needs counts so many times.
    #[arg(long, default_value_t = 10.0)]
    time_scale: f64,
    /// Plans carried out, of which the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Accounts in the store over which a plan is compiled; 0: none is.
    #[arg(long, default_value_t = 100_000)]
    accounts: usize,
    /// Requests of that plan.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
}

pub async fn run(args: &Args) -> Result<()> {
    let ratio = carried_out(args).await?;
    if args.accounts > 0 {
        compile::run(args.accounts, args.requests, args.rounds).await?;
    }
    println!("provision ratio {ratio:.3}");
    Ok(())
}

async fn carried_out(args: &Args) -> Result<f64> {
    println!("machine: {}", table::machine());
    println!(
        "{} grants over {} mailboxes; latencies as measured, {} times as fast; {HIDDEN_LIMIT} calls at once\n",
        args.grants, args.mailboxes, args.time_scale
    );
    let counts = syncs::can_be_counted();
    let rounds = args.rounds.max(1);
    let mut tenant = Tenant::start(&[
        "--users".to_owned(),
        (args.grants * (rounds + usize::from(counts))).max(100).to_string(),
        "--shared".to_owned(),
        args.mailboxes.to_string(),
        "--groups".to_owned(),
        "20".to_owned(),
        "--profile".to_owned(),
        "measured".to_owned(),
        "--time-scale".to_owned(),
        args.time_scale.to_string(),
    ])?;
    tenant.aggregate()?;
    let (mailboxes, people) = named(&(tenant.stored("entitlements")? + &tenant.stored("accounts")?))?;
    let mut table = Table::new([
        "plan",
        "total",
        "ideal",
        "ratio",
        "without the wait",
        "work",
        "calls",
        "refused",
        "most at once",
        "CPU",
        "of it the journal",
        "peak memory",
    ]);
    let mut ratios = Vec::new();
    let mut last = Trace::default();
    for round in 0..rounds {
        let plan = tenant.folder().join(format!("plan{round}.json"));
        fs::write(&plan, plan_of(&mailboxes, &people, args.grants, round)?.to_string())?;
        tenant.forget_trace().await?;
        let (cost, _, journal) =
            child::measure_thread(&mut apply(&tenant, &plan, args.time_scale)?, JOURNAL)?;
        let trace = tenant.trace().await?;
        let done = trace.work_ms_by_service.get("exchange").copied().unwrap_or(0.0);
        let work = Duration::from_secs_f64(needed(&trace, args.mailboxes) / 1000.0 / f64::from(HIDDEN_LIMIT));
        let ideal = work + UNSEEN;
        let total = cost.wall.mul_f64(args.time_scale);
        let ratio = total.as_secs_f64() / ideal.as_secs_f64();
        ratios.push(ratio);
        table.row([
            (round + 1).to_string(),
            seconds(total),
            seconds(ideal),
            format!("{ratio:.3}"),
            format!("{:.3}", total.as_secs_f64() / work.as_secs_f64()),
            format!("{:.3}", done / needed(&trace, args.mailboxes)),
            trace.requests.to_string(),
            trace.throttled.to_string(),
            trace.max_in_flight.get("exchange").copied().unwrap_or(0).to_string(),
            seconds(cost.cpu),
            format!("{:.0} %", 100.0 * journal.as_secs_f64() / cost.cpu.as_secs_f64()),
            mib(cost.peak),
        ]);
        last = trace;
    }
    table.print();
    let (least, most) = table::range(&ratios);
    println!("\ntotal: start to end of the process times {}; in the tenant's time", args.time_scale);
    println!(
        "ideal: simulated work of the calls of Exchange that the plan needs, divided by {HIDDEN_LIMIT}, and the {} after \
         which the last write can be seen; needed are the writes, and of each mailbox that it is the right one, its \
         rights before, and its rights after",
        seconds(UNSEEN)
    );
    println!("without the wait: total divided by that work alone");
    println!("work: of all calls of Exchange that were let in, divided by that of the needed ones");
    println!("ratio: {least:.3} to {most:.3}, goal at most 1.2\n");
    calls(&last);
    if counts {
        let plan = tenant.folder().join("counted.json");
        fs::write(&plan, plan_of(&mailboxes, &people, args.grants, rounds)?.to_string())?;
        let synced = syncs::count(&apply(&tenant, &plan, args.time_scale)?, tenant.folder(), ".journal")?;
        let entries = 1 + ENTRIES * args.grants;
        println!(
            "\njournal, one more plan under strace: {synced} syncs for {entries} entries of {} operations, {:.2} \
             entries to a sync",
            args.grants,
            entries as f64 / synced as f64
        );
    } else {
        println!("\njournal: syncs not counted, strace is not installed");
    }
    tenant.stop()?;
    Ok(table::median(&ratios))
}

fn apply(tenant: &Tenant, plan: &Path, time_scale: f64) -> Result<Command> {
    let wait = (240.0 / time_scale).ceil().max(10.0).to_string();
    let mut command = Command::new(child::exogate()?);
    command.arg("--config").arg(tenant.folder().join("exogate.toml"));
    command.args(["apply", "--yes", "--json", "--wait", &wait]).arg(plan);
    Ok(command)
}

/// Milliseconds of work of the calls that the plan cannot do without: every write, and of each mailbox
/// one look whether it is the right one and two at its rights.
fn needed(trace: &Trace, mailboxes: usize) -> f64 {
    let needed = |name: &str, operation: &Operation| match name {
        "Get-Mailbox" => mailboxes as u64,
        "Get-MailboxPermission" => 2 * mailboxes as u64,
        name if name.starts_with("Add-") => operation.requests,
        _ => 0,
    };
    let work = |(name, operation): (&String, &Operation)| {
        let each = operation.work_ms / operation.requests.max(1) as f64;
        each * needed(name, operation).min(operation.requests) as f64
    };
    trace.operations.iter().map(work).sum()
}

/// What was called how often in the last plan.
fn calls(trace: &Trace) {
    let mut table = Table::new(["call", "times", "work"]);
    for (name, operation) in &trace.operations {
        let work = Duration::from_secs_f64(operation.work_ms / 1000.0);
        table.row([name.clone(), operation.requests.to_string(), seconds(work)]);
    }
    table.print();
}

/// Labels of mailboxes and names of people, of what an aggregation wrote.
fn named(read: &str) -> Result<(Vec<String>, Vec<String>)> {
    let (mut mailboxes, mut people) = (Vec::new(), Vec::new());
    for line in read.lines() {
        let line: Value = serde_json::from_str(line)?;
        if let Some(label) = line["value"].as_str().and_then(|value| value.strip_suffix(": FullAccess")) {
            mailboxes.push(label.to_owned());
        } else if let (Some(name), Some(_)) =
            (line["name"].as_str(), line["attributes"]["EXO_PrimarySmtpAddress"].as_str())
            && line["disabled"] == false
        {
            people.push(name.to_owned());
        }
    }
    Ok((mailboxes, people))
}

/// Other people in each round, so that no grant is there already.
fn plan_of(mailboxes: &[String], people: &[String], grants: usize, round: usize) -> Result<Value> {
    let first = (round * grants) % people.len().max(1);
    let people = people.iter().cycle().skip(first).take(grants);
    if mailboxes.is_empty() {
        bail!("the tenant has no shared mailbox");
    }
    let requests: Vec<Value> = people
        .zip(mailboxes.iter().cycle())
        .map(|(person, mailbox)| {
            json!({"account": person, "attributes": [
                {"op": "add", "name": "sharedMailbox", "value": format!("{mailbox}: FullAccess")}]})
        })
        .collect();
    (!requests.is_empty()).then(|| json!({ "accounts": requests })).context("the tenant has no people")
}
