//! What is sent, and its signature, as the Standard Webhooks specification has them: receivers check
//! it with any of its libraries.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exogate_store::ChangeRecord;
use jiff::Timestamp;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use thiserror::Error;

use crate::rest::Change;

/// What a secret that is base64 begins with.
const MARK: &str = "whsec_";
/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// What messages are signed with. Not shown anywhere.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// A secret that nothing should be signed with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSecret {
    /// It is too short.
    #[error("the secret is shorter than 16 bytes; make one with: openssl rand -base64 32")]
    Short,
    /// It says that it is base64, and is not.
    #[error("the secret begins with \"whsec_\", but what follows is not base64")]
    NotBase64,
}

impl SigningKey {
    /// The key that a secret stands for: base64 after `whsec_`, else the text itself.
    pub fn of(secret: &SecretString) -> Result<Self, BadSecret> {
        let text = secret.expose_secret().trim();
        let bytes = match text.strip_prefix(MARK) {
            Some(coded) => zeroize::Zeroizing::new(STANDARD.decode(coded).map_err(|_| BadSecret::NotBase64)?),
            None => zeroize::Zeroizing::new(text.as_bytes().to_vec()),
        };
        if bytes.len() < SHORTEST {
            return Err(BadSecret::Short);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }
}

/// What a receiver is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    /// `changes`, `startOver` or `test`.
    r#type: &'static str,
    /// Of the last change; the same for every attempt.
    timestamp: Timestamp,
    /// The particulars.
    data: Data<'a>,
}

/// The particulars.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    /// The source.
    source: &'a str,
    /// The webhook.
    webhook: &'a str,
    /// The changes, oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<Change>>,
    /// From which cursor the feed is told from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every attempt: a receiver tells repetitions by it.
    pub id: String,
    /// JSON.
    pub body: String,
}

impl Message {
    /// Changes; `at`: of the last of them.
    pub(super) fn of_changes(id: String, source: &str, webhook: &str, changes: Vec<ChangeRecord>) -> Self {
        let timestamp = changes.last().map_or(Timestamp::UNIX_EPOCH, |last| last.at);
        let changes = Some(changes.into_iter().map(Change::from).collect());
        Self::told(
            id,
            &Told { r#type: "changes", timestamp, data: Data { source, webhook, changes, cursor: None } },
        )
    }

    /// Changes were lost to the receiver: it has to read the state anew.
    pub(super) fn start_over(id: String, source: &str, webhook: &str, cursor: i64, now: Timestamp) -> Self {
        let cursor = Some(cursor.to_string());
        let data = Data { source, webhook, changes: None, cursor };
        Self::told(id, &Told { r#type: "startOver", timestamp: now, data })
    }

    /// Nothing happened; somebody wants to see whether it arrives.
    pub(super) fn test(source: &str, webhook: &str, now: Timestamp) -> Self {
        let data = Data { source, webhook, changes: None, cursor: None };
        let id = format!("{source}.{webhook}.test-{}", uuid::Uuid::new_v4());
        Self::told(id, &Told { r#type: "test", timestamp: now, data })
    }

    fn told(id: String, told: &Told<'_>) -> Self {
        // Names, numbers and texts only: there is nothing in it that JSON could not hold.
        Self { id, body: serde_json::to_string(told).unwrap_or_default() }
    }

    /// The message as it goes out at an instant.
    pub fn sign(&self, key: &SigningKey, now: Timestamp) -> Signed {
        let timestamp = now.as_second();
        let tag = hmac::sign(&key.0, format!("{}.{timestamp}.{}", self.id, self.body).as_bytes());
        Signed {
            id: self.id.clone(),
            timestamp: timestamp.to_string(),
            signature: format!("v1,{}", STANDARD.encode(tag.as_ref())),
            body: self.body.clone(),
        }
    }
}

/// A message with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// For `webhook-id`.
    pub id: String,
    /// For `webhook-timestamp`: seconds since 1970.
    pub timestamp: String,
    /// For `webhook-signature`: `v1,` and base64 of HMAC-SHA-256 over id, timestamp and body, joined by full stops.
    pub signature: String,
    /// The body.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let key = SigningKey::of(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let message =
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(), body: r#"{"test": 2432232314}"#.into() };
        let signed = message.sign(&key, Timestamp::from_second(1_614_265_330).unwrap());
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_can_be_guessed_or_read_is_refused() {
        let bad = |text: &str| SigningKey::of(&text.into()).unwrap_err();
        assert_eq!(bad("short"), BadSecret::Short);
        assert_eq!(bad("whsec_c2hvcnQ="), BadSecret::Short);
        assert_eq!(bad("whsec_*"), BadSecret::NotBase64);
        assert!(SigningKey::of(&"sixteen bytes or".into()).is_ok());
    }
}
