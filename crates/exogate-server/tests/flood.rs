//! What strangers and broken programs send to every door: never a fault of exogate's own, never something half done, and
//! no more memory for many of them than for a few.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use exogate_server::Scope;
use exogate_server::auth::token;
use exogate_server::serve::Limits;
use futures::StreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use support::{Served, Setup, client_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::RwLock;

/// The test that measures memory runs alone.
static TOGETHER: RwLock<()> = RwLock::const_new(());

/// How long the service waits for what does not come.
const SOON: Duration = Duration::from_millis(500);

/// What a door says and in which type.
#[derive(Debug)]
struct Answer {
    status: u16,
    kind: String,
    text: String,
}

/// Sends these very bytes and reads whatever comes; none where the connection was closed without a word.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // What is refused before its end may find the connection closed.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    understand(&answer)
}

fn understand(answer: &[u8]) -> Option<Answer> {
    let answer = String::from_utf8_lossy(answer).into_owned();
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let kind = head.to_ascii_lowercase();
    let kind = kind.split("content-type: ").nth(1).and_then(|rest| rest.lines().next());
    Some(Answer {
        status: head.split(' ').nth(1)?.parse().unwrap(),
        kind: kind.unwrap_or_default().to_owned(),
        text: text.to_owned(),
    })
}

fn request(method: &str, target: &str, token: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Where something can be sent, in which type, and in which the door complains.
const PLACES: [(&str, &str, &str, &str); 11] = [
    ("POST", "/api/v1/sources/contoso/plans", "application/json", "application/problem+json"),
    ("POST", "/api/v1/sources/contoso/plans/compile", "application/json", "application/problem+json"),
    ("POST", "/api/v1/sources/contoso/runs", "application/json", "application/problem+json"),
    ("POST", "/api/v1/sources/contoso/mailboxes/x/restore", "application/json", "application/problem+json"),
    ("POST", "/scim/v2/Users", "application/scim+json", "application/scim+json"),
    ("PUT", "/scim/v2/Groups/x", "application/scim+json", "application/scim+json"),
    ("PATCH", "/scim/v2/Users/x", "application/scim+json", "application/scim+json"),
    ("POST", "/scim/v2/Bulk", "application/scim+json", "application/scim+json"),
    ("POST", "/scim/v2/.search", "application/scim+json", "application/scim+json"),
    ("POST", "/sailpoint/contoso", "application/json", "application/x-ndjson"),
    ("POST", "/sailpoint/contoso/std:account:read", "application/json", "application/x-ndjson"),
];

fn broken_bodies() -> Vec<Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        Vec::new(),
        text("{"),
        text("]"),
        text("nul"),
        text("\""),
        text("null"),
        text("true"),
        text("[]"),
        text("0"),
        text("\"text\""),
        text("{\"a\": 1e999}"),
        text("{\"a\": \"\\ud800\"}"),
        text("{} {}"),
        text("\u{feff}{}"),
        b"\xff\xfe\x00".to_vec(),
        vec![0; 4096],
        "[".repeat(200_000).into_bytes(),
        "{\"a\":".repeat(100_000).into_bytes(),
        format!("{{\"type\":{}1{}}}", "[".repeat(120), "]".repeat(120)).into_bytes(),
        format!("{{\"{}\":1}}", "k".repeat(1_000_000)).into_bytes(),
        text(
            "{\"schemas\":7,\"Operations\":{},\"type\":[],\"input\":\"x\",\"accounts\":{},\"groups\":\"x\"}",
        ),
        text(
            "{\"Operations\":[null,7,{\"op\":{}}],\"accounts\":[null],\"type\":\"std:account:read\",\"input\":[]}",
        ),
    ]
}

