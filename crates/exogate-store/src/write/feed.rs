//! Adding to the feed of changes.

use exogate_model::change::{Happened, Learnt, ObjectKind};
use rusqlite::{Connection, OptionalExtension};

use super::Context;
use crate::codec;
use crate::error::Fault;

/// Adds one entry.
pub(crate) fn add(
    connection: &Connection,
    context: &Context,
    object: ObjectKind,
    id: &str,
    name: &str,
    happened: &Happened,
) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO changes (source, run, at, object, id, name, learnt, happened, author)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            context.source,
            context.run,
            context.now,
            codec::object_number(object),
            id,
            name,
            context.learnt_json()?,
            codec::to_json("a change", happened)?,
            context.author_json()?,
        ))?;
    if context.learnt == Learnt::Provisioned {
        // Not of the run's making.
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE runs SET changes = changes + 1 WHERE run = ?1")?
        .execute([context.run])?;
    Ok(())
}

/// Whether there may be something that was learnt before an instant. Most looks find nothing that is old
/// enough, and one entry shows it.
pub(crate) fn begins_before(connection: &Connection, source: i64, before: i64) -> Result<bool, Fault> {
    let first: Option<i64> = connection
        .prepare_cached("SELECT at FROM changes WHERE source = ?1 ORDER BY sequence LIMIT 1")?
        .query_row([source], |row| row.get(0))
        .optional()?;
    Ok(first.is_some_and(|first| first < before))
}

/// Forgets what was learnt before an instant, and remembers how far that went.
pub(crate) fn forget(connection: &Connection, source: i64, before: i64) -> Result<u64, Fault> {
    if !begins_before(connection, source, before)? {
        return Ok(0);
    }
    let last: Option<i64> = connection.query_row(
        "SELECT max(sequence) FROM changes WHERE source = ?1 AND at < ?2",
        (source, before),
        |row| row.get(0),
    )?;
    let Some(last) = last else { return Ok(0) };
    // By sequence, not by time: a clock set back must not tear holes into the feed.
    let forgotten =
        connection.execute("DELETE FROM changes WHERE source = ?1 AND sequence <= ?2", (source, last))?;
    // A dead letter is a change, and lives no longer.
    connection.execute("DELETE FROM dead_letters WHERE source = ?1 AND sequence <= ?2", (source, last))?;
    connection.execute(
        "INSERT INTO feed_floors (source, sequence) VALUES (?1, ?2)
         ON CONFLICT (source) DO UPDATE SET sequence = max(sequence, excluded.sequence)",
        (source, last),
    )?;
    Ok(forgotten as u64)
}
