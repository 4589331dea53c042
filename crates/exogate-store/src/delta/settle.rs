//! The end of a run that read single objects: what is new, gone or different of *these* goes into
//! the feed, and each is marked as known to it. Everything else stays as it is.

use exogate_model::change::{Happened, Learnt, ObjectKind};
use rusqlite::{Connection, OptionalExtension};

use super::{Named, Settlement};
use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::MembershipRow;
use crate::write::{Context, feed, ids, labels, objects, settle as whole, settle_grants};

pub(super) fn settle(
    connection: &Connection,
    context: &Context,
    settlement: &Settlement,
) -> Result<(), Fault> {
    clear_touched(connection)?;
    whole::clear_doomed(connection)?;
    for named in &settlement.gone {
        doom(connection, context, named)?;
    }
    announce_new(connection, context, &settlement.seen)?;
    settle_facets(connection, context, settlement)?;
    memberships(connection, context, settlement)?;
    for named in &settlement.gone {
        remove(connection, context, named)?;
    }
    if let Some(kinds) = &settlement.labels {
        labels::relabel(connection, context, kinds, labels::Of::All)?;
    }
    whole::clear_doomed(connection)?;
    connection.execute_batch("DELETE FROM temp.touched")?;
    Ok(())
}

fn with(context: &Context, learnt: Learnt) -> Context {
    context.learning(learnt)
}

fn first_run(connection: &Connection, context: &Context, part: Part, oid: i64) -> Result<Option<i64>, Fault> {
    Ok(connection
        .prepare_cached("SELECT first_run FROM marks WHERE part = ?1 AND source = ?2 AND oid = ?3")?
        .query_row((part.number(), context.source, oid), |row| row.get(0))
        .optional()?)
}

fn doom(connection: &Connection, context: &Context, named: &Named) -> Result<(), Fault> {
    let Some(part) = Part::covered_by(named.part) else { return Ok(()) };
    let Some(oid) = ids::find(connection, context.source, &named.id)? else { return Ok(()) };
    connection
        .prepare_cached("INSERT OR IGNORE INTO temp.doomed (part, oid) VALUES (?1, ?2)")?
        .execute((part.number(), oid))?;
    Ok(())
}

fn is_doomed(connection: &Connection, part: Part, oid: i64) -> Result<bool, Fault> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM temp.doomed WHERE part = ?1 AND oid = ?2")?
        .exists((part.number(), oid))?)
}

/// Objects that the feed does not know yet; from now on it does.
fn announce_new(connection: &Connection, context: &Context, seen: &[Named]) -> Result<(), Fault> {
    for named in seen {
        let Some(part) = Part::covered_by(named.part) else { continue };
        let Some(settled) = context.settled(named.part) else { continue };
        let Some(oid) = ids::find(connection, context.source, &named.id)? else { continue };
        if is_doomed(connection, part, oid)? {
            continue;
        }
        let Some(first) = first_run(connection, context, part, oid)? else { continue };
        if first <= settled {
            continue;
        }
        if part.identity_table().is_some() && part != Part::GroupExchange {
            let name = objects::stored_name(connection, part, oid)?;
            let id = codec::id(&named.id);
            feed::add(
                connection,
                &with(context, named.learnt),
                part.object(),
                &id,
                &name,
                &Happened::Created,
            )?;
        }
        connection
            .prepare_cached("UPDATE marks SET first_run = ?4 WHERE part = ?1 AND source = ?2 AND oid = ?3")?
            .execute((part.number(), context.source, oid, settled))?;
    }
    Ok(())
}

fn settle_facets(connection: &Connection, context: &Context, settlement: &Settlement) -> Result<(), Fault> {
    const ALL: [Learnt; 7] = [
        Learnt::Full,
        Learnt::Directory,
        Learnt::ChangeTime,
        Learnt::Activity,
        Learnt::Sweep,
        Learnt::Reread,
        Learnt::Provisioned,
    ];
    for facet in Facet::ALL {
        for learnt in ALL {
            let mut read =
                settlement.facets.iter().filter(|(_, f, l)| (*f, *l) == (facet, learnt)).peekable();
            if read.peek().is_none() {
                continue;
            }
            let mut any = false;
            connection.execute_batch("DELETE FROM temp.touched")?;
            for (mailbox, _, _) in read {
                let Some(oid) = ids::find(connection, context.source, mailbox)? else { continue };
                any = true;
                connection
                    .prepare_cached("INSERT OR IGNORE INTO temp.touched (mailbox) VALUES (?1)")?
                    .execute([oid])?;
            }
            if any {
                settle_grants::settle_touched(connection, &with(context, learnt), facet)?;
            }
        }
        // Of a mailbox that is gone, nobody has rights any more.
        let gone = settlement.gone.iter().find(|named| named.part == Coverage::Mailboxes);
        if let Some(named) = gone {
            settle_grants::settle(connection, &with(context, named.learnt), facet, false, false)?;
        }
    }
    Ok(())
}

/// Begins with no mailbox touched.
fn clear_touched(connection: &Connection) -> Result<(), Fault> {
    Ok(connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS touched (mailbox INTEGER PRIMARY KEY);
         DELETE FROM temp.touched;",
    )?)
}

