//! What exogate itself changed in the tenant: into the state and the feed at once, outside of any run.
//!
//! A run that is under way, or comes later, must neither announce it again nor take it for gone; so
//! it is stored as seen by the newest run and as announced already.

use exogate_model::account::Attributes;
use exogate_model::change::{Author, Happened, Learnt, ObjectKind};
use exogate_model::group::{MemberKind, MembershipRole};
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use exogate_model::value::AttributeValue;
use rusqlite::{Connection, OptionalExtension};

use super::object::Object;
use super::{Context, Outcome, feed, grants, ids, memberships, objects, settle_grants};
use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::read::load;
use crate::rows::{GroupExchangeRow, GroupRow, UserRow};

/// Which attributes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributesOf {
    /// Those of a user.
    User,
    /// Those of a mailbox.
    Mailbox,
    /// Client access attributes of a mailbox.
    Cas,
    /// Those that Entra has of a group.
    Group,
    /// Those that Exchange adds to a group.
    GroupExchange,
}

/// One change that exogate made.
#[derive(Debug, Clone)]
pub enum Provisioned {
    /// A right was given.
    Granted {
        /// Key of the mailbox.
        mailbox: String,
        /// Where the right is kept.
        facet: Facet,
        /// The right.
        right: Right,
        /// The trustee, as the tenant renders it if that is known.
        trustee: Trustee,
        /// Who it is.
        principal: Principal,
    },
    /// A right was taken.
    Revoked {
        /// Key of the mailbox.
        mailbox: String,
        /// Where the right was kept.
        facet: Facet,
        /// The right.
        right: Right,
        /// Id of the one who held it.
        principal: String,
    },
    /// Attributes have other values; those not named stay.
    Attributes {
        /// Which.
        of: AttributesOf,
        /// Id of the object.
        id: String,
        /// New values.
        values: Attributes,
        /// Those that have no value any more.
        cleared: Vec<String>,
    },
    /// Somebody is in a group now.
    Joined {
        /// Id of the group.
        group: String,
        /// As what.
        role: MembershipRole,
        /// Id of the member.
        member: String,
        /// What it is.
        kind: MemberKind,
    },
    /// Somebody is no longer in a group.
    Left {
        /// Id of the group.
        group: String,
        /// As what.
        role: MembershipRole,
        /// Id of the member.
        member: String,
    },
    /// A group was made.
    GroupMade {
        /// The group.
        group: Box<GroupRow>,
        /// What Exchange adds.
        exchange: Option<Box<GroupExchangeRow>>,
    },
    /// A user was made.
    UserMade {
        /// The user.
        user: Box<UserRow>,
    },
    /// A user was deleted.
    UserGone {
        /// Its id.
        id: String,
    },
    /// A group was deleted.
    GroupGone {
        /// Its id.
        id: String,
    },
}

/// Stores changes.
pub(crate) fn put(
    connection: &Connection,
    source: i64,
    changes: &[Provisioned],
    author: Author,
    now: i64,
) -> Result<(), Fault> {
    let run: Option<i64> = connection
        .prepare_cached("SELECT max(run) FROM runs WHERE source = ?1")?
        .query_row([source], |row| row.get(0))?;
    // Nothing was ever read: there is no state to keep up to date.
    let Some(run) = run else { return Ok(()) };
    let context =
        Context { learnt: Learnt::Provisioned, author, ..Context::new(connection, source, run, false, now)? };
    changes.iter().try_for_each(|change| put_one(connection, &context, change))
}

fn put_one(connection: &Connection, context: &Context, change: &Provisioned) -> Result<(), Fault> {
    match change {
        Provisioned::Granted { mailbox, facet, right, trustee, principal } => {
            granted(connection, context, (mailbox, *facet, right), trustee, principal)
        }
        Provisioned::Revoked { mailbox, facet, right, principal } => {
            revoked(connection, context, (mailbox, *facet, right), principal)
        }
        Provisioned::Attributes { of, id, values, cleared } => {
            attributes(connection, context, *of, id, values, cleared)
        }
        Provisioned::Joined { group, role, member, kind } => {
            joined(connection, context, (group, *role, member), *kind)
        }
        Provisioned::Left { group, role, member } => left(connection, context, (group, *role, member)),
        Provisioned::GroupMade { group, exchange } => made(connection, context, group, exchange.as_deref()),
        Provisioned::UserMade { user } => user_made(connection, context, user),
        Provisioned::UserGone { id } => user_gone(connection, context, id),
        Provisioned::GroupGone { id } => gone(connection, context, id),
    }
}

type Place<'a> = (&'a str, Facet, &'a Right);

