//! Grants as they are read: whole facets of single mailboxes, or pages of a tenant-wide listing.

use std::collections::BTreeSet;

use exogate_model::grant::Grant;
use exogate_model::right::Right;
use exogate_model::trustee::Trustee;
use rusqlite::Connection;

use super::memory::Memory;
use super::together::Together;
use super::{Context, Outcome, settle_grants, trustees};
use crate::batch::{BatchOutcome, Coverage, Facet, GrantRow, GrantSet};
use crate::codec;
use crate::error::Fault;

/// Stores whole facets of mailboxes, each given with the integer of its mailbox; what is not among the grants of
/// one is gone.
pub(crate) fn put_sets(
    connection: &Connection,
    memory: &mut Memory,
    context: &Context,
    sets: &[(i64, &GrantSet)],
    outcome: &mut BatchOutcome,
) -> Result<(), Fault> {
    let mut keys = Vec::new();
    let mut read = BTreeSet::new();
    for (mailbox, set) in sets {
        let facet = codec::facet_number(set.facet);
        if !read.insert((*mailbox, facet)) {
            // Read twice: what the first reading saw has to be stored before it can be gone.
            put_new(connection, context, std::mem::take(&mut keys), outcome)?;
        }
        settle_grants::announce_returned(connection, context, *mailbox, set.facet, |grant| {
            set.grants
                .iter()
                .any(|(right, trustee, deny, inherited)| is_of(grant, right, trustee, (*deny, *inherited)))
        })?;
        // Gone until seen: also what an earlier reading of this very run saw.
        connection
            .prepare_cached(
                "UPDATE grants SET gone_run = ?3 WHERE mailbox = ?1 AND facet = ?2 AND gone_run IS NULL",
            )?
            .execute((mailbox, facet, context.run))?;
        let fresh = context.is_fresh(Coverage::Grants(set.facet));
        for (right, trustee, deny, inherited) in &set.grants {
            let trustee = memory.trustee(connection, context.source, trustee)?;
            let key = (*mailbox, facet, right.name(), trustee, *deny, *inherited);
            if fresh {
                keys.push(key);
            } else {
                outcome.count(put(connection, context, key)?);
            }
        }
    }
    put_new(connection, context, keys, outcome)?;
    note_read(connection, context, read)
}

/// Notes that these facets of mailboxes were read.
fn note_read(connection: &Connection, context: &Context, read: BTreeSet<(i64, i64)>) -> Result<(), Fault> {
    if read.is_empty() {
        return Ok(());
    }
    let read: Vec<_> = read.into_iter().collect();
    let mut notes = Together::new(
        connection,
        "INSERT OR REPLACE INTO facet_reads (mailbox, facet, source, run, read_at) VALUES {rows}",
        "($, $, ?1, ?2, ?3)",
        &[context.source, context.run, context.now],
    )?;
    notes.put(&read, |(mailbox, facet), values| {
        values.add(mailbox)?;
        values.add(facet)
    })?;
    Ok(())
}

/// Stores grants of a tenant-wide listing.
pub(crate) fn put_rows(
    connection: &Connection,
    memory: &mut Memory,
    context: &Context,
    rows: &[GrantRow],
    outcome: &mut BatchOutcome,
) -> Result<(), Fault> {
    for rows in rows.chunk_by(|a, b| a.facet == b.facet) {
        let Some(GrantRow { facet, .. }) = rows.first() else { continue };
        let fresh = context.is_fresh(Coverage::Grants(*facet));
        let number = codec::facet_number(*facet);
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let (mailbox, _) = memory.intern(connection, context.source, &row.mailbox, fresh)?;
            if !fresh {
                settle_grants::announce_returned(connection, context, mailbox, *facet, |grant| {
                    is_of(grant, &row.right, &row.trustee, (row.deny, row.inherited))
                })?;
            }
            let trustee = memory.trustee(connection, context.source, &row.trustee)?;
            let key = (mailbox, number, row.right.name(), trustee, row.deny, row.inherited);
            if fresh {
                keys.push(key);
            } else {
                outcome.count(put(connection, context, key)?);
            }
        }
        put_new(connection, context, keys, outcome)?;
    }
    Ok(())
}

