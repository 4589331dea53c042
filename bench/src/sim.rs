//! How fast the simulated tenant lists full mailboxes against constant bytes over the same TLS
//! stack, and how much memory a large one takes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::child;
use crate::drain::{Question, Taken, drain};
use crate::http;
use crate::table::{self, Table, mib, seconds};
use crate::tenant::Tenant;

#[derive(clap::Args)]
pub struct Args {
    /// People of the tenant whose mailboxes are listed.
    #[arg(long, default_value_t = 20_000)]
    users: u32,
    /// What is listed, with every property.
    #[arg(long, default_value = "Get-Mailbox")]
    cmdlet: String,
    /// Connections at once.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Seconds of one round on one side.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// People of the large tenant whose memory is measured; 0 for none.
    #[arg(long, default_value_t = 1_000_000)]
    large: u32,
}

/// One server and what it did.
struct Side {
    question: Question,
    rates: Vec<f64>,
    bytes: u64,
    answers: u64,
    cpu: Duration,
}

impl Side {
    fn new(question: Question) -> Self {
        Self { question, rates: Vec::new(), bytes: 0, answers: 0, cpu: Duration::ZERO }
    }

    async fn round(&mut self, child: &Child, args: &Args) -> Result<()> {
        let before = child::cpu(child)?;
        let taken = drain(&self.question, args.connections, Duration::from_secs(args.seconds)).await?;
        self.cpu += child::cpu(child)? - before;
        self.bytes += taken.bytes;
        self.answers += taken.answers;
        self.rates.push(taken.bytes as f64 / 1e6 / taken.seconds);
        Ok(())
    }

    fn row(&self, name: &str, table: &mut Table) {
        let (least, most) = table::range(&self.rates);
        table.row([
            name.to_owned(),
            format!("{:.0}", table::median(&self.rates)),
            format!("{least:.0}"),
            format!("{most:.0}"),
            format!("{:.2}", self.bytes as f64 / 1e6 / self.answers.max(1) as f64),
            format!("{:.2}", self.cpu.as_secs_f64() * 1000.0 / (self.bytes as f64 / 1e6)),
        ]);
    }
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}\n", table::machine());
    let mut tenant =
        Tenant::start(&["--users", &args.users.to_string(), "--shared", "200", "--groups", "50"])?;
    let mut pages = Side::new(listing(&tenant, &args.cmdlet).await?);
    // Once around first: nothing is measured that happens only once, and the page size is known.
    let first: Taken = drain(&pages.question, 1, Duration::from_millis(1)).await?;
    let ca = tenant.folder().join("constant.pem");
    let mut constant = Command::new(child::own()?)
        .args(["constant", "--bytes", &first.bytes.to_string(), "--ca"])
        .arg(&ca)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut address = String::new();
    BufReader::new(constant.stdout.take().context("no standard output")?).read_line(&mut address)?;
    let client = http::client(&ca, false)?;
    let url = format!("https://{}/", address.trim());
    let mut bytes = Side::new(Question { client, url, ..pages.question.clone() });
    let measured = async {
        for _ in 0..args.rounds.max(1) {
            bytes.round(&constant, args).await?;
            pages.round(&tenant.child, args).await?;
        }
        Ok::<_, anyhow::Error>(())
    }
    .await;
    constant.kill()?;
    constant.wait()?;
    measured?;
    tenant.stop()?;

    let mut table = Table::new(["", "MB/s", "least", "most", "MB per answer", "server's CPU ms per MB"]);
    bytes.row("constant bytes", &mut table);
    pages.row(&format!("{}, every property", args.cmdlet), &mut table);
    table.print();
    println!("\n{} connections, no compression; client and server share the machine", args.connections);
    if args.large > 0 {
        large(args.large).await?;
    }
    let ratios: Vec<f64> = pages.rates.iter().zip(&bytes.rates).map(|(pages, bytes)| pages / bytes).collect();
    let (least, most) = table::range(&ratios);
    println!("ratio of rates: {least:.2} to {most:.2}, goal at least 0.5");
    println!("sim ratio {:.2}", table::median(&ratios));
    Ok(())
}

/// The listing of everything that a cmdlet lists, with every property.
async fn listing(tenant: &Tenant, cmdlet: &str) -> Result<Question> {
    let facts = &tenant.facts;
    let client = http::client(&tenant.ca(), false)?;
    let secret = tenant.secret()?;
    let application = (facts.client_id.as_str(), secret.as_str());
    let resource = "https://outlook.office365.com";
    let token = http::token(&client, &facts.origin(), &facts.tenant_id, application, resource).await?;
    let url = format!("{}/adminapi/beta/{}/InvokeCommand", facts.origin(), facts.tenant_id);
    let body =
        format!(r#"{{"CmdletInput":{{"CmdletName":"{cmdlet}","Parameters":{{"ResultSize":"Unlimited"}}}}}}"#);
    Ok(Question { client, url, token, anchor: http::anchor(&facts.tenant_id), body })
}

#[derive(Deserialize)]
struct Counts {
    users: u64,
    groups: u64,
    recipients: std::collections::BTreeMap<String, u64>,
}

/// Starts a large tenant, lists some of it, and tells its memory.
async fn large(users: u32) -> Result<()> {
    let [shared, groups, memberships] = [users / 50, users / 10, users.saturating_mul(3)];
    let mut tenant = Tenant::start(&[
        format!("--users={users}"),
        format!("--shared={shared}"),
        format!("--groups={groups}"),
        format!("--memberships={memberships}"),
    ])?;
    let counts: Counts = tenant.ask("tenant").await?;
    let ready = child::peak(&tenant.child)?;
    drain(&listing(&tenant, "Get-Mailbox").await?, 4, Duration::from_secs(10)).await?;
    let peak = child::peak(&tenant.child)?;
    let mailboxes: u64 =
        counts.recipients.iter().filter(|(kind, _)| kind.ends_with("Mailbox")).map(|(_, n)| n).sum();
    println!(
        "a tenant of {} users, {mailboxes} mailboxes, {} groups and {memberships} memberships: ready in {} with a peak memory of {}, {} with mailboxes being listed; goal at most 60 s and 4096 MiB",
        counts.users,
        counts.groups,
        seconds(tenant.took),
        mib(ready),
        mib(peak)
    );
    tenant.stop()
}
