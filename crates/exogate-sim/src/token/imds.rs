//! Managed identities: the instance metadata endpoint of a machine and the App Service endpoint. Every value of
//! their answers is a string.

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::TokenService;
use super::claims::{Proof, Ticket};
use super::error::SignInError;
use super::grant::sign;
use super::keys::SigningKey;
use super::knobs::TokenKnobs;
use super::resource::{Requested, ScopeProblem, read_resource};
use crate::clock::Time;
use crate::server::{Reply, Request};
use crate::state::{App, AppKind, State};

/// Answers `GET /metadata/identity/oauth2/token` (and `/msi/token`, the App Service form).
#[must_use]
pub fn respond(
    service: &TokenService,
    state: &State,
    knobs: &TokenKnobs,
    request: &Request,
    now: Time,
) -> Reply {
    let app_service = request.header("x-identity-header").is_some() && request.header("metadata").is_none();
    let path: Vec<String> =
        request.path.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let known = matches!(
        path.as_slice(),
        ["metadata", "identity", "oauth2", "token"] | ["msi", "token"] | ["oauth2", "token"]
    );
    if !known {
        return Reply::json(
            StatusCode::NOT_FOUND,
            &json!({"error": "invalid_request", "error_description": "Not found"}),
        );
    }
    let refuse = |status: StatusCode, error: &str, text: &str| {
        if app_service {
            let correlation = service.next_id();
            Reply::json(
                status,
                &json!({"statusCode": status.as_u16(), "message": text, "correlationId": correlation}),
            )
        } else {
            Reply::json(status, &json!({"error": error, "error_description": text}))
        }
    };
    if app_service {
        if knobs
            .identity_header
            .as_deref()
            .is_some_and(|wanted| request.header("x-identity-header") != Some(wanted))
        {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "The X-IDENTITY-HEADER value is not valid.",
            );
        }
    } else if !request.header("metadata").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return refuse(StatusCode::BAD_REQUEST, "bad_request_102", "Required metadata header not specified");
    }
    let Some(resource) = request.query.get("resource").filter(|resource| !resource.is_empty()) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "Required query variable 'resource' is missing",
        );
    };
    if request.query.get("api-version").is_none() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "bad_request_100",
            "The API version is missing or not supported",
        );
    }
    let requested = match read_resource(resource) {
        Ok(requested) => requested,
        Err(
            ScopeProblem::UnknownResource(name)
            | ScopeProblem::Malformed(name)
            | ScopeProblem::NotDefault(name),
        ) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "invalid_resource",
                &format!(
                    "AADSTS500011: The resource principal named {name} was not found in the tenant named {}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
                    state.tenant.id
                ),
            );
        }
    };
    let Some(app) = identity(state, knobs, request) else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "Identity not found");
    };
    if !app.enabled {
        return refuse(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            &format!("AADSTS7000112: Application '{}'({}) is disabled.", app.client_id, app.display_name),
        );
    }
    let (token, lifetime) = match token_of(state, &service.key, app, &requested, now) {
        Ok(made) => made,
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", &error.text),
    };
    let expires_on = (now.seconds() + lifetime).to_string();
    let mut answer = json!({
        "access_token": token,
        "client_id": app.client_id,
        "expires_on": expires_on,
        "resource": requested.audience,
        "token_type": "Bearer",
    });
    if !app_service {
        answer["expires_in"] = lifetime.to_string().into();
        answer["ext_expires_in"] = lifetime.to_string().into();
        answer["not_before"] = (now.seconds() - 300).to_string().into();
        answer["refresh_token"] = "".into();
    }
    Reply::json(StatusCode::OK, &answer)
}

/// The identity that the query names, or the machine's own.
fn identity<'s>(state: &'s State, knobs: &TokenKnobs, request: &Request) -> Option<&'s App> {
    let managed = |app: &&App| app.kind == AppKind::ManagedIdentity;
    let id = |name: &str| request.query.get(name).map(|text| Uuid::try_parse(text).unwrap_or_default());
    if let Some(client) = id("client_id") {
        return state.apps.iter().filter(managed).find(|app| app.client_id == client);
    }
    if let Some(object) = id("object_id").or_else(|| id("principal_id")) {
        return state.apps.iter().filter(managed).find(|app| app.principal_id == object);
    }
    if let Some(resource) = ["msi_res_id", "mi_res_id"].iter().find_map(|name| request.query.get(name)) {
        return state.apps.iter().filter(managed).find(|app| {
            app.managed_resource.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(resource))
        });
    }
    if let Some(chosen) = &knobs.managed_identity_app {
        return state.apps.iter().find(|app| app.client_id.to_string().eq_ignore_ascii_case(chosen));
    }
    state.apps.iter().find(managed)
}

/// The access token of a managed identity, with its life in seconds.
fn token_of(
    state: &State,
    key: &SigningKey,
    app: &App,
    requested: &Requested,
    now: Time,
) -> Result<(String, i64), SignInError> {
    const LIFETIME: i64 = 86_399;
    let ticket = Ticket {
        state,
        app,
        requested,
        proof: Proof::Assertion,
        now: now.seconds(),
        lifetime: LIFETIME,
        cae: false,
    };
    let mut claims = ticket.app_claims();
    if let Some(resource) = &app.managed_resource {
        claims["xms_mirid"] = resource.as_str().into();
    }
    Ok((sign(key, &claims)?, LIFETIME))
}
