//! Refusals of the directory API and the body that carries them.

use http::StatusCode;
use serde_json::{Value, json};

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// HTTP status.
    pub status: StatusCode,
    /// `error.code`
    pub code: &'static str,
    /// `error.message`
    pub message: String,
    /// `error.details[0]`: code and target.
    pub detail: Option<Box<(&'static str, String)>>,
    /// `Location`, for a delta that must start over.
    pub location: Option<Box<str>>,
    /// `Retry-After` and the throttle's scope and information.
    pub throttle: Option<Box<(u32, String, &'static str)>>,
}

impl GraphError {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, location: None, throttle: None }
    }

    /// 400 `Request_BadRequest`.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message)
    }

    /// 400 `Request_UnsupportedQuery`.
    #[must_use]
    pub fn unsupported_query(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message)
    }

    /// 400 `BadRequest`: the gateway could not read the request.
    #[must_use]
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 404 `Request_ResourceNotFound`.
    #[must_use]
    pub fn not_found(key: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Request_ResourceNotFound",
            format!(
                "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
            ),
        )
    }

    /// 403 `Authorization_RequestDenied`.
    #[must_use]
    pub fn denied() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    /// 405.
    #[must_use]
    pub fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        )
    }

    /// 501 for a property that is not to be had this way.
    #[must_use]
    pub fn not_implemented() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "This operation target is not yet supported.",
        )
    }

    /// 400 for a path that leads nowhere.
    #[must_use]
    pub fn no_segment(segment: &str) -> Self {
        Self::unreadable(format!("Resource not found for the segment '{segment}'."))
    }

    /// A value that another object holds.
    #[must_use]
    pub fn conflict(property: &str) -> Self {
        let mut error = Self::bad_request(format!(
            "Another object with the same value for property {property} already exists."
        ));
        error.detail = Some(Box::new(("ObjectConflict", property.to_owned())));
        error
    }

    /// The body.
    #[must_use]
    pub fn body(&self, date: &str, request_id: &str, client_request_id: &str) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some((code, target)) = self.detail.as_deref() {
            error["details"] = json!([{"code": code, "message": self.message, "target": target}]);
        }
        error["innerError"] = if self.throttle.is_some() {
            json!({
                "code": "429", "date": date, "message": "Please retry after", "request-id": request_id,
                "client-request-id": client_request_id, "status": "429",
            })
        } else {
            json!({"date": date, "request-id": request_id, "client-request-id": client_request_id})
        };
        json!({ "error": error })
    }
}
