//! Runs as they are on record.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{Holder, RunRecord, StreamResult};
use crate::batch::BatchOutcome;
use crate::error::Fault;
use crate::{codec, lease};

const COLUMNS: &str = "run, id, scope, state, started, finished, who, host, pid, resumed, created, changed, \
                       unchanged, deleted, changes, streams, notes";

/// The newest runs of a source, newest first; with an id, those before that run.
pub(crate) fn newest(
    connection: &Connection,
    source: i64,
    before: Option<Uuid>,
    limit: usize,
    now: i64,
) -> Result<Vec<RunRecord>, Fault> {
    let sql = format!(
        "SELECT {COLUMNS} FROM runs WHERE source = ?1
             AND (?3 IS NULL OR run < (SELECT run FROM runs WHERE source = ?1 AND id = ?3))
         ORDER BY run DESC LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((source, limit, before.map(|id| id.to_string())))?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(record(connection, row, now)?);
    }
    Ok(runs)
}

/// One run.
pub(crate) fn one(
    connection: &Connection,
    source: i64,
    id: Uuid,
    now: i64,
) -> Result<Option<RunRecord>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE source = ?1 AND id = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((source, id.to_string()))?;
    rows.next()?.map(|row| record(connection, row, now)).transpose()
}

fn record(connection: &Connection, row: &Row<'_>, now: i64) -> Result<RunRecord, Fault> {
    let id: String = row.get(1)?;
    let count = |column| -> Result<u64, Fault> { Ok(row.get::<_, i64>(column)?.unsigned_abs()) };
    let mut streams: Vec<StreamResult> =
        codec::from_json("the streams of a run", &row.get::<_, String>(15)?)?;
    if streams.is_empty() {
        streams = so_far(connection, row.get(0)?)?;
    }
    Ok(RunRecord {
        id: id.parse().map_err(|error: uuid::Error| Fault::unreadable("the id of a run", error))?,
        scope: row.get(2)?,
        state: codec::run_state(&row.get::<_, String>(3)?)?,
        alive: lease::holds(connection, row.get(0)?, now)?,
        started: codec::instant(row.get(4)?)?,
        finished: row.get::<_, Option<i64>>(5)?.map(codec::instant).transpose()?,
        holder: Holder { who: row.get(6)?, host: row.get(7)?, pid: row.get(8)? },
        resumed: row.get(9)?,
        outcome: BatchOutcome { created: count(10)?, changed: count(11)?, unchanged: count(12)? },
        deleted: count(13)?,
        changes: count(14)?,
        streams,
        notes: codec::from_json("the notes of a run", &row.get::<_, String>(16)?)?,
    })
}

/// How far the streams of a run have come that is not at its end, by their checkpoints.
fn so_far(connection: &Connection, run: i64) -> Result<Vec<StreamResult>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT stream, done, pages, objects FROM checkpoints WHERE run = ?1 ORDER BY stream",
    )?;
    let streams = statement.query_map([run], |row| {
        Ok(StreamResult {
            stream: row.get(0)?,
            complete: row.get(1)?,
            pages: row.get::<_, i64>(2)?.unsigned_abs(),
            objects: row.get::<_, i64>(3)?.unsigned_abs(),
            error: None,
        })
    })?;
    Ok(streams.collect::<Result<_, _>>()?)
}
