//! Several rows stored with one statement: that costs half of what it costs one by one.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ToSql};

use crate::error::Fault;

thread_local! {
    /// The texts of statements, which are long: by what they were made of, and for how many rows.
    static WRITTEN: RefCell<HashMap<(&'static str, &'static str, usize), String>> = RefCell::default();
}

/// A statement for several rows, and the same for a single one.
pub(crate) struct Together<'c> {
    several: CachedStatement<'c>,
    single: CachedStatement<'c>,
    /// Values that all rows have in common.
    common: usize,
}

/// Takes the values of rows, one after the other.
pub(crate) struct Values<'s, 'c> {
    statement: &'s mut CachedStatement<'c>,
    next: usize,
}

impl<'c> Together<'c> {
    /// Rows that one statement takes.
    pub(crate) const MOST: usize = 32;

    /// In `sql`, `{rows}` stands for the rows, each of which is written as `row`, with a `$` for every value of
    /// its own. The first parameters are what all rows have in common. `OR FAIL`, where a failure takes the
    /// transaction back anyway, saves the copies of pages that would take back the statement alone.
    pub(crate) fn new(
        connection: &'c Connection,
        sql: &'static str,
        row: &'static str,
        common: &[i64],
    ) -> Result<Self, Fault> {
        let prepare = |rows: usize| -> Result<_, Fault> {
            let mut statement = WRITTEN.with_borrow_mut(|known| {
                let text = known
                    .entry((sql, row, rows))
                    .or_insert_with(|| sql.replace("{rows}", &written(row, common.len(), rows)));
                connection.prepare_cached(text)
            })?;
            let mut values = Values { statement: &mut statement, next: 1 };
            common.iter().try_for_each(|value| values.add(value))?;
            Ok(statement)
        };
        Ok(Self { several: prepare(Self::MOST)?, single: prepare(1)?, common: common.len() })
    }

    /// Stores rows, with the values that `give` gives of each. Returns how many rows were touched.
    pub(crate) fn put<R>(
        &mut self,
        rows: &[R],
        give: impl Fn(&R, &mut Values<'_, 'c>) -> Result<(), Fault>,
    ) -> Result<usize, Fault> {
        let mut touched = 0;
        let together = rows.chunks_exact(Self::MOST);
        let rest = together.remainder().chunks(1);
        let first = self.common + 1;
        for (statement, chunks) in
            [(&mut self.several, together.collect::<Vec<_>>()), (&mut self.single, rest.collect())]
        {
            for chunk in chunks {
                let mut values = Values { statement: &mut *statement, next: first };
                chunk.iter().try_for_each(|row| give(row, &mut values))?;
                touched += statement.raw_execute()?;
            }
        }
        Ok(touched)
    }
}

impl Values<'_, '_> {
    /// The next value of a row.
    pub(crate) fn add(&mut self, value: impl ToSql) -> Result<(), Fault> {
        self.statement.raw_bind_parameter(self.next, value)?;
        self.next += 1;
        Ok(())
    }
}

/// So many rows, with numbered parameters.
fn written(row: &str, common: usize, rows: usize) -> String {
    let mut number = common;
    let mut written = String::with_capacity(rows * (row.len() + 16));
    for nth in 0..rows {
        if nth > 0 {
            written.push_str(", ");
        }
        for (nth, part) in row.split('$').enumerate() {
            if nth > 0 {
                number += 1;
                written.push('?');
                written.push_str(&number.to_string());
            }
            written.push_str(part);
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_rows_come_after_what_they_have_in_common() {
        assert_eq!(written("($, ?1, $)", 2, 1), "(?3, ?1, ?4)");
        assert_eq!(written("($, ?1, $)", 2, 2), "(?3, ?1, ?4), (?5, ?1, ?6)");
    }

    #[test]
    fn every_row_is_stored_once_however_many_there_are() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER PRIMARY KEY, run INTEGER)").unwrap();
        let sql = "INSERT OR IGNORE INTO numbers (number, run) VALUES {rows}";
        let mut stored = 0;
        for many in [0, 1, 31, 32, 33, 70] {
            let mut together = Together::new(&connection, sql, "($, ?1)", &[7]).unwrap();
            let rows: Vec<i64> = (0..many).map(|number| number + 1000 * many).collect();
            assert_eq!(together.put(&rows, |row, values| values.add(row)).unwrap(), rows.len());
            assert_eq!(together.put(&rows, |row, values| values.add(row)).unwrap(), 0);
            stored += many;
        }
        let count = "SELECT count(*) FROM numbers WHERE run = 7";
        assert_eq!(connection.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(), stored);
    }
}
