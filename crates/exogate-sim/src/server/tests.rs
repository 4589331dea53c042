//! The sockets, over real TLS: routing, framing, compression, faults, throttling, trace.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::operation::Service;
use super::*;
use crate::options::{Scenario, SimOptions, Sizes, TenantSource, TraceSink};

struct Answered {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// The connection ended before the answer was whole.
    broken: bool,
}

async fn raw(sim: &RunningSim, host: &str, text: &str) -> Answered {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sim.ca_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(sim.addr()).await.unwrap();
    let name = ServerName::try_from(host.split(':').next().unwrap().to_owned()).unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).await;
    let split = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&bytes[..split]).to_lowercase();
    let body = bytes[split..].to_vec();
    let length =
        head.lines().find_map(|l| l.strip_prefix("content-length: ")).and_then(|v| v.parse::<usize>().ok());
    Answered {
        status: head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0),
        broken: ended.is_err() || length.is_some_and(|l| l > body.len()),
        head,
        body,
    }
}

async fn get(sim: &RunningSim, host: &str, target: &str, headers: &str) -> Answered {
    raw(sim, host, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"))
        .await
}

async fn invoke(sim: &RunningSim, cmdlet: &str) -> Answered {
    let body = format!(r#"{{"CmdletInput":{{"CmdletName":"{cmdlet}","Parameters":{{"Identity":"x"}}}}}}"#);
    raw(
        sim,
        "outlook.office365.com",
        &format!(
            "POST /adminapi/beta/contoso.com/InvokeCommand HTTP/1.1\r\nHost: outlook.office365.com\r\n\
             Connection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
    .await
}

fn small(scenario: &str) -> SimOptions {
    SimOptions {
        tenant: TenantSource::Generated(Sizes { users: 20, shared: 3, groups: 5, ..Sizes::default() }),
        scenario: toml::from_str::<Scenario>(scenario).unwrap(),
        trace: TraceSink::Memory,
        ..SimOptions::loopback()
    }
}

#[test]
fn requests_go_to_their_service_by_host_and_by_path() {
    for (host, path, expected) in [
        ("login.microsoftonline.com", "/x/oauth2/v2.0/token", Service::Token),
        ("LOGIN.microsoftonline.us:443", "/adminapi/beta/x/InvokeCommand", Service::Token),
        ("graph.microsoft.com", "/v1.0//users", Service::Graph),
        ("dod-graph.microsoft.us", "/v1.0/users", Service::Graph),
        ("outlook.office365.com", "/AdminApi/v1.0/x/EXOModuleFile", Service::Exchange),
        ("ps.compliance.protection.outlook.com", "/adminapi/beta/x/InvokeCommand", Service::Exchange),
        ("manage.office.com", "/api/v1.0/x/activity/feed/subscriptions/list", Service::Activity),
        ("localhost:8443", "/ADMINAPI/beta/x/InvokeCommand", Service::Exchange),
        ("127.0.0.1:8443", "/v1.0/users", Service::Graph),
        ("[::1]:8443", "/beta/groups", Service::Graph),
        ("localhost", "/api/v1.0/x/activity/feed", Service::Activity),
        ("localhost", "/contoso.com/oauth2/token", Service::Token),
        ("localhost", "/contoso.com/v2.0/.well-known/openid-configuration", Service::Token),
        ("localhost", "/common/discovery/instance", Service::Token),
        ("localhost", "/_sim/state", Service::Unknown),
        ("localhost", "/", Service::Unknown),
        ("", "", Service::Unknown),
    ] {
        assert_eq!(route::service(host, &Path::new(path)), expected, "{host} {path}");
    }
}

#[test]
fn gzip_is_spoken_only_when_asked_for() {
    let headers = |value: &str| {
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::ACCEPT_ENCODING, value.parse().unwrap());
        headers
    };
    for (value, takes) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5", true),
        ("*", true),
        ("identity", false),
        ("gzip;q=0", false),
        ("gzip; q=0.000", false),
    ] {
        assert_eq!(body::takes_gzip(&headers(value)), takes, "{value}");
    }
}

#[tokio::test]
async fn the_tenant_answers_over_tls_under_every_name() {
    let sim = start(small("")).await.unwrap();
    let facts = sim.tenant();
    assert_eq!(facts.domain, "contoso.com");
    let discovery = "/contoso.com/v2.0/.well-known/openid-configuration";
    for host in ["login.microsoftonline.com", "localhost"] {
        let answer = get(&sim, host, discovery, "").await;
        assert_eq!(answer.status, 200, "{host}");
        assert!(String::from_utf8_lossy(&answer.body).contains(&facts.tenant_id.to_string()));
    }
    assert_eq!(get(&sim, "graph.microsoft.com", "/v1.0/users", "").await.status, 401);
    assert_eq!(invoke(&sim, "Get-Mailbox").await.status, 401);
    assert_eq!(get(&sim, "localhost", "/nothing", "").await.status, 404);
    assert_eq!(get(&sim, "localhost", "/_sim/tenant", "").await.status, 404, "control is apart");
    let zipped = get(&sim, "login.microsoftonline.com", discovery, "Accept-Encoding: gzip\r\n").await;
    assert!(zipped.head.contains("content-encoding: gzip"), "{}", zipped.head);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&zipped.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("token_endpoint"));
    let head = raw(
        &sim,
        "localhost",
        &format!("HEAD {discovery} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    )
    .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let records = sim.trace().records();
    assert!(records.iter().any(|r| r.service == Service::Exchange && r.operation == "Get-Mailbox"));
    assert!(records.iter().any(|r| r.service == Service::Token && r.operation.starts_with("/{id}/v2.0")));
    sim.shutdown().await;
}

#[tokio::test]
async fn faults_reach_the_wire() {
    let sim = start(small(
        r#"
        [[faults]]
        name = "reset"
        match = { cmdlet = "Get-Mailbox", nth = 1 }
        action = { kind = "reset_before" }
        [[faults]]
        match = { cmdlet = "Get-CASMailbox", nth = 1 }
        action = { kind = "nul403" }
        [[faults]]
        match = { cmdlet = "Get-CASMailbox", nth = 2 }
        action = { kind = "plain_throttle" }
        [[faults]]
        match = { cmdlet = "Get-CASMailbox", nth = 3 }
        action = { kind = "transient400", type = "DCOverloadedException" }
        [[faults]]
        match = { service = "token" }
        action = { kind = "truncate" }
        [[faults]]
        match = { service = "graph" }
        action = { kind = "status", status = 429, retry_after = 7 }
        "#,
    ))
    .await
    .unwrap();
    let reset = invoke(&sim, "Get-Mailbox").await;
    assert!(reset.head.is_empty(), "nothing comes: {}", reset.head);
    assert_eq!(invoke(&sim, "Get-Mailbox").await.status, 401);
    let nul = invoke(&sim, "Get-CASMailbox").await;
    assert_eq!(nul.status, 403);
    assert!(nul.body.len() > 1000 && nul.body.iter().all(|b| *b == 0));
    let plain = invoke(&sim, "Get-CASMailbox").await;
    assert_eq!((plain.status, &plain.body[..8]), (200, &b"You have"[..]));
    let transient = invoke(&sim, "Get-CASMailbox").await;
    assert_eq!(transient.status, 400);
    assert!(String::from_utf8_lossy(&transient.body).contains("DCOverloadedException"));
    let cut = get(&sim, "localhost", "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/v2.0/authorize", "").await;
    assert!(cut.broken && cut.status == 200);
    let throttled = get(&sim, "graph.microsoft.com", "/v1.0/users", "").await;
    assert_eq!(throttled.status, 429);
    assert!(throttled.head.contains("retry-after: 7"));
    let aggregate = sim.trace().aggregate();
    assert_eq!(aggregate.faults, 6);
    assert_eq!(aggregate.throttled, 2);
    assert_eq!(sim.trace().records()[0].fault.as_deref(), Some("reset"));
    sim.shutdown().await;
}

#[tokio::test]
async fn calls_beyond_the_hidden_limit_are_refused_and_work_is_counted() {
    let sim = Arc::new(
        start(small(
            r#"
            [latency]
            profile = "measured"
            time_scale = 4.0
            [throttle.exchange]
            concurrency = 3
            "#,
        ))
        .await
        .unwrap(),
    );
    let began = Instant::now();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let sim = Arc::clone(&sim);
            tokio::spawn(async move { invoke(&sim, "Get-MailboxPermission").await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.await.unwrap());
    }
    assert!(began.elapsed() >= Duration::from_millis(211), "{:?}", began.elapsed());
    let refused = statuses.iter().filter(|s| **s == 429).count();
    let let_in = statuses.iter().filter(|s| **s == 401).count();
    assert!(let_in >= 3 && refused >= 1 && let_in + refused == 8, "{statuses:?}");
    let aggregate = sim.trace().aggregate();
    assert_eq!(aggregate.throttled as usize, refused);
    assert!((aggregate.work_ms - 846.0 * let_in as f64).abs() < 1.0, "{}", aggregate.work_ms);
    let ideal = aggregate.ideal_exchange_ms(3, 4.0);
    assert!((ideal - 846.0 * let_in as f64 / 12.0).abs() < 1.0, "{ideal}");
}

#[tokio::test]
async fn the_authority_is_kept_and_a_saved_tenant_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = || SimOptions { state_dir: Some(dir.path().to_owned()), ..small("") };
    let sim = start(options()).await.unwrap();
    let (pem, facts) = (sim.ca_pem().to_owned(), sim.tenant());
    let file = dir.path().join("tenant.jsonl");
    let app = sim.register_app(AppSpec::exogate().with_generated_secret()).unwrap();
    assert!(app.secret.is_some() && !format!("{app:?}").contains(app.secret.as_ref().unwrap()));
    sim.save(&file).unwrap();
    sim.shutdown().await;
    let again = start(SimOptions { tenant: TenantSource::Saved(file), ..options() }).await.unwrap();
    assert_eq!(again.ca_pem(), pem);
    assert_eq!(again.tenant(), facts);
    assert!(again.world().state().app(app.client_id).is_some());
    assert_eq!(get(&again, "localhost", "/v1.0/users", "").await.status, 401);
    again.shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let sim = start(small("")).await.unwrap();
    let failed = start(SimOptions { listen: sim.addr(), ..small("") }).await.unwrap_err();
    assert!(failed.to_string().contains(&sim.addr().to_string()), "{failed}");
}
