//! The buffers that pages are written into: taken from a stack, given back when they were sent, so that the memory of a
//! long listing is asked of the system once and not for every page.
//!
//! It knows nothing of what is written.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of a sheet. A row that does not fit makes its sheet larger.
const SIZE: usize = 256 << 10;
/// Room that a sheet must have for another row; most rows are far smaller.
const ROOM: usize = 32 << 10;
/// Sheets that are kept while nobody writes: 32 MiB.
const KEPT: usize = 128;

/// A stack of empty sheets.
#[derive(Clone, Debug, Default)]
pub struct Sheets(Arc<Mutex<Vec<Vec<u8>>>>);

impl Sheets {
    fn take(&self) -> Vec<u8> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(SIZE))
    }

    fn give_back(&self, mut sheet: Vec<u8>) {
        if sheet.capacity() != SIZE {
            return;
        }
        sheet.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(sheet);
        }
    }
}

/// A full sheet on its way out.
struct Written {
    sheet: Vec<u8>,
    home: Sheets,
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.sheet
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.sheet));
    }
}

/// Text that grows sheet by sheet.
#[derive(Debug)]
pub struct Scroll {
    home: Sheets,
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Scroll {
    /// An empty one, which takes sheets from there.
    #[must_use]
    pub fn new(home: &Sheets) -> Self {
        Self { home: home.clone(), full: Vec::new(), open: Vec::new() }
    }

    /// Where the next row is written.
    pub fn sheet(&mut self) -> &mut Vec<u8> {
        if self.open.capacity() == 0 {
            self.open = self.home.take();
        } else if self.open.capacity() - self.open.len() < ROOM {
            let sheet = std::mem::replace(&mut self.open, self.home.take());
            self.full.push(Bytes::from_owner(Written { sheet, home: self.home.clone() }));
        }
        &mut self.open
    }

    /// Everything that was written, in order.
    #[must_use]
    pub fn into_pieces(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            let sheet = std::mem::take(&mut self.open);
            self.full.push(Bytes::from_owner(Written { sheet, home: self.home.clone() }));
        }
        std::mem::take(&mut self.full)
    }
}

impl Drop for Scroll {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.open));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_out_in_order_and_sheets_are_used_again() {
        let sheets = Sheets::default();
        for round in 0..3 {
            let mut scroll = Scroll::new(&sheets);
            let mut expected = Vec::new();
            for row in 0..3000_u32 {
                let text = vec![b'a' + (row % 26) as u8; 300];
                scroll.sheet().extend_from_slice(&text);
                expected.extend_from_slice(&text);
            }
            let pieces = scroll.into_pieces();
            assert!(pieces.len() > 3, "{} pieces", pieces.len());
            assert_eq!(pieces.concat(), expected, "round {round}");
            let in_use = pieces.len();
            drop(pieces);
            assert_eq!(sheets.0.lock().unwrap().len(), in_use);
            assert!(
                sheets.0.lock().unwrap().iter().all(|sheet| sheet.is_empty() && sheet.capacity() == SIZE)
            );
        }
    }

    #[test]
    fn a_row_of_any_length_fits_and_its_sheet_is_not_kept() {
        let sheets = Sheets::default();
        let mut scroll = Scroll::new(&sheets);
        scroll.sheet().extend_from_slice(&vec![b'x'; 3 * SIZE]);
        scroll.sheet().extend_from_slice(b"y");
        let pieces = scroll.into_pieces();
        assert_eq!(pieces.concat().len(), 3 * SIZE + 1);
        drop(pieces);
        assert_eq!(sheets.0.lock().unwrap().len(), 1);
        assert!(Scroll::new(&sheets).into_pieces().is_empty());
    }
}
