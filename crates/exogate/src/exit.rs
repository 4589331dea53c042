//! The exit codes: a contract with scripts, so a number never changes its meaning.
//!
//! Owns the numbers and their one-line meaning, which `--help` prints. Decides nothing: commands do.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Done,
    /// It failed.
    Failed,
    /// The command line or the configuration is wrong; nothing was attempted.
    Usage,
    /// Part of it was done: a run is incomplete, and what it read is kept.
    Partly,
    /// The tenant refused: sign-in, permission or role.
    Refused,
    /// Another run is active on the source.
    Busy,
    /// The deletion guard stopped the run.
    Guarded,
    /// What was asked for is no longer kept: the reader has to start over.
    Gone,
    /// Interrupted; the same command resumes.
    Interrupted,
}

impl Exit {
    /// Every code, in the order in which help lists them.
    pub const ALL: [Exit; 9] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Partly,
        Exit::Refused,
        Exit::Busy,
        Exit::Guarded,
        Exit::Gone,
        Exit::Interrupted,
    ];

    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partly => 3,
            Exit::Refused => 4,
            Exit::Busy => 5,
            Exit::Guarded => 6,
            Exit::Gone => 7,
            Exit::Interrupted => 130,
        }
    }

    /// What it means, for `--help`.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed",
            Exit::Usage => "usage or configuration is wrong; nothing was attempted",
            Exit::Partly => "partly done: the run is incomplete, what it read is kept",
            Exit::Refused => "the tenant refused: sign-in, permission or role",
            Exit::Busy => "another run is active on the source",
            Exit::Guarded => "the deletion guard stopped the run",
            Exit::Gone => "what was asked for is no longer kept; start over",
            Exit::Interrupted => "interrupted; the same command resumes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_the_documented_ones_stay() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
    }
}
