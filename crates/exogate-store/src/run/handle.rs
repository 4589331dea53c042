//! A run in the hands of the process that executes it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use exogate_model::change::Learnt;
use exogate_model::mailbox::MailboxKind;
use exogate_model::trustee::{Principal, Trustee};
use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::begin::{self, Begun};
use super::{Candidate, Finish, Forecast, RunRecord, RunRequest, RunState, candidates, record};
use crate::batch::{Batch, BatchOutcome, Checkpoint, Coverage, Facet};
use crate::delta::{self, Settlement};
use crate::error::{Fault, StoreError};
use crate::rows::{Cursor, NamedMailbox, Page};
use crate::source::SourceStore;
use crate::store::Entered;
use crate::write::batch::PreparedBatch;
use crate::write::memory::Memory;
use crate::write::{self, Context, labels, loading, settle, settle_grants};
use crate::writer::Writer;
use crate::{codec, lease, read};

/// A run that this process holds. Cheap to clone; the last clone dropped lets go of it, and it
/// can then be resumed as if the process had been killed.
#[derive(Clone)]
pub struct RunHandle {
    inner: Arc<Inner>,
}

struct Inner {
    source: SourceStore,
    begun: Begun,
    started: Timestamp,
    token: String,
    /// A batch could not be stored: nothing that comes after it may be.
    broken: Arc<AtomicBool>,
    /// The store was empty when it began.
    began_empty: bool,
    /// Indices may be aside.
    may_load: AtomicBool,
}

/// A batch that is on its way into the store.
#[must_use = "what became of it is not known before it is awaited"]
pub struct Submitted {
    entered: Entered<BatchOutcome>,
    bytes: usize,
}

impl Submitted {
    /// Waits until the batch takes no memory any more: it is written, if not yet for good.
    pub async fn let_go(&mut self) {
        self.entered.let_go().await;
    }

    /// Whether it takes no memory any more.
    pub fn is_let_go(&mut self) -> bool {
        self.entered.is_let_go()
    }

    /// About how much memory it takes until then.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What came of the batch, if that is certain already. To be asked no more once it was said.
    pub fn outcome(&mut self) -> Option<Result<BatchOutcome, StoreError>> {
        self.entered.outcome()
    }

    /// Waits until the batch is durable, or has failed.
    pub async fn stored(self) -> Result<BatchOutcome, StoreError> {
        self.entered.done().await
    }
}

impl fmt::Debug for Submitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Submitted")
    }
}

impl fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunHandle")
            .field("source", &self.inner.source.name())
            .field("run", &self.inner.begun)
            .finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let (source, token) = (self.source.number(), std::mem::take(&mut self.token));
        let let_go = self.source.store().send(move |writer| {
            if let Err(error) = writer.let_go(source, &token) {
                tracing::debug!(%error, "a lease was not given back; it ends by itself");
            }
        });
        if let Err(error) = let_go {
            tracing::debug!(%error, "a lease was not given back; it ends by itself");
        }
    }
}

impl RunHandle {
    pub(crate) async fn begin_or_resume(
        source: SourceStore,
        request: RunRequest,
    ) -> Result<Self, StoreError> {
        let token = Uuid::new_v4().to_string();
        let (number, name, given) = (source.number(), source.name().to_owned(), token.clone());
        let (begun, loads) = source
            .store()
            .write(move |writer| {
                let (begun, loading) = writer.transact(|transaction, now| {
                    let begun = begin::begin(transaction, (number, &name), &request, &given, now)?;
                    let loading = loading::begin(transaction, begun.run)?;
                    Ok((begun, loading))
                })?;
                let loads = loading.is_some();
                if let Some(loading) = loading {
                    writer.load(loading);
                }
                writer.hold(number, given);
                Ok((begun, loads))
            })
            .await?;
        let may_load = AtomicBool::new(loads);
        let started = Timestamp::from_millisecond(begun.started).unwrap_or_default();
        Ok(Self {
            inner: Arc::new(Inner {
                source,
                begun,
                started,
                token,
                broken: Arc::default(),
                began_empty: loads,
                may_load,
            }),
        })
    }

    /// Id of the run.
    pub fn id(&self) -> Uuid {
        self.inner.begun.id
    }

    /// When it began (the first time, if it was resumed).
    pub fn started(&self) -> Timestamp {
        self.inner.started
    }

    /// Whether options or schema differ from those of the last complete run.
    pub fn schema_changed(&self) -> bool {
        self.inner.begun.schema_changed
    }

    /// Whether it goes on from an earlier process's checkpoints.
    pub fn resumed(&self) -> bool {
        self.inner.begun.resumed
    }

    /// How far a stream has come in this run.
    pub async fn checkpoint(&self, stream: &str) -> Result<Option<Checkpoint>, StoreError> {
        let (run, stream) = (self.inner.begun.run, stream.to_owned());
        self.scan(move |connection| write::batch::checkpoint(connection, run, &stream)).await
    }

    /// Stores a batch: rows and checkpoint in one transaction.
    pub async fn write(&self, batch: Batch) -> Result<BatchOutcome, StoreError> {
        self.submit(batch).await?.stored().await
    }

