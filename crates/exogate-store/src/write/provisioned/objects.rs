//! Users, mailboxes and groups that exogate made, changed or deleted.

use exogate_model::account::Attributes;
use exogate_model::change::{Happened, ObjectKind};
use exogate_model::value::AttributeValue;
use rusqlite::{Connection, OptionalExtension};

use super::super::object::Object;
use super::super::{Context, Outcome, feed, ids, objects};
use super::AttributesOf;
use super::memberships::left;
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
    feed::add(connection, context, ObjectKind::User, &codec::id(id), &user.upn, &Happened::Deleted)?;
    forget(connection, context, Part::Users, oid)?;
    connection.execute("DELETE FROM memberships WHERE member = ?1", [oid])?;
    Ok(())
}

/// Forgets what a part holds of an object.
fn forget(connection: &Connection, context: &Context, part: Part, oid: i64) -> Result<(), Fault> {
    for table in part.identity_table().into_iter().chain([part.attribute_table()]) {
        connection.execute(&format!("DELETE FROM {table} WHERE oid = ?1"), [oid])?;
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
    feed::add(connection, context, ObjectKind::Group, &codec::id(id), &name, &Happened::Deleted)?;
    for part in [Part::Groups, Part::GroupExchange] {
        forget(connection, context, part, oid)?;
    }
    connection.execute("DELETE FROM memberships WHERE grp = ?1", [oid])?;
    // It is gone from the groups that it was in as well.
    let places = connection
        .prepare_cached(
            "SELECT i.id, m.role FROM memberships m JOIN ids i ON i.oid = m.grp
             WHERE m.member = ?1 AND m.source = ?2",
        )?
        .query_map((oid, context.source), |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (group, role) in places {
        left(connection, context, (&group, codec::role(role)?, id))?;
    }
    Ok(())
}
