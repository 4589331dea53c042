//! Mailboxes: by key, by whatever they are called, and those whose grants are still to be read.

use exogate_model::change::ObjectKind;
use exogate_model::mailbox::MailboxKind;
use rusqlite::{Connection, Row};

use super::{found, grants, load, names, one_more, page, says};
use crate::batch::Facet;
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{
    Cursor, EntitlementRecord, Found, LabelMatch, MailboxRecord, MailboxRef, NamedMailbox, Page,
};
use crate::write::{ids, loading};

const REF: &str = "SELECT i.id, m.kind, m.display_name, m.primary_smtp, m.exchange_guid,
        (SELECT label FROM labels l WHERE l.mailbox = m.oid AND l.until_run IS NULL)
    FROM mailboxes m JOIN ids i ON i.oid = m.oid";

fn reference(row: &Row<'_>) -> Result<MailboxRef, Fault> {
    Ok(MailboxRef {
        key: row.get(0)?,
        kind: MailboxKind::from(row.get::<_, String>(1)?),
        display_name: row.get(2)?,
        primary_smtp: row.get(3)?,
        exchange_guid: row.get(4)?,
        label: row.get(5)?,
    })
}

/// A mailbox in few words, by its integer.
pub(crate) fn reference_of(connection: &Connection, oid: i64) -> Result<Option<MailboxRef>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{REF} WHERE m.oid = ?1"))?;
    let mut rows = statement.query([oid])?;
    rows.next()?.map(reference).transpose()
}

/// One mailbox by its key.
pub(crate) fn by_key(
    connection: &Connection,
    source: i64,
    key: &str,
) -> Result<Option<MailboxRecord>, Fault> {
    let Some(oid) = ids::find(connection, source, key)? else { return Ok(None) };
    let Some((mailbox, _)) = load::mailbox(connection, oid)? else { return Ok(None) };
    let Some(read_at) = load::read_at(connection, Part::Mailboxes, source, oid)? else { return Ok(None) };
    let label = reference_of(connection, oid)?.and_then(|reference| reference.label);
    Ok(Some(MailboxRecord { mailbox, cas: load::cas(connection, oid)?, label, read_at }))
}

/// One mailbox by whatever it is called: the first of these that anything bears decides.
pub(crate) fn find(connection: &Connection, source: i64, text: &str) -> Result<Found<MailboxRef>, Fault> {
    let mut references = Vec::new();
    for oid in oids(connection, source, text)? {
        references.extend(reference_of(connection, oid)?);
    }
    references.sort_by(|a, b| a.key.cmp(&b.key));
    found(references, || names::nearest(connection, source, ObjectKind::Mailbox, text))
}

