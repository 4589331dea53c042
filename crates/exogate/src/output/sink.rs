//! Where results go: standard output, or a file that is complete or not there.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// A place for rows.
pub trait Sink: Write {
    /// The width rows must fit in, if it is a terminal.
    fn width(&self) -> Option<u16> {
        None
    }
    /// Whether colours and bold are welcome.
    fn styled(&self) -> bool {
        false
    }
}

/// Standard output.
pub struct Standard {
    to: BufWriter<Stdout>,
    width: Option<u16>,
    styled: bool,
}

impl Standard {
    /// Standard output; `width` if it is a terminal.
    pub fn new(width: Option<u16>, styled: bool) -> Self {
        Self { to: BufWriter::with_capacity(64 * 1024, io::stdout()), width, styled }
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Sink for Standard {
    fn width(&self) -> Option<u16> {
        self.width
    }
    fn styled(&self) -> bool {
        self.styled
    }
}

/// A file that appears under its name only when it is complete, readable by its owner alone. What is
/// there already and is no file (a device, a pipe) is written to as it is, never replaced.
pub struct AtomicFile {
    to: BufWriter<File>,
    /// Apart from the file, because together they put this name, which says nothing to anybody, into errors.
    temporary: Option<TempPath>,
    path: PathBuf,
}

impl AtomicFile {
    /// Begins a file beside its final place.
    pub fn create(path: &Path) -> io::Result<Self> {
        match std::fs::metadata(path) {
            Ok(there) if there.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
            }
            Ok(there) if !there.is_file() => {
                let to = BufWriter::with_capacity(64 * 1024, File::options().write(true).open(path)?);
                return Ok(Self { to, temporary: None, path: path.to_owned() });
            }
            _ => {}
        }
        // A link stays a link: what it leads to is replaced.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        // tempfile creates with mode 0600, which the final file keeps.
        let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder);
        let (file, temporary) = file.map_err(|error| io::Error::from(error.kind()))?.into_parts();
        let to = BufWriter::with_capacity(64 * 1024, file);
        Ok(Self { to, temporary: Some(temporary), path: path.to_owned() })
    }

    /// Makes it durable and gives it its name, replacing what was there.
    pub fn commit(self) -> io::Result<()> {
        let Some((temporary, path)) = self.written()? else { return Ok(()) };
        temporary.persist(&path).map_err(|error| error.error)?;
        sync_folder(&path);
        Ok(())
    }

    /// As [`Self::commit`], but refuses to replace a file.
    pub fn commit_new(self) -> io::Result<()> {
        let Some((temporary, path)) = self.written()? else {
            return Err(io::ErrorKind::AlreadyExists.into());
        };
        temporary.persist_noclobber(&path).map_err(|error| error.error)?;
        sync_folder(&path);
        Ok(())
    }

    /// Everything on the disk, and the name that it still needs, if it needs one.
    fn written(self) -> io::Result<Option<(TempPath, PathBuf)>> {
        let file = self.to.into_inner().map_err(io::IntoInnerError::into_error)?;
        let Some(temporary) = self.temporary else { return Ok(None) };
        file.sync_all()?;
        Ok(Some((temporary, self.path)))
    }
}

/// A rename is durable once its folder is. Some file systems cannot do that, and the data is safe without it.
fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Sink for AtomicFile {}

/// A sink in memory, for tests.
#[cfg(test)]
#[derive(Default)]
pub struct Memory(Vec<u8>);

#[cfg(test)]
impl Memory {
    pub fn text(self) -> String {
        String::from_utf8(self.0).unwrap()
    }
}

#[cfg(test)]
impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Sink for Memory {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_no_file_is_written_to_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read_to_string(pipe).unwrap()
        });
        let mut file = AtomicFile::create(&pipe).unwrap();
        file.write_all(b"through").unwrap();
        file.commit().unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(!std::fs::metadata(&pipe).unwrap().is_file());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_complete_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        std::fs::write(&path, "old").unwrap();

        let mut abandoned = AtomicFile::create(&path).unwrap();
        abandoned.write_all(b"half").unwrap();
        drop(abandoned);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");

        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut file = AtomicFile::create(&link).unwrap();
        file.write_all(b"newer").unwrap();
        file.commit().unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "newer");

        let again = AtomicFile::create(&path).unwrap();
        assert_eq!(again.commit_new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(AtomicFile::create(folder.path()).is_err());
    }
}
