//! What a fault does, and the answers that it sends in the service's place.

use http::StatusCode;
use http::header::{HeaderName, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::server::Reply;
use crate::server::operation::Service;
use crate::throttle::PLAIN_TEXT;

/// An action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAction {
    /// A status with a body of its own, or else the one that the service gives with it.
    Status {
        status: u16,
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        content_type: Option<String>,
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// 403 with kilobytes of NUL bytes, as Exchange refuses.
    Nul403,
    /// A page of HTML, as a proxy or gateway answers.
    Html {
        #[serde(default = "forbidden")]
        status: u16,
    },
    /// The connection drops before anything happens.
    ResetBefore,
    /// The request takes effect, then the connection drops.
    ResetAfter,
    /// The answer comes later.
    Delay { millis: u64 },
    /// The plain text with which Exchange throttles.
    PlainThrottle {
        #[serde(default = "ok")]
        status: u16,
    },
    /// 400 whose error carries a transient exception type.
    Transient400 {
        #[serde(default = "storage_transient", rename = "type")]
        exception: String,
    },
    /// The answer breaks off in the middle of its body.
    Truncate,
    /// Page tokens are refused as expired; other requests pass.
    ExpirePageTokens,
    /// Texts come in another language.
    Localise {
        #[serde(default = "german")]
        language: String,
    },
    /// The answer comes from a replica that lags by this much.
    Stale {
        #[serde(default = "half_minute")]
        seconds: f64,
    },
}

fn forbidden() -> u16 {
    403
}

fn ok() -> u16 {
    200
}

fn storage_transient() -> String {
    "StorageTransientException".to_owned()
}

fn german() -> String {
    "de-DE".to_owned()
}

fn half_minute() -> f64 {
    30.0
}

/// The namespace-qualified type of a transient exception.
#[must_use]
pub fn transient_type(name: &str) -> String {
    if name.contains('.') {
        return name.to_owned();
    }
    let namespace = match name {
        "DCOverloadedException" | "SuitabilityDirectoryException" | "ADServerSettingsChangedException" => {
            "Microsoft.Exchange.Data.Directory"
        }
        "CmdletProxyNotAvailableFailure" | "CmdletProxyException" | "ServerBusyException" => {
            "Microsoft.Exchange.Configuration"
        }
        _ => "Microsoft.Exchange.Data.Storage",
    };
    format!("{namespace}.{name}")
}

impl FaultAction {
    /// The answer that stands in for the service's own, where the action is one.
    #[must_use]
    pub fn reply(&self, service: Service, request_id: &str, has_page_token: bool) -> Option<Reply> {
        match self {
            Self::Status { status, body, content_type, retry_after } => {
                let status = status_of(*status);
                let mut reply = match body {
                    Some(text) => {
                        let mut reply = Reply::with(status, "text/plain", text.clone());
                        reply.set_header(
                            http::header::CONTENT_TYPE,
                            content_type.as_deref().unwrap_or(guess_type(text)),
                        );
                        reply
                    }
                    None => natural(service, status, request_id),
                };
                if let Some(seconds) = retry_after {
                    reply.set_header(RETRY_AFTER, &seconds.to_string());
                }
                Some(reply)
            }
            Self::Nul403 => {
                Some(Reply::with(StatusCode::FORBIDDEN, "application/json; charset=utf-8", vec![0_u8; 4096]))
            }
            Self::Html { status } => Some(Reply::with(
                status_of(*status),
                "text/html; charset=utf-8",
                "<!DOCTYPE html>\r\n<html><head><title>Access denied</title></head>\
                 <body><h1>Access denied</h1><p>The gateway refused this request.</p></body></html>\r\n",
            )),
            Self::ResetBefore => Some(Reply::reset()),
            Self::PlainThrottle { status } => {
                Some(Reply::with(status_of(*status), "text/plain; charset=utf-8", PLAIN_TEXT))
            }
            Self::Transient400 { exception } => Some(exchange_error(
                StatusCode::BAD_REQUEST,
                &transient_type(exception),
                "The operation could not be completed at this time. Please try again later.",
                request_id,
            )),
            Self::ExpirePageTokens if has_page_token => Some(expired_page(service, request_id)),
            _ => None,
        }
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn guess_type(text: &str) -> &'static str {
    match text.trim_start().chars().next() {
        Some('{' | '[') => "application/json; charset=utf-8",
        Some('<') => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    }
}

fn expired_page(service: Service, request_id: &str) -> Reply {
    match service {
        Service::Exchange => exchange_error(
            StatusCode::BAD_REQUEST,
            "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
            "Expired or Invalid pagination request. Default Expiry time is 00:30:00",
            request_id,
        ),
        _ => graph_error(
            StatusCode::BAD_REQUEST,
            "Directory_ExpiredPageToken",
            "The specified page token value has expired and can no longer be included in your request.",
            request_id,
        ),
    }
}

fn natural(service: Service, status: StatusCode, request_id: &str) -> Reply {
    let code = match status.as_u16() {
        400 => "BadRequest",
        401 => "InvalidAuthenticationToken",
        403 => "Authorization_RequestDenied",
        404 => "ResourceNotFound",
        409 => "Directory_ConcurrencyViolation",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "GatewayTimeout",
        _ => "UnknownError",
    };
    match service {
        Service::Exchange if status == StatusCode::TOO_MANY_REQUESTS => Reply::status(status),
        Service::Exchange => exchange_error(
            status,
            "Microsoft.Exchange.Configuration.CmdletProxyException",
            "The service is temporarily unavailable. Please try again later.",
            request_id,
        ),
        Service::Activity => Reply::json(
            status,
            &json!({"error": {"code": "AF50000", "message": "An internal error occurred. Retry the request."}}),
        ),
        Service::Token | Service::Imds => Reply::json(
            status,
            &json!({"error": "temporarily_unavailable",
                "error_description": "AADSTS90033: A transient error has occurred. Please try again.",
                "error_codes": [90033], "trace_id": request_id, "correlation_id": request_id}),
        ),
        _ => graph_error(
            status,
            code,
            if code == "TooManyRequests" { "Please retry again later." } else { "" },
            request_id,
        ),
    }
}

fn graph_error(status: StatusCode, code: &str, message: &str, request_id: &str) -> Reply {
    Reply::json(
        status,
        &json!({"error": {"code": code, "message": message,
            "innerError": {"request-id": request_id, "client-request-id": request_id}}}),
    )
    .header(HeaderName::from_static("request-id"), request_id)
}

fn exchange_error(status: StatusCode, exception: &str, text: &str, request_id: &str) -> Reply {
    let message = format!("|{exception}|{text}");
    let code = if status == StatusCode::BAD_REQUEST { "BadRequest" } else { "InternalServerError" };
    Reply::json(
        status,
        &json!({"error": {"code": code, "message": "Invalid Operation",
            "details": [{"code": "Context", "target": "", "message": message}],
            "innererror": {"message": "Invalid Operation", "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
                "stacktrace": "",
                "internalexception": {"message": text, "type": exception, "stacktrace": ""}}}}),
    )
    .header(HeaderName::from_static("request-id"), request_id)
    .header(HeaderName::from_static("x-exceptiontype"), exception)
}
