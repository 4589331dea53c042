//! Aligned columns for people. On a terminal a row is one line, cut where it does not fit; elsewhere nothing is cut.
//!
//! The first rows decide the widths and later ones follow them, so that a table streams. Control characters in
//! names from a tenant never reach the terminal.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows that are held back to find the widths.
const CHUNK: usize = 200;
/// Between two columns.
const GAP: usize = 2;
/// A column is not made narrower than this to make room for others.
const NARROWEST: usize = 8;

/// A listing as a table.
pub struct Table {
    headings: Vec<String>,
    terminal_width: Option<u16>,
    styled: bool,
    pending: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    /// With these headings; `terminal_width` only where rows must not be longer.
    pub fn new(headings: Vec<String>, terminal_width: Option<u16>, styled: bool) -> Self {
        Self { headings, terminal_width, styled, pending: Vec::new(), widths: None }
    }

    /// Takes one row.
    pub fn row<W: Write + ?Sized>(&mut self, cells: Vec<String>, to: &mut W) -> io::Result<()> {
        let cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        if let Some(widths) = &self.widths {
            return line(&cells, widths, self.terminal_width.is_some(), to);
        }
        self.pending.push(cells);
        if self.pending.len() >= CHUNK { self.settle(to) } else { Ok(()) }
    }

    /// Writes what is left.
    pub fn finish<W: Write + ?Sized>(mut self, to: &mut W) -> io::Result<()> {
        if self.widths.is_none() { self.settle(to) } else { Ok(()) }
    }

    /// Decides the widths, writes the headings and the rows held back.
    fn settle<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.width()).collect();
        for row in &self.pending {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        if let Some(terminal) = self.terminal_width {
            fit(&mut widths, usize::from(terminal));
        }
        let cut = self.terminal_width.is_some();
        if self.styled {
            to.write_all(b"\x1b[1m")?;
        }
        line(&self.headings, &widths, cut, to)?;
        if self.styled {
            to.write_all(b"\x1b[0m")?;
        }
        for row in self.pending.drain(..) {
            line(&row, &widths, cut, to)?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

/// Takes from the widest column until the row fits, or until no column can give.
fn fit(widths: &mut [usize], terminal: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > terminal {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn line<W: Write + ?Sized>(cells: &[String], widths: &[usize], cut: bool, to: &mut W) -> io::Result<()> {
    let mut text = String::new();
    let mut owed = 0;
    for (cell, width) in cells.iter().zip(widths) {
        let shown = if cut { shorten(cell, *width) } else { cell.clone() };
        if !shown.is_empty() {
            text.extend(std::iter::repeat_n(' ', owed));
            owed = 0;
        }
        let taken = shown.width();
        text.push_str(&shown);
        owed += width.saturating_sub(taken) + GAP;
    }
    text.push('\n');
    to.write_all(text.as_bytes())
}

/// The text within so many columns, with an ellipsis if it was longer.
fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width.saturating_sub(1) {
            break;
        }
        used += wide;
        short.push(c);
    }
    short.push('…');
    short
}

/// Without control characters, which a tenant's names may hold and a terminal would obey.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(width: Option<u16>, rows: &[[&str; 3]]) -> String {
        let mut out = Vec::new();
        let mut table = Table::new(["A", "B", "C"].map(str::to_owned).to_vec(), width, false);
        for row in rows {
            table.row(row.map(str::to_owned).to_vec(), &mut out).unwrap();
        }
        table.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cuts_only_on_a_terminal_and_the_widest_column_first() {
        let row = ["short", "a rather long description of something", "end"];
        assert_eq!(
            render(Some(30), &[row]),
            "A      B                   C\nshort  a rather long des…  end\n"
        );
        assert!(render(None, &[row]).contains(row[1]));
    }

    #[test]
    fn wide_letters_are_counted_as_the_terminal_shows_them() {
        let text = render(None, &[["日本", "x", "y"], ["ab", "x", "y"]]);
        assert_eq!(text, "A     B  C\n日本  x  y\nab    x  y\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = render(None, &[["a\x1b[31m\nb", "", ""]]);
        assert!(!text.contains('\x1b'));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_narrow_terminal_never_loops_or_panics() {
        for width in 0..20 {
            render(Some(width), &[["something long", "something long", "something long"]]);
        }
    }
}
