//! One integer for every object id of a source.

use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::error::Fault;

/// The integer of an id, if it has one.
pub(crate) fn find(connection: &Connection, source: i64, id: &str) -> Result<Option<i64>, Fault> {
    Ok(connection
        .prepare_cached("SELECT oid FROM ids WHERE source = ?1 AND id = ?2")?
        .query_row((source, codec::id(id)), |row| row.get(0))
        .optional()?)
}

/// The integer of an id; it gets one if it has none. Says whether it is new.
pub(crate) fn intern(connection: &Connection, source: i64, id: &str) -> Result<(i64, bool), Fault> {
    if let Some(oid) = find(connection, source, id)? {
        return Ok((oid, false));
    }
    connection
        .prepare_cached("INSERT INTO ids (source, id) VALUES (?1, ?2)")?
        .execute((source, codec::id(id)))?;
    Ok((connection.last_insert_rowid(), true))
}
