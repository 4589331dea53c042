//! Moving what was written from the log into the file while the writer goes on writing: whoever waits for it
//! stands still for as long as the disk takes.
//!
//! It decides nothing of what is stored: what was not moved, the writer moves when the log has grown too large.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::connection;
use crate::error::StoreError;

/// Bytes that are written, about, from one time to the next. Every time costs the pages once more that
/// everything touches.
const OFTEN: usize = 64 << 20;

/// How much there is to move.
#[derive(Debug, Default)]
pub(crate) struct Tidying {
    written: usize,
    under_way: Arc<AtomicBool>,
}

impl Tidying {
    /// To be called when about so many bytes were written: begins to move them where they are enough.
    pub(crate) fn after(&mut self, bytes: usize, path: &Arc<PathBuf>) {
        self.written += bytes;
        if self.written < OFTEN || self.under_way.swap(true, Ordering::AcqRel) {
            return;
        }
        self.written = 0;
        let (path, under_way) = (Arc::clone(path), Arc::clone(&self.under_way));
        let begun = std::thread::Builder::new().name("exogate-tidy".to_owned()).spawn(move || {
            beside(&path);
            under_way.store(false, Ordering::Release);
        });
        if let Err(error) = begun {
            self.under_way.store(false, Ordering::Release);
            tracing::debug!(%error, "no thread to write the write-ahead log back");
        }
    }
}

/// Moves what was written, by a connection of its own.
pub(crate) fn beside(path: &Path) {
    let moved = connection::of_writer(path).and_then(|connection| connection::tidy(&connection));
    if let Err(fault) = moved {
        let error = StoreError::from_fault(path, fault);
        tracing::debug!(%error, "the write-ahead log was not written back");
    }
}
