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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::future::BoxFuture;
    use jiff::Timestamp;
    use jsonwebtoken::jwk::{Jwk, JwkSet};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    struct Provider {
        keys: Mutex<Option<JwkSet>>,
        asked: AtomicUsize,
    }

    impl FetchKeys for Provider {
        fn fetch(&self) -> BoxFuture<'_, Result<JwkSet, String>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let keys = self.keys.lock().unwrap().clone();
            Box::pin(async move { keys.ok_or_else(|| "down".to_owned()) })
        }
    }

    fn key(id: &str) -> (EncodingKey, Jwk) {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        (key, jwk)
    }

    fn judge(provider: &Arc<Provider>) -> OpenIdJudge {
        let role = |role: &str, scope, sources: Option<&str>| RoleRule {
            role: role.to_owned(),
            scope,
            sources: sources.map(|source| [source.to_owned()].into()),
        };
        let settings = OpenIdSettings {
            issuer: "https://issuer.example/v2.0".to_owned(),
            audiences: vec!["api://exogate".to_owned()],
            roles: vec![
                role("Read", Scope::Read, None),
                role("Change.A", Scope::Provision, Some("a")),
                role("Change.B", Scope::Provision, Some("b")),
            ],
        };
        let clock = exogate_model::clock::FixedClock(Timestamp::from_second(NOW).unwrap());
        OpenIdJudge::new(settings, Arc::clone(provider) as Arc<dyn FetchKeys>, Arc::new(clock))
    }

    fn claims() -> Value {
        json!({
            "iss": "https://issuer.example/v2.0", "aud": "api://exogate", "sub": "s-1", "azp": "midpoint",
            "exp": NOW + 600, "nbf": NOW - 600, "roles": ["Read"],
        })
    }

    fn signed(claims: &Value, key: &EncodingKey, id: &str) -> String {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, key).unwrap()
    }

    #[tokio::test]
    async fn a_sound_token_is_its_bearer_and_any_flaw_makes_it_nobodys() {
        let (ours, jwk) = key("k1");
        let provider = Arc::new(Provider {
            keys: Mutex::new(Some(JwkSet { keys: vec![jwk] })),
            asked: AtomicUsize::new(0),
        });
        let judge = judge(&provider);
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            signed(&claims, &ours, "k1")
        };
        let caller = judge.judge(&signed(&claims(), &ours, "k1")).await.unwrap();
        assert_eq!((caller.name.as_str(), caller.scope), ("midpoint", Scope::Read));
        assert_eq!((caller.kind, &caller.sources), (CallerKind::OpenId, &None));

        // The higher role says where it holds, whatever the lesser one may see.
        let both = judge.judge(&with("roles", json!(["Read", "Change.A", "Change.B"]))).await.unwrap();
        assert!(both.may(Scope::Provision, "a") && both.may(Scope::Read, "b") && !both.may(Scope::Read, "c"));
        let words = judge.judge(&with("scp", json!("openid Change.A"))).await.unwrap();
        assert_eq!(words.scope, Scope::Provision);

        let (theirs, _) = key("k1");
        let shared = encode(
            &Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) },
            &claims(),
            &EncodingKey::from_secret(b"public"),
        );
        let mut unsigned = signed(&claims(), &ours, "k1");
        unsigned.truncate(unsigned.rfind('.').unwrap() + 1);
        let flawed = [
            with("iss", json!("https://issuer.example/")),
            with("aud", json!("api://other")),
            with("aud", Value::Null),
            with("exp", json!(NOW - 61)),
            with("exp", Value::Null),
            with("nbf", json!(NOW + 61)),
            with("roles", json!(["Other"])),
            with("roles", Value::Null),
            signed(&claims(), &theirs, "k1"),
            shared.unwrap(),
            unsigned,
            "a.b.c".to_owned(),
            "é".to_owned(),
        ];
        for token in flawed {
            assert_eq!(judge.judge(&token).await, Err(Unrecognised::Invalid), "{token}");
        }
        assert!(judge.judge(&with("exp", json!(NOW - 59))).await.is_ok(), "clocks may differ a little");
    }

    #[tokio::test(start_paused = true)]
    async fn new_keys_are_found_without_asking_too_often() {
        let (old, old_jwk) = key("old");
        let (new, new_jwk) = key("new");
        let provider = Arc::new(Provider { keys: Mutex::new(None), asked: AtomicUsize::new(0) });
        let asked = || provider.asked.load(Ordering::SeqCst);
        let judge = judge(&provider);
        let (by_old, by_new) = (signed(&claims(), &old, "old"), signed(&claims(), &new, "new"));
        assert_eq!(judge.judge(&by_old).await, Err(Unrecognised::Unavailable));
        *provider.keys.lock().unwrap() = Some(JwkSet { keys: vec![old_jwk.clone()] });
        assert_eq!(judge.judge(&by_old).await, Err(Unrecognised::Unavailable));
        assert_eq!(asked(), 1);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(judge.judge(&by_old).await.is_ok());
        assert_eq!(asked(), 2);

        *provider.keys.lock().unwrap() = Some(JwkSet { keys: vec![new_jwk] });
        for _ in 0..9 {
            assert_eq!(judge.judge(&by_new).await, Err(Unrecognised::Invalid));
        }
        assert_eq!(asked(), 2, "not again within a minute");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(judge.judge(&by_new).await.is_ok());
        assert_eq!(judge.judge(&by_old).await, Err(Unrecognised::Invalid));
        assert_eq!(asked(), 3);

        // A provider that is down does not lock out those whose keys are known, but not for ever.
        *provider.keys.lock().unwrap() = None;
        tokio::time::advance(Duration::from_secs(2 * 60 * 60)).await;
        assert!(judge.judge(&by_new).await.is_ok());
        assert_eq!(asked(), 4);
        tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
        assert_eq!(judge.judge(&by_new).await, Err(Unrecognised::Unavailable));
    }
}
