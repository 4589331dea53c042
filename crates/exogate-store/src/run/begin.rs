//! How a run begins, or is taken up again.

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::{RunRequest, RunState};
use crate::error::Fault;
use crate::{codec, lease};

/// A run that was begun or taken up.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) run: i64,
    pub(super) id: Uuid,
    pub(super) started: i64,
    pub(super) resumed: bool,
    pub(super) schema_changed: bool,
}

struct Latest {
    run: i64,
    id: String,
    scope: String,
    fingerprint: String,
    state: RunState,
    started: i64,
    schema_changed: bool,
}

/// Takes the lease and begins a run, or takes up the newest one.
pub(super) fn begin(
    connection: &Connection,
    source: (i64, &str),
    request: &RunRequest,
    token: &str,
    now: i64,
) -> Result<Begun, Fault> {
    lease::refuse_if_taken(connection, source, now)?;
    let latest = latest(connection, source.0)?;
    let begun = match latest {
        Some(latest) if is_resumable(&latest, request, now) => resume(connection, &latest, request)?,
        latest => {
            if let Some(latest) = latest.filter(|latest| latest.state == RunState::Running) {
                give_up(connection, latest.run, now)?;
            }
            start(connection, source.0, request, now)?
        }
    };
    lease::take(connection, source, begun.run, token, &request.holder, now)?;
    Ok(begun)
}

fn latest(connection: &Connection, source: i64) -> Result<Option<Latest>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT run, id, scope, fingerprint, state, started, schema_changed
         FROM runs WHERE source = ?1 ORDER BY run DESC LIMIT 1",
    )?;
    let mut rows = statement.query([source])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Latest {
        run: row.get(0)?,
        id: row.get(1)?,
        scope: row.get(2)?,
        fingerprint: row.get(3)?,
        state: codec::run_state(&row.get::<_, String>(4)?)?,
        started: row.get(5)?,
        schema_changed: row.get(6)?,
    }))
}

fn is_resumable(latest: &Latest, request: &RunRequest, now: i64) -> bool {
    let fresh = i64::try_from(request.fresh_for.as_millis()).unwrap_or(i64::MAX);
    latest.state != RunState::Completed
        && latest.scope == request.scope
        && latest.fingerprint == request.fingerprint
        && fresh > 0
        && now.saturating_sub(latest.started) <= fresh
}

fn resume(connection: &Connection, latest: &Latest, request: &RunRequest) -> Result<Begun, Fault> {
    connection.execute(
        "UPDATE runs SET state = ?2, finished = NULL, resumed = resumed + 1, who = ?3, host = ?4, pid = ?5,
             notes = '[]', streams = '[]'
         WHERE run = ?1",
        (latest.run, RunState::Running.name(), &request.holder.who, &request.holder.host, request.holder.pid),
    )?;
    Ok(Begun {
        run: latest.run,
        id: latest.id.parse().map_err(|error: uuid::Error| Fault::unreadable("the id of a run", error))?,
        started: latest.started,
        resumed: true,
        schema_changed: latest.schema_changed,
    })
}

fn give_up(connection: &Connection, run: i64, now: i64) -> Result<(), Fault> {
    connection.execute(
        "UPDATE runs SET state = ?2, finished = ?3,
             notes = json_insert(notes, '$[#]', 'did not end; given up for a newer run')
         WHERE run = ?1",
        (run, RunState::Stopped.name(), now),
    )?;
    Ok(())
}

fn start(connection: &Connection, source: i64, request: &RunRequest, now: i64) -> Result<Begun, Fault> {
    forget_checkpoints(connection, source)?;
    let before: Option<String> = connection
        .query_row(
            "SELECT fingerprint FROM runs WHERE source = ?1 AND state = ?2
             ORDER BY run DESC LIMIT 1",
            (source, RunState::Completed.name()),
            |row| row.get(0),
        )
        .optional()?;
    let schema_changed = before.is_some_and(|before| before != request.fingerprint);
    let id = new_id(now);
    connection.execute(
        "INSERT INTO runs (source, id, scope, fingerprint, schema_changed, state, started, who, host, pid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        (
            source,
            id.to_string(),
            &request.scope,
            &request.fingerprint,
            schema_changed,
            RunState::Running.name(),
            now,
            &request.holder.who,
            &request.holder.host,
            request.holder.pid,
        ),
    )?;
    let run = connection.last_insert_rowid();
    Ok(Begun { run, id, started: now, resumed: false, schema_changed })
}

/// Forgets where streams stood, but for where each stream last came to its end in a completed run:
/// that is where reading only the differences goes on.
fn forget_checkpoints(connection: &Connection, source: i64) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM checkpoints WHERE run IN (SELECT run FROM runs WHERE source = ?1)
             AND (run, stream) NOT IN (
                 SELECT max(r.run), c.stream FROM checkpoints c JOIN runs r ON r.run = c.run
                 WHERE r.source = ?1 AND r.state = ?2 AND c.done GROUP BY c.stream)",
        (source, RunState::Completed.name()),
    )?;
    Ok(())
}

/// A time-ordered id, of the time that was handed in.
fn new_id(now: i64) -> Uuid {
    let now = now.unsigned_abs();
    let nanoseconds = u32::try_from(now % 1000).unwrap_or_default() * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, now / 1000, nanoseconds))
}
