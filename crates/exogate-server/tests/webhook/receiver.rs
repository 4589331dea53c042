//! A receiver on a real socket, in whatever mood a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use exogate_server::webhook::message::{Message, SigningKey};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

pub const SECRET: &str = "a secret of more than sixteen bytes";

/// What a receiver does with a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    Takes,
    Answers(u16),
    /// Asks to be left alone for so many seconds.
    Busy(u32),
    /// Takes it, and nobody hears of that.
    TakesSilently,
    Slow,
    Moved,
}

#[derive(Debug, Clone)]
pub struct Received {
    pub id: String,
    pub body: Value,
}

impl Received {
    pub fn cursors(&self) -> Vec<i64> {
        let changes = self.body["data"]["changes"].as_array().cloned().unwrap_or_default();
        changes.iter().map(|change| change["cursor"].as_str().unwrap().parse().unwrap()).collect()
    }
}

#[derive(Clone)]
pub struct Receiver {
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Vec<Received>>>,
    attempts: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    pub fn new(mood: Mood) -> Self {
        Self { mood: Arc::new(Mutex::new(mood)), taken: Arc::default(), attempts: Arc::default() }
    }

    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn taken(&self) -> Vec<Received> {
        self.taken.lock().unwrap().clone()
    }

    /// The changes that were taken, in the order in which they were.
    pub fn cursors(&self) -> Vec<i64> {
        self.taken().iter().flat_map(Received::cursors).collect()
    }

    pub fn attempts(&self) -> Vec<String> {
        self.attempts.lock().unwrap().clone()
    }

    pub async fn listen(&self, at: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (address, serving)
    }

    pub fn router(&self) -> Router {
        Router::new().route("/hook", post(take)).with_state(self.clone())
    }

    pub async fn start(&self) -> SocketAddr {
        self.listen("127.0.0.1:0".parse().unwrap()).await.0
    }
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, HeaderMap, &'static str) {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let id = header("webhook-id");
    receiver.attempts.lock().unwrap().push(id.clone());
    // Signed anew with what the receiver has: nobody else can have made it.
    let key = SigningKey::of(&SECRET.into()).unwrap();
    let at = Timestamp::from_second(header("webhook-timestamp").parse().unwrap()).unwrap();
    let signed = Message { id: id.clone(), body: body.clone() }.sign(&key, at);
    assert_eq!(signed.signature, header("webhook-signature"));
    let mood = *receiver.mood.lock().unwrap();
    let mut answer = HeaderMap::new();
    let status = match mood {
        Mood::Takes => StatusCode::NO_CONTENT,
        Mood::TakesSilently => StatusCode::BAD_GATEWAY,
        Mood::Answers(status) => StatusCode::from_u16(status).unwrap(),
        Mood::Busy(seconds) => {
            answer.insert("retry-after", seconds.into());
            StatusCode::TOO_MANY_REQUESTS
        }
        Mood::Slow => std::future::pending().await,
        Mood::Moved => {
            answer.insert("location", "/elsewhere".parse().unwrap());
            StatusCode::TEMPORARY_REDIRECT
        }
    };
    if matches!(mood, Mood::Takes | Mood::TakesSilently) {
        receiver.taken.lock().unwrap().push(Received { id, body: serde_json::from_str(&body).unwrap() });
    }
    (status, answer, "what a receiver says is nobody's business")
}
