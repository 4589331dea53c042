//! What the end of a run makes of the grants of one facet: who was given a right, and who lost it.
//!
//! A trustee that is only rendered in another way (a user renamed, a name that became a SID) is
//! neither: the same principal, or the same SID, still holds the same right.

use std::collections::{BTreeMap, BTreeSet};

use exogate_model::change::{Happened, ObjectKind};
use exogate_model::grant::Grant;
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use rusqlite::{Connection, Row};

use super::ids::Ids;
use super::together::Together;
use super::{Context, feed};
use crate::batch::{Coverage, Facet};
use crate::codec;
use crate::error::Fault;

struct Moved {
    grant: Grant,
    mailbox_name: String,
    facet: i64,
    gone: bool,
    first_run: i64,
}

/// What a grant says, apart from how its trustee is rendered: mailbox, right, deny, inherited.
type Place = (String, Right, bool, bool);

/// Settles one facet: as far as it is covered, and for mailboxes that are gone in any case.
/// Returns how many grants were deleted.
pub(crate) fn settle(
    connection: &Connection,
    context: &Context,
    facet: Facet,
    covered: bool,
    delete_unseen: bool,
) -> Result<u64, Fault> {
    let number = codec::facet_number(facet);
    if covered && delete_unseen {
        connection.execute(
            "UPDATE grants SET gone_run = ?3
             WHERE source = ?1 AND facet = ?2 AND gone_run IS NULL AND seen_run < ?3",
            (context.source, number, context.run),
        )?;
    }
    let of_doomed = "g.mailbox IN (SELECT oid FROM temp.doomed WHERE part = 2)";
    connection.execute(
        &format!(
            "UPDATE grants AS g SET gone_run = ?3
             WHERE source = ?1 AND facet = ?2 AND gone_run IS NULL AND {of_doomed}"
        ),
        (context.source, number, context.run),
    )?;
    let settled_part = if covered { "1".to_owned() } else { of_doomed.to_owned() };
    if let Some(settled) = context.settled(Coverage::Grants(facet)) {
        let moved = moved(connection, context, number, &settled_part, settled)?;
        announce(connection, context, settled, moved)?;
    }
    let deleted = connection.execute(
        &format!(
            "DELETE FROM grants AS g WHERE source = ?1 AND facet = ?2 AND gone_run IS NOT NULL AND {settled_part}"
        ),
        (context.source, number),
    )?;
    Ok(deleted as u64)
}

/// Settles one facet of the mailboxes in `temp.touched`, each of which was read whole. From then
/// on, the feed knows what is there.
pub(crate) fn settle_touched(connection: &Connection, context: &Context, facet: Facet) -> Result<(), Fault> {
    let number = codec::facet_number(facet);
    let touched = "g.mailbox IN (SELECT mailbox FROM temp.touched)";
    let settled = context.settled(Coverage::Grants(facet));
    if let Some(settled) = settled {
        let moved = moved(connection, context, number, touched, settled)?;
        announce(connection, context, settled, moved)?;
    }
    let deleted = connection.execute(
        &format!(
            "DELETE FROM grants AS g WHERE source = ?1 AND facet = ?2 AND gone_run IS NOT NULL AND {touched}"
        ),
        (context.source, number),
    )?;
    connection
        .prepare_cached("UPDATE runs SET deleted = deleted + ?2 WHERE run = ?1")?
        .execute((context.run, deleted as i64))?;
    if let Some(settled) = settled {
        connection.execute(
            &format!(
                "UPDATE grants AS g SET first_run = ?3 WHERE source = ?1 AND facet = ?2 AND first_run > ?3
                     AND {touched}"
            ),
            (context.source, number, settled),
        )?;
    }
    Ok(())
}

