//! Load by `wrk`: many connections, each asking for one path after the other.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

/// A parameter that doors do not know, and that makes of a question one that nobody has asked yet.
pub const FRESH: &str = "fresh=";

/// What wrk asks for.
pub struct Load {
    script: NamedTempFile,
    token: String,
    connections: usize,
    time: Duration,
    patient: bool,
}

/// What came of one round.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    pub per_second: f64,
    pub p99_ms: f64,
}

/// Whether wrk is there.
pub fn check() -> Result<()> {
    // Asked for its version, wrk ends with 1; that it ends is enough.
    Command::new("wrk").arg("-v").output().context("wrk is not there; on Debian: apt-get install wrk")?;
    Ok(())
}

impl Load {
    pub fn new(paths: &[String], token: &str, connections: usize, time: Duration) -> Result<Self> {
        let mut script = NamedTempFile::with_suffix(".lua")?;
        writeln!(script, "local paths = {{")?;
        for path in paths {
            writeln!(script, "{path:?},")?;
        }
        writeln!(script, "}}\nlocal n = 0")?;
        writeln!(script, "function request() n = n % #paths + 1; return wrk.format('GET', paths[n]) end")?;
        Ok(Self { script, token: token.to_owned(), connections, time, patient: false })
    }

    /// No question twice.
    pub fn fresh(mut self) -> Result<Self> {
        writeln!(self.script, "local all = 0\nlocal first = tostring(os.time())")?;
        writeln!(self.script, "function request() n = n % #paths + 1; all = all + 1")?;
        writeln!(self.script, "local sign = string.find(paths[n], '?', 1, true) and '&' or '?'")?;
        writeln!(self.script, "return wrk.format('GET', paths[n] .. sign .. '{FRESH}' .. first .. all) end")?;
        Ok(self)
    }

    /// Requests that take longer than wrk waits do not spoil a round.
    pub fn patient(self) -> Self {
        Self { patient: true, ..self }
    }

    pub fn round(&self, origin: &str) -> Result<Loaded> {
        let output = Command::new("wrk")
            .args(["--threads", "1", "--latency"])
            .args(["--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{}s", self.time.as_secs().max(1))])
            .args(["--header", &format!("Authorization: Bearer {}", self.token), "--script"])
            .arg(self.script.path())
            .arg(origin)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let broken = text.contains("Non-2xx") || (text.contains("Socket errors") && !self.patient);
        if !output.status.success() || broken {
            bail!("wrk was not answered as it should be:\n{text}{}", String::from_utf8_lossy(&output.stderr));
        }
        read(&text).with_context(|| format!("wrk said:\n{text}"))
    }
}

fn read(text: &str) -> Option<Loaded> {
    let after = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim);
    let per_second = after("Requests/sec:")?.parse().ok()?;
    let p99 = after("99%")?;
    let unit = p99.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &p99[unit..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        _ => return None,
    };
    Some(Loaded { per_second, p99_ms: p99[..unit].parse::<f64>().ok()? * factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_prints_is_understood() {
        let text = "  Latency Distribution\n     50%    1.10ms\n     99%  512.00us\n  100 requests in 1s\nRequests/sec:  12345.67\n";
        let loaded = read(text).unwrap_or_else(|| panic!("it reads"));
        assert_eq!((loaded.per_second, loaded.p99_ms), (12345.67, 0.512));
        assert!(read("99% soon").is_none());
    }
}
