//! Sign-in with a browser or on another device. Nobody sits at this tenant's screen, so it refuses as a tenant does
//! whose Conditional Access policies block these flows: in a way that clients end on, not wait on.

use http::StatusCode;
use http::header::LOCATION;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::{Form, find_app};
use super::error::SignInError;
use super::tenant::resolve;
use crate::server::{Query, Reply};
use crate::state::State;

/// The refusal of `POST …/devicecode`.
#[must_use]
pub fn device_code(state: &State, tenant: &str, form: &Form) -> SignInError {
    match form.required("client_id") {
        Ok(client) => refusal(state, tenant, client),
        Err(missing) => missing,
    }
}

fn refusal(state: &State, tenant: &str, client: &str) -> SignInError {
    if let Err(unknown) = resolve(state, tenant) {
        return unknown;
    }
    if find_app(state, client).is_none() {
        return SignInError::app_not_found(client, &state.tenant.display_name);
    }
    SignInError::new(
        53003,
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    )
}

/// `…/authorize`: back to the application where it waits on this machine, otherwise a page that says why.
#[must_use]
pub fn authorize(state: &State, tenant: &str, query: &Query) -> Reply {
    let error = match query.get("client_id") {
        Some(client) => refusal(state, tenant, client),
        None => SignInError::missing("client_id"),
    };
    let text = format!("AADSTS{}: {}", error.code, error.text);
    let waits_here = query.get("redirect_uri").filter(|address| {
        let rest = address.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
        matches!(host, "localhost" | "127.0.0.1") || rest.ends_with("/oauth2/nativeclient")
    });
    match waits_here {
        // Only an application that the tenant knows is answered at its address.
        Some(address) if error.code == 53003 => {
            let joint = match query.get("response_mode") {
                Some(mode) if mode.eq_ignore_ascii_case("fragment") => '#',
                _ if address.contains('?') => '&',
                _ => '?',
            };
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let mut to = format!("{address}{joint}error=access_denied&error_description={}", encoded(&text));
            if let Some(mark) = query.get("state") {
                to.push_str("&state=");
                to.push_str(&encoded(mark));
            }
            Reply::status(StatusCode::FOUND).header(LOCATION, &to)
        }
        _ => Reply::with(
            StatusCode::BAD_REQUEST,
            "text/html; charset=utf-8",
            format!(
                "<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><h1>Sorry, but we’re having trouble with signing you in.</h1><p>{}</p></body></html>",
                escaped(&text)
            ),
        ),
    }
}

/// The text names what the caller sent.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::generate::{Sizes, tenant};

    const CLIENT: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";

    fn location(query: &str) -> Option<String> {
        let state = tenant(&Sizes::default(), Time::from_seconds(1_795_491_612)).unwrap();
        let reply = authorize(&state, "common", &Query::new(query));
        reply.headers.get(LOCATION).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_waiting_application_is_told_at_its_own_address() {
        let to = location(&format!(
            "client_id={CLIENT}&redirect_uri=http%3A%2F%2Flocalhost%3A4000&state=a%20b&response_type=code"
        ))
        .unwrap();
        assert!(
            to.starts_with("http://localhost:4000?error=access_denied&error_description=AADSTS53003"),
            "{to}"
        );
        assert!(to.ends_with("&state=a%20b"), "{to}");
    }

    #[test]
    fn nobody_else_is_sent_anywhere() {
        assert_eq!(location(&format!("client_id={CLIENT}&redirect_uri=https%3A%2F%2Fevil.test")), None);
        assert_eq!(location("client_id=unknown&redirect_uri=http%3A%2F%2Flocalhost"), None);
        assert_eq!(location("redirect_uri=http%3A%2F%2Flocalhost"), None);
    }

    #[test]
    fn device_codes_are_refused_by_name() {
        let state = tenant(&Sizes::default(), Time::from_seconds(1_795_491_612)).unwrap();
        let code = |form: &str| device_code(&state, "organizations", &Form::read(form.as_bytes(), None)).code;
        assert_eq!(code(&format!("client_id={CLIENT}")), 53003);
        assert_eq!(code("client_id=00000000-1111-4222-8333-444444444444"), 700016);
        assert_eq!(code("scope=x"), 900144);
    }
}
