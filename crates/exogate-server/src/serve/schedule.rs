//! Runs by the clock: one schedule per source, in cron's notation and UTC.
//!
//! A run that was due while the service was down, or while another run was under way, is made up for
//! once. One that ended before its end is tried again a few times before its next turn.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use exogate_engine::aggregate::Scope;
use exogate_store::{RunState, StoreError};
use jiff::Timestamp;
use thiserror::Error;

use crate::gateway::{Gateway, Source};
use crate::runs::{RunEnd, RunKind, RunStart, RunStartError};

/// The longest sleep: a clock that was set is noticed after this.
const LOOK: Duration = Duration::from_secs(20);
/// The shortest sleep.
const SOON: Duration = Duration::from_millis(50);
/// Between two attempts to begin while another run is under way.
const BUSY: Duration = Duration::from_secs(5);
/// Before a run that ended before its end is tried again.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// How often it is tried again.
const ATTEMPTS: u32 = 3;
/// Who asks for a scheduled run.
const WHO: &str = "schedule";

/// When something is due.
#[derive(Debug, Clone)]
pub struct Timing(croner::Cron);

/// A timing that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a time such as \"0 2 * * *\" (minute hour day month weekday): {why}")]
pub struct UnreadableTiming {
    text: String,
    why: String,
}

impl FromStr for Timing {
    type Err = UnreadableTiming;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| UnreadableTiming { text: text.to_owned(), why };
        let timing = Self(croner::Cron::from_str(text).map_err(|error| wrong(error.to_string()))?);
        // The 30th of February can be written, too.
        if timing.next(Timestamp::UNIX_EPOCH).is_none() {
            return Err(wrong("there is no such day".to_owned()));
        }
        Ok(timing)
    }
}

impl Timing {
    /// The first time after an instant.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let found = self.0.find_next_occurrence(&to_chrono(after)?, false).ok()?;
        Timestamp::from_second(found.timestamp()).ok()
    }

    /// The last time before an instant.
    pub fn previous(&self, before: Timestamp) -> Option<Timestamp> {
        let found = self.0.find_previous_occurrence(&to_chrono(before)?, false).ok()?;
        Timestamp::from_second(found.timestamp()).ok()
    }
}

fn to_chrono(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.as_second(), 0)
}

/// The schedule of one source.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// When everything is read.
    pub full: Option<Timing>,
    /// When what is different is read.
    pub delta: Option<Timing>,
}

/// Keeps the schedules until the service stops.
pub fn keep(gateway: &Gateway, schedules: BTreeMap<String, Schedule>) {
    for (name, schedule) in schedules {
        if let Some(source) = gateway.sources.get(&name) {
            tokio::spawn(keep_one(gateway.clone(), Arc::clone(source), schedule));
        }
    }
}

async fn keep_one(gateway: Gateway, source: Arc<Source>, schedule: Schedule) {
    let Schedule { full, delta } = schedule;
    let mut due = match &full {
        Some(timing) => missed(&gateway, &source, timing).await.unwrap_or_else(|error| {
            tracing::error!(source = source.name, %error, "the schedule cannot see when the source was last read");
            false
        }),
        None => false,
    };
    let next = |timing: &Option<Timing>| timing.as_ref().and_then(|timing| timing.next(gateway.clock.now()));
    let (mut next_full, mut next_delta) = (next(&full), next(&delta));
    loop {
        let now = gateway.clock.now();
        let passed = |turn: Option<Timestamp>| turn.is_some_and(|turn| turn <= now);
        if passed(next_full) {
            due = true;
            next_full = next(&full);
        }
        let mut wait = LOOK;
        if due {
            match carry_out(&gateway, &source).await {
                Begun::Over => due = false,
                Begun::Busy => wait = BUSY,
                Begun::Stopping => return,
            }
            // What is different was among everything.
            next_delta = next(&delta);
        } else if passed(next_delta) {
            if let Begun::Stopping = differences(&gateway, &source).await {
                return;
            }
            next_delta = next(&delta);
        }
        let now = gateway.clock.now();
        for turn in [next_full, next_delta].into_iter().flatten() {
            let until = Duration::try_from(turn.duration_since(now)).unwrap_or_default();
            wait = wait.min(until.max(SOON));
        }
        if pause(&gateway, wait).await {
            return;
        }
    }
}

