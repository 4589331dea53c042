//! Signing in: what goes out for each credential, what comes back, and how long it is kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire_support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use exogate_microsoft::caller::SeededIds;
use exogate_microsoft::certificate::ClientCertificate;
use exogate_microsoft::error::{ErrorKind, WireError};
use exogate_microsoft::signin::{
    AccessToken, AssertionAlgorithm, Credential, SignIn, TokenCache, TokenHints, TokenSource,
    claims_challenge,
};
use exogate_microsoft::transport::{Sent, TransportError, TransportErrorKind, WireRequest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use wire_support::*;
use x509_parser::prelude::{FromDer as _, X509Certificate};

const GRAPH: &str = "https://graph.microsoft.com";

fn sign_in(credential: Credential, transport: &Arc<Scripted>) -> SignIn {
    let ids = Arc::new(SeededIds::new(7));
    SignIn::new(&settings(credential), transport.clone(), ManualClock::new(), ids)
}

fn form(request: &WireRequest) -> HashMap<String, String> {
    form_urlencoded::parse(request.body.as_ref().unwrap()).into_owned().collect()
}

async fn asked(credential: Credential, claims: Option<&str>) -> WireRequest {
    let transport = Scripted::new([]);
    sign_in(credential, &transport).token(GRAPH, claims).await.unwrap();
    transport.sent.lock().unwrap().pop().unwrap()
}

fn part(jwt: &str, number: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(number).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_assertion_is_exact_and_its_signature_verifies() {
    let der = include_bytes!("certificates/exogate-test.cer");
    let (_, certificate) = X509Certificate::from_der(der).unwrap();
    let public = certificate.public_key().subject_public_key.data.to_vec();
    for algorithm in [AssertionAlgorithm::Ps256, AssertionAlgorithm::Rs256] {
        let request = asked(wire_support::certificate(algorithm), None).await;
        let endpoint = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", endpoint.as_str()));
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");

        let mut form = form(&request);
        let jwt = form.remove("client_assertion").unwrap();
        let rest = [
            ("client_id", CLIENT_ID),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("grant_type", "client_credentials"),
        ];
        assert_eq!(form, rest.map(|(name, value)| (name.to_owned(), value.to_owned())).into());

        let (x5t, x5t_s256) =
            (include_str!("certificates/x5t.txt"), include_str!("certificates/x5t-s256.txt"));
        let (header, verification): (_, &dyn ring::signature::VerificationAlgorithm) = match algorithm {
            AssertionAlgorithm::Ps256 => {
                (json!({"alg":"PS256","typ":"JWT","x5t#S256":x5t_s256.trim()}), &RSA_PSS_2048_8192_SHA256)
            }
            AssertionAlgorithm::Rs256 => {
                (json!({"alg":"RS256","typ":"JWT","x5t":x5t.trim()}), &RSA_PKCS1_2048_8192_SHA256)
            }
        };
        assert_eq!(part(&jwt, 0), header);
        let mut claims = part(&jwt, 1);
        let jti: uuid::Uuid =
            claims.as_object_mut().unwrap().remove("jti").unwrap().as_str().unwrap().parse().unwrap();
        assert_eq!(jti.get_version_num(), 4);
        let iat = 1_798_859_045_i64;
        assert_eq!(
            claims,
            json!({"aud":endpoint,"iss":CLIENT_ID,"sub":CLIENT_ID,"iat":iat,"nbf":iat,"exp":iat + 600})
        );
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(verification, &public);
        key.verify(signed.as_bytes(), &signature).expect("the certificate's own key signed it");
        key.verify(&signed.as_bytes()[1..], &signature).expect_err("and signed nothing else");
    }
}

#[tokio::test]
async fn secret_and_password_are_form_posts() {
    let form_of = |fields: &[(&str, &str)]| -> HashMap<String, String> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let scope = ("scope", "https://graph.microsoft.com/.default");
    let request = asked(secret(), Some(r#"{"access_token":{}}"#)).await;
    assert!(
        std::str::from_utf8(request.body.as_ref().unwrap()).unwrap().contains("client_secret=ab8%7EQ%2Bx")
    );
    assert_eq!(
        form(&request),
        form_of(&[
            ("client_id", CLIENT_ID),
            scope,
            ("client_secret", "ab8~Q+x"),
            ("grant_type", "client_credentials"),
            ("claims", r#"{"access_token":{}}"#)
        ])
    );

    let password = Credential::Password {
        client_id: exogate_microsoft::signin::EXCHANGE_MODULE_CLIENT_ID.to_owned(),
        username: "svc@contoso.com".to_owned(),
        password: "p&ss=wörd".to_owned().into(),
    };
    assert_eq!(
        form(&asked(password, None).await),
        form_of(&[
            ("client_id", "fb78d390-0c51-40cd-8e17-fdbfab77341b"),
            scope,
            ("username", "svc@contoso.com"),
            ("password", "p&ss=wörd"),
            ("grant_type", "password")
        ])
    );
}

#[tokio::test]
async fn managed_identity_asks_the_platform() {
    let body = r#"{"access_token":"t","client_id":"x","expires_in":"86399","expires_on":"1798945444","refresh_token":"","resource":"https://graph.microsoft.com/","token_type":"Bearer"}"#;
    let transport = Scripted::with_tokens([Ok(answer(200, &[], body))], []);
    let imds = Credential::ManagedIdentityImds {
        client_id: Some("user-assigned".to_owned()),
        endpoint: "http://169.254.169.254/".parse().unwrap(),
    };
    let token = sign_in(imds, &transport).token(GRAPH, None).await.unwrap();
    let request = transport.sent.lock().unwrap().pop().unwrap();
    assert_eq!(
        request.url.as_str(),
        "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fgraph.microsoft.com%2F&client_id=user-assigned"
    );
    assert_eq!((request.method.as_str(), &request.headers["metadata"]), ("GET", &"true".parse().unwrap()));
    assert_eq!(token.expires_at().as_second(), 1_798_859_045 + 86_399);
    assert_eq!(token.renew_at().as_second(), 1_798_859_045 + 86_399 - 300);

    // App Service gives no expires_in, only the time of day.
    let body = r#"{"access_token":"t","expires_on":"1798862645","resource":"https://graph.microsoft.com","token_type":"Bearer"}"#;
    let transport = Scripted::with_tokens([Ok(answer(200, &[], body))], []);
    let app_service = Credential::ManagedIdentityAppService {
        endpoint: "http://127.0.0.1:41741/msi/token/".parse().unwrap(),
        header: "853b9a84".to_owned().into(),
        client_id: None,
    };
    let token = sign_in(app_service, &transport).token(GRAPH, None).await.unwrap();
    let request = transport.sent.lock().unwrap().pop().unwrap();
    assert_eq!(
        request.url.as_str(),
        "http://127.0.0.1:41741/msi/token/?api-version=2019-08-01&resource=https%3A%2F%2Fgraph.microsoft.com"
    );
    assert_eq!(request.headers["x-identity-header"], "853b9a84");
    assert_eq!(token.expires_at().as_second(), 1_798_862_645);
}

#[tokio::test]
async fn a_machine_without_managed_identity_is_told_as_what_it_is() {
    let nowhere = TransportError {
        sent: Sent::No,
        kind: TransportErrorKind::Unreachable,
        host: "169.254.169.254".to_owned(),
        detail: "no route to host".to_owned(),
    };
    // Other clouds have a service of their own at this address.
    for reply in [Err(nowhere), Ok(answer(403, &[], "")), Ok(answer(200, &[], "<html>"))] {
        let transport = Scripted::with_tokens([reply], []);
        let imds = Credential::ManagedIdentityImds {
            client_id: None,
            endpoint: "http://169.254.169.254/".parse().unwrap(),
        };
        let error = sign_in(imds, &transport).token(GRAPH, None).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no managed identity answers at http://169.254.169.254/"), "{text}");
        assert!(error.remedy().contains("certificate"), "{}", error.remedy());
    }
}

#[tokio::test]
async fn what_does_not_sign_in_is_said_with_a_remedy() {
    let closed = TransportError {
        sent: Sent::No,
        kind: TransportErrorKind::Unreachable,
        host: "login.microsoftonline.com".to_owned(),
        detail: "connection refused".to_owned(),
    };
    let wrong_secret = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 2026-11-23 03:40:12Z","error_codes":[7000215],"trace_id":"1"}"#;
    let cases = [
        (
            Ok(answer(401, &[("x-ms-request-id", "r1")], wrong_secret)),
            "sign-in to https://graph.microsoft.com: the client secret is wrong (AADSTS7000215) (HTTP 401)",
            false,
        ),
        (
            Ok(answer(200, &[("content-type", "text/html")], "<html>Please log in to the guest network")),
            "sign-in to https://graph.microsoft.com: the answer does not come from Microsoft (HTTP 200)",
            false,
        ),
        (
            Ok(answer(503, &[("retry-after", "3")], "")),
            "sign-in to https://graph.microsoft.com: the sign-in service is temporarily unable to answer (HTTP 503)",
            true,
        ),
        (
            Ok(answer(404, &[], "{}")),
            "sign-in to https://graph.microsoft.com: the sign-in host does not answer like a token service (HTTP 404)",
            false,
        ),
        (
            Err(closed),
            "sign-in to https://graph.microsoft.com: the sign-in service cannot be reached: login.microsoftonline.com: no connection: connection refused",
            true,
        ),
    ];
    for (reply, sentence, retryable) in cases {
        let transport = Scripted::with_tokens([reply], []);
        let error = sign_in(secret(), &transport).token(GRAPH, None).await.unwrap_err();
        assert_eq!(error.to_string(), sentence);
        assert_eq!(error.is_retryable(), retryable, "{sentence}");
        assert!(error.remedy().ends_with('.'), "{sentence}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_not_sent() {
    let made = exogate_microsoft::certificate::create_self_signed(
        "old",
        1,
        2048,
        "2026-01-01T00:00:00Z".parse().unwrap(),
    )
    .unwrap();
    let certificate = ClientCertificate::from_pfx(&made.pfx("p").unwrap(), "p").unwrap();
    let algorithm = AssertionAlgorithm::Ps256;
    let credential = Credential::Certificate { client_id: CLIENT_ID.to_owned(), certificate, algorithm };
    let transport = Scripted::new([]);
    let error = sign_in(credential, &transport).token(GRAPH, None).await.unwrap_err();
    assert!(error.to_string().contains("expired on 2026-01-02T00:00:00Z"), "{error}");
    assert!(matches!(error.kind, ErrorKind::SignIn(_)) && !error.is_retryable());
    assert!(transport.sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_never_show() {
    let credential = secret();
    assert!(!format!("{credential:?}").contains("ab8"));
    let request = asked(credential, None).await;
    assert_eq!(format!("{request:?}"), format!("POST login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"));
    let transport = Scripted::new([]);
    let token = sign_in(secret(), &transport).token(GRAPH, None).await.unwrap();
    assert_eq!(token.header(), "Bearer token-1");
    assert!(token.header().is_sensitive());
    assert!(!format!("{token:?} {:?}", token.header()).contains("token-1"));
}

#[tokio::test]
async fn hints_are_read_from_a_jwt_and_from_nothing_else() {
    let claims = URL_SAFE_NO_PAD
        .encode(r#"{"roles":["User.Read.All"],"wids":["w"],"tid":"t","appid":"a","idtyp":"app"}"#);
    for (text, roles) in [(format!("h.{claims}.s"), 1), ("opaque".to_owned(), 0), ("a.b.c".to_owned(), 0)] {
        let transport = Scripted::with_tokens([Ok(token(&text, 3599))], []);
        let token = sign_in(secret(), &transport).token(GRAPH, None).await.unwrap();
        assert_eq!(TokenHints::of(&token).roles.len(), roles, "{text}");
    }
}

#[test]
fn a_claims_challenge_is_decoded_or_ignored() {
    let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;
    let header = format!(
        r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="{}""#,
        STANDARD.encode(claims)
    );
    assert_eq!(claims_challenge(&header).as_deref(), Some(claims));
    for useless in ["Bearer", "Bearer claims=\"", "Bearer claims=\"%%\"", "Bearer claims=\"bm90IGpzb24=\""] {
        assert_eq!(claims_challenge(useless), None, "{useless}");
    }
}

/// Gives numbered tokens after a moment, or fails as told.
struct Counting {
    made: AtomicUsize,
    failing: AtomicUsize,
    transport: Arc<Scripted>,
    sign_in: SignIn,
}

impl Counting {
    fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        let transport = Scripted::new([]);
        let ids = Arc::new(SeededIds::new(7));
        let sign_in = SignIn::new(&settings(secret()), transport.clone(), clock.clone(), ids);
        Arc::new(Self { made: AtomicUsize::new(0), failing: AtomicUsize::new(0), transport, sign_in })
    }
}

#[async_trait]
impl TokenSource for Counting {
    async fn token(&self, resource: &str, claims: Option<&str>) -> Result<AccessToken, WireError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        if self.failing.load(Ordering::SeqCst) > 0 {
            self.failing.fetch_sub(1, Ordering::SeqCst);
            *self.transport.tokens.lock().unwrap() = [Ok(answer(503, &[], ""))].into();
        }
        self.sign_in.token(resource, claims).await
    }
}

async fn together(cache: &TokenCache, callers: usize) -> Vec<Result<AccessToken, WireError>> {
    let waiting = (0..callers).map(|_| cache.get(GRAPH));
    futures::future::join_all(waiting).await
}

#[tokio::test(start_paused = true)]
async fn many_callers_sign_in_once_per_resource() {
    let clock = ManualClock::new();
    let source = Counting::new(&clock);
    let cache = TokenCache::new(source.clone(), clock.clone());
    let tokens = together(&cache, 50).await;
    assert_eq!(source.made.load(Ordering::SeqCst), 1);
    assert!(tokens.iter().all(|token| token.as_ref().unwrap().is(tokens[0].as_ref().unwrap())));
    cache.get("https://outlook.office365.com").await.unwrap();
    assert_eq!(source.made.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_those_who_waited_and_not_kept() {
    let clock = ManualClock::new();
    let source = Counting::new(&clock);
    source.failing.store(1, Ordering::SeqCst);
    let cache = TokenCache::new(source.clone(), clock);
    assert!(together(&cache, 50).await.iter().all(Result::is_err));
    assert_eq!(source.made.load(Ordering::SeqCst), 1);
    cache.get(GRAPH).await.unwrap();
    assert_eq!(source.made.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_early_and_the_old_one_serves_while_that_fails() {
    let clock = ManualClock::new();
    let source = Counting::new(&clock);
    let cache = TokenCache::new(source.clone(), clock.clone());
    let first = cache.get(GRAPH).await.unwrap();
    clock.advance(3_200);
    assert!(cache.get(GRAPH).await.unwrap().is(&first), "not old yet");
    clock.advance(150);
    source.failing.store(1, Ordering::SeqCst);
    assert!(together(&cache, 20).await.iter().all(|token| token.as_ref().unwrap().is(&first)));
    assert_eq!(source.made.load(Ordering::SeqCst), 2, "one caller tried");
    assert!(cache.get(GRAPH).await.unwrap().is(&first));
    assert_eq!(source.made.load(Ordering::SeqCst), 2, "and a rest follows");
    clock.advance(31);
    assert!(!cache.get(GRAPH).await.unwrap().is(&first));
    assert_eq!(source.made.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_never_used() {
    let clock = ManualClock::new();
    let source = Counting::new(&clock);
    let cache = TokenCache::new(source.clone(), clock.clone());
    cache.get(GRAPH).await.unwrap();
    clock.advance(3_590);
    source.failing.store(1, Ordering::SeqCst);
    assert!(cache.get(GRAPH).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn refused_tokens_are_replaced_once_for_all_who_hold_them() {
    let clock = ManualClock::new();
    let source = Counting::new(&clock);
    let cache = TokenCache::new(source.clone(), clock);
    let refused = cache.get(GRAPH).await.unwrap();
    let claims = r#"{"access_token":{}}"#;
    let fresh = futures::future::join_all((0..20).map(|_| cache.renew(GRAPH, &refused, Some(claims)))).await;
    assert_eq!(source.made.load(Ordering::SeqCst), 2);
    assert!(fresh.iter().all(|token| !token.as_ref().unwrap().is(&refused)));
    assert!(cache.get(GRAPH).await.unwrap().is(fresh[0].as_ref().unwrap()));
    let last = source.transport.sent.lock().unwrap().pop().unwrap();
    assert_eq!(form(&last)["claims"], claims);
}
