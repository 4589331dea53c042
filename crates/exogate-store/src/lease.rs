//! The lease on a source: only one run at a time, and none that is blocked by a dead one.
//!
//! A lease lasts ten seconds and is renewed every two. A process that was killed on this very
//! system is recognised at once: its process id is gone, or belongs to another process now.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::error::{Fault, StoreError};
use crate::run::Holder;

/// How often a lease is renewed.
pub(crate) const BEAT: Duration = Duration::from_secs(2);
/// How long a lease lasts without being renewed, in milliseconds.
const LASTS: i64 = 10_000;

/// Takes the lease, unless somebody alive has it.
pub(crate) fn take(
    connection: &Connection,
    source: (i64, &str),
    run: i64,
    token: &str,
    holder: &Holder,
    now: i64,
) -> Result<(), Fault> {
    connection.execute(
        "INSERT OR REPLACE INTO leases (source, run, token, taken_at, expires_at, who, host, pid, process)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        (source.0, run, token, now, now + LASTS, &holder.who, &holder.host, holder.pid, this_process()),
    )?;
    Ok(())
}

/// Refuses if somebody alive has the lease of this source.
pub(crate) fn refuse_if_taken(connection: &Connection, source: (i64, &str), now: i64) -> Result<(), Fault> {
    let lease = connection
        .query_row(
            "SELECT taken_at, expires_at, who, host, pid, process FROM leases WHERE source = ?1",
            [source.0],
            |row| {
                let holder = Holder { who: row.get(2)?, host: row.get(3)?, pid: row.get(4)? };
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, holder, row.get::<_, Option<String>>(5)?))
            },
        )
        .optional()?;
    let Some((taken, expires, holder, process)) = lease else { return Ok(()) };
    if !is_alive(expires, LASTS, process.as_deref(), now) {
        return Ok(());
    }
    Err(StoreError::AlreadyRunning {
        source_name: source.1.to_owned(),
        since: Timestamp::from_millisecond(taken).unwrap_or_default(),
        holder: format!("{} on {}, process {}", holder.who, holder.host, holder.pid),
    }
    .into())
}

/// Whether somebody alive has the lease of this run.
pub(crate) fn holds(connection: &Connection, run: i64, now: i64) -> Result<bool, Fault> {
    let lease = connection
        .prepare_cached("SELECT expires_at, process FROM leases WHERE run = ?1")?
        .query_row([run], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)))
        .optional()?;
    Ok(lease.is_some_and(|(expires, process)| is_alive(expires, LASTS, process.as_deref(), now)))
}

/// Whether somebody alive has any lease.
pub(crate) fn is_any_held(connection: &Connection, now: i64) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached("SELECT expires_at, process FROM leases")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let process: Option<String> = row.get(1)?;
        if is_alive(row.get(0)?, LASTS, process.as_deref(), now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Fails unless this token has the lease.
pub(crate) fn require(connection: &Connection, source: (i64, &str), token: &str) -> Result<(), Fault> {
    let held = connection
        .prepare_cached("SELECT 1 FROM leases WHERE source = ?1 AND token = ?2")?
        .exists((source.0, token))?;
    if held { Ok(()) } else { Err(StoreError::LeaseLost { source_name: source.1.to_owned() }.into()) }
}

/// Makes the lease last from now on, if this token still has it.
pub(crate) fn renew(connection: &Connection, source: i64, token: &str, now: i64) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE leases SET expires_at = ?3 WHERE source = ?1 AND token = ?2")?
        .execute((source, token, now + LASTS))?;
    Ok(())
}

/// Gives the lease up, if this token still has it.
pub(crate) fn release(connection: &Connection, source: i64, token: &str) -> Result<(), Fault> {
    connection
        .prepare_cached("DELETE FROM leases WHERE source = ?1 AND token = ?2")?
        .execute((source, token))?;
    Ok(())
}

/// Whether a lease that lasts so long, and ends then, still is somebody's.
pub(crate) fn is_alive(expires: i64, lasts: i64, process: Option<&str>, now: i64) -> bool {
    // An end far in the future was written by a clock that has been set back since.
    if expires <= now || expires > now + 2 * lasts {
        return false;
    }
    process.is_none_or(|process| !is_known_dead(process))
}

/// This process: boot, process namespace, id and start, where the system tells them.
pub(crate) fn this_process() -> Option<String> {
    let (space, pid) = (space()?, std::process::id());
    Some(format!("{space} {pid} {}", started(pid)?))
}

/// Whether the process lived in the same system as this one and lives no more. A process of
/// another system, or of another container, is not judged.
pub(crate) fn is_known_dead(process: &str) -> bool {
    let mut words = process.rsplitn(3, ' ');
    let (Some(start), Some(pid), Some(its_space)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let Ok(pid) = pid.parse::<u32>() else { return false };
    space().is_some_and(|ours| ours == its_space) && started(pid).as_deref() != Some(start)
}

/// Whether the process is one of this very system, or container.
pub(crate) fn is_of_this_system(process: &str) -> bool {
    space().is_some_and(|ours| process.strip_prefix(&ours).is_some_and(|rest| rest.starts_with(' ')))
}

fn space() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a living process started, in the system's own ticks.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything; the state follows it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_that_started_at_another_time_does_not() {
        let own = this_process().unwrap();
        assert!(!is_known_dead(&own));
        assert!(is_known_dead(&format!("{} {} 1", space().unwrap(), std::process::id())));
        assert!(!is_known_dead("other-boot pid:[1] 4242 1"));
        assert!(!is_known_dead("nonsense"));
    }

    #[test]
    fn a_lease_ends_by_time_or_by_a_clock_set_back() {
        assert!(is_alive(LASTS, LASTS, None, 0));
        assert!(!is_alive(LASTS, LASTS, None, LASTS));
        assert!(!is_alive(1_000_000, LASTS, None, 0));
    }
}
