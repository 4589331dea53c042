//! Webhooks as their user meets them: `exogate serve` beside other commands, killed and started again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Sandbox;
use common::changes::{KIM, lines, ready};
use exogate_sim::Scenario;
use serde_json::Value;

/// Takes messages, or answers 503, on a thread of its own.
struct Receiver {
    address: String,
    taken: Arc<Mutex<Vec<Value>>>,
    willing: Arc<AtomicBool>,
    attempts: Arc<Mutex<u32>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap().to_string(),
            taken: Arc::default(),
            willing: Arc::new(AtomicBool::new(true)),
            attempts: Arc::default(),
        };
        let (taken, willing, attempts) =
            (Arc::clone(&receiver.taken), Arc::clone(&receiver.willing), Arc::clone(&receiver.attempts));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let Some(message) = read(connection.unwrap(), willing.load(Ordering::SeqCst)) else {
                    continue;
                };
                *attempts.lock().unwrap() += 1;
                if willing.load(Ordering::SeqCst) {
                    taken.lock().unwrap().push(message);
                }
            }
        });
        receiver
    }

    /// The changes that were taken: number and what.
    fn changes(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let taken = self.taken.lock().unwrap();
        let changes = taken.iter().filter_map(|message| message["data"]["changes"].as_array()).flatten();
        changes.map(|change| (text(&change["cursor"]), text(&change["what"]))).collect()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..1200 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}: {:#?}", self.taken.lock().unwrap());
    }
}

/// One request, answered and closed.
fn read(mut stream: TcpStream, willing: bool) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let header = line.trim().to_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let status = if willing { "200 OK" } else { "503 Service Unavailable" };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

