//! What exogate asks of a tenant, learnt from the trace of a tiny one: the first request of every
//! listing. So the download asks for the very same pages, whatever exogate selects.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::download::Request;
use crate::tenant::Tenant;

#[derive(Deserialize)]
struct Line {
    service: String,
    operation: String,
    target: String,
}

/// The first request of each operation on Graph and Exchange, for another tenant.
pub fn requests(for_tenant: &str) -> Result<Vec<Request>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("trace.jsonl");
    let path = file.to_str().context("the temporary folder has a strange name")?;
    let mut tiny = Tenant::start(&["--users", "40", "--shared", "5", "--groups", "12", "--trace", path])?;
    tiny.aggregate()?;
    tiny.stop()?;
    let mut requests: Vec<Request> = Vec::new();
    for line in fs::read_to_string(&file)?.lines() {
        let line: Line = serde_json::from_str(line)?;
        let known = requests.iter().any(|request| request.operation == line.operation);
        if known || !matches!(line.service.as_str(), "graph" | "exchange") {
            continue;
        }
        let target = line.target.replace(&tiny.facts.tenant_id, for_tenant);
        requests.push(Request { exchange: line.service == "exchange", operation: line.operation, target });
    }
    if requests.is_empty() {
        bail!("the trace of the tiny tenant is empty");
    }
    Ok(requests)
}
