//! Sign-in with a browser or on another device. Nobody sits at this tenant's screen unless the scenario names who does;
//! without him it refuses as a tenant does whose Conditional Access policies block these flows: in a way that clients
//! end on, not wait on.
//!
//! Codes carry what they stand for, signed; nothing is kept.

use http::StatusCode;
use http::header::LOCATION;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::{Form, find_app};
use super::error::SignInError;
use super::keys::SigningKey;
use super::knobs::TokenKnobs;
use super::tenant::resolve;
use crate::clock::Time;
use crate::server::{Query, Reply};
use crate::state::State;

/// What must be escaped in a query.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Seconds for which codes can be redeemed: a device's, a browser's.
const DEVICE_LIFE: i64 = 900;
const BROWSER_LIFE: i64 = 600;

/// Whoever sits at the screen, and what makes codes.
#[derive(Debug, Clone, Copy)]
pub struct Screen<'a> {
    /// The tenant.
    pub state: &'a State,
    /// The scenario.
    pub knobs: &'a TokenKnobs,
    /// What signs codes.
    pub key: &'a SigningKey,
    /// Now.
    pub now: Time,
}

/// What a redeemed code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// Who signed in.
    pub upn: String,
    /// What was asked for when the code was made.
    pub scope: String,
    /// To be repeated in the id token.
    pub nonce: Option<String>,
}

