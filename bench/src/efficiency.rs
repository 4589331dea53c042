//! How near an aggregation comes to the ideal: the work that the tenant did for it, divided by the
//! calls that it lets run at once.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::table::{self, Table, mib, seconds};
use crate::tenant::Tenant;

/// Calls of Exchange that the tenant lets run at once; the client is not told.
const HIDDEN_LIMIT: u32 = 10;

#[derive(clap::Args)]
pub struct Args {
    /// Shared mailboxes.
    #[arg(long, default_value_t = 2000)]
    shared: u32,
    /// People.
    #[arg(long, default_value_t = 2000)]
    users: u32,
    /// Groups.
    #[arg(long, default_value_t = 200)]
    groups: u32,
    /// How much faster than the real service the tenant answers; what the client itself needs counts so many times.
    #[arg(long, default_value_t = 10.0)]
    time_scale: f64,
    /// Aggregations, of which the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}", table::machine());
    println!(
        "tenant: {} users, {} shared mailboxes, {} groups; latencies as measured, {} times as fast; {HIDDEN_LIMIT} calls at once\n",
        args.users, args.shared, args.groups, args.time_scale
    );
    let mut tenant = Tenant::start(&[
        "--users".to_owned(),
        args.users.to_string(),
        "--shared".to_owned(),
        args.shared.to_string(),
        "--groups".to_owned(),
        args.groups.to_string(),
        "--profile".to_owned(),
        "measured".to_owned(),
        "--time-scale".to_owned(),
        args.time_scale.to_string(),
    ])?;
    let limit: Limits = tenant.ask("throttle").await?;
    if limit.exchange_concurrency != Some(HIDDEN_LIMIT) {
        bail!("the tenant lets {:?} calls run at once, not {HIDDEN_LIMIT}", limit.exchange_concurrency);
    }
    let mut table = Table::new([
        "run",
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
    for round in 1..=args.rounds.max(1) {
        tenant.forget_trace().await?;
        let (cost, _) = tenant.aggregate()?;
        let trace = tenant.trace().await?;
        let work = trace.work_ms_by_service.get("exchange").copied().unwrap_or(0.0);
        let ideal = Duration::from_secs_f64(work / 1000.0 / f64::from(HIDDEN_LIMIT));
        // From the start of the process to its end, in the tenant's time.
        let total = cost.wall.mul_f64(args.time_scale);
        let ratio = total.as_secs_f64() / ideal.as_secs_f64();
        ratios.push(ratio);
        table.row([
            round.to_string(),
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
    println!("ideal: simulated work of all calls of Exchange that were let in, divided by {HIDDEN_LIMIT}");
    println!("ratio: {least:.3} to {most:.3}, goal at most 1.15");
    println!("efficiency ratio {:.3}", table::median(&ratios));
    Ok(())
}

#[derive(serde::Deserialize)]
struct Limits {
    exchange_concurrency: Option<u32>,
}
