//! The client for what the service itself fetches or delivers beside its doors: keys of a provider, traces,
//! webhooks. Never for a tenant.

use std::time::Duration;

/// A client that follows nowhere and gives up after `patience`. `authorities`: PEM of further certificate
/// authorities to trust.
pub(crate) fn client(
    patience: Duration,
    authorities: Option<&[u8]>,
) -> Result<reqwest::Client, reqwest::Error> {
    builder(patience, authorities)?.build()
}

/// The same, for those who have more to say about it.
pub(crate) fn builder(
    patience: Duration,
    authorities: Option<&[u8]>,
) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    // An error only says that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("exogate");
    Ok(match authorities {
        Some(pem) => builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?),
        None => builder,
    })
}
