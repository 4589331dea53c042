//! What a request passes before its door: proof, rate, size and pace of the body; and the record of
//! what it came to.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use exogate_engine::correlated;
use futures::FutureExt;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use super::Front;
use super::doors::Door;
use super::limits::Rate;
use crate::auth::{Peer, Unrecognised};
use crate::caller::Caller;
use crate::meters::Meters;
use crate::request_id::RequestId;
use crate::traces;

/// An error as the clients of a door know them.
pub(super) type Refusal = fn(StatusCode, &str) -> Response;

/// Where a request leads to.
pub(super) type Route = fn(&Parts) -> Option<String>;

/// Whether a request asks for a change, whatever will come of it.
pub(super) type Changes = fn(&Asked<'_>) -> bool;

/// What a request asks for, as its door reads it.
pub(crate) struct Asked<'a> {
    /// How.
    pub method: &'a Method,
    /// The path behind the door's own.
    pub path: &'a str,
    /// Where it leads to, if anywhere.
    pub route: Option<&'a str>,
    /// With what.
    pub body: &'a [u8],
}

/// The route that the router found, if it found one.
pub(super) fn matched(request: &Parts) -> Option<String> {
    request.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned())
}

/// Failed proofs per second that one address may send.
const FAILED_PROOFS: u32 = 10;

/// What the guards of all doors share.
#[derive(Clone)]
pub(super) struct Watch {
    front: Arc<Front>,
    rate: Arc<Rate>,
    failures: Arc<Rate>,
    meters: Meters,
}

/// The guard of one door.
#[derive(Clone)]
pub(super) struct Guard {
    door: &'static str,
    refusal: Refusal,
    route: Route,
    changes: Changes,
    watch: Watch,
}

impl Watch {
    pub(super) fn new(front: Front, meters: Meters) -> Self {
        let rate = Arc::new(Rate::new(front.limits.requests_per_second));
        Self { front: Arc::new(front), rate, failures: Arc::new(Rate::new(FAILED_PROOFS)), meters }
    }

    pub(super) fn guard(&self, door: &Door) -> Guard {
        let Door { name, refusal, route, changes, .. } = *door;
        Guard { door: name, refusal, route, changes, watch: self.clone() }
    }
}

impl Guard {
    fn refuse(&self, status: StatusCode, detail: &str) -> Response {
        (self.refusal)(status, detail)
    }

    fn refuse_for_now(&self, status: StatusCode, detail: &str, wait: Duration) -> Response {
        let mut response = self.refuse(status, detail);
        let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        response
    }