/// The trustees under which somebody holds a right directly.
fn held(
    connection: &Connection,
    mailbox: i64,
    place: Place<'_>,
    principal: i64,
) -> Result<Vec<(i64, String)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT g.trustee, t.text FROM grants g JOIN trustees t ON t.trustee = g.trustee
         WHERE g.mailbox = ?1 AND g.facet = ?2 AND g.right = ?3 AND t.oid = ?4
             AND g.deny = 0 AND g.inherited = 0 AND g.gone_run IS NULL",
    )?;
    let key = (mailbox, codec::facet_number(place.1), place.2.name(), principal);
    Ok(statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

fn granted(
    connection: &Connection,
    context: &Context,
    place: Place<'_>,
    trustee: &Trustee,
    principal: &Principal,
) -> Result<(), Fault> {
    let Some(id) = principal.id() else { return Ok(()) };
    let (mailbox, _) = ids::intern(connection, context.source, place.0)?;
    let (oid, _) = ids::intern(connection, context.source, id)?;
    if !held(connection, mailbox, place, oid)?.is_empty() {
        return Ok(());
    }
    let (facet, right) = (place.1, place.2);
    grants::put_one(connection, context, mailbox, facet, right, trustee, (false, false))?;
    settle_grants::resolve(connection, context, trustee, principal)?;
    let settled = context.settled(Coverage::Grants(facet)).unwrap_or(context.run);
    connection
        .prepare_cached(
            "UPDATE grants SET first_run = min(first_run, ?4) WHERE mailbox = ?1 AND facet = ?2 AND right = ?3
                 AND trustee IN (SELECT trustee FROM trustees WHERE source = ?5 AND text = ?6 AND sid = ?7)",
        )?
        .execute((
            mailbox,
            codec::facet_number(facet),
            right.name(),
            settled,
            context.source,
            &trustee.text,
            trustee.sid.as_deref().unwrap_or_default(),
        ))?;
    let happened = Happened::Granted {
        right: right.name().to_owned(),
        trustee: trustee.text.clone(),
        principal: Some(id.to_owned()),
        deny: false,
    };
    tell(connection, context, Part::Mailboxes, ObjectKind::Mailbox, place.0, &happened)
}

fn revoked(
    connection: &Connection,
    context: &Context,
    place: Place<'_>,
    principal: &str,
) -> Result<(), Fault> {
    let Some(mailbox) = ids::find(connection, context.source, place.0)? else { return Ok(()) };
    let Some(oid) = ids::find(connection, context.source, principal)? else { return Ok(()) };
    let held = held(connection, mailbox, place, oid)?;
    for (trustee, _) in &held {
        connection
            .prepare_cached(
                "DELETE FROM grants WHERE mailbox = ?1 AND facet = ?2 AND right = ?3 AND trustee = ?4
                     AND deny = 0 AND inherited = 0",
            )?
            .execute((mailbox, codec::facet_number(place.1), place.2.name(), trustee))?;
    }
    let Some((_, text)) = held.into_iter().next() else { return Ok(()) };
    let happened = Happened::Revoked {
        right: place.2.name().to_owned(),
        trustee: text,
        principal: Some(principal.to_owned()),
        deny: false,
    };
    tell(connection, context, Part::Mailboxes, ObjectKind::Mailbox, place.0, &happened)
}

fn tell(
    connection: &Connection,
    context: &Context,
    part: Part,
    object: ObjectKind,
    id: &str,
    happened: &Happened,
) -> Result<(), Fault> {
    let name = match ids::find(connection, context.source, id)? {
        Some(oid) => objects::stored_name(connection, part, oid)?,
        None => String::new(),
    };
    feed::add(connection, context, object, &codec::id(id), &name, happened)
}

fn attributes(
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

fn joined(
    connection: &Connection,
    context: &Context,
    (group, role, member): (&str, MembershipRole, &str),
    kind: MemberKind,
) -> Result<(), Fault> {
    let (grp, _) = ids::intern(connection, context.source, group)?;
    let (oid, _) = ids::intern(connection, context.source, member)?;
    let key = (grp, codec::role_number(role), oid);
    if memberships::put_one(connection, context, key, codec::member_kind_number(kind))? != Outcome::Created {
        return Ok(());
    }
    let settled = context.settled(Coverage::Memberships).unwrap_or(context.run);
    connection
        .prepare_cached("UPDATE memberships SET first_run = ?4 WHERE grp = ?1 AND role = ?2 AND member = ?3")?
        .execute((key.0, key.1, key.2, settled))?;
    let happened = Happened::Joined { role: role_name(role), member: member.to_owned() };
    tell(connection, context, Part::Groups, ObjectKind::Group, group, &happened)
}

fn left(
    connection: &Connection,
    context: &Context,
    (group, role, member): (&str, MembershipRole, &str),
) -> Result<(), Fault> {
    let Some(grp) = ids::find(connection, context.source, group)? else { return Ok(()) };
    let Some(oid) = ids::find(connection, context.source, member)? else { return Ok(()) };
    let deleted = connection
        .prepare_cached("DELETE FROM memberships WHERE grp = ?1 AND role = ?2 AND member = ?3")?
        .execute((grp, codec::role_number(role), oid))?;
    if deleted == 0 {
        return Ok(());
    }
    let happened = Happened::Left { role: role_name(role), member: member.to_owned() };
    tell(connection, context, Part::Groups, ObjectKind::Group, group, &happened)
}

fn role_name(role: MembershipRole) -> String {
    match role {
        MembershipRole::Member => "member",
        MembershipRole::Owner => "owner",
    }
    .to_owned()
}

fn made(
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

fn user_made(connection: &Connection, context: &Context, user: &UserRow) -> Result<(), Fault> {
    let object = Object::User(user.clone()).prepare()?;
    if objects::put(connection, context, &object)? != Outcome::Created {
        return Ok(());
    }
    announced(connection, context, Part::Users, &user.id)?;
    feed::add(connection, context, ObjectKind::User, &codec::id(&user.id), &user.upn, &Happened::Created)
}

/// What else the tenant takes away with a user, the next run finds.
fn user_gone(connection: &Connection, context: &Context, id: &str) -> Result<(), Fault> {
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

fn gone(connection: &Connection, context: &Context, id: &str) -> Result<(), Fault> {
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
