//! Laying out the small files beside the store: marked in SQLite's header, brought to the newest
//! layout step by step. The store's own file has a stricter way, in `migrate`.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Fault, StoreError};

/// Brings the file to the newest of these steps, or says why it cannot be ours. Steps are never
/// edited after a release.
pub(crate) fn lay_out(
    connection: &mut Connection,
    path: &Path,
    mark: i32,
    steps: &[&str],
) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i32 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if application != mark && (application, tables) != (0, 0) {
        return Err(StoreError::NotAStore { path: path.to_owned() }.into());
    }
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known }.into());
    }
    for step in steps.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
        transaction.pragma_update(None, "application_id", mark)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Makes a commit be on the disk when it returns.
pub(crate) fn tune_durable(connection: &Connection) -> Result<(), Fault> {
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 8388608;")?;
    Ok(())
}
