//! What a proxy said when it did not let a request through. The HTTP client below only says that it did
//! not, so the proxy is asked once more by hand, with nothing but the name of the host.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// How the proxy answered, or that it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: Option<u16>,
    pub(super) detail: String,
}

/// The most of an answer that is read: its first line is all that is wanted.
const LINE: usize = 512;

/// Asks the proxy for a way to the host; `None` where it gives one, or speaks TLS itself.
pub(super) async fn refusal(proxy: &Url, host: &str, port: u16, patience: Duration) -> Option<Refusal> {
    if proxy.scheme() != "http" {
        return None;
    }
    let address = format!("{}:{}", proxy.host_str()?, proxy.port_or_known_default()?);
    let said = tokio::time::timeout(patience, ask(proxy, &address, host, port)).await;
    let line = match said {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Some(silent(&address, &error.to_string())),
        Err(_) => return Some(silent(&address, &format!("it said nothing for {} s", patience.as_secs()))),
    };
    let Some((_, answer)) = line.split_once(' ').filter(|(version, _)| version.starts_with("HTTP/")) else {
        return Some(silent(&address, "what it answered is not HTTP"));
    };
    let status = answer.split(' ').next().and_then(|status| status.parse::<u16>().ok());
    if status == Some(200) {
        return None;
    }
    Some(Refusal { status, detail: format!("the proxy {address} answered {}", answer.trim()) })
}

fn silent(address: &str, why: &str) -> Refusal {
    Refusal { status: None, detail: format!("the proxy {address} gave no answer: {why}") }
}

/// The first line of the proxy's answer.
async fn ask(proxy: &Url, address: &str, host: &str, port: u16) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if !proxy.username().is_empty() {
        let plain = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = format!("{}:{}", plain(proxy.username()), plain(proxy.password().unwrap_or_default()));
        request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair)));
    }
    request.push_str("\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::with_capacity(LINE);
    while answer.len() < LINE && !answer.contains(&b'\n') {
        if connection.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&answer);
    // It goes to a terminal and into logs.
    Ok(text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What is made of an answer, and what the proxy was asked.
    async fn answered(answer: &'static [u8], credentials: &str) -> (Option<Refusal>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                socket.read_buf(&mut request).await.unwrap();
            }
            socket.write_all(answer).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let proxy: Url = format!("http://{credentials}{address}").parse().unwrap();
        let refusal = refusal(&proxy, "graph.microsoft.com", 443, Duration::from_secs(60)).await;
        let refusal = refusal.map(|refusal| Refusal {
            detail: refusal.detail.replace(&address.to_string(), "PROXY"),
            ..refusal
        });
        (refusal, asked.await.unwrap())
    }

    #[tokio::test]
    async fn the_first_line_of_the_answer_is_told() {
        let (refused, asked) =
            answered(b"HTTP/1.1 403 Forbidden by\x1b policy\r\nX: y\r\n\r\n<html>", "").await;
        let detail = "the proxy PROXY answered 403 Forbidden by policy".to_owned();
        assert_eq!(refused, Some(Refusal { status: Some(403), detail }));
        assert_eq!(
            asked,
            "CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: graph.microsoft.com:443\r\n\r\n"
        );
        let (refused, asked) = answered(b"HTTP/1.0 407 Who are you?\r\n\r\n", "kim:p%40ss@").await;
        assert_eq!(refused.unwrap().status, Some(407));
        assert!(asked.contains("\r\nProxy-Authorization: Basic a2ltOnBAc3M=\r\n"), "{asked}");
        assert_eq!(answered(b"HTTP/1.1 200 Connection established\r\n\r\n", "").await.0, None);
    }

    #[tokio::test]
    async fn no_answer_and_no_http_are_told_apart() {
        let (refused, _) = answered(b"", "").await;
        let detail = "the proxy PROXY gave no answer: what it answered is not HTTP".to_owned();
        assert_eq!(refused, Some(Refusal { status: None, detail }));
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy: Url = format!("http://{}", nobody.local_addr().unwrap()).parse().unwrap();
        drop(nobody);
        let refused = refusal(&proxy, "graph.microsoft.com", 443, Duration::from_secs(60)).await;
        assert!(refused.unwrap().detail.contains("gave no answer"));
    }
}
