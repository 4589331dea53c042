//! How the door says no: the error text of SailPoint's runner, under a status that says whose fault
//! it is.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use exogate_engine::provision::ProvisionError;
use exogate_engine::view::ViewError;
use exogate_store::StoreError;

use super::lines::NDJSON;
use crate::caller::Scope;
use crate::causes::with_causes;
use crate::change::ChangeError;

/// What a client makes of an error: an object that is not there is asked to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Generic,
    NotFound,
}

/// A request, or a command, that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) kind: Kind,
    pub(super) message: String,
}

/// The answer to a request that was stopped before it came to this door.
pub fn refusal(status: StatusCode, detail: &str) -> Response {
    Refusal::new(status, detail).into_response()
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, kind: Kind::Generic, message: message.into() }
    }

    /// The request is wrong.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The object of the command is not there.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: Kind::NotFound, message: message.into() }
    }

    /// No such source, or none that this caller may know of: one answer for both. Generic, because
    /// clients take "not found" for the account.
    pub(super) fn no_source(name: Option<&str>) -> Self {
        let message = match name {
            Some(name) => format!("there is no source {name:?} for you; check the path and the token"),
            None => "name the source in the path: /sailpoint/{source}".to_owned(),
        };
        Self::new(StatusCode::NOT_FOUND, message)
    }

    pub(super) fn forbidden(scope: Scope) -> Self {
        let scope = match scope {
            Scope::Read => "read",
            Scope::Provision => "provision",
            Scope::Admin => "admin",
        };
        Self::new(StatusCode::FORBIDDEN, format!("this command needs the scope {scope}"))
    }

    /// Something inside failed; the log has it, the caller does not.
    pub(super) fn inside(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = with_causes(error), "a SailPoint command failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the gateway could not read or write its own state; its log says why",
        )
    }

    /// As SailPoint's runner words it.
    pub(super) fn text(&self) -> String {
        let kind = match self.kind {
            Kind::Generic => "generic",
            Kind::NotFound => "notFound",
        };
        format!("{kind} error: \n + ConnectorError: {}\n", self.message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, [(CONTENT_TYPE, NDJSON)], self.text()).into_response()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::inside(&error)
    }
}

impl From<ViewError> for Refusal {
    fn from(error: ViewError) -> Self {
        let message = format!("{error}. {}", error.remedy());
        match error {
            ViewError::NotFound { .. } | ViewError::NotAggregated { .. } => Self::not_found(message),
            ViewError::Ambiguous { .. } => Self::new(StatusCode::CONFLICT, message),
            // Nothing was ever read: to say "not found" would have every account made anew.
            ViewError::Empty => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
            ViewError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::Refused(_) | ChangeError::Review(_) => Self::bad(message),
            ChangeError::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
            ChangeError::Broken => Self::new(StatusCode::INTERNAL_SERVER_ERROR, message),
            ChangeError::Unsettled(error) => error.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Provision(error) => error.into(),
        }
    }
}

impl From<ProvisionError> for Refusal {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::Store(error) => error.into(),
            ProvisionError::Tenant(_) => Self::new(StatusCode::BAD_GATEWAY, with_causes(&error)),
            ProvisionError::KeyReused { .. } | ProvisionError::UnderWay { .. } => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            ProvisionError::Unknown { .. } => Self::bad(error.to_string()),
        }
    }
}
