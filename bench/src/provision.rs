//! How near a plan of many grants comes to the ideal: the work that the tenant did for it, divided
//! by the calls that it lets run at once, and the time after which a write can be seen at all.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::child;
use crate::table::{self, Table, mib, seconds};
use crate::tenant::Tenant;

/// Calls of Exchange that the tenant lets run at once; the client is not told.
const HIDDEN_LIMIT: u32 = 10;
/// How long a write stays unseen at measured latencies, in the tenant's time.
const UNSEEN: Duration = Duration::from_secs(30);

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
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}", table::machine());
    println!(
        "{} grants over {} mailboxes; latencies as measured, {} times as fast; {HIDDEN_LIMIT} calls at once\n",
        args.grants, args.mailboxes, args.time_scale
    );
    let mut tenant = Tenant::start(&[
        "--users".to_owned(),
        (args.grants * args.rounds).max(100).to_string(),
        "--shared".to_owned(),
        args.mailboxes.to_string(),
        "--groups".to_owned(),
        "20".to_owned(),
        "--profile".to_owned(),
        "measured".to_owned(),
        "--time-scale".to_owned(),
        args.time_scale.to_string(),
    ])?;
    let (_, read) = tenant.aggregate()?;
    let (mailboxes, people) = named(&read)?;
    let mut table = Table::new([
        "plan",
        "total",
        "ideal",
        "ratio",
        "calls",
        "refused",
        "most at once",
        "CPU",
        "peak memory",
    ]);
    let mut ratios = Vec::new();
    for round in 0..args.rounds.max(1) {
        let plan = tenant.folder().join(format!("plan{round}.json"));
        fs::write(&plan, plan_of(&mailboxes, &people, args.grants, round)?.to_string())?;
        tenant.forget_trace().await?;
        let wait = (240.0 / args.time_scale).ceil().max(10.0).to_string();
        let (cost, _) = child::measure(
            Command::new(child::exogate()?)
                .arg("--config")
                .arg(tenant.folder().join("exogate.toml"))
                .args(["apply", "--yes", "--json", "--wait", &wait])
                .arg(&plan),
        )?;
        let trace = tenant.trace().await?;
        let work = trace.work_ms_by_service.get("exchange").copied().unwrap_or(0.0);
        let ideal = Duration::from_secs_f64(work / 1000.0 / f64::from(HIDDEN_LIMIT)) + UNSEEN;
        let total = cost.wall.mul_f64(args.time_scale);
        let ratio = total.as_secs_f64() / ideal.as_secs_f64();
        ratios.push(ratio);
        table.row([
            (round + 1).to_string(),
            seconds(total),
            seconds(ideal),
            format!("{ratio:.3}"),
            trace.requests.to_string(),
            trace.throttled.to_string(),
            trace.max_in_flight.get("exchange").copied().unwrap_or(0).to_string(),
            seconds(cost.cpu),
            mib(cost.peak),
        ]);
    }
    tenant.stop()?;
    table.print();
    let (least, most) = table::range(&ratios);
    println!("\ntotal: start to end of the process times {}; in the tenant's time", args.time_scale);
    println!(
        "ideal: simulated work of all calls of Exchange that were let in, divided by {HIDDEN_LIMIT}, and the {} after \
         which the last write can be seen",
        seconds(UNSEEN)
    );
    println!("ratio: {least:.3} to {most:.3}, goal at most 1.2");
    println!("provision ratio {:.3}", table::median(&ratios));
    Ok(())
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
