//! The front doors over a large state: single reads against a bare handler of the same process, whole
//! listings against the same bytes from memory, and the memory that they take.

mod load;
mod peers;
pub mod server;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use self::load::{Load, Loaded};
use crate::child;
use crate::http;
use crate::table::{self, Table, mib};
use crate::tenant::Tenant;

/// Users that are asked for again and again.
const AGAIN: usize = 1000;
/// Users that questions are spread over which nobody has asked before.
const ONCE: usize = 20_000;
/// Users on a page of a listing.
const PAGE: usize = 200;

#[derive(clap::Args)]
pub struct Args {
    /// People of the tenant.
    #[arg(long, default_value_t = 100_000)]
    users: u32,
    /// Shared mailboxes.
    #[arg(long, default_value_t = 5_000)]
    shared: u32,
    /// Groups.
    #[arg(long, default_value_t = 10_000)]
    groups: u32,
    /// Connections at once.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds of one round on one side.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Users that the servers of others hold; with 0 they are left out.
    #[arg(long, default_value_t = 10_000)]
    peer_users: usize,
}

/// How fast a kind of single read is.
struct Read {
    name: &'static str,
    /// Whether the goal is set for it.
    aimed_at: bool,
    per_second: f64,
    ratio: f64,
}

/// What the served process says about itself.
#[derive(Debug, Deserialize)]
struct Facts {
    doors: String,
    bare: String,
    token: String,
}

struct Server {
    child: Child,
    facts: Facts,
    client: reqwest::Client,
}

