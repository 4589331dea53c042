//! A simulated tenant in a process of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::child::{self, Cost};
use crate::http;

/// What the tenant tells about itself when it has started.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    pub address: SocketAddr,
    pub control: Option<SocketAddr>,
    pub tenant_id: String,
    pub client_id: String,
}

impl Facts {
    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }
}

#[derive(Deserialize)]
struct Started {
    facts: Facts,
}

/// Sums of the tenant's trace.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Trace {
    pub operations: BTreeMap<String, Operation>,
    pub requests: u64,
    pub throttled: u64,
    pub work_ms_by_service: BTreeMap<String, f64>,
    pub max_in_flight: BTreeMap<String, u32>,
    pub bytes_out: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Operation {
    pub requests: u64,
    #[serde(default)]
    pub in_batches: u64,
    pub work_ms: f64,
    pub bytes_out: u64,
}

/// A running tenant with its folder.
pub struct Tenant {
    pub child: Child,
    pub facts: Facts,
    /// How long it took to be ready.
    pub took: Duration,
    folder: TempDir,
    control: reqwest::Client,
}

impl Tenant {
    /// Starts one with these arguments of `exogate sim`.
    pub fn start<S: AsRef<str>>(arguments: &[S]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("exogate-bench-").tempdir()?;
        let begun = Instant::now();
        let mut child = Command::new(child::exogate()?)
            .args(["--json", "sim", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--state"])
            .arg(folder.path())
            .args(arguments.iter().map(AsRef::as_ref))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the tenant has no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            bail!("the simulated tenant did not start: {}", child.wait()?);
        }
        let started: Started = serde_json::from_str(&line)?;
        let control = http::control_client()?;
        Ok(Self { child, facts: started.facts, took: begun.elapsed(), folder, control })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn secret(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("client.secret"))?.trim_end().to_owned())
    }

    fn control(&self, path: &str) -> Result<String> {
        let address = self.facts.control.context("the tenant has no control API")?;
        Ok(format!("http://{address}/_sim/{path}"))
    }

    /// What the control API answers.
    pub async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.control.get(self.control(path)?).send().await?.error_for_status()?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Merges into what the control API has there.
    pub async fn tell(&self, path: &str, what: &serde_json::Value) -> Result<()> {
        self.control.patch(self.control(path)?).json(what).send().await?.error_for_status()?;
        Ok(())
    }

    pub async fn trace(&self) -> Result<Trace> {
        self.ask("trace/aggregate").await
    }

    pub async fn forget_trace(&self) -> Result<()> {
        self.control.delete(self.control("trace")?).send().await?.error_for_status()?;
        Ok(())
    }

    /// Aggregates the whole tenant into an empty store, in a process of its own.
    pub fn aggregate(&self) -> Result<(Cost, String)> {
        for name in ["exogate.db", "exogate.db-wal", "exogate.db-shm"] {
            match fs::remove_file(self.folder.path().join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let configuration = self.folder.path().join("exogate.toml");
        child::measure(
            Command::new(child::exogate()?).arg("--config").arg(configuration).args(["aggregate", "all"]),
        )
    }

    /// What the last aggregation stored, in lines of JSON: `accounts`, `groups` or `entitlements`.
    pub fn stored(&self, what: &str) -> Result<String> {
        let configuration = self.folder.path().join("exogate.toml");
        let mut command = Command::new(child::exogate()?);
        command.arg("--config").arg(configuration).args(["aggregate", what, "--stored", "--format", "jsonl"]);
        Ok(child::measure(&mut command)?.1)
    }

    /// Stops it; its trace file is complete then.
    pub fn stop(&mut self) -> Result<()> {
        child::interrupt(&mut self.child)
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        // Gone already in the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
