//! Where feeds of differences go on, and which pieces of the activity feed were read.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::error::Fault;
use crate::write::Context;

/// Where a feed goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    /// A link, an instant: whatever the feed goes on by.
    pub cursor: String,
    /// When it was written.
    pub at: Timestamp,
}

/// Content is kept for seven days; later it cannot come again.
const KEPT_MS: i64 = 9 * 24 * 60 * 60 * 1000;

pub(super) fn one(connection: &Connection, source: i64, feed: &str) -> Result<Option<FeedCursor>, Fault> {
    let found: Option<(String, i64)> = connection
        .prepare_cached("SELECT cursor, at FROM feed_cursors WHERE source = ?1 AND feed = ?2")?
        .query_row((source, feed), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(cursor, at)| Ok(FeedCursor { cursor, at: codec::instant(at)? })).transpose()
}

pub(super) fn advance(
    connection: &Connection,
    context: &Context,
    advanced: &[(String, String)],
) -> Result<(), Fault> {
    for (feed, cursor) in advanced {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO feed_cursors (source, feed, cursor, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((context.source, feed, cursor, context.now))?;
    }
    Ok(())
}

pub(super) fn unread(connection: &Connection, source: i64, ids: Vec<String>) -> Result<Vec<String>, Fault> {
    let mut known =
        connection.prepare_cached("SELECT 1 FROM activity_content WHERE source = ?1 AND id = ?2")?;
    let mut unread = Vec::new();
    for id in ids {
        if !known.exists((source, &id))? {
            unread.push(id);
        }
    }
    Ok(unread)
}

pub(super) fn keep_content(connection: &Connection, context: &Context, ids: &[String]) -> Result<(), Fault> {
    for id in ids {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO activity_content (source, id, seen_at) VALUES (?1, ?2, ?3)",
            )?
            .execute((context.source, id, context.now))?;
    }
    connection.execute(
        "DELETE FROM activity_content WHERE source = ?1 AND seen_at < ?2",
        (context.source, context.now - KEPT_MS),
    )?;
    Ok(())
}
