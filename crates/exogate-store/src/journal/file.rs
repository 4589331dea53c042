//! The file of the journal: created for this user alone, laid out, and opened so that a commit is on
//! the disk when it returns.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::connection;
use crate::error::{Fault, StoreError};

/// `exoj`: marks the file as a journal in SQLite's header.
const APPLICATION_ID: i32 = 0x6578_6f6a;
/// Steps of the layout; never edited after a release.
const STEPS: &[&str] = &[include_str!("../../migrations/journal/0001_journal.sql")];
/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(15);

/// Opens the file for appending, creating and laying it out as needed.
pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    let mut connection = connection::writer(path)?;
    lay_out(&mut connection, path)?;
    tune(&connection)?;
    Ok(connection)
}

/// A further connection to a file that is laid out.
pub(super) fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection = connection::writer(path)?;
    tune(&connection)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn tune(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 8388608;")?;
    Ok(())
}

fn lay_out(connection: &mut Connection, path: &Path) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let application: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if !matches!((application, tables), (0, 0) | (APPLICATION_ID, _)) {
        return Err(StoreError::NotAStore { path: path.to_owned() }.into());
    }
    let known = STEPS.len() as u32;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known }.into());
    }
    for step in &STEPS[found as usize..] {
        transaction.execute_batch(step)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.commit()?;
    Ok(())
}
