//! What a failure of the feed says, and what it means for us. Its codes decide; the status does
//! not: throttling comes as 403, like a missing permission.

use http::StatusCode;
use serde_json::Value;

use crate::caller::{Effect, Judge, Verdict};
use crate::error::{ErrorKind, Service, WireError};
use crate::page::trim;
use crate::signin::claims_challenge;
use crate::transport::WireResponse;

const NO_SUBSCRIPTION: [&str; 2] = ["AF20022", "AF20023"];
const NO_CONTENT: [&str; 3] = ["AF20050", "AF20051", "AF20052"];
/// The subscription that is to be started exists.
pub(super) const ALREADY_ENABLED: &str = "AF20024";

/// Whether a failure says that nobody subscribed to the feed, or that the subscription was ended.
#[must_use]
pub fn is_unsubscribed(error: &WireError) -> bool {
    has_code(error, &NO_SUBSCRIPTION)
}

/// Whether a failure says that a piece of content is not there any more.
#[must_use]
pub fn is_expired_content(error: &WireError) -> bool {
    error.service == Service::Activity && (has_code(error, &NO_CONTENT) || error.is_not_found())
}

pub(super) fn has_code(error: &WireError, codes: &[&str]) -> bool {
    error.code.as_deref().is_some_and(|code| codes.iter().any(|known| known.eq_ignore_ascii_case(code)))
}

/// Judges an answer that is a JSON array or object.
pub(super) struct FeedJudge;

impl Judge for FeedJudge {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        let Some(error) = error_of(what, response) else { return Verdict::Done };
        match error.kind {
            ErrorKind::Throttled => Verdict::Throttled { retry_after: error.retry_after, error },
            ErrorKind::Unauthorized => Verdict::Unauthorized {
                claims: response.header("www-authenticate").and_then(claims_challenge),
                error,
            },
            ErrorKind::Transient | ErrorKind::Protocol => {
                Verdict::Transient { error, effect: Effect::Unknown }
            }
            _ => Verdict::Failed(error),
        }
    }
}

/// The failure that an answer is, if it is one.
fn error_of(what: &str, response: &WireResponse) -> Option<WireError> {
    let body = serde_json::from_slice::<Value>(trim(&response.body));
    let told = body.as_ref().ok().and_then(|body| body.get("error"));
    let text = |name| told.and_then(|told| told.get(name)).and_then(Value::as_str);
    let code = text("code").unwrap_or_default();
    if response.status.is_success() && told.is_none() {
        return match body {
            Ok(_) => None,
            // Starting and stopping may answer without a word.
            Err(_) if response.body.is_empty() && response.status == StatusCode::NO_CONTENT => None,
            Err(_) if response.is_html() => Some(of(ErrorKind::NotMicrosoft, what, response)),
            Err(error) => Some(of(ErrorKind::Protocol, what, response).with_message(error.to_string())),
        };
    }
    let kind = match (code.to_ascii_uppercase().as_str(), response.status.as_u16()) {
        ("AF429", _) | (_, 429) => ErrorKind::Throttled,
        ("AF10001" | "AF10002", _) => ErrorKind::Forbidden,
        ("AF20022" | "AF20023" | ALREADY_ENABLED, _) => ErrorKind::Refused,
        ("AF20050" | "AF20051" | "AF20052", _) => ErrorKind::NotFound,
        ("AF20031", _) => ErrorKind::PageExpired,
        (code, _) if code.starts_with("AF2") => ErrorKind::InvalidRequest,
        (code, _) if code.starts_with("AF5") => ErrorKind::Transient,
        (_, 401) => ErrorKind::Unauthorized,
        (_, 408 | 500 | 502 | 503 | 504) => ErrorKind::Transient,
        (_, 407) => ErrorKind::NotMicrosoft,
        _ if response.is_html() => ErrorKind::NotMicrosoft,
        (_, 403) => ErrorKind::Forbidden,
        (_, 404) => ErrorKind::NotFound,
        _ => ErrorKind::Refused,
    };
    let mut error = of(kind, what, response);
    if !code.is_empty() {
        error = error.with_code(code);
    }
    if let Some(message) = text("message").or_else(|| text("Message")) {
        error = error.with_message(message);
    }
    if error.kind == ErrorKind::Forbidden {
        error = error.with_sentence("the application may not read the activity feed").with_remedy(
            "Grant the application permission ActivityFeed.Read of the Office 365 Management APIs with admin \
                 consent; until then changes of rights are found by reading again, which takes longer.",
        );
    }
    Some(error)
}

fn of(kind: ErrorKind, what: &str, response: &WireResponse) -> WireError {
    WireError::new(kind, Service::Activity, what)
        .with_status(response.status)
        .with_request_id(response.request_id().map(str::to_owned))
        .with_retry_after(response.retry_after())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn kind(status: u16, body: &'static str) -> Option<ErrorKind> {
        let response = WireResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        error_of("GET content", &response).map(|error| error.kind.clone())
    }

    #[test]
    fn the_code_decides_and_not_the_status() {
        for (status, body, expected) in [
            (200, "[]", None),
            (200, r#"{"contentType":"Audit.Exchange","status":"enabled"}"#, None),
            (200, "", Some(ErrorKind::Protocol)),
            (200, "<html>portal</html>", Some(ErrorKind::NotMicrosoft)),
            (403, r#"{"error":{"code":"AF429","message":"Too many requests."}}"#, Some(ErrorKind::Throttled)),
            (
                403,
                r#"{"error":{"code":"AF10001","message":"The permission set () ..."}}"#,
                Some(ErrorKind::Forbidden),
            ),
            (400, r#"{"error":{"code":"AF20022","message":"No subscription"}}"#, Some(ErrorKind::Refused)),
            (400, r#"{"error":{"code":"AF20051","message":"expired"}}"#, Some(ErrorKind::NotFound)),
            (400, r#"{"error":{"code":"AF20030","message":"time"}}"#, Some(ErrorKind::InvalidRequest)),
            (400, r#"{"error":{"code":"AF20031","message":"page"}}"#, Some(ErrorKind::PageExpired)),
            (500, r#"{"error":{"code":"AF50000","message":"retry"}}"#, Some(ErrorKind::Transient)),
            (200, r#"{"error":{"code":"AF50000","message":"retry"}}"#, Some(ErrorKind::Transient)),
            (502, "bad gateway", Some(ErrorKind::Transient)),
            (401, "", Some(ErrorKind::Unauthorized)),
        ] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }
}
