//! Members and owners of groups.

use rusqlite::{Connection, OptionalExtension};

use super::ids::Lately;
use super::{Context, Outcome};
use crate::batch::{BatchOutcome, Coverage};
use crate::codec;
use crate::error::Fault;
use crate::rows::MembershipRow;

/// Stores the memberships of one batch.
pub(crate) fn put(
    connection: &Connection,
    lately: &mut Lately,
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
            _ => lately.intern(connection, context.source, &row.group, fresh)?.0,
        };
        group = Some((&row.group, grp));
        let (member, _) = lately.intern(connection, context.source, &row.member, fresh)?;
        let kind = codec::member_kind_number(row.member_kind);
        keys.push(((grp, codec::role_number(row.role), member), kind));
    }
    if fresh {
        // In the order of the table; of two that say the same, the later one still counts.
        keys.sort_by_key(|(key, _)| *key);
        let mut add = connection.prepare_cached(
            "INSERT OR IGNORE INTO memberships (grp, role, member, kind, source, first_run, seen_run)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        )?;
        let mut known = Vec::new();
        for ((grp, role, member), kind) in keys {
            if add.execute((grp, role, member, kind, context.source, context.run))? > 0 {
                outcome.count(Outcome::Created);
            } else {
                known.push(((grp, role, member), kind));
            }
        }
        keys = known;
    }
    for (key, kind) in keys {
        outcome.count(put_one(connection, context, key, kind)?);
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
