//! What can go wrong with the store, each with its remedy.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::ErrorCode;
use thiserror::Error;

/// An error of the store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file was written by a newer version.
    #[error(
        "the store {} has schema version {found}, but this exogate knows versions up to {known}; use the \
         newer exogate, or another store file",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema version of the file.
        found: u32,
        /// Newest schema version that this program knows.
        known: u32,
    },
    /// A schema step in the file is not the one that this program has under that number.
    #[error(
        "the store {} was laid out by a different build: schema step {version} differs; use the exogate that \
         made it, or another store file",
        path.display()
    )]
    ForeignSchema {
        /// The file.
        path: PathBuf,
        /// The step that differs.
        version: u32,
    },
    /// The file is something else.
    #[error(
        "{} is not an exogate store; point `store` at another path, or move the file away",
        path.display()
    )]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the store {} is damaged; restore it from a backup, or move it away and aggregate anew",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file or its folder cannot be opened or created.
    #[error("cannot open the store {}; check that its folder exists and that you may write there", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file cannot be written.
    #[error(
        "the store {} is read-only; give this user the right to write the file and its folder",
        path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the store {} is full; free some space and run again: what was stored is kept",
        path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("the disk that holds the store {} failed; check it, then run again", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// Another program holds the file.
    #[error(
        "the store {} is locked by another program; wait for it to end, or find it with `fuser`",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A run is under way on this source.
    #[error(
        "a run of source {source_name:?} is under way since {since} ({holder}); wait for it, or stop it and try \
         again in some seconds"
    )]
    AlreadyRunning {
        /// The source.
        source_name: String,
        /// When it began.
        since: Timestamp,
        /// Who runs it, on which host, under which process id.
        holder: String,
    },
    /// Another process took the run over while this one was suspended.
    #[error(
        "this run of source {source_name:?} was taken over by another process, because it gave no sign of life \
         for too long; what it had stored is kept"
    )]
    LeaseLost {
        /// The source.
        source_name: String,
    },
    /// A token that is not revoked has that name.
    #[error("there is a token named {name:?}; choose another name, or revoke that one first")]
    TokenNameTaken {
        /// The name.
        name: String,
    },
    /// Something that the run read before could not be stored.
    #[error(
        "nothing more is stored of this run of source {source_name:?}, because something before it could not be; \
         run again: what was stored is kept"
    )]
    RunBroken {
        /// The source.
        source_name: String,
    },
    /// The store was closed while work was waiting for it.
    #[error("the store is closed; open it again")]
    Closed,
    /// Something in the store cannot be understood.
    #[error(
        "the store holds {what} that this exogate cannot read; it was changed by hand or by another program"
    )]
    Unreadable {
        /// What it is.
        what: String,
        /// Why, where known.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Anything else that SQLite reports.
    #[error("the store {} failed; if it happens again, report it with the cause below", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// What a failure inside the store means for the file at `path`.
    pub(crate) fn from_fault(path: &Path, fault: Fault) -> Self {
        let path = path.to_owned();
        match fault {
            Fault::Store(error) => *error,
            Fault::Sqlite(source) => match source.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => Self::NotAStore { path },
                Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, source },
                Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
                Some(ErrorCode::DiskFull) => Self::DiskFull { path },
                Some(ErrorCode::SystemIoFailure) => Self::Disk { path, source },
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
                Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                    Self::CannotOpen { path, source: Box::new(source) }
                }
                _ => Self::Sqlite { path, source },
            },
        }
    }
}

/// A failure inside the store, before it is known to which file it belongs.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// The store itself refused.
    Store(Box<StoreError>),
}

impl Fault {
    /// Something stored that this version cannot understand.
    pub(crate) fn unreadable(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        StoreError::Unreadable { what: what.into(), source: Some(source.into()) }.into()
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_sqlite_reports_becomes_what_to_do() {
        let cases = [
            (ffi::SQLITE_FULL, "is full; free some space"),
            (ffi::SQLITE_READONLY, "is read-only; give"),
            (ffi::SQLITE_BUSY, "is locked by another program; wait"),
            (ffi::SQLITE_CORRUPT, "is damaged; restore it"),
            (ffi::SQLITE_NOTADB, "is not an exogate store; point"),
            (ffi::SQLITE_IOERR_WRITE, "failed; check it"),
            (ffi::SQLITE_CANTOPEN, "check that its folder exists"),
            (ffi::SQLITE_CONSTRAINT, "report it with the cause"),
        ];
        for (code, remedy) in cases {
            let fault = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into();
            let text = StoreError::from_fault(Path::new("/var/lib/exogate.db"), fault).to_string();
            assert!(text.contains(remedy) && text.contains("/var/lib/exogate.db"), "{text}");
        }
    }
}
