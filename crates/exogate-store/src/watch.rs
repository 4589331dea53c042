//! Whether anything was written, told without a lock.
//!
//! In WAL mode every connection, of whatever process, learns of a commit by the first bytes of the file that all
//! of them share (`-shm`): the header of the WAL's index, kept twice so that a half-written one shows. They are
//! read here as SQLite itself reads them to see whether its cache still holds, and are never understood.

use std::ffi::OsString;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;

/// Bytes of one copy of the header.
const HEADER: usize = 48;

/// What the file was at a moment. Differs from any other moment's if something was written in between; means
/// nothing beyond this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State([u8; HEADER]);

/// Looks at one file. Some connection to it must be open as long as this is used: the last one takes the shared
/// file away.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Never closed: with a file, a process gives up every lock that it has on it, those of SQLite too.
    shared: ManuallyDrop<File>,
}

impl Watch {
    /// None where there is nothing to look at.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let mut name = OsString::from(path);
        name.push("-shm");
        Some(Self { shared: ManuallyDrop::new(File::open(name).ok()?) })
    }

    /// What the file is now; none while somebody writes it, or where it cannot be told.
    pub(crate) fn state(&self) -> Option<State> {
        let mut both = [0; 2 * HEADER];
        read_at_start(&self.shared, &mut both).ok()?;
        let (one, other) = both.split_at(HEADER);
        // One that was never written says nothing.
        let sound = one == other && one.iter().any(|byte| *byte != 0);
        sound.then(|| <[u8; HEADER]>::try_from(one).ok().map(State)).flatten()
    }
}

#[cfg(unix)]
fn read_at_start(file: &File, buffer: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, 0)
}

/// Elsewhere it is not known whether a read sees what others have mapped.
#[cfg(not(unix))]
fn read_at_start(_: &File, _: &mut [u8]) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
