//! The transport on real sockets: what each failure is called, and whether anything may have arrived.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use exogate_microsoft::settings::Timeouts;
use exogate_microsoft::transport::{
    ReqwestTransport, Sent, Transport, TransportErrorKind, TransportSettings, TransportSetupError,
    WireRequest,
};
use exogate_microsoft::{Service, WireError};
use http::{HeaderValue, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What the server does with a connection once the request has come.
#[derive(Clone, Copy)]
enum Then {
    Answer(&'static [u8]),
    Close,
    Silence,
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    ca_pem: String,
}

async fn serve(then: Then) -> Server {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else { return };
                let mut request = Vec::new();
                while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                    if tls.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                match then {
                    Then::Answer(bytes) => {
                        let _ = tls.write_all(bytes).await;
                        let _ = tls.shutdown().await;
                    }
                    Then::Close => {}
                    Then::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
                }
            });
        }
    });
    Server { address, connections, ca_pem: made.cert.pem() }
}

fn settings(ca_pem: Option<&str>) -> TransportSettings {
    TransportSettings {
        ca_pem: ca_pem.map(|pem| pem.as_bytes().to_vec()),
        proxy: None,
        user_agent: "exogate/test".to_owned(),
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            answer: Duration::from_millis(400),
            chunk: Duration::from_millis(400),
        },
        largest_body: 1_000,
    }
}

fn get(address: SocketAddr) -> WireRequest {
    WireRequest::get(format!("https://localhost:{}/page?secret=1", address.port()).parse().unwrap())
}

#[tokio::test]
async fn an_answer_arrives_whole_and_a_redirect_is_not_followed() {
    let server = serve(Then::Answer(
        b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 5\r\n\r\nhello",
    ))
    .await;
    let transport = ReqwestTransport::new(&settings(Some(&server.ca_pem))).unwrap();
    let answer = transport.send(get(server.address)).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_ref()), (302, b"hello".as_slice()));
    assert_eq!(answer.header("location"), Some("https://elsewhere.example/"));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn gzip_is_undone() {
    // printf hello | gzip -n
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 25\r\n\r\n\
        \x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
    let server = serve(Then::Answer(ANSWER)).await;
    let transport = ReqwestTransport::new(&settings(Some(&server.ca_pem))).unwrap();
    assert_eq!(transport.send(get(server.address)).await.unwrap().body.as_ref(), b"hello");
}

#[tokio::test]
async fn each_failure_has_its_name_and_says_whether_anything_was_sent() {
    use TransportErrorKind as K;
    const LONG: &[u8] = &{
        let mut bytes = [b'x'; 2_044];
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n";
        let mut at = 0;
        while at < head.len() {
            bytes[at] = head[at];
            at += 1;
        }
        bytes
    };
    let cases = [
        ("closed without an answer", Then::Close, Sent::Maybe, K::Reset),
        ("no answer", Then::Silence, Sent::Maybe, K::Timeout),
        (
            "cut short",
            Then::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"),
            Sent::Maybe,
            K::Reset,
        ),
        ("not HTTP", Then::Answer(b"220 smtp ready\r\n\r\n"), Sent::Maybe, K::Reset),
        (
            "not gzip",
            Then::Answer(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello"),
            Sent::Maybe,
            K::Garbled,
        ),
        ("too large", Then::Answer(LONG), Sent::Maybe, K::TooLarge),
    ];
    for (name, then, sent, kind) in cases {
        let server = serve(then).await;
        let transport = ReqwestTransport::new(&settings(Some(&server.ca_pem))).unwrap();
        let error = transport.send(get(server.address)).await.expect_err(name);
        assert_eq!((error.sent, error.kind), (sent, kind), "{name}: {error}");
        assert!(!error.to_string().contains("secret"), "{name}: {error}");
        assert_eq!(server.connections.load(Ordering::SeqCst), 1, "{name}: sent once only");
    }
}

#[tokio::test]
async fn nothing_was_sent_to_whom_we_cannot_reach_or_trust() {
    let server = serve(Then::Close).await;
    let transport = ReqwestTransport::new(&settings(None)).unwrap();
    let error = transport.send(get(server.address)).await.expect_err("an unknown authority");
    assert_eq!((error.sent, error.kind), (Sent::No, TransportErrorKind::Tls), "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let plain = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\nplain HTTP on this port").await.unwrap();
        socket.shutdown().await.unwrap();
    });
    let error = transport.send(get(address)).await.expect_err("no TLS there");
    assert_eq!((error.sent, error.kind), (Sent::No, TransportErrorKind::Tls), "{error}");
    plain.await.unwrap();

    // The listener is gone with its task, so the port is closed.
    let error = transport.send(get(address)).await.expect_err("a closed port");
    assert_eq!((error.sent, error.kind), (Sent::No, TransportErrorKind::Unreachable), "{error}");

    let nowhere = WireRequest::new(Method::GET, "https://does-not-exist.invalid/".parse().unwrap());
    let error = transport.send(nowhere).await.expect_err("no such host");
    assert_eq!((error.sent, error.kind), (Sent::No, TransportErrorKind::Dns), "{error}");
}

