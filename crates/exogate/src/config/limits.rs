//! How hard a source is pushed: the few knobs of governor, repetition and waiting that are worth turning.

use std::time::Duration;

use exogate_microsoft::governor::GovernorSettings;
use exogate_microsoft::settings::{RetrySettings, Timeouts};

use super::section::Section;

/// Limits of one source.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of each governor.
    pub governor: GovernorSettings,
    /// Of repetition.
    pub retry: RetrySettings,
    /// Of waiting.
    pub timeouts: Timeouts,
}

impl Limits {
    /// Reads the table `limits`.
    pub fn read(mut section: Section<'_>) -> Self {
        let mut limits = Self::default();
        let number = |found: Option<i64>| found.and_then(|n| u32::try_from(n).ok());
        if let Some(ceiling) = number(section.integer("concurrent_calls", 1..=1000)) {
            limits.governor.ceiling = ceiling;
            limits.governor.initial = limits.governor.initial.min(ceiling);
        }
        let initial_line = section.line_of_key("first_concurrent_calls");
        if let Some(initial) = number(section.integer("first_concurrent_calls", 1..=1000)) {
            limits.governor.initial = initial;
            if initial > limits.governor.ceiling {
                section.error(
                    initial_line,
                    "first_concurrent_calls",
                    format!("must not be above concurrent_calls, which is {}", limits.governor.ceiling),
                );
            }
        }
        if let Some(minutes) = number(section.integer("give_up_after_minutes", 1..=1440)) {
            limits.retry.budget = Duration::from_secs(u64::from(minutes) * 60);
        }
        if let Some(attempts) = number(section.integer("attempts", 1..=100)) {
            limits.retry.attempts = attempts;
        }
        if let Some(seconds) = number(section.integer("answer_timeout_seconds", 5..=3600)) {
            limits.timeouts.answer = Duration::from_secs(u64::from(seconds));
        }
        if let Some(seconds) = number(section.integer("connect_timeout_seconds", 1..=300)) {
            limits.timeouts.connect = Duration::from_secs(u64::from(seconds));
        }
        section.finish();
        limits
    }
}
