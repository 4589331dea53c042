//! One webhook of one source, a step at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use exogate_engine::changes::Filter;
use exogate_model::clock::Clock;
use exogate_store::{ChangeRecord, DeadLetter, Feed, Found, SourceStore, StoreError, WebhookState};
use jiff::Timestamp;

use super::Webhook;
use super::message::Message;
use super::portion::{Portion, portion};
use super::post::Undelivered;

/// Changes looked through at once.
const PAGE: usize = 1000;
/// The first wait after a failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Everything that there was is taken care of.
    Idle,
    /// Changes that nobody wants were passed over.
    Passed,
    /// So many changes were taken by the receiver.
    Delivered(usize),
    /// The receiver was told to read the state anew.
    ToldToStartOver,
    /// It was not taken, and is sent again then.
    Failed {
        /// Why.
        reason: String,
        /// How often in a row.
        failures: u32,
        /// When.
        until: Timestamp,
    },
    /// It was not taken, and was put aside.
    GivenUp {
        /// Why.
        reason: String,
        /// So many changes.
        changes: usize,
    },
    /// Nothing is to be done before then.
    Waiting(Timestamp),
}

/// One webhook of one source.
pub struct Courier {
    pub(super) store: SourceStore,
    pub(super) hook: Arc<Webhook>,
    pub(super) clock: Arc<dyn Clock>,
    /// Ids of mailboxes that the filter meant once: one that is gone has no name any more.
    known: BTreeSet<String>,
}

impl Courier {
    /// For a webhook of a source.
    pub fn new(store: SourceStore, hook: Arc<Webhook>, clock: Arc<dyn Clock>) -> Self {
        Self { store, hook, clock, known: BTreeSet::new() }
    }

