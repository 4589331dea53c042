//! A receiver whose certificate only an authority of its own vouches for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use exogate_server::webhook::post::{HttpOptions, HttpPost};
use exogate_server::webhook::{Step, Webhook};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::feed::Feed;
use crate::receiver::{Mood, Receiver};
use crate::{hook, is_failed, rest};

/// An authority, and what it says of localhost: certificate and key.
fn authority() -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (pem, leaf.pem(), key.serialize_pem())
}

/// Lets in whoever takes its certificate.
struct Private {
    plain: TcpListener,
    tls: TlsAcceptor,
}

impl Private {
    async fn bind(certificate: &str, key: &str) -> Self {
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { plain, tls: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl Listener for Private {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.plain.accept().await.unwrap();
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.plain.local_addr()
    }
}

#[tokio::test]
async fn one_with_an_authority_of_its_own_is_trusted_by_its_file_and_by_nothing_else() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (ours, certificate, key) = authority();
    let (another, ..) = authority();
    let receiver = Receiver::new(Mood::Takes);
    let listener = Private::bind(&certificate, &key).await;
    let address = listener.local_addr().unwrap();
    let router = receiver.router();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let mut feed = Feed::new(2).await;
    let trusting = |authorities: Option<&str>, host: &str| {
        let authorities = authorities.map(|pem| pem.as_bytes().to_vec());
        let options = HttpOptions { authorities, timeout: Duration::from_secs(30), ..HttpOptions::default() };
        let url = format!("https://{host}:{}/hook", address.port());
        let post = Box::new(HttpPost::new(url, &options).unwrap());
        Arc::new(Webhook { post, ..hook(address) })
    };
    let mut courier = feed.courier(&trusting(Some(&ours), "localhost"));
    assert_eq!(rest(&mut courier).await, Step::Idle);
    feed.change(2).await;
    for (authorities, host) in
        [(None, "localhost"), (Some(&*another), "localhost"), (Some(&*ours), "127.0.0.1")]
    {
        let failed = rest(&mut feed.courier(&trusting(authorities, host))).await;
        assert!(is_failed(&failed, "certificate"), "{host}: {failed:?}");
        assert!(receiver.attempts().is_empty(), "nothing is told to whoever cannot prove who it is");
        feed.pass(3601);
    }
    assert_eq!(rest(&mut courier).await, Step::Idle);
    assert_eq!(receiver.cursors().len(), 2);
    serving.abort();
}
