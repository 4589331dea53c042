//! The simulated tenant without sockets: what the client sends goes straight to the services, so that
//! thousands of runs take minutes. A fuse stops the client as if its process had been killed: from a
//! chosen request on, nothing comes back any more.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use exogate_microsoft::transport::{
    Sent, Transport, TransportError, TransportErrorKind, WireRequest, WireResponse,
};
use exogate_sim::server::operation::Service;
use exogate_sim::server::{self, Outcome, Request, route};
use exogate_sim::world::World;
use http::StatusCode;
use tokio::sync::watch;

/// A way to the services of a tenant.
pub struct Direct {
    world: Arc<World>,
    fuse: Mutex<Option<Fuse>>,
    blown: watch::Sender<bool>,
}

#[derive(Clone, Copy)]
struct Fuse {
    requests: u64,
    /// The last request still has its effect.
    after: bool,
}

impl Direct {
    pub fn new(world: Arc<World>) -> Self {
        Self { world, fuse: Mutex::new(None), blown: watch::Sender::new(false) }
    }

    /// Lets so many requests through; the one behind them gets no answer, nor do any later ones.
    pub fn kill_after(&self, requests: u64, after: bool) {
        *self.fuse.lock().unwrap() = Some(Fuse { requests, after });
    }

    /// Lets everything through again.
    pub fn mend(&self) {
        *self.fuse.lock().unwrap() = None;
        self.blown.send_replace(false);
    }

    /// Waits until the fuse has blown.
    pub async fn blown(&self) {
        self.blown.subscribe().wait_for(|blown| *blown).await.unwrap();
    }

    /// What becomes of a request: whether it is sent, and whether its answer comes back.
    fn fate(&self) -> (bool, bool) {
        match self.fuse.lock().unwrap().as_mut() {
            None => (true, true),
            Some(Fuse { requests: 0, after }) => (std::mem::take(after), false),
            Some(fuse) => {
                fuse.requests -= 1;
                (true, true)
            }
        }
    }
}

#[async_trait]
impl Transport for Direct {
    async fn send(&self, wire: WireRequest) -> Result<WireResponse, TransportError> {
        let (sent, answered) = self.fate();
        let reply = if sent {
            let host = wire.url.authority().to_owned();
            let target = &wire.url[url::Position::BeforePath..url::Position::AfterQuery];
            let mut request = Request::new(wire.method, &host, target, self.world.now());
            request.headers = wire.headers;
            request.body = wire.body.unwrap_or_default();
            let service = route::service(&request.host, &request.path);
            let reply = server::answer(&self.world, service, request).await;
            if reply.status == StatusCode::FORBIDDEN && service == Service::Activity {
                // Whoever is told to slow down does, and time goes on.
                self.world.clock.advance(Duration::from_secs(20));
            }
            Some(reply)
        } else {
            None
        };
        match reply {
            Some(reply) if answered => match reply.outcome {
                Outcome::Send => Ok(WireResponse {
                    status: reply.status,
                    headers: reply.headers,
                    body: reply.body.to_bytes(),
                }),
                Outcome::Reset | Outcome::Truncate => Err(TransportError {
                    sent: Sent::Maybe,
                    kind: TransportErrorKind::Reset,
                    host: wire.url.host_str().unwrap_or_default().to_owned(),
                    detail: "broken off".to_owned(),
                }),
            },
            _ => {
                self.blown.send_replace(true);
                std::future::pending().await
            }
        }
    }
}
