//! The public keys of an OpenID provider: fetched when needed, kept for an hour, fetched again when a
//! token names one that is not known, but not more often than once a minute.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Unrecognised;
use crate::causes::with_causes;
use crate::outgoing;

/// After that, keys are fetched again.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// After that, keys that could not be fetched again are believed no more.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between two attempts.
const FLOOR: Duration = Duration::from_secs(60);
/// The least time between two attempts while there are no keys at all.
const FLOOR_WITHOUT: Duration = Duration::from_secs(5);
/// No provider has longer answers.
const LARGEST: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Where keys come from.
pub trait FetchKeys: Send + Sync {
    /// The key set as it stands there now, or why not.
    fn fetch(&self) -> BoxFuture<'_, Result<JwkSet, String>>;
}

/// The keys of one provider.
pub(super) struct KeyRing {
    fetch: Arc<dyn FetchKeys>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<(Instant, Arc<Vec<Jwk>>)>,
    tried: Option<Instant>,
}

impl KeyRing {
    pub(super) fn new(fetch: Arc<dyn FetchKeys>) -> Self {
        Self { fetch, state: Mutex::default() }
    }

    /// The key of that id; without an id the only one.
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Option<Arc<Jwk>>, Unrecognised> {
        // Held while fetching: others wait for the same answer instead of asking too.
        let mut state = self.state.lock().await;
        let now = Instant::now();
        let age = state.keys.as_ref().map(|(at, _)| now.duration_since(*at));
        let known = state.keys.as_ref().and_then(|(_, keys)| pick(keys, id));
        if known.is_none() || age.is_none_or(|age| age >= FRESH) {
            let floor = if age.is_some() { FLOOR } else { FLOOR_WITHOUT };
            if state.tried.is_none_or(|tried| now.duration_since(tried) >= floor) {
                state.tried = Some(now);
                match self.fetch.fetch().await {
                    Ok(set) => state.keys = Some((now, Arc::new(signing(set)))),
                    Err(error) => tracing::warn!(error, "the keys of the OpenID provider cannot be fetched"),
                }
            }
        }
        match &state.keys {
            Some((at, keys)) if now.duration_since(*at) < STALE => Ok(pick(keys, id).map(Arc::new)),
            _ => Err(Unrecognised::Unavailable),
        }
    }
}

fn signing(set: JwkSet) -> Vec<Jwk> {
    let signs = |key: &Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    set.keys.into_iter().filter(signs).collect()
}

fn pick(keys: &[Jwk], id: Option<&str>) -> Option<Jwk> {
    match (id, keys) {
        (Some(id), keys) => keys.iter().find(|key| key.common.key_id.as_deref() == Some(id)).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

/// Fetches keys over HTTPS.
pub struct HttpKeys {
    client: reqwest::Client,
    place: Place,
}

enum Place {
    Issuer(String),
    Keys(String),
}

/// Why keys cannot be fetched from an address at all.
#[derive(Debug, thiserror::Error)]
#[error("the client for the OpenID provider cannot be made")]
pub struct KeysSetupError(#[source] reqwest::Error);

impl HttpKeys {
    /// From the address that is given, else from the one that the issuer names in its discovery
    /// document. `authorities`: PEM of further certificate authorities to trust.
    pub fn new(issuer: &str, keys: Option<&str>, authorities: Option<&[u8]>) -> Result<Self, KeysSetupError> {
        let client = outgoing::client(PATIENCE, authorities).map_err(KeysSetupError)?;
        let place = match keys {
            Some(keys) => Place::Keys(keys.to_owned()),
            None => Place::Issuer(issuer.to_owned()),
        };
        Ok(Self { client, place })
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let told = |error: reqwest::Error| format!("{url}: {}", with_causes(&error.without_url()));
        let mut answer = self.client.get(url).send().await.map_err(told)?.error_for_status().map_err(told)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(told)? {
            if body.len() + piece.len() > LARGEST {
                return Err(format!("{url}: the answer is larger than {LARGEST} bytes"));
            }
            body.extend_from_slice(&piece);
        }
        serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
    }
}

impl FetchKeys for HttpKeys {
    fn fetch(&self) -> BoxFuture<'_, Result<JwkSet, String>> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<serde_json::Value>,
        }
        Box::pin(async move {
            let url = match &self.place {
                Place::Keys(url) => url.clone(),
                Place::Issuer(issuer) => {
                    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                    let found: Discovery = self.get(&url).await?;
                    if found.issuer != *issuer {
                        return Err(format!("{url}: speaks for {:?}, not for {issuer:?}", found.issuer));
                    }
                    // Plain HTTP only where the issuer itself is reached so, which the configuration allows on
                    // this machine alone.
                    if !found.jwks_uri.starts_with("https://") && issuer.starts_with("https://") {
                        return Err(format!("{url}: its keys are at {}, which is not HTTPS", found.jwks_uri));
                    }
                    found.jwks_uri
                }
            };
            let set: Keys = self.get(&url).await?;
            // A key of a kind that is not known here is none for us, and no fault of the others.
            let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
            Ok(JwkSet { keys })
        })
    }
}
