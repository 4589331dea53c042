//! The client for what the service itself fetches or delivers beside its doors: keys of a provider, traces.
//! Never for a tenant.

use std::time::Duration;

/// A client that follows nowhere and gives up after `patience`. `authorities`: PEM of further certificate
/// authorities to trust.
pub(crate) fn client(
    patience: Duration,
    authorities: Option<&[u8]>,
) -> Result<reqwest::Client, reqwest::Error> {
    // An error only says that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .timeout(patience)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent("exogate");
    match authorities {
        Some(pem) => builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem)?).build(),
        None => builder.build(),
    }
}
