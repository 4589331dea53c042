//! How long, and how often, what was written is looked for.

use std::time::Duration;

use tokio::time::Instant;

/// How long a write may take to be visible before it is reported as not yet visible.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Wait before the second look; doubles from look to look.
    pub first: Duration,
    /// The longest wait between two looks.
    pub longest: Duration,
    /// After that, no more looks.
    pub deadline: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(15),
            deadline: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// The waits between looks, for no longer than this.
    pub(super) fn waits(&self, within: Duration) -> Waits {
        Waits { wait: self.first, longest: self.longest, deadline: Instant::now() + within }
    }
}

/// Waits that grow from look to look, until there is no time for another one.
pub(super) struct Waits {
    wait: Duration,
    longest: Duration,
    deadline: Instant,
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.wait;
        self.wait = (wait * 2).min(self.longest);
        (Instant::now() + wait <= self.deadline).then_some(wait)
    }
}
