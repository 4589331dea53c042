//! The writer: one thread, one connection, one job after the other. Between jobs it shows a sign
//! of life for the runs that this process holds.
//!
//! Entries that wait for each other anyway share one commit: pages of several streams touch the same
//! pages of the file, which are then written once. What a run reads is let go as soon as it is
//! written, so that much can share a commit without being kept in memory. It knows nothing of what a
//! job writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use exogate_model::clock::Clock;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::connection;
use crate::error::{Fault, StoreError};
use crate::lease;
use crate::tidying::Tidying;
use crate::write::loading::{self, Loading};
use crate::write::memory::Memory;

/// Work for the writer.
pub(crate) enum Job {
    /// Has the writer to itself.
    Alone(Box<dyn FnOnce(&mut Writer) + Send>),
    /// May share a transaction with others.
    Entry(Entry),
}

/// Something to write within a transaction that it may share.
pub(crate) struct Entry {
    /// Writes it.
    pub(crate) work: Work,
    /// Hears what came of it, once that is certain.
    pub(crate) answer: Answer,
    /// What becomes of it if another one takes the shared transaction down.
    pub(crate) bond: Bond,
}

/// How an entry stands to those that it shares a transaction with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bond {
    /// Stands or falls on its own: it is kept until the commit, and written again for itself if
    /// another one took the transaction down.
    Own,
    /// Stands or falls with those before it. About so many bytes.
    Shared(usize),
}

/// Why an entry is not stored.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be written.
    Own(StoreError),
    /// Another one that it shared a transaction with could not be.
    Other,
}

pub(crate) type Work = Box<dyn FnMut(&Connection, &mut Memory, i64) -> Result<(), Fault> + Send>;
pub(crate) type Answer = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// Entries on their own that share one commit at most: nobody is to wait long for the slowest.
const TOGETHER: usize = 16;
/// Bytes that share one commit at most. With the pages of indices that they touch they have to fit
/// into the cache of the connection.
const MUCH: usize = 16 << 20;
/// How long a transaction waits for more at most.
const LINGER: Duration = Duration::from_millis(200);

/// The writing side of an open store.
pub(crate) struct Writer {
    connection: Connection,
    path: Arc<PathBuf>,
    clock: Arc<dyn Clock>,
    /// Tokens of the leases that this process holds, by source.
    held: HashMap<i64, String>,
    last_beat: i64,
    /// Forgotten with every transaction that is taken back.
    memory: Memory,
    pace: Pace,
    tidying: Tidying,
}

/// What a transaction may write beside the loading of an empty store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touches {
    /// Nothing that has to do with it.
    Leases,
    /// What a run reads: the loading itself.
    Batches,
    /// Anything: it ends the loading.
    Anything,
}

/// How busy the loading of an empty store keeps the writer.
struct Pace {
    since: Instant,
    worked: Duration,
}

impl Pace {
    /// What may pass before it is judged.
    const PATIENCE: Duration = Duration::from_secs(1);
    /// A loading that keeps the writer busy for less than one part in so many is not worth having
    /// indices missed by those who read.
    const IDLE: u32 = 8;

    fn begin() -> Self {
        Self { since: Instant::now(), worked: Duration::ZERO }
    }

    fn is_slow(&self) -> bool {
        self.since.elapsed() > Self::PATIENCE + self.worked * Self::IDLE
    }
}

