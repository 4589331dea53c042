//! The writer: one thread, one connection, one job after the other. Between jobs it shows a sign
//! of life for the runs that this process holds.
//!
//! It knows nothing of what a job writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use exogate_model::clock::Clock;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::{Fault, StoreError};
use crate::lease;

/// Work for the writer.
pub(crate) type Job = Box<dyn FnOnce(&mut Writer) + Send>;

/// The writing side of an open store.
pub(crate) struct Writer {
    connection: Connection,
    path: Arc<PathBuf>,
    clock: Arc<dyn Clock>,
    /// Tokens of the leases that this process holds, by source.
    held: HashMap<i64, String>,
    last_beat: i64,
}

impl Writer {
    pub(crate) fn new(connection: Connection, path: Arc<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { connection, path, clock, held: HashMap::new(), last_beat: 0 }
    }

    /// The current instant, in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Runs `work` in one transaction: all of it happens, or nothing.
    pub(crate) fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>, i64) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let now = self.now();
        let outcome = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction, now)?;
            transaction.commit()?;
            Ok(value)
        })();
        outcome.map_err(|fault| StoreError::from_fault(&self.path, fault))
    }

    /// Keeps showing signs of life for this lease.
    pub(crate) fn hold(&mut self, source: i64, token: String) {
        self.held.insert(source, token);
    }

    /// Lets go of a lease, if this token still holds it.
    pub(crate) fn let_go(&mut self, source: i64, token: &str) -> Result<(), StoreError> {
        self.held.retain(|_, held| held != token);
        self.transact(|transaction, _| lease::release(transaction, source, token))
    }

    /// Moves what was written from the log into the file, as far as no reader is in the way.
    pub(crate) fn tidy(&self) {
        // What could not be written back now is written back later.
        let done = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::debug!(%error, "the write-ahead log was not written back");
        }
    }

    /// Shows a sign of life for every lease, if it is time.
    fn beat(&mut self) {
        let now = self.now();
        if self.held.is_empty() || now.abs_diff(self.last_beat) < lease::BEAT.as_millis() as u64 {
            return;
        }
        let held = self.held.clone();
        let renewed = self.transact(|transaction, now| {
            for (source, token) in &held {
                lease::renew(transaction, *source, token, now)?;
            }
            Ok(())
        });
        match renewed {
            Ok(()) => self.last_beat = now,
            Err(error) => tracing::warn!(%error, "could not show a sign of life for a run"),
        }
    }
}

/// Works off jobs until nobody can send any more.
pub(crate) fn work(mut writer: Writer, jobs: &Receiver<Job>) {
    // Shorter than the beat, so that a clock that jumps is noticed soon.
    const TICK: Duration = Duration::from_secs(1);
    loop {
        match jobs.recv_timeout(TICK) {
            Ok(job) => job(&mut writer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        writer.beat();
    }
}
