//! Refusals of the activity feed: `{"error":{"code":"AF…","message":"…"}}`.

use http::StatusCode;
use serde_json::{Value, json};

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedError {
    /// HTTP status.
    pub status: StatusCode,
    /// `AF…`
    pub code: &'static str,
    /// The text.
    pub message: String,
}

impl FeedError {
    /// 400 with a code.
    #[must_use]
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// A parameter is missing.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self::bad_request("AF20001", format!("Missing parameter: {name}."))
    }

    /// The caller lacks the permission.
    #[must_use]
    pub fn permission(held: &[String]) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "AF10001",
            message: format!(
                "The permission set ({}) sent in the request did not include the expected permission ActivityFeed.Read.",
                held.join(" ")
            ),
        }
    }

    /// Too many requests; this service says so with 403.
    #[must_use]
    pub fn throttled(method: &str, publisher: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "AF429",
            message: format!("Too many requests. Method={method}, PublisherId={publisher}"),
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message}})
    }
}
