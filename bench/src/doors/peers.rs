//! Other SCIM servers with the same users: the Python `scim2-server` and `scimmy` for Node, both in memory.
//! They are installed beside this program, not into the repository.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::load::Load;
use super::{Args, PAGE, Read, Server};
use crate::child;
use crate::table::Table;

/// Where their programs are in the repository.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/doors");
const OWN: &str = "urn:ietf:params:scim:schemas:extension:exogate:2.0:User";

/// A server of somebody else.
struct Peer {
    name: &'static str,
    child: Child,
    origin: String,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Gone already if it failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rates of single reads, ours over theirs; gives the least ratio.
pub async fn compare(server: &Server, args: &Args, ours: &[Read]) -> Result<f64> {
    let [python, node] = [python()?, node()?];
    let (users, file) = users(server, args.peer_users).await?;
    let token = &server.facts.token;
    let given = |command: &mut Command| {
        command.arg(file.path()).args(["0", token]);
    };
    let mut python = Command::new(python);
    given(python.arg(Path::new(PROGRAMS).join("scim2_server_peer.py")));
    let mut scimmy = Command::new("node");
    given(scimmy.arg(node.join("scimmy_peer.mjs")).current_dir(&node));
    let mut table = Table::new(["", "", "per second", "p99 ms", "exogate per second", "ratio"]);
    let mut worst = f64::INFINITY;
    for (name, command) in [("scim2-server", &mut python), ("scimmy", &mut scimmy)] {
        let peer = start(name, command)?;
        let by_id = users.iter().map(|(id, _)| format!("/Users/{id}")).collect();
        let by_name = users.iter().map(|(_, name)| super::by_name("", name)).collect();
        let paths: [Vec<String>; 2] = [by_id, by_name];
        for (paths, ours) in paths.iter().zip(ours) {
            // The path of the origin comes first in what is sent.
            let (host, mount) = split(&peer.origin);
            let paths: Vec<String> = paths.iter().map(|path| format!("{mount}{path}")).collect();
            let time = Duration::from_secs(args.seconds);
            let load = Load::new(&paths, token, args.connections, time)?.patient();
            load.round(host)?;
            let theirs = load.round(host)?;
            let ratio = ours.per_second / theirs.per_second;
            worst = worst.min(ratio);
            table.row([
                peer.name.to_owned(),
                ours.name.to_owned(),
                format!("{:.0}", theirs.per_second),
                format!("{:.0}", theirs.p99_ms),
                format!("{:.0}", ours.per_second),
                format!("{ratio:.0}"),
            ]);
        }
    }
    table.print();
    println!("\n{} users there, {} here; goal at least 20\n", users.len(), args.users);
    Ok(worst)
}

fn split(origin: &str) -> (&str, &str) {
    let host = origin.find("://").map_or(0, |at| at + 3);
    origin[host..].find('/').map_or((origin, ""), |at| origin.split_at(host + at))
}

/// Starts one; it says where it listens when it holds the users.
fn start(name: &'static str, command: &mut Command) -> Result<Peer> {
    #[derive(Deserialize)]
    struct Started {
        origin: String,
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
    match serde_json::from_str::<Started>(&line) {
        Ok(Started { origin }) => Ok(Peer { name, child, origin }),
        Err(_) => bail!("{name} did not start: {}", child.wait()?),
    }
}

/// So many users as our own door gives them, without our own extension, in a file and by id and name.
async fn users(server: &Server, wanted: usize) -> Result<(Vec<(String, String)>, NamedTempFile)> {
    let (file, mut users) = (NamedTempFile::with_suffix(".ndjson")?, Vec::new());
    let mut lines = BufWriter::new(file.as_file());
    while users.len() < wanted {
        let start = users.len() + 1;
        let path =
            format!("/scim/v2/Users?startIndex={start}&count={PAGE}&excludedAttributes=entitlements,{OWN}");
        let mut page = server.get(&path).await?;
        let Some(Value::Array(resources)) = page.get_mut("Resources").map(Value::take) else {
            bail!("no users")
        };
        if resources.is_empty() {
            break;
        }
        for mut user in resources.into_iter().take(wanted - users.len()) {
            if let Some(schemas) = user["schemas"].as_array_mut() {
                schemas.retain(|schema| schema != OWN);
            }
            let of = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
            users.push((of("id"), of("userName")));
            writeln!(lines, "{user}")?;
        }
    }
    lines.flush()?;
    drop(lines);
    Ok((users, file))
}

fn home(name: &str) -> Result<PathBuf> {
    let home = child::own()?.with_file_name("peers").join(name);
    fs::create_dir_all(&home)?;
    Ok(home)
}

/// Runs a command of an installation to its end.
fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("{command:?} could not be started"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Whether what was installed last is what is wanted.
fn is_there(wanted: &Path, installed: &Path) -> bool {
    matches!((fs::read(wanted), fs::read(installed)), (Ok(wanted), Ok(there)) if wanted == there)
}

/// A Python with scim2-server.
fn python() -> Result<PathBuf> {
    let home = home("python")?;
    let (wanted, installed) = (Path::new(PROGRAMS).join("requirements.txt"), home.join("installed.txt"));
    let python = home.join("bin/python");
    if !is_there(&wanted, &installed) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&python).args(pip).arg(&wanted))?;
        fs::copy(&wanted, &installed)?;
    }
    Ok(python)
}

/// A folder with scimmy, and the program that serves it.
fn node() -> Result<PathBuf> {
    let home = home("node")?;
    let (wanted, installed) = (Path::new(PROGRAMS).join("package.json"), home.join("installed.json"));
    fs::copy(Path::new(PROGRAMS).join("scimmy_peer.mjs"), home.join("scimmy_peer.mjs"))?;
    if !is_there(&wanted, &installed) {
        fs::copy(&wanted, home.join("package.json"))?;
        run(Command::new("npm").args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&home))?;
        fs::copy(&wanted, &installed)?;
    }
    Ok(home)
}
