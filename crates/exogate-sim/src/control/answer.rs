//! Answers of the control API: JSON, and errors that say what to do.

use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::server::{Reply, Request};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    pub message: String,
}

#[expect(clippy::needless_pass_by_value, reason = "made to be handed to map_err")]
impl Refusal {
    pub fn bad(message: impl ToString) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_string() }
    }

    pub fn missing(message: impl ToString) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.to_string() }
    }

    pub fn failed(message: impl ToString) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: message.to_string() }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::json(refusal.status, &json!({"error": refusal.message}))
    }
}

/// An error with the errors behind it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

pub fn ok(value: &impl Serialize) -> Result<Reply, Refusal> {
    let text = serde_json::to_vec_pretty(value).map_err(Refusal::failed)?;
    Ok(Reply::with(StatusCode::OK, "application/json; charset=utf-8", text))
}

pub fn done() -> Result<Reply, Refusal> {
    Ok(Reply::status(StatusCode::NO_CONTENT))
}

/// The body as JSON; an empty one counts as `{}`.
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    let bytes: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(bytes)
        .map_err(|e| Refusal::bad(format!("the body is not what this call takes: {e}")))
}
