//! Connections to the file: how it is created, opened for writing, and opened for reading.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Fault, StoreError};

/// How long a statement waits for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of the file that one connection looks at directly; what lies behind is read.
const MAPPED: i64 = 1 << 28;
/// Bytes of a page of a new file: objects with their attributes take a kilobyte, of which few fit into less.
const PAGE: i64 = 8192;
/// Bytes of the log, about, from which the writer itself writes it back: what is moved beside it leaves it less
/// to do, but not always an end from which the log could begin anew.
const LOG: i64 = 400_000_000;
/// Prepared statements kept per connection.
const STATEMENTS: usize = 96;

/// Opens the one connection that writes, creating the file if there is none.
pub(crate) fn writer(path: &Path) -> Result<Connection, Fault> {
    create(path)
        .map_err(|error| StoreError::CannotOpen { path: path.to_owned(), source: Box::new(error) })?;
    of_writer(path)
}

/// Opens a connection that can write into a file which is there.
pub(crate) fn of_writer(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    keep_statements(&connection)?;
    // Reads the header: says at once whether the file is a database at all.
    connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    if connection.is_readonly("main")? {
        return Err(StoreError::ReadOnly { path: path.to_owned() }.into());
    }
    Ok(connection)
}

/// Sets how a file is laid out that is empty yet; one that has pages keeps them as they are.
pub(crate) fn lay_out_empty(connection: &Connection) -> Result<(), Fault> {
    Ok(connection.pragma_update(None, "page_size", PAGE)?)
}

/// Sets how the writing connection works; after the file is known to be ours. The cache holds what a
/// long transaction touches: pages that do not fit are written early, and often twice. The log is
/// written back rarely, because every time costs the pages that everything touches once more.
pub(crate) fn tune_writer(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -49152;
         PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG / page.max(1))?;
    Ok(())
}

/// Moves what was written from the log into the file, as far as no reader is in the way.
pub(crate) fn tidy(connection: &Connection) -> Result<(), Fault> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}

/// Opens a connection that can only read.
pub(crate) fn reader(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    keep_statements(&connection)?;
    connection.execute_batch("PRAGMA cache_size = -3072; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Opens a connection that can only read, and reads a few rows here and there. It looks at the file where the
/// system has it, instead of copying pages into the one cache that all connections share and lock; what it looks
/// at is the system's to keep or to drop.
pub(crate) fn quick_reader(path: &Path) -> Result<Connection, Fault> {
    let connection = reader(path)?;
    connection.pragma_update(None, "mmap_size", MAPPED)?;
    Ok(connection)
}

/// Statements are compiled once. Without the stable plans, this SQLite compiles some of them anew
/// for every value that is bound.
fn keep_statements(connection: &Connection) -> Result<(), Fault> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Creates the file, and the folder it is to be in, for this user alone: it tells who may read
/// whose mail. SQLite gives its side files the same mode.
fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
