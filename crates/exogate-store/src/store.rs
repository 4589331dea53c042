//! The store as a whole: opening it, and its sources.

use std::path::Path;
use std::sync::Arc;

use exogate_model::clock::Clock;

use crate::error::StoreError;
use crate::source::SourceStore;

/// An open store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<()>,
}

impl Store {
    /// Opens the store at `path`, creating or migrating it as needed.
    pub fn open(_path: impl AsRef<Path>, _clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        todo!()
    }

    /// A source by name; it is created if it is new.
    pub async fn source(&self, _name: &str) -> Result<SourceStore, StoreError> {
        let _ = &self.inner;
        todo!()
    }

    /// The names of all sources, sorted.
    pub async fn sources(&self) -> Result<Vec<String>, StoreError> {
        todo!()
    }
}
