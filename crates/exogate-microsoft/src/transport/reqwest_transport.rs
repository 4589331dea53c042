//! The transport of the gateway: reqwest on rustls with ring.
//!
//! Its own retry and redirects are off; what may be sent twice is decided above.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use url::Url;

use super::proxy;
use super::{Sent, Transport, TransportError, TransportErrorKind, WireRequest, WireResponse};
use crate::settings::{TenantSettings, Timeouts};

/// What the transport needs.
#[derive(Clone, Debug)]
pub struct TransportSettings {
    /// Extra certificate authorities (PEM), beside the platform's.
    pub ca_pem: Option<Vec<u8>>,
    /// An HTTP proxy.
    pub proxy: Option<Url>,
    /// `User-Agent`.
    pub user_agent: String,
    /// Waits.
    pub timeouts: Timeouts,
    /// Largest body accepted, after decompression.
    pub largest_body: usize,
}

impl From<&TenantSettings> for TransportSettings {
    fn from(tenant: &TenantSettings) -> Self {
        Self {
            ca_pem: tenant.ca_pem.clone(),
            proxy: tenant.proxy.clone(),
            user_agent: tenant.user_agent.clone(),
            timeouts: tenant.timeouts,
            largest_body: LARGEST_BODY,
        }
    }
}

/// How the client below begins whatever it says of a way through a proxy.
const TUNNEL: &str = "tunnel error";

/// A page of 1,000 mailboxes with every property is about 6 MB; this leaves ample room and still bounds memory.
const LARGEST_BODY: usize = 256 * 1024 * 1024;

