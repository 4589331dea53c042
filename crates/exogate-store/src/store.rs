//! The store as a whole: opening it, its sources, and the ways to its writer and its readers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};

use exogate_model::clock::Clock;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::connection;
use crate::error::{Fault, StoreError};
use crate::migrate::migrate;
use crate::read::counted::Counted;
use crate::source::SourceStore;
use crate::tidying;
use crate::watch::{State, Watch};
use crate::write::memory::Memory;
use crate::writer::{self, Bond, Entry, Failure, Job, Writer};

/// KiB that may wait for the writer: what a run reads, and so memory. Enough for what comes in while an index is
/// made; with more, all that waits is still to be written when everything is read.
const WAITING: usize = 6 << 10;
/// KiB that any job takes of that at least, so that there are not too many.
const LEAST: usize = 8;
/// Connections that read at once.
const READERS: usize = 4;

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: Arc<PathBuf>,
    clock: Arc<dyn Clock>,
    jobs: mpsc::Sender<Job>,
    waiting: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    /// Those that read a few rows at a time.
    idle_few: Mutex<Vec<Connection>>,
    watch: OnceLock<Option<Watch>>,
    counted: Counted,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.inner.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store at `path`, creating or migrating it as needed.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let connection = (|| {
            let mut connection = connection::writer(path)?;
            connection::lay_out_empty(&connection)?;
            migrate(&mut connection, path, clock.now().as_millisecond())?;
            connection::tune_writer(&connection)?;
            writer::make_indices(&mut connection, clock.now().as_millisecond())?;
            Ok(connection)
        })()
        .map_err(|fault| StoreError::from_fault(path, fault))?;
        let path = Arc::new(path.to_owned());
        let (jobs, queue) = mpsc::channel::<Job>();
        let writer = Writer::new(connection, Arc::clone(&path), Arc::clone(&clock));
        std::thread::Builder::new()
            .name("exogate-store".to_owned())
            .spawn(move || writer::work(writer, &queue))
            .map_err(|error| StoreError::CannotOpen {
                path: path.as_ref().clone(),
                source: Box::new(error),
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                path,
                clock,
                jobs,
                waiting: Arc::new(Semaphore::new(WAITING)),
                reading: Arc::new(Semaphore::new(READERS)),
                idle: Mutex::new(Vec::new()),
                idle_few: Mutex::new(Vec::new()),
                watch: OnceLock::new(),
                counted: Counted::default(),
            }),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A source by name; it is created if it is new.
    pub async fn source(&self, name: &str) -> Result<SourceStore, StoreError> {
        let wanted = name.to_owned();
        let known = self.read(move |connection| find_source(connection, &wanted)).await?;
        let source = match known {
            Some(source) => source,
            None => {
                let wanted = name.to_owned();
                self.write(move |writer| {
                    writer.transact(|transaction, _| {
                        transaction.execute("INSERT OR IGNORE INTO sources (name) VALUES (?1)", [&wanted])?;
                        find_source(transaction, &wanted)?
                            .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
                    })
                })
                .await?
            }
        };
        Ok(SourceStore::new(self.clone(), source, name))
    }

    /// Waits until everything that was handed to the writer before is done, a dropped run's lease
    /// given back included. For an orderly end.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }

    /// The names of all sources, sorted.
    pub async fn sources(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM sources ORDER BY name")?;
            let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(names)
        })
        .await
    }

    /// What the file is now, to be compared with what it was: by this process or another, whoever writes. None
    /// where that cannot be told.
    pub fn state(&self) -> Option<State> {
        self.inner.watch.get_or_init(|| Watch::open(&self.inner.path)).as_ref()?.state()
    }

    /// What was counted lately.
    pub(crate) fn counted(&self) -> &Counted {
        &self.inner.counted
    }

    /// The current instant, in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        self.inner.clock.now().as_millisecond()
    }

    /// Has the writer do something, and waits for what came of it. What was sent is done even if
    /// nobody waits any more.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.room(0).await?;
        let (answer, outcome) = oneshot::channel();
        self.send(move |writer| {
            // Nobody listening is fine.
            let _ = answer.send(work(writer));
            drop(permit);
        })?;
        outcome.await.map_err(|_| StoreError::Closed)?
    }

    /// Has the writer write something that may share a transaction with what others write, and
    /// stands or falls on its own.
    pub(crate) async fn enter<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection, i64) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let work = move |connection: &Connection, _: &mut Memory, now| work(connection, now);
        let entered = self.hand_over(Bond::Own, work, |failure| match failure {
            Failure::Own(error) => error,
            Failure::Other => StoreError::Closed,
        });
        entered.await?.done().await
    }

    /// Has the writer write something of about so many bytes that stands or falls with what was
    /// handed over so before it. What comes of it is awaited apart; `failed` hears of a failure
    /// before anything later is written, and makes an error of one that was another's.
    pub(crate) async fn submit<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl Fn(&Connection, &mut Memory, i64) -> Result<T, Fault> + Send + 'static,
        failed: impl FnOnce() -> StoreError + Send + 'static,
    ) -> Result<Entered<T>, StoreError> {
        let answer = move |failure| {
            let others = failed();
            match failure {
                Failure::Own(error) => error,
                Failure::Other => others,
            }
        };
        self.hand_over(Bond::Shared(bytes), work, answer).await
    }

    async fn hand_over<T: Send + 'static>(
        &self,
        bond: Bond,
        work: impl Fn(&Connection, &mut Memory, i64) -> Result<T, Fault> + Send + 'static,
        failed: impl FnOnce(Failure) -> StoreError + Send + 'static,
    ) -> Result<Entered<T>, StoreError> {
        let permit = self.room(if let Bond::Shared(bytes) = bond { bytes } else { 0 }).await?;
        let (keep, kept) = mpsc::channel();
        let (hold, held) = oneshot::channel::<()>();
        let (answer, outcome) = oneshot::channel();
        self.queue(Job::Entry(Entry {
            work: Box::new(move |connection, memory, now| {
                // Both go when the work is let go.
                let _ = (&permit, &hold);
                // The value waits for the commit on its own way; nobody listening is fine.
                let _ = keep.send(work(connection, memory, now)?);
                Ok(())
            }),
            answer: Box::new(move |outcome| {
                let _ = answer.send(outcome.map_err(failed));
            }),
            bond,
        }))?;
        let nudge = (bond != Bond::Own).then(|| self.clone());
        Ok(Entered { nudge, held, outcome, kept })
    }

    /// Waits until there is room for so many bytes before the writer.
    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let size = (bytes / 1024).clamp(LEAST, WAITING);
        let room = Arc::clone(&self.inner.waiting).acquire_many_owned(size as u32).await;
        room.map_err(|_| StoreError::Closed)
    }

    /// Has the writer do something when it comes to it.
    pub(crate) fn send(&self, work: impl FnOnce(&mut Writer) + Send + 'static) -> Result<(), StoreError> {
        self.queue(Job::Alone(Box::new(work)))
    }

    fn queue(&self, job: Job) -> Result<(), StoreError> {
        self.inner.jobs.send(job).map_err(|_| StoreError::Closed)
    }

    /// Moves what was written from the log into the file, beside what the writer does meanwhile.
    pub(crate) fn tidy_beside(&self) {
        let path = Arc::clone(&self.inner.path);
        tokio::task::spawn_blocking(move || tidying::beside(&path));
    }

    /// Reads one consistent state on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.inner.reading).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let store = self.clone();
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let open = || connection::reader(&store.inner.path);
            read_with(&store.inner.idle, open, work)
                .map_err(|fault| StoreError::from_fault(&store.inner.path, fault))
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// Reads one consistent state on the thread that asks: for a few rows by an index, which takes less time than
    /// having another thread do it.
    pub(crate) fn read_few<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let open = || connection::quick_reader(&self.inner.path);
        read_with(&self.inner.idle_few, open, work)
            .map_err(|fault| StoreError::from_fault(&self.inner.path, fault))
    }

    /// The same for what is read by one statement, or by others while that one is open.
    pub(crate) fn read_exactly<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let open = || connection::quick_reader(&self.inner.path);
        let outcome = idle_or(&self.inner.idle_few, open).and_then(|connection| {
            let outcome = work(&connection);
            give_back(&self.inner.idle_few, connection);
            outcome
        });
        outcome.map_err(|fault| StoreError::from_fault(&self.inner.path, fault))
    }
}

