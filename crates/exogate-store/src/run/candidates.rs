//! Who may be meant by a key: one sequential scan over everybody, however many keys are asked for, in
//! two halves at once, each of which needs no index.
//!
//! It only finds who bears a key; whom a trustee stands for is decided elsewhere.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row};

use crate::codec;
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

/// The scans, in two halves that can be read side by side.
pub(super) const HALVES: [&[Scan]; 2] =
    [&[(USERS, CandidateKind::User)], &[(MAILBOXES, CandidateKind::Mailbox), (GROUPS, CandidateKind::Group)]];
pub(super) type Scan = ((&'static str, Columns), CandidateKind);

/// Keys, to be looked for.
pub(super) struct Wanted {
    /// As they were asked for, by what they are without regard to case.
    folded: HashMap<String, Vec<String>>,
    sieve: Sieve,
}

impl Wanted {
    pub(super) fn new(keys: Vec<String>) -> Self {
        let mut folded: HashMap<String, Vec<String>> = HashMap::new();
        for key in keys.into_iter().collect::<HashSet<_>>() {
            folded.entry(key.to_lowercase()).or_default().push(key);
        }
        folded.remove("");
        Self { sieve: Sieve::new(folded.keys()), folded }
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Who is meant by their very id. Ids have an index, and need no scan.
    pub(super) fn named(
        &self,
        connection: &Connection,
        (source, run): (i64, i64),
    ) -> Result<Vec<Candidate>, Fault> {
        let mut hits = Vec::new();
        let mut find = connection.prepare_cached(ids::FIND)?;
        for key in self.folded.values().flatten().filter(|key| may_be_id(key)) {
            let oid: Option<i64> = find.query_row((source, codec::id(key)), |row| row.get(0)).optional()?;
            let Some(oid) = oid else { continue };
            for (sql, kind) in NAMED {
                if connection.prepare_cached(sql)?.exists([oid])? {
                    hits.push(Hit { oid, kind, by: MatchedBy::Id, key: key.clone() });
                }
            }
        }
        candidates(connection, (source, run), hits)
    }

    /// Who bears one of them, of those that are scanned.
    pub(super) fn scan(
        &self,
        connection: &Connection,
        (source, run): (i64, i64),
        scans: &[Scan],
    ) -> Result<Vec<Candidate>, Fault> {
        let mut hits = Vec::new();
        for ((sql, columns), kind) in scans {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([source])?;
            while let Some(row) = rows.next()? {
                for (column, by) in *columns {
                    let Some(bytes) = bytes(row, *column)? else { continue };
                    if !self.sieve.may_hold(bytes) {
                        continue;
                    }
                    let text =
                        std::str::from_utf8(bytes).map_err(|error| Fault::unreadable("a name", error))?;
                    for key in self.folded.get(&text.to_lowercase()).into_iter().flatten() {
                        hits.push(Hit { oid: row.get(0)?, kind: *kind, by: *by, key: key.clone() });
                    }
                }
            }
        }
        candidates(connection, (source, run), hits)
    }
}

/// Looks up what is kept apart from the columns of the scan, once for each that was found.
fn candidates(
    connection: &Connection,
    (source, run): (i64, i64),
    mut hits: Vec<Hit>,
) -> Result<Vec<Candidate>, Fault> {
    hits.sort_unstable();
    hits.dedup();
    let mut ids = connection.prepare_cached("SELECT id FROM ids WHERE oid = ?1")?;
    // The first run of a source has seen whatever is stored.
    let is_first = !connection
        .prepare_cached("SELECT 1 FROM runs WHERE source = ?1 AND run <> ?2")?
        .exists((source, run))?;
    let mut seen = connection.prepare_cached(
        "SELECT 1 FROM marks WHERE part IN (?1, ?2) AND source = ?3 AND oid = ?4 AND seen_run = ?5",
    )?;
    let mut found = Vec::with_capacity(hits.len());
    let mut last: (i64, String) = Default::default();
    for same in hits.chunk_by_mut(|a, b| (a.oid, a.kind) == (b.oid, b.kind)) {
        let Some(Hit { oid, kind, .. }) = same.first() else { continue };
        let (one, other) = match kind {
            CandidateKind::User => (1, 1),
            CandidateKind::Mailbox => (2, 2),
            CandidateKind::Group => (4, 6),
        };
        // The same person is there as a user and as a mailbox.
        if last.0 != *oid {
            last = (*oid, ids.query_row([oid], |row| row.get(0))?);
        }
        let id = &last.1;
        let seen = is_first || seen.exists((one, other, source, oid, run))?;
        for Hit { kind, by, key, .. } in same {
            found.push(Candidate { key: std::mem::take(key), by: *by, kind: *kind, id: id.clone(), seen });
        }
    }
    Ok(found)
}

/// Somebody who bears a wanted key, by the object's integer.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    oid: i64,
    kind: CandidateKind,
    by: MatchedBy,
    key: String,
}

/// Where the objects of each kind are.
const NAMED: [(&str, CandidateKind); 3] = [
    ("SELECT 1 FROM users WHERE oid = ?1", CandidateKind::User),
    ("SELECT 1 FROM mailboxes WHERE oid = ?1", CandidateKind::Mailbox),
    ("SELECT 1 FROM groups WHERE oid = ?1", CandidateKind::Group),
];

/// Nearly all keys are addresses, security identifiers, or names in words, and no id looks like one of them.
fn may_be_id(key: &str) -> bool {
    const SID: &str = "s-1-";
    !key.contains(['@', ' ', '\\', '='])
        && !key.get(..SID.len()).is_some_and(|start| start.eq_ignore_ascii_case(SID))
}

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
