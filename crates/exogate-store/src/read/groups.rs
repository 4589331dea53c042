//! Groups with their members and owners, and memberships in either direction.

use exogate_model::change::ObjectKind;
use exogate_model::group::{Member, MembershipRole};
use rusqlite::Connection;

use super::selection::Parties;
use super::{found, load, names, one_more, page, says};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{Cursor, Found, GroupRecord, MembershipRow, Page};
use crate::write::ids;

/// Groups in the order of display name, then id.
pub(crate) fn list(
    connection: &Connection,
    source: i64,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<GroupRecord>, Fault> {
    let (name, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let mut statement = connection.prepare_cached(
        "SELECT oid FROM groups WHERE source = ?1 AND (display_name, id) > (?2, ?3)
         ORDER BY display_name, id LIMIT ?4",
    )?;
    let oids = statement
        .query_map((source, name, id, one_more(limit)), |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut items = Vec::with_capacity(oids.len());
    for oid in oids {
        items.extend(record(connection, source, oid, Parties::Read)?);
    }
    Ok(page(items, limit, |group: &GroupRecord| Cursor {
        key: group.group.display_name.clone(),
        id: group.group.id.clone(),
    }))
}

/// One group by id, mail address or display name; the first of these that any group bears decides.
pub(crate) fn find(connection: &Connection, source: i64, text: &str) -> Result<Found<GroupRecord>, Fault> {
    let mut items = Vec::new();
    if let Some(oid) = ids::find(connection, source, text)? {
        items.extend(record(connection, source, oid, Parties::Read)?);
    }
    if items.is_empty() {
        for oid in by_name(connection, source, text)? {
            items.extend(record(connection, source, oid, Parties::Read)?);
        }
    }
    found(items, || names::nearest(connection, source, ObjectKind::Group, text))
}

fn by_name(connection: &Connection, source: i64, text: &str) -> Result<Vec<i64>, Fault> {
    let folded = text.to_lowercase();
    let (mut by_mail, mut by_name) = (Vec::new(), Vec::new());
    let mut statement = connection.prepare_cached(
        "SELECT oid, mail, display_name FROM groups WHERE source = ?1 ORDER BY display_name, id",
    )?;
    let mut rows = statement.query([source])?;
    while let Some(row) = rows.next()? {
        if says(row, 1, &folded)? {
            by_mail.push(row.get(0)?);
        }
        if says(row, 2, &folded)? {
            by_name.push(row.get(0)?);
        }
    }
    Ok(if by_mail.is_empty() { by_name } else { by_mail })
}

pub(super) fn record(
    connection: &Connection,
    source: i64,
    oid: i64,
    parties: Parties,
) -> Result<Option<GroupRecord>, Fault> {
    let Some((group, _)) = load::group(connection, oid)? else { return Ok(None) };
    let part = Part::of_group(group.kind);
    let Some(read_at) = load::read_at(connection, part, source, oid)? else { return Ok(None) };
    let of_role = |role| match parties {
        Parties::Read => members(connection, oid, role),
        Parties::LeftOut => Ok(Vec::new()),
    };
    Ok(Some(GroupRecord {
        group,
        exchange: load::group_exchange(connection, oid)?,
        members: of_role(MembershipRole::Member)?,
        owners: of_role(MembershipRole::Owner)?,
        read_at,
    }))
}

/// A number that differs when the members or owners of a group do: one walk over an index.
pub(super) fn tally(connection: &Connection, group: i64) -> Result<i64, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) + coalesce(sum((member + role * 7919) * 2654435761 % 4294967291), 0) * 64
         FROM memberships WHERE grp = ?1",
    )?;
    Ok(statement.query_row([group], |row| row.get(0))?)
}

fn members(connection: &Connection, group: i64, role: MembershipRole) -> Result<Vec<Member>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, m.kind FROM memberships m JOIN ids i ON i.oid = m.member
         WHERE m.grp = ?1 AND m.role = ?2 ORDER BY i.id",
    )?;
    let mut rows = statement.query((group, codec::role_number(role)))?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        members.push(Member { id: row.get(0)?, kind: codec::member_kind(row.get(1)?)? });
    }
    Ok(members)
}

/// Memberships from one end: of these groups, or of these members.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Groups,
    Members,
}

/// The memberships that these ids have at one end, sorted.
pub(crate) fn memberships(
    connection: &Connection,
    source: i64,
    end: End,
    ids: &[String],
    role: MembershipRole,
) -> Result<Vec<MembershipRow>, Fault> {
    let column = match end {
        End::Groups => "m.grp",
        End::Members => "m.member",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT g.id, m.role, i.id, m.kind FROM memberships m
             JOIN ids g ON g.oid = m.grp JOIN ids i ON i.oid = m.member
         WHERE {column} = ?1 AND m.role = ?2"
    ))?;
    let mut found = Vec::new();
    for id in ids {
        let Some(oid) = ids::find(connection, source, id)? else { continue };
        let mut rows = statement.query((oid, codec::role_number(role)))?;
        while let Some(row) = rows.next()? {
            found.push(MembershipRow {
                group: row.get(0)?,
                role: codec::role(row.get(1)?)?,
                member: row.get(2)?,
                member_kind: codec::member_kind(row.get(3)?)?,
            });
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
