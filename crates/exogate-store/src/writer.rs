//! The writer: one thread, one connection, one job after the other. Between jobs it shows a sign
//! of life for the runs that this process holds.
//!
//! Entries that wait for each other anyway share one commit: pages of several streams touch the same
//! pages of the file, which are then written once. It knows nothing of what a job writes.

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
pub(crate) enum Job {
    /// Has the writer to itself.
    Alone(Box<dyn FnOnce(&mut Writer) + Send>),
    /// May share a transaction with others.
    Entry(Entry),
}

/// Something to write that stands or falls on its own, within a transaction that it may share.
pub(crate) struct Entry {
    /// Writes it.
    pub(crate) work: Box<dyn FnOnce(&Connection, i64) -> Result<(), Fault> + Send>,
    /// Hears what came of it, once that is certain.
    pub(crate) answer: Answer,
}

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Entries that share one commit at most: nobody is to wait long for the slowest.
const TOGETHER: usize = 16;

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

    /// Writes entries, the given one and those that `next` still has, in one transaction. One that
    /// fails takes back only itself.
    fn write_together(&mut self, first: Entry, mut next: impl FnMut() -> Option<Entry>) {
        let now = self.now();
        let mut written: Vec<Answer> = Vec::new();
        let path = Arc::clone(&self.path);
        let lost = |fault: Fault, answers: Vec<Answer>| {
            for answer in answers {
                answer(Err(StoreError::from_fault(&path, fault.again())));
            }
        };
        let mut transaction = match self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
        {
            Ok(transaction) => transaction,
            Err(error) => return lost(error.into(), vec![first.answer]),
        };
        let mut entry = Some(first);
        while let Some(Entry { work, answer }) = entry {
            let outcome = (|| {
                let savepoint = transaction.savepoint()?;
                work(&savepoint, now)?;
                Ok(savepoint.commit()?)
            })();
            match outcome {
                Ok(()) => written.push(answer),
                Err(fault) => {
                    // A full disk, for one, makes SQLite take everything back.
                    if transaction.is_autocommit() {
                        written.push(answer);
                        return lost(fault, written);
                    }
                    answer(Err(StoreError::from_fault(&self.path, fault)));
                }
            }
            entry = if written.len() < TOGETHER { next() } else { None };
        }
        match transaction.commit() {
            Ok(()) => written.into_iter().for_each(|answer| answer(Ok(()))),
            Err(error) => lost(error.into(), written),
        }
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
    let mut pending = None;
    loop {
        match pending.take().map_or_else(|| jobs.recv_timeout(TICK), Ok) {
            Ok(Job::Alone(work)) => work(&mut writer),
            Ok(Job::Entry(entry)) => writer.write_together(entry, || match jobs.try_recv() {
                Ok(Job::Entry(entry)) => Some(entry),
                Ok(alone) => {
                    pending = Some(alone);
                    None
                }
                Err(_) => None,
            }),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        writer.beat();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use exogate_model::clock::FixedClock;

    use super::*;

    /// Writes numbers together: a negative one fails, zero makes SQLite give the transaction up.
    /// Says what each heard, and what is stored.
    fn write(numbers: &[i64]) -> (Vec<(i64, bool)>, Vec<i64>) {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE numbers (number INTEGER)").unwrap();
        let clock = Arc::new(FixedClock(jiff::Timestamp::UNIX_EPOCH));
        let mut writer = Writer::new(connection, Arc::new("state.db".into()), clock);
        let (heard, answers) = mpsc::channel();
        let mut entries = numbers.iter().copied().map(|number| {
            let heard = heard.clone();
            Entry {
                work: Box::new(move |connection, _| {
                    connection.execute("INSERT INTO numbers VALUES (?1)", [number])?;
                    match number {
                        0 => Ok(connection.execute_batch("ROLLBACK; SELECT nonsense")?),
                        ..0 => Err(rusqlite::Error::QueryReturnedNoRows.into()),
                        _ => Ok(()),
                    }
                }),
                answer: Box::new(move |outcome| heard.send((number, outcome.is_ok())).unwrap()),
            }
        });
        let first = entries.next().unwrap();
        writer.write_together(first, || entries.next());
        let mut statement = writer.connection.prepare("SELECT number FROM numbers").unwrap();
        let stored = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        (answers.try_iter().collect(), stored)
    }

    #[test]
    fn entries_share_a_commit_and_fail_alone() {
        assert_eq!(write(&[1, 2]), (vec![(1, true), (2, true)], vec![1, 2]));
        assert_eq!(write(&[1, -1, 2]), (vec![(-1, false), (1, true), (2, true)], vec![1, 2]));
        assert_eq!(write(&[-1]), (vec![(-1, false)], vec![]));
    }

    #[test]
    fn a_transaction_given_up_is_lost_for_all_in_it() {
        assert_eq!(write(&[1, 2, 0]), (vec![(1, false), (2, false), (0, false)], vec![]));
    }

    #[test]
    fn nobody_waits_for_more_than_a_few() {
        let numbers: Vec<i64> = (1..100).collect();
        assert_eq!(write(&numbers).1.len(), TOGETHER);
    }
}
