//! Why a command did not succeed: how it ends, what went wrong, and what to do next.
//!
//! The one adapter that prints an error chain. Libraries return typed errors; here each becomes an exit code and
//! hints. Nothing below this module prints.

use std::fmt;
use std::io::{self, Write};

use crate::exit::Exit;

/// A command that did not succeed.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: anyhow::Error,
    details: Vec<String>,
    hints: Vec<String>,
}

/// What every command returns.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// An error that ends the process as `exit` says.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// A failure told in one sentence.
    pub fn message(exit: Exit, text: impl fmt::Display) -> Self {
        Self::new(exit, anyhow::anyhow!("{text}"))
    }

    /// A mistake on the command line.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::message(Exit::Usage, text)
    }

    /// With a sentence in front that says what was being done.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display + Send + Sync + 'static) -> Self {
        self.error = self.error.context(doing);
        self
    }

    /// With something to do about it; blank text is as none.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.trim().is_empty() && !self.hints.contains(&text) {
            self.hints.push(text);
        }
        self
    }

    /// With single findings, each printed as an error of its own before the summary.
    #[must_use]
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the reader of our output went away, which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        })
    }

    /// Prints it: findings, the chain in one sentence, hints.
    pub fn print(&self, to: &mut dyn Write, coloured: bool) -> io::Result<()> {
        let (red, cyan, plain) =
            if coloured { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
        for detail in &self.details {
            writeln!(to, "{red}error:{plain} {}", indented(detail))?;
        }
        let chain: Vec<String> = self.error.chain().map(ToString::to_string).collect();
        writeln!(to, "{red}error:{plain} {}", indented(&chain.join(": ")))?;
        for hint in &self.hints {
            writeln!(to, "{cyan}hint:{plain} {}", indented(hint))?;
        }
        Ok(())
    }
}

/// Further lines of a text under its first one, so that a label always starts a message.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free some space where the output goes, then run the same command again"
            }
            io::ErrorKind::FileTooLarge => {
                "raise the limit on the size of files (`ulimit -f`), or write somewhere else, then run the same \
                 command again"
            }
            _ => "",
        };
        Self::new(Exit::Failed, error).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_findings_chain_and_hints() {
        let failure = Failure::message(Exit::Usage, "2 problems")
            .context("exogate.toml")
            .details(["line 1\nmore".to_owned()])
            .hint("edit it")
            .hint("edit it");
        let mut out = Vec::new();
        failure.print(&mut out, false).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "error: line 1\n  more\nerror: exogate.toml: 2 problems\nhint: edit it\n"
        );
    }

    #[test]
    fn tells_what_to_do_about_a_full_disk() {
        let hints = |kind| Failure::from(io::Error::from(kind)).hints.len();
        assert_eq!(hints(io::ErrorKind::StorageFull), 1);
        assert_eq!(hints(io::ErrorKind::FileTooLarge), 1);
        assert_eq!(hints(io::ErrorKind::BrokenPipe), 0);
    }

    #[test]
    fn knows_a_broken_pipe_below_context() {
        let broken = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(broken.is_broken_pipe());
        assert!(!Failure::usage("no").is_broken_pipe());
    }
}
