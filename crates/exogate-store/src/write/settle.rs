//! What the end of a run makes of what it saw: new objects and memberships go into the feed, and
//! those of the covered parts that it did not see are deleted.
//!
//! Absence means something only in the parts that complete streams speak for.

use std::collections::HashMap;

use exogate_model::account::Attributes;
use exogate_model::change::{self, Happened, ObjectKind};
use rusqlite::{Connection, params};

use super::{Context, feed, objects, settle_grants};
use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::read::load;
use crate::run::Forecast;

/// The parts whose objects are objects of their own.
const OBJECTS: [Part; 4] = [Part::Users, Part::Mailboxes, Part::Groups, Part::DynamicGroups];
/// The parts that only add attributes to objects.
const ADDITIONS: [Part; 2] = [Part::Cas, Part::GroupExchange];

/// What is to be settled.
pub(crate) struct Plan<'a> {
    pub(crate) covered: &'a [Coverage],
    pub(crate) delete_unseen: bool,
}

impl Plan<'_> {
    fn covers(&self, part: Coverage) -> bool {
        self.covered.contains(&part)
    }

    fn deletes(&self, part: Part) -> bool {
        self.delete_unseen && self.covers(part.coverage())
    }
}

/// Settles the covered parts. Returns how many objects, memberships and grants were deleted.
pub(crate) fn settle(connection: &Connection, context: &Context, plan: &Plan<'_>) -> Result<u64, Fault> {
    let mut deleted = 0;
    let mut changes = 0;
    clear_doomed(connection)?;
    for part in OBJECTS {
        if plan.covers(part.coverage()) {
            changes += announce_created(connection, context, part)?;
        }
    }
    doom(connection, context, OBJECTS.iter().filter(|part| plan.deletes(**part)))?;
    for facet in Facet::ALL {
        let covered = plan.covers(Coverage::Grants(facet));
        deleted += settle_grants::settle(connection, context, facet, covered, plan.delete_unseen)?;
    }
    deleted += settle_memberships(connection, context, plan, &mut changes)?;
    for part in OBJECTS {
        if plan.deletes(part) {
            deleted += delete_objects(connection, context, part, &mut changes)?;
        }
    }
    for part in ADDITIONS {
        if plan.deletes(part) {
            deleted += delete_additions(connection, context, part)?;
        }
    }
    for part in plan.covered {
        connection
            .prepare_cached("INSERT OR REPLACE INTO settled (source, part, run) VALUES (?1, ?2, ?3)")?
            .execute((context.source, codec::coverage_name(*part), context.run))?;
    }
    connection.execute(
        "UPDATE runs SET changes = changes + ?2, deleted = deleted + ?3 WHERE run = ?1",
        (context.run, changes as i64, deleted as i64),
    )?;
    connection.execute_batch("DELETE FROM temp.doomed")?;
    Ok(deleted)
}

/// Begins with nothing doomed.
pub(crate) fn clear_doomed(connection: &Connection) -> Result<(), Fault> {
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS doomed (part INTEGER, oid INTEGER, PRIMARY KEY (part, oid)) WITHOUT ROWID;
         DELETE FROM temp.doomed;",
    )?;
    Ok(())
}

/// Deletes everything that a part, and what only adds to it, holds of one object.
pub(crate) fn erase_one(
    connection: &Connection,
    context: &Context,
    part: Part,
    oid: i64,
) -> Result<(), Fault> {
    let added = match part {
        Part::Mailboxes => Some(Part::Cas),
        Part::Groups | Part::DynamicGroups => Some(Part::GroupExchange),
        Part::Users | Part::Cas | Part::GroupExchange => None,
    };
    if part == Part::Mailboxes {
        connection.prepare_cached("DELETE FROM facet_reads WHERE mailbox = ?1")?.execute([oid])?;
        connection
            .prepare_cached("UPDATE labels SET until_run = ?2 WHERE until_run IS NULL AND mailbox = ?1")?
            .execute((oid, context.run))?;
    }
    for part in std::iter::once(part).chain(added) {
        for sql in part.deletions("(?1)") {
            connection.prepare_cached(&sql)?.execute([oid])?;
        }
        connection
            .prepare_cached("DELETE FROM marks WHERE part = ?1 AND source = ?2 AND oid = ?3")?
            .execute((part.number(), context.source, oid))?;
    }
    Ok(())
}

/// Notes the objects of these parts that this run did not see, in one scan.
fn doom<'a>(
    connection: &Connection,
    context: &Context,
    parts: impl Iterator<Item = &'a Part>,
) -> Result<(), Fault> {
    let parts: Vec<i64> = parts.map(|part| part.number()).collect();
    connection
        .prepare_cached(
            "INSERT INTO temp.doomed (part, oid)
             SELECT part, oid FROM marks NOT INDEXED
             WHERE seen_run < ?3 AND source = ?2 AND part IN (SELECT value FROM json_each(?1))",
        )?
        .execute((codec::to_json("parts", &parts)?, context.source, context.run))?;
    Ok(())
}

