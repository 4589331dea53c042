//! The feed of changes, as it is read.

use rusqlite::Connection;

use crate::codec;
use crate::error::Fault;
use crate::rows::ChangeRecord;

/// The changes after a sequence number, oldest first.
pub(crate) fn since(
    connection: &Connection,
    source: i64,
    since: i64,
    limit: usize,
) -> Result<Vec<ChangeRecord>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT c.sequence, c.object, c.id, c.name, c.happened, c.learnt, r.id, c.at
         FROM changes c JOIN runs r ON r.run = c.run
         WHERE c.source = ?1 AND c.sequence > ?2 ORDER BY c.sequence LIMIT ?3",
    )?;
    let mut rows = statement.query((source, since, i64::try_from(limit).unwrap_or(i64::MAX)))?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let run: String = row.get(6)?;
        changes.push(ChangeRecord {
            sequence: row.get(0)?,
            object: codec::object(row.get(1)?)?,
            id: row.get(2)?,
            name: row.get(3)?,
            happened: codec::from_json("a change", &row.get::<_, String>(4)?)?,
            learnt: codec::from_json("how a change was learnt", &row.get::<_, String>(5)?)?,
            run: run.parse().map_err(|error: uuid::Error| Fault::unreadable("the id of a run", error))?,
            at: codec::instant(row.get(7)?)?,
        });
    }
    Ok(changes)
}
