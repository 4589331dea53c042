//! Accounts: users with their mailboxes, groups and grants.

use exogate_model::change::ObjectKind;
use exogate_model::group::MembershipRole;
use rusqlite::Connection;

use super::{found, grants, load, names, one_more, page, says};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{AccountRecord, Cursor, Found, GroupRef, Page};
use crate::write::ids;

/// Accounts in the order of UPN, then id.
pub(crate) fn list(
    connection: &Connection,
    source: i64,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AccountRecord>, Fault> {
    // Everybody who shares the last UPN is read again and cut off here: the index does not hold
    // ids, and the same UPN twice is rare.
    let (upn, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let mut statement = connection.prepare_cached(
        "SELECT u.oid FROM users u JOIN ids i ON i.oid = u.oid
         WHERE u.source = ?1 AND u.upn >= ?2 AND (u.upn > ?2 OR i.id > ?3)
         ORDER BY u.upn, i.id LIMIT ?4",
    )?;
    let oids = statement
        .query_map((source, upn, id, one_more(limit)), |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut items = Vec::with_capacity(oids.len());
    for oid in oids {
        items.extend(record(connection, source, oid)?);
    }
    Ok(page(items, limit, |account: &AccountRecord| Cursor {
        key: account.user.upn.clone(),
        id: account.user.id.clone(),
    }))
}

/// One account by id, UPN or mail address.
pub(crate) fn find(connection: &Connection, source: i64, who: &str) -> Result<Found<AccountRecord>, Fault> {
    let mut items = Vec::new();
    for oid in oids(connection, source, who)? {
        items.extend(record(connection, source, oid)?);
    }
    items.sort_by(|a, b| (&a.user.upn, &a.user.id).cmp(&(&b.user.upn, &b.user.id)));
    found(items, || names::nearest(connection, source, ObjectKind::User, who))
}

fn oids(connection: &Connection, source: i64, who: &str) -> Result<Vec<i64>, Fault> {
    if let Some(oid) = ids::find(connection, source, who)? {
        let is_user = connection.prepare_cached("SELECT 1 FROM users WHERE oid = ?1")?.exists([oid])?;
        if is_user {
            return Ok(vec![oid]);
        }
    }
    let quick = [
        "SELECT u.oid FROM users u JOIN ids i ON i.oid = u.oid WHERE u.source = ?1 AND u.upn = ?2 ORDER BY i.id",
        "SELECT m.oid FROM mailboxes m JOIN users u ON u.oid = m.oid JOIN ids i ON i.oid = m.oid
         WHERE m.source = ?1 AND m.primary_smtp = ?2 ORDER BY i.id",
    ];
    for sql in quick {
        let mut statement = connection.prepare_cached(sql)?;
        let oids = statement.query_map((source, who), |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        if !oids.is_empty() {
            return Ok(oids);
        }
    }
    // Mail addresses have no index: they are rarely asked for, and it would cost every run.
    let mut oids = Vec::new();
    if who.contains('@') {
        let folded = who.to_lowercase();
        let mut statement = connection.prepare_cached(
            "SELECT oid, mail FROM users NOT INDEXED WHERE source = ?1 AND mail IS NOT NULL ORDER BY oid",
        )?;
        let mut rows = statement.query([source])?;
        while let Some(row) = rows.next()? {
            if says(row, 1, &folded)? {
                oids.push(row.get(0)?);
            }
        }
    }
    Ok(oids)
}

pub(super) fn record(connection: &Connection, source: i64, oid: i64) -> Result<Option<AccountRecord>, Fault> {
    let Some((user, _)) = load::user(connection, oid)? else { return Ok(None) };
    let Some(read_at) = load::read_at(connection, Part::Users, source, oid)? else { return Ok(None) };
    let mailbox = load::mailbox(connection, oid)?.map(|(mailbox, _)| mailbox);
    let cas = if mailbox.is_some() { load::cas(connection, oid)? } else { None };
    Ok(Some(AccountRecord {
        user,
        read_at,
        mailbox,
        cas,
        groups: groups_of(connection, oid)?,
        grants: grants::held(connection, oid)?,
    }))
}

fn groups_of(connection: &Connection, member: i64) -> Result<Vec<GroupRef>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT g.id, g.display_name, g.kind FROM memberships m JOIN groups g ON g.oid = m.grp
         WHERE m.member = ?1 AND m.role = ?2 ORDER BY g.id",
    )?;
    let mut rows = statement.query((member, codec::role_number(MembershipRole::Member)))?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        groups.push(GroupRef {
            id: row.get(0)?,
            name: row.get(1)?,
            kind: codec::group_kind(&row.get::<_, String>(2)?)?,
        });
    }
    Ok(groups)
}