/// Whether it is the grant that these say.
pub(crate) fn is_of(grant: &Grant, right: &Right, trustee: &Trustee, flags: (bool, bool)) -> bool {
    grant.right == *right && grant.trustee == *trustee && (grant.deny, grant.inherited) == flags
}

/// Stores one grant that was learnt in another way.
pub(crate) fn put_one(
    connection: &Connection,
    context: &Context,
    mailbox: i64,
    facet: Facet,
    right: &Right,
    trustee: &Trustee,
    (deny, inherited): (bool, bool),
) -> Result<Outcome, Fault> {
    let trustee = trustees::intern(connection, context.source, trustee)?;
    put(connection, context, (mailbox, codec::facet_number(facet), right.name(), trustee, deny, inherited))
}

/// Stores grants that are probably new: in the order of the table, several at once.
fn put_new(
    connection: &Connection,
    context: &Context,
    mut keys: Vec<Key<'_>>,
    outcome: &mut BatchOutcome,
) -> Result<(), Fault> {
    if keys.is_empty() {
        return Ok(());
    }
    keys.sort_unstable();
    let mut insertion = Together::new(
        connection,
        "INSERT OR IGNORE INTO grants (mailbox, facet, right, trustee, deny, inherited, source, first_run,
             seen_run, read_at)
         VALUES {rows}",
        "($, $, $, $, $, $, ?1, ?2, ?2, ?3)",
        &[context.source, context.run, context.now],
    )?;
    for together in keys.chunks(Together::MOST) {
        let added =
            insertion.put(together, |(mailbox, facet, right, trustee, deny, inherited), values| {
                values.add(mailbox)?;
                values.add(facet)?;
                values.add(right)?;
                values.add(trustee)?;
                values.add(deny)?;
                values.add(inherited)
            })?;
        outcome.created += added as u64;
        if added < together.len() {
            // Some were known. Those that were not are now, and are as they should be.
            for key in together {
                see(connection, context, *key)?;
            }
            outcome.unchanged += (together.len() - added) as u64;
        }
    }
    Ok(())
}

fn put(connection: &Connection, context: &Context, key: Key<'_>) -> Result<Outcome, Fault> {
    if context.is_fresh(Coverage::Grants(codec::facet(key.1)?)) && add(connection, context, key)? {
        return Ok(Outcome::Created);
    }
    if see(connection, context, key)? {
        return Ok(Outcome::Unchanged);
    }
    add(connection, context, key)?;
    Ok(Outcome::Created)
}

/// Notes that a grant is there; whether it was known.
fn see(connection: &Connection, context: &Context, key: Key<'_>) -> Result<bool, Fault> {
    let known = connection
        .prepare_cached(
            "UPDATE grants SET gone_run = NULL, seen_run = ?7, read_at = ?8
             WHERE mailbox = ?1 AND facet = ?2 AND right = ?3
                 AND trustee = ?4 AND deny = ?5 AND inherited = ?6",
        )?
        .execute((key.0, key.1, key.2, key.3, key.4, key.5, context.run, context.now))?;
    Ok(known > 0)
}

/// Mailbox, facet, right, trustee, deny, inherited.
type Key<'a> = (i64, i64, &'a str, i64, bool, bool);

/// Adds a grant; whether it is new.
fn add(connection: &Connection, context: &Context, key: Key<'_>) -> Result<bool, Fault> {
    let added = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO grants (mailbox, facet, right, trustee, deny, inherited, source,
                 first_run, seen_run, read_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
        )?
        .execute((key.0, key.1, key.2, key.3, key.4, key.5, context.source, context.run, context.now))?;
    Ok(added > 0)
}
