//! A transport that answers from a script, and a clock that is set by hand.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use exogate_microsoft::cloud::{Cloud, EndpointOverrides, Endpoints};
use exogate_microsoft::settings::TenantSettings;
use exogate_microsoft::signin::{AssertionAlgorithm, Credential};
use exogate_microsoft::transport::{Transport, TransportError, WireRequest, WireResponse};
use exogate_model::clock::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::{SignedDuration, Timestamp};

pub type Reply = Result<WireResponse, TransportError>;

/// Token requests are answered by `tokens`, all others by `replies`, in order; the requests are kept.
pub struct Scripted {
    pub tokens: Mutex<VecDeque<Reply>>,
    pub replies: Mutex<VecDeque<Reply>>,
    pub sent: Mutex<Vec<WireRequest>>,
}

impl Scripted {
    pub fn new(replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Arc::new(Self {
            tokens: Mutex::default(),
            replies: Mutex::new(replies.into_iter().collect()),
            sent: Mutex::default(),
        })
    }

    pub fn with_tokens(
        tokens: impl IntoIterator<Item = Reply>,
        replies: impl IntoIterator<Item = Reply>,
    ) -> Arc<Self> {
        let scripted = Self::new(replies);
        *scripted.tokens.lock().unwrap() = tokens.into_iter().collect();
        scripted
    }

    pub fn sent_to(&self, path: &str) -> Vec<WireRequest> {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .filter(|request| request.url.path().contains(path))
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: WireRequest) -> Reply {
        let path = request.url.path();
        let is_token = path.ends_with("/token") || path.starts_with("/msi");
        self.sent.lock().unwrap().push(request);
        tokio::task::yield_now().await;
        if is_token {
            let scripted = self.tokens.lock().unwrap().pop_front();
            let count = self.sent_to("/token").len();
            return scripted.unwrap_or_else(|| Ok(token(&format!("token-{count}"), 3599)));
        }
        self.replies.lock().unwrap().pop_front().expect("the script has an answer for every request")
    }
}

pub fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> WireResponse {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    WireResponse { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() }
}

pub fn token(text: &str, expires_in: i64) -> WireResponse {
    let body = format!(
        r#"{{"token_type":"Bearer","expires_in":{expires_in},"ext_expires_in":{expires_in},"access_token":"{text}"}}"#
    );
    answer(200, &[("content-type", "application/json; charset=utf-8")], &body)
}

pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2027-01-02T03:04:05Z".parse().unwrap())))
    }

    pub fn advance(&self, seconds: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub const CLIENT_ID: &str = "0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701";
pub const TENANT: &str = "7f0c3a52-1d6e-4b9a-9d0b-3b2f6c1e8a10";

pub fn settings(credential: Credential) -> TenantSettings {
    let endpoints = Endpoints::new(Cloud::Public, &EndpointOverrides::default()).unwrap();
    TenantSettings::new(TENANT, endpoints, credential)
}

pub fn secret() -> Credential {
    Credential::Secret { client_id: CLIENT_ID.to_owned(), secret: "ab8~Q+x".to_owned().into() }
}

pub fn certificate(algorithm: AssertionAlgorithm) -> Credential {
    let both = include_bytes!("../certificates/exogate-test.both.pem");
    let certificate = exogate_microsoft::certificate::ClientCertificate::from_pem(both, None).unwrap();
    Credential::Certificate { client_id: CLIENT_ID.to_owned(), certificate, algorithm }
}