/// Tells of rights that a run saw gone which did not come to its end, where none that came after it had
/// anything to read: of a mailbox that is governed no more, say.
pub(crate) fn left_over(connection: &Connection, context: &Context) -> Result<(), Fault> {
    for facet in Facet::ALL {
        clear_touched(connection)?;
        let touched = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO temp.touched (mailbox)
                 SELECT mailbox FROM grants WHERE source = ?1 AND facet = ?2 AND gone_run IS NOT NULL",
            )?
            .execute((context.source, codec::facet_number(facet)))?;
        if touched > 0 {
            settle_grants::settle_touched(connection, &with(context, Learnt::Reread), facet)?;
        }
    }
    Ok(())
}

type Key = (i64, i64, i64);

fn key(connection: &Connection, context: &Context, row: &MembershipRow) -> Result<Option<Key>, Fault> {
    let Some(group) = ids::find(connection, context.source, &row.group)? else { return Ok(None) };
    let Some(member) = ids::find(connection, context.source, &row.member)? else { return Ok(None) };
    Ok(Some((group, codec::role_number(row.role), member)))
}

fn memberships(connection: &Connection, context: &Context, settlement: &Settlement) -> Result<(), Fault> {
    let context = &with(context, Learnt::Directory);
    for row in &settlement.left {
        if let Some(key) = key(connection, context, row)? {
            end_membership(connection, context, key)?;
        }
    }
    let mut ended: Vec<Key> = Vec::new();
    for (column, parts) in [("grp", "4, 6"), ("member", "1, 4, 6")] {
        let sql = format!(
            "SELECT m.grp, m.role, m.member FROM temp.doomed d JOIN memberships m ON m.{column} = d.oid
             WHERE d.part IN ({parts}) ORDER BY m.grp, m.role, m.member"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        for row in rows {
            ended.push(row?);
        }
    }
    for key in ended {
        end_membership(connection, context, key)?;
    }
    let Some(settled) = context.settled(Coverage::Memberships) else { return Ok(()) };
    for row in &settlement.joined {
        let Some(key) = key(connection, context, row)? else { continue };
        let first: Option<i64> = connection
            .prepare_cached("SELECT first_run FROM memberships WHERE grp = ?1 AND role = ?2 AND member = ?3")?
            .query_row(key, |row| row.get(0))
            .optional()?;
        if first.is_none_or(|first| first <= settled) {
            continue;
        }
        connection
            .prepare_cached(
                "UPDATE memberships SET first_run = ?4 WHERE grp = ?1 AND role = ?2 AND member = ?3",
            )?
            .execute((key.0, key.1, key.2, settled))?;
        tell(connection, context, key, |role, member| Happened::Joined { role, member })?;
    }
    Ok(())
}

fn end_membership(connection: &Connection, context: &Context, key: Key) -> Result<(), Fault> {
    let first: Option<i64> = connection
        .prepare_cached("SELECT first_run FROM memberships WHERE grp = ?1 AND role = ?2 AND member = ?3")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let Some(first) = first else { return Ok(()) };
    if let Some(settled) = context.settled(Coverage::Memberships) {
        if first > settled {
            // Came in a run that did not come to its end: whoever read the state since knows of it.
            tell(connection, context, key, |role, member| Happened::Joined { role, member })?;
        }
        tell(connection, context, key, |role, member| Happened::Left { role, member })?;
    }
    connection
        .prepare_cached("DELETE FROM memberships WHERE grp = ?1 AND role = ?2 AND member = ?3")?
        .execute(key)?;
    count_deleted(connection, context)
}

fn tell(
    connection: &Connection,
    context: &Context,
    (group, role, member): Key,
    happened: impl FnOnce(String, String) -> Happened,
) -> Result<(), Fault> {
    let id = |oid: i64| -> Result<String, Fault> {
        Ok(connection
            .prepare_cached("SELECT id FROM ids WHERE oid = ?1")?
            .query_row([oid], |row| row.get(0))?)
    };
    let role = if role == 1 { "owner" } else { "member" };
    let name = objects::stored_name(connection, Part::Groups, group)?;
    let happened = happened(role.to_owned(), id(member)?);
    feed::add(connection, context, ObjectKind::Group, &id(group)?, &name, &happened)
}

/// Removes what a part holds of an object, and says so.
fn remove(connection: &Connection, context: &Context, named: &Named) -> Result<(), Fault> {
    let Some(part) = Part::covered_by(named.part) else { return Ok(()) };
    let Some(oid) = ids::find(connection, context.source, &named.id)? else { return Ok(()) };
    let Some(first) = first_run(connection, context, part, oid)? else { return Ok(()) };
    let context = &with(context, named.learnt);
    let id = codec::id(&named.id);
    match part {
        Part::Cas | Part::GroupExchange => {
            if !context.schema_changed && objects::is_told(connection, context, part, oid, first)? {
                whole::announce_loss(connection, context, part, oid, &id)?;
            }
        }
        _ => {
            if let Some(settled) = context.settled(named.part) {
                let name = objects::stored_name(connection, part, oid)?;
                let tell = |happened| feed::add(connection, context, part.object(), &id, &name, &happened);
                if first > settled {
                    // As with memberships.
                    tell(Happened::Created)?;
                }
                tell(Happened::Deleted)?;
            }
        }
    }
    whole::erase_one(connection, context, part, oid)?;
    count_deleted(connection, context)
}

fn count_deleted(connection: &Connection, context: &Context) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE runs SET deleted = deleted + 1 WHERE run = ?1")?
        .execute([context.run])?;
    Ok(())
}