fn oids(connection: &Connection, source: i64, text: &str) -> Result<Vec<i64>, Fault> {
    if let Some(oid) = ids::find(connection, source, text)? {
        let is_mailbox =
            connection.prepare_cached("SELECT 1 FROM mailboxes WHERE oid = ?1")?.exists([oid])?;
        if is_mailbox {
            return Ok(vec![oid]);
        }
    }
    let folded = text.to_lowercase();
    let mailbox = "AND EXISTS (SELECT 1 FROM mailboxes m WHERE m.oid = l.mailbox)";
    let quick = [
        ("SELECT oid FROM mailboxes WHERE source = ?1 AND primary_smtp = ?2".to_owned(), text),
        (
            format!(
                "SELECT mailbox FROM labels l
                 WHERE source = ?1 AND folded = ?2 AND until_run IS NULL {mailbox}"
            ),
            folded.as_str(),
        ),
        (
            format!(
                "SELECT mailbox FROM labels l
                 WHERE source = ?1 AND folded = ?2 AND until_run IS NOT NULL {mailbox}"
            ),
            folded.as_str(),
        ),
    ];
    for (sql, wanted) in quick {
        let mut statement = connection.prepare_cached(&sql)?;
        let oids =
            statement.query_map((source, wanted), |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        if !oids.is_empty() {
            return Ok(oids);
        }
    }
    scan(connection, source, &folded)
}

/// What has no index, in one pass: GUID, UPN, alias, name, display name, in this order of weight.
fn scan(connection: &Connection, source: i64, folded: &str) -> Result<Vec<i64>, Fault> {
    const COLUMNS: usize = 5;
    let mut by_column: [Vec<i64>; COLUMNS] = Default::default();
    let mut statement = connection.prepare_cached(
        "SELECT exchange_guid, upn, alias, name, display_name, oid FROM mailboxes NOT INDEXED
         WHERE source = ?1",
    )?;
    let mut rows = statement.query([source])?;
    while let Some(row) = rows.next()? {
        for (column, bearers) in by_column.iter_mut().enumerate() {
            if says(row, column, folded)? {
                bearers.push(row.get(COLUMNS)?);
            }
        }
    }
    Ok(by_column.into_iter().find(|bearers| !bearers.is_empty()).unwrap_or_default())
}

/// Mailboxes that a run has seen and whose facet it has not read yet.
pub(crate) fn to_read(
    connection: &Connection,
    source: i64,
    run: i64,
    (kinds, facet): (&[MailboxKind], Facet),
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<NamedMailbox>, Fault> {
    let kinds: Vec<&str> = kinds.iter().map(MailboxKind::recipient_type_details).collect();
    let kinds = codec::to_json("kinds of mailboxes", &kinds)?;
    let after: i64 = after.and_then(|cursor| cursor.key.parse().ok()).unwrap_or_default();
    // Of an empty store that is being loaded, the run has seen all there is; and what would tell of
    // each is not there yet.
    let seen = if loading::is_under_way(connection)? {
        "?1 > 0"
    } else {
        "EXISTS (SELECT 1 FROM marks k WHERE k.part = ?1 AND k.source = ?2 AND k.oid = m.oid AND k.seen_run = ?5)"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT i.id, m.kind, m.display_name, m.primary_smtp, m.exchange_guid,
             (SELECT label FROM labels l WHERE l.mailbox = m.oid AND l.until_run IS NULL), m.rowid,
             m.name, m.distinguished_name
         FROM mailboxes m NOT INDEXED CROSS JOIN ids i ON i.oid = m.oid
         WHERE m.rowid > ?3 AND m.source = ?2 AND m.kind IN (SELECT value FROM json_each(?4)) AND {seen}
             AND NOT EXISTS (
                 SELECT 1 FROM facet_reads f WHERE f.mailbox = m.oid AND f.facet = ?6 AND f.run = ?5)
         ORDER BY m.rowid LIMIT ?7"
    ))?;
    let mut rows = statement.query((
        Part::Mailboxes.number(),
        source,
        after,
        kinds,
        run,
        codec::facet_number(facet),
        one_more(limit),
    ))?;
    let mut items: Vec<(NamedMailbox, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let reference = reference(row)?;
        let mailbox = NamedMailbox { reference, name: row.get(7)?, distinguished_name: row.get(8)? };
        items.push((mailbox, row.get(6)?));
    }
    let page = page(items, limit, |(_, row)| Cursor { key: row.to_string(), id: String::new() });
    Ok(Page { items: page.items.into_iter().map(|(mailbox, _)| mailbox).collect(), next: page.next })
}

/// Governed mailboxes in the order of their labels, with how many hold which right.
pub(crate) fn entitlements(
    connection: &Connection,
    source: i64,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<EntitlementRecord>, Fault> {
    let (folded, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let mut statement = connection.prepare_cached(
        "SELECT l.mailbox, l.folded FROM labels l JOIN ids i ON i.oid = l.mailbox
         WHERE l.source = ?1 AND l.until_run IS NULL AND l.folded >= ?2 AND (l.folded > ?2 OR i.id > ?3)
             AND EXISTS (SELECT 1 FROM mailboxes m WHERE m.oid = l.mailbox)
         ORDER BY l.folded, i.id LIMIT ?4",
    )?;
    let labelled = statement
        .query_map((source, folded, id, one_more(limit)), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, String)>, _>>()?;
    let mut items = Vec::with_capacity(labelled.len());
    for (oid, folded) in labelled {
        if let Some(mailbox) = reference_of(connection, oid)? {
            items.push((EntitlementRecord { mailbox, holders: grants::holders(connection, oid)? }, folded));
        }
    }
    let page = page(items, limit, |(entitlement, folded)| Cursor {
        key: folded.clone(),
        id: entitlement.mailbox.key.clone(),
    });
    Ok(Page { items: page.items.into_iter().map(|(entitlement, _)| entitlement).collect(), next: page.next })
}

/// The mailboxes that bear a label, or bore it; today's first.
pub(crate) fn labelled(connection: &Connection, source: i64, label: &str) -> Result<Vec<LabelMatch>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT i.id, l.label, l.until_run IS NULL FROM labels l JOIN ids i ON i.oid = l.mailbox
         WHERE l.source = ?1 AND l.folded = ?2
         ORDER BY l.until_run IS NOT NULL, l.until_run DESC, i.id",
    )?;
    let matches = statement
        .query_map((source, label.to_lowercase()), |row| {
            Ok(LabelMatch { mailbox: row.get(0)?, label: row.get(1)?, current: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(matches)
}
