//! Processes and what they cost: wall time, CPU time, peak memory.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

/// What a process cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Largest resident set in bytes.
    pub peak: u64,
}

/// The program under measurement: beside this one.
pub fn exogate() -> Result<PathBuf> {
    let path = own()?.with_file_name("exogate");
    if !path.is_file() {
        bail!("{} is not there; build it with cargo build --release -p exogate", path.display());
    }
    Ok(path)
}

/// This program.
pub fn own() -> Result<PathBuf> {
    std::env::current_exe().context("the path of this program is unknown")
}

/// Runs a command to its end; gives its cost and what it wrote to standard output.
pub fn measure(command: &mut Command) -> Result<(Cost, String)> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut text = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut text)?;
    }
    let used = child.wait4()?;
    let wall = begun.elapsed();
    if !used.status.success() {
        bail!("{command:?} ended with {}\n{text}", used.status);
    }
    let cost = Cost { wall, cpu: used.rusage.utime + used.rusage.stime, peak: used.rusage.maxrss };
    Ok((cost, text))
}

/// The same, with the CPU time that the process's thread of this name used.
pub fn measure_thread(command: &mut Command, name: &str) -> Result<(Cost, String, Duration)> {
    /// A thread is gone when its process ends, so it is looked at as long as it lives.
    const LOOK: Duration = Duration::from_millis(10);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = child.spawn()?;
    let (id, ended) = (child.id(), AtomicBool::new(false));
    let (text, used) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut used = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                used = used.max(thread_cpu(id, name).unwrap_or_default());
                std::thread::sleep(LOOK);
            }
            used
        });
        let mut text = String::new();
        let read = child.stdout.as_mut().map_or(Ok(0), |stdout| stdout.read_to_string(&mut text));
        ended.store(true, Ordering::Relaxed);
        let used = watcher.join().unwrap_or_default();
        read.map(|_| (text, used))
    })?;
    let end = child.wait4()?;
    let wall = begun.elapsed();
    if !end.status.success() {
        bail!("{command:?} ended with {}\n{text}", end.status);
    }
    let cost = Cost { wall, cpu: end.rusage.utime + end.rusage.stime, peak: end.rusage.maxrss };
    Ok((cost, text, used))
}

/// CPU time of the thread of this name, if the process has one.
fn thread_cpu(process: u32, name: &str) -> Option<Duration> {
    for task in fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).ok();
        if read("comm")?.trim_end() == name {
            let nanoseconds = read("schedstat")?.split_whitespace().next()?.parse().ok()?;
            return Some(Duration::from_nanos(nanoseconds));
        }
    }
    None
}

/// CPU time that a running process has used so far.
pub fn cpu(child: &Child) -> Result<Duration> {
    cpu_of(child.id())
}

/// CPU time that the process of this id has used so far.
pub fn cpu_of(process: u32) -> Result<Duration> {
    /// Clock ticks per second in /proc on Linux, whatever the kernel's own.
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold blanks.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(Duration::from_secs_f64((user + system) / TICKS)),
        _ => bail!("/proc shows no CPU time of process {process}"),
    }
}

/// Largest resident set of a running process so far, in bytes.
pub fn peak(child: &Child) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .with_context(|| format!("/proc shows no peak memory of process {}", child.id()))?;
    Ok(kib * 1024)
}

/// Asks a process to end, as Ctrl-C would, and waits for it.
pub fn interrupt(child: &mut Child) -> Result<()> {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    child.wait()?;
    Ok(())
}
