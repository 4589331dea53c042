//! What a failure of Graph says, and what it means for us.
//!
//! The HTTP status and the innermost code decide; words decide only where one code stands for
//! many things.

use crate::error::{ErrorKind, Service, WireError};
use crate::page::trim;
use crate::transport::WireResponse;
use serde_json::Value;

/// Reads and names the failure of one call.
pub(super) fn error_of(what: &str, response: &WireResponse) -> WireError {
    let status = response.status.as_u16();
    let told = Told::read(&response.body);
    let html = response.is_html();
    let (kind, sentence, remedy) = meaning(status, &told, html, response);
    let mut error = WireError::new(kind, Service::Graph, what)
        .with_status(response.status)
        .with_message(told.message)
        .with_request_id(response.request_id().map(str::to_owned))
        .with_retry_after(response.retry_after());
    error.code = Some(told.code).filter(|code| !code.is_empty());
    error.sentence = sentence.map(str::to_owned);
    error.remedy = remedy.map(str::to_owned);
    error
}

type Meaning = (ErrorKind, Option<&'static str>, Option<&'static str>);

fn meaning(status: u16, told: &Told, html: bool, response: &WireResponse) -> Meaning {
    let code = |name: &str| told.codes.iter().any(|code| code.eq_ignore_ascii_case(name));
    let says = |part: &str| told.words.contains(part);
    let plain = |kind| (kind, None, None);
    let with = |kind, sentence, remedy| (kind, Some(sentence), Some(remedy));

    if status == 429 || code("TooManyRequests") || code("Request_ThrottledTemporarily") {
        return plain(ErrorKind::Throttled);
    }
    if status == 410 || code("syncStateNotFound") || code("resyncRequired") {
        let location = response.header("location").map(str::to_owned);
        return plain(ErrorKind::DeltaReset { location });
    }
    if matches!(status, 408 | 500 | 502 | 503 | 504) {
        return plain(ErrorKind::Transient);
    }
    if html || status == 407 || (300..400).contains(&status) {
        return plain(ErrorKind::NotMicrosoft);
    }
    match status {
        401 => plain(ErrorKind::Unauthorized),
        _ if code("Directory_ExpiredPageToken") => plain(ErrorKind::PageExpired),
        // Two writers met; the service asks for the request to be sent again.
        _ if code("Directory_ConcurrencyViolation") => plain(ErrorKind::Transient),
        _ if says("resource temporarily unavailable") => plain(ErrorKind::Transient),
        _ if says("too many requests") => plain(ErrorKind::Throttled),
        _ if code("Directory_QuotaExceeded") => plain(ErrorKind::LimitReached),
        _ if code("Authentication_RequestFromNonPremiumTenantOrB2CTenant") => with(
            ErrorKind::Forbidden,
            "the tenant has no Entra ID P1 or P2 licence, which this property needs",
            "Remove signInActivity from the schema, or license the tenant.",
        ),
        403 => with(
            ErrorKind::Forbidden,
            "the application lacks a Microsoft Graph permission for this",
            "Grant the application permission with admin consent (reading needs User.Read.All and \
             GroupMember.Read.All; changing groups Group.ReadWrite.All) and wait a few minutes.",
        ),
        // A gateway that lost its way answers 404 without a word.
        404 if code("UnknownError") && told.message.is_empty() => plain(ErrorKind::Transient),
        404 => plain(ErrorKind::NotFound),
        409 => plain(ErrorKind::AlreadyExists),
        424 => with(
            ErrorKind::Refused,
            "the step before it in the batch failed",
            "Settle the step before it first.",
        ),
        400 if says("added object references already exist") => plain(ErrorKind::AlreadyMember),
        400 if code("ObjectConflict") || says("same value for property") => plain(ErrorKind::AlreadyExists),
        400 if says("on-premises mastered") => plain(ErrorKind::DirectorySynced),
        400 if says("mail-enabled") => with(
            ErrorKind::Refused,
            "distribution lists and mail-enabled security groups cannot be changed through Graph",
            "Let Exchange manage this group: switch on Exchange management for the source.",
        ),
        400 if says("originated within an external service") => with(
            ErrorKind::Refused,
            "this property belongs to Exchange and cannot be changed through Graph",
            "Change it through Exchange: switch on Exchange management for the source.",
        ),
        400 if says("could not find a property named") => with(
            ErrorKind::InvalidRequest,
            "a property that was asked for does not exist",
            "Correct the name of the attribute in the schema.",
        ),
        400 | 405 | 501 => plain(ErrorKind::InvalidRequest),
        _ if told.codes.is_empty() => plain(ErrorKind::NotMicrosoft),
        _ => plain(ErrorKind::Refused),
    }
}

/// Whether a successful answer is an error after all.
pub(super) fn holds_error(body: &[u8]) -> bool {
    !Told::read(body).codes.is_empty()
}

/// What the error object says.
#[derive(Default)]
struct Told {
    /// The outer code, for people.
    code: String,
    /// All codes from the outside in.
    codes: Vec<String>,
    message: String,
    /// The message in lower case, for recognition.
    words: String,
}

