//! The two streams a person sees: results on standard output, everything else on standard error.
//!
//! Decides about colour and widths; knows no command.

use std::io::{self, Write};

use clap::ColorChoice;

use crate::cli::Global;
use crate::environment::Environment;
use crate::output::sink::Standard;

/// How to talk to whoever is there.
#[derive(Clone, Debug)]
pub struct Console {
    stdout_terminal: bool,
    stderr_terminal: bool,
    stdout_styled: bool,
    stderr_styled: bool,
    quiet: bool,
    verbose: u8,
}

impl Console {
    /// By the options given and the streams found.
    pub fn new(global: &Global, environment: &Environment) -> Self {
        let plain =
            environment.variable("NO_COLOR").is_some() || environment.variable("TERM") == Some("dumb");
        let styled = |terminal: bool| match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !plain,
        };
        Self {
            stdout_terminal: environment.stdout_terminal,
            stderr_terminal: environment.stderr_terminal,
            stdout_styled: styled(environment.stdout_terminal),
            stderr_styled: styled(environment.stderr_terminal),
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// Whether standard output is a terminal.
    pub fn stdout_terminal(&self) -> bool {
        self.stdout_terminal
    }

    /// Whether a progress display is welcome; log lines would tear it apart.
    pub fn shows_progress(&self) -> bool {
        self.stderr_terminal && !self.quiet && self.verbose == 0
    }

    /// Whether progress is told in lines instead.
    pub fn tells_progress(&self) -> bool {
        self.verbose > 0
    }

    /// Whether colour is welcome on standard error.
    pub fn stderr_styled(&self) -> bool {
        self.stderr_styled
    }

    /// Standard output for results.
    pub fn stdout(&self) -> Standard {
        let width = if self.stdout_terminal {
            terminal_size::terminal_size().map(|(width, _)| width.0)
        } else {
            None
        };
        Standard::new(width, self.stdout_styled)
    }

    /// Writes lines to standard output.
    pub fn print(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    }

    /// Tells something beside the results, unless it is to be quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            // Nobody listening is no reason to fail.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Tells a warning, unless it is to be quiet.
    pub fn warn(&self, text: &str) {
        let (yellow, plain) = if self.stderr_styled { ("\x1b[1;33m", "\x1b[0m") } else { ("", "") };
        self.note(&format!("{yellow}warning:{plain} {text}"));
    }

    /// A text in a colour (an SGR number) where standard output shows colours.
    pub fn paint(&self, sgr: &str, text: &str) -> String {
        if self.stdout_styled { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
