//! The file of the journal: created for this user alone, and opened so that a commit is on the disk
//! when it returns.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::connection;
use crate::error::Fault;
use crate::layout::{lay_out, tune_durable};

/// `exoj`: marks the file as a journal in SQLite's header.
const APPLICATION_ID: i32 = 0x6578_6f6a;
/// Steps of the layout; never edited after a release.
const STEPS: &[&str] = &[
    include_str!("../../migrations/journal/0001_journal.sql"),
    include_str!("../../migrations/journal/0002_turns.sql"),
];
/// How long a statement waits for another process.
const PATIENCE: Duration = Duration::from_secs(15);

/// Opens the file for appending, creating and laying it out as needed.
pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    let mut connection = connection::writer(path)?;
    lay_out(&mut connection, path, APPLICATION_ID, STEPS)?;
    tune_durable(&connection)?;
    Ok(connection)
}

/// A further connection to a file that is laid out.
pub(super) fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection = connection::writer(path)?;
    tune_durable(&connection)?;
    Ok(connection)
}

/// A connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}
