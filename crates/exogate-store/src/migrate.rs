//! The layout of the file: numbered SQL steps, applied once each, with a checksum that tells
//! whether the step in the file is the step that this program knows. Steps are never edited after
//! a release; a change of layout is a new step.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use crate::error::{Fault, StoreError};

/// `exog`: marks the file as ours in SQLite's header.
const APPLICATION_ID: i32 = 0x6578_6f67;

const STEPS: &[(u32, &str)] = &[
    (1, include_str!("../migrations/0001_state.sql")),
    (2, include_str!("../migrations/0002_delta.sql")),
    (3, include_str!("../migrations/0003_modified.sql")),
    (4, include_str!("../migrations/0004_webhooks.sql")),
    (5, include_str!("../migrations/0005_backlog_parts.sql")),
    (6, include_str!("../migrations/0006_loading.sql")),
    (7, include_str!("../migrations/0007_service.sql")),
    (8, include_str!("../migrations/0008_authors.sql")),
    (9, include_str!("../migrations/0009_places.sql")),
    (10, include_str!("../migrations/0010_marks.sql")),
];

/// Brings the file to the newest layout, or says why it cannot be ours.
pub(crate) fn migrate(connection: &mut Connection, path: &Path, now: i64) -> Result<(), Fault> {
    let known = STEPS.last().map_or(0, |(version, _)| *version);
    let found = found(connection, path)?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known }.into());
    }
    if found < known {
        apply(connection, path, now)?;
    }
    check(connection, path)
}

/// The layout version of the file; 0 for an empty one.
fn found(connection: &Connection, path: &Path) -> Result<u32, Fault> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, tables) {
        (0, 0) => Ok(0),
        (APPLICATION_ID, _) => {
            Ok(connection.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))?)
        }
        _ => Err(StoreError::NotAStore { path: path.to_owned() }.into()),
    }
}

fn apply(connection: &mut Connection, path: &Path, now: i64) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been quicker.
    let found = found(&transaction, path)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS layout (
            version INTEGER PRIMARY KEY, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)",
    )?;
    for (version, sql) in STEPS.iter().filter(|(version, _)| *version > found) {
        transaction.execute_batch(sql)?;
        transaction.execute(
            "INSERT INTO layout (version, checksum, applied_at) VALUES (?1, ?2, ?3)",
            (version, checksum(sql), now),
        )?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

fn check(connection: &Connection, path: &Path) -> Result<(), Fault> {
    for (version, sql) in STEPS {
        let stored: Option<String> = connection
            .query_row("SELECT checksum FROM layout WHERE version = ?1", [version], |row| row.get(0))
            .optional()?;
        if stored.as_deref() != Some(&checksum(sql)) {
            return Err(StoreError::ForeignSchema { path: path.to_owned(), version: *version }.into());
        }
    }
    Ok(())
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the layout of that version.
    fn before(version: u32) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE layout (
                     version INTEGER PRIMARY KEY, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)",
            )
            .unwrap();
        for (number, sql) in STEPS.iter().filter(|(number, _)| *number <= version) {
            connection.execute_batch(sql).unwrap();
            connection.execute("INSERT INTO layout VALUES (?1, ?2, 0)", (number, checksum(sql))).unwrap();
        }
        connection.pragma_update(None, "user_version", version).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection
    }

    fn indices(connection: &Connection) -> Vec<String> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn attributes_are_moved_to_the_place_of_their_object() {
        for aside in [false, true] {
            let mut connection = before(8);
            connection
                .execute_batch(
                    "INSERT INTO users (oid, source, upn, disabled) VALUES (5, 1, 'a', 0), (3, 1, 'b', 0), (9, 1, 'c', 0);
                     DELETE FROM users WHERE oid = 5;
                     INSERT INTO user_attributes VALUES (9, '9'), (7, 'of nobody'), (3, '3');
                     INSERT INTO mailboxes (oid, source, kind, display_name, primary_smtp)
                         VALUES (3, 1, 'UserMailbox', 'b', 'b@contoso.com');
                     INSERT INTO mailbox_attributes VALUES (3, 'm3');
                     INSERT INTO ids VALUES (3, 1, 'b');
                     INSERT INTO marks (part, source, oid, hash, first_run, seen_run, read_at, changed_at)
                         VALUES (2, 1, 3, x'02', 1, 2, 3, NULL), (1, 1, 3, x'01', 1, 2, 3, 4);",
                )
                .unwrap();
            if aside {
                // As whoever was killed while it loaded an empty store leaves it.
                for name in
                    ["users_by_oid", "user_attributes_by_oid", "mailbox_attributes_by_oid", "marks_by_oid"]
                {
                    connection
                        .execute(
                            "INSERT INTO indices_aside SELECT name, sql FROM sqlite_schema WHERE name = ?1",
                            [name],
                        )
                        .unwrap();
                    connection.execute_batch(&format!("DROP INDEX {name}")).unwrap();
                }
            }
            migrate(&mut connection, Path::new("state.db"), 0).unwrap();
            crate::write::loading::end(&connection).unwrap();
            connection.execute_batch("VACUUM").unwrap();
            let read = |sql: &str| -> Vec<(i64, String)> {
                let mut statement = connection.prepare(sql).unwrap();
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
                rows.collect::<Result<_, _>>().unwrap()
            };
            let users = read("SELECT oid, json FROM users JOIN user_attributes USING (place) ORDER BY place");
            assert_eq!(users, [(3, "3".to_owned()), (9, "9".to_owned())]);
            let mailboxes = read("SELECT oid, json FROM mailboxes JOIN mailbox_attributes USING (place)");
            assert_eq!(mailboxes, [(3, "m3".to_owned())]);
            assert_eq!(read("SELECT count(*), '' FROM user_attributes"), [(2, String::new())]);
            let marks = "SELECT part, concat_ws(' ', oid, hex(hash), first_run, seen_run, read_at, changed_at) FROM marks";
            assert_eq!(read(marks), [(1, "3 01 1 2 3 4".to_owned()), (2, "3 02 1 2 3".to_owned())]);
            // A change still dates whom it speaks of.
            connection
                .execute_batch(
                    "INSERT INTO changes (source, run, at, object, id, name, learnt, happened)
                     VALUES (1, 2, 7, 1, 'b', 'b', '{}', '{}')",
                )
                .unwrap();
            assert_eq!(read("SELECT changed_at, '' FROM marks WHERE part = 2"), [(7, String::new())]);
            let mut new = Connection::open_in_memory().unwrap();
            migrate(&mut new, Path::new("state.db"), 0).unwrap();
            assert_eq!(indices(&connection), indices(&new), "aside: {aside}");
        }
    }
}
