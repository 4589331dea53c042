//! Errors of this door: problem details (RFC 9457), and which status each failure becomes.
//!
//! 400 says that the request is not as the API describes it; 422 that it is, and yet cannot be carried
//! out. What is nobody's business outside goes to the log alone.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use exogate_engine::provision::{ProvisionError, RestoreError};
use exogate_engine::view::ViewError;
use exogate_store::StoreError;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::Operation;
use crate::causes::with_causes;
use crate::change::ChangeError;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, for a program (`type`, `status`) and for a person (`title`, `detail`).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What kind of problem it is: `urn:exogate:problem:` and a word.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "urn:exogate:problem:not-found")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong with this request, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Each part of the request that is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Refused>,
    /// The operations that somebody must confirm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
}

/// A part of a request that is refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Refused {
    /// The account or group, and the attribute.
    pub of: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:exogate:problem:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: Some(detail.into()),
            errors: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// The request is not as the API describes it.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request is malformed", detail)
    }

    /// The request is well-formed and cannot be carried out.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable",
            "The request cannot be carried out",
            detail,
        )
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }

    /// Something that the caller cannot mend.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "exogate failed",
            "The cause is in the log of the service, under the id of this request.",
        )
    }

    /// The problem that a bare status stands for.
    pub fn of_status(status: StatusCode, detail: impl Into<String>) -> Self {
        let (kind, title) = match status {
            StatusCode::UNAUTHORIZED => ("unauthorized", "The request needs a credential"),
            StatusCode::FORBIDDEN => ("forbidden", "The credential does not allow this"),
            StatusCode::NOT_FOUND => ("not-found", "There is no such thing"),
            StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "This cannot be done here"),
            StatusCode::REQUEST_TIMEOUT => ("timeout", "The request took too long"),
            StatusCode::CONFLICT => ("conflict", "Something else is under way"),
            StatusCode::GONE => ("gone", "This is no longer there"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "The request is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media-type", "The body is of the wrong type"),
            StatusCode::UNPROCESSABLE_ENTITY => ("unprocessable", "The request cannot be carried out"),
            StatusCode::TOO_MANY_REQUESTS => ("too-many-requests", "Too many requests"),
            StatusCode::BAD_GATEWAY => ("tenant", "The tenant could not be reached"),
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "The service cannot answer now"),
            StatusCode::GATEWAY_TIMEOUT => ("timeout", "The service took too long"),
            other if other.is_server_error() => ("internal", "exogate failed"),
            _ => ("malformed", "The request is malformed"),
        };
        Self::new(status, kind, title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::AlreadyRunning { .. } => {
                Self::of_status(StatusCode::CONFLICT, "A run of this source is under way; wait for it.")
            }
            StoreError::Locked { .. } | StoreError::DiskFull { .. } | StoreError::Closed => {
                logged(&error);
                Self::of_status(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "What is stored cannot be used at the moment; the log of the service says why.",
                )
            }
            _ => {
                logged(&error);
                Self::internal()
            }
        }
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let told = format!("{error}. {}", error.remedy());
        match error {
            ViewError::Store(error) => error.into(),
            ViewError::NotFound { .. } | ViewError::NotAggregated { .. } | ViewError::Empty => {
                Self::not_found(told)
            }
            ViewError::Ambiguous { .. } => {
                Self::new(StatusCode::CONFLICT, "ambiguous", "Several answer to this name", told)
            }
        }
    }
}

impl From<ProvisionError> for Problem {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::Store(error) => error.into(),
            ProvisionError::Unknown { id } => {
                Self::not_found(format!("There is no plan or operation {id:?} in the journal."))
            }
            ProvisionError::KeyReused { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "The key stands for another request",
                error.to_string(),
            ),
            ProvisionError::UnderWay { .. } => Self::new(
                StatusCode::CONFLICT,
                "under-way",
                "The same request is under way",
                error.to_string(),
            ),
            ProvisionError::Tenant(_) => {
                logged(&error);
                Self::of_status(
                    StatusCode::BAD_GATEWAY,
                    "Nothing was written, because the tenant could not be read; the log of the service says why. \
                     Ask again later.",
                )
            }
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refused) => {
                let mut problem = Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "refused",
                    "The plan cannot be carried out",
                    "Nothing was done; every reason is in `errors`.",
                );
                let told = |error: exogate_engine::provision::PlanError| Refused {
                    of: error.of.clone(),
                    detail: error.problem.to_string(),
                };
                problem.errors = refused.into_iter().map(told).collect();
                problem
            }
            ChangeError::Review(_) => Self::new(
                StatusCode::CONFLICT,
                "review",
                "Somebody must confirm this",
                "The policy of the source wants a person to look at these operations. Nothing was done; send the \
                 request again with `reviewed` set to true once somebody has.",
            ),
            ChangeError::Stopping => Self::of_status(
                StatusCode::SERVICE_UNAVAILABLE,
                "The service is stopping; no change begins any more. Ask again in a minute.",
            ),
            ChangeError::Unsettled(_) => {
                logged(&error);
                Self::of_status(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "An earlier change was interrupted and cannot be settled yet, and nothing is changed before. Ask \
                     again later.",
                )
            }
            ChangeError::Broken => {
                logged(&error);
                Self::internal()
            }
            ChangeError::Provision(error) => error.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Store(error) => error.into(),
            RestoreError::Mailbox(_) => Self::not_found(error.to_string()),
            other => Self::unprocessable(other.to_string()),
        }
    }
}

/// Tells the log what the caller is not told, with every cause.
pub fn logged(error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error = with_causes(error), "a request to the REST door failed");
}