    async fn recognise(&self, request: Request) -> Result<(Caller, Request), Response> {
        let (parts, body) = request.into_parts();
        let why = match self.watch.front.authenticator.recognise(&parts).await {
            Ok(caller) => return Ok((caller, Request::from_parts(parts, body))),
            Err(why) => why,
        };
        if why == Unrecognised::Unavailable {
            let wait = Duration::from_secs(5);
            return Err(self.refuse_for_now(StatusCode::SERVICE_UNAVAILABLE, &why.to_string(), wait));
        }
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip().to_string());
        if let Err(wait) = self.watch.failures.take(peer.as_deref().unwrap_or_default()) {
            let detail = "too many requests without a valid credential; wait before the next one";
            return Err(self.refuse_for_now(StatusCode::TOO_MANY_REQUESTS, detail, wait));
        }
        self.watch.meters.refused(self.door, "credential");
        tracing::debug!(door = self.door, %why, "refused a caller");
        let mut response = self.refuse(StatusCode::UNAUTHORIZED, &why.to_string());
        let challenge = match why {
            Unrecognised::Missing => "Bearer realm=\"exogate\"",
            _ => "Bearer realm=\"exogate\", error=\"invalid_token\"",
        };
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        Err(response)
    }

    /// The whole body, if it is neither too large nor too slow.
    async fn take_body(&self, body: Body) -> Result<Bytes, Response> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limits = &self.watch.front.limits;
        let too_large = || {
            let detail = format!("the body is larger than the {} bytes that are allowed", limits.body);
            Err(self.refuse(StatusCode::PAYLOAD_TOO_LARGE, &detail))
        };
        // What promises too much need not arrive first.
        if body.size_hint().lower() > limits.body as u64 {
            return too_large();
        }
        let collected = Limited::new(body, limits.body).collect();
        match tokio::time::timeout(limits.body_time, collected).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => too_large(),
            Ok(Err(_)) => Err(self.refuse(StatusCode::BAD_REQUEST, "the body broke off")),
            Err(_) => {
                let detail = format!("the body did not arrive within {} seconds", limits.body_time.as_secs());
                Err(self.refuse(StatusCode::REQUEST_TIMEOUT, &detail))
            }
        }
    }

    /// Where a change is asked for, if the request asks for one.
    fn change_asked_for(&self, parts: &Parts, body: &[u8]) -> Option<String> {
        if parts.method.is_safe() {
            return None;
        }
        let route = (self.route)(parts);
        let asked = Asked { method: &parts.method, path: parts.uri.path(), route: route.as_deref(), body };
        // As it was asked for: below a door the path begins behind the door's own.
        let whole = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
        (self.changes)(&asked).then(|| without_people(whole.path()))
    }

    async fn admit(&self, request: Request, next: Next) -> Result<Response, Response> {
        let (caller, request) = self.recognise(request).await?;
        if self.watch.rate.is_limited()
            && let Err(wait) = self.watch.rate.take(&caller.key())
        {
            self.watch.meters.refused(self.door, "rate");
            let detail = "too many requests; wait before the next one";
            return Err(self.refuse_for_now(StatusCode::TOO_MANY_REQUESTS, detail, wait));
        }
        let (mut parts, body) = request.into_parts();
        let body = self.take_body(body).await?;
        let id = parts.extensions.get::<RequestId>().cloned();
        let method = parts.method.clone();
        // Judged before the door is asked: what fails there was asked for, too.
        let changes = self.change_asked_for(&parts, &body);
        parts.extensions.insert(caller.clone());
        let request = Request::from_parts(parts, Body::from(body));
        let began = Instant::now();
        let answering = AssertUnwindSafe(next.run(request)).catch_unwind();
        let correlation = id.as_ref().map_or_else(Uuid::new_v4, RequestId::correlation);
        let answered = correlated(correlation, answering).await;
        let response = match answered {
            Ok(response) => response,
            Err(_) => {
                tracing::error!(door = self.door, %method, "a fault of exogate ended the request");
                let id = id.as_ref().map_or("", RequestId::as_str);
                let detail = format!("exogate failed; the log tells more under request id {id}");
                self.refuse(StatusCode::INTERNAL_SERVER_ERROR, &detail)
            }
        };
        self.watch.meters.request(self.door, &method, response.status().as_u16(), began.elapsed());
        // A door that knows no such thing was not asked for it.
        if let Some(path) = changes
            && response.status() != StatusCode::METHOD_NOT_ALLOWED
        {
            let request = id.as_ref().map_or("", RequestId::as_str);
            tracing::info!(
                target: "exogate_server::audit",
                caller = caller.name,
                kind = caller.kind.name(),
                door = self.door,
                %method,
                path,
                status = response.status().as_u16(),
                request,
                "changing request"
            );
        }
        Ok(response)
    }
}

/// Lets a request through to its door, or answers in its place.
pub(super) async fn pass(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let id = parts.extensions.get::<RequestId>().map(RequestId::as_str);
    let (door, method) = (guard.door, &parts.method);
    // What a span says is made only where somebody takes it.
    let route = || (guard.route)(&parts);
    let span = tracing::info_span!("request", id, door, %method, route = route(), status = Empty);
    traces::adopt(&span, &parts.headers);
    let admitted = guard.admit(Request::from_parts(parts, body), next).instrument(span.clone()).await;
    let response = admitted.unwrap_or_else(|refused| refused);
    span.record("status", response.status().as_u16());
    response
}

/// A path without what names a person: addresses are left out.
fn without_people(path: &str) -> String {
    let names = |segment: &str| segment.contains('@') || segment.to_ascii_lowercase().contains("%40");
    path.split('/')
        .map(|segment| if names(segment) { "{address}" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_log_names_nobody() {
        assert_eq!(
            without_people("/api/v1/sources/a/accounts/mark%40contoso.com/x"),
            "/api/v1/sources/a/accounts/{address}/x"
        );
        assert_eq!(without_people("/scim/v2/Users/mark@contoso.com"), "/scim/v2/Users/{address}");
        assert_eq!(without_people("/scim/v2/Users/1-2"), "/scim/v2/Users/1-2");
    }
}
