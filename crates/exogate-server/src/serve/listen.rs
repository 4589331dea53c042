//! Connections: accepted up to a limit, over TLS or plain, spoken to over HTTP/1.1 or 2, and let go in
//! good order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Limits;
use super::patient::Patient;
use super::tls::Tls;
use crate::auth::Peer;
use crate::auth::certificate::PeerCertificate;
use crate::life::Life;

/// After a failed accept (out of descriptors, mostly).
const BREATH: Duration = Duration::from_millis(100);
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 128;
/// The largest head of a request, in bytes.
const HEAD: u32 = 64 * 1024;

/// Connections that may wait in the system's queue; it may allow fewer.
const QUEUE: u32 = 4096;

/// Listens there.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A service that starts again need not wait for the connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// What takes connections.
pub struct Entrance {
    /// Where.
    pub listener: TcpListener,
    /// Over TLS, or plain.
    pub tls: Option<Tls>,
    /// How many, and how slow they may be.
    pub limits: Limits,
    /// How long those that are open may take to come to their end when the service stops.
    pub patience: Duration,
}

/// Takes connections until the service stops, then lets those that are open come to their end.
pub async fn serve(entrance: Entrance, router: Router, life: Life) {
    let Entrance { listener, tls, limits, patience } = entrance;
    if let Some(tls) = tls.clone() {
        tokio::spawn(tls.keep_fresh(life.stopping.clone()));
    }
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = life.stopping.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { break };
        let line = Line { peer, router: router.clone(), limits, stopping: life.stopping.clone() };
        let tls = tls.clone();
        connections.spawn(async move {
            let _place = place;
            // Small answers must not wait for one another.
            let _ = stream.set_nodelay(true);
            let stream = Patient::new(stream, limits.head_time, limits.stall_time);
            match tls {
                Some(tls) => line.speak_over_tls(stream, &tls).await,
                None => line.speak(stream, None).await,
            }
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, ended).await.is_err() {
        tracing::warn!(open = connections.len(), "connections are cut off: they did not end in time");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // The place first: who finds none waits in the system's own queue.
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, place)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// One connection.
struct Line {
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stopping: CancellationToken,
}

impl Line {
    async fn speak_over_tls(self, stream: Patient<TcpStream>, tls: &Tls) {
        let shaking = TlsAcceptor::from(tls.config()).accept(stream);
        match tokio::time::timeout(self.limits.head_time, shaking).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                let certificate = shown.and_then(|certificate| PeerCertificate::read(certificate));
                // Within TLS, too, somebody must begin to speak.
                let Limits { head_time, stall_time, .. } = self.limits;
                self.speak(Patient::new(stream, head_time, stall_time), certificate).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak<S>(self, stream: S, certificate: Option<PeerCertificate>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, router, limits, stopping } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let router = router.clone();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            async move {
                let response: Result<Response<Body>, Infallible> = router.oneshot(request).await;
                response
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time)
            .max_buf_size(HEAD as usize)
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.head_time)
            .keep_alive_timeout(limits.head_time)
            .max_header_list_size(HEAD)
            .max_concurrent_streams(STREAMS);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended badly");
        }
    }
}
