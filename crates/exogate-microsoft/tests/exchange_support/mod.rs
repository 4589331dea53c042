//! A service that answers by a rule, and recorded answers read from files.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use exogate_microsoft::caller::{Caller, SeededIds, Silent};
use exogate_microsoft::exchange::ExchangeClient;
use exogate_microsoft::graph::GraphClient;
use exogate_microsoft::transport::{
    Sent, Transport, TransportError, TransportErrorKind, WireRequest, WireResponse,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::wire_support::{ManualClock, answer, secret, settings, token};

pub type Reply = Result<WireResponse, TransportError>;
type Rule = Box<dyn Fn(&WireRequest, usize) -> Reply + Send + Sync>;

/// Answers every request but those for tokens by one rule, which is told how many came before.
pub struct Service {
    rule: Rule,
    sent: Mutex<Vec<WireRequest>>,
}

impl Service {
    pub fn new(rule: impl Fn(&WireRequest, usize) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { rule: Box::new(rule), sent: Mutex::default() })
    }

    /// Answers in order, the last answer for ever.
    pub fn in_order(answers: Vec<WireResponse>) -> Arc<Self> {
        Self::new(move |_, nth| Ok(answers[nth.min(answers.len() - 1)].clone()))
    }

    pub fn sent(&self) -> Vec<WireRequest> {
        self.sent.lock().unwrap().clone()
    }

    fn caller(self: &Arc<Self>) -> Caller {
        let transport: Arc<dyn Transport> = self.clone();
        let ids = Arc::new(SeededIds::new(7));
        Caller::new(&settings(secret()), transport, ManualClock::new(), ids, Arc::new(Silent))
    }

    pub fn exchange(self: &Arc<Self>) -> ExchangeClient {
        ExchangeClient::new(self.caller())
    }

    pub fn graph(self: &Arc<Self>) -> GraphClient {
        GraphClient::new(self.caller())
    }
}

#[async_trait]
impl Transport for Service {
    async fn send(&self, request: WireRequest) -> Reply {
        tokio::task::yield_now().await;
        if request.url.path().ends_with("/token") {
            return Ok(token("t0", 3599));
        }
        let nth = {
            let mut sent = self.sent.lock().unwrap();
            sent.push(request.clone());
            sent.len() - 1
        };
        (self.rule)(&request, nth)
    }
}

/// A recorded answer: a status line, headers, a blank line, the body to the end of the file.
pub fn recorded(name: &str) -> WireResponse {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exchange").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (head, body) = text.split_once("\n\n").expect("a blank line ends the headers");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.parse().ok()).expect("a status");
    let headers: HeaderMap = lines
        .map(|line| line.split_once(": ").expect("name: value"))
        .map(|(name, value)| (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    // A body of NUL bytes cannot be shown in a file.
    let body = match body.strip_prefix("NUL ") {
        Some(count) => vec![0; count.trim().parse().unwrap()],
        None => body.trim_end_matches('\n').as_bytes().to_vec(),
    };
    WireResponse { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
}

pub fn json(status: u16, body: &Value) -> WireResponse {
    answer(status, &[("content-type", "application/json;odata.metadata=minimal")], &body.to_string())
}

pub fn text(status: u16, body: &str) -> WireResponse {
    answer(status, &[], body)
}

pub fn broken_connection() -> TransportError {
    TransportError {
        sent: Sent::Maybe,
        kind: TransportErrorKind::Reset,
        host: "outlook.office365.com".into(),
        detail: "reset by peer".into(),
    }
}

/// The JSON that a request carried.
pub fn body(request: &WireRequest) -> Value {
    serde_json::from_slice(request.body.as_ref().expect("a body")).expect("json")
}

/// A parameter of the cmdlet that a request carried.
pub fn parameter(request: &WireRequest, name: &str) -> Value {
    body(request)["CmdletInput"]["Parameters"][name].clone()
}

pub fn header<'a>(request: &'a WireRequest, name: &str) -> &'a str {
    request.headers.get(name).map_or("", |value| value.to_str().unwrap())
}
