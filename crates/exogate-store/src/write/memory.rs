//! What the writer remembers from one transaction to the next. All of it can be forgotten at any time.

use exogate_model::trustee::Trustee;
use rusqlite::Connection;

use super::ids::Lately;
use super::loading::{self, Loading};
use super::trustees::Trustees;
use crate::codec::Part;
use crate::error::Fault;

/// Right as long as no transaction is taken back; then it has to be forgotten.
pub(crate) struct Memory {
    lately: Lately,
    trustees: Trustees,
    loading: Option<Loading>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { lately: Lately::new(), trustees: Trustees::default(), loading: None }
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.lately.forget();
        self.trustees.forget();
        self.loading = None;
    }

    /// Takes up what a run that begins knows of the empty store.
    pub(crate) fn load(&mut self, loading: Loading) {
        self.loading = Some(loading);
        self.trustees.begin();
    }

    /// Whether an empty store is being loaded.
    pub(crate) fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// Looks, as a transaction begins, whether somebody else ended the loading; ends it, or what a
    /// process left of it that is no more, unless the transaction goes on with it.
    pub(crate) fn agree(&mut self, connection: &Connection, goes_on: bool) -> Result<(), Fault> {
        if !goes_on {
            // Unlike ids, trustees are deleted: by the end of a run, which is no batch.
            self.trustees.forget();
        }
        if !loading::is_under_way(connection)? {
            self.loading = None;
            self.trustees.share();
        } else if !goes_on || self.loading.is_none() {
            self.end_loading(connection)?;
        }
        Ok(())
    }

    /// Ends the loading unless it is this run's, and small enough.
    pub(crate) fn admit(&mut self, connection: &Connection, run: i64) -> Result<(), Fault> {
        match &self.loading {
            Some(loading) if !loading.goes_on(run) => self.end_loading(connection),
            _ => Ok(()),
        }
    }

    /// The integer of an id; it gets one if it has none. Says whether it is new. `fresh`: of its
    /// source, little is stored yet.
    pub(crate) fn intern(
        &mut self,
        connection: &Connection,
        source: i64,
        id: &str,
        fresh: bool,
    ) -> Result<(i64, bool), Fault> {
        match &mut self.loading {
            Some(loading) => loading.intern(connection, source, id),
            None => self.lately.intern(connection, source, id, fresh),
        }
    }

    /// The integer of a trustee; it gets one if it has none.
    pub(crate) fn trustee(
        &mut self,
        connection: &Connection,
        source: i64,
        trustee: &Trustee,
    ) -> Result<i64, Fault> {
        self.trustees.intern(connection, source, trustee)
    }

    /// To be called before an object is stored: one that comes twice ends the loading.
    pub(crate) fn expect(&mut self, connection: &Connection, part: Part, oid: i64) -> Result<(), Fault> {
        let is_new = self.loading.as_mut().is_none_or(|loading| loading.store(part, oid));
        if is_new { Ok(()) } else { self.end_loading(connection) }
    }

    /// To be called when a part was read to its end: what comes of it now is little.
    pub(crate) fn complete(&mut self, part: Part) {
        if let Some(loading) = &mut self.loading {
            loading.complete(part);
        }
    }

    /// To be called when all objects were read, and all memberships.
    pub(crate) fn complete_objects(&mut self) {
        if let Some(loading) = &mut self.loading {
            loading.complete_objects();
        }
    }

    /// Whether an index that was set aside is due.
    pub(crate) fn has_due(&self) -> bool {
        self.loading.as_ref().is_some_and(Loading::has_due)
    }

    /// Makes one that is due.
    pub(crate) fn make_due(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.loading.as_mut().map_or(Ok(()), |loading| loading.make_due(connection))
    }

    fn end_loading(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.loading = None;
        self.trustees.share();
        loading::end(connection)
    }
}
