//! What the process was started with: variables, directory, terminal and clock. Read once in `main`, handed down.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exogate_model::clock::Clock;
use jiff::Timestamp;

/// The surroundings of one invocation.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables.
    pub variables: HashMap<OsString, OsString>,
    /// The working directory.
    pub directory: PathBuf,
    /// Where temporary files go.
    pub temporary: PathBuf,
    /// The path of this program, as a user would type it.
    pub program: PathBuf,
    /// Whether standard output is a terminal.
    pub stdout_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_terminal: bool,
    /// Who runs it.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The id of this process.
    pub process: u32,
    /// The real clock.
    pub clock: Arc<dyn Clock>,
}

impl Environment {
    /// A variable that is set, not empty, and text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(std::ffi::OsStr::new(name)).and_then(|v| v.to_str()).filter(|v| !v.is_empty())
    }

    /// `path`, seen from the working directory.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// `$XDG_CONFIG_HOME`, or what stands for it.
    pub fn config_home(&self) -> Option<PathBuf> {
        self.variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| self.variable("HOME").map(|home| Path::new(home).join(".config")))
    }
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time is handed in from")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
