//! Marks of objects that are new, several added with one statement: that costs half of what it costs one
//! by one.

use rusqlite::{CachedStatement, Connection};

use super::Context;
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
    /// Marks that one statement adds.
    const TOGETHER: usize = 32;

    /// Adds one. There must be none of this object in the store.
    pub(crate) fn add(&mut self, part: Part, oid: i64, hash: [u8; 16]) {
        self.0.push(Mark { part, oid, hash });
    }

    /// Stores them.
    pub(crate) fn put(&mut self, connection: &Connection, context: &Context) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let together = self.0.chunks_exact(Self::TOGETHER);
        let single = together.remainder().chunks(1);
        for (rows, chunks) in [(Self::TOGETHER, together.collect::<Vec<_>>()), (1, single.collect())] {
            let mut statement = connection.prepare_cached(&insertion(rows))?;
            for chunk in chunks {
                put_chunk(&mut statement, context, chunk)?;
            }
        }
        self.0.clear();
        Ok(())
    }
}

fn insertion(rows: usize) -> String {
    let row = |number: usize| {
        let [part, oid, hash] = [4, 5, 6].map(|place| number * 3 + place);
        format!("(?{part}, ?1, ?{oid}, ?{hash}, ?2, ?2, ?3)")
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO marks (part, source, oid, hash, first_run, seen_run, read_at) VALUES {}",
        rows.join(", ")
    )
}

fn put_chunk(statement: &mut CachedStatement<'_>, context: &Context, chunk: &[Mark]) -> Result<(), Fault> {
    for (place, value) in [context.source, context.run, context.now].into_iter().enumerate() {
        statement.raw_bind_parameter(place + 1, value)?;
    }
    for (number, mark) in chunk.iter().enumerate() {
        let place = number * 3 + 4;
        statement.raw_bind_parameter(place, mark.part.number())?;
        statement.raw_bind_parameter(place + 1, mark.oid)?;
        statement.raw_bind_parameter(place + 2, mark.hash.as_slice())?;
    }
    statement.raw_execute()?;
    Ok(())
}
