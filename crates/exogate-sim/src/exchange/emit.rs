//! Rows of an answer as they pile up: one page, its end, and what is said beside it.
//!
//! The format of a row is chosen once per answer; the envelope around the rows is the answer's business.

use super::page::Cursor;
use super::render::{Projection, Row, Template};
use super::schema::{Property, RowClass};

/// Said when more rows exist than ResultSize lets through.
pub const MORE_RESULTS: &str = "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.";

/// Rows after which the size of a page is guessed, and the most that is set aside for it.
const SAMPLE: u64 = 16;
const LARGEST_RESERVE: usize = 32 << 20;

/// Which part of a listing is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Where to go on.
    pub from: Cursor,
    /// Rows per page.
    pub page: u64,
    /// Rows in all pages together; `None` = all.
    pub total: Option<u64>,
}

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    window: Window,
    projection: Projection,
    template: Option<(RowClass, Template)>,
    /// The rows, joined by commas.
    pub rows: Vec<u8>,
    /// How many there are.
    pub count: u64,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
    /// Warnings beside the rows.
    pub warnings: Vec<String>,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(window: Window, projection: Projection) -> Self {
        Self {
            window,
            projection,
            template: None,
            rows: Vec::new(),
            count: 0,
            next: None,
            warnings: Vec::new(),
        }
    }

    /// Where the page begins.
    #[must_use]
    pub fn from(&self) -> Cursor {
        self.window.from
    }

    /// The place after the last row that can still be in this page, counting from the start.
    #[must_use]
    pub fn end_offset(&self) -> usize {
        usize::try_from(u64::from(self.window.from.at).saturating_add(self.window.page)).unwrap_or(usize::MAX)
    }

    /// Lets a switch bring its property into the rows.
    pub fn show(&mut self, switch: &'static str) {
        self.projection.switches.push(switch);
    }

    /// Offers a row that stands at a place; false when the page is complete and the listing may stop.
    pub fn push<R: Row + ?Sized>(
        &mut self,
        class: RowClass,
        varies: fn(&Property) -> bool,
        at: u32,
        skip: u32,
        row: &R,
    ) -> bool {
        let taken = self.window.from.taken + self.count;
        let ended = self.window.total.is_some_and(|total| taken >= total);
        if ended || self.count >= self.window.page {
            self.next = Some(Cursor { at, skip, taken, exhausted: ended });
            if ended {
                self.warnings.push(MORE_RESULTS.to_owned());
            }
            return false;
        }
        if !self.template.as_ref().is_some_and(|(known, _)| *known == class) {
            self.template = Some((class, Template::compile(class, &self.projection, varies)));
        }
        if self.count > 0 {
            self.rows.push(b',');
        }
        if let Some((_, template)) = &self.template {
            template.write(row, &mut self.rows);
        }
        self.count += 1;
        if self.count == SAMPLE && self.window.page > SAMPLE {
            // The first rows tell how much room the rest of a full page needs.
            let more = (self.rows.len() / 16).saturating_mul(usize::try_from(self.window.page).unwrap_or(0));
            self.rows.reserve(more.min(LARGEST_RESERVE));
        }
        true
    }

    /// Adds a row that is not part of a listing.
    pub fn single<R: Row + ?Sized>(&mut self, class: RowClass, varies: fn(&Property) -> bool, row: &R) {
        self.push(class, varies, 0, 0, row);
    }

    /// Adds a warning.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}