/// Reads one consistent state with an idle connection, or a new one.
fn read_with<T>(
    idle: &Mutex<Vec<Connection>>,
    open: impl FnOnce() -> Result<Connection, Fault>,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let connection = idle_or(idle, open)?;
    // One transaction, so that several statements see one state. Nothing is written in it.
    connection.prepare_cached("BEGIN")?.execute([])?;
    let outcome = work(&connection);
    connection.prepare_cached("ROLLBACK")?.execute([])?;
    give_back(idle, connection);
    outcome
}

fn idle_or(
    idle: &Mutex<Vec<Connection>>,
    open: impl FnOnce() -> Result<Connection, Fault>,
) -> Result<Connection, Fault> {
    let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    kept.map_or_else(open, Ok)
}

fn give_back(idle: &Mutex<Vec<Connection>>, connection: Connection) {
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
}

/// Something that the writer has been told to write. It is written whether or not anybody waits.
pub(crate) struct Entered<T> {
    /// The store whose writer may be waiting for more before it commits.
    nudge: Option<Store>,
    held: oneshot::Receiver<()>,
    outcome: oneshot::Receiver<Result<(), StoreError>>,
    kept: mpsc::Receiver<T>,
}

impl<T> Entered<T> {
    /// Waits until it is out of memory: written, if not yet for good.
    pub(crate) async fn let_go(&mut self) {
        // Nothing is ever sent: it ends with the work that holds the other end. Once it has, it must not be asked again.
        if !self.is_let_go() {
            let _ = (&mut self.held).await;
        }
    }

    /// Whether it is out of memory: written, if not yet for good.
    pub(crate) fn is_let_go(&mut self) -> bool {
        !matches!(self.held.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    /// What came of it, if that is certain already.
    pub(crate) fn outcome(&mut self) -> Option<Result<T, StoreError>> {
        match self.outcome.try_recv() {
            Ok(outcome) => Some(outcome.and_then(|()| self.value())),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(StoreError::Closed)),
        }
    }

    /// Waits until it is durable, or has failed.
    pub(crate) async fn done(mut self) -> Result<T, StoreError> {
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        if let Some(store) = self.nudge.take() {
            store.send(|_| ())?;
        }
        (&mut self.outcome).await.map_err(|_| StoreError::Closed)??;
        self.value()
    }

    fn value(&self) -> Result<T, StoreError> {
        self.kept.try_iter().last().ok_or(StoreError::Closed)
    }
}

fn find_source(connection: &Connection, name: &str) -> Result<Option<i64>, Fault> {
    Ok(connection
        .query_row("SELECT source FROM sources WHERE name = ?1", [name], |row| row.get(0))
        .optional()?)
}
