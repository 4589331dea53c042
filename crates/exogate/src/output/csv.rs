//! Comma-separated values, RFC 4180, with a header line.
//!
//! Several values of one attribute are joined by `|`; within such a value `|` is written `\|` and `\` is written
//! `\\`, so that nothing is lost.

use std::io::{self, Write};

/// A listing as CSV.
pub struct Csv {
    headings: Option<Vec<String>>,
}

impl Csv {
    /// With these headings.
    pub fn new(headings: Vec<String>) -> Self {
        Self { headings: Some(headings) }
    }

    /// Writes one row, after the headings if it is the first.
    pub fn row<W: Write + ?Sized>(&mut self, fields: &[String], to: &mut W) -> io::Result<()> {
        if let Some(headings) = self.headings.take() {
            record(&headings, to)?;
        }
        record(fields, to)
    }

    /// Writes the headings if there was no row.
    pub fn finish<W: Write + ?Sized>(self, to: &mut W) -> io::Result<()> {
        self.headings.map_or(Ok(()), |headings| record(&headings, to))
    }
}

fn record<W: Write + ?Sized>(fields: &[String], to: &mut W) -> io::Result<()> {
    // A writer per record keeps its buffer no larger than the record and borrows the sink for no longer.
    let mut writer = csv::WriterBuilder::new().buffer_capacity(1024).from_writer(to);
    writer.write_record(fields).map_err(into_io)?;
    writer.flush()
}

fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Several values in one field.
pub fn join_values<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            joined.push('|');
        }
        for c in value.chars() {
            if matches!(c, '|' | '\\') {
                joined.push('\\');
            }
            joined.push(c);
        }
    }
    joined
}
