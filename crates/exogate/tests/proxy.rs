//! The way through a configured proxy, and what is said when the proxy does not let us through.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::Sandbox;
use common::tenant::Tenant;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that knows nothing but CONNECT. It leads every name to one place, or nowhere.
struct Proxy {
    address: SocketAddr,
    /// Where it was asked to connect to, in order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(to: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let names = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, to, Arc::clone(&names)));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

async fn serve(mut client: TcpStream, to: Option<SocketAddr>, asked: Arc<Mutex<Vec<String>>>) {
    const PAGE: &str = "<html><body>Access denied by policy</body></html>";
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split_whitespace();
    assert_eq!(words.next(), Some("CONNECT"), "{head}");
    asked.lock().unwrap().push(words.next().unwrap().to_owned());
    let Some(to) = to else {
        let refusal = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{PAGE}",
            PAGE.len()
        );
        // Whoever asked may be gone.
        let _ = client.write_all(refusal.as_bytes()).await;
        return;
    };
    let mut tenant = TcpStream::connect(to).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut tenant).await;
}

/// The public cloud's own hosts, by way of the proxy.
fn configure(tenant: &Tenant, sandbox: &Sandbox, proxy: &Proxy) {
    tenant.configure(sandbox, &format!("proxy = \"http://{}\"", proxy.address));
    let text = sandbox.read("exogate.toml");
    let (kept, _) = text.split_once("[sources.contoso.hosts]").unwrap();
    sandbox.write("exogate.toml", kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_read_through_a_proxy() {
    let tenant = Tenant::small().await;
    let proxy = Proxy::start(Some(tenant.sim.addr())).await;
    let sandbox = Sandbox::new();
    configure(&tenant, &sandbox, &proxy);
    sandbox.run_beside(&["test-connection"]).await.ok();
    sandbox.run_beside(&["aggregate", "all"]).await.ok();
    assert_eq!(
        proxy.asked(),
        ["graph.microsoft.com:443", "login.microsoftonline.com:443", "outlook.office365.com:443"]
    );
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_answers_html_is_named_as_what_it_is() {
    let tenant = Tenant::small().await;
    let proxy = Proxy::start(None).await;
    let sandbox = Sandbox::new();
    configure(&tenant, &sandbox, &proxy);
    let refused = sandbox.run_beside(&["aggregate", "all"]).await.exits(1);
    let told = format!("the proxy {} answered 403 Forbidden", proxy.address);
    assert!(refused.stderr.contains(&told), "{}", refused.all());
    assert!(refused.stderr.contains("hint: Have the proxy allow CONNECT"), "{}", refused.all());
    assert!(refused.stderr.contains("login.microsoftonline.com"), "{}", refused.all());
    assert!(!refused.stderr.contains("The store holds"), "nothing was read: {}", refused.all());
    tenant.sim.shutdown().await;
}
