//! Tokens of an OpenID provider: signature, issuer, audience and time judged; roles become scopes.
//!
//! Signatures by public keys alone are believed, whatever the token says of itself. Where keys come
//! from is the business of [`super::keys`].

use std::collections::BTreeSet;
use std::sync::Arc;

use exogate_model::clock::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;

use super::Unrecognised;
use super::keys::{FetchKeys, KeyRing};
use crate::caller::{Caller, CallerKind, Scope};

/// How far clocks may be apart, in seconds.
const LEEWAY: f64 = 60.0;
/// The longest name that is taken over from a token.
const LONGEST_NAME: usize = 128;
/// What signs with a private key.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What a role of the provider may do here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// The role: an element of `roles`, or a word of `scp` or `scope`.
    pub role: String,
    /// What it may do.
    pub scope: Scope,
    /// The sources it is for; none: all of them.
    pub sources: Option<BTreeSet<String>>,
}

/// A provider, and whom of its clients to let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIdSettings {
    /// `iss`, to the letter.
    pub issuer: String,
    /// `aud` must be one of these.
    pub audiences: Vec<String>,
    /// What roles may do. A token without any of them is nobody's.
    pub roles: Vec<RoleRule>,
}

/// Judges tokens of one provider. Clones share its keys.
#[derive(Clone)]
pub struct OpenIdJudge {
    inner: Arc<Inner>,
}

struct Inner {
    settings: OpenIdSettings,
    keys: KeyRing,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    preferred_username: Option<String>,
    #[serde(default)]
    upn: Option<String>,
    #[serde(default)]
    roles: Option<Value>,
    #[serde(default)]
    scp: Option<Value>,
    #[serde(default)]
    scope: Option<Value>,
}

impl OpenIdJudge {
    /// A judge with keys from there.
    pub fn new(settings: OpenIdSettings, fetch: Arc<dyn FetchKeys>, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::new(Inner { settings, keys: KeyRing::new(fetch), clock }) }
    }

    /// Whose token it is.
    pub async fn judge(&self, token: &str) -> Result<Caller, Unrecognised> {
        let invalid = |why: &dyn std::fmt::Display| {
            tracing::debug!(%why, "a token of the OpenID provider is refused");
            Unrecognised::Invalid
        };
        let header = decode_header(token).map_err(|error| invalid(&error))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(invalid(&"its algorithm needs a shared secret"));
        }
        let jwk = self.inner.keys.find(header.kid.as_deref()).await?.ok_or(Unrecognised::Invalid)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|error| invalid(&error))?;
        let mut wanted = Validation::new(header.alg);
        wanted.set_issuer(&[&self.inner.settings.issuer]);
        wanted.set_audience(&self.inner.settings.audiences);
        wanted.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Time is judged below, by the clock that was handed in.
        wanted.validate_exp = false;
        wanted.validate_nbf = false;
        let claims = decode::<Claims>(token, &key, &wanted).map_err(|error| invalid(&error))?.claims;
        let now = self.inner.clock.now().as_second() as f64;
        if now >= claims.exp + LEEWAY {
            return Err(invalid(&"it has expired"));
        }
        if claims.nbf.is_some_and(|begin| now + LEEWAY < begin) {
            return Err(invalid(&"it is not valid yet"));
        }
        self.caller(&claims).ok_or_else(|| invalid(&"it has no role that means anything here, or no name"))
    }

    fn caller(&self, claims: &Claims) -> Option<Caller> {
        let held: BTreeSet<&str> =
            [&claims.roles, &claims.scp, &claims.scope].into_iter().flatten().flat_map(words).collect();
        let rules = || self.inner.settings.roles.iter().filter(|rule| held.contains(rule.role.as_str()));
        let scope = rules().map(|rule| rule.scope).max()?;
        // Sources of a lesser role say nothing about what the higher one may touch.
        let mut sources = Some(BTreeSet::new());
        for rule in rules().filter(|rule| rule.scope == scope) {
            match (&rule.sources, &mut sources) {
                (Some(more), Some(all)) => all.extend(more.iter().cloned()),
                _ => sources = None,
            }
        }
        Some(Caller { name: name(claims)?, kind: CallerKind::OpenId, scope, sources })
    }
}

/// A person's name, else an application's, else whatever the token is about.
fn name(claims: &Claims) -> Option<String> {
    let Claims { preferred_username, upn, azp, appid, client_id, sub, .. } = claims;
    [preferred_username, upn, azp, appid, client_id, sub]
        .into_iter()
        .flatten()
        .find(|name| {
            (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control)
        })
        .cloned()
}

/// The words of a claim that is a list, or a text with spaces.
fn words(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(text) => text.split_ascii_whitespace().collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
