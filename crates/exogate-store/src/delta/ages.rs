//! How old the facts are, and other looks at the whole of them.

use std::collections::HashMap;

use exogate_model::mailbox::MailboxKind;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::read::{load, mailboxes, one_more};
use crate::rows::{MailboxRef, UserRow};
use crate::write::ids;

/// How old the facts of a source are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ages {
    /// Mailboxes whose rights are governed.
    pub governed: u64,
    /// Of those, the ones whose permissions were never read.
    pub never_read: u64,
    /// When the permissions that were read longest ago were read.
    pub oldest_permission: Option<Timestamp>,
}

const PERMISSIONS: &str = "mailboxes m LEFT JOIN facet_reads f ON f.mailbox = m.oid AND f.facet = 1
     WHERE m.source = ?1 AND m.kind IN (SELECT value FROM json_each(?2))";

pub(super) fn of(connection: &Connection, source: i64, kinds: &[MailboxKind]) -> Result<Ages, Fault> {
    let sql = format!("SELECT count(*), count(*) - count(f.read_at), min(f.read_at) FROM {PERMISSIONS}");
    let (governed, never, oldest): (i64, i64, Option<i64>) = connection
        .prepare_cached(&sql)?
        .query_row((source, names(kinds)?), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Ages {
        governed: governed.unsigned_abs(),
        never_read: never.unsigned_abs(),
        oldest_permission: oldest.map(codec::instant).transpose()?,
    })
}

pub(super) fn oldest(
    connection: &Connection,
    source: i64,
    kinds: &[MailboxKind],
    limit: usize,
) -> Result<Vec<MailboxRef>, Fault> {
    let sql = format!("SELECT m.oid FROM {PERMISSIONS} ORDER BY coalesce(f.read_at, 0), m.oid LIMIT ?3");
    let oids = connection
        .prepare_cached(&sql)?
        .query_map((source, names(kinds)?, one_more(limit) - 1), |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut found = Vec::with_capacity(oids.len());
    for oid in oids {
        found.extend(mailboxes::reference_of(connection, oid)?);
    }
    Ok(found)
}

pub(super) fn settled(connection: &Connection, source: i64) -> Result<Vec<Coverage>, Fault> {
    let all = [
        Coverage::Users,
        Coverage::Mailboxes,
        Coverage::CasAttributes,
        Coverage::Groups,
        Coverage::DynamicGroups,
        Coverage::GroupExchange,
        Coverage::Memberships,
    ];
    let mut known = connection.prepare_cached("SELECT 1 FROM settled WHERE source = ?1 AND part = ?2")?;
    let mut settled = Vec::new();
    for part in all.into_iter().chain(Facet::ALL.map(Coverage::Grants)) {
        if known.exists((source, codec::coverage_name(part)))? {
            settled.push(part);
        }
    }
    Ok(settled)
}

/// When each part of a mailbox was last read; `None` for what was never read by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailboxReads {
    /// Its attributes, and who may send on its behalf.
    pub mailbox: Option<Timestamp>,
    /// Its client access settings.
    pub cas: Option<Timestamp>,
    /// Its permissions.
    pub permissions: Option<Timestamp>,
    /// Who may send as it.
    pub send_as: Option<Timestamp>,
}

pub(super) fn mailbox_reads(
    connection: &Connection,
    source: i64,
    keys: Vec<String>,
) -> Result<HashMap<String, MailboxReads>, Fault> {
    let mut read =
        connection.prepare_cached("SELECT read_at FROM facet_reads WHERE mailbox = ?1 AND facet = ?2")?;
    let mut reads = HashMap::with_capacity(keys.len());
    for key in keys {
        let Some(oid) = ids::find(connection, source, &key)? else { continue };
        let part = |part| load::read_at(connection, part, source, oid);
        let (mailbox, cas) = (part(Part::Mailboxes)?, part(Part::Cas)?);
        let mut facet = |facet| {
            let at = read.query_row((oid, codec::facet_number(facet)), |row| row.get(0)).optional()?;
            at.map(codec::instant).transpose()
        };
        let (permissions, send_as) = (facet(Facet::MailboxPermission)?, facet(Facet::SendAs)?);
        reads.insert(key, MailboxReads { mailbox, cas, permissions, send_as });
    }
    Ok(reads)
}

/// Of these users, those that are stored but that the feed of changes does not know yet.
pub(super) fn unannounced_users(
    connection: &Connection,
    source: i64,
    ids: Vec<String>,
) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM ids i JOIN marks k ON k.part = ?3 AND k.source = i.source AND k.oid = i.oid
         WHERE i.source = ?1 AND i.id = ?2
             AND k.first_run > (SELECT run FROM settled WHERE source = ?1 AND part = ?4)",
    )?;
    let (part, name) = (Part::Users.number(), codec::coverage_name(Coverage::Users));
    let mut unannounced = Vec::new();
    for id in ids {
        if statement.exists((source, codec::id(&id), part, name))? {
            unannounced.push(id);
        }
    }
    Ok(unannounced)
}

pub(super) fn mailbox_keys(connection: &Connection, source: i64) -> Result<Vec<String>, Fault> {
    of_part(connection, source, Part::Mailboxes)
}

pub(super) fn dynamic_groups(connection: &Connection, source: i64) -> Result<Vec<String>, Fault> {
    of_part(connection, source, Part::DynamicGroups)
}

fn of_part(connection: &Connection, source: i64, part: Part) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id FROM marks k JOIN ids i ON i.oid = k.oid WHERE k.part = ?1 AND k.source = ?2 ORDER BY i.id",
    )?;
    Ok(statement.query_map((part.number(), source), |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn names(kinds: &[MailboxKind]) -> Result<String, Fault> {
    let kinds: Vec<&str> = kinds.iter().map(MailboxKind::recipient_type_details).collect();
    codec::to_json("kinds of mailboxes", &kinds)
}

/// One scan; asked only when somebody is gone.
pub(super) fn users_with(
    connection: &Connection,
    source: i64,
    attribute: &str,
    value: &str,
) -> Result<Vec<UserRow>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT u.oid FROM users u JOIN user_attributes a ON a.place = u.place
         WHERE u.source = ?1 AND lower(json_extract(a.json, '$.' || ?2)) = lower(?3)",
    )?;
    let oids = statement
        .query_map((source, attribute, value), |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut users = Vec::with_capacity(oids.len());
    for oid in oids {
        users.extend(load::user(connection, oid)?.map(|(user, _)| user));
    }
    Ok(users)
}
