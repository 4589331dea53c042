//! One sign-in: the request that each credential makes, and what its answer says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use exogate_model::clock::Clock;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::assertion::assertion;
use super::{AadError, AccessToken, Credential};
use crate::caller::Ids;
use crate::certificate::CertificateError;
use crate::error::{ErrorKind, Service, WireError};
use crate::settings::TenantSettings;
use crate::transport::{Transport, WireRequest, WireResponse};

/// Where tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// Obtains a token for `resource` (without `/.default`), with `claims` that a challenge demanded.
    async fn token(&self, resource: &str, claims: Option<&str>) -> Result<AccessToken, WireError>;
}

/// Signs in with a credential. Keeps nothing.
pub struct SignIn {
    credential: Credential,
    token_endpoint: Url,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// Replace a token this long before it expires, unless the service says when.
const EARLY: i64 = 300;
/// An identity endpoint on this machine answers at once or not at all.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(20);
const TOKEN_TIMEOUT: Duration = Duration::from_secs(60);

const METADATA: HeaderName = HeaderName::from_static("metadata");
const IDENTITY_HEADER: HeaderName = HeaderName::from_static("x-identity-header");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// Has no `Debug`: it holds the token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default, deserialize_with = "number_or_text")]
    expires_in: Option<i64>,
    #[serde(default, deserialize_with = "number_or_text")]
    expires_on: Option<i64>,
    #[serde(default, deserialize_with = "number_or_text")]
    refresh_in: Option<i64>,
}

/// Managed identity sends every number as text.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        // Lifetimes are far below the precision of a double.
        Some(Either::Number(number)) => Some(number as i64),
        Some(Either::Text(text)) => text.trim().parse().ok(),
        Some(Either::Other(_)) | None => None,
    })
}

impl SignIn {
    /// A sign-in as `settings` say.
    pub fn new(
        settings: &TenantSettings,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let mut token_endpoint = settings.endpoints.login.clone();
        if let Ok(mut path) = token_endpoint.path_segments_mut() {
            path.pop_if_empty().push(&settings.tenant).extend(["oauth2", "v2.0", "token"]);
        }
        Self { credential: settings.credential.clone(), token_endpoint, transport, clock, ids }
    }

    fn request(
        &self,
        resource: &str,
        claims: Option<&str>,
        now: Timestamp,
    ) -> Result<WireRequest, CertificateError> {
        let scope = format!("{resource}/.default");
        let mut form = form_urlencoded::Serializer::new(String::new());
        match &self.credential {
            Credential::ManagedIdentityImds { client_id, endpoint } => {
                let mut url = endpoint.clone();
                if matches!(url.path(), "" | "/") {
                    url.set_path("/metadata/identity/oauth2/token");
                }
                url.query_pairs_mut()
                    .append_pair("api-version", "2018-02-01")
                    .append_pair("resource", &format!("{resource}/"))
                    .extend_pairs(client_id.iter().map(|id| ("client_id", id)));
                return Ok(WireRequest::get(url)
                    .header(METADATA, HeaderValue::from_static("true"))
                    .answer_timeout(LOCAL_TIMEOUT));
            }
            Credential::ManagedIdentityAppService { endpoint, header, client_id } => {
                let mut url = endpoint.clone();
                url.query_pairs_mut()
                    .append_pair("api-version", "2019-08-01")
                    .append_pair("resource", resource)
                    .extend_pairs(client_id.iter().map(|id| ("client_id", id)));
                // A header that cannot be sent is left out, and the endpoint says that it is missing.
                let mut request = WireRequest::get(url).answer_timeout(LOCAL_TIMEOUT);
                if let Ok(mut value) = HeaderValue::from_str(header.expose_secret()) {
                    value.set_sensitive(true);
                    request.headers.insert(IDENTITY_HEADER, value);
                }
                return Ok(request);
            }
            Credential::Certificate { client_id, certificate, algorithm } => {
                certificate.check_validity(now)?;
                let audience = self.token_endpoint.as_str();
                let jwt = assertion(certificate, *algorithm, client_id, audience, self.ids.id(), now)?;
                form.append_pair("client_id", client_id)
                    .append_pair("scope", &scope)
                    .append_pair(
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    )
                    .append_pair("client_assertion", &jwt)
                    .append_pair("grant_type", "client_credentials");
            }
            Credential::Secret { client_id, secret } => {
                form.append_pair("client_id", client_id)
                    .append_pair("scope", &scope)
                    .append_pair("client_secret", secret.expose_secret())
                    .append_pair("grant_type", "client_credentials");
            }
            Credential::Password { client_id, username, password } => {
                form.append_pair("client_id", client_id)
                    .append_pair("scope", &scope)
                    .append_pair("username", username)
                    .append_pair("password", password.expose_secret())
                    .append_pair("grant_type", "password");
            }
        }
        form.extend_pairs(claims.map(|claims| ("claims", claims)));
        let mut request =
            WireRequest::json(Method::POST, self.token_endpoint.clone(), Bytes::from(form.finish()))
                .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
                .answer_timeout(TOKEN_TIMEOUT);
        if let Ok(id) = HeaderValue::from_str(&self.ids.id().to_string()) {
            request.headers.insert(CLIENT_REQUEST_ID, id);
        }
        Ok(request)
    }
}