impl Server {
    fn start(store: &Path) -> Result<Self> {
        let mut child = Command::new(child::own()?)
            .args(["doors-server", "--store"])
            .arg(store)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let facts = serde_json::from_str(&line).context("the doors did not open")?;
        Ok(Self { child, facts, client: http::control_client()? })
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let request = self.client.get(format!("{}{path}", self.facts.doors)).bearer_auth(&self.facts.token);
        let answer = request.send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Has the bare handler give the same bytes for these paths as the doors do.
    async fn copy(&self, paths: &[String]) -> Result<()> {
        let request = self.client.post(format!("{}/copy", self.facts.bare)).json(paths);
        request.send().await?.error_for_status()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already in the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn run(args: &Args) -> Result<()> {
    println!("machine: {}\n", table::machine());
    load::check()?;
    let numbers = [args.users, args.shared, args.groups].map(|number| number.to_string());
    let mut tenant =
        Tenant::start(&["--users", &numbers[0], "--shared", &numbers[1], "--groups", &numbers[2]])?;
    let (cost, _) = tenant.aggregate()?;
    println!("aggregated {} users in {:.0} s", args.users, cost.wall.as_secs_f64());
    tenant.stop()?;
    let server = Server::start(&tenant.folder().join("exogate.db"))?;
    let single = single_reads(&server, args).await?;
    whole_listings(&server, args).await?;
    if args.peer_users > 0 {
        let least = peers::compare(&server, args, &single).await?;
        println!("against the servers of others at least {least:.0}");
    }
    let least = |aimed_at: bool| {
        let ratios = single.iter().filter(|read| read.aimed_at == aimed_at).map(|read| read.ratio);
        ratios.fold(f64::INFINITY, f64::min)
    };
    println!(
        "questions that nobody has asked before, and REST: at least {:.2} of the bare handler",
        least(false)
    );
    println!("doors ratio {:.2}", least(true));
    Ok(())
}

/// GET by id and filter by name, each against the same bytes from a bare handler.
async fn single_reads(server: &Server, args: &Args) -> Result<Vec<Read>> {
    let again = spread(server, args, AGAIN).await?;
    let once = spread(server, args, ONCE).await?;
    let by_id = |users: &[(String, String)]| -> Vec<String> {
        users.iter().map(|(id, _)| format!("/scim/v2/Users/{id}")).collect()
    };
    let named = |users: &[(String, String)]| -> Vec<String> {
        users.iter().map(|(_, name)| by_name("/scim/v2", name)).collect()
    };
    let rest: Vec<String> =
        once.iter().map(|(id, _)| format!("/api/v1/sources/{}/accounts/{id}", server::SOURCE)).collect();
    // What is read, whether the goal is set for it, and whether no question comes twice.
    let cases = [
        ("SCIM: one user by id", true, by_id(&again), false),
        ("SCIM: filter by userName", true, named(&again), false),
        ("SCIM: one user by id, not asked before", false, by_id(&once), true),
        ("SCIM: filter by userName, not asked before", false, named(&once), true),
        ("REST: one account by id", false, rest, false),
    ];
    let mut table = Table::new(["", "per second", "p99 ms", "bare", "bare p99 ms", "ratio"]);
    let mut reads = Vec::new();
    for (name, aimed_at, paths, fresh) in cases {
        server.copy(&paths).await?;
        let time = Duration::from_secs(args.seconds);
        let mut load = Load::new(&paths, &server.facts.token, args.connections, time)?;
        if fresh {
            load = load.fresh()?;
        }
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        // Once around first: nothing is measured that happens only once.
        load.round(&server.facts.doors)?;
        for _ in 0..args.rounds.max(1) {
            bare.push(load.round(&server.facts.bare)?);
            ours.push(load.round(&server.facts.doors)?);
        }
        let rate =
            |rounds: &[Loaded]| table::median(&rounds.iter().map(|one| one.per_second).collect::<Vec<_>>());
        let p99 = |rounds: &[Loaded]| table::median(&rounds.iter().map(|one| one.p99_ms).collect::<Vec<_>>());
        let each: Vec<f64> =
            ours.iter().zip(&bare).map(|(ours, bare)| ours.per_second / bare.per_second).collect();
        let ratio = table::median(&each);
        table.row([
            name.to_owned(),
            format!("{:.0}", rate(&ours)),
            format!("{:.1}", p99(&ours)),
            format!("{:.0}", rate(&bare)),
            format!("{:.1}", p99(&bare)),
            format!("{ratio:.2}"),
        ]);
        reads.push(Read { name, aimed_at, per_second: rate(&ours), ratio });
    }
    table.print();
    println!(
        "\n{} connections of wrk; load and server share the machine; goal at least 0.5\n",
        args.connections
    );
    Ok(reads)
}

/// Ids and names of so many users from all over the tenant, so that no cache of a few pages holds them.
async fn spread(server: &Server, args: &Args, wanted: usize) -> Result<Vec<(String, String)>> {
    let wanted = wanted.min(args.users as usize);
    let step = (args.users as usize / wanted.div_ceil(PAGE)).max(1);
    let mut users = Vec::new();
    while users.len() < wanted {
        let start = 1 + users.len() / PAGE * step;
        let page = server
            .get(&format!("/scim/v2/Users?startIndex={start}&count={PAGE}&attributes=userName"))
            .await?;
        let resources = page["Resources"].as_array().context("no users")?;
        if resources.is_empty() {
            bail!("the listing ended before {wanted} users");
        }
        let of = |user: &Value, name: &str| user[name].as_str().unwrap_or_default().to_owned();
        users.extend(resources.iter().map(|user| (of(user, "id"), of(user, "userName"))));
    }
    Ok(users)
}

fn by_name(mount: &str, name: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'@' => char::from(byte).to_string(),
        // Guests have signs in their names that end a path.
        _ => format!("%{byte:02X}"),
    };
    let name: String = name.bytes().map(encoded).collect();
    format!("{mount}/Users?filter=userName%20eq%20%22{name}%22")
}

/// Every user by SCIM pages and every account as SailPoint lines, against the same bytes from memory.
async fn whole_listings(server: &Server, args: &Args) -> Result<()> {
    let mut table = Table::new([
        "",
        "objects",
        "per second",
        "MB/s",
        "from memory MB/s",
        "ratio",
        "peak MiB",
        "grew MiB",
    ]);
    for (name, pages) in [("SCIM: all users by 200", true), ("SailPoint: all accounts", false)] {
        let before = child::peak(&server.child)?;
        let begun = Instant::now();
        let (objects, bytes) = if pages { scim(server).await? } else { sailpoint(server).await? };
        let ours = begun.elapsed().as_secs_f64();
        let peak = child::peak(&server.child)?;
        if objects < u64::from(args.users) {
            bail!("{name}: {objects} of {} came", args.users);
        }
        let begun = Instant::now();
        from_memory(server, bytes, pages).await?;
        let bare = begun.elapsed().as_secs_f64();
        table.row([
            name.to_owned(),
            objects.to_string(),
            format!("{:.0}", objects as f64 / ours),
            format!("{:.1}", bytes as f64 / 1e6 / ours),
            format!("{:.1}", bytes as f64 / 1e6 / bare),
            format!("{:.3}", bare / ours),
            mib(peak),
            mib(peak - before),
        ]);
    }
    table.print();
    println!("\none connection, one page after the other");
    Ok(())
}

/// A page as a client reads it that wants to know where it goes on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    next_cursor: Option<String>,
    #[serde(rename = "Resources", default)]
    resources: Vec<serde::de::IgnoredAny>,
}

async fn scim(server: &Server) -> Result<(u64, u64)> {
    let (mut objects, mut bytes, mut cursor) = (0, 0, String::new());
    loop {
        let url = format!("{}/scim/v2/Users?count={PAGE}&cursor={cursor}", server.facts.doors);
        let answer = server.client.get(url).bearer_auth(&server.facts.token).send().await?;
        let body = answer.error_for_status()?.bytes().await?;
        bytes += body.len() as u64;
        let page: Page = serde_json::from_slice(&body)?;
        objects += page.resources.len() as u64;
        match page.next_cursor {
            Some(next) => cursor = next,
            None => return Ok((objects, bytes)),
        }
    }
}

async fn sailpoint(server: &Server) -> Result<(u64, u64)> {
    let url = format!("{}/sailpoint/{}", server.facts.doors, server::SOURCE);
    let request = server.client.post(url).bearer_auth(&server.facts.token);
    let answer = request
        .timeout(Duration::from_secs(3600))
        .json(&json!({ "type": "std:account:list", "config": {}, "input": {} }))
        .send()
        .await?
        .error_for_status()?;
    let (mut objects, mut bytes) = (0, 0);
    let mut stream = answer.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        bytes += chunk.len() as u64;
        objects += memchr::memchr_iter(b'\n', &chunk).count() as u64;
    }
    Ok((objects, bytes))
}

/// As many bytes from memory: by as many answers of one page, or as one stream.
async fn from_memory(server: &Server, bytes: u64, pages: bool) -> Result<()> {
    let mut left = bytes;
    if pages {
        let path = format!("/scim/v2/Users?count={PAGE}");
        server.copy(std::slice::from_ref(&path)).await?;
        while left > 0 {
            let answer = server.client.get(format!("{}{path}", server.facts.bare)).send().await?;
            let body = answer.error_for_status()?.bytes().await?;
            // Read as a client reads it, as on the other side.
            let _: Page = serde_json::from_slice(&body)?;
            left = left.saturating_sub(body.len() as u64);
        }
        return Ok(());
    }
    let url = format!("{}/stream?bytes={bytes}", server.facts.bare);
    let mut stream = server.client.get(url).send().await?.error_for_status()?.bytes_stream();
    let mut lines = 0;
    while let Some(chunk) = stream.next().await {
        lines += memchr::memchr_iter(b'\n', &chunk?).count();
    }
    if lines == 0 {
        bail!("nothing came from memory");
    }
    Ok(())
}
