//! The access matrix: every kind of caller, with every scope, at every endpoint of every door; and which of
//! the requests are audited.
//!
//! Endpoints are taken from what the doors say of themselves; one without a row here fails.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use exogate_server::Scope;
use exogate_server::auth::certificate::{CertificateRule, Mark, PeerCertificate};
use exogate_server::auth::keys::FetchKeys;
use exogate_server::auth::openid::{OpenIdJudge, OpenIdSettings, RoleRule};
use exogate_server::auth::{Authenticator, Peer};
use exogate_server::serve::{self, Front, Limits, MOUNTS};
use futures::future::BoxFuture;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};
use support::{SOURCE, Served, clock};
use tower::ServiceExt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};

const OTHER: &str = "fabrikam";

/// One endpoint, and the scope that it needs.
#[derive(Debug, Clone)]
struct Row {
    method: &'static str,
    path: String,
    body: Option<Value>,
    scope: Scope,
}

impl Row {
    /// Whether it is about one source.
    fn has_source(&self) -> bool {
        self.path.split('/').any(|segment| segment == SOURCE)
    }
}

/// REST, by method and path as the OpenAPI document has them.
const REST: &[(&str, &str, Scope)] = &[
    ("GET", "/openapi.json", Scope::Read),
    ("GET", "/docs", Scope::Read),
    ("GET", "/sources", Scope::Read),
    ("GET", "/sources/{source}", Scope::Read),
    ("GET", "/sources/{source}/schema", Scope::Read),
    ("GET", "/sources/{source}/runs", Scope::Read),
    ("POST", "/sources/{source}/runs", Scope::Admin),
    ("GET", "/sources/{source}/runs/{run}", Scope::Read),
    ("GET", "/sources/{source}/runs/{run}/progress", Scope::Read),
    ("POST", "/sources/{source}/runs/{run}/cancel", Scope::Admin),
    ("GET", "/sources/{source}/accounts", Scope::Read),
    ("GET", "/sources/{source}/accounts/{account}", Scope::Read),
    ("GET", "/sources/{source}/groups", Scope::Read),
    ("GET", "/sources/{source}/groups/{group}", Scope::Read),
    ("GET", "/sources/{source}/mailboxes", Scope::Read),
    ("GET", "/sources/{source}/mailboxes/{mailbox}", Scope::Read),
    ("POST", "/sources/{source}/mailboxes/{mailbox}/restore", Scope::Provision),
    ("GET", "/sources/{source}/entitlements", Scope::Read),
    ("GET", "/sources/{source}/who/{mailbox}", Scope::Read),
    ("GET", "/sources/{source}/what/{holder}", Scope::Read),
    ("GET", "/sources/{source}/changes", Scope::Read),
    ("GET", "/sources/{source}/changes/stream", Scope::Read),
    ("GET", "/sources/{source}/webhooks", Scope::Admin),
    ("GET", "/sources/{source}/webhooks/{webhook}/dead-letters", Scope::Admin),
    ("POST", "/sources/{source}/webhooks/{webhook}/resend", Scope::Admin),
    ("POST", "/sources/{source}/plans/compile", Scope::Provision),
    ("POST", "/sources/{source}/plans", Scope::Provision),
    ("GET", "/sources/{source}/plans", Scope::Read),
    ("GET", "/sources/{source}/plans/{plan}", Scope::Read),
    ("GET", "/sources/{source}/plans/{plan}/progress", Scope::Read),
    ("POST", "/sources/{source}/plans/{plan}/undo", Scope::Provision),
    ("GET", "/sources/{source}/operations", Scope::Read),
    ("GET", "/sources/{source}/operations/{operation}", Scope::Read),
    ("POST", "/sources/{source}/operations/{operation}/undo", Scope::Provision),
    ("GET", "/sources/{source}/journal/verify", Scope::Admin),
];

