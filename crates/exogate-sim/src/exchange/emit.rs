//! Rows of an answer as they pile up: one page, its end, and what is said beside it.
//!
//! The format of a row is chosen once per answer; the envelope around the rows is the answer's business.

use super::clixml;
use super::odata::entity::{self, Shape};
use super::page::Cursor;
use super::render::{Projection, Row, Template};
use super::schema::RowClass;
use super::sheets::{Scroll, Sheets};

/// Said when more rows exist than ResultSize lets through.
pub const MORE_RESULTS: &str = "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.";

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

/// How rows are written.
#[derive(Debug, Clone, Default)]
pub enum Format {
    /// Properties with annotations.
    #[default]
    Json,
    /// PowerShell's serialized objects.
    Clixml,
    /// Entities of a set.
    Entity(Shape),
}

#[derive(Debug)]
enum Layout {
    Json(Template),
    Clixml(clixml::Layout),
    Entity(entity::Layout),
}

impl Layout {
    fn compile(format: &Format, class: RowClass, projection: &Projection) -> Self {
        match format {
            Format::Json => Self::Json(Template::compile(class, projection)),
            Format::Clixml => Self::Clixml(clixml::Layout::compile(class, projection)),
            Format::Entity(shape) => Self::Entity(entity::Layout::compile(class, projection, shape)),
        }
    }

    fn write<R: Row + ?Sized>(&mut self, row: &R, out: &mut Vec<u8>) {
        match self {
            Self::Json(template) => template.write(row, out),
            Self::Clixml(layout) => layout.write(row, out),
            Self::Entity(layout) => layout.write(row, out),
        }
    }
}

/// A page under construction.
#[derive(Debug)]
pub struct Page {
    window: Window,
    projection: Projection,
    /// How rows are written; settled before the first one.
    pub format: Format,
    layout: Option<(RowClass, Layout)>,
    /// The rows, joined by commas.
    pub rows: Scroll,
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
    pub fn new(window: Window, projection: Projection, sheets: &Sheets) -> Self {
        Self {
            window,
            projection,
            format: Format::default(),
            layout: None,
            rows: Scroll::new(sheets),
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
    pub fn push<R: Row + ?Sized>(&mut self, class: RowClass, at: u32, skip: u32, row: &R) -> bool {
        let taken = self.window.from.taken + self.count;
        let ended = self.window.total.is_some_and(|total| taken >= total);
        if ended || self.count >= self.window.page {
            self.next = Some(Cursor { at, skip, taken, exhausted: ended });
            if ended {
                self.warnings.push(MORE_RESULTS.to_owned());
            }
            return false;
        }
        if !self.layout.as_ref().is_some_and(|(known, _)| *known == class) {
            self.layout = Some((class, Layout::compile(&self.format, class, &self.projection)));
        }
        let sheet = self.rows.sheet();
        if self.count > 0 {
            sheet.push(b',');
        }
        if let Some((_, layout)) = &mut self.layout {
            layout.write(row, sheet);
        }
        self.count += 1;
        true
    }

    /// Adds a row that is not part of a listing.
    pub fn single<R: Row + ?Sized>(&mut self, class: RowClass, row: &R) {
        self.push(class, 0, 0, row);
    }

    /// Adds a warning.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}
