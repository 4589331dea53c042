//! Users, mailboxes, groups and what Exchange adds to them: stored if they differ, marked as seen
//! in any case.

use exogate_model::account::Attributes;
use exogate_model::change::{self, AttributeChange, Happened};
use rusqlite::{Connection, OptionalExtension};

use super::object::{Object, Prepared};
use super::statements::Statements;
use super::{Context, Outcome, feed, ids};
use crate::codec::Part;
use crate::error::Fault;

struct Mark {
    hash: Vec<u8>,
    first_run: i64,
    seen_run: i64,
}

/// Stores one object.
pub(crate) fn put(connection: &Connection, context: &Context, prepared: &Prepared) -> Result<Outcome, Fault> {
    let known = ids::intern(connection, context.source, &prepared.id)?;
    put_of(&mut Statements::new(connection), context, prepared, known)
}

/// Stores one object whose integer is known, and whether that is new.
pub(crate) fn put_of(
    statements: &mut Statements<'_>,
    context: &Context,
    prepared: &Prepared,
    (oid, is_new): (i64, bool),
) -> Result<Outcome, Fault> {
    let connection = statements.connection;
    let part = prepared.object.part();
    let is_probably_new = is_new || context.is_fresh(part.coverage());
    if is_probably_new && add_mark(statements, context, prepared, oid)? {
        return created(statements, context, prepared, oid);
    }
    let Some(mark) = mark(connection, context.source, part, oid)? else {
        add_mark(statements, context, prepared, oid)?;
        return created(statements, context, prepared, oid);
    };
    if mark.hash == prepared.hash {
        if mark.seen_run != context.run {
            see(connection, context, part, oid, &prepared.hash)?;
        }
        return Ok(Outcome::Unchanged);
    }
    if is_told(connection, context, part, oid, mark.first_run)? {
        announce_difference(connection, context, prepared, oid)?;
    }
    prepared.object.store(statements, (context.source, oid), &prepared.json)?;
    see(connection, context, part, oid, &prepared.hash)?;
    Ok(Outcome::Changed)
}

/// Marks an object as seen for the first time; whether it is.
fn add_mark(
    statements: &mut Statements<'_>,
    context: &Context,
    prepared: &Prepared,
    oid: i64,
) -> Result<bool, Fault> {
    let part = prepared.object.part().number();
    let added =
        statements.mark()?.execute((part, context.source, oid, prepared.hash, context.run, context.now))?;
    Ok(added > 0)
}

/// Stores an object of which nothing is stored but perhaps a mark.
pub(crate) fn created(
    statements: &mut Statements<'_>,
    context: &Context,
    prepared: &Prepared,
    oid: i64,
) -> Result<Outcome, Fault> {
    prepared.object.store(statements, (context.source, oid), &prepared.json)?;
    if base(prepared.object.part()).is_some() {
        announce_addition(statements.connection, context, prepared, oid)?;
    }
    Ok(Outcome::Created)
}

fn see(connection: &Connection, context: &Context, part: Part, oid: i64, hash: &[u8]) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "UPDATE marks SET hash = ?4, seen_run = ?5, read_at = ?6
             WHERE part = ?1 AND source = ?2 AND oid = ?3",
        )?
        .execute((part.number(), context.source, oid, hash, context.run, context.now))?;
    Ok(())
}

fn mark(connection: &Connection, source: i64, part: Part, oid: i64) -> Result<Option<Mark>, Fault> {
    Ok(connection
        .prepare_cached(
            "SELECT hash, first_run, seen_run FROM marks WHERE part = ?1 AND source = ?2 AND oid = ?3",
        )?
        .query_row((part.number(), source, oid), |row| {
            Ok(Mark { hash: row.get(0)?, first_run: row.get(1)?, seen_run: row.get(2)? })
        })
        .optional()?)
}

/// The parts that the object itself may be of, if this part only adds attributes to it.
fn base(part: Part) -> Option<&'static [Part]> {
    match part {
        Part::Cas => Some(&[Part::Mailboxes]),
        Part::GroupExchange => Some(&[Part::Groups, Part::DynamicGroups]),
        Part::Users | Part::Mailboxes | Part::Groups | Part::DynamicGroups => None,
    }
}

/// Whether the feed knows what is stored of an object. What only adds attributes to it is known with
/// the object: it was told as a modification when it came.
pub(crate) fn is_told(
    connection: &Connection,
    context: &Context,
    part: Part,
    oid: i64,
    first_run: i64,
) -> Result<bool, Fault> {
    let Some(bases) = base(part) else { return Ok(context.is_announced(part.coverage(), first_run)) };
    if context.settled(part.coverage()).is_none() {
        return Ok(false);
    }
    for part in bases {
        let mark = mark(connection, context.source, *part, oid)?;
        if mark.is_some_and(|mark| context.is_announced(part.coverage(), mark.first_run)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Attributes that come to an object which the feed knows are a modification of it.
fn announce_addition(
    connection: &Connection,
    context: &Context,
    prepared: &Prepared,
    oid: i64,
) -> Result<(), Fault> {
    if is_told(connection, context, prepared.object.part(), oid, context.run)? {
        modified(connection, context, prepared, oid, &Attributes::new())?;
    }
    Ok(())
}

fn announce_difference(
    connection: &Connection,
    context: &Context,
    prepared: &Prepared,
    oid: i64,
) -> Result<(), Fault> {
    let before = prepared.object.stored(connection, oid)?;
    let before = before.as_ref().map(Object::comparable).unwrap_or_default();
    modified(connection, context, prepared, oid, &before)
}

fn modified(
    connection: &Connection,
    context: &Context,
    prepared: &Prepared,
    oid: i64,
    before: &Attributes,
) -> Result<(), Fault> {
    let mut attributes = change::diff(before, &prepared.comparable()?);
    if context.schema_changed {
        attributes.retain(|AttributeChange { before, after, .. }| before.is_some() && after.is_some());
    }
    if attributes.is_empty() {
        return Ok(());
    }
    let name = match prepared.object.name() {
        Some(name) => name.to_owned(),
        None => stored_name(connection, prepared.object.part(), oid)?,
    };
    let object = prepared.object.part().object();
    feed::add(connection, context, object, &prepared.id, &name, &Happened::Modified { attributes })
}

/// What the object is called by the part that names it.
pub(crate) fn stored_name(connection: &Connection, part: Part, oid: i64) -> Result<String, Fault> {
    let sql = match part {
        Part::Users => "SELECT upn FROM users WHERE oid = ?1",
        Part::Mailboxes | Part::Cas => "SELECT display_name FROM mailboxes WHERE oid = ?1",
        Part::Groups | Part::DynamicGroups | Part::GroupExchange => {
            "SELECT display_name FROM groups WHERE oid = ?1"
        }
    };
    let name: Option<String> =
        connection.prepare_cached(sql)?.query_row([oid], |row| row.get(0)).optional()?;
    Ok(name.unwrap_or_default())
}