#[tokio::test]
async fn a_request_may_wait_longer_than_the_default() {
    let server = serve(Then::Silence).await;
    let transport = ReqwestTransport::new(&settings(Some(&server.ca_pem))).unwrap();
    let begun = std::time::Instant::now();
    let request = get(server.address).answer_timeout(Duration::from_millis(900));
    assert_eq!(transport.send(request).await.unwrap_err().kind, TransportErrorKind::Timeout);
    assert!(begun.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn a_proxy_is_asked_and_its_refusal_is_not_an_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        // The second time it is asked what it has against it.
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                socket.read_buf(&mut request).await.unwrap();
            }
            let page = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
            socket.write_all(page).await.unwrap();
            asked.push(String::from_utf8(request).unwrap());
        }
        asked
    });
    let settings = TransportSettings { proxy: Some(proxy.parse().unwrap()), ..settings(None) };
    let transport = ReqwestTransport::new(&settings).unwrap();
    let request = WireRequest::get("https://graph.microsoft.com/v1.0/users".parse().unwrap());
    let error = transport.send(request).await.unwrap_err();
    let kind = TransportErrorKind::Proxy { status: Some(407) };
    assert_eq!((error.sent, error.kind), (Sent::No, kind), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with("graph.microsoft.com: no way through the proxy: the proxy 127.0.0.1:"),
        "{text}"
    );
    assert!(text.ends_with(" answered 407 Proxy Authentication Required"), "{text}");
    let told = WireError::of_fault(&error, Service::Graph, "GET users");
    assert!(told.remedy().contains("http://user:password@host:port"), "{told:?}");
    for asked in asked.await.unwrap() {
        assert!(asked.starts_with("CONNECT graph.microsoft.com:443 HTTP/1.1\r\n"), "{asked}");
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    for pem in ["", "no pem", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"] {
        let refused = ReqwestTransport::new(&settings(Some(pem)));
        assert!(matches!(refused, Err(TransportSetupError::CaFile(_))), "{pem:?}");
    }
}

mod answers {
    use super::*;
    use exogate_microsoft::transport::WireResponse;
    use http::{HeaderMap, StatusCode};

    fn answer(headers: &[(&'static str, &'static str)], body: &'static str) -> WireResponse {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        WireResponse { status: StatusCode::OK, headers, body: body.into() }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let date = ("date", "Mon, 23 Nov 2026 08:00:00 GMT");
        let cases: [(&[_], Option<u64>); 8] = [
            (&[("retry-after", "17")], Some(17)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999999999")], Some(86_400)),
            (&[("retry-after", "Mon, 23 Nov 2026 08:01:30 GMT"), date], Some(90)),
            (&[("retry-after", "Mon, 23 Nov 2026 07:00:00 GMT"), date], Some(0)),
            (&[("retry-after", "Mon, 23 Nov 2026 08:01:30 GMT")], None),
        ];
        for (headers, seconds) in cases {
            assert_eq!(answer(headers, "").retry_after(), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn a_web_page_is_recognised() {
        for (headers, body, html) in [
            (&[("content-type", "text/html; charset=utf-8")][..], "", true),
            (&[], "\r\n <!DOCTYPE html><title>Proxy</title>", true),
            (&[], "<HTML><body>", true),
            (&[("content-type", "application/json")], "{\"a\":\"<html>\"}", false),
            (&[], "", false),
        ] {
            assert_eq!(answer(headers, body).is_html(), html, "{body}");
        }
    }
}
