//! Members and owners of groups.

use rusqlite::{Connection, OptionalExtension};

use super::memory::Memory;
use super::together::Together;
use super::{Context, Outcome};
use crate::batch::{BatchOutcome, Coverage};
use crate::codec;
use crate::error::Fault;
use crate::rows::MembershipRow;

/// Stores the memberships of one batch.
pub(crate) fn put(
    connection: &Connection,
    memory: &mut Memory,
    context: &Context,
    rows: &[MembershipRow],
    outcome: &mut BatchOutcome,
) -> Result<(), Fault> {
    let fresh = context.is_fresh(Coverage::Memberships);
    let mut keys = Vec::with_capacity(rows.len());
    let mut group: Option<(&str, i64)> = None;
    for row in rows {
        // Members of a group come one after the other.
        let grp = match group {
            Some((id, oid)) if id == row.group => oid,
            _ => memory.intern(connection, context.source, &row.group, fresh)?.0,
        };
        group = Some((&row.group, grp));
        let (member, _) = memory.intern(connection, context.source, &row.member, fresh)?;
        let kind = codec::member_kind_number(row.member_kind);
        keys.push(((grp, codec::role_number(row.role), member), kind));
    }
    if fresh {
        // In the order of the table; of two that say the same, the later one still counts.
        keys.sort_by_key(|(key, _)| *key);
        return put_new(connection, context, &keys, outcome);
    }
    for (key, kind) in keys {
        outcome.count(put_one(connection, context, key, kind)?);
    }
    Ok(())
}

/// Group, role, member; kind of the member.
type Keyed = ((i64, i64, i64), i64);

/// Stores memberships that are probably new, sorted.
fn put_new(
    connection: &Connection,
    context: &Context,
    keys: &[Keyed],
    outcome: &mut BatchOutcome,
) -> Result<(), Fault> {
    let mut insertion = Together::new(
        connection,
        "INSERT OR IGNORE INTO memberships (grp, role, member, kind, source, first_run, seen_run) VALUES {rows}",
        "($, $, $, $, ?1, ?2, ?2)",
        &[context.source, context.run],
    )?;
    for together in keys.chunks(Together::MOST) {
        let added = insertion.put(together, |((grp, role, member), kind), values| {
            [grp, role, member, kind].into_iter().try_for_each(|value| values.add(value))
        })?;
        outcome.created += added as u64;
        if added < together.len() {
            // Some were known. Those that were not are now, and are as they should be.
            let mut changed = 0;
            for (key, kind) in together {
                changed += usize::from(put_one(connection, context, *key, *kind)? == Outcome::Changed);
            }
            outcome.changed += changed as u64;
            outcome.unchanged += together.len().saturating_sub(added + changed) as u64;
        }
    }
    Ok(())
}

pub(crate) fn put_one(
    connection: &Connection,
    context: &Context,
    (group, role, member): (i64, i64, i64),
    kind: i64,
) -> Result<Outcome, Fault> {
    let seen: Option<(i64, i64)> = connection
        .prepare_cached(
            "SELECT seen_run, kind FROM memberships WHERE grp = ?1 AND role = ?2 AND member = ?3",
        )?
        .query_row((group, role, member), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match seen {
        None => {
            connection
                .prepare_cached(
                    "INSERT INTO memberships (grp, role, member, kind, source, first_run, seen_run)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                )?
                .execute((group, role, member, kind, context.source, context.run))?;
            Ok(Outcome::Created)
        }
        Some(seen) if seen == (context.run, kind) => Ok(Outcome::Unchanged),
        Some((_, known_kind)) => {
            connection
                .prepare_cached(
                    "UPDATE memberships SET seen_run = ?4, kind = ?5
                     WHERE grp = ?1 AND role = ?2 AND member = ?3",
                )?
                .execute((group, role, member, context.run, kind))?;
            Ok(if known_kind == kind { Outcome::Unchanged } else { Outcome::Changed })
        }
    }
}