/// One reading of what is different; left out while another run is under way.
async fn differences(gateway: &Gateway, source: &Source) -> Begun {
    match gateway.runs.start(source, RunStart::delta(WHO)).await {
        Ok(run) => {
            let end = run.ended().await;
            if end.name() != "completed" {
                tracing::warn!(
                    source = source.name,
                    outcome = end.name(),
                    "a scheduled delta run did not complete"
                );
            }
        }
        Err(RunStartError::Stopping) => return Begun::Stopping,
        Err(error) if error.is_busy() => {
            gateway.meters.skipped(&source.name, RunKind::Delta.name());
            tracing::info!(
                source = source.name,
                "a scheduled delta run is left out: another run is under way"
            );
        }
        Err(error) => tracing::error!(source = source.name, %error, "a scheduled run did not begin"),
    }
    Begun::Over
}

/// Whether the last turn came and went without a complete reading.
async fn missed(gateway: &Gateway, source: &Source, timing: &Timing) -> Result<bool, StoreError> {
    const LOOKED_THROUGH: usize = 200;
    let Some(turn) = timing.previous(gateway.clock.now()) else { return Ok(false) };
    let runs = source.store.runs(LOOKED_THROUGH).await?;
    let read = runs
        .iter()
        .any(|run| run.state == RunState::Completed && run.scope == Scope::All.name() && run.started >= turn);
    Ok(!read)
}

enum Begun {
    Over,
    Busy,
    Stopping,
}

/// One turn: a run, and again where it ended before its end.
async fn carry_out(gateway: &Gateway, source: &Source) -> Begun {
    for attempt in 1..=ATTEMPTS {
        let end = match gateway.runs.start(source, RunStart::full(WHO)).await {
            Ok(run) => run.ended().await,
            Err(RunStartError::Stopping) => return Begun::Stopping,
            Err(error) if error.is_busy() => return Begun::Busy,
            Err(error) => {
                tracing::error!(source = source.name, %error, "a scheduled run did not begin");
                return Begun::Over;
            }
        };
        let again = match &end {
            RunEnd::Ended(_) => matches!(end.name(), "incomplete" | "failed"),
            RunEnd::Failed(_) | RunEnd::Broken => true,
        };
        if !again {
            if end.name() == "refused" {
                tracing::error!(
                    source = source.name,
                    "the deletion guard refused a scheduled run; look at it, then allow the deletions"
                );
            }
            return Begun::Over;
        }
        tracing::warn!(
            source = source.name,
            outcome = end.name(),
            attempt,
            "a scheduled run ended before its end"
        );
        if attempt < ATTEMPTS && pause(gateway, AGAIN).await {
            return Begun::Stopping;
        }
    }
    Begun::Over
}

/// Waits, and tells whether the service stops.
async fn pause(gateway: &Gateway, wait: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => false,
        () = gateway.life.stopping.cancelled() => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_timing_tells_its_turns_in_utc() {
        let nightly: Timing = "0 2 * * *".parse().unwrap();
        let now = at("2026-03-01T02:00:00Z");
        assert_eq!(nightly.next(now), Some(at("2026-03-02T02:00:00Z")));
        assert_eq!(nightly.previous(now), Some(at("2026-02-28T02:00:00Z")));
        let leap: Timing = "0 0 29 2 *".parse().unwrap();
        assert_eq!(leap.next(now), Some(at("2028-02-29T00:00:00Z")));
    }

    #[test]
    fn what_is_no_timing_is_refused_with_an_example() {
        for bad in ["", "never", "60 * * * *", "* * *", "0 0 30 2 *"] {
            let error = bad.parse::<Timing>().unwrap_err().to_string();
            assert!(error.contains("0 2 * * *"), "{bad}: {error}");
        }
    }
}
