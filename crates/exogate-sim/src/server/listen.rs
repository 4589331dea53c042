//! Sockets and framing: accepts connections, speaks TLS and HTTP/1.1 or 2, reads requests in full
//! and sends what the pipeline answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST, VARY};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::body::{self, BrokenOff, WireBody};
use super::operation::Service;
use super::{Outcome, Path, Query, Reply, ReplyBody, Request, pipeline, route};
use crate::world::World;

/// Larger requests are refused.
const BODY_LIMIT: usize = 64 << 20;

/// What a listener serves.
#[derive(Clone)]
pub enum Door {
    /// All services over TLS.
    Tls(TlsAcceptor),
    /// One service in plain HTTP.
    Plain(Service),
}

/// Serves a listener until cancelled.
pub async fn serve(listener: TcpListener, door: Door, world: Arc<World>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                // Out of descriptors, most likely; others may be closed meanwhile.
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let (door, world, stop) = (door.clone(), Arc::clone(&world), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection(stream, peer, door, world) => {}
            }
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, door: Door, world: Arc<World>) {
    // Only latency suffers when the option cannot be set.
    let _ = stream.set_nodelay(true);
    match door {
        Door::Plain(service) => http(stream, peer, Some(service), world).await,
        Door::Tls(acceptor) => {
            let handshake = tokio::time::timeout(Duration::from_secs(20), acceptor.accept(stream));
            match handshake.await {
                Ok(Ok(stream)) => http(stream, peer, None, world).await,
                Ok(Err(error)) => tracing::debug!(%error, %peer, "TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
            }
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    only: Option<Service>,
    world: Arc<World>,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let world = Arc::clone(&world);
        async move { exchange(&world, request, peer, only).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).max_buf_size(1 << 20);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_send_buf_size(1 << 20);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, %peer, "connection ended");
    }
}

/// One request and its answer. An error drops the connection.
async fn exchange(
    world: &Arc<World>,
    request: http::Request<Incoming>,
    peer: SocketAddr,
    only: Option<Service>,
) -> Result<Response<WireBody>, BrokenOff> {
    let (head, incoming) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let gzip = world.scenario().compression && body::takes_gzip(&head.headers);
    let body = match Limited::new(incoming, BODY_LIMIT).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok(respond(Reply::status(StatusCode::PAYLOAD_TOO_LARGE), is_head, false));
        }
        Err(_) => return Err(BrokenOff),
    };
    let request = decode(world, head, body, peer, only.is_none());
    let service = only.unwrap_or_else(|| route::service(&request.host, &request.path));
    let reply = pipeline::run(world, service, request).await;
    match reply.outcome {
        Outcome::Reset => Err(BrokenOff),
        Outcome::Send => Ok(respond(reply, is_head, gzip)),
        Outcome::Truncate => {
            let body = WireBody::broken_off(&reply.body);
            Ok(assemble(reply.status, reply.headers, body))
        }
    }
}

fn decode(world: &World, head: http::request::Parts, body: Bytes, peer: SocketAddr, secure: bool) -> Request {
    let host = head
        .headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
        .or_else(|| head.uri.authority().map(ToString::to_string))
        .unwrap_or_default();
    let received_at = world.now();
    let scheme = if secure { "https" } else { "http" };
    Request {
        method: head.method,
        scheme_host: format!("{scheme}://{host}"),
        host,
        path: Path::new(head.uri.path()),
        query: Query::new(head.uri.query().unwrap_or("")),
        headers: head.headers,
        body,
        received_at,
        view_at: received_at,
        client: Some(peer.ip()),
    }
}

fn respond(mut reply: Reply, is_head: bool, gzip: bool) -> Response<WireBody> {
    let bodiless = is_head
        || reply.status.is_informational()
        || matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless {
        if is_head && !reply.body.is_empty() {
            reply.headers.insert(CONTENT_LENGTH, HeaderValue::from(reply.body.len()));
        }
        reply.body = ReplyBody::default();
    } else if gzip
        && !reply.headers.contains_key(CONTENT_ENCODING)
        && let Some(compressed) = body::compress(&reply.body)
    {
        reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        reply.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        reply.body = ReplyBody::Bytes(compressed);
    }
    assemble(reply.status, reply.headers, WireBody::new(reply.body))
}

fn assemble(status: StatusCode, headers: http::HeaderMap, body: WireBody) -> Response<WireBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
