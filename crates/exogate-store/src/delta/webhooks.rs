//! How far each webhook was delivered, and what it could not be given.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::codec;
use crate::error::Fault;
use crate::read::feed;
use crate::rows::ChangeRecord;

/// Where a webhook stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookState {
    /// The last change that it was given, or that is a dead letter.
    pub sequence: i64,
    /// The last change of the message that is under way, if one is.
    pub until: Option<i64>,
    /// How often it failed in a row.
    pub failures: u32,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// Why it failed the last time.
    pub reason: Option<String>,
    /// Not before then.
    pub next_at: Timestamp,
    /// When something was delivered the last time.
    pub delivered_at: Option<Timestamp>,
}

impl WebhookState {
    /// One that begins with what comes after a change.
    pub fn new(sequence: i64, now: Timestamp) -> Self {
        Self {
            sequence,
            until: None,
            failures: 0,
            failing_since: None,
            reason: None,
            next_at: now,
            delivered_at: None,
        }
    }
}

/// A change that a webhook could not be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The change.
    pub sequence: i64,
    /// The message that it was part of.
    pub message: String,
    /// When it was given up.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last time failed.
    pub reason: String,
}

pub(super) fn one(connection: &Connection, source: i64, name: &str) -> Result<Option<WebhookState>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, until, failures, failing_since, reason, next_at, delivered_at
         FROM webhooks WHERE source = ?1 AND name = ?2",
    )?;
    let mut rows = statement.query((source, name))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(WebhookState {
        sequence: row.get(0)?,
        until: row.get(1)?,
        failures: row.get(2)?,
        failing_since: row.get::<_, Option<i64>>(3)?.map(codec::instant).transpose()?,
        reason: row.get(4)?,
        next_at: codec::instant(row.get(5)?)?,
        delivered_at: row.get::<_, Option<i64>>(6)?.map(codec::instant).transpose()?,
    }))
}

pub(super) fn put(
    connection: &Connection,
    source: i64,
    name: &str,
    state: &WebhookState,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO webhooks
                 (source, name, sequence, until, failures, failing_since, reason, next_at, delivered_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            source,
            name,
            state.sequence,
            state.until,
            state.failures,
            state.failing_since.map(Timestamp::as_millisecond),
            &state.reason,
            state.next_at.as_millisecond(),
            state.delivered_at.map(Timestamp::as_millisecond),
        ))?;
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
                "INSERT OR REPLACE INTO dead_letters (source, name, sequence, message, at, attempts, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                source,
                name,
                letter.sequence,
                &letter.message,
                letter.at.as_millisecond(),
                letter.attempts,
                &letter.reason,
            ))?;
    }
    Ok(())
}

pub(super) fn unbury(
    connection: &Connection,
    source: i64,
    name: &str,
    sequences: &[i64],
) -> Result<u64, Fault> {
    let gone = connection.execute(
        "DELETE FROM dead_letters WHERE source = ?1 AND name = ?2
             AND sequence IN (SELECT value FROM json_each(?3))",
        (source, name, codec::to_json("numbers of changes", &sequences)?),
    )?;
    Ok(gone as u64)
}

pub(super) fn dead(
    connection: &Connection,
    source: i64,
    name: &str,
) -> Result<Vec<(DeadLetter, ChangeRecord)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, message, at, attempts, reason FROM dead_letters
         WHERE source = ?1 AND name = ?2 ORDER BY sequence",
    )?;
    let mut rows = statement.query((source, name))?;
    let changes = feed::select(
        connection,
        "c.source = ?1 AND c.sequence IN (SELECT sequence FROM dead_letters WHERE source = ?1 AND name = ?2)",
        rusqlite::params![source, name],
    )?;
    let mut changes = changes.into_iter().peekable();
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        let letter = DeadLetter {
            sequence: row.get(0)?,
            message: row.get(1)?,
            at: codec::instant(row.get(2)?)?,
            attempts: row.get(3)?,
            reason: row.get(4)?,
        };
        // Both are in the order of the feed, and what the feed forgets is no dead letter any more.
        if let Some(change) = changes.next_if(|change| change.sequence == letter.sequence) {
            letters.push((letter, change));
        }
    }
    Ok(letters)
}

pub(super) fn dead_count(connection: &Connection, source: i64, name: &str) -> Result<u64, Fault> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM dead_letters WHERE source = ?1 AND name = ?2")?
        .query_row((source, name), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// How many changes come after one.
pub(super) fn behind(connection: &Connection, source: i64, sequence: i64) -> Result<u64, Fault> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM changes WHERE source = ?1 AND sequence > ?2")?
        .query_row((source, sequence), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
