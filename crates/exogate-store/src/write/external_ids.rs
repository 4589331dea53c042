//! The ids by which clients of the SCIM door know objects.

use rusqlite::Connection;

use super::ids;
use crate::error::Fault;

/// Sets the id that a client gave an object, or forgets it.
pub(crate) fn put(
    connection: &Connection,
    source: i64,
    id: &str,
    value: Option<&str>,
    now: i64,
) -> Result<(), Fault> {
    let (oid, _) = ids::intern(connection, source, id)?;
    match value {
        Some(value) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO external_ids (oid, source, value, at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((oid, source, value, now))?,
        // The row stays, so that the object is known to have changed.
        None => connection
            .prepare_cached("UPDATE external_ids SET value = NULL, at = ?2 WHERE oid = ?1")?
            .execute((oid, now))?,
    };
    Ok(())
}
