//! Where the feed of changes stands, and what it does not tell: labels, and changes of shape.

use rusqlite::{Connection, OptionalExtension};

use super::feed;
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{FeedPosition, LabelMatch};

/// Where the feed stands.
pub(crate) fn position(connection: &Connection, source: i64) -> Result<FeedPosition, Fault> {
    let head = feed::end(connection, source)?;
    let run: Option<i64> = connection
        .prepare_cached("SELECT max(run) FROM runs WHERE source = ?1 AND state = 'completed'")?
        .query_row([source], |row| row.get(0))?;
    // A run that reads other attributes than the one before changes objects silently, until it ends;
    // and so does the first that reads a part completely.
    let mut shape: String = connection
        .prepare_cached(
            "SELECT run || ' ' || state FROM runs WHERE source = ?1 AND schema_changed = 1
             ORDER BY run DESC LIMIT 1",
        )?
        .query_row([source], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let mut settled =
        connection.prepare_cached("SELECT part FROM settled WHERE source = ?1 ORDER BY part")?;
    for part in settled.query_map([source], |row| row.get::<_, String>(0))? {
        shape.push('+');
        shape.push_str(&part?);
    }
    let users = codec::coverage_name(Part::Users.coverage());
    let complete = connection
        .prepare_cached("SELECT 1 FROM settled WHERE source = ?1 AND part = ?2")?
        .exists((source, users))?;
    Ok(FeedPosition { head, run: run.unwrap_or_default(), shape, complete })
}

/// The labels that came or went with runs after this one, those that went first.
pub(crate) fn relabelled(connection: &Connection, source: i64, run: i64) -> Result<Vec<LabelMatch>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, l.label, l.until_run IS NULL FROM labels l JOIN ids i ON i.oid = l.mailbox
         WHERE l.source = ?1 AND (l.since_run > ?2 OR l.until_run > ?2)
         ORDER BY l.until_run IS NULL, l.folded, i.id",
    )?;
    let found = statement
        .query_map((source, run), |row| {
            Ok(LabelMatch { mailbox: row.get(0)?, label: row.get(1)?, current: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}
