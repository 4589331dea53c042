//! Who may be meant by a key: one sequential scan over everybody, however many keys are asked for.
//!
//! It only finds who bears a key; whom a trustee stands for is decided elsewhere.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row};

use crate::error::Fault;
use crate::write::ids;

/// What kind of object a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// A user.
    User,
    /// A mailbox; its id is that of its user, whether or not that user is stored.
    Mailbox,
    /// A group.
    Group,
}

/// What a candidate was found by. In the order of what identifies best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchedBy {
    /// Object id.
    Id,
    /// Security identifier.
    Sid,
    /// GUID in Exchange.
    ExchangeGuid,
    /// User principal name.
    Upn,
    /// Primary SMTP or mail address.
    Address,
    /// Distinguished name.
    DistinguishedName,
    /// Legacy Exchange distinguished name.
    LegacyDn,
    /// `Name`.
    Name,
    /// `Alias`.
    Alias,
    /// Display name.
    DisplayName,
}

/// Somebody who may be meant by a wanted key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// The key as it was asked for.
    pub key: String,
    /// What it was found by.
    pub by: MatchedBy,
    /// What it is.
    pub kind: CandidateKind,
    /// Entra object id.
    pub id: String,
    /// Whether this run has seen it. What a complete stream has not seen is about to be deleted.
    pub seen: bool,
}

/// The columns of a scan that identify somebody, after the object's integer. An index would only
/// make the scan jump about in the table.
type Columns = &'static [(usize, MatchedBy)];

const USERS: (&str, Columns) = (
    "SELECT oid, sid, upn, mail, display_name FROM users NOT INDEXED WHERE source = ?1",
    &[(1, MatchedBy::Sid), (2, MatchedBy::Upn), (3, MatchedBy::Address), (4, MatchedBy::DisplayName)],
);
const MAILBOXES: (&str, Columns) = (
    "SELECT oid, exchange_guid, upn, primary_smtp, distinguished_name, legacy_dn, name, alias,
         display_name
     FROM mailboxes NOT INDEXED WHERE source = ?1",
    &[
        (1, MatchedBy::ExchangeGuid),
        (2, MatchedBy::Upn),
        (3, MatchedBy::Address),
        (4, MatchedBy::DistinguishedName),
        (5, MatchedBy::LegacyDn),
        (6, MatchedBy::Name),
        (7, MatchedBy::Alias),
        (8, MatchedBy::DisplayName),
    ],
);
const GROUPS: (&str, Columns) = (
    "SELECT g.oid, g.sid, e.exchange_guid, g.mail, e.distinguished_name, e.name, e.alias, g.display_name
     FROM groups g NOT INDEXED LEFT JOIN group_exchange e ON e.oid = g.oid WHERE g.source = ?1",
    &[
        (1, MatchedBy::Sid),
        (2, MatchedBy::ExchangeGuid),
        (3, MatchedBy::Address),
        (4, MatchedBy::DistinguishedName),
        (5, MatchedBy::Name),
        (6, MatchedBy::Alias),
        (7, MatchedBy::DisplayName),
    ],
);

/// Everybody who bears one of the wanted keys, sorted.
pub(super) fn find(
    connection: &Connection,
    source: i64,
    run: i64,
    wanted: Vec<String>,
) -> Result<Vec<Candidate>, Fault> {
    let mut folded: HashMap<String, Vec<String>> = HashMap::new();
    for key in wanted.into_iter().collect::<HashSet<_>>() {
        folded.entry(key.to_lowercase()).or_default().push(key);
    }
    folded.remove("");
    let mut found = Vec::new();
    if folded.is_empty() {
        return Ok(found);
    }
    let mut buffer = String::new();
    let scans =
        [(USERS, CandidateKind::User), (MAILBOXES, CandidateKind::Mailbox), (GROUPS, CandidateKind::Group)];
    for ((sql, columns), kind) in scans {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([source])?;
        while let Some(row) = rows.next()? {
            for (column, by) in columns {
                let Some(text) = text(row, *column)? else { continue };
                for key in fold(text, &mut buffer).and_then(|text| folded.get(text)).into_iter().flatten() {
                    let id = id(connection, row.get(0)?)?;
                    found.push(Candidate { key: key.clone(), by: *by, kind, id, seen: false });
                }
            }
        }
    }
    by_id(connection, source, folded.into_values().flatten(), &mut found)?;
    found.sort_unstable();
    found.dedup();
    // Few, and kept apart from the columns of the scan.
    let mut seen = connection.prepare_cached(SEEN)?;
    for candidate in &mut found {
        let (one, other) = match candidate.kind {
            CandidateKind::User => (1, 1),
            CandidateKind::Mailbox => (2, 2),
            CandidateKind::Group => (4, 6),
        };
        candidate.seen = seen.exists(rusqlite::params![source, candidate.id, one, other, run])?;
    }
    Ok(found)
}

/// Those who are meant by their very id. Ids have an index, and need no scan.
fn by_id(
    connection: &Connection,
    source: i64,
    wanted: impl Iterator<Item = String>,
    found: &mut Vec<Candidate>,
) -> Result<(), Fault> {
    const TABLES: [(&str, CandidateKind); 3] = [
        ("SELECT 1 FROM users WHERE oid = ?1", CandidateKind::User),
        ("SELECT 1 FROM mailboxes WHERE oid = ?1", CandidateKind::Mailbox),
        ("SELECT 1 FROM groups WHERE oid = ?1", CandidateKind::Group),
    ];
    for key in wanted {
        let Some(oid) = ids::find(connection, source, &key)? else { continue };
        for (sql, kind) in TABLES {
            if connection.prepare_cached(sql)?.exists([oid])? {
                let id = id(connection, oid)?;
                found.push(Candidate { key: key.clone(), by: MatchedBy::Id, kind, id, seen: false });
            }
        }
    }
    Ok(())
}

fn id(connection: &Connection, oid: i64) -> Result<String, Fault> {
    Ok(connection.prepare_cached("SELECT id FROM ids WHERE oid = ?1")?.query_row([oid], |row| row.get(0))?)
}

/// Whether a run has seen an object, as one of two parts.
const SEEN: &str = "SELECT 1 FROM ids i JOIN marks m ON m.source = i.source AND m.oid = i.oid
     WHERE i.source = ?1 AND i.id = ?2 AND m.part IN (?3, ?4) AND m.seen_run = ?5";

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>, Fault> {
    Ok(row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?)
}

/// The text in lower case; made in a buffer that is kept, because this runs for every column of
/// every object.
fn fold<'a>(text: &str, buffer: &'a mut String) -> Option<&'a str> {
    buffer.clear();
    if text.is_ascii() {
        buffer.push_str(text);
        buffer.make_ascii_lowercase();
    } else {
        buffer.push_str(&text.to_lowercase());
    }
    (!buffer.is_empty()).then_some(buffer)
}