impl SignIn {
    /// What it means for a managed identity that nothing answers, or something else does.
    fn explained(&self, error: WireError) -> WireError {
        let no_identity = matches!(
            error.kind,
            ErrorKind::Unreachable | ErrorKind::NotMicrosoft | ErrorKind::NotTrusted | ErrorKind::Protocol
        );
        let (endpoint, remedy) = match &self.credential {
            Credential::ManagedIdentityImds { endpoint, .. } => (
                endpoint,
                "Only virtual machines and containers in Azure have this endpoint, and only with an identity \
                 assigned to them. Elsewhere, sign in with a certificate.",
            ),
            Credential::ManagedIdentityAppService { endpoint, .. } => (
                endpoint,
                "IDENTITY_ENDPOINT and IDENTITY_HEADER must be those of this very App Service or Function: run \
                 exogate there, or sign in with a certificate.",
            ),
            Credential::Certificate { .. } | Credential::Secret { .. } | Credential::Password { .. } => {
                return error;
            }
        };
        if !no_identity {
            return error;
        }
        error.with_sentence(format!("no managed identity answers at {endpoint}")).with_remedy(remedy)
    }
}

#[async_trait]
impl TokenSource for SignIn {
    async fn token(&self, resource: &str, claims: Option<&str>) -> Result<AccessToken, WireError> {
        let what = format!("sign-in to {resource}");
        let now = self.clock.now();
        let request = self.request(resource, claims, now).map_err(|error| unusable(&what, &error))?;
        let response = self
            .transport
            .send(request)
            .await
            .map_err(|fault| self.explained(WireError::of_fault(&fault, Service::SignIn, &what)))?;
        understood(&what, &response, now).map_err(|error| self.explained(error))
    }
}

/// Reads the answer of a token or identity endpoint.
fn understood(what: &str, response: &WireResponse, now: Timestamp) -> Result<AccessToken, WireError> {
    let about = |kind| {
        WireError::new(kind, Service::SignIn, what)
            .with_status(response.status)
            .with_request_id(response.request_id().map(str::to_owned))
            .with_retry_after(response.retry_after())
    };
    if response.status == StatusCode::OK
        && let Ok(granted) = serde_json::from_slice::<Granted>(&response.body)
    {
        let lifetime = granted
            .expires_in
            .or_else(|| granted.expires_on.map(|until| until.saturating_sub(now.as_second())))
            .unwrap_or(0)
            .clamp(0, 7 * 86_400);
        // A token so short-lived that there is no early is used for half of its life.
        let renew_in = granted.refresh_in.unwrap_or((lifetime - EARLY).max(lifetime / 2)).clamp(0, lifetime);
        let at = |seconds| now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now);
        return AccessToken::new(&granted.access_token, at(lifetime), at(renew_in)).ok_or_else(|| {
            about(ErrorKind::Protocol).with_sentence("the token holds characters that no header can carry")
        });
    }
    if let Some(aad) = AadError::parse(response.status.as_u16(), &response.body) {
        let (code, words) = (aad.code, aad.description.clone());
        let error = about(ErrorKind::SignIn(aad)).with_message(words);
        return Err(if code == 0 { error } else { error.with_code(format!("AADSTS{code}")) });
    }
    if response.is_html() || response.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(about(ErrorKind::NotMicrosoft));
    }
    if response.status == StatusCode::TOO_MANY_REQUESTS || response.status.is_server_error() {
        return Err(about(ErrorKind::Transient));
    }
    Err(about(ErrorKind::Protocol).with_sentence("the sign-in host does not answer like a token service"))
}

fn unusable(what: &str, error: &CertificateError) -> WireError {
    let aad = AadError {
        code: 0,
        error: "invalid_client".to_owned(),
        suberror: None,
        description: error.to_string(),
        status: 0,
        trace_id: None,
    };
    WireError::new(ErrorKind::SignIn(aad), Service::SignIn, what)
        .with_sentence(error.to_string())
        .with_remedy(
            "Make a new certificate, upload its .cer to the app registration, and configure the new file.",
        )
}
