//! Changes handed to whoever wants to be told: signed, in order, at least once.
//!
//! Decides what is sent, when again, and when it is given up; sending itself is a seam. A webhook
//! that is new begins with the changes to come.

use std::time::Duration;

use async_trait::async_trait;
use exogate_model::change::{Happened, ObjectKind};
use exogate_store::{ChangeRecord, DeadLetter, Feed, SourceStore, StoreError, WebhookState};
use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::plan::later;

/// Changes in one message.
const TOGETHER: usize = 100;
/// The first wait after a failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A webhook of a source.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// What messages are signed with.
    pub secret: SecretString,
    /// Which changes it wants.
    pub filter: Filter,
    /// After so many failures in a row, what could not be delivered is put aside.
    pub attempts: u32,
}

/// Which changes somebody wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Filter {
    /// Only rights.
    pub rights: bool,
    /// Only what exogate did not do itself.
    pub outside: bool,
    /// Only these kinds of object; all if empty.
    pub objects: Vec<ObjectKind>,
}

impl Filter {
    /// Whether a change is wanted.
    pub fn admits(&self, change: &ChangeRecord) -> bool {
        let is_right = matches!(change.happened, Happened::Granted { .. } | Happened::Revoked { .. });
        (!self.rights || is_right)
            && (!self.outside || !change.by.is_ours())
            && (self.objects.is_empty() || self.objects.contains(&change.object))
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every attempt: a receiver tells repetitions by it.
    pub id: String,
    /// JSON.
    pub body: String,
    /// `t=SECONDS,v1=HEX`: HMAC-SHA-256 over the seconds, a full stop and the body.
    pub signature: String,
}

/// How a message is sent.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends a message; an error says why it did not arrive.
    async fn send(&self, message: &Message) -> Result<(), String>;
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Everything there was is delivered: so many changes.
    Done {
        /// Changes.
        changes: u64,
    },
    /// It failed, now or before, and is tried again then.
    Waiting {
        /// When.
        until: Timestamp,
        /// Why, if it failed now.
        reason: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum Body<'a> {
    Changes {
        source: &'a str,
        changes: &'a [ChangeRecord],
    },
    /// Changes were lost to the receiver: it has to read the state anew.
    StartOver {
        source: &'a str,
        cursor: i64,
    },
}

/// Delivers what there is.
pub async fn deliver(
    store: &SourceStore,
    hook: &Webhook,
    sender: &dyn Sender,
    now: Timestamp,
) -> Result<Delivery, StoreError> {
    let mut state = match store.webhook(&hook.name).await? {
        Some(state) => state,
        None => {
            let state = WebhookState { sequence: store.feed_end().await?, failures: 0, next_at: now };
            store.set_webhook(&hook.name, state.clone(), Vec::new()).await?;
            state
        }
    };
    let mut delivered = 0;
    loop {
        if state.failures > 0 && state.next_at > now {
            return Ok(Delivery::Waiting { until: state.next_at, reason: None });
        }
        let (body, sequences, last) = match store.feed(state.sequence, TOGETHER).await? {
            Feed::StartOver { cursor } => {
                (body(&Body::StartOver { source: store.name(), cursor }), Vec::new(), cursor)
            }
            Feed::Changes(changes) => {
                let Some(last) = changes.last().map(|change| change.sequence) else {
                    return Ok(Delivery::Done { changes: delivered });
                };
                let wanted: Vec<_> =
                    changes.into_iter().filter(|change| hook.filter.admits(change)).collect();
                if wanted.is_empty() {
                    state.sequence = last;
                    store.set_webhook(&hook.name, state.clone(), Vec::new()).await?;
                    continue;
                }
                let sequences: Vec<i64> = wanted.iter().map(|change| change.sequence).collect();
                (body(&Body::Changes { source: store.name(), changes: &wanted }), sequences, last)
            }
        };
        let id = format!("{}-{}-{}", store.name(), hook.name, state.sequence);
        let message = sign(id, body, &hook.secret, now);
        match sender.send(&message).await {
            Ok(()) => {
                delivered += sequences.len() as u64;
                state = WebhookState { sequence: last, failures: 0, next_at: now };
                store.set_webhook(&hook.name, state.clone(), Vec::new()).await?;
            }
            Err(reason) => {
                state.failures += 1;
                if state.failures < hook.attempts.max(1) {
                    state.next_at = later(now, wait(state.failures));
                    store.set_webhook(&hook.name, state.clone(), Vec::new()).await?;
                    return Ok(Delivery::Waiting { until: state.next_at, reason: Some(reason) });
                }
                let attempts = state.failures;
                let letter = |sequence| DeadLetter { sequence, at: now, attempts, reason: reason.clone() };
                let letters = sequences.into_iter().map(letter).collect();
                state = WebhookState { sequence: last, failures: 0, next_at: now };
                store.set_webhook(&hook.name, state.clone(), letters).await?;
            }
        }
    }
}

fn wait(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

fn body(body: &Body<'_>) -> String {
    // Names, numbers and texts only: there is nothing in it that JSON could not hold.
    serde_json::to_string(body).unwrap_or_default()
}

fn sign(id: String, body: String, secret: &SecretString, now: Timestamp) -> Message {
    let seconds = now.as_second();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Message { id, body, signature: format!("t={seconds},v1={hex}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<u64> = [1, 2, 3, 8, 9, 40].map(|failures| wait(failures).as_secs()).to_vec();
        assert_eq!(waits, [30, 60, 120, 3600, 3600, 3600]);
    }

    #[test]
    fn a_signature_can_be_computed_by_anybody_who_has_the_secret() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let message = sign("m".into(), "{}".into(), &"key".into(), now);
        let (_, hex) = message.signature.split_once(",v1=").unwrap();
        let tag: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        assert!(hmac::verify(&key, b"1800000000.{}", &tag).is_ok());
        assert!(hmac::verify(&key, b"1800000001.{}", &tag).is_err());
    }
}