/// Tells of all that the feed does not know yet, also of what an earlier run saw that did not come to
/// its end, and this one does not see: whoever read the state in between knows of it.
fn announce_created(connection: &Connection, context: &Context, part: Part) -> Result<usize, Fault> {
    let Some(settled) = context.settled(part.coverage()) else { return Ok(0) };
    announce_objects(connection, context, part, "k.first_run > ?8", settled, &Happened::Created)
}

fn announce_objects(
    connection: &Connection,
    context: &Context,
    part: Part,
    which: &str,
    settled: i64,
    happened: &Happened,
) -> Result<usize, Fault> {
    let Some(table) = part.identity_table() else { return Ok(0) };
    let name = if part == Part::Users { "upn" } else { "display_name" };
    let sql = format!(
        "INSERT INTO changes (source, run, at, object, id, name, learnt, happened)
         SELECT ?1, ?2, ?3, ?4, i.id, o.{name}, ?5, ?6
         FROM marks k NOT INDEXED JOIN ids i ON i.oid = k.oid JOIN {table} o ON o.oid = k.oid
         WHERE k.part = ?7 AND k.source = ?1 AND {which}
         ORDER BY i.id"
    );
    Ok(connection.prepare_cached(&sql)?.execute(params![
        context.source,
        context.run,
        context.now,
        codec::object_number(part.object()),
        context.learnt_json()?,
        codec::to_json("a change", happened)?,
        part.number(),
        settled,
    ])?)
}

fn delete_objects(
    connection: &Connection,
    context: &Context,
    part: Part,
    changes: &mut usize,
) -> Result<u64, Fault> {
    let doomed: i64 = connection
        .prepare_cached("SELECT count(*) FROM temp.doomed WHERE part = ?1")?
        .query_row([part.number()], |row| row.get(0))?;
    if doomed == 0 {
        return Ok(0);
    }
    if context.settled(part.coverage()).is_some() {
        let which = "k.first_run <= ?8 AND k.seen_run < ?2";
        *changes += announce_objects(connection, context, part, which, context.run, &Happened::Deleted)?;
    }
    match part {
        Part::Mailboxes => {
            erase(connection, context, Part::Cas, part)?;
            connection.execute(
                "DELETE FROM facet_reads WHERE mailbox IN (SELECT oid FROM temp.doomed WHERE part = ?1)",
                [part.number()],
            )?;
            connection.execute(
                "UPDATE labels SET until_run = ?2 WHERE until_run IS NULL
                     AND mailbox IN (SELECT oid FROM temp.doomed WHERE part = ?1)",
                (part.number(), context.run),
            )?;
        }
        Part::Groups | Part::DynamicGroups => erase(connection, context, Part::GroupExchange, part)?,
        Part::Users | Part::Cas | Part::GroupExchange => {}
    }
    erase(connection, context, part, part)?;
    Ok(doomed.unsigned_abs())
}

/// Deletes what `part` holds of the objects that are doomed in `by`.
fn erase(connection: &Connection, context: &Context, part: Part, by: Part) -> Result<(), Fault> {
    let doomed = "(SELECT oid FROM temp.doomed WHERE part = ?1)";
    for sql in part.deletions(doomed) {
        connection.execute(&sql, [by.number()])?;
    }
    connection.execute(
        &format!("DELETE FROM marks WHERE part = ?2 AND source = ?3 AND oid IN {doomed}"),
        (by.number(), part.number(), context.source),
    )?;
    Ok(())
}

