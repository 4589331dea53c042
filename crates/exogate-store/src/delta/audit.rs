//! Audit records of the last days, and whom changes are ascribed to.

use exogate_model::change::Author;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::codec;
use crate::error::Fault;
use crate::read::feed;
use crate::rows::ChangeRecord;
use crate::write::Context;

/// An audit record, as far as it tells who changed what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditNote {
    /// Its id.
    pub id: String,
    /// When it was done.
    pub at: Timestamp,
    /// The cmdlet.
    pub operation: String,
    /// The objects it is about; more than one where the text in it was ambiguous.
    pub objects: Vec<String>,
    /// Id of the one who was given or lost something, where it is known.
    pub trustee: Option<String>,
    /// The same as it was typed, where nobody is known by that text.
    pub named: Option<String>,
    /// The rights, or the places in a group, that it tells of; none where it does not say.
    pub about: Option<Vec<String>>,
    /// Whether it tells of entries that deny a right.
    pub deny: bool,
    /// Who did it.
    pub author: Author,
}

/// Records come again for seven days at most.
const KEPT_MS: i64 = 9 * 24 * 60 * 60 * 1000;

pub(super) fn keep(connection: &Connection, context: &Context, records: &[AuditNote]) -> Result<(), Fault> {
    for record in records {
        let objects: Vec<String> = record.objects.iter().map(|id| codec::id(id)).collect();
        // A record of one object is found by it; one that may be of several tells of none.
        let object = if let [object] = objects.as_slice() { object.as_str() } else { "" };
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO audit_records (source, id, at, seen_at, operation, object, trustee, author, named, about, deny)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                context.source,
                &record.id,
                record.at.as_millisecond(),
                context.now,
                &record.operation,
                object,
                record.trustee.as_deref().map(codec::id).unwrap_or_default(),
                codec::to_json("who made a change", &record.author)?,
                record.named.as_deref().unwrap_or_default(),
                record.about.as_ref().map(|about| codec::to_json("what a record tells of", about)).transpose()?,
                record.deny,
            ))?;
    }
    connection.execute(
        "DELETE FROM audit_records WHERE source = ?1 AND seen_at < ?2",
        (context.source, context.now - KEPT_MS),
    )?;
    Ok(())
}

pub(super) fn unseen(connection: &Connection, source: i64, ids: Vec<String>) -> Result<Vec<String>, Fault> {
    let mut known = connection.prepare_cached("SELECT 1 FROM audit_records WHERE source = ?1 AND id = ?2")?;
    let mut unseen = Vec::new();
    for id in ids {
        if !known.exists((source, &id))? {
            unseen.push(id);
        }
    }
    Ok(unseen)
}

pub(super) fn unattributed(
    connection: &Connection,
    source: i64,
    since: Timestamp,
) -> Result<Vec<ChangeRecord>, Fault> {
    feed::select(
        connection,
        "c.source = ?1 AND c.author IS NULL AND c.at >= ?2 AND c.id IN (
             SELECT object FROM audit_records WHERE source = ?1 AND object <> '')",
        rusqlite::params![source, since.as_millisecond()],
    )
}

pub(super) fn about(connection: &Connection, source: i64, object: &str) -> Result<Vec<AuditNote>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, operation, object, trustee, author, named, about, deny FROM audit_records
         WHERE source = ?1 AND object = ?2 ORDER BY at, id",
    )?;
    let mut rows = statement.query((source, codec::id(object)))?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let (trustee, named): (String, String) = (row.get(4)?, row.get(6)?);
        let about: Option<String> = row.get(7)?;
        records.push(AuditNote {
            id: row.get(0)?,
            at: codec::instant(row.get(1)?)?,
            operation: row.get(2)?,
            objects: vec![row.get(3)?],
            trustee: (!trustee.is_empty()).then_some(trustee),
            named: (!named.is_empty()).then_some(named),
            about: about.map(|json| codec::from_json("what a record tells of", &json)).transpose()?,
            deny: row.get(8)?,
            author: codec::from_json("who made a change", &row.get::<_, String>(5)?)?,
        });
    }
    Ok(records)
}

pub(super) fn attribute(
    connection: &Connection,
    source: i64,
    authors: &[(i64, Author)],
) -> Result<(), Fault> {
    for (sequence, author) in authors {
        connection
            .prepare_cached(
                "UPDATE changes SET author = ?3 WHERE source = ?1 AND sequence = ?2 AND author IS NULL",
            )?
            .execute((source, sequence, codec::to_json("who made a change", author)?))?;
    }
    Ok(())
}
