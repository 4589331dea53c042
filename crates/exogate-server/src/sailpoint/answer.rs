//! One answer: lines as the command makes them, a sign of life where it makes none for a while, and
//! its error, as a status if nothing was sent before it and as trailing text otherwise.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use exogate_engine::carried;
use futures::stream;
use serde::Serialize;
use tokio::sync::mpsc;

use super::command::{self, Command, Job};
use super::lines::{self, NDJSON, Type};
use super::refusal::Refusal;
use crate::caller::Scope;

/// Lines are handed on in chunks of about this size.
const CHUNK: usize = 32 * 1024;
/// Chunks that may wait for a slow client.
const WAITING: usize = 4;

enum Message {
    Lines(Bytes),
    Failed(Refusal),
    /// The command came to its end; without this, what was sent may be a part only.
    End,
}

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is refused, or failed.
    Refused(Refusal),
    /// The client went away.
    Gone,
}

impl<E: Into<Refusal>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Where a command sends its lines.
pub(super) struct Out {
    sender: mpsc::Sender<Message>,
    buffer: BytesMut,
}

impl Out {
    /// One object.
    pub(super) async fn output(&mut self, data: &impl Serialize) -> Result<(), Stop> {
        self.put(data, Type::Output).await
    }

    /// What the client is to hand in next time; once, at the end.
    pub(super) async fn state(&mut self, data: &impl Serialize) -> Result<(), Stop> {
        self.put(data, Type::State).await
    }

    async fn put(&mut self, data: &impl Serialize, of: Type) -> Result<(), Stop> {
        lines::put(&mut self.buffer, data, of).map_err(|error| Stop::Refused(Refusal::inside(&error)))?;
        if self.buffer.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let lines = self.buffer.split().freeze();
        self.sender.send(Message::Lines(lines)).await.map_err(|_| Stop::Gone)
    }

    async fn end(mut self, outcome: Result<(), Stop>) {
        // Nobody hears it where the client is gone.
        if self.flush().await.is_ok() {
            let last = match outcome {
                Ok(()) => Message::End,
                Err(Stop::Refused(refusal)) => Message::Failed(refusal),
                Err(Stop::Gone) => return,
            };
            self.sender.send(last).await.ok();
        }
    }
}

/// Runs a command on its own, so that a client that goes away does not leave a change half done, and
/// answers with what it sends.
pub(super) async fn respond(keep_alive: Duration, command: Command, job: Job) -> Response {
    let (sender, receiver) = mpsc::channel(WAITING);
    let tasks = job.source.life.tasks.clone();
    let work = async move {
        let mut out = Out { sender, buffer: BytesMut::new() };
        let outcome = command::run(command, &job, &mut out).await;
        out.end(outcome).await;
    };
    match command.scope() {
        Scope::Read => drop(tokio::spawn(carried(work))),
        // A service that stops waits for changes, not for whoever reads slowly.
        Scope::Provision | Scope::Admin => drop(tasks.spawn(work)),
    }
    answer(keep_alive, receiver).await
}

/// What is left of an answer.
struct Rest {
    receiver: mpsc::Receiver<Message>,
    first: Option<Message>,
    keep_alive: Duration,
    ended: bool,
}

async fn answer(keep_alive: Duration, mut receiver: mpsc::Receiver<Message>) -> Response {
    // The status waits for the first thing that happens.
    let first = match tokio::time::timeout(keep_alive, receiver.recv()).await {
        Ok(Some(Message::Failed(refusal))) => return refusal.into_response(),
        Ok(None) => return broken_off().into_response(),
        Ok(Some(message)) => message,
        Err(_) => Message::Lines(lines::keep_alive()),
    };
    let rest = Rest { receiver, first: Some(first), keep_alive, ended: false };
    let body = stream::unfold(rest, |mut rest| async move {
        let chunk = rest.next().await?;
        Some((Ok::<_, Infallible>(chunk), rest))
    });
    ([(CONTENT_TYPE, NDJSON)], Body::from_stream(body)).into_response()
}

impl Rest {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let message = match self.first.take() {
            Some(first) => Some(first),
            None => match tokio::time::timeout(self.keep_alive, self.receiver.recv()).await {
                Ok(message) => message,
                Err(_) => return Some(lines::keep_alive()),
            },
        };
        match message {
            Some(Message::Lines(lines)) => Some(lines),
            Some(Message::End) => {
                self.ended = true;
                None
            }
            Some(Message::Failed(refusal)) => {
                self.ended = true;
                Some(refusal.text().into())
            }
            // The command stopped without an end: never let a part look like the whole.
            None => {
                self.ended = true;
                Some(broken_off().text().into())
            }
        }
    }
}

fn broken_off() -> Refusal {
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the command broke off; what was sent before is not everything",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response) -> (StatusCode, String) {
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn lines(text: &'static str) -> Message {
        Message::Lines(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_command_shows_that_it_lives() {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(100)).await;
            sender.send(lines("{}\n")).await.ok();
            tokio::time::sleep(Duration::from_secs(50)).await;
            sender.send(Message::End).await.ok();
        });
        let (status, text) = text(answer(Duration::from_secs(45), receiver).await).await;
        let alive = "{\"data\":{},\"type\":\"keepAlive\"}\n";
        assert_eq!((status, text), (StatusCode::OK, format!("{alive}{alive}{{}}\n{alive}")));
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_error_is_a_status_and_a_late_one_is_text() {
        let failed = || Message::Failed(Refusal::not_found("gone"));
        let (sender, receiver) = mpsc::channel(2);
        sender.send(failed()).await.ok();
        let early = text(answer(Duration::from_secs(45), receiver).await).await;
        assert_eq!(early, (StatusCode::NOT_FOUND, "notFound error: \n + ConnectorError: gone\n".to_owned()));

        let (sender, receiver) = mpsc::channel(2);
        sender.send(lines("{}\n")).await.ok();
        sender.send(failed()).await.ok();
        let late = text(answer(Duration::from_secs(45), receiver).await).await;
        assert_eq!(late, (StatusCode::OK, "{}\nnotFound error: \n + ConnectorError: gone\n".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_never_looks_like_the_whole() {
        let (sender, receiver) = mpsc::channel(2);
        sender.send(lines("{}\n")).await.ok();
        drop(sender);
        let (_, text) = text(answer(Duration::from_secs(45), receiver).await).await;
        assert!(text.ends_with("what was sent before is not everything\n"), "{text}");
    }
}