/// SailPoint, by command.
const SAILPOINT: &[(&str, Scope)] = &[
    ("std:test-connection", Scope::Read),
    ("std:account:list", Scope::Read),
    ("std:account:read", Scope::Read),
    ("std:account:create", Scope::Provision),
    ("std:account:update", Scope::Provision),
    ("std:account:delete", Scope::Provision),
    ("std:account:enable", Scope::Provision),
    ("std:account:disable", Scope::Provision),
    ("std:account:discover-schema", Scope::Read),
    ("std:change-password", Scope::Provision),
    ("std:entitlement:list", Scope::Read),
    ("std:entitlement:read", Scope::Read),
    ("std:spec:read", Scope::Read),
];

/// SCIM: what each endpoint of a resource type takes.
const SCIM: &[(&str, &str, Scope)] = &[
    ("GET", "", Scope::Read),
    ("GET", "/ServiceProviderConfig", Scope::Read),
    ("GET", "/ResourceTypes", Scope::Read),
    ("GET", "/ResourceTypes/User", Scope::Read),
    ("GET", "/Schemas", Scope::Read),
    ("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", Scope::Read),
    ("POST", "/.search", Scope::Read),
    ("POST", "/Bulk", Scope::Provision),
    ("GET", "/Users", Scope::Read),
    ("POST", "/Users", Scope::Provision),
    ("POST", "/Users/.search", Scope::Read),
    ("GET", "/Users/x", Scope::Read),
    ("PUT", "/Users/x", Scope::Provision),
    ("PATCH", "/Users/x", Scope::Provision),
    ("DELETE", "/Users/x", Scope::Provision),
    ("GET", "/Groups", Scope::Read),
    ("POST", "/Groups", Scope::Provision),
    ("POST", "/Groups/.search", Scope::Read),
    ("GET", "/Groups/x", Scope::Read),
    ("PUT", "/Groups/x", Scope::Provision),
    ("PATCH", "/Groups/x", Scope::Provision),
    ("DELETE", "/Groups/x", Scope::Provision),
    ("GET", "/Entitlements", Scope::Read),
    ("POST", "/Entitlements/.search", Scope::Read),
    ("GET", "/Entitlements/x", Scope::Read),
];

fn rows(mount: &str) -> Vec<Row> {
    let place = |path: &str| {
        let path = path.replace("{source}", SOURCE);
        let segments = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        format!("{mount}{}", segments.collect::<Vec<_>>().join("/"))
    };
    let row = |(method, path, scope): &(&'static str, &str, Scope)| Row {
        method,
        path: place(path),
        body: None,
        scope: *scope,
    };
    match mount {
        "/api/v1" => REST.iter().map(row).collect(),
        "/scim/v2" => SCIM
            .iter()
            .map(|(method, path, scope)| row(&(method, &format!("/{SOURCE}{path}"), *scope)))
            .collect(),
        "/sailpoint" => SAILPOINT
            .iter()
            .map(|(command, scope)| Row {
                method: "POST",
                path: format!("{mount}/{SOURCE}"),
                body: Some(json!({ "type": command, "input": {} })),
                scope: *scope,
            })
            .chain([row(&("GET", "/{source}/connector-spec.json", Scope::Read))])
            .collect(),
        "/metrics" => vec![row(&("GET", "", Scope::Read))],
        other => panic!("the door {other} has no rows in the access matrix"),
    }
}

/// A way to prove who one is.
#[derive(Clone)]
enum Proof {
    Nothing,
    Bearer(String),
    Certificate(PeerCertificate),
}

struct Keys(JwkSet);

impl FetchKeys for Keys {
    fn fetch(&self) -> BoxFuture<'_, Result<JwkSet, String>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

fn certificate(name: &str) -> PeerCertificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    PeerCertificate::read(params.self_signed(&key).unwrap().der()).unwrap()
}