    /// Hands a batch over to be stored after those submitted before it. Where one cannot be stored,
    /// neither is any later one of this run: no checkpoint ever skips what is missing.
    pub async fn submit(&self, batch: Batch) -> Result<Submitted, StoreError> {
        let path = self.inner.source.store().path().to_owned();
        // Hashing and rendering need no store, and so not its one writer either.
        let prepared = tokio::task::spawn_blocking(move || PreparedBatch::new(batch))
            .await
            .map_err(|_| StoreError::Closed)?
            .map_err(|fault| StoreError::from_fault(&path, fault))?;
        let bytes = prepared.bytes();
        // Only the work may hold on to the run: it is let go before anybody hears of its end.
        let (inner, broken) = (Arc::clone(&self.inner), Arc::clone(&self.inner.broken));
        let work = move |connection: &Connection, memory: &mut Memory, now| {
            inner.refuse_if_broken()?;
            let context = inner.context(connection, now)?;
            prepared.put(connection, memory, &context)
        };
        let source_name = self.inner.source.name().to_owned();
        let failed = move || {
            broken.store(true, Ordering::Release);
            StoreError::RunBroken { source_name }
        };
        let entered = self.inner.source.store().submit(bytes, work, failed).await?;
        Ok(Submitted { entered, bytes })
    }

    /// All objects and memberships are read, if not all rights: what needs them to be complete can be
    /// begun.
    pub fn objects_ended(&self) -> Result<(), StoreError> {
        if self.inner.may_load.load(Ordering::Acquire) {
            self.inner.source.store().send(Writer::complete_objects)?;
        }
        Ok(())
    }

    /// Everything is read: the store makes the indices that it set aside, if it did, while others read.
    pub fn streams_ended(&self) -> Result<(), StoreError> {
        if self.inner.may_load.load(Ordering::Acquire) {
            self.inner.source.store().send(|writer| {
                if let Err(error) = writer.transact(|_, _| Ok(())) {
                    tracing::debug!(%error, "indices were not made; whatever is written next makes them");
                }
            })?;
        }
        Ok(())
    }

    /// Forgets a stream's checkpoint, so that it begins again; what it saw stays seen.
    pub async fn restart_stream(&self, stream: &str) -> Result<(), StoreError> {
        let stream = stream.to_owned();
        self.change(move |connection, context| {
            connection
                .execute("DELETE FROM checkpoints WHERE run = ?1 AND stream = ?2", (context.run, &stream))?;
            Ok(())
        })
        .await
    }

