//! Errors in the form of RFC 7644 §3.12.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::urn;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimError {
    pub status: StatusCode,
    pub scim_type: Option<&'static str>,
    pub detail: String,
    /// The methods that are possible instead, as the header `Allow` has them.
    pub allow: Option<String>,
}

impl ScimError {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), allow: None }
    }

    /// The same, of a type.
    pub fn typed(status: StatusCode, scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { scim_type: Some(scim_type), ..Self::new(status, detail) }
    }

    pub fn bad(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::BAD_REQUEST, scim_type, detail)
    }

    /// The method is not possible here, these are.
    pub fn not_allowed(method: &Method, allowed: &[Method]) -> Self {
        let mut all: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        if all.contains(&"GET") {
            all.push("HEAD");
        }
        let allowed = all.join(", ");
        let error = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not possible here; what is: {allowed}"),
        );
        Self { allow: Some(allowed), ..error }
    }

    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    pub fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    pub fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    pub fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::typed(StatusCode::CONFLICT, "uniqueness", detail)
    }

    pub fn not_found(what: &str, id: &str) -> Self {
        let id: String = id.chars().take(200).collect();
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} {id:?}"))
    }

    pub fn no_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here")
    }

    /// The service itself failed: what and why is for the log alone.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        let mut cause = error.to_string();
        let mut source = error.source();
        while let Some(next) = source {
            cause = format!("{cause}: {next}");
            source = next.source();
        }
        tracing::error!(%cause, "a SCIM request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the gateway could not do this; its log says why, under the id of this request",
        )
    }

    pub fn to_json(&self) -> Value {
        let mut body = json!({"schemas": [urn::ERROR], "status": self.status.as_u16().to_string()});
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = json!(scim_type);
        }
        body["detail"] = json!(self.detail);
        body
    }
}

impl From<exogate_store::StoreError> for ScimError {
    fn from(error: exogate_store::StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<exogate_engine::view::ViewError> for ScimError {
    fn from(error: exogate_engine::view::ViewError) -> Self {
        Self::internal(&error)
    }
}
