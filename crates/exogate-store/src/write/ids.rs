//! One integer for every object id of a source.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::loading::guid;
use crate::codec;
use crate::error::Fault;

/// Finds the integer of an id of a source.
pub(crate) const FIND: &str = "SELECT oid FROM ids WHERE source = ?1 AND id = ?2";

/// The integer of an id, if it has one.
pub(crate) fn find(connection: &Connection, source: i64, id: &str) -> Result<Option<i64>, Fault> {
    Ok(connection.prepare_cached(FIND)?.query_row((source, codec::id(id)), |row| row.get(0)).optional()?)
}

/// The integer of an id; it gets one if it has none. Says whether it is new.
pub(crate) fn intern(connection: &Connection, source: i64, id: &str) -> Result<(i64, bool), Fault> {
    if let Some(oid) = find(connection, source, id)? {
        return Ok((oid, false));
    }
    connection
        .prepare_cached("INSERT INTO ids (source, id) VALUES (?1, ?2)")?
        .execute((source, codec::id(id)))?;
    Ok((connection.last_insert_rowid(), true))
}

/// The integers of many ids, one after the other.
pub(crate) struct Ids<'c> {
    connection: &'c Connection,
    find: CachedStatement<'c>,
}

impl<'c> Ids<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self, Fault> {
        Ok(Self { connection, find: connection.prepare_cached(FIND)? })
    }

    /// The integer of an id; it gets one if it has none.
    pub(crate) fn intern(&mut self, source: i64, id: &str) -> Result<i64, Fault> {
        match self.find.query_row((source, codec::id(id)), |row| row.get(0)).optional()? {
            Some(oid) => Ok(oid),
            None => Ok(intern(self.connection, source, id)?.0),
        }
    }
}

/// The same for an id that is probably new.
fn intern_new(connection: &Connection, source: i64, id: &str) -> Result<(i64, bool), Fault> {
    let added = connection
        .prepare_cached("INSERT OR IGNORE INTO ids (source, id) VALUES (?1, ?2)")?
        .execute((source, codec::id(id)))?;
    if added > 0 {
        return Ok((connection.last_insert_rowid(), true));
    }
    intern(connection, source, id)
}

/// Some of the integers that were asked for lately. Of bounded size: where two ids have the same
/// place, the later one has it. Right as long as what was interned is not rolled back.
pub(crate) struct Lately {
    places: Vec<Place>,
}

/// An `oid` of zero, which no object has, is an empty place.
#[derive(Clone, Copy, Default)]
struct Place {
    id: u128,
    source: i64,
    oid: i64,
}

impl Lately {
    /// A power of two: eight MiB.
    const PLACES: usize = 1 << 18;

    /// Knows nothing yet, and takes no memory before it does.
    pub(crate) fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.places.clear();
    }

    /// The integer of an id; it gets one if it has none. Says whether it is new. `fresh`: of its
    /// source, little is stored yet.
    pub(crate) fn intern(
        &mut self,
        connection: &Connection,
        source: i64,
        id: &str,
        fresh: bool,
    ) -> Result<(i64, bool), Fault> {
        let guid = guid(id);
        if let Some(guid) = guid
            && let Some(place) = self.places.get(Self::place(guid))
            && (place.id, place.source) == (guid, source)
            && place.oid != 0
        {
            return Ok((place.oid, false));
        }
        let (oid, is_new) =
            if fresh { intern_new(connection, source, id)? } else { intern(connection, source, id)? };
        if let Some(guid) = guid {
            if self.places.is_empty() {
                self.places.resize(Self::PLACES, Place::default());
            }
            if let Some(place) = self.places.get_mut(Self::place(guid)) {
                *place = Place { id: guid, source, oid };
            }
        }
        Ok((oid, is_new))
    }

    fn place(id: u128) -> usize {
        let folded = (id as u64) ^ ((id >> 64) as u64);
        (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 46) as usize
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/0001_state.sql")).unwrap();
        connection
    }

    #[test]
    fn an_id_keeps_its_integer_whether_or_not_it_was_asked_for_lately() {
        let connection = connection();
        let mut lately = Lately::new();
        let guid = |number: u128| Uuid::from_u128(number << 90 | number).to_string();
        for fresh in [true, false] {
            let mut all = std::collections::HashMap::new();
            for number in 0..2000 {
                let (oid, _) = lately.intern(&connection, 1, &guid(number), fresh).unwrap();
                assert!(all.insert(oid, number).is_none());
            }
            for number in 0..2000 {
                let upper = guid(number).to_uppercase();
                assert!(!lately.intern(&connection, 1, &upper, fresh).unwrap().1);
                let (oid, _) = intern(&connection, 1, &guid(number)).unwrap();
                assert_eq!(all[&oid], number);
            }
        }
        let other = lately.intern(&connection, 2, &guid(7), true).unwrap();
        assert!(other.1, "the same id of another source is another object");
        let text = lately.intern(&connection, 1, "Kim", true).unwrap();
        assert_eq!(lately.intern(&connection, 1, "kim", true).unwrap(), (text.0, false));
    }

    #[test]
    fn what_is_forgotten_is_looked_up() {
        let connection = connection();
        let mut lately = Lately::new();
        let id = Uuid::from_u128(5).to_string();
        let (oid, _) = lately.intern(&connection, 1, &id, true).unwrap();
        connection.execute("DELETE FROM ids", []).unwrap();
        assert_eq!(lately.intern(&connection, 1, &id, true).unwrap(), (oid, false));
        lately.forget();
        assert!(lately.intern(&connection, 1, &id, true).unwrap().1);
    }
}
