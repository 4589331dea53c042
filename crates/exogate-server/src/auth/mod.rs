//! Who calls: the proof that comes with a request, judged.
//!
//! What a caller may do with which source is checked by each door; here it is only established who
//! they are. A refusal never tells which part of a proof was wrong.

pub mod certificate;
pub mod keys;
pub mod openid;
pub mod token;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use exogate_model::clock::Clock;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use thiserror::Error;

use crate::caller::{Caller, CallerKind, Scope};
use certificate::{CertificateJudge, CertificateRule, PeerCertificate};
use openid::OpenIdJudge;
use token::TokenJudge;

/// The other end of a connection; an extension of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Why nobody was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unrecognised {
    /// No proof came with the request.
    #[error("send a token: Authorization: Bearer …")]
    Missing,
    /// The proof is not sound, or sound no more.
    #[error("the credential is not valid, has expired or was revoked")]
    Invalid,
    /// The proof cannot be judged now.
    #[error("credentials cannot be checked at the moment; try again soon")]
    Unavailable,
}

/// Judges proofs. Clones share what they remember.
#[derive(Clone, Default)]
pub struct Authenticator {
    tokens: Option<TokenJudge>,
    open_id: Option<OpenIdJudge>,
    certificates: CertificateJudge,
    local: Option<Scope>,
}

impl Authenticator {
    /// One that recognises nobody.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Recognises tokens of our own.
    #[must_use]
    pub fn with_tokens(self, tokens: exogate_store::Tokens, clock: Arc<dyn Clock>) -> Self {
        Self { tokens: Some(TokenJudge::new(tokens, clock)), ..self }
    }

    /// Recognises tokens of an OpenID provider.
    #[must_use]
    pub fn with_open_id(self, judge: OpenIdJudge) -> Self {
        Self { open_id: Some(judge), ..self }
    }

    /// Recognises client certificates by these rules.
    #[must_use]
    pub fn with_certificates(self, rules: Vec<CertificateRule>) -> Self {
        Self { certificates: CertificateJudge::new(rules), ..self }
    }

    /// Takes programs on this machine that show no proof for callers of this scope.
    #[must_use]
    pub fn with_local(self, scope: Scope) -> Self {
        Self { local: Some(scope), ..self }
    }

    /// Who sent a request.
    pub async fn recognise(&self, request: &Parts) -> Result<Caller, Unrecognised> {
        match request.headers.get(AUTHORIZATION) {
            Some(value) => {
                let text = value.to_str().map_err(|_| Unrecognised::Invalid)?;
                let bearer = bearer(text).ok_or(Unrecognised::Invalid)?;
                self.by_bearer(bearer).await
            }
            None => match request.extensions.get::<PeerCertificate>() {
                Some(certificate) => self.certificates.judge(certificate).ok_or(Unrecognised::Invalid),
                None => self.by_place(request),
            },
        }
    }

    async fn by_bearer(&self, bearer: &str) -> Result<Caller, Unrecognised> {
        match (token::is_ours(bearer), &self.tokens, &self.open_id) {
            (true, Some(judge), _) => judge.judge(bearer).await,
            (false, _, Some(judge)) => judge.judge(bearer).await,
            _ => Err(Unrecognised::Invalid),
        }
    }

    /// A caller without any proof: one on this machine, where that is enough.
    fn by_place(&self, request: &Parts) -> Result<Caller, Unrecognised> {
        let scope = self.local.ok_or(Unrecognised::Missing)?;
        let peer = request.extensions.get::<Peer>().is_some_and(|peer| peer.0.ip().is_loopback());
        // A web page that a browser on this machine shows can reach loopback too, under a name of its
        // own; it must not act for whoever sits there.
        if !peer || request.headers.contains_key(ORIGIN) || !names_loopback(request) {
            return Err(Unrecognised::Missing);
        }
        Ok(Caller { name: "local".to_owned(), kind: CallerKind::Local, scope, sources: None::<BTreeSet<_>> })
    }
}

/// The token of `Bearer …`.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn names_loopback(request: &Parts) -> bool {
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = request.uri.host().or(host) else { return false };
    let host = host.parse::<http::uri::Authority>().map(|it| it.host().to_owned()).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/api/v1/sources");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(Peer(peer.parse().unwrap()));
        parts
    }

    #[tokio::test]
    async fn only_programs_of_this_machine_need_no_proof_and_only_where_allowed() {
        let open = Authenticator::nobody().with_local(Scope::Read);
        let here = [("host", "127.0.0.1:8080")];
        let caller = open.recognise(&parts("127.0.0.1:5000", &here)).await.unwrap();
        assert_eq!((caller.kind, caller.scope), (CallerKind::Local, Scope::Read));
        for host in ["localhost", "[::1]:8080", "LOCALHOST:1"] {
            assert!(open.recognise(&parts("[::1]:5000", &[("host", host)])).await.is_ok(), "{host}");
        }
        let refused = [
            parts("192.0.2.7:5000", &here),
            parts("127.0.0.1:5000", &[("host", "rebound.example")]),
            parts("127.0.0.1:5000", &[]),
            parts("127.0.0.1:5000", &[("host", "localhost"), ("origin", "https://evil.example")]),
        ];
        for request in refused {
            assert_eq!(open.recognise(&request).await, Err(Unrecognised::Missing));
        }
        let wrong = parts("127.0.0.1:5000", &[("host", "localhost"), ("authorization", "Bearer x")]);
        assert_eq!(open.recognise(&wrong).await, Err(Unrecognised::Invalid));
        assert_eq!(
            Authenticator::nobody().recognise(&parts("127.0.0.1:5000", &here)).await,
            Err(Unrecognised::Missing)
        );
    }

    #[test]
    fn bearer_is_read_in_any_case_and_nothing_else_is() {
        assert_eq!(bearer("bEaReR  abc "), Some("abc"));
        assert_eq!((bearer("Basic abc"), bearer("Bearer"), bearer("Bearer ")), (None, None, None));
    }
}
