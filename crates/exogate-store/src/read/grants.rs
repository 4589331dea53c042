//! Grants: on a mailbox, and of a principal. Those that are gone and only wait to be settled are
//! not there.

use std::collections::{BTreeMap, BTreeSet};

use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use rusqlite::{Connection, Row};

use crate::codec;
use crate::error::Fault;
use crate::rows::{HeldGrant, StoredGrant};
use crate::write::ids;
use crate::write::settle_grants::grant;

const GRANT: &str =
    "SELECT i.id, g.right, t.text, t.sid, t.principal, g.deny, g.inherited, g.facet, g.read_at
    FROM grants g JOIN ids i ON i.oid = g.mailbox JOIN trustees t ON t.trustee = g.trustee
    WHERE g.gone_run IS NULL";

fn stored(row: &Row<'_>) -> Result<StoredGrant, Fault> {
    Ok(StoredGrant {
        grant: grant(row)?,
        facet: codec::facet(row.get(7)?)?,
        read_at: codec::instant(row.get(8)?)?,
    })
}

fn collect(connection: &Connection, which: &str, oid: i64) -> Result<Vec<StoredGrant>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{GRANT} AND {which} = ?1"))?;
    let mut rows = statement.query([oid])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        grants.push(stored(row)?);
    }
    Ok(grants)
}

fn sort(grants: &mut Vec<StoredGrant>) {
    grants.sort_by(|a, b| (&a.grant, a.facet).cmp(&(&b.grant, b.facet)));
    grants.dedup();
}

/// Every grant on a mailbox, sorted.
pub(crate) fn of_mailbox(connection: &Connection, source: i64, key: &str) -> Result<Vec<StoredGrant>, Fault> {
    let Some(oid) = ids::find(connection, source, key)? else { return Ok(Vec::new()) };
    let mut grants = collect(connection, "g.mailbox", oid)?;
    sort(&mut grants);
    Ok(grants)
}

/// Every grant of these users and groups, sorted.
pub(crate) fn of_principals(
    connection: &Connection,
    source: i64,
    ids: &[String],
) -> Result<Vec<StoredGrant>, Fault> {
    let mut grants = Vec::new();
    for id in ids {
        if let Some(oid) = ids::find(connection, source, id)? {
            grants.extend(collect(connection, "t.oid", oid)?);
        }
    }
    sort(&mut grants);
    Ok(grants)
}

/// The grants of one principal, with the labels of the mailboxes; by label and right.
pub(super) fn held(connection: &Connection, oid: i64) -> Result<Vec<HeldGrant>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, g.right, t.text, t.sid, t.principal, g.deny, g.inherited, g.facet,
             (SELECT label FROM labels l WHERE l.mailbox = g.mailbox AND l.until_run IS NULL), m.primary_smtp
         FROM trustees t JOIN grants g ON g.trustee = t.trustee JOIN mailboxes m ON m.oid = g.mailbox
             JOIN ids i ON i.oid = g.mailbox
         WHERE t.oid = ?1 AND g.gone_run IS NULL",
    )?;
    let mut rows = statement.query([oid])?;
    let mut held = Vec::new();
    while let Some(row) = rows.next()? {
        held.push(HeldGrant {
            grant: grant(row)?,
            facet: codec::facet(row.get(7)?)?,
            label: row.get(8)?,
            primary_smtp: row.get(9)?,
        });
    }
    held.sort_by(|a, b| (&a.label, &a.grant, a.facet).cmp(&(&b.label, &b.grant, b.facet)));
    Ok(held)
}

/// Each right on a mailbox that somebody holds as an entitlement, with the number of trustees.
/// One principal under two renderings is one trustee.
pub(crate) fn holders(connection: &Connection, mailbox: i64) -> Result<Vec<(Right, u64)>, Fault> {
    let mut by_right: BTreeMap<Right, BTreeSet<String>> = BTreeMap::new();
    for StoredGrant { grant, .. } in collect(connection, "g.mailbox", mailbox)? {
        if grant.is_entitlement() {
            let Trustee { text, sid } = grant.trustee;
            let who = grant.principal.id().map(str::to_owned).or(sid).unwrap_or(text);
            by_right.entry(grant.right).or_default().insert(who);
        }
    }
    Ok(by_right.into_iter().map(|(right, who)| (right, who.len() as u64)).collect())
}

/// The trustees of all grants that a run has not resolved yet, sorted.
pub(crate) fn unresolved(connection: &Connection, source: i64, run: i64) -> Result<Vec<Trustee>, Fault> {
    // One look at all grants is quicker than a look-up for each trustee.
    let mut held: Vec<i64> = connection
        .prepare_cached("SELECT trustee FROM grants NOT INDEXED WHERE source = ?1 AND gone_run IS NULL")?
        .query_map([source], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    held.sort_unstable();
    held.dedup();
    let mut statement = connection.prepare_cached(
        "SELECT trustee, text, sid FROM trustees NOT INDEXED WHERE source = ?1 AND resolved_run <> ?2",
    )?;
    let mut rows = statement.query((source, run))?;
    let mut trustees = Vec::new();
    while let Some(row) = rows.next()? {
        if held.binary_search(&row.get(0)?).is_ok() {
            let sid: String = row.get(2)?;
            trustees.push(Trustee { text: row.get(1)?, sid: (!sid.is_empty()).then_some(sid) });
        }
    }
    trustees.sort_unstable();
    Ok(trustees)
}
