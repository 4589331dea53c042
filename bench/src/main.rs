//! Measurements of exogate against its own simulated tenant, each side in a process of its own.
//!
//! It starts what a measurement needs, takes it, and prints a table. It tests nothing: whether
//! results are right is for the tests.

mod child;
mod compile;
mod constant;
mod delta;
mod doors;
mod download;
mod drain;
mod efficiency;
mod http;
mod learn;
mod provision;
mod sim;
mod startup;
mod syncs;
mod table;
mod tenant;
mod throughput;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measure exogate against its simulated tenant.
#[derive(Parser)]
#[command(name = "bench/run")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Time of an aggregation against the ideal: simulated work divided by the calls allowed at once.
    Efficiency(efficiency::Args),
    /// Time of a plan of many grants against the ideal.
    Provision(provision::Args),
    /// Calls of a delta against those of a full aggregation, and how soon it sees what the feed delivers.
    Delta(delta::Args),
    /// An aggregation of a tenant that answers at once against downloading the very same pages.
    Throughput(throughput::Args),
    /// From the start of the program to its first request, against a bare HTTP client.
    Startup(startup::Args),
    /// Pages of the simulated tenant against constant bytes over the same TLS stack, and its memory.
    Sim(sim::Args),
    /// The front doors over a large state against bare handlers and memory.
    Doors(doors::Args),
    /// Serve the doors, and bare handlers beside them.
    #[command(hide = true)]
    DoorsServer(doors::server::Args),
    /// Download the pages of a plan and throw them away.
    #[command(hide = true)]
    Download(download::Args),
    /// Serve constant bytes over TLS.
    #[command(hide = true)]
    Constant(constant::Args),
    /// Send one request.
    #[command(hide = true)]
    Request(startup::RequestArgs),
}

#[tokio::main]
async fn main() -> Result<()> {
    match Cli::parse().what {
        What::Efficiency(args) => efficiency::run(&args).await,
        What::Provision(args) => provision::run(&args).await,
        What::Delta(args) => delta::run(&args).await,
        What::Throughput(args) => throughput::run(&args).await,
        What::Startup(args) => startup::run(&args).await,
        What::Sim(args) => sim::run(&args).await,
        What::Doors(args) => doors::run(&args).await,
        What::DoorsServer(args) => doors::server::run(&args).await,
        What::Download(args) => download::run(&args).await,
        What::Constant(args) => constant::run(&args).await,
        What::Request(args) => startup::request(&args).await,
    }
}
