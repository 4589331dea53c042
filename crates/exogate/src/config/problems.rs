//! What is wrong with a configuration: every finding with its line and key path.
//!
//! Collects and renders; decides nothing about what is right.

use std::cell::RefCell;
use std::fmt;

use serde::Serialize;

/// Whether a finding stops the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but somebody should know.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it stops the work.
    pub severity: Severity,
    /// The line of the file, counted from one.
    pub line: Option<usize>,
    /// The key, as one would write it with dots.
    pub key: String,
    /// What is wrong and what to do, in one sentence.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(out, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.message)
    }
}

/// All findings of one file. Shared by the readers of its sections, hence the interior mutability.
pub struct Problems {
    line_starts: Vec<usize>,
    found: RefCell<Vec<Problem>>,
}

impl Problems {
    /// None yet, for a file with this text.
    pub fn new(text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { line_starts, found: RefCell::default() }
    }

    /// The line of a byte, counted from one.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Notes an error.
    pub fn error(&self, line: impl Into<Option<usize>>, key: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Error, line.into(), key.into(), message.into());
    }

    /// Notes a warning.
    pub fn warning(
        &self,
        line: impl Into<Option<usize>>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.push(Severity::Warning, line.into(), key.into(), message.into());
    }

    fn push(&self, severity: Severity, line: Option<usize>, key: String, message: String) {
        self.found.borrow_mut().push(Problem { severity, line, key, message });
    }

    /// The findings, in the order of the file.
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_from_one() {
        let problems = Problems::new("a\nbc\n\nd");
        assert_eq!([0, 1, 2, 4, 5, 6].map(|at| problems.line(at)), [1, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn sorts_by_line_and_puts_the_unplaced_last() {
        let problems = Problems::new("");
        problems.error(None, "", "whole file");
        problems.error(9, "b", "late");
        problems.warning(2, "a", "early");
        let lines: Vec<String> = problems.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["line 2: a: early", "line 9: b: late", "whole file"]);
    }
}
