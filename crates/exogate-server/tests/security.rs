//! What a stranger, a slow sender and a greedy caller come to; and who is recognised by what.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use exogate_server::auth::certificate::{CertificateRule, Mark};
use exogate_server::serve::Limits;
use exogate_server::serve::tls::{Tls, TlsFiles};
use exogate_server::{Life, Scope};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use reqwest::{Certificate, Identity, StatusCode};
use support::{Served, Setup, client_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A place behind the guard that is always there.
const GUARDED: &str = "/metrics";

fn empty() -> Setup {
    Setup { aggregate: false, ..Setup::default() }
}

#[tokio::test]
async fn without_a_good_credential_nobody_comes_in() {
    let served = Served::with(empty()).await;
    let token = served.token(Scope::Read).await;
    let status = async |token: Option<&str>| {
        let answer = client_with(token).get(served.url(GUARDED)).send().await.unwrap();
        assert_eq!(
            answer.headers().contains_key("www-authenticate"),
            answer.status() == StatusCode::UNAUTHORIZED
        );
        assert!(answer.headers().contains_key("x-request-id"));
        answer.status()
    };
    assert_eq!(status(Some(&token)).await, StatusCode::OK);
    let forged = format!("{}x", &token[..token.len() - 1]);
    let header = "eyJhbGciOiJub25lIn0.e30.";
    for bad in [None, Some(forged.as_str()), Some(header), Some("exg_"), Some("x")] {
        assert_eq!(status(bad).await, StatusCode::UNAUTHORIZED, "{bad:?}");
    }
    // One source's credential does not see the numbers of all.
    let some = served.token_for(Scope::Admin, Some(&[support::SOURCE])).await;
    assert_eq!(status(Some(&some)).await, StatusCode::FORBIDDEN);

    let basic = client_with(None).get(served.url(GUARDED)).basic_auth("a", Some(&token)).send().await;
    assert_eq!(basic.unwrap().status(), StatusCode::UNAUTHORIZED);
    // Who tries on and on is told to wait.
    let stranger = client_with(None);
    let tries = (0..300).map(|_| stranger.get(served.url(GUARDED)).send());
    let answers = futures::future::join_all(tries).await;
    let told = answers.iter().flatten().find(|a| a.status() == StatusCode::TOO_MANY_REQUESTS).unwrap();
    assert!(told.headers().contains_key("retry-after"));
    assert_eq!(status(Some(&token)).await, StatusCode::OK, "a good credential still comes in");
    served.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_or_too_slow_is_refused() {
    let limits = Limits { body: 100_000, body_time: Duration::from_millis(400), ..Limits::default() };
    let served = Served::with(Setup { limits, ..empty() }).await;
    let token = served.token(Scope::Admin).await;
    let client = client_with(Some(&token));
    let large = client.post(served.url(GUARDED)).body(vec![b'x'; 100_001]).send().await.unwrap();
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let fits = client.post(served.url(GUARDED)).body(vec![b'x'; 100_000]).send().await.unwrap();
    assert_eq!(fits.status(), StatusCode::METHOD_NOT_ALLOWED);

    // 100 MB are promised; the answer comes before they do.
    let head = |length: usize| {
        format!(
            "POST {GUARDED} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    for (length, wanted) in [(100_000_000, "413"), (50, "408")] {
        let mut stream = TcpStream::connect(served.addr).await.unwrap();
        stream.write_all(head(length).as_bytes()).await.unwrap();
        stream.write_all(b"only this").await.unwrap();
        let mut answer = vec![0; 64];
        let read = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted}")), "{length}: {answer}");
    }
    served.stop().await;
}

#[tokio::test]
async fn who_does_not_speak_is_let_go_and_gives_its_place_to_others() {
    let limits = Limits { connections: 2, head_time: Duration::from_millis(300), ..Limits::default() };
    let served = Served::with(Setup { limits, ..empty() }).await;
    let mut silent = TcpStream::connect(served.addr).await.unwrap();
    let mut slow = TcpStream::connect(served.addr).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    // Both places are taken; this one comes in when they are free again.
    let answer = client_with(None).get(served.url("/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).await.unwrap_or_default();
    assert!(rest.is_empty());
    slow.read_to_end(&mut rest).await.unwrap_or_default();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"));
    served.stop().await;
}

#[tokio::test]
async fn a_caller_who_asks_too_often_is_told_to_wait_and_another_is_not() {
    let limits = Limits { requests_per_second: 1, ..Limits::default() };
    let served = Served::with(Setup { limits, ..empty() }).await;
    let greedy = served.client(Scope::Read).await;
    let mut statuses = Vec::new();
    while statuses.len() < 200 && statuses.last() != Some(&StatusCode::TOO_MANY_REQUESTS) {
        statuses.push(greedy.get(served.url(GUARDED)).send().await.unwrap().status());
    }
    assert_eq!(statuses[..2], [StatusCode::OK, StatusCode::OK]);
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
    let modest = served.client(Scope::Read).await;
    assert_eq!(modest.get(served.url(GUARDED)).send().await.unwrap().status(), StatusCode::OK);
    served.stop().await;
}

#[tokio::test]
async fn local_programs_come_in_where_that_is_allowed_and_web_pages_do_not() {
    let served = Served::with(Setup { local: Some(Scope::Read), ..empty() }).await;
    let client = client_with(None);
    let plain = client.get(served.url(GUARDED)).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::OK);
    for (name, value) in [("origin", "https://page.example"), ("host", "rebound.example")] {
        let page = client.get(served.url(GUARDED)).header(name, value).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::UNAUTHORIZED, "{name}");
    }
    served.stop().await;
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key.
    fn issue(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn over_tls(authority: &Authority, identity: Option<(String, String)>) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([Certificate::from_pem(authority.pem.as_bytes()).unwrap()]);
    let builder = match identity {
        Some((certificate, key)) => {
            builder.identity(Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap())
        }
        None => builder,
    };
    builder.build().unwrap()
}

#[tokio::test]
async fn a_client_certificate_is_a_caller_if_a_rule_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let path = |name: &str| folder.path().join(name);
    let (certificate, key) = ours.issue("server");
    std::fs::write(path("server.pem"), &certificate).unwrap();
    std::fs::write(path("server.key"), &key).unwrap();
    std::fs::write(path("clients.pem"), &clients.pem).unwrap();
    let files = TlsFiles {
        certificate: path("server.pem"),
        key: path("server.key"),
        client_ca: Some(path("clients.pem")),
    };
    let tls = Tls::open(files).unwrap();
    let rule = CertificateRule {
        mark: Mark::Subject("CN=midpoint".parse().unwrap()),
        name: "midpoint".to_owned(),
        scope: Scope::Read,
        sources: None,
    };
    let setup = Setup { tls: Some(tls.clone()), certificates: vec![rule], ..empty() };
    let served = Served::with(setup).await;
    let url = format!("https://localhost:{}{GUARDED}", served.addr.port());

    let status = async |client: reqwest::Client| client.get(&url).send().await.map(|a| a.status());
    assert_eq!(status(over_tls(&ours, Some(clients.issue("midpoint")))).await.unwrap(), StatusCode::OK);
    assert_eq!(
        status(over_tls(&ours, Some(clients.issue("other")))).await.unwrap(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(status(over_tls(&ours, None)).await.unwrap(), StatusCode::UNAUTHORIZED);
    assert!(status(over_tls(&ours, Some(strangers.issue("midpoint")))).await.is_err());
    let token = served.token(Scope::Read).await;
    let answer = over_tls(&ours, None).get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    // A new certificate is taken without a restart; a broken one leaves the old in use.
    let renewed = Authority::new();
    let (certificate, key) = renewed.issue("server");
    std::fs::write(path("server.pem"), &certificate).unwrap();
    tls.refresh().unwrap_err();
    assert_eq!(status(over_tls(&ours, None)).await.unwrap(), StatusCode::UNAUTHORIZED);
    std::fs::write(path("server.key"), &key).unwrap();
    assert!(tls.refresh().unwrap());
    assert!(!tls.refresh().unwrap());
    assert!(status(over_tls(&ours, None)).await.is_err());
    assert_eq!(status(over_tls(&renewed, None)).await.unwrap(), StatusCode::UNAUTHORIZED);
    served.stop().await;
}

#[tokio::test]
async fn metrics_tell_of_runs_and_objects_and_of_nobody() {
    let served = Served::start().await;
    let client = served.client(Scope::Read).await;
    let text = client.get(served.url(GUARDED)).send().await.unwrap().text().await.unwrap();
    for wanted in [
        "exogate_runs_total{source=\"contoso\",kind=\"full\",outcome=\"completed\"} 1",
        "exogate_run_active{source=\"contoso\"} 0",
        "exogate_calls_total{source=\"contoso\",service=\"exchange\",result=\"ok\"}",
        "exogate_governor_limit{source=\"contoso\",service=\"graph\"}",
        "exogate_objects{source=\"contoso\",kind=\"users\"}",
        "exogate_state_age_seconds{source=\"contoso\"}",
        "exogate_build_info{version=",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains('@'), "{text}");
    let again = client.get(served.url(GUARDED)).send().await.unwrap().text().await.unwrap();
    assert!(again.contains("exogate_http_requests_total{door=\"metrics\",method=\"GET\",status=\"200\"}"));
    served.stop().await;
}

#[tokio::test]
async fn a_stopping_service_is_not_ready_and_waits_for_what_is_under_way() {
    let life = Life::default();
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    drop(life.tasks.spawn(async { wait.await.unwrap() }));
    assert!(tokio::time::timeout(Duration::from_millis(20), life.tasks.idle()).await.is_err());
    go.send(()).unwrap();
    life.tasks.idle().await;

    let served = Served::with(empty()).await;
    let mut kept = TcpStream::connect(served.addr).await.unwrap();
    kept.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 512];
    let read = kept.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"));
    served.gateway.life.stopping.cancel();
    // The idle connection does not hold up the end.
    served.stop().await;
    assert_eq!(kept.read(&mut answer).await.unwrap_or_default(), 0);
}