    /// Mailboxes of these kinds that this run has seen and whose facet it has not read yet, page by
    /// page in an order of the store's own. While mailboxes are still being read, ask again from
    /// the start once they are complete: one may have been seen behind the cursor.
    pub async fn mailboxes_to_read(
        &self,
        kinds: &[MailboxKind],
        facet: Facet,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<NamedMailbox>, StoreError> {
        let (source, run, kinds) = (self.inner.source.number(), self.inner.begun.run, kinds.to_vec());
        self.scan(move |connection| {
            read::mailboxes::to_read(connection, source, run, (&kinds, facet), after.as_ref(), limit)
        })
        .await
    }

    /// The trustees of all stored grants that this run has not resolved yet, each once, sorted.
    pub async fn unresolved_trustees(&self) -> Result<Vec<Trustee>, StoreError> {
        let (source, run) = (self.inner.source.number(), self.inner.begun.run);
        self.scan(move |connection| read::grants::unresolved(connection, source, run)).await
    }

    /// Everybody who bears one of the wanted keys (ids, SIDs, UPNs, addresses, names …; compared
    /// without case), sorted. One sequential scan, however many keys.
    pub async fn principal_index(&self, wanted: Vec<String>) -> Result<Vec<Candidate>, StoreError> {
        let (source, run) = (self.inner.source.number(), self.inner.begun.run);
        let wanted = Arc::new(candidates::Wanted::new(wanted));
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let [one, other] = candidates::HALVES.map(|scans| {
            let wanted = Arc::clone(&wanted);
            self.scan(move |connection| wanted.scan(connection, (source, run), scans))
        });
        let named = self.read(move |connection| wanted.named(connection, (source, run)));
        let (mut found, others, named) = tokio::try_join!(one, other, named)?;
        found.extend(others);
        found.extend(named);
        found.sort_unstable();
        if self.inner.began_empty {
            // Of a first load, nearly all there is to store is in the log by now.
            self.inner.source.store().tidy_beside();
        }
        Ok(found)
    }

    /// Stores whom trustees stand for.
    pub async fn resolve(&self, resolved: Vec<(Trustee, Principal)>) -> Result<(), StoreError> {
        self.resolve_learning(resolved, Learnt::Full).await
    }

    /// The same, where it was learnt in another way than by reading everything.
    pub async fn resolve_learning(
        &self,
        resolved: Vec<(Trustee, Principal)>,
        learnt: Learnt,
    ) -> Result<(), StoreError> {
        self.change(move |connection, context| {
            settle_grants::resolve(connection, &context.learning(learnt), &resolved)
        })
        .await
    }

    /// Gives every mailbox of these kinds that this run has seen its label, and takes it from all
    /// others. To be called when the mailboxes are complete. Former labels are kept. Returns how
    /// many labels came or went.
    pub async fn relabel(&self, kinds: &[MailboxKind]) -> Result<u64, StoreError> {
        let kinds = kinds.to_vec();
        self.change(move |connection, context| labels::relabel(connection, context, &kinds, labels::Of::Seen))
            .await
    }

    /// What `finish` would delete of these parts.
    pub async fn would_delete(&self, covered: &[Coverage]) -> Result<Vec<Forecast>, StoreError> {
        if self.inner.began_empty {
            // What was not known before cannot be missed.
            let none = |part: &Coverage| Forecast { part: *part, known: 0, unseen: 0 };
            return Ok(covered.iter().map(none).collect());
        }
        let (source, run, covered) = (self.inner.source.number(), self.inner.begun.run, covered.to_vec());
        self.scan(move |connection| settle::forecast(connection, source, run, &covered)).await
    }

    /// Ends the run in one transaction: deletes what is gone, writes the changes, lets go.
    pub async fn finish(&self, finish: Finish) -> Result<RunRecord, StoreError> {
        self.finish_with(finish, Settlement::default()).await
    }

    /// The same for a run that also, or only, read single objects.
    pub async fn finish_with(&self, finish: Finish, settlement: Settlement) -> Result<RunRecord, StoreError> {
        let inner = Arc::clone(&self.inner);
        let record = self
            .change(move |connection, context| {
                inner.refuse_if_broken()?;
                let plan = settle::Plan { covered: &finish.covered, delete_unseen: finish.delete_unseen };
                settle::settle(connection, context, &plan)?;
                let after = context.having_settled(&finish.covered);
                settlement.put(connection, &after)?;
                if finish.state == RunState::Completed {
                    delta::left_over(connection, &after)?;
                }
                delta::advance(connection, context, &finish.cursors)?;
                settle_grants::forget_unused_trustees(connection, context.source)?;
                let streams = codec::to_json("the streams of a run", &finish.streams)?;
                connection.execute("UPDATE runs SET streams = ?2 WHERE run = ?1", (context.run, streams))?;
                inner.end(connection, context, finish.state, &finish.notes)?;
                record::one(connection, context.source, inner.begun.id, context.now)?
                    .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
            })
            .await?;
        self.inner.source.store().send(|writer| writer.tidy())?;
        Ok(record)
    }

    /// Ends the run so that it can be resumed, and says why.
    pub async fn stop(&self, reason: &str) -> Result<(), StoreError> {
        let (inner, notes) = (Arc::clone(&self.inner), [reason.to_owned()]);
        self.change(move |connection, context| inner.end(connection, context, RunState::Stopped, &notes))
            .await
    }

    /// Shows a sign of life. The store does that by itself as long as the handle lives; this one
    /// also says whether the run is still this process's own.
    pub async fn heartbeat(&self) -> Result<(), StoreError> {
        let inner = Arc::clone(&self.inner);
        self.change(move |connection, context| {
            lease::renew(connection, context.source, &inner.token, context.now)
        })
        .await
    }

    /// Reads what needs indices.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.inner.source.store();
        if self.inner.may_load.load(Ordering::Acquire) {
            store.write(|writer| writer.transact(|_, _| Ok(()))).await?;
            self.inner.may_load.store(false, Ordering::Release);
        }
        store.read(work).await
    }

    /// Reads what does without those that the first load of a store sets aside.
    async fn scan<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.source.store().read(work).await
    }

    /// Changes the store in one transaction, if this process still holds the run.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &Context) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        self.inner
            .source
            .store()
            .write(move |writer| {
                writer.transact(|transaction, now| {
                    let context = inner.context(transaction, now)?;
                    work(transaction, &context)
                })
            })
            .await
    }
}

impl Inner {
    fn refuse_if_broken(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Acquire) {
            return Err(StoreError::RunBroken { source_name: self.source.name().to_owned() });
        }
        Ok(())
    }

    /// What a change needs to know; refuses if this process does not hold the run any more.
    fn context(&self, connection: &Connection, now: i64) -> Result<Context, Fault> {
        let source = self.source.number();
        lease::require(connection, (source, self.source.name()), &self.token)?;
        Context::new(connection, source, self.begun.run, self.begun.schema_changed, now)
    }

    /// Writes how the run ended and gives the lease back, in the same transaction.
    fn end(
        &self,
        connection: &Connection,
        context: &Context,
        state: RunState,
        notes: &[String],
    ) -> Result<(), Fault> {
        for note in notes {
            connection
                .prepare_cached("UPDATE runs SET notes = json_insert(notes, '$[#]', ?2) WHERE run = ?1")?
                .execute((context.run, note))?;
        }
        connection.execute(
            "UPDATE runs SET state = ?2, finished = ?3 WHERE run = ?1",
            (context.run, state.name(), context.now),
        )?;
        lease::release(connection, context.source, &self.token)
    }
}
