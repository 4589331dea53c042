//! Several Graph requests in one.
//!
//! Throttled items are asked again in a smaller batch, and it is the governor that says when. To
//! that end one batch is one call: each attempt sends what is still open.

use super::client::{GraphClient, invalid, protocol};
use super::judge::{failed, garbled};
use crate::caller::{CallSpec, Effect, Judge, Priority, Repeat, Verdict};
use crate::cloud::Resource;
use crate::error::{ErrorKind, Service, WireError};
use crate::page::{Envelope, Page, PageLink, Place, batch};
use crate::record::Record;
use crate::transport::{WireRequest, WireResponse};
use bytes::Bytes;
use futures::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most that Graph takes in one batch.
const LARGEST: usize = 20;

/// One request of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphCall {
    pub method: Method,
    /// Path and query below the version: `/groups/{id}/members?$select=id`.
    pub path: String,
    pub body: Option<Value>,
    /// Asks the index that knows more operators but lags behind writes.
    pub advanced: bool,
}

impl GraphCall {
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    #[must_use]
    pub fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self { method, path: path.into(), body, advanced: false }
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Method and path, without the query, which may name people.
    fn what(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} /{}", self.method, path.trim_start_matches('/'))
    }

    fn item(&self, id: usize) -> Value {
        let mut item = json!({
            "id": id.to_string(),
            "method": self.method.as_str(),
            "url": format!("/{}", self.path.trim_start_matches('/')),
        });
        let mut headers = serde_json::Map::new();
        if self.advanced {
            headers.insert("ConsistencyLevel".into(), "eventual".into());
        }
        if let Some(body) = &self.body {
            headers.insert("Content-Type".into(), "application/json".into());
            item["body"] = body.clone();
        }
        if !headers.is_empty() {
            item["headers"] = Value::Object(headers);
        }
        item
    }
}

/// A successful answer to one request of a batch.
#[derive(Clone, Debug)]
pub struct GraphReply {
    pub status: StatusCode,
    body: Bytes,
    what: String,
}

impl GraphReply {
    /// The answer as one object; empty where nothing was answered.
    ///
    /// # Errors
    /// When it is not an object.
    pub fn record(&self) -> Result<Record, WireError> {
        if self.body.is_empty() {
            return Ok(Record::new());
        }
        Record::from_slice(&self.body).map_err(|error| protocol(&self.what, &error.to_string()))
    }

    /// The answer as a page. Its `next` can be handed to [`GraphClient::list_page`] with a query
    /// of the same path.
    ///
    /// # Errors
    /// When it is not a page.
    pub fn page(&self) -> Result<Page, WireError> {
        let envelope = Envelope::parse(&self.body, None).map_err(|error| protocol(&self.what, &error.0))?;
        let received = envelope.records.len();
        let next = envelope.next.and_then(|link| PageLink::after(None, Place::Link(link), received));
        Ok(Page { records: envelope.records, next, bytes: self.body.len(), ..Page::default() })
    }
}

impl GraphClient {
    /// Makes the calls in batches and gives their outcomes in the order of the calls. The service
    /// runs the items of a batch in any order.
    pub async fn batch(&self, calls: &[GraphCall]) -> Vec<Result<GraphReply, WireError>> {
        let chunks = calls.chunks(LARGEST).map(|chunk| self.chunk(chunk));
        join_all(chunks).await.into_iter().flatten().collect()
    }

    async fn chunk(&self, calls: &[GraphCall]) -> Vec<Result<GraphReply, WireError>> {
        let what = "POST /$batch";
        let url = match self.url(what, "$batch", "") {
            Ok(url) => url,
            Err(error) => return calls.iter().map(|_| Err(error.clone())).collect(),
        };
        let round = Round::new(calls);
        if round.open().is_empty() {
            return round.outcomes(&invalid(what, "there is nothing to send"));
        }
        let reads = calls.iter().all(GraphCall::is_read);
        let request = |_| WireRequest::json(Method::POST, url.clone(), round.body());
        let spec = CallSpec {
            resource: Resource::Graph,
            what,
            request: &request,
            repeat: if reads { Repeat::Safe } else { Repeat::OnlyIfNotSent },
            priority: if reads { Priority::Read } else { Priority::Write },
            judge: &round,
        };
        let left_over = match self.caller.call(spec).await {
            Ok(_) => protocol(what, "the answer leaves this item out"),
            Err(error) => error,
        };
        round.outcomes(&left_over)
    }
}

