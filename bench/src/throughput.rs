//! A full aggregation of a tenant that answers at once, against downloading the very same pages
//! with the same concurrency and throwing them away.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::child::{self, Cost};
use crate::download::Plan;
use crate::learn;
use crate::table::{self, Table, mib, seconds};
use crate::tenant::{Tenant, Trace};

#[derive(clap::Args)]
pub struct Args {
    /// People.
    #[arg(long, default_value_t = 100_000)]
    users: u32,
    /// Shared mailboxes.
    #[arg(long, default_value_t = 5000)]
    shared: u32,
    /// Groups.
    #[arg(long, default_value_t = 10_000)]
    groups: u32,
    /// Memberships.
    #[arg(long, default_value_t = 300_000)]
    memberships: u32,
    /// Rounds, of which the median counts [default: 3; 1 from 500,000 users].
    #[arg(long)]
    rounds: Option<u32>,
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}", table::machine());
    println!(
        "tenant: {} users, {} shared mailboxes, {} groups, {} memberships; no latency, no limits\n",
        args.users, args.shared, args.groups, args.memberships
    );
    let mut tenant = Tenant::start(&[
        "--users".to_owned(),
        args.users.to_string(),
        "--shared".to_owned(),
        args.shared.to_string(),
        "--groups".to_owned(),
        args.groups.to_string(),
        "--memberships".to_owned(),
        args.memberships.to_string(),
    ])?;
    let requests = learn::requests(&tenant.facts.tenant_id)?;
    let rounds = args.rounds.unwrap_or(if args.users >= 500_000 { 1 } else { 3 });
    let mut table =
        Table::new(["", "wall", "CPU", "peak memory", "requests", "MB", "at once", "tenant's CPU"]);
    let (mut walls, mut cpus) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..rounds.max(1) {
        let (aggregation, seen, text) =
            watched(&tenant, &mut table, "aggregate", || tenant.aggregate()).await?;
        let at_once = seen.max_in_flight.get("exchange").copied().unwrap_or(1);
        let plan = plan(&tenant, &requests, at_once)?;
        let (download, again, _) = watched(&tenant, &mut table, "download", || {
            child::measure(Command::new(child::own()?).arg("download").arg(&plan))
        })
        .await?;
        walls.push(aggregation.wall.as_secs_f64() / download.wall.as_secs_f64());
        cpus.push(aggregation.cpu.as_secs_f64() / download.cpu.as_secs_f64());
        last = Some((aggregation, seen, again, text));
    }
    let store = fs::metadata(tenant.folder().join("exogate.db")).map_or(0, |file| file.len());
    tenant.stop()?;
    table.print();
    let Some((cost, seen, again, text)) = last else { return Ok(()) };
    println!("\n{}\n", text.trim_end());
    tell_differences(&seen, &again);
    let objects = objects(&text);
    let rate = objects as f64 / cost.wall.as_secs_f64();
    println!("objects: {objects} stored, {rate:.0} per second; store {}", mib(store));
    println!("peak memory of the client: {}, goal at most 200 MiB", mib(cost.peak));
    let (least, most) = table::range(&walls);
    println!(
        "ratio of wall times: {least:.2} to {most:.2}, goal at most 2.0; of CPU times: {:.2}",
        table::median(&cpus)
    );
    println!("throughput ratio {:.2}", table::median(&walls));
    Ok(())
}

/// Runs one side and adds its row.
async fn watched(
    tenant: &Tenant,
    table: &mut Table,
    name: &str,
    side: impl FnOnce() -> Result<(Cost, String)>,
) -> Result<(Cost, Trace, String)> {
    tenant.forget_trace().await?;
    let before = child::cpu(&tenant.child)?;
    let (cost, text) = side()?;
    let tenants = child::cpu(&tenant.child)? - before;
    let trace = tenant.trace().await?;
    table.row([
        name.to_owned(),
        seconds(cost.wall),
        seconds(cost.cpu),
        mib(cost.peak),
        trace.requests.to_string(),
        format!("{:.0}", trace.bytes_out as f64 / 1e6),
        trace.max_in_flight.get("exchange").copied().unwrap_or(0).to_string(),
        seconds(tenants),
    ]);
    Ok((cost, trace, text))
}

fn plan(tenant: &Tenant, requests: &[crate::download::Request], at_once: u32) -> Result<PathBuf> {
    let plan = Plan {
        origin: tenant.facts.origin(),
        tenant: tenant.facts.tenant_id.clone(),
        client_id: tenant.facts.client_id.clone(),
        secret: tenant.secret()?,
        ca: tenant.ca(),
        at_once: at_once as usize,
        requests: requests.to_vec(),
    };
    let path = tenant.folder().join("download.json");
    fs::write(&path, serde_json::to_vec(&plan)?)?;
    Ok(path)
}

/// Says whether both sides read the same pages; sign-in differs in any case.
fn tell_differences(aggregation: &Trace, download: &Trace) {
    let mut same = true;
    for (name, ours) in &aggregation.operations {
        let theirs = download.operations.get(name).copied().unwrap_or_default();
        let page = |operation: &crate::tenant::Operation| (operation.requests, operation.bytes_out);
        if !name.contains("token") && page(ours) != page(&theirs) {
            same = false;
            println!(
                "differs: {name}: {} requests and {} bytes aggregated, {} and {} downloaded",
                ours.requests, ours.bytes_out, theirs.requests, theirs.bytes_out
            );
        }
    }
    if same {
        println!("both sides read the same pages, to the byte");
    }
}

/// Accounts, mailboxes, groups, memberships and rights, from the summary of the aggregation.
fn objects(text: &str) -> u64 {
    let held = text.lines().find(|line| line.starts_with("The store holds")).unwrap_or_default();
    held.split(" on ")
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_holds_is_counted_once() {
        let text = "Aggregated all of x in 3 s\nThe store holds 5 accounts, 4 mailboxes, 3 groups, 2 memberships, \
                    10 rights on 7 governed mailboxes\n";
        assert_eq!(objects(text), 24);
    }
}
