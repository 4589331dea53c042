//! Bare HTTP: a client that trusts one authority, sign-in with a secret, and the tenant's control API.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

/// A client like the gateway's own: HTTP/1.1, gzip if wanted, no redirects.
pub fn client(ca: &Path, gzip: bool) -> Result<reqwest::Client> {
    install_provider();
    let pem = std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .gzip(gzip)
        .http1_only()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(64)
        .no_proxy()
        .tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem)?)
        .build()?;
    Ok(client)
}

/// Makes ring the crypto provider of this process.
pub fn install_provider() {
    // An error only says that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A token for a resource.
pub async fn token(
    client: &reqwest::Client,
    origin: &str,
    tenant: &str,
    application: (&str, &str),
    resource: &str,
) -> Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
    }
    let (id, secret) = application;
    let scope = format!("{resource}/.default");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("scope", scope.as_str()),
    ];
    let answer = client.post(format!("{origin}/{tenant}/oauth2/v2.0/token")).form(&form).send().await?;
    Ok(answer.error_for_status()?.json::<Answer>().await?.access_token)
}

/// The anchor of calls that are about no mailbox: the tenant's system mailbox.
pub fn anchor(tenant: &str) -> String {
    format!("APP:SystemMailbox{{bb558c35-97f1-4cb9-8ff7-d53741dc928c}}@{tenant}")
}

/// A client for the control API, which is plain HTTP.
pub fn control_client() -> Result<reqwest::Client> {
    install_provider();
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?)
}