fn serve(sandbox: &Sandbox) -> (Child, String) {
    let mut child = sandbox
        .command(&["serve", "--listen", "127.0.0.1:0", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
    (child, told["listening"].as_str().unwrap().to_owned())
}

fn webhook(address: &str, more: &str) -> String {
    format!(
        "\n[[sources.contoso.webhook]]\nname = \"siem\"\nurl = \"http://{address}/hook?token=hidden\"\n\
         secret = {{ file = \"webhook-secret\" }}\nawait_author = \"0m\"\n{more}\n"
    )
}

async fn state(sandbox: &Sandbox) -> Value {
    lines(&sandbox.run_beside(&["webhooks", "--json"]).await.ok().stdout).remove(0)
}

async fn grant(sandbox: &Sandbox, verb: &str) {
    let to = if verb == "grant" { "--to" } else { "--from" };
    sandbox.run_beside(&[verb, "O365Support: FullAccess", to, KIM, "--wait", "10"]).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_between_a_kill_a_failure_and_a_restart() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let receiver = Receiver::start();
    let config = format!("{}{}", sandbox.read("exogate.toml"), webhook(&receiver.address, "attempts = 1"));
    sandbox.write("exogate.toml", &config);
    sandbox.write("webhook-secret", "a secret of more than sixteen bytes\n");
    sandbox.run_beside(&["config", "check"]).await.ok();

    let listed = sandbox.run_beside(&["webhooks"]).await.ok();
    assert!(listed.stdout.contains("siem") && !listed.stdout.contains("hidden"), "{}", listed.all());
    assert_eq!(state(&sandbox).await["state"], "new");
    sandbox.run_beside(&["webhooks", "test", "siem"]).await.ok();
    assert_eq!(receiver.taken.lock().unwrap()[0]["type"], "test");
    let unknown = sandbox.run_beside(&["webhooks", "test", "sime"]).await.exits(2);
    assert!(unknown.stderr.contains("did you mean \"siem\"?"), "{}", unknown.all());

    let (mut serving, _) = serve(&sandbox);
    while state(&sandbox).await["state"] == "new" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Another process changes something; this one tells of it.
    grant(&sandbox, "grant").await;
    receiver.until("the grant", |receiver| receiver.changes().len() == 1).await;
    serving.kill().unwrap();
    serving.wait().unwrap();

    // What happens while nobody serves is told by the next one.
    grant(&sandbox, "revoke").await;
    let (mut serving, origin) = serve(&sandbox);
    receiver.until("the revocation", |receiver| receiver.changes().len() == 2).await;
    let told: Vec<String> = receiver.changes().into_iter().map(|(_, what)| what).collect();
    assert_eq!(told, ["granted", "revoked"]);

    // The receiver fails: a dead letter, which somebody sends again.
    receiver.willing.store(false, Ordering::SeqCst);
    grant(&sandbox, "grant").await;
    let before = *receiver.attempts.lock().unwrap();
    receiver.until("an attempt", |receiver| *receiver.attempts.lock().unwrap() > before).await;
    while state(&sandbox).await["deadLetters"] != 1 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let dead = sandbox.run_beside(&["webhooks", "dead", "siem"]).await.ok();
    assert!(dead.stdout.contains("FullAccess to") && dead.stdout.contains("503"), "{}", dead.all());
    let metrics = metrics(&sandbox, &origin).await;
    assert!(
        metrics.contains("exogate_webhook_dead_letters{source=\"contoso\",webhook=\"siem\"} 1"),
        "{metrics}"
    );
    let failed = sandbox.run_beside(&["webhooks", "resend", "siem"]).await.exits(1);
    assert!(failed.stderr.contains("1 dead letter left: the receiver answered 503"), "{}", failed.all());
    receiver.willing.store(true, Ordering::SeqCst);
    let resent = sandbox.run_beside(&["webhooks", "resend", "siem"]).await.ok();
    assert_eq!(resent.stdout, "1 change taken by siem\n");
    let told = receiver.changes();
    assert_eq!(told.len(), 3, "{told:?}");
    serving.kill().unwrap();
    serving.wait().unwrap();

    let changes = sandbox.run_beside(&["changes", "--json"]).await.ok();
    let all: Vec<String> =
        lines(&changes.stdout).iter().map(|change| change["sequence"].to_string()).collect();
    assert_eq!(told.into_iter().map(|(number, _)| number).collect::<Vec<_>>(), all, "each once, in order");
    tenant.sim.shutdown().await;
}

async fn metrics(sandbox: &Sandbox, origin: &str) -> String {
    let token = sandbox.run_beside(&["token", "create", "--name", "me", "--scope", "read"]).await.ok();
    let address = origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        token.stdout.trim()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_webhook_that_would_be_overheard_or_believed_by_nobody_is_refused() {
    let sandbox = Sandbox::new();
    let source = "[sources.contoso]\ntenant = \"contoso.onmicrosoft.com\"\n[sources.contoso.sign_in]\nmethod = \"secret\"\n\
                  client_id = \"0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701\"\nsecret = { file = \"secret\" }\n";
    sandbox.write("secret", "s");
    sandbox.write("short", "short");
    let hook = |keys: &str| format!("[[sources.contoso.webhook]]\n{keys}\n");
    let check = |hooks: &str| {
        sandbox.write("exogate.toml", &format!("{source}{hooks}"));
        sandbox.run(&["config", "check"]).exits(2).stderr
    };
    let plain =
        check(&hook("name = \"a b\"\nurl = \"http://siem.contoso.com/\"\nwhat = [\"grant\"]\nfrom = 1"));
    for says in [
        "webhook[0].name: a webhook is named with",
        "webhook[0].url: must be an https address; plain http only on this machine",
        "webhook[0].secret: is missing",
        "webhook[0].what: \"grant\" is not one of \"created\"",
        "webhook[0].from: is not a known key",
    ] {
        assert!(plain.contains(says), "{says}\n{plain}");
    }
    let sound = "name = \"a\"\nurl = \"https://siem.contoso.com/\"\nsecret = { file = \"short\" }";
    let twice = check(&format!("{}{}", hook(sound), hook(sound)));
    assert!(twice.contains("two webhooks are called \"a\""), "{twice}");
    let short = check(&hook(sound));
    assert!(short.contains("the secret is shorter than 16 bytes"), "{short}");
    let named = check(&hook(
        "name = \"a\"\nurl = \"https://me:you@siem.contoso.com/\"\nsecret = { file = \"secret\" }",
    ));
    assert!(named.contains("must not hold a name or password"), "{named}");
}