/// Attributes that are gone from objects that are still there: a modification of those.
fn delete_additions(connection: &Connection, context: &Context, part: Part) -> Result<u64, Fault> {
    doom(connection, context, std::iter::once(&part))?;
    let doomed: Vec<(i64, i64, String)> = connection
        .prepare_cached(
            "SELECT d.oid, k.first_run, i.id FROM temp.doomed d
             JOIN marks k ON k.part = d.part AND k.source = ?2 AND k.oid = d.oid
             JOIN ids i ON i.oid = d.oid
             WHERE d.part = ?1 ORDER BY i.id",
        )?
        .query_map((part.number(), context.source), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (oid, first_run, id) in &doomed {
        if !context.schema_changed && objects::is_told(connection, context, part, *oid, *first_run)? {
            announce_loss(connection, context, part, *oid, id)?;
        }
    }
    erase(connection, context, part, part)?;
    Ok(doomed.len() as u64)
}

pub(crate) fn announce_loss(
    connection: &Connection,
    context: &Context,
    part: Part,
    oid: i64,
    id: &str,
) -> Result<(), Fault> {
    let before = match part {
        Part::Cas => load::cas(connection, oid)?,
        _ => load::group_exchange(connection, oid)?.map(|row| row.attributes),
    };
    let attributes = change::diff(&before.unwrap_or_default(), &Attributes::new());
    let name: Option<String> =
        Some(objects::stored_name(connection, part, oid)?).filter(|name| !name.is_empty());
    match name {
        Some(name) if !attributes.is_empty() => {
            feed::add(connection, context, part.object(), id, &name, &Happened::Modified { attributes })
        }
        _ => Ok(()),
    }
}

fn settle_memberships(
    connection: &Connection,
    context: &Context,
    plan: &Plan<'_>,
    changes: &mut usize,
) -> Result<u64, Fault> {
    // Of a group that is gone, nobody is a member any more, whether or not memberships are covered.
    let orphaned = "m.grp IN (SELECT oid FROM temp.doomed WHERE part IN (4, 6))";
    let gone = if plan.covers(Coverage::Memberships) && plan.delete_unseen {
        format!("(m.seen_run < ?2 OR {orphaned})")
    } else {
        format!("({orphaned} AND ?2 > 0)")
    };
    if let Some(settled) = context.settled(Coverage::Memberships) {
        let mut announce = |what, which: &str| {
            announce_memberships(connection, context, what, which, settled).inspect(|told| *changes += told)
        };
        announce("left", &format!("m.first_run <= ?6 AND {gone}"))?;
        // Also what came in a run that did not come to its end and is gone: whoever read the state in
        // between knows of it.
        let news = if plan.covers(Coverage::Memberships) { "?2 > 0" } else { &gone };
        if announce("joined", &format!("m.first_run > ?6 AND {news}"))? > 0 {
            announce("left", &format!("m.first_run > ?6 AND {gone}"))?;
        }
    }
    let deleted = connection.execute(
        &format!("DELETE FROM memberships AS m WHERE m.source = ?1 AND {gone}"),
        (context.source, context.run),
    )?;
    Ok(deleted as u64)
}

fn announce_memberships(
    connection: &Connection,
    context: &Context,
    what: &str,
    which: &str,
    settled: i64,
) -> Result<usize, Fault> {
    let sql = format!(
        "INSERT INTO changes (source, run, at, object, id, name, learnt, happened)
         SELECT ?1, ?2, ?3, ?4, gi.id, coalesce(g.display_name, ''), ?5,
             json_object('what', '{what}', 'role', CASE m.role WHEN 1 THEN 'owner' ELSE 'member' END,
                 'member', mi.id)
         FROM memberships m JOIN ids gi ON gi.oid = m.grp JOIN ids mi ON mi.oid = m.member
             LEFT JOIN groups g ON g.oid = m.grp
         WHERE m.source = ?1 AND {which}
         ORDER BY gi.id, m.role, mi.id"
    );
    Ok(connection.prepare_cached(&sql)?.execute(params![
        context.source,
        context.run,
        context.now,
        codec::object_number(ObjectKind::Group),
        context.learnt_json()?,
        settled,
    ])?)
}

/// How many of each part were known before this run, and how many of those it has not seen.
pub(crate) fn forecast(
    connection: &Connection,
    source: i64,
    run: i64,
    parts: &[Coverage],
) -> Result<Vec<Forecast>, Fault> {
    // One scan speaks for all parts that are marked object by object.
    let marked = counts(
        connection,
        "SELECT part, count(*), count(*) FILTER (WHERE seen_run < ?2)
         FROM marks NOT INDEXED WHERE source = ?1 AND first_run < ?2 GROUP BY part",
        (source, run),
    )?;
    let granted = counts(
        connection,
        "SELECT facet, count(*), count(*) FILTER (WHERE seen_run < ?2 OR gone_run IS NOT NULL)
         FROM grants WHERE source = ?1 AND first_run < ?2 GROUP BY facet",
        (source, run),
    )?;
    let linked = counts(
        connection,
        "SELECT 0, count(*), count(*) FILTER (WHERE seen_run < ?2)
         FROM memberships WHERE source = ?1 AND first_run < ?2",
        (source, run),
    )?;
    let forecast = |part: &Coverage| {
        let counted = match (part, Part::covered_by(*part)) {
            (_, Some(marks)) => marked.get(&marks.number()),
            (Coverage::Grants(facet), None) => granted.get(&codec::facet_number(*facet)),
            (_, None) => linked.get(&0),
        };
        let (known, unseen) = counted.copied().unwrap_or_default();
        Forecast { part: *part, known, unseen }
    };
    Ok(parts.iter().map(forecast).collect())
}

/// Two counts for each number.
fn counts(connection: &Connection, sql: &str, of: (i64, i64)) -> Result<HashMap<i64, (u64, u64)>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let counts = statement.query_map(of, |row| {
        let (known, unseen): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, (known.unsigned_abs(), unseen.unsigned_abs())))
    })?;
    Ok(counts.collect::<Result<_, _>>()?)
}
