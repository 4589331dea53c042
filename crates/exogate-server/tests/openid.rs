//! Tokens of an OpenID provider that is there: its discovery document and its keys over real HTTP, keys that change,
//! and every token that must open nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use exogate_server::Scope;
use exogate_server::auth::keys::HttpKeys;
use exogate_server::auth::openid::{OpenIdJudge, OpenIdSettings, RoleRule};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Served, Setup, client_with, clock};

/// A provider on loopback.
struct Provider {
    issuer: String,
    state: Arc<Document>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Document {
    claimed: Mutex<String>,
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
}

impl Provider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/tenant", listener.local_addr().unwrap());
        let state = Arc::new(Document::default());
        state.claimed.lock().unwrap().clone_from(&issuer);
        let keys = format!("{issuer}/keys");
        let discovery = move |State(state): State<Arc<Document>>| async move {
            let issuer = state.claimed.lock().unwrap().clone();
            Json(json!({"issuer": issuer, "jwks_uri": keys, "response_types_supported": ["code"]}))
        };
        let keys = |State(state): State<Arc<Document>>| async move {
            state.asked.fetch_add(1, Ordering::SeqCst);
            Json(json!({"keys": *state.keys.lock().unwrap()}))
        };
        let router = Router::new()
            .route("/tenant/.well-known/openid-configuration", get(discovery))
            .route("/tenant/keys", get(keys))
            .with_state(Arc::clone(&state));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, state, serving }
    }

    /// Publishes a new key under this id, in place of those before or beside them.
    fn publish(&self, id: &str, beside: bool) -> EncodingKey {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        let mut keys = self.state.keys.lock().unwrap();
        if !beside {
            keys.clear();
        }
        // Providers publish keys of kinds that nobody here knows, too.
        keys.push(json!({"kty": "AKP", "kid": format!("{id}-strange"), "alg": "ML-DSA-44", "pub": "AA"}));
        keys.push(serde_json::to_value(jwk).unwrap());
        key
    }

    fn claims(&self) -> Value {
        let now = clock().now().as_second();
        json!({"iss": self.issuer, "aud": "api://exogate", "sub": "s-1", "azp": "midpoint", "iat": now,
            "exp": now + 600, "nbf": now - 60, "roles": ["Exogate.Read"]})
    }

    /// A service that lets this provider's clients in.
    async fn served(&self, keys: Option<&str>) -> Served {
        let settings = OpenIdSettings {
            issuer: self.issuer.clone(),
            audiences: vec!["api://exogate".to_owned()],
            roles: vec![RoleRule { role: "Exogate.Read".to_owned(), scope: Scope::Read, sources: None }],
        };
        let keys = HttpKeys::new(&self.issuer, keys, None).unwrap();
        let judge = OpenIdJudge::new(settings, Arc::new(keys), clock());
        Served::with(Setup { aggregate: false, open_id: Some(judge), ..Setup::default() }).await
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn signed(claims: &Value, key: &EncodingKey, id: &str) -> String {
    encode(&Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) }, claims, key).unwrap()
}

async fn status(served: &Served, token: &str) -> StatusCode {
    client_with(Some(token)).get(served.url("/api/v1/sources")).send().await.unwrap().status()
}

#[tokio::test]
async fn a_token_of_the_provider_opens_the_door_and_no_other_does() {
    let provider = Provider::start().await;
    let key = provider.publish("k1", false);
    let served = provider.served(None).await;
    let with = |name: &str, value: Value| {
        let mut claims = provider.claims();
        claims[name] = value;
        signed(&claims, &key, "k1")
    };
    assert_eq!(status(&served, &signed(&provider.claims(), &key, "k1")).await, StatusCode::OK);
    let now = clock().now().as_second();
    let stranger = EncodingKey::from_ec_pem(rcgen::KeyPair::generate().unwrap().serialize_pem().as_bytes());
    // Nobody signs it, or the public key does as if it were a secret.
    let body = signed(&provider.claims(), &key, "k1").split('.').nth(1).unwrap().to_owned();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
    let public = provider.state.keys.lock().unwrap()[1].to_string();
    let confused = encode(
        &Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) },
        &provider.claims(),
        &EncodingKey::from_secret(public.as_bytes()),
    );
    for (why, token) in [
        ("another issuer", with("iss", json!("https://issuer.example/"))),
        ("another audience", with("aud", json!("api://other"))),
        ("expired", with("exp", json!(now - 120))),
        ("not valid yet", with("nbf", json!(now + 120))),
        ("no role of ours", with("roles", json!(["Exogate.Admin"]))),
        ("signed by a stranger", signed(&provider.claims(), &stranger.unwrap(), "k1")),
        ("alg none", none),
        ("the public key as a secret", confused.unwrap()),
    ] {
        assert_eq!(status(&served, &token).await, StatusCode::UNAUTHORIZED, "{why}");
    }
    // What it may not do, it may not do.
    let client = client_with(Some(&signed(&provider.claims(), &key, "k1")));
    let plan = client.post(served.url("/api/v1/sources/contoso/plans")).json(&json!({"groups": []}));
    assert_eq!(plan.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(provider.state.asked.load(Ordering::SeqCst), 1, "keys are fetched once, whoever comes");
    served.stop().await;
}

#[tokio::test]
async fn keys_are_exchanged_without_anybody_being_locked_out() {
    let provider = Provider::start().await;
    let served = provider.served(None).await;
    let asked = || provider.state.asked.load(Ordering::SeqCst);
    // Two keys at once, as while they are exchanged.
    let old = provider.publish("old", false);
    let new = provider.publish("new", true);
    let (by_old, by_new) = (signed(&provider.claims(), &old, "old"), signed(&provider.claims(), &new, "new"));
    assert_eq!(status(&served, &by_old).await, StatusCode::OK);
    assert_eq!(status(&served, &by_new).await, StatusCode::OK);
    // A third one takes the place of both. It is not asked for within a minute, whatever strangers name.
    let third = provider.publish("third", false);
    let by_third = signed(&provider.claims(), &third, "third");
    for _ in 0..3 {
        assert_eq!(status(&served, &by_third).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(asked(), 1);
    assert_eq!(status(&served, &by_old).await, StatusCode::OK);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(status(&served, &by_third).await, StatusCode::OK);
    assert_eq!(status(&served, &by_old).await, StatusCode::UNAUTHORIZED, "it was withdrawn");
    assert_eq!(asked(), 2);
    served.stop().await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_believed_or_reached_lets_nobody_in() {
    let provider = Provider::start().await;
    let key = provider.publish("k1", false);
    let token = signed(&provider.claims(), &key, "k1");
    // Its discovery document speaks for somebody else.
    provider.state.claimed.lock().unwrap().push_str("-not");
    let served = provider.served(None).await;
    assert_eq!(status(&served, &token).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(provider.state.asked.load(Ordering::SeqCst), 0, "its keys are not even asked for");
    served.stop().await;
    // Where the configuration says where keys are, nothing else is asked.
    let served = provider.served(Some(&format!("{}/keys", provider.issuer))).await;
    assert_eq!(status(&served, &token).await, StatusCode::OK);
    served.stop().await;
    let served = provider.served(Some("http://127.0.0.1:9/keys")).await;
    let refused = client_with(Some(&token)).get(served.url("/api/v1/sources")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    // Tokens of our own are not the provider's business.
    assert_eq!(status(&served, &served.token(Scope::Read).await).await, StatusCode::OK);
    served.stop().await;
}
