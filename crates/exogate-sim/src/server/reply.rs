//! An answer as the services give it: status, headers, body in one piece or several, or no answer
//! at all. Compression, HEAD and framing are the listener's business.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};

/// A body.
#[derive(Clone, Debug)]
pub enum ReplyBody {
    Bytes(Bytes),
    /// Sent one after another as one body.
    Chunks(Vec<Bytes>),
}

impl Default for ReplyBody {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl ReplyBody {
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Chunks(chunks) => chunks.iter().map(Bytes::len).sum(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The body in one piece.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Chunks(chunks) => chunks.concat().into(),
        }
    }
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is sent.
    #[default]
    Send,
    /// The connection is dropped without an answer.
    Reset,
    /// Head and half of the body are sent, then the connection is dropped.
    Truncate,
}

/// One answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: ReplyBody,
    pub outcome: Outcome,
    /// What it cost by the service's own reckoning (resource units), for the trace.
    pub cost: u32,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self { status, ..Self::default() }
    }

    /// An answer with a body of some type.
    #[must_use]
    pub fn with(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self::status(status);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply.body = ReplyBody::Bytes(body.into());
        reply
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::with(status, "application/json; charset=utf-8", value.to_string())
    }

    /// No answer: the connection is dropped.
    #[must_use]
    pub fn reset() -> Self {
        Self { outcome: Outcome::Reset, ..Self::default() }
    }

    /// Adds a header; a value that no header can carry is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.set_header(name, value);
        self
    }

    /// Sets a header; a value that no header can carry is left out.
    pub fn set_header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }
}
