//! How far each webhook was delivered, and what it could not be given.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::error::Fault;

/// Where a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookState {
    /// The last change that it was given, or that is a dead letter.
    pub sequence: i64,
    /// How often the next one failed in a row.
    pub failures: u32,
    /// Not before then.
    pub next_at: Timestamp,
}

/// A change that a webhook could not be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The change.
    pub sequence: i64,
    /// When it was given up.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last time failed.
    pub reason: String,
}

pub(super) fn one(connection: &Connection, source: i64, name: &str) -> Result<Option<WebhookState>, Fault> {
    let row: Option<(i64, u32, i64)> = connection
        .prepare_cached("SELECT sequence, failures, next_at FROM webhooks WHERE source = ?1 AND name = ?2")?
        .query_row((source, name), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    row.map(|(sequence, failures, next_at)| {
        Ok(WebhookState { sequence, failures, next_at: codec::instant(next_at)? })
    })
    .transpose()
}

pub(super) fn put(
    connection: &Connection,
    source: i64,
    name: &str,
    state: &WebhookState,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO webhooks (source, name, sequence, failures, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((source, name, state.sequence, state.failures, state.next_at.as_millisecond()))?;
    Ok(())
}

pub(super) fn bury(
    connection: &Connection,
    source: i64,
    name: &str,
    letters: &[DeadLetter],
) -> Result<(), Fault> {
    for letter in letters {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO dead_letters (source, name, sequence, at, attempts, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                source,
                name,
                letter.sequence,
                letter.at.as_millisecond(),
                letter.attempts,
                &letter.reason,
            ))?;
    }
    Ok(())
}

pub(super) fn dead(connection: &Connection, source: i64, name: &str) -> Result<Vec<DeadLetter>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, attempts, reason FROM dead_letters WHERE source = ?1 AND name = ?2
         ORDER BY sequence",
    )?;
    let mut rows = statement.query((source, name))?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        letters.push(DeadLetter {
            sequence: row.get(0)?,
            at: codec::instant(row.get(1)?)?,
            attempts: row.get(2)?,
            reason: row.get(3)?,
        });
    }
    Ok(letters)
}
