//! Members and owners of groups.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::{Context, Outcome, ids};
use crate::batch::BatchOutcome;
use crate::codec;
use crate::error::Fault;
use crate::rows::MembershipRow;

/// Stores the memberships of one batch.
pub(crate) fn put(
    connection: &Connection,
    context: &Context,
    rows: &[MembershipRow],
    outcome: &mut BatchOutcome,
) -> Result<(), Fault> {
    // A page names the same groups, and often the same members, again and again.
    let mut known: HashMap<&str, i64> = HashMap::new();
    let mut oid = |id| -> Result<i64, Fault> {
        if let Some(oid) = known.get(id) {
            return Ok(*oid);
        }
        let (oid, _) = ids::intern(connection, context.source, id)?;
        known.insert(id, oid);
        Ok(oid)
    };
    for row in rows {
        let key = (oid(&row.group)?, codec::role_number(row.role), oid(&row.member)?);
        outcome.count(put_one(connection, context, key, codec::member_kind_number(row.member_kind))?);
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