/// Why a transport could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportSetupError {
    /// The extra authorities cannot be read.
    #[error(
        "the CA file holds no readable PEM certificate; give the authority's certificate, not a key or a PFX"
    )]
    CaFile(#[source] Option<reqwest::Error>),
    /// The proxy cannot be used.
    #[error("the proxy address '{0}' cannot be used; write it as http://host:port")]
    Proxy(Url, #[source] reqwest::Error),
    /// The client cannot be built.
    #[error("the HTTPS client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// [`Transport`] over reqwest.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    proxy: Option<Url>,
    timeouts: Timeouts,
    largest_body: usize,
}

impl ReqwestTransport {
    /// A transport with a connection pool of its own.
    pub fn new(settings: &TransportSettings) -> Result<Self, TransportSetupError> {
        // An error only says that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();

        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .gzip(true)
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(settings.timeouts.connect)
            .pool_max_idle_per_host(64)
            .pool_idle_timeout(Duration::from_secs(50))
            .no_proxy();
        if let Some(pem) = &settings.ca_pem {
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| TransportSetupError::CaFile(Some(error)))?;
            if authorities.is_empty() {
                return Err(TransportSetupError::CaFile(None));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        if let Some(proxy) = &settings.proxy {
            let with_proxy = reqwest::Proxy::all(proxy.clone())
                .map_err(|error| TransportSetupError::Proxy(proxy.clone(), error))?
                .no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1,169.254.0.0/16"));
            builder = builder.proxy(with_proxy);
        }
        let client = builder.build().map_err(TransportSetupError::Client)?;
        let (proxy, timeouts) = (settings.proxy.clone(), settings.timeouts);
        Ok(Self { client, proxy, timeouts, largest_body: settings.largest_body })
    }

    /// What a request that did not get through comes to. Where the proxy is why, it is asked.
    async fn fault(&self, error: &reqwest::Error, host: String, port: u16) -> TransportError {
        let fault = classify(error, host);
        let on_the_way = |cause: &(dyn StdError + 'static)| cause.to_string().starts_with(TUNNEL);
        let Some(proxy) = self.proxy.as_ref().filter(|_| in_chain(error, on_the_way)) else { return fault };
        match proxy::refusal(proxy, &fault.host, port, self.timeouts.connect).await {
            None => fault,
            Some(proxy::Refusal { status, detail }) => {
                TransportError { kind: TransportErrorKind::Proxy { status }, detail, ..fault }
            }
        }
    }

    async fn read_body(&self, response: &mut reqwest::Response, host: &str) -> Result<Bytes, TransportError> {
        let lost =
            |kind, detail: String| TransportError { sent: Sent::Maybe, kind, host: host.to_owned(), detail };
        // Put together once all of it is there: a buffer that grows is copied time and again.
        let (mut pieces, mut length) = (Vec::new(), 0);
        loop {
            let chunk = tokio::time::timeout(self.timeouts.chunk, response.chunk())
                .await
                .map_err(|_| {
                    let wait = self.timeouts.chunk.as_secs();
                    lost(TransportErrorKind::Timeout, format!("the body stood still for {wait} s"))
                })?
                .map_err(|error| {
                    // Decompression fails with bad data; a body that ends too soon is a broken connection.
                    let bad_data = |cause: &(dyn StdError + 'static)| {
                        cause.downcast_ref::<std::io::Error>().is_some_and(|io| {
                            matches!(io.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput)
                        })
                    };
                    let garbled = error.is_decode() && in_chain(&error, bad_data);
                    let kind = if garbled { TransportErrorKind::Garbled } else { TransportErrorKind::Reset };
                    lost(kind, innermost(&error))
                })?;
            let Some(chunk) = chunk else { return Ok(whole(pieces, length)) };
            length += chunk.len();
            if length > self.largest_body {
                return Err(lost(
                    TransportErrorKind::TooLarge,
                    format!("more than {} bytes", self.largest_body),
                ));
            }
            pieces.push(chunk);
        }
    }
}

/// The pieces of a body, of so many bytes, as one.
fn whole(mut pieces: Vec<Bytes>, length: usize) -> Bytes {
    if pieces.len() < 2 {
        return pieces.pop().unwrap_or_default();
    }
    let mut body = Vec::with_capacity(length);
    for piece in pieces {
        body.extend_from_slice(&piece);
    }
    Bytes::from(body)
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let answer_timeout = request.answer_timeout.unwrap_or(self.timeouts.answer);
        let port = request.url.port_or_known_default().unwrap_or(443);
        let mut outgoing = self.client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        let answered =
            tokio::time::timeout(answer_timeout, outgoing.send()).await.map_err(|_| TransportError {
                sent: Sent::Maybe,
                kind: TransportErrorKind::Timeout,
                host: host.clone(),
                detail: format!("nothing for {} s", answer_timeout.as_secs()),
            })?;
        let mut response = match answered {
            Ok(response) => response,
            Err(error) => return Err(self.fault(&error, host, port).await),
        };
        let body = self.read_body(&mut response, &host).await?;
        Ok(WireResponse { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

fn classify(error: &reqwest::Error, host: String) -> TransportError {
    let detail = innermost(error);
    let (sent, kind) = if error.is_connect() {
        let kind = if in_chain(error, <dyn StdError>::is::<rustls::Error>) {
            TransportErrorKind::Tls
        } else if error.is_dns() {
            TransportErrorKind::Dns
        } else {
            TransportErrorKind::Unreachable
        };
        (Sent::No, kind)
    } else if error.is_builder() {
        (Sent::No, TransportErrorKind::Other)
    } else if error.is_timeout() {
        (Sent::Maybe, TransportErrorKind::Timeout)
    } else {
        (Sent::Maybe, TransportErrorKind::Reset)
    };
    TransportError { sent, kind, host, detail }
}

/// Looks through a chain of causes, also inside `io::Error`, which hides the error it wraps from `source`.
fn in_chain(error: &(dyn StdError + 'static), found: impl Fn(&(dyn StdError + 'static)) -> bool) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if found(cause) {
            return true;
        }
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    false
}

/// The words of the innermost cause: the outer ones repeat the address, which may hold a filter with names.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if let Some(own) = cause.downcast_ref::<reqwest::Error>() {
        return if own.is_builder() {
            "the request is not valid".to_owned()
        } else {
            "no details".to_owned()
        };
    }
    cause.to_string()
}
