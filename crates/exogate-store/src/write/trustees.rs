//! One integer for every trustee of a source, however many grants name it.

use std::collections::HashMap;
use std::fmt::Write;

use exogate_model::trustee::Trustee;
use rusqlite::{Connection, OptionalExtension};

use crate::error::Fault;

/// The integer of a trustee; it gets one if it has none.
pub(crate) fn intern(connection: &Connection, source: i64, trustee: &Trustee) -> Result<i64, Fault> {
    let key = (source, &trustee.text, trustee.sid.as_deref().unwrap_or_default());
    let known: Option<i64> = connection
        .prepare_cached("SELECT trustee FROM trustees WHERE source = ?1 AND text = ?2 AND sid = ?3")?
        .query_row(key, |row| row.get(0))
        .optional()?;
    known.map_or_else(|| add(connection, source, trustee), Ok)
}

fn add(connection: &Connection, source: i64, trustee: &Trustee) -> Result<i64, Fault> {
    connection.prepare_cached("INSERT INTO trustees (source, text, sid) VALUES (?1, ?2, ?3)")?.execute((
        source,
        &trustee.text,
        trustee.sid.as_deref().unwrap_or_default(),
    ))?;
    Ok(connection.last_insert_rowid())
}

/// Trustees that were asked for lately. Right as long as none is deleted, and what was interned is not
/// rolled back. A run holds its source alone, so nobody else deletes any while it writes.
#[derive(Default)]
pub(crate) struct Trustees {
    known: HashMap<Box<str>, i64>,
    key: String,
    /// Those that are known are all that there are.
    are_all: bool,
}

impl Trustees {
    /// Beyond these, it begins anew: some six MiB.
    const MOST: usize = 32_768;

    /// Forgets all of them.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
        self.are_all = false;
    }

    /// Takes note that somebody else may add some.
    pub(crate) fn share(&mut self) {
        self.are_all = false;
    }

    /// Takes note that there are none.
    pub(crate) fn begin(&mut self) {
        self.known.clear();
        self.are_all = true;
    }

    /// The integer of a trustee; it gets one if it has none.
    pub(crate) fn intern(
        &mut self,
        connection: &Connection,
        source: i64,
        trustee: &Trustee,
    ) -> Result<i64, Fault> {
        let sid = trustee.sid.as_deref().unwrap_or_default();
        self.key.clear();
        // With its length, so that no identifier runs into the text. Memory does not fail.
        let _ = write!(self.key, "{source} {} {sid}{}", sid.len(), trustee.text);
        if let Some(number) = self.known.get(self.key.as_str()) {
            return Ok(*number);
        }
        let number = if self.are_all { add } else { intern }(connection, source, trustee)?;
        if self.known.len() >= Self::MOST {
            self.forget();
        }
        self.known.insert(self.key.as_str().into(), number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trustee_is_its_source_its_text_and_its_identifier() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/0001_state.sql")).unwrap();
        let trustee =
            |text: &str, sid: Option<&str>| Trustee { text: text.into(), sid: sid.map(str::to_owned) };
        let all = [
            (1, trustee("kim", None)),
            (2, trustee("kim", None)),
            (1, trustee("Kim", None)),
            (1, trustee("kim", Some("S-1-5"))),
            (1, trustee("5kim", Some("S-1-"))),
            (1, trustee("S-1-5kim", None)),
        ];
        let mut trustees = Trustees::default();
        trustees.begin();
        let numbers: Vec<i64> =
            all.iter().map(|(source, one)| trustees.intern(&connection, *source, one).unwrap()).collect();
        let distinct: std::collections::HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), all.len());
        for _ in 0..2 {
            for ((source, one), number) in all.iter().zip(&numbers) {
                assert_eq!(trustees.intern(&connection, *source, one).unwrap(), *number);
                assert_eq!(intern(&connection, *source, one).unwrap(), *number);
            }
            trustees.forget();
        }
    }
}
