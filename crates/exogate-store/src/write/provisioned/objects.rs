//! Users, mailboxes and groups that exogate made, changed or deleted.

use exogate_model::account::Attributes;
use exogate_model::change::{Happened, ObjectKind};
use exogate_model::value::AttributeValue;
use rusqlite::{Connection, OptionalExtension};

use super::super::object::Object;
use super::super::{Context, Outcome, feed, ids, objects};
use super::memberships::left;
use super::{AttributesOf, is_untold};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::read::load;
use crate::rows::{GroupExchangeRow, GroupRow, UserRow};

pub(super) fn attributes(
    connection: &Connection,
    context: &Context,
    of: AttributesOf,
    id: &str,
    values: &Attributes,
    cleared: &[String],
) -> Result<(), Fault> {
    let Some(oid) = ids::find(connection, context.source, id)? else { return Ok(()) };
    let change = |attributes: &mut Attributes| {
        attributes.retain(|name, _| !cleared.contains(name));
        attributes.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
    };
    let object = match of {
        AttributesOf::User => load::user(connection, oid)?.map(|(mut user, _)| {
            change(&mut user.attributes);
            let text = |name: &str| match values.get(name) {
                Some(AttributeValue::Text(text)) => Some(text.clone()),
                _ => None,
            };
            user.upn = text("userPrincipalName").unwrap_or(user.upn);
            user.display_name = text("displayName").or(user.display_name);
            if let Some(AttributeValue::Boolean(enabled)) = values.get("accountEnabled") {
                user.disabled = !enabled;
            }
            Object::User(user)
        }),
        AttributesOf::Mailbox => load::mailbox(connection, oid)?.map(|(mut mailbox, _)| {
            change(&mut mailbox.attributes);
            if let Some(AttributeValue::Text(name)) = values.get("EXO_DisplayName") {
                mailbox.display_name.clone_from(name);
            }
            Object::Mailbox(mailbox)
        }),
        AttributesOf::Cas => load::cas(connection, oid)?.map(|mut attributes| {
            change(&mut attributes);
            Object::Cas(id.to_owned(), attributes)
        }),
        AttributesOf::Group => load::group(connection, oid)?.map(|(mut group, _)| {
            change(&mut group.attributes);
            if let Some(AttributeValue::Text(name)) = values.get("displayName") {
                group.display_name.clone_from(name);
            }
            Object::Group(group)
        }),
        AttributesOf::GroupExchange => load::group_exchange(connection, oid)?.map(|mut group| {
            change(&mut group.attributes);
            Object::GroupExchange(group)
        }),
    };
    match object {
        Some(object) => objects::put(connection, context, &object.prepare()?).map(drop),
        None => Ok(()),
    }
}

pub(super) fn made(
    connection: &Connection,
    context: &Context,
    group: &GroupRow,
    exchange: Option<&GroupExchangeRow>,
) -> Result<(), Fault> {
    let object = Object::Group(group.clone()).prepare()?;
    if objects::put(connection, context, &object)? != Outcome::Created {
        return Ok(());
    }
    announced(connection, context, Part::Groups, &group.id)?;
    let id = codec::id(&group.id);
    feed::add(connection, context, ObjectKind::Group, &id, &group.display_name, &Happened::Created)?;
    if let Some(exchange) = exchange {
        // The addition is part of the making, not a modification.
        let quiet = Context { settled: std::collections::HashMap::new(), ..context.clone() };
        objects::put(connection, &quiet, &Object::GroupExchange(exchange.clone()).prepare()?)?;
        announced(connection, context, Part::GroupExchange, &group.id)?;
    }
    Ok(())
}

pub(super) fn user_made(connection: &Connection, context: &Context, user: &UserRow) -> Result<(), Fault> {
    let object = Object::User(user.clone()).prepare()?;
    if objects::put(connection, context, &object)? != Outcome::Created {
        return Ok(());
    }
    announced(connection, context, Part::Users, &user.id)?;
    feed::add(connection, context, ObjectKind::User, &codec::id(&user.id), &user.upn, &Happened::Created)
}

/// What else the tenant takes away with a user, the next run finds.
pub(super) fn user_gone(connection: &Connection, context: &Context, id: &str) -> Result<(), Fault> {
    let Some(oid) = ids::find(connection, context.source, id)? else { return Ok(()) };
    let Some((user, _)) = load::user(connection, oid)? else { return Ok(()) };
    leave(connection, context, oid)?;
    end(connection, context, Part::Users, (oid, id), &user.upn)?;
    forget(connection, context, Part::Users, oid)
}

/// Tells that an object is gone.
fn end(
    connection: &Connection,
    context: &Context,
    part: Part,
    (oid, id): (i64, &str),
    name: &str,
) -> Result<(), Fault> {
    let first_run: Option<i64> = connection
        .prepare_cached("SELECT first_run FROM marks WHERE part = ?1 AND source = ?2 AND oid = ?3")?
        .query_row((part.number(), context.source, oid), |row| row.get(0))
        .optional()?;
    let tell = |happened| feed::add(connection, context, part.object(), &codec::id(id), name, &happened);
    if first_run.is_some_and(|first_run| is_untold(context, part.coverage(), first_run)) {
        tell(Happened::Created)?;
    }
    tell(Happened::Deleted)
}

/// Takes what is gone out of the groups that it was in, and whoever was in it out of it.
fn leave(connection: &Connection, context: &Context, oid: i64) -> Result<(), Fault> {
    let places = connection
        .prepare_cached(
            "SELECT g.id, m.role, i.id FROM memberships m JOIN ids g ON g.oid = m.grp
                 JOIN ids i ON i.oid = m.member
             WHERE (m.member = ?1 OR m.grp = ?1) AND m.source = ?2 ORDER BY g.id, m.role, i.id",
        )?
        .query_map((oid, context.source), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(String, i64, String)>, _>>()?;
    for (group, role, member) in places {
        left(connection, context, (&group, codec::role(role)?, &member))?;
    }
    Ok(())
}

/// Forgets what a part holds of an object.
fn forget(connection: &Connection, context: &Context, part: Part, oid: i64) -> Result<(), Fault> {
    for sql in part.deletions("(?1)") {
        connection.execute(&sql, [oid])?;
    }
    connection.execute(
        "DELETE FROM marks WHERE part = ?1 AND source = ?2 AND oid = ?3",
        (part.number(), context.source, oid),
    )?;
    Ok(())
}

/// Marks an object as one that the feed knows.
fn announced(connection: &Connection, context: &Context, part: Part, id: &str) -> Result<(), Fault> {
    let Some(oid) = ids::find(connection, context.source, id)? else { return Ok(()) };
    let settled = context.settled(part.coverage()).unwrap_or(context.run);
    connection
        .prepare_cached("UPDATE marks SET first_run = ?4 WHERE part = ?1 AND source = ?2 AND oid = ?3")?
        .execute((part.number(), context.source, oid, settled))?;
    Ok(())
}

pub(super) fn gone(connection: &Connection, context: &Context, id: &str) -> Result<(), Fault> {
    let Some(oid) = ids::find(connection, context.source, id)? else { return Ok(()) };
    let name: Option<String> = connection
        .prepare_cached("SELECT display_name FROM groups WHERE oid = ?1")?
        .query_row([oid], |row| row.get(0))
        .optional()?;
    let Some(name) = name else { return Ok(()) };
    leave(connection, context, oid)?;
    end(connection, context, Part::Groups, (oid, id), &name)?;
    for part in [Part::Groups, Part::GroupExchange] {
        forget(connection, context, part, oid)?;
    }
    Ok(())
}
