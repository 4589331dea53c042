//! The first load of an empty store. While all that comes is new, the indices that only look-ups need
//! are set aside, and made when little more will come that belongs into them: sorted, that costs a
//! fraction of what it costs row by row. One at a time, so that nobody who has something to store waits
//! for long; all that are left in one go when somebody needs them.
//!
//! What the indices would tell the one who loads, this remembers instead: which ids have an integer,
//! and which objects are stored. An object that comes twice, anybody else who writes, and more than is
//! to be remembered: each ends it. That indices are aside is written in the store, so whoever opens it
//! after a crash makes them.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use crate::codec::{self, Part};
use crate::error::Fault;

/// The indices that are set aside, and the parts of the state that bring nearly all there is in them.
const ASIDE: [(&str, &[Part]); 7] = [
    ("users_by_oid", &[Part::Users]),
    ("users_by_upn", &[Part::Users]),
    ("mailboxes_by_oid", &[Part::Mailboxes]),
    ("mailboxes_by_address", &[Part::Mailboxes]),
    ("cas_attributes_by_oid", &[Part::Cas]),
    ("ids_by_id", &[Part::Users, Part::Mailboxes]),
    // With the groups come their members.
    ("memberships_by_member", &[Part::Groups]),
];
/// Beside the indices that are aside, as long as the loading is under way.
const UNDER_WAY: &str = "loading";
/// Ids that are remembered at most: some sixteen MiB, and sorting them takes no more.
const MOST: usize = 400_000;

/// What the run that loads an empty store has stored so far.
#[derive(Debug)]
pub(crate) struct Loading {
    run: i64,
    guids: HashMap<u128, i64, Folding>,
    /// Ids that are no GUIDs.
    texts: HashMap<String, i64>,
    /// A bit for every object that is stored, by part.
    stored: [Vec<u64>; Part::COUNT],
    /// Parts that are there.
    complete: Vec<Part>,
    /// Indices that little will come into any more.
    due: VecDeque<&'static str>,
}

/// Sets the indices aside for a run that begins, if nothing is stored yet.
pub(crate) fn begin(connection: &Connection, run: i64) -> Result<Option<Loading>, Fault> {
    let is_empty: bool = connection.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM ids) AND NOT EXISTS (SELECT 1 FROM marks)
             AND NOT EXISTS (SELECT 1 FROM trustees)",
        [],
        |row| row.get(0),
    )?;
    if !is_empty {
        return Ok(None);
    }
    for (name, _) in ASIDE {
        connection.execute(
            "INSERT INTO indices_aside (name, sql)
             SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND name = ?1",
            [name],
        )?;
        connection.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    // As long as this is there, nobody else has written anything: also when all of them are made.
    connection.execute("INSERT INTO indices_aside (name, sql) VALUES (?1, '')", [UNDER_WAY])?;
    let (guids, texts, stored, complete, due) = Default::default();
    Ok(Some(Loading { run, guids, texts, stored, complete, due }))
}

/// Whether a loading is under way, or was when a process was killed.
pub(crate) fn is_under_way(connection: &Connection) -> Result<bool, Fault> {
    Ok(connection.prepare_cached("SELECT 1 FROM indices_aside")?.exists([])?)
}

/// Makes one index, if it is aside.
fn make(connection: &Connection, name: &str) -> Result<(), Fault> {
    let sql: Option<String> = connection
        .query_row("SELECT sql FROM indices_aside WHERE name = ?1", [name], |row| row.get(0))
        .optional()?;
    if let Some(sql) = sql {
        connection.execute_batch(&sql)?;
        connection.execute("DELETE FROM indices_aside WHERE name = ?1", [name])?;
    }
    Ok(())
}

/// Makes the indices that are aside.
pub(crate) fn end(connection: &Connection) -> Result<(), Fault> {
    let indices = connection
        .prepare("SELECT sql FROM indices_aside ORDER BY rowid")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    for sql in indices {
        connection.execute_batch(&sql)?;
    }
    connection.execute("DELETE FROM indices_aside", [])?;
    Ok(())
}

impl Loading {
    /// Whether it is this run that loads, and there is room for more.
    pub(crate) fn goes_on(&self, run: i64) -> bool {
        self.run == run && self.guids.len() + self.texts.len() < MOST
    }

    /// All of a part is there: the indices are due that wait for no other.
    pub(crate) fn complete(&mut self, part: Part) {
        if self.complete.contains(&part) {
            return;
        }
        self.complete.push(part);
        let due = ASIDE.iter().filter(|(_, parts)| {
            parts.contains(&part) && parts.iter().all(|part| self.complete.contains(part))
        });
        self.due.extend(due.map(|(name, _)| *name));
    }

    /// All objects and memberships are there.
    pub(crate) fn complete_objects(&mut self) {
        Part::ALL.into_iter().for_each(|part| self.complete(part));
    }

    /// Whether an index is due.
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Makes one index that is due.
    pub(crate) fn make_due(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.due.pop_front().map_or(Ok(()), |name| make(connection, name))
    }

    /// The integer of an id; it gets one if it has none. Says whether it is new.
    pub(crate) fn intern(
        &mut self,
        connection: &Connection,
        source: i64,
        id: &str,
    ) -> Result<(i64, bool), Fault> {
        let add = || -> Result<i64, Fault> {
            connection
                .prepare_cached("INSERT INTO ids (source, id) VALUES (?1, ?2)")?
                .execute((source, codec::id(id)))?;
            Ok(connection.last_insert_rowid())
        };
        let known = match guid(id) {
            Some(guid) => self.guids.get(&guid),
            None => self.texts.get(&codec::id(id)),
        };
        if let Some(oid) = known {
            return Ok((*oid, false));
        }
        let oid = add()?;
        match guid(id) {
            Some(guid) => self.guids.insert(guid, oid),
            None => self.texts.insert(codec::id(id), oid),
        };
        Ok((oid, true))
    }

    /// Notes that an object is stored; whether it was not before.
    pub(crate) fn store(&mut self, part: Part, oid: i64) -> bool {
        let Ok(place) = usize::try_from(oid) else { return false };
        let Some(bits) = self.stored.get_mut(part.index()) else { return false };
        let (word, bit) = (place / 64, 1 << (place % 64));
        if bits.len() <= word {
            bits.resize((word + 1).next_power_of_two(), 0);
        }
        let Some(word) = bits.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

/// Hashes GUIDs, which are looked up for every membership: quicker than what keeps hashes secret, and with
/// a seed that nobody knows, so that no tenant can bring in ids that all fall on one place.
struct Folding {
    seed: u64,
}

impl Default for Folding {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(()) }
    }
}

impl BuildHasher for Folding {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.seed)
    }
}

struct Folded(u64);

impl Folded {
    fn fold(&mut self, one: u64, other: u64) {
        let product = u128::from(one ^ self.0) * u128::from(other ^ 0x9e37_79b9_7f4a_7c15);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u128(&mut self, number: u128) {
        self.fold(number as u64, (number >> 64) as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.fold(u64::from(*byte), 0));
    }
}

/// The number of an id in the usual form of a GUID, which has a single spelling but for case.
pub(super) fn guid(id: &str) -> Option<u128> {
    (id.len() == 36).then(|| Uuid::try_parse(id).ok()).flatten().map(|id| id.as_u128())
}