impl Told {
    fn read(body: &[u8]) -> Told {
        let mut told = Told::default();
        let Ok(json) = serde_json::from_slice::<Value>(trim(body)) else {
            return told;
        };
        let Some(error) = json.get("error") else {
            return told;
        };
        let mut level = Some(error);
        for _ in 0..8 {
            let Some(at) = level else { break };
            if let Some(code) = at.get("code").and_then(Value::as_str) {
                told.codes.push(code.to_owned());
            }
            for detail in at.get("details").and_then(Value::as_array).into_iter().flatten() {
                if let Some(code) = detail.get("code").and_then(Value::as_str) {
                    told.codes.push(code.to_owned());
                }
            }
            if told.message.is_empty()
                && let Some(message) = at.get("message").and_then(Value::as_str)
            {
                message.clone_into(&mut told.message);
            }
            level = at.get("innerError").or_else(|| at.get("innererror"));
        }
        told.code = told.codes.iter().find(|code| !code.is_empty()).cloned().unwrap_or_default();
        told.words = told.message.to_lowercase();
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    fn error(status: u16, code: &str, message: &str) -> WireError {
        let body = json!({"error": {"code": code, "message": message,
            "innerError": {"date": "2026-11-23T03:40:12", "request-id": "93b6", "client-request-id": "e70c"}}});
        error_of("GET /users", &answer(status, &body.to_string()))
    }

    fn answer(status: u16, body: &str) -> WireResponse {
        WireResponse {
            status: StatusCode::from_u16(status).expect("status"),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn each_documented_failure_has_its_kind() {
        let reset = ErrorKind::DeltaReset { location: None };
        let table = [
            (400, "Request_BadRequest", "Invalid value", ErrorKind::InvalidRequest),
            (
                400,
                "Request_UnsupportedQuery",
                "Invalid page size specified: '1000'.",
                ErrorKind::InvalidRequest,
            ),
            (
                400,
                "BadRequest",
                "Could not find a property named 'x' on type 'microsoft.graph.user'.",
                ErrorKind::InvalidRequest,
            ),
            (
                400,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired",
                ErrorKind::PageExpired,
            ),
            (400, "syncStateNotFound", "The sync state generation is not found.", reset.clone()),
            (400, "SyncStateNotFound", "", reset.clone()),
            (410, "resyncRequired", "", reset.clone()),
            (410, "", "", reset),
            (
                401,
                "InvalidAuthenticationToken",
                "Lifetime validation failed, the token is expired.",
                ErrorKind::Unauthorized,
            ),
            (
                403,
                "Authorization_RequestDenied",
                "Insufficient privileges to complete the operation.",
                ErrorKind::Forbidden,
            ),
            (403, "Directory_QuotaExceeded", "", ErrorKind::LimitReached),
            (
                404,
                "Request_ResourceNotFound",
                "Resource 'x' does not exist or one of its queried reference-property objects are not present.",
                ErrorKind::NotFound,
            ),
            (404, "UnknownError", "", ErrorKind::Transient),
            (409, "Directory_ConcurrencyViolation", "", ErrorKind::Transient),
            (409, "Conflict", "", ErrorKind::AlreadyExists),
            (424, "FailedDependency", "", ErrorKind::Refused),
            (429, "TooManyRequests", "Please retry again later.", ErrorKind::Throttled),
            (
                400,
                "Request_BadRequest",
                "One or more added object references already exist for the following modified properties: 'members'.",
                ErrorKind::AlreadyMember,
            ),
            (
                400,
                "Request_BadRequest",
                "Another object with the same value for property userPrincipalName already exists.",
                ErrorKind::AlreadyExists,
            ),
            (
                400,
                "Request_BadRequest",
                "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.",
                ErrorKind::DirectorySynced,
            ),
            (
                400,
                "Request_BadRequest",
                "Cannot Update a mail-enabled security groups and or distribution list.",
                ErrorKind::Refused,
            ),
            (400, "Request_BadRequest", "Resource temporarily unavailable.", ErrorKind::Transient),
            (501, "NotImplemented", "This operation target is not yet supported.", ErrorKind::InvalidRequest),
            (500, "UnknownError", "", ErrorKind::Transient),
            (503, "ServiceUnavailable", "", ErrorKind::Transient),
            (504, "GatewayTimeout", "", ErrorKind::Transient),
        ];
        for (status, code, message, kind) in table {
            let found = error(status, code, message);
            assert_eq!(found.kind, kind, "{status} {code} {message}");
            assert!(!found.to_string().is_empty() && !found.remedy().is_empty());
        }
    }

    #[test]
    fn a_reset_keeps_where_to_begin() {
        let mut response = answer(410, "");
        response.headers.insert(
            "location",
            HeaderValue::from_static("https://graph.microsoft.com/v1.0/users/delta?$deltatoken="),
        );
        let location = Some("https://graph.microsoft.com/v1.0/users/delta?$deltatoken=".to_owned());
        assert_eq!(error_of("GET /users/delta", &response).kind, ErrorKind::DeltaReset { location });
    }

    #[test]
    fn the_innermost_code_counts_in_either_spelling() {
        for key in ["innerError", "innererror"] {
            let body = json!({"error": {"code": "", "message": "m", key: {"code": "syncStateNotFound"}}});
            let found = error_of("x", &answer(400, &body.to_string()));
            assert_eq!(found.kind, ErrorKind::DeltaReset { location: None });
            assert_eq!(found.code.as_deref(), Some("syncStateNotFound"));
        }
    }

    #[test]
    fn a_web_page_is_not_graph_unless_its_gateway_is_down() {
        let page = "<!DOCTYPE html><html><body>Blocked</body></html>";
        assert_eq!(error_of("x", &answer(403, page)).kind, ErrorKind::NotMicrosoft);
        assert_eq!(error_of("x", &answer(200, page)).kind, ErrorKind::NotMicrosoft);
        assert_eq!(error_of("x", &answer(502, page)).kind, ErrorKind::Transient);
    }
}