impl Screen<'_> {
    /// `POST …/devicecode`
    ///
    /// # Errors
    /// The refusal.
    pub fn device_code(&self, tenant: &str, form: &Form) -> Result<Value, SignInError> {
        let client = form.required("client_id")?;
        let upn = self.admitted(tenant, client)?;
        let scope = form.get("scope").or(form.get("resource")).unwrap_or_default();
        let code = self.code(&json!({
            "typ": "device", "appid": client.to_ascii_lowercase(), "upn": upn, "scope": scope,
            "iat": self.now.seconds(),
        }))?;
        let short: String =
            code.bytes().rev().filter(u8::is_ascii_alphanumeric).take(9).map(char::from).collect();
        let short = short.to_ascii_uppercase();
        Ok(json!({
            "user_code": short, "device_code": code, "verification_uri": "https://microsoft.com/devicelogin",
            "verification_url": "https://microsoft.com/devicelogin", "expires_in": DEVICE_LIFE, "interval": 5,
            "message": format!("To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code {short} to authenticate."),
        }))
    }

    fn code(&self, claims: &Value) -> Result<String, SignInError> {
        self.key
            .sign(&json!({"typ": "JWT", "alg": "RS256"}), claims)
            .ok_or_else(|| SignInError::new(90033, "A transient error has occurred. Please try again."))
    }

    /// The one at the screen, if the application may ask him.
    fn admitted(&self, tenant: &str, client: &str) -> Result<String, SignInError> {
        resolve(self.state, tenant)?;
        if find_app(self.state, client).is_none() {
            return Err(SignInError::app_not_found(client, &self.state.tenant.display_name));
        }
        self.knobs.interactive_user.clone().ok_or_else(|| {
            SignInError::new(
                53003,
                "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
            )
        })
    }

    /// `…/authorize`: back to the application where it waits on this machine, otherwise a page that says why.
    #[must_use]
    pub fn authorize(&self, tenant: &str, query: &Query) -> Reply {
        let outcome = match query.get("client_id") {
            Some(client) => self.admitted(tenant, client).map(|upn| (client, upn)),
            None => Err(SignInError::missing("client_id")),
        };
        let waits_here = query.get("redirect_uri").filter(|address| {
            let rest = address.split_once("://").map_or("", |(_, rest)| rest);
            let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
            matches!(host, "localhost" | "127.0.0.1") || rest.ends_with("/oauth2/nativeclient")
        });
        let mut fields: Vec<(&str, String)> = match &outcome {
            Ok((client, upn)) => {
                let code = self.code(&json!({
                    "typ": "code", "appid": client.to_ascii_lowercase(), "upn": upn, "iat": self.now.seconds(),
                    "scope": query.get("scope").or(query.get("resource")).unwrap_or_default(),
                    "nonce": query.get("nonce"), "redirect_uri": waits_here,
                    "challenge": query.get("code_challenge"), "method": query.get("code_challenge_method"),
                }));
                match code {
                    Ok(code) => vec![("code", code), ("session_state", self.state.tenant.id.to_string())],
                    Err(error) => return page(&error),
                }
            }
            // Only an application that the tenant knows is answered at its address.
            Err(error) if error.code == 53003 => vec![
                ("error", "access_denied".to_owned()),
                ("error_description", format!("AADSTS{}: {}", error.code, error.text)),
            ],
            Err(error) => return page(error),
        };
        let Some(address) = waits_here else {
            return page(&SignInError::new(
                50011,
                "The redirect URI specified in the request does not match the redirect URIs configured for the application. Make sure the redirect URI sent in the request matches one added to your application.",
            ));
        };
        if let Some(mark) = query.get("state") {
            fields.push(("state", mark.to_owned()));
        }
        sent_back(address, query.get("response_mode").unwrap_or("query"), &fields)
    }

    /// What a code stands for.
    ///
    /// # Errors
    /// AADSTS70008 and its like.
    pub fn redeem(&self, form: &Form, client: &str) -> Result<Redeemed, SignInError> {
        let expired = || {
            SignInError::new(
                70008,
                "The provided authorization code or refresh token has expired due to inactivity or is malformed. Send a new interactive authorization request for this user and resource.",
            )
        };
        let device = form.get("grant_type").is_some_and(|grant| grant.ends_with("device_code"));
        let code = if device {
            form.get("device_code").or(form.get("code")).ok_or_else(|| SignInError::missing("device_code"))?
        } else {
            form.required("code")?
        };
        let claims = self.key.open(code).ok_or_else(expired)?;
        let life = if device { DEVICE_LIFE } else { BROWSER_LIFE };
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let fits = claims["typ"] == if device { "device" } else { "code" }
            && text("appid").is_some_and(|app| app.eq_ignore_ascii_case(client));
        if !fits || self.now.seconds() - claims["iat"].as_i64().unwrap_or_default() > life {
            return Err(expired());
        }
        if let Some(challenge) = text("challenge") {
            let verifier = form.get("code_verifier").unwrap_or_default();
            let plain = text("method").is_some_and(|method| method.eq_ignore_ascii_case("plain"));
            let shown = if plain { verifier.to_owned() } else { hashed(verifier) };
            if shown != challenge {
                return Err(SignInError::new(
                    501_481,
                    "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
                ));
            }
        }
        if let (Some(asked), Some(given)) = (text("redirect_uri"), form.get("redirect_uri"))
            && asked != given
        {
            return Err(SignInError::new(
                500_112,
                format!(
                    "The reply address '{given}' does not match the reply address '{asked}' provided when requesting Authorization code."
                ),
            ));
        }
        let upn = text("upn").ok_or_else(expired)?;
        Ok(Redeemed { upn, scope: text("scope").unwrap_or_default(), nonce: text("nonce") })
    }
}

fn hashed(verifier: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier.as_bytes()))
}

/// The way back to the application: in the address, or by a form that sends itself.
fn sent_back(address: &str, mode: &str, fields: &[(&str, String)]) -> Reply {
    if mode.eq_ignore_ascii_case("form_post") {
        let inputs: String = fields
            .iter()
            .map(|(name, value)| {
                format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\" />", escaped(value))
            })
            .collect();
        return Reply::with(
            StatusCode::OK,
            "text/html; charset=utf-8",
            format!(
                "<html><head><title>Working...</title></head><body><form method=\"POST\" name=\"hiddenform\" action=\"{}\">{inputs}<noscript><input type=\"submit\" value=\"Submit\" /></noscript></form><script>document.forms[0].submit();</script></body></html>",
                escaped(address)
            ),
        );
    }
    let joint = if mode.eq_ignore_ascii_case("fragment") {
        '#'
    } else if address.contains('?') {
        '&'
    } else {
        '?'
    };
    let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let query: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Reply::status(StatusCode::FOUND).header(LOCATION, &format!("{address}{joint}{}", query.join("&")))
}

