//! A server of constant bytes over the TLS and HTTP stack that the simulated tenant uses.

use std::convert::Infallible;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::http;

#[derive(clap::Args)]
pub struct Args {
    /// Bytes of every answer.
    #[arg(long)]
    bytes: usize,
    /// Where to write the certificate to trust.
    #[arg(long)]
    ca: PathBuf,
}

/// A certificate of its own for loopback.
pub struct Identity {
    pub config: ServerConfig,
    pub pem: String,
}

pub fn identity() -> Result<Identity> {
    http::install_provider();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { config, pem: made.cert.pem() })
}

pub async fn run(args: &Args) -> Result<()> {
    let identity = identity()?;
    std::fs::write(&args.ca, &identity.pem)?;
    let acceptor = TlsAcceptor::from(Arc::new(identity.config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;
    let body = Bytes::from(vec![b'x'; args.bytes]);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, body) = (acceptor.clone(), body.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request: Request<Incoming>| {
                let body = body.clone();
                async move {
                    // A request that is broken off ends the connection anyway.
                    let _ = request.into_body().collect().await;
                    Ok::<_, Infallible>(Response::new(Full::new(body)))
                }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().max_buf_size(1 << 20);
            // The client goes away when it has measured enough.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
