//! How often a process has the kernel bring a file to the disk, as the kernel is asked: counted by
//! strace, where that is installed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// Whether they can be counted here.
pub fn can_be_counted() -> bool {
    let shown = Command::new("strace").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    shown.is_ok_and(|status| status.success())
}

/// Runs a command under strace; how often it synced files whose name contains `part`.
pub fn count(command: &Command, folder: &Path, part: &str) -> Result<u64> {
    let log = folder.join("syncs.log");
    let status = Command::new("strace")
        .args(["-f", "--seccomp-bpf", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&log)
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("{command:?} ended with {status} under strace");
    }
    let text = fs::read_to_string(&log)?;
    // A call that is shown in two halves names its file in the first.
    let named = |line: &&str| line.contains("sync(") && line.contains(part);
    Ok(text.lines().filter(named).count() as u64)
}
