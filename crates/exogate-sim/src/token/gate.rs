//! The gate in front of every service: reads the bearer token and gives the caller, or the service's own 401.
//! Whether the caller may do what it asks is the service's business.

use base64::Engine as _;
use http::StatusCode;
use http::header::{HeaderName, WWW_AUTHENTICATE};
use serde_json::json;

use super::TokenService;
use super::knobs::TokenKnobs;
use super::principal::Principal;
use super::resource::Resource;
use crate::clock::Time;
use crate::server::{Reply, Request};
use crate::state::State;

/// Why a call is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    Missing,
    Malformed,
    Expired,
    WrongAudience,
    UnknownApp,
    Challenge(String),
}

/// The caller behind a request to `resource`, or that service's 401.
///
/// # Errors
/// The answer to give instead.
pub fn check(
    service: &TokenService,
    state: &State,
    knobs: &TokenKnobs,
    request: &Request,
    resource: Resource,
    now: Time,
) -> Result<Principal, Reply> {
    verify(service, state, knobs, request, resource, now)
        .map_err(|refusal| reply(service, state, request, resource, now, &refusal))
}

fn verify(
    service: &TokenService,
    state: &State,
    knobs: &TokenKnobs,
    request: &Request,
    resource: Resource,
    now: Time,
) -> Result<Principal, Refusal> {
    let token = request.bearer().filter(|token| !token.is_empty()).ok_or(Refusal::Missing)?;
    let principal = service.open(token).ok_or(Refusal::Malformed)?;
    if principal.resource != resource {
        return Err(Refusal::WrongAudience);
    }
    if principal.expires <= now || principal.issued.seconds() > now.seconds() + 300 {
        return Err(Refusal::Expired);
    }
    let app = state.app(principal.app_id);
    if app.is_none() && !super::client::is_first_party(principal.app_id) {
        return Err(Refusal::UnknownApp);
    }
    // Continuous access evaluation: only clients that declared cp1 learn of it before the token ends.
    if principal.cae {
        let revoked_at = app
            .filter(|app| !app.enabled)
            .map(|_| now)
            .or_else(|| app.and_then(|app| app.tokens_valid_from))
            .filter(|from| principal.issued < *from)
            .or_else(|| challenge_due(service, knobs, &principal, now));
        if let Some(from) = revoked_at {
            let claims =
                json!({"access_token": {"nbf": {"essential": true, "value": from.seconds().to_string()}}});
            return Err(Refusal::Challenge(claims.to_string()));
        }
    }
    Ok(principal)
}

/// The scenario's challenge: the first call of an app is challenged, tokens issued from then on pass.
fn challenge_due(
    service: &TokenService,
    knobs: &TokenKnobs,
    principal: &Principal,
    now: Time,
) -> Option<Time> {
    let app = principal.app_id.to_string();
    if !knobs.challenge_apps.iter().any(|known| known.eq_ignore_ascii_case(&app)) {
        return None;
    }
    match service.challenged(principal.app_id, now) {
        None => Some(now),
        Some(since) => (principal.issued.seconds() < since.seconds()).then_some(since),
    }
}

fn reply(
    service: &TokenService,
    state: &State,
    request: &Request,
    resource: Resource,
    now: Time,
    refusal: &Refusal,
) -> Reply {
    let challenge = match refusal {
        Refusal::Challenge(claims) => format!(
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"{}\", error=\"insufficient_claims\", claims=\"{}\"",
            resource.app_id(),
            base64::engine::general_purpose::STANDARD.encode(claims)
        ),
        Refusal::Missing => format!(
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"{}\"",
            resource.app_id()
        ),
        _ => format!(
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"{}\", error=\"invalid_token\"",
            resource.app_id()
        ),
    };
    let mut reply = match resource {
        Resource::Graph => graph_body(service, request, now, refusal),
        Resource::Exchange => exchange_body(state, refusal),
        Resource::Management => Reply::json(
            StatusCode::UNAUTHORIZED,
            &json!({"Message": "Authorization has been denied for this request."}),
        ),
    };
    reply.set_header(WWW_AUTHENTICATE, &challenge);
    reply
}

fn graph_body(service: &TokenService, request: &Request, now: Time, refusal: &Refusal) -> Reply {
    let message = match refusal {
        Refusal::Missing => "Access token is empty.",
        Refusal::Malformed => {
            "IDX14100: JWT is not well formed, there are no dots (.) or the signature is invalid."
        }
        Refusal::Expired => "Lifetime validation failed, the token is expired.",
        Refusal::WrongAudience => "Access token validation failure. Invalid audience.",
        Refusal::UnknownApp => "Access token validation failure. The application is not known in the tenant.",
        Refusal::Challenge(_) => {
            "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp"
        }
    };
    let id = service.next_id().to_string();
    let client = request.header("client-request-id").unwrap_or(&id).to_owned();
    let body = json!({"error": {
        "code": "InvalidAuthenticationToken",
        "message": message,
        "innerError": {"date": now.bare(), "request-id": id, "client-request-id": client},
    }});
    let mut reply = Reply::json(StatusCode::UNAUTHORIZED, &body);
    reply.set_header(HeaderName::from_static("request-id"), &id);
    reply.set_header(HeaderName::from_static("client-request-id"), &client);
    reply
}

/// An empty body; the reason stands in a diagnostics header.
fn exchange_body(state: &State, refusal: &Refusal) -> Reply {
    let diagnostics = match refusal {
        Refusal::Missing => "2000001;reason=\"The request has no token.\";error_category=\"missing_token\"".to_owned(),
        Refusal::Malformed => "2000002;reason=\"The token is malformed.\";error_category=\"invalid_token\"".to_owned(),
        Refusal::Expired => "2000002;reason=\"The token has expired.\";error_category=\"expired_token\"".to_owned(),
        Refusal::WrongAudience => {
            "2000003;reason=\"The audience claim value is invalid 'aud'.\";error_category=\"invalid_resource\"".to_owned()
        }
        Refusal::UnknownApp => format!(
            "2000004;reason=\"The tenant for tenant guid '{}' does not exist.\";error_category=\"invalid_tenant\"",
            state.tenant.id
        ),
        Refusal::Challenge(_) => "2000010;reason=\"The token was issued before the revocation.\";error_category=\"insufficient_claims\"".to_owned(),
    };
    let mut reply = Reply::status(StatusCode::UNAUTHORIZED);
    reply.set_header(HeaderName::from_static("x-ms-diagnostics"), &diagnostics);
    reply
}
