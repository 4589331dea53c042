//! Reading the journal, and taking over what its owner left.

use std::collections::BTreeMap;

use exogate_model::operation::Entry;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{JournalRecord, owner};
use crate::codec;
use crate::error::Fault;

pub(super) fn plan(connection: &Connection, source: &str, plan: &str) -> Result<Vec<JournalRecord>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, plan, operation, key, record FROM entries
         WHERE source = ?1 AND plan = ?2 ORDER BY sequence",
    )?;
    let mut rows = statement.query((source, plan))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let record: String = row.get(5)?;
        records.push(JournalRecord {
            sequence: row.get(0)?,
            at: codec::instant(row.get(1)?)?,
            plan: row.get(2)?,
            operation: row.get(3)?,
            key: row.get(4)?,
            entry: codec::from_json::<Entry>("a journal entry", &record)?,
        });
    }
    Ok(records)
}

pub(super) fn by_key(connection: &Connection, source: &str, key: &str) -> Result<Option<String>, Fault> {
    Ok(connection
        .prepare_cached(
            "SELECT plan FROM entries WHERE source = ?1 AND key = ?2 ORDER BY sequence DESC LIMIT 1",
        )?
        .query_row((source, key), |row| row.get(0))
        .optional()?)
}

pub(super) fn plans(connection: &Connection, source: &str, limit: usize) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT plan FROM entries WHERE source = ?1 GROUP BY plan ORDER BY min(sequence) DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(statement.query_map((source, limit), |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Plans accepted before an entry, newest first, each with the place of its first entry.
pub(super) fn plans_before(
    connection: &Connection,
    source: &str,
    before: i64,
    limit: usize,
) -> Result<Vec<(String, i64)>, Fault> {
    // A plan begins with its acceptance, which is the one entry that is about no operation.
    let mut statement = connection.prepare_cached(
        "SELECT plan, sequence FROM entries NOT INDEXED WHERE source = ?1 AND operation IS NULL AND sequence < ?2
         ORDER BY sequence DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let plans = statement.query_map((source, before, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(plans.collect::<Result<_, _>>()?)
}

/// Plans with unfinished operations of owners that are gone.
pub(super) fn abandoned(connection: &Connection, source: &str, now: i64) -> Result<Vec<String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT u.plan, u.owner, o.beat FROM unfinished u LEFT JOIN owners o ON o.owner = u.owner
         WHERE u.source = ?1 ORDER BY u.plan",
    )?;
    let mut rows = statement.query([source])?;
    let mut plans: Vec<String> = Vec::new();
    while let Some(row) = rows.next()? {
        if owner::is_gone(&row.get::<_, String>(1)?, row.get(2)?, now) {
            plans.push(row.get(0)?);
        }
    }
    plans.dedup();
    Ok(plans)
}

/// Plans of living owners that came first to an object that this plan is about, by object.
pub(super) fn ahead(
    connection: &Connection,
    source: &str,
    plan: &str,
    now: i64,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT mine.object, other.plan, other.owner, o.beat
         FROM unfinished mine JOIN unfinished other
             ON other.source = mine.source AND other.object = mine.object
                 AND other.accepted < mine.accepted AND other.owner <> mine.owner
             LEFT JOIN owners o ON o.owner = other.owner
         WHERE mine.source = ?1 AND mine.plan = ?2",
    )?;
    let mut rows = statement.query((source, plan))?;
    let mut ahead = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if !owner::is_gone(&row.get::<_, String>(2)?, row.get(3)?, now) {
            ahead.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(ahead)
}

/// Takes a plan over from an owner that is gone; false if it has a living one, or no open end.
pub(super) fn adopt(
    connection: &mut Connection,
    (source, plan): (&str, &str),
    new: &str,
    now: i64,
) -> Result<bool, Fault> {
    // Begun as a writer, so that of two who see it abandoned only one takes it.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let owners = transaction
        .prepare(
            "SELECT DISTINCT u.owner, o.beat FROM unfinished u LEFT JOIN owners o ON o.owner = u.owner
             WHERE u.source = ?1 AND u.plan = ?2",
        )?
        .query_map((source, plan), |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    if owners.is_empty() || !owners.iter().all(|(name, beat)| owner::is_gone(name, *beat, now)) {
        return Ok(false);
    }
    transaction
        .execute("UPDATE unfinished SET owner = ?3 WHERE source = ?1 AND plan = ?2", (source, plan, new))?;
    owner::beat(&transaction, new, now)?;
    owner::forget_idle(&transaction)?;
    transaction.commit()?;
    Ok(true)
}