/// The service, and every kind of caller with every scope.
struct Matrix {
    router: Router,
    open: BTreeMap<Scope, Router>,
    callers: Vec<(&'static str, Scope, Proof)>,
    elsewhere: Vec<(&'static str, Proof)>,
    nobody: Vec<(&'static str, Proof)>,
}

impl Matrix {
    async fn new(served: &Served) -> Self {
        let pem = KeyPair::generate().unwrap().serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some("k".to_owned());
        let jwt = |role: &str, exp: i64| {
            let claims = json!({
                "iss": "https://issuer.example", "aud": "exogate", "azp": "app", "exp": exp, "roles": [role],
            });
            encode(&Header { kid: Some("k".to_owned()), ..Header::new(Algorithm::ES256) }, &claims, &key)
                .unwrap()
        };
        let later = clock().now().as_second() + 3600;
        let elsewhere = || Some(BTreeSet::from([OTHER.to_owned()]));
        let (mut roles, mut rules) = (Vec::new(), Vec::new());
        let (mut callers, mut others) = (Vec::new(), Vec::new());
        for scope in Scope::ALL {
            for (prefix, sources) in [("all", None), ("elsewhere", elsewhere())] {
                let name = format!("{prefix}-{}", scope.name());
                roles.push(RoleRule { role: name.clone(), scope, sources: sources.clone() });
                rules.push(CertificateRule {
                    mark: Mark::Subject(format!("CN={name}").parse().unwrap()),
                    name: name.clone(),
                    scope,
                    sources: sources.clone(),
                });
                let only = sources.is_some().then_some(&[OTHER][..]);
                let proofs = [
                    ("token", Proof::Bearer(served.token_for(scope, only).await)),
                    ("openid", Proof::Bearer(jwt(&name, later))),
                    ("certificate", Proof::Certificate(certificate(&name))),
                ];
                for (kind, proof) in proofs {
                    if sources.is_some() {
                        others.push((kind, proof));
                    } else {
                        callers.push((kind, scope, proof));
                    }
                }
            }
        }
        let settings = OpenIdSettings {
            issuer: "https://issuer.example".to_owned(),
            audiences: vec!["exogate".to_owned()],
            roles,
        };
        let keys = Arc::new(Keys(JwkSet { keys: vec![jwk] }));
        let authenticator = Authenticator::nobody()
            .with_tokens(served.tokens.clone(), clock())
            .with_certificates(rules)
            .with_open_id(OpenIdJudge::new(settings, keys, clock()));
        let front = |authenticator| Front { authenticator, limits: Limits::default(), metrics_open: false };
        let open = Scope::ALL.into_iter().map(|scope| {
            let authenticator = Authenticator::nobody().with_local(scope);
            (scope, serve::router(&served.gateway, front(authenticator)))
        });
        let nobody = vec![
            ("nothing", Proof::Nothing),
            ("forged token", Proof::Bearer("exg_aaaaaaaaaa_AAAA".to_owned())),
            ("expired openid", Proof::Bearer(jwt("all-admin", later - 7200))),
            ("unknown role", Proof::Bearer(jwt("all-powerful", later))),
            ("unknown certificate", Proof::Certificate(certificate("stranger"))),
        ];
        let open = open.collect();
        let router = serve::router(&served.gateway, front(authenticator));
        Self { router, open, callers, elsewhere: others, nobody }
    }
}

async fn ask(router: &Router, row: &Row, proof: &Proof, peer: &str) -> Response {
    let mut request = Request::builder().method(row.method).uri(&row.path).header("host", "localhost");
    if let Proof::Bearer(token) = proof {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = match &row.body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let mut request = request.body(body).unwrap();
    request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    if let Proof::Certificate(certificate) = proof {
        request.extensions_mut().insert(certificate.clone());
    }
    router.clone().oneshot(request).await.unwrap()
}

/// Another address each time, so that those who are refused are not told to wait.
fn peers() -> impl FnMut() -> String {
    let mut number = 0_u32;
    move || {
        number += 1;
        format!("{}:1", std::net::Ipv4Addr::from(0x0a00_0000 + number))
    }
}

#[tokio::test]
async fn every_caller_may_do_what_its_scope_says_and_no_more() {
    let served = Served::start().await;
    let matrix = Matrix::new(&served).await;
    let mut peer = peers();
    let mut wrong = Vec::new();
    for row in MOUNTS.iter().chain([&"/metrics"]).flat_map(|mount| rows(mount)) {
        let what = format!(
            "{} {} {}",
            row.method,
            row.path,
            row.body.as_ref().map_or("", |b| b["type"].as_str().unwrap())
        );
        for (kind, proof) in &matrix.nobody {
            let status = ask(&matrix.router, &row, proof, &peer()).await.status();
            if status != StatusCode::UNAUTHORIZED {
                wrong.push(format!("{what}: {kind}: {status}"));
            }
        }
        for (kind, proof) in matrix.elsewhere.iter().filter(|_| row.has_source()) {
            let status = ask(&matrix.router, &row, proof, &peer()).await.status();
            if status != StatusCode::NOT_FOUND {
                wrong.push(format!("{what}: {kind} of another source: {status}"));
            }
        }
        let local = matrix.open.iter().map(|(scope, router)| ("local", *scope, &Proof::Nothing, router));
        let callers =
            matrix.callers.iter().map(|(kind, scope, proof)| (*kind, *scope, proof, &matrix.router));
        for (kind, scope, proof, router) in callers.chain(local) {
            let at = if kind == "local" { "127.0.0.1:1".to_owned() } else { peer() };
            let status = ask(router, &row, proof, &at).await.status();
            let let_in = !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let sound = if scope >= row.scope {
                let_in && status != StatusCode::INTERNAL_SERVER_ERROR
            } else {
                status == StatusCode::FORBIDDEN
            };
            if !sound {
                wrong.push(format!("{what}: {kind} {}: {status}", scope.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    served.stop().await;
}

/// What asks for a change and what does not, beyond what method and scope say.
fn asks() -> Vec<(Row, bool)> {
    let row = |method, path: String, body: Value| Row { method, path, body: Some(body), scope: Scope::Read };
    let rest = |path: &str| format!("/api/v1/sources/{SOURCE}{path}");
    let scim = |path: &str| format!("/scim/v2{path}");
    let sailpoint = |path: &str| format!("/sailpoint{path}");
    let named = |command: &str| json!({ "type": command });
    let dry = || json!({ "dryRun": true });
    vec![
        (row("POST", rest("/plans/x/undo"), dry()), false),
        (row("POST", rest("/plans/x/undo"), json!({ "dryRun": false })), true),
        (row("POST", rest("/operations/x.0/undo"), dry()), false),
        (row("POST", rest("/mailboxes/x/restore"), json!({ "dryRun": true, "at": "x" })), false),
        (row("POST", rest("/plans/x/undo"), json!({ "dryRun": "true" })), true),
        // Only an undoing can be asked for so.
        (row("POST", rest("/plans"), dry()), true),
        (row("POST", rest("/runs/x/cancel"), dry()), true),
        // What is not there changes nothing.
        (row("POST", rest("/nowhere"), json!({})), false),
        (row("DELETE", rest("/accounts/x"), json!({})), false),
        (row("POST", scim("/Users"), json!({})), true),
        (row("POST", scim("/Users/.search"), json!({})), false),
        (row("POST", scim("/.search"), json!({})), false),
        (row("PUT", scim("/%55sers/x"), json!({})), true),
        (row("DELETE", scim(&format!("/{SOURCE}/Users/x")), json!({})), true),
        (row("DELETE", scim(&format!("/{SOURCE}/Entitlements/x")), json!({})), false),
        (row("POST", scim("/Nothings"), json!({})), false),
        (row("PUT", scim("/Users"), json!({})), false),
        (row("POST", scim("/Users/x/y"), json!({})), false),
        (row("POST", sailpoint(&format!("/{SOURCE}/any/path")), named("std:account:delete")), true),
        (row("POST", sailpoint(""), named("std:account:update")), true),
        (row("POST", sailpoint(""), named("std:account:list")), false),
        (row("POST", sailpoint(&format!("/{SOURCE}/connector-spec.json")), named("std:spec:read")), false),
        (row("POST", sailpoint(&format!("/{SOURCE}")), named("std:account:unlock")), false),
        (row("POST", sailpoint(&format!("/{SOURCE}")), json!([])), false),
        (row("GET", sailpoint(&format!("/{SOURCE}")), named("std:account:delete")), false),
    ]
}

#[tokio::test]
async fn every_request_for_a_change_is_audited_and_no_other() {
    let served = Served::start().await;
    let matrix = Matrix::new(&served).await;
    let compiles = format!("/api/v1/sources/{SOURCE}/plans/compile");
    let by_scope = |row: Row| {
        let changes = row.method != "GET" && row.scope > Scope::Read && row.path != compiles;
        (row, changes)
    };
    let matrix_rows = MOUNTS.iter().flat_map(|mount| rows(mount)).map(by_scope);
    let rows: Vec<(Row, bool)> = matrix_rows.chain(asks()).collect();
    let log = Log::default();
    let _watched = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
    let mut wrong = Vec::new();
    for scope in [Scope::Read, Scope::Admin] {
        let (_, _, proof) = matrix.callers.iter().find(|(_, of, _)| *of == scope).unwrap();
        for (row, changes) in &rows {
            let status = ask(&matrix.router, row, proof, "10.0.0.1:1").await.status();
            let lines = log.take();
            // Who may not change anything is on record for having tried.
            let wanted = if *changes { vec![format!("{} {}", row.method, status.as_u16())] } else { vec![] };
            if lines != wanted {
                wrong.push(format!("{scope:?} {row:?}: {lines:?} instead of {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    served.stop().await;
}

/// Method and status of each line of the audit.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        struct Fields(BTreeMap<&'static str, String>);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0.insert(field.name(), format!("{value:?}"));
            }
        }
        if event.metadata().target() == "exogate_server::audit" {
            let mut fields = Fields(BTreeMap::new());
            event.record(&mut fields);
            self.0.lock().unwrap().push(format!("{} {}", fields.0["method"], fields.0["status"]));
        }
    }
}

#[tokio::test]
async fn every_endpoint_of_every_door_has_a_row() {
    let served = Served::with(support::Setup { aggregate: false, ..support::Setup::default() }).await;
    let admin = Proof::Bearer(served.token(Scope::Admin).await);
    let router = Matrix::new(&served).await.router;
    let get = async |path: String| -> Value {
        let row = Row { method: "GET", path, body: None, scope: Scope::Read };
        let answer = ask(&router, &row, &admin, "10.0.0.1:1").await;
        assert_eq!(answer.status(), StatusCode::OK, "{}", row.path);
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    };
    for mount in MOUNTS {
        match *mount {
            "/api/v1" => {
                let document = get(format!("{mount}/openapi.json")).await;
                let mut found = BTreeSet::new();
                for (path, methods) in document["paths"].as_object().unwrap() {
                    for method in methods.as_object().unwrap().keys() {
                        found.insert((method.to_uppercase(), path.clone()));
                    }
                }
                let known = REST.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
                assert_eq!(found, known.collect::<BTreeSet<_>>());
            }
            "/sailpoint" => {
                let spec = get(format!("{mount}/{SOURCE}/connector-spec.json")).await;
                let found: BTreeSet<&str> =
                    spec["commands"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                let known: BTreeSet<&str> = SAILPOINT.iter().map(|(command, _)| *command).collect();
                assert_eq!(found, known);
            }
            "/scim/v2" => {
                let types = get(format!("{mount}/{SOURCE}/ResourceTypes")).await;
                let mut paths: BTreeSet<String> = SCIM
                    .iter()
                    .map(|(_, path, _)| (*path).to_owned())
                    .filter(|path| {
                        !["/Users", "/Groups", "/Entitlements"].iter().any(|of| path.starts_with(of))
                    })
                    .collect();
                for kind in types["Resources"].as_array().unwrap() {
                    let endpoint = kind["endpoint"].as_str().unwrap();
                    paths.extend(["", "/.search", "/x"].map(|more| format!("{endpoint}{more}")));
                }
                // Asked for what nobody does, each says what it takes.
                let mut found = BTreeSet::new();
                for path in paths {
                    let whole = format!("{mount}/{SOURCE}{path}");
                    let row = Row { method: "TRACE", path: whole, body: None, scope: Scope::Read };
                    let answer = ask(&router, &row, &admin, "10.0.0.1:1").await;
                    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
                    let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
                    let methods = allow.split(", ").filter(|method| *method != "HEAD");
                    found.extend(methods.map(|method| (method.to_owned(), path.clone())));
                }
                let known = SCIM.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()));
                assert_eq!(found, known.collect::<BTreeSet<_>>());
            }
            other => panic!("the door {other} says nothing of its endpoints here"),
        }
    }
    served.stop().await;
}
