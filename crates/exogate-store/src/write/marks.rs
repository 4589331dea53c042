//! Marks of objects that are new, several added with one statement.

use rusqlite::Connection;

use super::Context;
use super::together::Together;
use crate::codec::Part;
use crate::error::Fault;

/// Marks that are not stored yet.
#[derive(Default)]
pub(crate) struct Marks(Vec<Mark>);

struct Mark {
    part: Part,
    oid: i64,
    hash: [u8; 16],
}

impl Marks {
    /// Adds one. There must be none of this object in the store.
    pub(crate) fn add(&mut self, part: Part, oid: i64, hash: [u8; 16]) {
        self.0.push(Mark { part, oid, hash });
    }

    /// Stores them.
    pub(crate) fn put(&mut self, connection: &Connection, context: &Context) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        // In the order of the table.
        self.0.sort_unstable_by_key(|mark| (mark.part.number(), mark.oid));
        let mut together = Together::new(
            connection,
            "INSERT OR FAIL INTO marks (part, source, oid, hash, first_run, seen_run, read_at) VALUES {rows}",
            "($, ?1, $, $, ?2, ?2, ?3)",
            &[context.source, context.run, context.now],
        )?;
        together.put(&self.0, |mark, values| {
            values.add(mark.part.number())?;
            values.add(mark.oid)?;
            values.add(mark.hash.as_slice())
        })?;
        self.0.clear();
        Ok(())
    }
}
