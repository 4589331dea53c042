//! Objects that have to be read again, and when.

use exogate_model::change::ObjectKind;
use exogate_model::mailbox::MailboxKind;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::codec;
use crate::error::Fault;
use crate::read::one_more;
use crate::write::Context;

/// One object that waits to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What it is.
    pub object: ObjectKind,
    /// Its id.
    pub id: String,
    /// Which parts of it; what each bit means is the caller's affair. `None`: all of it.
    pub parts: Option<u8>,
    /// Why.
    pub reason: String,
    /// Not before then.
    pub due: Timestamp,
}

/// How much waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Objects.
    pub waiting: u64,
    /// Since when the first of them.
    pub since: Option<Timestamp>,
}

/// What waits already keeps its place, and is due when the later one is: the earlier reading would
/// not spare the later one. `NULL | bits` is NULL, all of it.
const AGAIN: &str = "ON CONFLICT (source, object, id)
    DO UPDATE SET due_at = max(due_at, excluded.due_at), parts = parts | excluded.parts";

/// Queues objects.
pub(super) fn queue(connection: &Connection, context: &Context, waiting: &[Waiting]) -> Result<(), Fault> {
    for one in waiting {
        connection
            .prepare_cached(&format!(
                "INSERT INTO backlog (source, object, id, reason, queued_at, due_at, parts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) {AGAIN}"
            ))?
            .execute((
                context.source,
                codec::object_number(one.object),
                codec::id(&one.id),
                &one.reason,
                context.now,
                one.due.as_millisecond(),
                one.parts,
            ))?;
    }
    Ok(())
}

pub(super) fn queue_all(
    connection: &Connection,
    source: i64,
    kinds: &[MailboxKind],
    (reason, parts): (&str, Option<u8>),
    now: i64,
) -> Result<u64, Fault> {
    let kinds: Vec<&str> = kinds.iter().map(MailboxKind::recipient_type_details).collect();
    let queued = connection.execute(
        &format!(
            "INSERT INTO backlog (source, object, id, reason, queued_at, due_at, parts)
             SELECT ?1, ?2, i.id, ?3, ?4, ?4, ?6 FROM mailboxes m JOIN ids i ON i.oid = m.oid
             WHERE m.source = ?1 AND m.kind IN (SELECT value FROM json_each(?5)) {AGAIN}"
        ),
        (
            source,
            codec::object_number(ObjectKind::Mailbox),
            reason,
            now,
            codec::to_json("kinds of mailboxes", &kinds)?,
            parts,
        ),
    )?;
    Ok(queued as u64)
}

/// Takes off what was read, as far as it was due and no other part of it waits.
pub(super) fn finish(
    connection: &Connection,
    context: &Context,
    done: &[(ObjectKind, String, Option<u8>)],
) -> Result<(), Fault> {
    for (object, id, parts) in done {
        connection
            .prepare_cached(
                "DELETE FROM backlog WHERE source = ?1 AND object = ?2 AND id = ?3 AND due_at <= ?4
                     AND (?5 IS NULL OR parts & ~?5 = 0)",
            )?
            .execute((context.source, codec::object_number(*object), codec::id(id), context.now, parts))?;
    }
    Ok(())
}

pub(super) fn due(
    connection: &Connection,
    source: i64,
    object: ObjectKind,
    now: i64,
    limit: usize,
) -> Result<Vec<Waiting>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, reason, due_at, parts FROM backlog WHERE source = ?1 AND object = ?2 AND due_at <= ?3
         ORDER BY queued_at, id LIMIT ?4",
    )?;
    // The limit of a page, less the one that tells whether there is another.
    let limit = one_more(limit) - 1;
    let mut rows = statement.query((source, codec::object_number(object), now, limit))?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        waiting.push(Waiting {
            object,
            id: row.get(0)?,
            parts: row.get(3)?,
            reason: row.get(1)?,
            due: codec::instant(row.get(2)?)?,
        });
    }
    Ok(waiting)
}

pub(super) fn summary(connection: &Connection, source: i64) -> Result<Backlog, Fault> {
    let (waiting, since): (i64, Option<i64>) = connection
        .prepare_cached("SELECT count(*), min(queued_at) FROM backlog WHERE source = ?1")?
        .query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Backlog { waiting: waiting.unsigned_abs(), since: since.map(codec::instant).transpose()? })
}