#[tokio::test]
async fn broken_bodies_are_refused_by_every_door_in_its_own_words() {
    let _together = TOGETHER.read().await;
    let served = Served::start().await;
    let token = served.token(Scope::Admin).await;
    for (method, target, kind, complains) in PLACES {
        let mut asked: Vec<(&str, Vec<u8>)> = broken_bodies().into_iter().map(|body| (kind, body)).collect();
        for other in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "\t", "a/b; c=\"d"]
        {
            asked.push((other, b"{}".to_vec()));
        }
        for (kind, body) in asked {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let answer = raw(served.addr, &request(method, target, &token, kind, &body)).await.unwrap();
            assert!((200..500).contains(&answer.status), "{method} {target} {kind} {shown}: {answer:?}");
            if answer.status >= 400 {
                assert!(answer.kind.starts_with(complains), "{method} {target} {kind} {shown}: {answer:?}");
                assert!(!answer.text.is_empty(), "{method} {target} {shown}");
            }
        }
    }
    let operations = served.url("/api/v1/sources/contoso/operations");
    let operations = client_with(Some(&token)).get(operations).send().await.unwrap();
    let operations: Value = operations.json().await.unwrap();
    assert_eq!(operations["items"].as_array().map(Vec::len), Some(0), "nothing was begun: {operations}");
    served.stop().await;
}