/// One batch over all its attempts: what is settled, and what is still open.
struct Round<'a> {
    calls: &'a [GraphCall],
    settled: Mutex<Vec<Option<Result<GraphReply, WireError>>>>,
}

impl<'a> Round<'a> {
    fn new(calls: &'a [GraphCall]) -> Self {
        let nested = |call: &GraphCall| call.path.trim_matches('/').eq_ignore_ascii_case("$batch");
        let settled = calls
            .iter()
            .map(|call| {
                let empty = call.path.trim_matches('/').is_empty();
                (empty || nested(call)).then(|| Err(invalid(&call.what(), "the path is not one")))
            })
            .collect();
        Self { calls, settled: Mutex::new(settled) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Result<GraphReply, WireError>>>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of the calls that have no outcome yet.
    fn open(&self) -> Vec<usize> {
        let settled = self.lock();
        (0..self.calls.len()).filter(|index| settled[*index].is_none()).collect()
    }

    fn body(&self) -> Bytes {
        let items: Vec<Value> =
            self.open().into_iter().zip(1..).map(|(index, id)| self.calls[index].item(id)).collect();
        Bytes::from(json!({ "requests": items }).to_string())
    }

    fn outcomes(self, left_over: &WireError) -> Vec<Result<GraphReply, WireError>> {
        let settled = self.settled.into_inner().unwrap_or_else(PoisonError::into_inner);
        settled
            .into_iter()
            .zip(self.calls)
            .map(|(outcome, call)| outcome.unwrap_or_else(|| Err(told_of(left_over, call))))
            .collect()
    }

    /// Settles what can be settled, and says what the rest waits for.
    fn settle(&self, items: Vec<Option<WireResponse>>) -> Waiting {
        let open = self.open();
        let mut settled = self.lock();
        let mut waiting = Waiting::default();
        for (index, item) in open.into_iter().zip(items) {
            let call = &self.calls[index];
            let what = call.what();
            let Some(response) = item else {
                if call.is_read() {
                    waiting.fault = Some(protocol(&what, "the answer leaves this item out"));
                } else {
                    settled[index] = Some(Err(lost(protocol(&what, "the answer leaves this item out"))));
                }
                continue;
            };
            let verdict = if response.status.is_success() { Verdict::Done } else { failed(&what, &response) };
            match verdict {
                Verdict::Done => {
                    settled[index] =
                        Some(Ok(GraphReply { status: response.status, body: response.body, what }));
                }
                Verdict::Failed(error) | Verdict::Unauthorized { error, .. } => {
                    settled[index] = Some(Err(error));
                }
                Verdict::Throttled { retry_after, error } => waiting.throttled(retry_after, error),
                Verdict::Transient { error, effect } => {
                    if call.is_read() || effect == Effect::None {
                        waiting.fault = Some(error);
                    } else {
                        settled[index] = Some(Err(lost(error)));
                    }
                }
            }
        }
        waiting
    }
}

/// Why some items of a batch are still open.
#[derive(Default)]
struct Waiting {
    throttled: Option<(Option<Duration>, WireError)>,
    fault: Option<WireError>,
}

impl Waiting {
    /// The longest wait that any item asks for counts for all.
    fn throttled(&mut self, retry_after: Option<Duration>, error: WireError) {
        let longest = self.throttled.take().map_or(retry_after, |(before, _)| before.max(retry_after));
        self.throttled = Some((longest, error));
    }
}

impl Judge for Round<'_> {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        if !response.status.is_success() {
            return failed(what, response);
        }
        let items = match batch::answers(&response.body, self.open().len()) {
            Ok(items) => items,
            Err(_) if response.is_html() => return failed(what, response),
            Err(reason) => return garbled(what, response, &reason),
        };
        let waiting = self.settle(items);
        match (waiting.throttled, waiting.fault) {
            (Some((retry_after, error)), _) => Verdict::Throttled { retry_after, error },
            // Open items are reads, or writes that had no effect.
            (None, Some(error)) => Verdict::Transient { error, effect: Effect::None },
            (None, None) => Verdict::Done,
        }
    }
}

/// The failure of the whole, told of one call.
fn told_of(error: &WireError, call: &GraphCall) -> WireError {
    let mut error = error.clone();
    error.what = format!("{} (in a batch)", call.what());
    error
}

fn lost(mut error: WireError) -> WireError {
    error.kind = ErrorKind::LostAnswer;
    error.service = Service::Graph;
    error
}
