//! One call of the directory API, alone or as an item of a batch, with its path taken apart; and its answer.

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderMap, Method, StatusCode};

use super::odata::options::Options;
use crate::server::{Path, Query, Request};

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Decoded segments after the version; keys in parentheses are segments of their own.
    pub segments: Vec<String>,
    /// The path after the version as links repeat it.
    pub raw_path: String,
    /// The query as it came.
    pub raw_query: String,
    /// The query options.
    pub options: Options,
    /// Headers of the call.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// `https://host/v1.0`, for links.
    pub base: String,
}

impl Call {
    /// Reads a request whose first segment is the version.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let version = request.path.segment(0).unwrap_or("v1.0").to_ascii_lowercase();
        let raw: Vec<&str> =
            request.path.raw.split('/').filter(|segment| !segment.is_empty()).skip(1).collect();
        Self {
            method: request.method.clone(),
            segments: take_apart(&request.path.segments[1.min(request.path.segments.len())..]),
            raw_path: raw.iter().map(|segment| format!("/{segment}")).collect(),
            raw_query: request.query.raw.clone(),
            options: read_options(&request.query),
            headers: request.headers.clone(),
            body: request.body.clone(),
            base: format!("{}/{version}", request.scheme_host),
        }
    }

    /// A call from a relative address, as batch items give it.
    #[must_use]
    pub fn relative(method: Method, url: &str, headers: HeaderMap, body: Bytes, base: &str) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = Path::new(path);
        let query = Query::new(query);
        let raw: String = path
            .raw
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| format!("/{segment}"))
            .collect();
        Self {
            method,
            segments: take_apart(&path.segments),
            raw_path: raw,
            options: read_options(&query),
            raw_query: query.raw,
            headers,
            body,
            base: base.to_owned(),
        }
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `ConsistencyLevel: eventual`.
    #[must_use]
    pub fn eventual(&self) -> bool {
        self.header("consistencylevel").is_some_and(|level| level.trim().eq_ignore_ascii_case("eventual"))
    }

    /// A preference of the `Prefer` headers: its value, or an empty string for a bare one.
    #[must_use]
    pub fn preference(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']))
            .find_map(|part| {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
            })
    }

    /// The body as JSON object.
    ///
    /// # Errors
    /// 400 when it is none.
    pub fn json(&self) -> Result<serde_json::Map<String, serde_json::Value>, super::error::GraphError> {
        if self.body.is_empty() {
            return Err(super::error::GraphError::unreadable("Empty Payload. JSON content expected."));
        }
        match serde_json::from_slice(&self.body) {
            Ok(serde_json::Value::Object(object)) => Ok(object),
            _ => Err(super::error::GraphError::unreadable(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
        }
    }

    /// The call's own address with another page token.
    #[must_use]
    pub fn next_link(&self, token: &str) -> String {
        let mut link = format!("{}{}?", self.base, self.raw_path);
        for part in self.raw_query.split('&').filter(|part| !part.is_empty()) {
            let name = part.split('=').next().unwrap_or_default();
            let name = name.replace("%24", "$");
            if !name.eq_ignore_ascii_case("$skiptoken") {
                link.push_str(part);
                link.push('&');
            }
        }
        link.push_str("$skiptoken=");
        link.push_str(token);
        link
    }
}

fn read_options(query: &Query) -> Options {
    Options::read(query.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// `users('x')` → `users`, `x`; `delta()` → `delta`; `servicePrincipals(appId='x')` → `servicePrincipals`, `appId=x`.
fn take_apart(segments: &[String]) -> Vec<String> {
    let mut parts = Vec::with_capacity(segments.len() + 1);
    // An older way of naming the tenant, which adds nothing.
    let own = segments.first().is_some_and(|first| first.eq_ignore_ascii_case("myorganization"));
    for segment in &segments[usize::from(own)..] {
        match segment.strip_suffix(')').and_then(|inner| inner.split_once('(')) {
            Some((name, key)) if !name.is_empty() => {
                parts.push(name.to_owned());
                let key = key.trim();
                if !key.is_empty() {
                    parts.push(match key.split_once("='") {
                        Some((property, value)) => format!("{property}={}", unquote(&format!("'{value}"))),
                        None => unquote(key),
                    });
                }
            }
            _ => parts.push(segment.clone()),
        }
    }
    parts.into_iter().map(plainly).collect()
}

/// Actions and functions that clients also call by their full names.
const OPERATIONS: [&str; 9] = [
    "assignLicense",
    "checkMemberGroups",
    "checkMemberObjects",
    "delta",
    "getByIds",
    "getMemberGroups",
    "getMemberObjects",
    "restore",
    "revokeSignInSessions",
];

/// `microsoft.graph.assignLicense` → `assignLicense`; types keep their namespace, which tells them from keys.
fn plainly(segment: String) -> String {
    let name = match segment.get(..16) {
        Some(namespace) if namespace.eq_ignore_ascii_case("microsoft.graph.") => &segment[16..],
        _ => return segment,
    };
    if OPERATIONS.iter().any(|known| known.eq_ignore_ascii_case(name)) { name.to_owned() } else { segment }
}

fn unquote(key: &str) -> String {
    key.strip_prefix('\'')
        .and_then(|key| key.strip_suffix('\''))
        .map_or_else(|| key.to_owned(), |key| key.replace("''", "'"))
}

/// What an answer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Vec<u8>),
    /// Plain text.
    Text(String),
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub body: Body,
    /// Headers beyond the usual ones.
    pub headers: Vec<(HeaderName, String)>,
}

impl Answer {
    /// 200 with JSON bytes.
    #[must_use]
    pub fn json(bytes: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body: Body::Json(bytes), headers: Vec::new() }
    }

    /// 200 with a JSON value.
    #[must_use]
    pub fn value(value: &serde_json::Value) -> Self {
        Self::json(value.to_string().into_bytes())
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Body::Empty, headers: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn call(target: &str) -> Call {
        Call::of(&Request::new(Method::GET, "graph.microsoft.com", target, Time::default()))
    }

    #[test]
    fn paths_in_every_spelling() {
        for (target, segments) in [
            ("/v1.0/users/a%40b.c", vec!["users", "a@b.c"]),
            ("/v1.0//users('$x@b.c')/manager/$ref", vec!["users", "$x@b.c", "manager", "$ref"]),
            ("/v1.0/users/delta()", vec!["users", "delta"]),
            ("/v1.0/users/microsoft.graph.delta()", vec!["users", "delta"]),
            ("/v1.0/users/a/microsoft.graph.assignLicense", vec!["users", "a", "assignLicense"]),
            (
                "/v1.0/groups/a/members/microsoft.graph.user",
                vec!["groups", "a", "members", "microsoft.graph.user"],
            ),
            ("/v1.0/users(%27a%27)", vec!["users", "a"]),
            ("/v1.0/servicePrincipals(appId='1')", vec!["servicePrincipals", "appId=1"]),
            ("/v1.0/myorganization/servicePrincipals", vec!["servicePrincipals"]),
            ("/v1.0/", vec![]),
        ] {
            assert_eq!(call(target).segments, segments, "{target}");
        }
    }

    #[test]
    fn next_links_keep_the_options_and_replace_the_token() {
        let call = call("/v1.0//users?%24top=5&$skiptoken=old&$select=id,mail");
        assert_eq!(
            call.next_link("new"),
            "https://graph.microsoft.com/v1.0/users?%24top=5&$select=id,mail&$skiptoken=new"
        );
        assert_eq!(call.options.top.as_deref(), Some("5"));
    }

    #[test]
    fn preferences() {
        let mut call = call("/v1.0/users");
        call.headers.append("prefer", "return=minimal, odata.maxpagesize=7".parse().unwrap());
        assert_eq!(call.preference("odata.maxpagesize"), Some("7"));
        assert_eq!(call.preference("Return"), Some("minimal"));
        assert_eq!(call.preference("other"), None);
    }
}
