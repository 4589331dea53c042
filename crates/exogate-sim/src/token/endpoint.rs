//! The paths of the sign-in service: which document or grant a request asks for, and how refusals are sent.

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName, PRAGMA, RETRY_AFTER};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::TokenService;
use super::client::Form;
use super::discovery;
use super::error::SignInError;
use super::grant::TokenRequest;
use super::interactive::Screen;
use super::knobs::TokenKnobs;
use super::tenant::resolve;
use crate::clock::Time;
use crate::server::{Reply, Request};
use crate::state::State;

/// Answers one request to the sign-in service.
#[must_use]
pub fn respond(
    service: &TokenService,
    state: &State,
    knobs: &TokenKnobs,
    request: &Request,
    now: Time,
) -> Reply {
    let call = Call { service, state, request, now };
    let lower: Vec<String> =
        request.path.segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let tenant = request.path.segment(0).unwrap_or_default();
    match lower.as_slice() {
        [_, "oauth2", "v2.0", "token"] => call.token(knobs, tenant, true),
        [_, "oauth2", "token"] => call.token(knobs, tenant, false),
        [_, "oauth2", "v2.0", "devicecode"] | [_, "oauth2", "devicecode"] => {
            let form = Form::read(&request.body, None);
            call.send(call.screen(knobs).device_code(tenant, &form))
        }
        [_, "oauth2", "v2.0", "authorize"] | [_, "oauth2", "authorize"] => {
            call.screen(knobs).authorize(tenant, &request.query)
        }
        ["common", "discovery", "instance"] => call.instance(),
        [_, "v2.0", ".well-known", "openid-configuration"] => call.configuration(tenant, true),
        [_, ".well-known", "openid-configuration"] => call.configuration(tenant, false),
        [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"] => call.keys(tenant),
        ["common", "userrealm"] => call.realm(request.query.get("user").unwrap_or_default()),
        ["common", "userrealm", user] => {
            let _ = user;
            call.realm(request.path.segment(2).unwrap_or_default())
        }
        _ => Reply::with(
            StatusCode::NOT_FOUND,
            "text/html; charset=utf-8",
            "<html><head><title>Sign in</title></head><body><h1>404</h1><p>The resource you are looking for has been removed, had its name changed, or is temporarily unavailable.</p></body></html>",
        ),
    }
}

struct Call<'a> {
    service: &'a TokenService,
    state: &'a State,
    request: &'a Request,
    now: Time,
}

impl<'a> Call<'a> {
    fn screen(&self, knobs: &'a TokenKnobs) -> Screen<'a> {
        Screen { state: self.state, knobs, key: &self.service.key, now: self.now }
    }

    fn send(&self, result: Result<Value, SignInError>) -> Reply {
        let trace = self.service.next_id();
        let correlation = self
            .request
            .header("client-request-id")
            .or_else(|| self.request.query.get("client-request-id"))
            .and_then(|id| id.trim_matches(['{', '}']).parse().ok())
            .unwrap_or_else(|| self.service.next_id());
        let mut reply = match result {
            Ok(body) => Reply::json(StatusCode::OK, &body),
            Err(error) => {
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
                let mut reply = Reply::json(status, &error.body(trace, correlation, self.now.seconds()));
                if let Some(seconds) = error.retry_after {
                    reply.set_header(RETRY_AFTER, &seconds.to_string());
                }
                reply
            }
        };
        reply.set_header(CACHE_CONTROL, "no-store, no-cache");
        reply.set_header(PRAGMA, "no-cache");
        reply.set_header(HeaderName::from_static("x-ms-request-id"), &trace.to_string());
        reply.set_header(HeaderName::from_static("x-ms-ests-server"), "2.1.22000.5 - NEULR1 ProdSlices");
        if self
            .request
            .header("return-client-request-id")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        {
            reply.set_header(HeaderName::from_static("client-request-id"), &correlation.to_string());
        }
        reply
    }

    fn token(&self, knobs: &TokenKnobs, tenant: &str, v2: bool) -> Reply {
        if self.request.method != Method::POST {
            return self.send(Err(SignInError::new(
                900561,
                format!(
                    "The endpoint only accepts POST, OPTIONS requests. Received a {} request.",
                    self.request.method
                ),
            )));
        }
        let form = Form::read(&self.request.body, self.request.header("authorization"));
        let asked = TokenRequest {
            state: self.state,
            knobs,
            key: &self.service.key,
            tenant,
            host: &self.request.host,
            v2,
            form: &form,
            now: self.now,
        };
        self.send(asked.answer())
    }

    fn instance(&self) -> Reply {
        let endpoint = self.request.query.get("authorization_endpoint").unwrap_or_default();
        let rest = endpoint.strip_prefix("https://").unwrap_or(endpoint);
        let mut parts = rest.split('/');
        let host = parts.next().unwrap_or_default();
        let tenant = parts.next().filter(|tenant| !tenant.is_empty()).unwrap_or("common");
        let document = discovery::instance(host, tenant, &self.request.host).ok_or_else(|| {
            SignInError::new(50049, "Unknown or invalid instance. Trace the authority that was given.")
        });
        self.document(document)
    }

    fn configuration(&self, tenant: &str, v2: bool) -> Reply {
        let document = resolve(self.state, tenant)
            .map(|_| {
                discovery::openid_configuration(
                    &self.request.scheme_host,
                    &self.request.host,
                    &tenant.to_ascii_lowercase(),
                    &self.state.tenant.id.to_string(),
                    v2,
                )
            })
            .map_err(|mut error| {
                // The document service names this fault otherwise than the token service does.
                if error.code == 90002 {
                    error.error = "invalid_tenant";
                }
                error
            });
        self.document(document)
    }

    fn keys(&self, tenant: &str) -> Reply {
        let document = resolve(self.state, tenant).map(|_| {
            let mut key = self.service.key.jwk().clone();
            key["issuer"] = format!("https://login.microsoftonline.com/{}/v2.0", self.state.tenant.id).into();
            json!({"keys": [key]})
        });
        self.document(document)
    }

    fn realm(&self, user: &str) -> Reply {
        let domain = user.rsplit_once('@').map_or("", |(_, domain)| domain);
        let realm = match self.state.tenant.domain(domain) {
            Some(known) if known.federated => discovery::Realm::Federated,
            Some(_) => discovery::Realm::Managed,
            None => discovery::Realm::Unknown,
        };
        self.document(Ok(discovery::user_realm(user, realm, &self.request.host)))
    }

    /// Documents may be read by scripts in a browser and may be cached.
    fn document(&self, result: Result<Value, SignInError>) -> Reply {
        let ok = result.is_ok();
        let mut reply = self.send(result);
        reply.set_header(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        if ok {
            reply.set_header(CACHE_CONTROL, "max-age=86400, private");
            reply.headers.remove(PRAGMA);
        }
        reply
    }
}
