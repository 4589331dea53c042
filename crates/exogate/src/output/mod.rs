//! Results on their way out: one row type, three formats, a sink that is the terminal or a file.
//!
//! Rows are written as they come; nothing here holds more than the first screenful, so memory does not grow with
//! the tenant. Knows no command.

mod csv;
mod jsonl;
pub mod sink;
mod table;

use std::io;

use clap::ValueEnum;
use serde_json::Value;

pub use self::csv::join_values;
pub use self::jsonl::write as json_line;
use self::sink::Sink;
pub use self::table::printable;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header line; several values of one attribute are joined by '|'.
    Csv,
}

/// The headings of a listing.
#[derive(Clone, Debug, Default)]
pub struct Headings {
    /// Of the table.
    pub table: Vec<String>,
    /// Of the CSV, which may have more columns.
    pub csv: Vec<String>,
}

impl Headings {
    /// The same headings for both.
    pub fn same(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Self { table: names.iter().map(|name| name.to_uppercase()).collect(), csv: names }
    }
}

/// One row of a listing. Only the form that the format needs is asked for.
pub trait Row {
    /// Cells of the table.
    fn table(&self) -> Vec<String>;
    /// Fields of the CSV.
    fn csv(&self) -> Vec<String> {
        self.table()
    }
    /// The whole object.
    fn json(&self) -> Value;
}

/// Writes the rows of one listing.
pub struct Listing<'a> {
    sink: &'a mut dyn Sink,
    body: Body,
}

enum Body {
    Table(table::Table),
    Jsonl,
    Csv(csv::Csv),
}

impl<'a> Listing<'a> {
    /// A listing in `format`. Nothing is written until there is a row or the end.
    pub fn new(sink: &'a mut dyn Sink, format: Format, headings: Headings) -> Self {
        let body = match format {
            Format::Table => Body::Table(table::Table::new(headings.table, sink.width(), sink.styled())),
            Format::Jsonl => Body::Jsonl,
            Format::Csv => Body::Csv(csv::Csv::new(headings.csv)),
        };
        Self { sink, body }
    }

    /// Writes one row.
    pub fn row(&mut self, row: &dyn Row) -> io::Result<()> {
        match &mut self.body {
            Body::Table(table) => table.row(row.table(), self.sink),
            Body::Jsonl => jsonl::write(&row.json(), self.sink),
            Body::Csv(csv) => csv.row(&row.csv(), self.sink),
        }
    }

    /// Writes what is still held back; a table or CSV without rows still has its headings.
    pub fn finish(self) -> io::Result<()> {
        match self.body {
            Body::Table(table) => table.finish(self.sink)?,
            Body::Jsonl => {}
            Body::Csv(csv) => csv.finish(self.sink)?,
        }
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::sink::Memory;
    use super::*;
    use serde_json::json;

    struct Pair(&'static str, Vec<&'static str>);

    impl Row for Pair {
        fn table(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.1.join(", ")]
        }
        fn csv(&self) -> Vec<String> {
            vec![self.0.to_owned(), join_values(self.1.iter().copied())]
        }
        fn json(&self) -> Value {
            json!({"name": self.0, "many": self.1})
        }
    }

    fn render(format: Format, rows: &[Pair]) -> String {
        let mut sink = Memory::default();
        let mut listing = Listing::new(&mut sink, format, Headings::same(&["name", "many"]));
        for row in rows {
            listing.row(row).unwrap();
        }
        listing.finish().unwrap();
        sink.text()
    }

    #[test]
    fn the_three_formats() {
        let rows = [Pair("Ann, B.", vec!["a|b", "c\\d"]), Pair("Zoë", vec![])];
        assert_eq!(render(Format::Table, &rows), "NAME     MANY\nAnn, B.  a|b, c\\d\nZoë\n");
        assert_eq!(
            render(Format::Jsonl, &rows),
            "{\"name\":\"Ann, B.\",\"many\":[\"a|b\",\"c\\\\d\"]}\n{\"name\":\"Zoë\",\"many\":[]}\n"
        );
        assert_eq!(render(Format::Csv, &rows), "name,many\n\"Ann, B.\",a\\|b|c\\\\d\nZoë,\n");
    }

    #[test]
    fn an_empty_listing_keeps_its_headings() {
        assert_eq!(render(Format::Csv, &[]), "name,many\n");
        assert_eq!(render(Format::Jsonl, &[]), "");
        assert_eq!(render(Format::Table, &[]), "NAME  MANY\n");
    }

    #[test]
    fn a_long_table_keeps_the_widths_of_its_first_rows() {
        let rows: Vec<Pair> = (0..500).map(|_| Pair("x", vec!["y"])).collect();
        let text = render(Format::Table, &rows);
        assert_eq!(text.lines().count(), 501);
        assert!(text.lines().skip(1).all(|line| line == "x     y"), "{text}");
    }
}
