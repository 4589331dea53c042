//! The neutral seam under everything: one request out, one answer or one transport error back.
//!
//! A [`Transport`] never repeats, follows no redirect and judges no status. Tests script it; the gateway uses
//! [`ReqwestTransport`].

mod proxy;
mod reqwest_transport;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use url::Url;

pub use reqwest_transport::{ReqwestTransport, TransportSettings, TransportSetupError};

/// One request, complete.
#[derive(Clone)]
pub struct WireRequest {
    /// HTTP method.
    pub method: Method,
    /// Absolute address.
    pub url: Url,
    /// Headers; `Authorization` is set by the caller loop.
    pub headers: HeaderMap,
    /// Body, if any.
    pub body: Option<Bytes>,
    /// How long the head of the answer may take; the transport's default if none. Exchange runs a cmdlet for up to
    /// fifteen minutes before the first byte.
    pub answer_timeout: Option<Duration>,
}

impl WireRequest {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None, answer_timeout: None }
    }

    /// A GET that asks for JSON.
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url).header(http::header::ACCEPT, HeaderValue::from_static("application/json"))
    }

    /// A request with a JSON body that asks for JSON.
    pub fn json(method: Method, url: Url, body: impl Into<Bytes>) -> Self {
        let mut request = Self::new(method, url)
            .header(http::header::ACCEPT, HeaderValue::from_static("application/json"))
            .header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.body = Some(body.into());
        request
    }

    /// With a header set.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With a longer or shorter wait for the head of the answer.
    #[must_use]
    pub fn answer_timeout(mut self, wait: Duration) -> Self {
        self.answer_timeout = Some(wait);
        self
    }
}

impl fmt::Debug for WireRequest {
    // Bodies carry passwords and assertions, query strings carry filters with names: neither is shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}{}", self.method, self.url.host_str().unwrap_or(""), self.url.path())
    }
}

/// One answer, complete.
#[derive(Clone)]
pub struct WireResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, decompressed.
    pub body: Bytes,
}

impl WireResponse {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `Retry-After` in either form. A date is measured against the answer's own `Date`, so that a wrong local clock
    /// does not matter; without one it is not used.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            return (seconds.is_finite() && seconds >= 0.0)
                .then(|| Duration::from_secs_f64(seconds.min(86_400.0)));
        }
        let until = http_date(text)?;
        let from = http_date(self.header(DATE.as_str())?)?;
        Some(Duration::try_from(until.duration_since(from)).unwrap_or(Duration::ZERO))
    }

    /// The service's id of the request, under any of the names it goes by.
    pub fn request_id(&self) -> Option<&str> {
        ["request-id", "x-ms-request-id", "client-request-id"].into_iter().find_map(|name| self.header(name))
    }

    /// Whether the body is a web page, as a proxy or a captive portal sends it.
    pub fn is_html(&self) -> bool {
        let typed =
            self.header("content-type").is_some_and(|kind| kind.trim_start().starts_with("text/html"));
        let start = self.body.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
        let text = &self.body[start..];
        let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag));
        typed || begins(b"<!doctype html") || begins(b"<html")
    }
}

impl fmt::Debug for WireResponse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({} bytes)", self.status, self.body.len())
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

/// Whether any of the request can have reached the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It cannot: repeating is always safe.
    No,
    /// It may: repeating a write is not safe.
    Maybe,
}

/// What went wrong below HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// No connection: refused, no route, timed out while connecting.
    Unreachable,
    /// The host has no address.
    Dns,
    /// No agreement on TLS, or the certificate is not trusted.
    Tls,
    /// Connected, but no answer in time.
    Timeout,
    /// The connection broke.
    Reset,
    /// The answer is larger than allowed.
    TooLarge,
    /// The answer is not HTTP, or its body cannot be decompressed.
    Garbled,
    /// The proxy did not let it through.
    Proxy {
        /// What it answered, if anything.
        status: Option<u16>,
    },
    /// The request cannot be built.
    Other,
}

/// A request that got no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{host}: {}: {detail}", .kind.words())]
pub struct TransportError {
    /// Whether anything may have arrived.
    pub sent: Sent,
    /// What went wrong.
    pub kind: TransportErrorKind,
    /// The host of the request.
    pub host: String,
    /// What the layers below said.
    pub detail: String,
}

impl TransportErrorKind {
    fn words(self) -> &'static str {
        match self {
            TransportErrorKind::Unreachable => "no connection",
            TransportErrorKind::Dns => "the name cannot be resolved",
            TransportErrorKind::Tls => "no trusted TLS connection",
            TransportErrorKind::Timeout => "no answer in time",
            TransportErrorKind::Reset => "the connection broke",
            TransportErrorKind::TooLarge => "the answer is too large",
            TransportErrorKind::Garbled => "the answer is not readable",
            TransportErrorKind::Proxy { .. } => "no way through the proxy",
            TransportErrorKind::Other => "the request could not be made",
        }
    }
}

/// Sends one request.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` once and reads the whole answer.
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError>;
}
