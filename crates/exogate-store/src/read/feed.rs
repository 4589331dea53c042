//! The feed of changes, as it is read.

use exogate_model::change::Author;
use rusqlite::{Connection, OptionalExtension, ToSql, params};

use crate::codec;
use crate::error::Fault;
use crate::rows::{ChangeRecord, Feed};

/// An author as stored; nothing is stored while nobody knows.
fn author(json: Option<String>) -> Result<Author, Fault> {
    json.map_or(Ok(Author::Unknown), |json| codec::from_json("who made a change", &json))
}

/// The changes after a sequence number, oldest first.
pub(crate) fn since(
    connection: &Connection,
    source: i64,
    since: i64,
    limit: usize,
) -> Result<Vec<ChangeRecord>, Fault> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let which = "c.source = ?1 AND c.sequence > ?2 ORDER BY c.sequence LIMIT ?3";
    rows(connection, which, params![source, since, limit])
}

/// The changes of one object, oldest first.
pub(crate) fn of_object(connection: &Connection, source: i64, id: &str) -> Result<Vec<ChangeRecord>, Fault> {
    select(connection, "c.source = ?1 AND c.id = ?2", params![source, codec::id(id)])
}

/// The changes that a condition selects, oldest first.
pub(crate) fn select(
    connection: &Connection,
    condition: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<ChangeRecord>, Fault> {
    rows(connection, &format!("{condition} ORDER BY c.sequence"), parameters)
}

fn rows(connection: &Connection, which: &str, parameters: &[&dyn ToSql]) -> Result<Vec<ChangeRecord>, Fault> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT c.sequence, c.object, c.id, c.name, c.happened, c.learnt, r.id, c.at, c.author
         FROM changes c JOIN runs r ON r.run = c.run WHERE {which}"
    ))?;
    let mut rows = statement.query(parameters)?;
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
            by: author(row.get(8)?)?,
            run: run.parse().map_err(|error: uuid::Error| Fault::unreadable("the id of a run", error))?,
            at: codec::instant(row.get(7)?)?,
        });
    }
    Ok(changes)
}

/// The changes after a cursor, or word that they are not kept any more.
pub(crate) fn read(connection: &Connection, source: i64, cursor: i64, limit: usize) -> Result<Feed, Fault> {
    if cursor < start(connection, source)? {
        return Ok(Feed::StartOver { cursor: end(connection, source)? });
    }
    Ok(Feed::Changes(since(connection, source, cursor, limit)?))
}

/// The sequence number of the last change that is not kept any more.
pub(crate) fn start(connection: &Connection, source: i64) -> Result<i64, Fault> {
    let floor: Option<i64> = connection
        .prepare_cached("SELECT sequence FROM feed_floors WHERE source = ?1")?
        .query_row([source], |row| row.get(0))
        .optional()?;
    Ok(floor.unwrap_or_default())
}

/// The newest sequence number, of changes forgotten since included.
pub(crate) fn end(connection: &Connection, source: i64) -> Result<i64, Fault> {
    Ok(connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(sequence) FROM changes WHERE source = ?1), 0),
                 coalesce((SELECT sequence FROM feed_floors WHERE source = ?1), 0))",
        )?
        .query_row([source], |row| row.get(0))?)
}
