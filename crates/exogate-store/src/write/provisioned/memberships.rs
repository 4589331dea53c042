//! Members and owners that exogate put into groups or took out.

use exogate_model::change::{Happened, ObjectKind};
use exogate_model::group::{MemberKind, MembershipRole};
use rusqlite::{Connection, OptionalExtension};

use super::super::{Context, Outcome, ids, memberships};
use super::{is_untold, tell};
use crate::batch::Coverage;
use crate::codec::{self, Part};
use crate::error::Fault;

pub(super) fn joined(
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

pub(super) fn left(
    connection: &Connection,
    context: &Context,
    (group, role, member): (&str, MembershipRole, &str),
) -> Result<(), Fault> {
    let Some(grp) = ids::find(connection, context.source, group)? else { return Ok(()) };
    let Some(oid) = ids::find(connection, context.source, member)? else { return Ok(()) };
    let first_run: Option<i64> = connection
        .prepare_cached(
            "DELETE FROM memberships WHERE grp = ?1 AND role = ?2 AND member = ?3 RETURNING first_run",
        )?
        .query_row((grp, codec::role_number(role), oid), |row| row.get(0))
        .optional()?;
    let Some(first_run) = first_run else { return Ok(()) };
    let (role, member) = (role_name(role), member.to_owned());
    let tell = |happened| tell(connection, context, Part::Groups, ObjectKind::Group, group, &happened);
    if is_untold(context, Coverage::Memberships, first_run) {
        tell(Happened::Joined { role: role.clone(), member: member.clone() })?;
    }
    tell(Happened::Left { role, member })
}

fn role_name(role: MembershipRole) -> String {
    match role {
        MembershipRole::Member => "member",
        MembershipRole::Owner => "owner",
    }
    .to_owned()
}
