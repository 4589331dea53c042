//! Whose turn it is to deliver to a webhook: one process at a time, and none that is blocked by a dead one.
//!
//! Like the lease on a source, but longer: it is renewed so rarely that a service with nothing to do hardly writes.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Fault;
use crate::lease;

/// How long a turn lasts without being renewed, in milliseconds.
const LASTS: i64 = 60_000;
/// With less than this left, it is renewed.
const RENEWED: i64 = 40_000;

/// What is known of the turn at a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This token has it for a while.
    Ours,
    /// It may be taken, or should be renewed.
    Open,
    /// Somebody alive has it.
    Theirs,
}

pub(super) fn look(
    connection: &Connection,
    source: i64,
    name: &str,
    token: &str,
    now: i64,
) -> Result<Turn, Fault> {
    let held = connection
        .prepare_cached(
            "SELECT token, expires_at, process FROM webhook_leases WHERE source = ?1 AND name = ?2",
        )?
        .query_row((source, name), |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<String>>(2)?))
        })
        .optional()?;
    let Some((holder, expires, process)) = held else { return Ok(Turn::Open) };
    Ok(if holder == token {
        if (RENEWED..=LASTS).contains(&(expires - now)) { Turn::Ours } else { Turn::Open }
    } else if lease::is_alive(expires, LASTS, process.as_deref(), now) {
        Turn::Theirs
    } else {
        Turn::Open
    })
}

/// Takes or renews it, unless somebody alive has it; says whether this token has it now.
pub(super) fn take(
    connection: &Connection,
    source: i64,
    name: &str,
    token: &str,
    now: i64,
) -> Result<bool, Fault> {
    if look(connection, source, name, token, now)? == Turn::Theirs {
        return Ok(false);
    }
    connection.execute(
        "INSERT OR REPLACE INTO webhook_leases (source, name, token, expires_at, process)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        (source, name, token, now + LASTS, lease::this_process()),
    )?;
    Ok(true)
}

pub(super) fn give_up(connection: &Connection, source: i64, name: &str, token: &str) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM webhook_leases WHERE source = ?1 AND name = ?2 AND token = ?3",
        (source, name, token),
    )?;
    Ok(())
}
