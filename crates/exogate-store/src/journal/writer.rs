//! The one thread that appends: whatever waits when it comes by is committed, and synced, together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use exogate_model::clock::Clock;
use exogate_model::operation::Entry;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::chain::{Covered, GENESIS};
use super::{Acceptance, NewEntry, owner, read};
use crate::codec;
use crate::error::{Fault, StoreError};

/// Entries to append, and whom to tell.
pub(super) struct Job {
    pub(super) at: i64,
    pub(super) entries: Vec<NewEntry>,
    /// The key that the plan is accepted under, and the plan that must be the newest under it.
    pub(super) key: Option<(String, Option<String>)>,
    pub(super) answer: oneshot::Sender<Result<Acceptance, StoreError>>,
}

/// Jobs committed together at most.
const GROUP: usize = 512;

/// The thread's own: the one connection that appends.
pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
    owner: String,
    clock: Arc<dyn Clock>,
}

impl Writer {
    pub(super) fn new(connection: Connection, path: PathBuf, owner: String, clock: Arc<dyn Clock>) -> Self {
        Self { connection, path, owner, clock }
    }

    /// Works off jobs until nobody can send any more.
    pub(super) fn work(mut self, queue: &Receiver<Job>) {
        let mut shown = Instant::now();
        loop {
            match queue.recv_timeout(owner::BEAT.saturating_sub(shown.elapsed())) {
                Ok(first) => self.group(first, queue),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if shown.elapsed() >= owner::BEAT {
                shown = Instant::now();
                let now = self.clock.now().as_millisecond();
                if let Err(fault) = owner::beat_if_busy(&self.connection, &self.owner, now) {
                    let error = StoreError::from_fault(&self.path, fault);
                    tracing::warn!(%error, "no sign of life could be shown in the journal");
                }
            }
        }
    }

    /// Commits a job with all that wait behind it.
    fn group(&mut self, first: Job, queue: &Receiver<Job>) {
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        match self.commit(&jobs) {
            Ok(acceptances) => {
                for (job, acceptance) in jobs.into_iter().zip(acceptances) {
                    // Nobody listening is fine: the entry is there.
                    let _ = job.answer.send(Ok(acceptance));
                }
            }
            Err(fault) => {
                // Nothing of the group is there; each caller is told so.
                let mut fault = Some(fault);
                for job in jobs {
                    let error = match fault.take() {
                        Some(fault) => StoreError::from_fault(&self.path, fault),
                        None => StoreError::Closed,
                    };
                    let _ = job.answer.send(Err(error));
                }
            }
        }
    }

    fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Acceptance>, Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may append too: the head is what the file says now.
        let mut head = head(&transaction)?;
        let mut acceptances = Vec::with_capacity(jobs.len());
        for job in jobs {
            acceptances.push(put(&transaction, &self.owner, job, &mut head)?);
        }
        transaction.commit()?;
        Ok(acceptances)
    }
}

struct Head {
    sequence: i64,
    hash: [u8; 32],
}

fn head(transaction: &Transaction<'_>) -> Result<Head, Fault> {
    let last = transaction
        .prepare_cached("SELECT sequence, hash FROM entries ORDER BY sequence DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))
        .optional()?;
    Ok(match last {
        Some((sequence, hash)) => Head { sequence, hash },
        None => Head { sequence: 0, hash: GENESIS },
    })
}

fn put(transaction: &Transaction<'_>, owner: &str, job: &Job, head: &mut Head) -> Result<Acceptance, Fault> {
    if let Some((key, after)) = &job.key {
        let source = job.entries.first().map_or("", |entry| entry.source.as_str());
        let newest = read::by_key(transaction, source, key)?;
        if newest != *after
            && let Some(plan) = newest
        {
            return Ok(Acceptance::KeyTaken { plan });
        }
    }
    for new in &job.entries {
        let record = codec::to_json("a journal entry", &new.entry)?;
        let covered = Covered {
            sequence: head.sequence + 1,
            at: job.at,
            source: &new.source,
            plan: &new.plan,
            operation: new.operation,
            key: job.key.as_ref().map(|(key, _)| key.as_str()),
            record: &record,
        };
        let hash = covered.hash(&head.hash);
        transaction
            .prepare_cached(
                "INSERT INTO entries (sequence, at, source, plan, operation, key, record, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                covered.sequence,
                covered.at,
                covered.source,
                covered.plan,
                covered.operation,
                covered.key,
                covered.record,
                hash,
            ))?;
        *head = Head { sequence: covered.sequence, hash };
        follow(transaction, owner, new, &covered)?;
    }
    Ok(Acceptance::Accepted)
}

/// Keeps the list of operations without an end.
fn follow(
    transaction: &Transaction<'_>,
    owner: &str,
    new: &NewEntry,
    covered: &Covered<'_>,
) -> Result<(), Fault> {
    match (&new.entry, new.operation) {
        (Entry::Accepted { operations, .. }, _) => {
            owner::forget_idle(transaction)?;
            owner::beat(transaction, owner, covered.at)?;
            let mut insert = transaction.prepare_cached(
                "INSERT INTO unfinished (source, plan, operation, owner, object, accepted)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for operation in operations {
                let object = operation.target.lock();
                let accepted = covered.sequence;
                insert.execute((&new.source, &new.plan, operation.number, owner, object, accepted))?;
            }
        }
        (Entry::Finished { .. }, Some(operation)) => {
            transaction
                .prepare_cached("DELETE FROM unfinished WHERE source = ?1 AND plan = ?2 AND operation = ?3")?
                .execute((&new.source, &new.plan, operation))?;
        }
        _ => {}
    }
    Ok(())
}
