//! A running `exogate serve`, and a caller that speaks plain HTTP to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;

use serde_json::Value;

use super::Sandbox;

/// A running service and where it listens.
pub struct Service {
    pub child: Child,
    pub address: String,
    log: JoinHandle<String>,
    lines: Mutex<mpsc::Receiver<String>>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Service {
    pub fn start(sandbox: &Sandbox) -> Self {
        let mut child = sandbox
            .command(&["serve", "--listen", "127.0.0.1:0", "--json", "--log-json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Read all the while: a pipe that is full would hold the service up.
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (told, lines) = mpsc::channel();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                log.push_str(&line);
                log.push('\n');
                told.send(line).ok();
            }
            log
        });
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"));
        let address = told["listening"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        assert_eq!(told["sources"][0], "contoso");
        Self { child, address, log, lines: Mutex::new(lines) }
    }

    /// One request on a connection of its own; `more` are further lines of its head.
    pub fn ask(&self, method: &str, path: &str, token: &str, more: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{more}\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answer { status, text: text.to_owned() }
    }

    pub fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, "", "")
    }

    /// Waits for a line of the log that holds this.
    pub fn logged(&self, text: &str) -> String {
        let lines = self.lines.lock().unwrap();
        lines.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("it never said {text}"))
    }

    /// Asks it to stop, as a system does.
    pub fn signal(&self) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
    }

    /// Waits for its end; gives its exit code and its log.
    pub fn end(self) -> (Option<i32>, String) {
        let Output { status, .. } = self.child.wait_with_output().unwrap();
        (status.code(), self.log.join().unwrap())
    }
}

/// A token for the service.
pub fn token(sandbox: &Sandbox, name: &str, scope: &str) -> String {
    let made = sandbox.run(&["token", "create", "--name", name, "--scope", scope]).ok();
    made.stdout.trim().to_owned()
}