fn moved(
    connection: &Connection,
    context: &Context,
    facet: i64,
    settled_part: &str,
    settled: i64,
) -> Result<Vec<Moved>, Fault> {
    let sql = format!(
        "SELECT i.id, g.right, t.text, t.sid, t.principal, g.deny, g.inherited,
             coalesce(m.display_name, ''), g.gone_run IS NOT NULL, g.first_run
         FROM grants g JOIN ids i ON i.oid = g.mailbox JOIN trustees t ON t.trustee = g.trustee
             LEFT JOIN mailboxes m ON m.oid = g.mailbox
         WHERE g.source = ?1 AND g.facet = ?2 AND (g.gone_run IS NOT NULL OR g.first_run > ?3)
             AND {settled_part}
         ORDER BY i.id, g.right, t.text, t.sid, g.deny, g.inherited"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((context.source, facet, settled))?;
    let mut moved = Vec::new();
    while let Some(row) = rows.next()? {
        moved.push(Moved {
            grant: grant(row)?,
            mailbox_name: row.get(7)?,
            facet,
            gone: row.get(8)?,
            first_run: row.get(9)?,
        });
    }
    Ok(moved)
}

/// A grant from the columns mailbox id, right, text, SID, principal, deny, inherited.
pub(crate) fn grant(row: &Row<'_>) -> Result<Grant, Fault> {
    let sid: String = row.get(3)?;
    Ok(Grant {
        mailbox: row.get(0)?,
        right: Right::from_token(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?),
        trustee: Trustee { text: row.get(2)?, sid: (!sid.is_empty()).then_some(sid) },
        principal: codec::principal(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?)?,
        deny: row.get(5)?,
        inherited: row.get(6)?,
    })
}

/// What moved at one place.
#[derive(Default)]
struct Moves {
    /// Came and went while runs did not come to their end.
    passing: Vec<Moved>,
    lost: Vec<Moved>,
    given: Vec<Moved>,
}

fn announce(
    connection: &Connection,
    context: &Context,
    settled: i64,
    moved: Vec<Moved>,
) -> Result<(), Fault> {
    let mut places: BTreeMap<Place, Moves> = BTreeMap::new();
    for one in moved {
        let grant = &one.grant;
        let place = (grant.mailbox.clone(), grant.right.clone(), grant.deny, grant.inherited);
        let moves = places.entry(place).or_default();
        match (one.gone, one.first_run > settled) {
            (true, false) => moves.lost.push(one),
            (false, true) => moves.given.push(one),
            (true, true) => moves.passing.push(one),
            (false, false) => {}
        }
    }
    places.into_values().try_for_each(|moves| announce_at(connection, context, settled, moves))
}

/// Tells who has a right that had not, and who had it and has not: whoever is shown in two forms, or in
/// another than before, is one and the same.
fn announce_at(
    connection: &Connection,
    context: &Context,
    settled: i64,
    Moves { passing, lost, mut given }: Moves,
) -> Result<(), Fault> {
    let Some(one) = lost.first().or(given.first()).or(passing.first()) else { return Ok(()) };
    let kept = holders(connection, context, settled, (one.facet, &one.grant), Of::Kept)?;
    let ids = |rows: &[Moved]| rows.iter().filter_map(Moved::holder).collect::<BTreeSet<_>>();
    let (had, has) = (&kept | &ids(&lost), &kept | &ids(&given));
    // Whoever read the state since what passes came knows of it.
    let mut told = &had | &has;
    for row in passing.iter().filter(|row| row.holder().is_some_and(|id| told.insert(id))) {
        add(connection, context, &row.grant, &row.mailbox_name, granted)?;
        add(connection, context, &row.grant, &row.mailbox_name, revoked)?;
    }
    let is_there =
        |row: &Moved, others: &[Moved]| others.iter().any(|other| is_same_holder(&row.grant, &other.grant));
    let mut told = has.clone();
    for row in &lost {
        // Of somebody unknown, only what is not there in any form is gone.
        if row.holder().map_or_else(|| !is_there(row, &given), |id| told.insert(id)) {
            add(connection, context, &row.grant, &row.mailbox_name, revoked)?;
        }
    }
    given.sort_by(|a, b| a.grant.cmp(&b.grant));
    let mut told = had;
    for row in &given {
        if row.holder().map_or_else(|| !is_there(row, &lost), |id| told.insert(id)) {
            add(connection, context, &row.grant, &row.mailbox_name, granted)?;
        }
    }
    Ok(())
}

impl Moved {
    fn holder(&self) -> Option<String> {
        self.grant.principal.id().map(str::to_owned)
    }
}

/// Which holders of a right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Those whom the feed knows to have it, and who still have it.
    Kept,
    /// All whom the feed knows to have it: that one of them has lost it is told later.
    Told,
}

