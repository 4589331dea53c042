//! A token, and what people may be shown of it.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use http::HeaderValue;
use jiff::Timestamp;
use serde::Deserialize;

/// A bearer token for one resource. Clones are the same token.
#[derive(Clone)]
pub struct AccessToken(Arc<Inner>);

struct Inner {
    /// `Bearer …`, marked sensitive.
    header: HeaderValue,
    expires_at: Timestamp,
    renew_at: Timestamp,
}

impl AccessToken {
    /// A token that is good until `expires_at` and should be replaced from `renew_at`. `None` if it cannot be put into
    /// a header.
    pub(crate) fn new(token: &str, expires_at: Timestamp, renew_at: Timestamp) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Self(Arc::new(Inner { header, expires_at, renew_at })))
    }

    /// The value of `Authorization`.
    pub fn header(&self) -> HeaderValue {
        self.0.header.clone()
    }

    /// Until when it is good.
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// From when it should be replaced.
    pub fn renew_at(&self) -> Timestamp {
        self.0.renew_at
    }

    /// Whether both are one token.
    pub fn is(&self, other: &AccessToken) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn text(&self) -> &str {
        self.0.header.to_str().ok().and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "AccessToken(until {})", self.0.expires_at)
    }
}

/// What a token says about itself, to show to an administrator. Its format is Microsoft's to change: never decide on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TokenHints {
    /// Application permissions granted.
    pub roles: Vec<String>,
    /// Template ids of directory roles.
    pub wids: Vec<String>,
    /// Tenant id.
    pub tid: Option<String>,
    /// Application id.
    pub appid: Option<String>,
    /// The application's name.
    pub app_displayname: Option<String>,
    /// The user, if a user signed in.
    pub upn: Option<String>,
    /// Delegated permissions, if a user signed in.
    pub scp: Option<String>,
}

impl TokenHints {
    /// Reads what can be read; an opaque token gives empty hints.
    pub fn of(token: &AccessToken) -> Self {
        token
            .text()
            .split('.')
            .nth(1)
            .and_then(|claims| URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok())
            .and_then(|claims| serde_json::from_slice(&claims).ok())
            .unwrap_or_default()
    }
}

/// The claims that a `WWW-Authenticate` header demands of the next token, decoded.
pub fn claims_challenge(www_authenticate: &str) -> Option<String> {
    let (_, rest) = www_authenticate.split_once("claims=\"")?;
    let (encoded, _) = rest.split_once('"')?;
    let bytes = [&STANDARD, &URL_SAFE, &URL_SAFE_NO_PAD]
        .into_iter()
        .find_map(|engine| engine.decode(encoded).ok())?;
    let text = String::from_utf8(bytes).ok()?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text).ok()?;
    Some(text)
}
