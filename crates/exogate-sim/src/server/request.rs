//! A request as the services see it: read in full, decoded, with the place from which links must
//! be built. Nothing of connections or TLS.

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::clock::Time;

/// A path, raw and in decoded segments. Empty segments (double slashes) are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// As it came, without query.
    pub raw: String,
    pub segments: Vec<String>,
}

impl Path {
    #[must_use]
    pub fn new(raw: &str) -> Self {
        let segments = raw
            .split('/')
            .filter(|s| !s.is_empty())
            .map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned())
            .collect();
        Self { raw: raw.to_owned(), segments }
    }

    #[must_use]
    pub fn segment(&self, at: usize) -> Option<&str> {
        self.segments.get(at).map(String::as_str)
    }
}

/// The query, raw and as decoded pairs; `+` is a blank. Names keep the case they came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub raw: String,
    pub pairs: Vec<(String, String)>,
}

impl Query {
    #[must_use]
    pub fn new(raw: &str) -> Self {
        let pairs = form_urlencoded::parse(raw.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { raw: raw.to_owned(), pairs }
    }

    /// The first value of a name, without regard to case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Host (and port) as the client named it.
    pub host: String,
    /// `https://host[:port]` as the client reached us, for links.
    pub scheme_host: String,
    pub path: Path,
    pub query: Query,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub received_at: Time,
    /// The moment whose state is read: [`Request::received_at`], or earlier when a fault sends
    /// the request to a replica that lags.
    pub view_at: Time,
    /// Address of the client, for audit records.
    pub client: Option<std::net::IpAddr>,
}

impl Request {
    /// A request as a test or a batch makes it. `target` is path and query.
    #[must_use]
    pub fn new(method: Method, host: &str, target: &str, received_at: Time) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            host: host.to_owned(),
            scheme_host: format!("https://{host}"),
            path: Path::new(path),
            query: Query::new(query),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            received_at,
            view_at: received_at,
            client: None,
        }
    }

    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// A header as text; `None` when absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}