/// Who has the right of a grant.
fn holders(
    connection: &Connection,
    context: &Context,
    settled: i64,
    (facet, grant): (i64, &Grant),
    of: Of,
) -> Result<BTreeSet<String>, Fault> {
    let Some(mailbox) = super::ids::find(connection, context.source, &grant.mailbox)? else {
        return Ok(BTreeSet::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT i.id FROM grants g JOIN trustees t ON t.trustee = g.trustee JOIN ids i ON i.oid = t.oid
         WHERE g.mailbox = ?1 AND g.facet = ?2 AND g.right = ?3 AND g.deny = ?4 AND g.inherited = ?5
             AND (g.gone_run IS NULL OR ?7) AND g.first_run <= ?6",
    )?;
    let (right, all) = (grant.right.name(), of == Of::Told);
    let key = (mailbox, facet, right, grant.deny, grant.inherited, settled, all);
    Ok(statement.query_map(key, |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn is_same_holder(a: &Grant, b: &Grant) -> bool {
    let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
    same(a.principal.id(), b.principal.id()) || same(a.trustee.sid.as_deref(), b.trustee.sid.as_deref())
}

fn add(
    connection: &Connection,
    context: &Context,
    grant: &Grant,
    mailbox_name: &str,
    happened: impl FnOnce(&Grant) -> Happened,
) -> Result<(), Fault> {
    if !grant.is_governed() {
        return Ok(());
    }
    feed::add(connection, context, ObjectKind::Mailbox, &grant.mailbox, mailbox_name, &happened(grant))
}

fn granted(grant: &Grant) -> Happened {
    Happened::Granted {
        right: grant.right.name().to_owned(),
        trustee: grant.trustee.text.clone(),
        principal: grant.principal.id().map(str::to_owned),
        deny: grant.deny,
    }
}

fn revoked(grant: &Grant) -> Happened {
    Happened::Revoked {
        right: grant.right.name().to_owned(),
        trustee: grant.trustee.text.clone(),
        principal: grant.principal.id().map(str::to_owned),
        deny: grant.deny,
    }
}

/// Tells of grants that are there again after a run that did not come to its end saw them gone: whoever
/// read the state in between took them for gone. That they are given again, the end of this run tells.
pub(crate) fn announce_returned(
    connection: &Connection,
    context: &Context,
    mailbox: i64,
    facet: Facet,
    is_back: impl Fn(&Grant) -> bool,
) -> Result<(), Fault> {
    let Some(settled) = context.settled(Coverage::Grants(facet)) else { return Ok(()) };
    let mut statement = connection.prepare_cached(
        "SELECT i.id, g.right, t.text, t.sid, t.principal, g.deny, g.inherited,
             coalesce(m.display_name, ''), g.trustee
         FROM grants g JOIN ids i ON i.oid = g.mailbox JOIN trustees t ON t.trustee = g.trustee
             LEFT JOIN mailboxes m ON m.oid = g.mailbox
         WHERE g.mailbox = ?1 AND g.facet = ?2 AND g.gone_run IS NOT NULL AND g.first_run <= ?3
         ORDER BY g.right, t.text, t.sid",
    )?;
    let number = codec::facet_number(facet);
    let mut rows = statement.query((mailbox, number, settled))?;
    while let Some(row) = rows.next()? {
        let returned = grant(row)?;
        if !is_back(&returned) {
            continue;
        }
        // Who had it in another form all the while has lost nothing.
        let held = holders(connection, context, settled, (number, &returned), Of::Kept)?;
        if returned.principal.id().is_none_or(|id| !held.contains(id)) {
            add(connection, context, &returned, &row.get::<_, String>(7)?, revoked)?;
        }
        let trustee: i64 = row.get(8)?;
        let (deny, inherited) = (returned.deny, returned.inherited);
        connection
            .prepare_cached(
                "UPDATE grants SET first_run = ?7 WHERE mailbox = ?1 AND facet = ?2 AND right = ?3
                     AND trustee = ?4 AND deny = ?5 AND inherited = ?6",
            )?
            .execute((mailbox, number, returned.right.name(), trustee, deny, inherited, context.run))?;
    }
    Ok(())
}

/// Stores whom trustees stand for. A text that came to stand for somebody else takes its rights from the
/// one and gives them to the other.
pub(crate) fn resolve(
    connection: &Connection,
    context: &Context,
    resolved: &[(Trustee, Principal)],
) -> Result<(), Fault> {
    let mut known = connection.prepare_cached(
        "SELECT trustee, resolved_run, principal FROM trustees WHERE source = ?1 AND text = ?2 AND sid = ?3",
    )?;
    let mut update = Together::new(
        connection,
        "WITH news (trustee, oid, principal) AS (VALUES {rows})
         UPDATE OR FAIL trustees SET resolved_run = ?1, oid = news.oid, principal = news.principal
         FROM news WHERE trustees.trustee = news.trustee",
        "($, $, $)",
        &[context.run],
    )?;
    let mut oids = Ids::new(connection)?;
    let mut news: Vec<(i64, Option<i64>, String)> = Vec::with_capacity(Together::MOST);
    for (trustee, principal) in resolved {
        let key = (context.source, &trustee.text, trustee.sid.as_deref().unwrap_or_default());
        let mut rows = known.query(key)?;
        let Some(row) = rows.next()? else { continue };
        let (number, resolved_run): (i64, i64) = (row.get(0)?, row.get(1)?);
        let is_new = resolved_run != 0 && codec::principal(&row.get::<_, String>(2)?)?.id() != principal.id();
        drop(rows);
        // Whoever else has the right is looked up for that.
        if is_new || news.len() == Together::MOST {
            put_news(&mut update, &mut news)?;
        }
        if is_new {
            connection
                .prepare_cached("UPDATE trustees SET oid = NULL WHERE trustee = ?1")?
                .execute([number])?;
            announce_new_principal(connection, context, number, principal)?;
        }
        let oid = match principal.id() {
            Some(id) => Some(oids.intern(context.source, id)?),
            None => None,
        };
        news.push((number, oid, codec::to_json("a principal", principal)?));
    }
    put_news(&mut update, &mut news)
}

fn put_news(update: &mut Together<'_>, news: &mut Vec<(i64, Option<i64>, String)>) -> Result<(), Fault> {
    update.put(news, |(trustee, oid, principal), values| {
        values.add(trustee)?;
        values.add(oid)?;
        values.add(principal)
    })?;
    news.clear();
    Ok(())
}

/// Takes the rights of a text from whom it stood for, and gives them to whom it stands for now. The
/// text itself stands for nobody yet.
fn announce_new_principal(
    connection: &Connection,
    context: &Context,
    trustee: i64,
    principal: &Principal,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, g.right, t.text, t.sid, t.principal, g.deny, g.inherited,
             coalesce(m.display_name, ''), g.facet, g.first_run, g.gone_run IS NOT NULL, g.mailbox
         FROM grants g JOIN ids i ON i.oid = g.mailbox JOIN trustees t ON t.trustee = g.trustee
             LEFT JOIN mailboxes m ON m.oid = g.mailbox
         WHERE g.trustee = ?1 ORDER BY i.id, g.facet, g.right",
    )?;
    let mut rows = statement.query([trustee])?;
    while let Some(row) = rows.next()? {
        let facet: i64 = row.get(8)?;
        let Some(settled) = context.settled(Coverage::Grants(codec::facet(facet)?)) else { continue };
        let (is_announced, is_gone) = (row.get::<_, i64>(9)? <= settled, row.get(10)?);
        let before = grant(row)?;
        let name: String = row.get(7)?;
        let held = holders(connection, context, settled, (facet, &before), Of::Told)?;
        let is_new = |id: &&str| !held.contains(*id);
        if before.principal.id().filter(is_new).is_some() {
            if !is_announced {
                // Whoever read the state since a run that did not come to its end knows of it.
                add(connection, context, &before, &name, granted)?;
            }
            add(connection, context, &before, &name, revoked)?;
        }
        if is_announced && is_gone {
            // That it is gone is told.
            connection
                .prepare_cached(
                    "DELETE FROM grants WHERE mailbox = ?1 AND facet = ?2 AND right = ?3 AND trustee = ?4
                         AND deny = ?5 AND inherited = ?6",
                )?
                .execute((
                    row.get::<_, i64>(11)?,
                    facet,
                    before.right.name(),
                    trustee,
                    before.deny,
                    before.inherited,
                ))?;
        } else if is_announced && principal.id().filter(is_new).is_some() {
            let after = Grant { principal: principal.clone(), ..before };
            add(connection, context, &after, &name, granted)?;
        }
    }
    Ok(())
}

/// Forgets trustees that no grant names any more.
pub(crate) fn forget_unused_trustees(connection: &Connection, source: i64) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM trustees WHERE source = ?1
             AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.trustee = trustees.trustee)",
        [source],
    )?;
    Ok(())
}