/// Sends a head and then pieces, one after the other, until something is answered or the connection is closed.
async fn pour(addr: SocketAddr, head: &str, piece: &[u8], pieces: usize) -> Option<Answer> {
    let (mut reading, mut writing) = TcpStream::connect(addr).await.unwrap().into_split();
    let pouring = async {
        writing.write_all(head.as_bytes()).await.ok()?;
        for _ in 0..pieces {
            writing.write_all(piece).await.ok()?;
        }
        // Silent, and still there.
        std::future::pending::<Option<()>>().await
    };
    let mut answer = Vec::new();
    let listening = async {
        // What was answered before the connection broke counts.
        let _ = reading.read_to_end(&mut answer).await;
    };
    tokio::pin!(listening);
    tokio::select! {
        _ = pouring => listening.await,
        () = &mut listening => {}
    }
    understand(&answer)
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn what_is_too_large_or_too_slow_is_refused_by_every_door_in_its_own_words_and_fills_no_memory() {
    let _alone = TOGETHER.write().await;
    const PIECE: usize = 100_000;
    let limits = Limits { body_time: SOON, ..Limits::default() };
    let served = Served::with(Setup { limits, aggregate: false, ..Setup::default() }).await;
    let token = served.token(Scope::Admin).await;
    let piece = vec![b' '; PIECE];
    let chunk = [format!("{PIECE:x}\r\n").as_bytes(), &piece, b"\r\n"].concat();
    let before = memory();
    for (method, target, kind, complains) in PLACES {
        let head = |more: &str| {
            format!(
                "{method} {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n\
                 connection: close\r\n{more}\r\n\r\n"
            )
        };
        let promised = head("content-length: 100000000");
        let asked = [
            ("100 MB, promised and not sent", 413, pour(served.addr, &promised, b"", 0).await),
            ("100 MB, promised and sent", 413, pour(served.addr, &promised, &piece, 1000).await),
            (
                "100 MB, piece by piece",
                413,
                pour(served.addr, &head("transfer-encoding: chunked"), &chunk, 1000).await,
            ),
            (
                "a piece and nothing more",
                408,
                pour(served.addr, &head("content-length: 1000"), b"{\"type\":", 1).await,
            ),
            (
                "a chunk and nothing more",
                408,
                pour(served.addr, &head("transfer-encoding: chunked"), b"1\r\n{\r\n", 1).await,
            ),
        ];
        for (what, status, answer) in asked {
            // Who goes on sending may find the connection closed before the answer.
            let Some(answer) = answer else {
                assert!(
                    what.ends_with("sent") || what.ends_with("piece"),
                    "{method} {target} {what}: nothing"
                );
                continue;
            };
            assert_eq!(answer.status, status, "{method} {target} {what}: {answer:?}");
            assert!(answer.kind.starts_with(complains), "{method} {target} {what}: {answer:?}");
            assert!(!answer.text.is_empty(), "{method} {target} {what}");
        }
        // Within what the service takes, and beyond what any command can be.
        let large = request(method, target, &token, kind, &vec![b' '; 5_000_000]);
        let large = raw(served.addr, &large).await.unwrap();
        assert!([400, 413].contains(&large.status), "{method} {target}: {large:?}");
        assert!(large.kind.starts_with(complains), "{method} {target}: {large:?}");
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{} MiB more", grown / 1024 / 1024);
    served.stop().await;
}

#[tokio::test]
async fn credentials_that_are_worth_nothing_are_refused_by_every_door_in_its_own_words() {
    let _together = TOGETHER.read().await;
    let served = Served::with(Setup { aggregate: false, ..Setup::default() }).await;
    let good = served.token(Scope::Admin).await;
    let [expired, revoked] = ["expired", "revoked"].map(|name| {
        let end = (name == "expired").then(|| support::clock().now() - Duration::from_secs(1));
        (name, token::mint(name, Scope::Admin, None, end))
    });
    let mut bad = vec![format!("{}x", &good[..good.len() - 1]), "eyJhbGciOiJub25lIn0.e30.".to_owned()];
    for (name, (secret, kept)) in [expired, revoked] {
        served.tokens.add(kept).await.unwrap();
        if name == "revoked" {
            served.tokens.revoke(name).await.unwrap().unwrap();
        }
        bad.push(secret.expose_secret().to_owned());
    }
    for token in bad {
        for at in [0, 4, 9] {
            let (method, target, kind, complains) = PLACES[at];
            let answer = raw(served.addr, &request(method, target, &token, kind, b"{}")).await.unwrap();
            assert_eq!(answer.status, 401, "{target}: {answer:?}");
            assert!(answer.kind.starts_with(complains), "{target}: {answer:?}");
            assert!(!answer.text.contains(&token), "{target}: {answer:?}");
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn no_path_leads_astray() {
    let _together = TOGETHER.read().await;
    let served = Served::with(Setup { sources: vec!["contoso", "other"], ..Setup::default() }).await;
    let own = served.token_for(Scope::Admin, Some(&["contoso"])).await;
    let long = format!("/api/v1/sources/{}", "a".repeat(60_000));
    let query =
        format!("/scim/v2/contoso/Users?filter={}userName%20pr{}", "(".repeat(9_000), ")".repeat(9_000));
    let nots =
        format!("/scim/v2/contoso/Users?filter={}a%20pr{}", "not%20(".repeat(5_000), ")".repeat(5_000));
    let tricks = [
        "/api/v1/sources/other/accounts",
        "/api/v1/sources/contoso/../other/accounts",
        "/api/v1/sources/contoso/%2e%2e/other/accounts",
        "/api/v1/sources/contoso%2f..%2fother/accounts",
        "/api/v1/sources/contoso%00/accounts",
        "/api/v1/sources/other%20/accounts",
        "/api/v1/sources/OTHER/accounts",
        "/api/v1//sources/other/accounts",
        "/api/v1/sources//accounts",
        "/api/v1/sources/%ff%fe/accounts",
        "/api/v1/sources/contoso/accounts/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/sources/contoso/accounts/%00",
        "/api/v1/sources/contoso/accounts/'%20or%201=1--",
        "/api/v1/sources/contoso/accounts?cursor=%ff",
        "/api/v1/sources/contoso/accounts?limit=99999999999999999999",
        "/api/v1/sources/contoso/changes?cursor=-1&wait=1e9",
        "/api/v1/..;/healthz",
        "/scim/v2/other/Users",
        "/scim/v2/contoso/../other/Users",
        "/scim/v2/contoso/Users/..%2f..%2fother%2fUsers",
        "/scim/v2/contoso/Users/%c0%ae%c0%ae",
        "/scim/v2/contoso/Users?startIndex=-9223372036854775808&count=9223372036854775807",
        "/scim/v2/contoso/Users?filter=%00",
        "/scim/v2/contoso/Users?sortBy=.&attributes=,,,",
        "/scim/v2/Users",
        "/sailpoint/other",
        "/sailpoint/contoso/../other",
        "/sailpoint/%2e%2e/other/connector-spec.json",
        "/metrics/../api/v1/sources/other/accounts",
        "//api/v1/sources/other/accounts",
        "/\\api\\v1\\sources",
        long.as_str(),
        query.as_str(),
        nots.as_str(),
    ];
    for target in tricks {
        let shown = &target[..target.len().min(80)];
        for method in ["GET", "POST", "DELETE", "BREW"] {
            let Some(answer) =
                raw(served.addr, &request(method, target, &own, "application/json", b"{}")).await
            else {
                continue;
            };
            assert!((200..500).contains(&answer.status), "{method} {shown}: {answer:?}");
            let wanted = match shown {
                at if at.starts_with("/scim/v2") => "application/scim+json",
                at if at.starts_with("/sailpoint") => "application/x-ndjson",
                _ => "application/problem+json",
            };
            // What is no request at all is refused without a word.
            let silent = answer.status == 400 && answer.text.is_empty();
            assert!(
                answer.status < 400 || silent || answer.kind.starts_with(wanted),
                "{method} {shown}: {answer:?}"
            );
            let well = answer.status < 300 && !answer.text.contains("\"Resources\":[]");
            let about_own = shown.starts_with("/scim/v2/contoso/Users?") && method == "GET";
            assert!(!well || about_own, "{method} {shown}: {answer:?}");
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn what_is_no_http_ends_its_connection_and_no_other() {
    let _together = TOGETHER.read().await;
    let limits = Limits { head_time: SOON, body_time: SOON, ..Limits::default() };
    let served = Served::with(Setup { aggregate: false, limits, ..Setup::default() }).await;
    let token = served.token(Scope::Read).await;
    let head = format!("GET /api/v1/sources HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
    let garbage: Vec<Vec<u8>> = vec![
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        vec![b'A'; 300_000],
        format!("{head}x: {}\r\n\r\n", "y".repeat(200_000)).into_bytes(),
        format!("{head}{}\r\n", "a: b\r\n".repeat(5_000)).into_bytes(),
        format!("{head}content-length: -1\r\n\r\n").into_bytes(),
        format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\nab").into_bytes(),
        format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n").into_bytes(),
        format!("{head}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n").into_bytes(),
        format!("{head}expect: 200-maybe\r\ncontent-length: 5\r\n\r\n").into_bytes(),
    ];
    for bytes in garbage {
        if let Some(answer) = raw(served.addr, &bytes).await {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
            assert!(answer.status < 500 || answer.status == 505, "{shown}: {answer:?}");
        }
    }
    let client = client_with(Some(&token));
    assert_eq!(client.get(served.url("/api/v1/sources")).send().await.unwrap().status(), 200);
    served.stop().await;
}

/// Bytes of memory that this process holds now.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Thousands of connections that never say what they want, say it slowly, or break off.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn thousands_of_connections_cost_little_and_leave_room_for_others() {
    let _alone = TOGETHER.write().await;
    const WAVES: usize = 6;
    const AT_ONCE: usize = 400;
    let limits = Limits { connections: 300, head_time: SOON, body_time: SOON, ..Limits::default() };
    let served = Served::with(Setup { aggregate: false, limits, ..Setup::default() }).await;
    let token = served.token(Scope::Admin).await;
    let flood = async || {
        let (addr, token) = (served.addr, token.as_str());
        let connections = futures::stream::iter(0..AT_ONCE).map(|number| async move {
            let head = format!("POST /scim/v2/Bulk HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n");
            // Eight million bytes are promised, and never come.
            let promised = format!("{head}content-length: 8000000\r\n\r\n{{\"a\":");
            match number % 4 {
                0 => drop(raw(addr, b"G").await),
                1 => drop(TcpStream::connect(addr).await.unwrap()),
                _ => {
                    let mut stream = TcpStream::connect(addr).await.unwrap();
                    let bytes = if number % 4 == 2 { head.as_bytes() } else { promised.as_bytes() };
                    let _ = stream.write_all(bytes).await;
                    let mut answer = Vec::new();
                    let _ = stream.read_to_end(&mut answer).await;
                    assert!(!answer.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&answer));
                }
            }
        });
        connections.buffer_unordered(AT_ONCE).collect::<()>().await;
    };
    // What the first wave needs is kept for those after it.
    flood().await;
    let before = memory();
    for _ in 0..WAVES {
        let client = client_with(Some(&token));
        let url = served.url("/api/v1/sources");
        // Somebody with a request of their own comes in between.
        let ((), answer) = tokio::join!(flood(), client.get(url).send());
        assert_eq!(answer.unwrap().status(), 200);
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 48 * 1024 * 1024, "{} MiB more for the same number of connections", grown / 1024 / 1024);
    served.stop().await;
}