fn page(error: &SignInError) -> Reply {
    Reply::with(
        StatusCode::BAD_REQUEST,
        "text/html; charset=utf-8",
        format!(
            "<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><h1>Sorry, but we’re having trouble with signing you in.</h1><p>{}</p></body></html>",
            escaped(&format!("AADSTS{}: {}", error.code, error.text))
        ),
    )
}

/// The text names what the caller sent.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::generate::{Sizes, tenant};

    const CLIENT: &str = "14d82eec-204b-4c2f-b7e8-296a70dab67e";

    /// Who sits at the screen; then the screen is shown to the test.
    fn at_screen<T>(user: Option<&str>, look: impl FnOnce(&Screen<'_>) -> T) -> T {
        let now = Time::from_seconds(1_795_491_612);
        let state = tenant(&Sizes::default(), now).unwrap();
        let knobs = TokenKnobs { interactive_user: user.map(str::to_owned), ..TokenKnobs::default() };
        let key = SigningKey::load(None).unwrap();
        look(&Screen { state: &state, knobs: &knobs, key: &key, now })
    }

    fn location_of(user: Option<&str>, query: &str) -> Option<String> {
        at_screen(user, |screen| {
            let reply = screen.authorize("common", &Query::new(query));
            reply.headers.get(LOCATION).map(|value| value.to_str().unwrap().to_owned())
        })
    }

    fn location(query: &str) -> Option<String> {
        location_of(None, query)
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
        let code = |form: &str| {
            at_screen(None, |screen| screen.device_code("organizations", &Form::read(form.as_bytes(), None)))
                .unwrap_err()
                .code
        };
        assert_eq!(code(&format!("client_id={CLIENT}")), 53003);
        assert_eq!(code("client_id=00000000-1111-4222-8333-444444444444"), 700016);
        assert_eq!(code("scope=x"), 900144);
    }

    #[test]
    fn whoever_sits_at_the_screen_gets_codes_that_stand_for_him() {
        at_screen(Some("kim@contoso.com"), |screen| {
            let form = Form::read(format!("client_id={CLIENT}&scope=User.Read").as_bytes(), None);
            let made = screen.device_code("organizations", &form).unwrap();
            let body = format!(
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code={}",
                made["device_code"].as_str().unwrap()
            );
            let redeemed = screen.redeem(&Form::read(body.as_bytes(), None), CLIENT).unwrap();
            assert_eq!((redeemed.upn.as_str(), redeemed.scope.as_str()), ("kim@contoso.com", "User.Read"));
            assert_eq!(screen.redeem(&Form::read(body.as_bytes(), None), "another").unwrap_err().code, 70008);
        });
    }

    #[test]
    fn a_browser_code_needs_its_verifier() {
        at_screen(Some("kim@contoso.com"), |screen| {
            let challenge = hashed("the verifier");
            let reply = screen.authorize(
                "common",
                &Query::new(&format!(
                    "client_id={CLIENT}&redirect_uri=http%3A%2F%2Flocalhost%3A1&code_challenge={challenge}&nonce=n"
                )),
            );
            let to = reply.headers.get(LOCATION).unwrap().to_str().unwrap().to_owned();
            let code = to.split("code=").nth(1).unwrap().split('&').next().unwrap();
            let redeem = |verifier: &str| {
                let body = format!("grant_type=authorization_code&code={code}&code_verifier={verifier}");
                screen.redeem(&Form::read(body.as_bytes(), None), CLIENT)
            };
            assert_eq!(redeem("the+verifier").unwrap().nonce.as_deref(), Some("n"));
            assert_eq!(redeem("another").unwrap_err().code, 501_481);
        });
    }
}
