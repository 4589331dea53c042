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
    let sieve = Sieve::new(folded.keys());
    let scans =
        [(USERS, CandidateKind::User), (MAILBOXES, CandidateKind::Mailbox), (GROUPS, CandidateKind::Group)];
    for ((sql, columns), kind) in scans {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([source])?;
        while let Some(row) = rows.next()? {
            for (column, by) in columns {
                let Some(bytes) = bytes(row, *column)? else { continue };
                if !sieve.may_hold(bytes) {
                    continue;
                }
                let text = std::str::from_utf8(bytes).map_err(|error| Fault::unreadable("a name", error))?;
                for key in folded.get(&text.to_lowercase()).into_iter().flatten() {
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

fn bytes<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a [u8]>, Fault> {
    Ok(row.get_ref(column)?.as_bytes_or_null().map_err(rusqlite::Error::from)?)
}

/// Tells quickly of nearly every text that it is none of the keys: this runs for every column of
/// every object.
struct Sieve {
    bits: Vec<u64>,
}

impl Sieve {
    /// Bits for each key, so that few texts pass by accident.
    const SPARSE: usize = 64;

    fn new<'a>(keys: impl ExactSizeIterator<Item = &'a String>) -> Self {
        let mut sieve = Self { bits: vec![0; (keys.len() * Self::SPARSE / 64).next_power_of_two()] };
        for key in keys {
            let (word, bit) = sieve.place(key.as_bytes());
            if let Some(word) = sieve.bits.get_mut(word) {
                *word |= bit;
            }
        }
        sieve
    }

    /// Whether the text may be one of the keys, which are in lower case.
    fn may_hold(&self, text: &[u8]) -> bool {
        // Beyond ASCII, case is not a matter of one bit.
        let (word, bit) = self.place(text);
        self.bits.get(word).is_some_and(|word| word & bit != 0) || !text.is_ascii()
    }

    fn place(&self, text: &[u8]) -> (usize, u64) {
        let mut hash = text.len() as u64;
        for chunk in text.chunks(8) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            // Makes capitals small; what else it makes equal only passes by accident.
            let folded = u64::from_le_bytes(eight) | 0x2020_2020_2020_2020;
            hash = (hash ^ folded).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        let hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((hash >> 32) as usize & (self.bits.len() - 1), 1 << (hash >> 26 & 63))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_key_falls_through(keys in proptest::collection::vec(".{0,24}|[a-zA-Z0-9@. -]{0,60}", 1..40)) {
            let folded: Vec<String> = keys.iter().map(|key| key.to_lowercase()).collect();
            let sieve = Sieve::new(folded.iter());
            for key in keys.iter().chain(&folded) {
                prop_assert!(sieve.may_hold(key.as_bytes()), "{key}");
                let upper = key.to_uppercase();
                if upper.to_lowercase() == key.to_lowercase() {
                    prop_assert!(sieve.may_hold(upper.as_bytes()), "{upper}");
                }
            }
        }
    }

    #[test]
    fn few_others_pass() {
        let keys: Vec<String> = (0..1000).map(|number| format!("user{number}@contoso.com")).collect();
        let sieve = Sieve::new(keys.iter());
        let passed = (1000..101_000).filter(|n| sieve.may_hold(format!("User{n}@contoso.com").as_bytes()));
        assert!(passed.count() < 5000);
    }
}
