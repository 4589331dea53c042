//! Sending one message once. Nothing here decides whether it is sent again.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use thiserror::Error;

use super::message::Signed;
use crate::causes::with_causes;
use crate::outgoing;

/// A message that did not arrive, or of which nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Why.
    pub reason: String,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// How a message is sent.
pub trait Post: Send + Sync {
    /// Sends a message; done is what the receiver said it took.
    fn post<'a>(&'a self, message: &'a Signed) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// What sending by HTTP takes.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// PEM of further certificate authorities to trust.
    pub authorities: Option<Vec<u8>>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// How long the receiver may take.
    pub timeout: Duration,
}

/// Why nothing can be sent at all.
#[derive(Debug, Error)]
#[error("the client for the webhook cannot be made")]
pub struct PostSetupError(#[source] reqwest::Error);

/// Sends by HTTP POST.
pub struct HttpPost {
    client: reqwest::Client,
    url: String,
}

impl HttpPost {
    /// To one address. Redirects are not followed: what is signed for one receiver is for no other.
    pub fn new(url: impl Into<String>, options: &HttpOptions) -> Result<Self, PostSetupError> {
        let builder = outgoing::builder(options.timeout, options.authorities.as_deref());
        let mut builder = builder.map_err(PostSetupError)?.no_proxy();
        if let Some(proxy) = &options.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(PostSetupError)?);
        }
        Ok(Self { client: builder.build().map_err(PostSetupError)?, url: url.into() })
    }
}

impl Post for HttpPost {
    fn post<'a>(&'a self, message: &'a Signed) -> BoxFuture<'a, Result<(), Undelivered>> {
        let request = self
            .client
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", &message.timestamp)
            .header("webhook-signature", &message.signature)
            .body(message.body.clone());
        Box::pin(async move {
            let answer = request
                .send()
                .await
                .map_err(|error| Undelivered { reason: told(error), retry_after: None })?;
            let status = answer.status();
            if status.is_success() {
                return Ok(());
            }
            let seconds =
                answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let reason = if status.is_redirection() {
                format!("the receiver answered {status}; redirects are not followed: give its own address")
            } else {
                format!("the receiver answered {status}")
            };
            Err(Undelivered { reason, retry_after: seconds.map(Duration::from_secs) })
        })
    }
}

/// An error with its causes, without the address: a query in it may be a secret.
fn told(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "the receiver did not answer in time".to_owned();
    }
    with_causes(&error.without_url())
}