impl Writer {
    pub(crate) fn new(connection: Connection, path: Arc<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            connection,
            path,
            clock,
            held: HashMap::new(),
            last_beat: 0,
            memory: Memory::new(),
            pace: Pace::begin(),
            tidying: Tidying::default(),
        }
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
        self.transact_on(Touches::Anything, |transaction, _, now| work(transaction, now))
    }

    fn transact_on<T>(
        &mut self,
        touches: Touches,
        work: impl FnOnce(&Transaction<'_>, &mut Memory, i64) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let now = self.now();
        let outcome = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if touches != Touches::Leases {
                self.memory.agree(&transaction, touches == Touches::Batches)?;
            }
            let value = work(&transaction, &mut self.memory, now)?;
            transaction.commit()?;
            Ok(value)
        })();
        if outcome.is_err() {
            self.memory.forget();
        }
        outcome.map_err(|fault| StoreError::from_fault(&self.path, fault))
    }

    /// Writes entries, the given one and those like it that `next` still has. `next` is told how
    /// long it may wait for one.
    fn write_together(&mut self, first: Entry, next: impl FnMut(Duration) -> Option<Entry>) {
        match first.bond {
            Bond::Own => self.write_apart(first, next),
            Bond::Shared(_) => self.write_in_a_row(first, next),
        }
    }

    /// Writes entries in one transaction. If that fails, each is written for itself, so that one
    /// that cannot be written harms only itself. (A savepoint for each would have SQLite copy every
    /// page before it is touched.)
    fn write_apart(&mut self, first: Entry, mut next: impl FnMut(Duration) -> Option<Entry>) {
        let mut entries = vec![first];
        let shared = self.transact_on(Touches::Anything, |transaction, memory, now| {
            let mut written = 0;
            while let Some(entry) = entries.get_mut(written) {
                (entry.work)(transaction, memory, now)?;
                written += 1;
                if written < TOGETHER {
                    entries.extend(next(Duration::ZERO));
                }
            }
            Ok(())
        });
        // Work is let go before anybody hears of it: it may hold the last hold on a run.
        let alone = shared.is_err() && entries.len() > 1;
        let (works, answers): (Vec<Work>, Vec<Answer>) =
            entries.into_iter().map(|entry| (entry.work, entry.answer)).unzip();
        match shared {
            Err(_) if alone => {
                for (mut work, answer) in works.into_iter().zip(answers) {
                    let outcome = self.transact_on(Touches::Anything, |transaction, memory, now| {
                        work(transaction, memory, now)
                    });
                    drop(work);
                    answer(outcome.map_err(Failure::Own));
                }
            }
            shared => {
                drop(works);
                // An error has only one to go to here.
                let mut outcome = Some(shared.map_err(Failure::Own));
                for answer in answers {
                    answer(outcome.take().unwrap_or(Ok(())));
                }
            }
        }
    }

    /// Writes entries in one transaction that stand or fall together. Each is let go as soon as it
    /// is written. Where nothing waits to be written, the transaction waits for as long as it has
    /// been at work: a commit costs much more than one entry, and others may want to write.
    fn write_in_a_row(&mut self, first: Entry, mut next: impl FnMut(Duration) -> Option<Entry>) {
        let mut answers = Vec::new();
        let mut worked = Duration::ZERO;
        let mut bytes = 0;
        let written = self.transact_on(Touches::Batches, |transaction, memory, now| {
            let mut entry = Some(first);
            while let Some(Entry { mut work, answer, bond }) = entry.take() {
                answers.push(answer);
                let began = Instant::now();
                work(transaction, memory, now)?;
                drop(work);
                worked += began.elapsed();
                bytes += if let Bond::Shared(bytes) = bond { bytes } else { 0 };
                if bytes < MUCH {
                    // With an index to make, there is something better to do than to wait.
                    let patience = if memory.has_due() { Duration::ZERO } else { worked.min(LINGER) };
                    entry = next(patience);
                }
            }
            Ok(())
        });
        self.pace.worked += worked;
        self.tidying.after(bytes, &self.path);
        match written {
            Ok(()) => answers.into_iter().for_each(|answer| answer(Ok(()))),
            Err(error) => {
                // The last one is the one that could not be written.
                let last = answers.pop();
                answers.into_iter().for_each(|answer| answer(Err(Failure::Other)));
                if let Some(last) = last {
                    last(Err(Failure::Own(error)));
                }
            }
        }
    }

    /// Begins to load an empty store.
    pub(crate) fn load(&mut self, loading: Loading) {
        self.memory.load(loading);
        self.pace = Pace::begin();
    }

    /// What comes of objects and memberships from now on is little.
    pub(crate) fn complete_objects(&mut self) {
        self.memory.complete_objects();
    }

    /// Makes one index of those that the loading of an empty store set aside, if one is due; whether one
    /// was.
    fn make_due(&mut self) -> bool {
        let is_due = self.memory.has_due();
        if is_due {
            let began = Instant::now();
            let made =
                self.transact_on(Touches::Batches, |transaction, memory, _| memory.make_due(transaction));
            if let Err(error) = made {
                tracing::debug!(%error, "an index of the store was not made; whatever is written next makes it");
            }
            self.pace.worked += began.elapsed();
        }
        is_due
    }

    /// Ends the loading of an empty store where it is too slow to be worth it. Indices that could not
    /// be made now are made with what is written next.
    fn end_slow_loading(&mut self) {
        if self.memory.is_loading()
            && self.pace.is_slow()
            && let Err(error) = self.transact(|_, _| Ok(()))
        {
            tracing::debug!(%error, "the indices of the store were not made");
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
        if let Err(fault) = connection::tidy(&self.connection) {
            let error = StoreError::from_fault(&self.path, fault);
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
        let renewed = self.transact_on(Touches::Leases, |transaction, _, now| {
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

/// Makes the indices that a process left aside which is no more.
pub(crate) fn make_indices(connection: &mut Connection, now: i64) -> Result<(), Fault> {
    // Who is loading is not waited for.
    if !loading::is_under_way(connection)? || lease::is_any_held(connection, now)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if loading::is_under_way(&transaction)? && !lease::is_any_held(&transaction, now)? {
        loading::end(&transaction)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Works off jobs until nobody can send any more.
pub(crate) fn work(mut writer: Writer, jobs: &Receiver<Job>) {
    // Shorter than the beat, so that a clock that jumps is noticed soon.
    const TICK: Duration = Duration::from_secs(1);
    let mut pending = None;
    loop {
        let job = pending.take().or_else(|| jobs.try_recv().ok());
        let job = match job {
            Some(job) => Ok(job),
            None if writer.make_due() => Err(RecvTimeoutError::Timeout),
            None => jobs.recv_timeout(TICK),
        };
        match job {
            Ok(Job::Alone(work)) => work(&mut writer),
            Ok(Job::Entry(entry)) => {
                let own = entry.bond == Bond::Own;
                writer.write_together(entry, |patience| {
                    match jobs.try_recv().or_else(|_| jobs.recv_timeout(patience)) {
                        Ok(Job::Entry(entry)) if (entry.bond == Bond::Own) == own => Some(entry),
                        Ok(other) => {
                            pending = Some(other);
                            None
                        }
                        Err(_) => None,
                    }
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        writer.beat();
        writer.end_slow_loading();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use exogate_model::clock::FixedClock;

    use super::*;

    /// Writes numbers together: a negative one fails, zero makes SQLite give the transaction up.
    /// Says what each heard, what is stored, and how often that was begun.
    fn write(numbers: &[i64], bond: Bond) -> (Vec<(i64, bool)>, Vec<i64>, usize) {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE numbers (number INTEGER); CREATE TABLE indices_aside (sql TEXT)")
            .unwrap();
        let clock = Arc::new(FixedClock(jiff::Timestamp::UNIX_EPOCH));
        let mut writer = Writer::new(connection, Arc::new("state.db".into()), clock);
        let (heard, answers) = mpsc::channel();
        let mut entries = numbers.iter().copied().map(|number| {
            let heard = heard.clone();
            Entry {
                bond,
                work: Box::new(move |connection, _, _| {
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
        let mut commits = 0;
        while let Some(first) = entries.next() {
            writer.write_together(first, |_| entries.next());
            commits += 1;
        }
        let mut statement = writer.connection.prepare("SELECT number FROM numbers").unwrap();
        let stored = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        (answers.try_iter().collect(), stored, commits)
    }

    #[test]
    fn entries_share_a_commit_and_fail_alone() {
        let write = |numbers: &[i64]| write(numbers, Bond::Own);
        assert_eq!(write(&[1, 2]), (vec![(1, true), (2, true)], vec![1, 2], 1));
        assert_eq!(write(&[1, -1, 2]), (vec![(1, true), (-1, false), (2, true)], vec![1, 2], 2));
        assert_eq!(write(&[-1]), (vec![(-1, false)], vec![], 1));
    }

    #[test]
    fn who_makes_sqlite_give_the_transaction_up_is_alone_in_failing() {
        let (heard, stored, commits) = write(&[1, 0, 2], Bond::Own);
        assert_eq!((heard, stored, commits), (vec![(1, true), (0, false), (2, true)], vec![1, 2], 2));
    }

    #[test]
    fn nobody_waits_for_more_than_a_few() {
        let numbers: Vec<i64> = (1..=50).collect();
        let (_, stored, commits) = write(&numbers, Bond::Own);
        assert_eq!((stored, commits), (numbers, 4));
    }

    #[test]
    fn those_that_share_a_bond_fail_with_each_other_and_not_with_later_ones() {
        let bond = Bond::Shared(1);
        assert_eq!(write(&[1, 2], bond), (vec![(1, true), (2, true)], vec![1, 2], 1));
        let heard = vec![(1, false), (-1, false), (2, true)];
        assert_eq!(write(&[1, -1, 2], bond), (heard.clone(), vec![2], 2));
        let (heard_of_zero, stored, _) = write(&[1, 0, 2], bond);
        assert_eq!((heard_of_zero, stored), (vec![(1, false), (0, false), (2, true)], vec![2]));
    }

    #[test]
    fn only_so_many_bytes_share_a_commit() {
        let numbers: Vec<i64> = (1..=50).collect();
        let (_, stored, commits) = write(&numbers, Bond::Shared(MUCH / 20));
        assert_eq!((stored, commits), (numbers, 3));
    }
}