    /// Does the next thing that there is to do.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let now = self.clock.now();
        let mut state = self.state(now).await?;
        if state.failures > 0 && state.next_at > now {
            return Ok(Step::Waiting(state.next_at));
        }
        let page = match self.store.feed(state.sequence, PAGE).await? {
            Feed::StartOver { cursor } => return self.start_over(state, cursor, now).await,
            Feed::Changes(page) if page.is_empty() => return Ok(Step::Idle),
            Feed::Changes(page) => page,
        };
        let filter = self.filter().await?;
        let Portion { wanted, last, held } = portion(page, &filter, state.until, self.hook.await_author, now);
        let Some(last) = last else { return Ok(held.map_or(Step::Idle, Step::Waiting)) };
        if wanted.is_empty() {
            (state.sequence, state.until) = (last, None);
            self.put(state, Vec::new()).await?;
            return Ok(Step::Passed);
        }
        if state.until != Some(last) {
            state.until = Some(last);
            self.put(state.clone(), Vec::new()).await?;
        }
        let id = format!("{}.{}.{}-{last}", self.store.name(), self.hook.name, state.sequence + 1);
        self.tell(state, id, wanted, last).await
    }

    async fn tell(
        &self,
        state: WebhookState,
        id: String,
        wanted: Vec<ChangeRecord>,
        last: i64,
    ) -> Result<Step, StoreError> {
        let sequences: Vec<i64> = wanted.iter().map(|change| change.sequence).collect();
        let message = Message::of_changes(id.clone(), self.store.name(), &self.hook.name, wanted);
        let sent = self.send(&message).await;
        let now = self.clock.now();
        let Err(failure) = sent else {
            let delivered_at = Some(now);
            self.put(WebhookState { delivered_at, ..WebhookState::new(last, now) }, Vec::new()).await?;
            return Ok(Step::Delivered(sequences.len()));
        };
        let reason = failure.reason.clone();
        let state = failed(&state, failure, now);
        let since = state.failing_since.unwrap_or(now);
        let for_long = later(since, self.hook.give_up_after) <= now;
        if state.failures < self.hook.attempts && !for_long {
            let step = Step::Failed { reason, failures: state.failures, until: state.next_at };
            self.put(state, Vec::new()).await?;
            return Ok(step);
        }
        let attempts = state.failures;
        let letter = |sequence| DeadLetter {
            sequence,
            message: id.clone(),
            at: now,
            attempts,
            reason: reason.clone(),
        };
        let letters: Vec<DeadLetter> = sequences.into_iter().map(letter).collect();
        let changes = letters.len();
        let delivered_at = state.delivered_at;
        self.put(WebhookState { delivered_at, ..WebhookState::new(last, now) }, letters).await?;
        Ok(Step::GivenUp { reason, changes })
    }

    /// Changes were dropped that the receiver was never given. Nothing less will do than telling it.
    async fn start_over(&self, state: WebhookState, cursor: i64, now: Timestamp) -> Result<Step, StoreError> {
        let (source, webhook) = (self.store.name(), self.hook.name.as_str());
        let id = format!("{source}.{webhook}.start-over-{cursor}");
        let message = Message::start_over(id, source, webhook, cursor, now);
        let sent = self.send(&message).await;
        let now = self.clock.now();
        match sent {
            Ok(()) => {
                let delivered_at = Some(now);
                self.put(WebhookState { delivered_at, ..WebhookState::new(cursor, now) }, Vec::new()).await?;
                Ok(Step::ToldToStartOver)
            }
            Err(failure) => {
                let reason = failure.reason.clone();
                let state = failed(&state, failure, now);
                let step = Step::Failed { reason, failures: state.failures, until: state.next_at };
                self.put(WebhookState { until: None, ..state }, Vec::new()).await?;
                Ok(step)
            }
        }
    }

    /// Sends a message of no consequence, to see whether it arrives.
    pub async fn test(&self) -> Result<(), Undelivered> {
        let message = Message::test(self.store.name(), &self.hook.name, self.clock.now());
        self.send(&message).await
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let signed = message.sign(&self.hook.key, self.clock.now());
        self.hook.post.post(&signed).await
    }

    /// Where it stands; one that is new begins with what comes after now.
    async fn state(&self, now: Timestamp) -> Result<WebhookState, StoreError> {
        if let Some(state) = self.store.webhook(&self.hook.name).await? {
            return Ok(state);
        }
        let state = WebhookState::new(self.store.feed_end().await?, now);
        self.put(state.clone(), Vec::new()).await?;
        Ok(state)
    }

    async fn put(&self, state: WebhookState, letters: Vec<DeadLetter>) -> Result<(), StoreError> {
        self.store.set_webhook(&self.hook.name, state, letters).await
    }

    /// The filter, with the mailboxes that it names by now.
    async fn filter(&mut self) -> Result<Filter, StoreError> {
        let mut filter = self.hook.filter.clone();
        if self.hook.mailboxes.is_empty() {
            return Ok(filter);
        }
        for text in &self.hook.mailboxes {
            match self.store.find_mailbox(text).await? {
                Found::One(mailbox) => self.known.extend([mailbox.key.to_lowercase()]),
                // In doubt, more is told.
                Found::Many(several) => self.known.extend(several.iter().map(|one| one.key.to_lowercase())),
                Found::Nothing { .. } => self.known.extend([text.to_lowercase()]),
            }
        }
        filter.ids = Some(self.known.clone());
        Ok(filter)
    }
}

fn failed(state: &WebhookState, failure: Undelivered, now: Timestamp) -> WebhookState {
    let failures = state.failures.saturating_add(1);
    let wanted = failure.retry_after.unwrap_or_default().min(LONGEST_WAIT);
    WebhookState {
        failures,
        failing_since: state.failing_since.or(Some(now)),
        reason: Some(failure.reason),
        next_at: later(now, wait(failures).max(wanted)),
        ..*state
    }
}

fn wait(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_heed_the_receiver() {
        let waits: Vec<u64> = [1, 2, 3, 8, 9, 40].map(|failures| wait(failures).as_secs()).to_vec();
        assert_eq!(waits, [30, 60, 120, 3600, 3600, 3600]);
        let now = Timestamp::UNIX_EPOCH;
        let wanted =
            |seconds| Undelivered { reason: "busy".into(), retry_after: Some(Duration::from_secs(seconds)) };
        let next = |seconds| failed(&WebhookState::new(0, now), wanted(seconds), now).next_at.as_second();
        assert_eq!([next(5), next(90), next(1_000_000)], [30, 90, 3600]);
    }
}
