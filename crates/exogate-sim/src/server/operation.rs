//! What a request asks for, as far as latency, throttling, faults and the trace must know before
//! any service has looked at it: service, cmdlet or path pattern, items of a batch.

use http::Method;
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::Request;

/// One of the simulated services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    Token,
    Imds,
    Graph,
    Exchange,
    Activity,
    Control,
    Unknown,
}

impl Service {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Imds => "imds",
            Self::Graph => "graph",
            Self::Exchange => "exchange",
            Self::Activity => "activity",
            Self::Control => "control",
            Self::Unknown => "unknown",
        }
    }
}

/// One item of an Exchange batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub by_identity: bool,
    pub write: bool,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub service: Service,
    /// Cmdlet for Exchange; for the rest a path whose ids are `{id}`.
    pub name: String,
    /// One object by its identity, not a listing.
    pub by_identity: bool,
    pub write: bool,
    /// Cmdlets of a batch.
    pub items: Vec<Item>,
}

impl Operation {
    /// Reads it off a request without trusting it.
    #[must_use]
    pub fn of(service: Service, request: &Request) -> Self {
        match service {
            Service::Exchange => exchange(request),
            _ => by_path(service, request),
        }
    }

    /// How many calls it counts as.
    #[must_use]
    pub fn calls(&self) -> u32 {
        u32::try_from(self.items.len().max(1)).unwrap_or(u32::MAX)
    }
}

fn exchange(request: &Request) -> Operation {
    let last = request.path.segments.last().map_or("", String::as_str);
    if last.eq_ignore_ascii_case("$batch") {
        let items = cmdlets(&request.body);
        let write = items.iter().any(|i| i.write);
        return Operation {
            service: Service::Exchange,
            name: "$batch".to_owned(),
            by_identity: false,
            write,
            items,
        };
    }
    let mut found = cmdlets(&request.body);
    if !found.is_empty() {
        let Item { name, by_identity, write } = found.swap_remove(0);
        return Operation { service: Service::Exchange, name, by_identity, write, items: Vec::new() };
    }
    by_path(Service::Exchange, request)
}

/// The cmdlets named in a body, in order, each with whether its stretch of the body has an
/// identity.
fn cmdlets(body: &[u8]) -> Vec<Item> {
    const KEY: &[u8] = b"CmdletName";
    let starts: Vec<usize> = memmem::find_iter(body, KEY).collect();
    let single = starts.len() == 1;
    let mut items = Vec::with_capacity(starts.len());
    let inputs: Vec<usize> = memmem::find_iter(body, b"CmdletInput").collect();
    for (n, start) in starts.iter().enumerate() {
        let after = body.get(start + KEY.len()..).unwrap_or(&[]);
        let Some(name) = quoted(after) else { continue };
        // Key order varies, so an item's stretch is its CmdletInput where those pair up.
        let (from, to) = if single || inputs.len() != starts.len() {
            (0, body.len())
        } else {
            (inputs[n], inputs.get(n + 1).copied().unwrap_or(body.len()))
        };
        let stretch = body.get(from..to).unwrap_or(&[]);
        items.push(Item {
            by_identity: memmem::find(stretch, b"\"Identity\"").is_some(),
            write: !is_read(&name),
            name,
        });
    }
    items
}

fn is_read(cmdlet: &str) -> bool {
    ["get-", "search-", "test-"]
        .iter()
        .any(|verb| cmdlet.get(..verb.len()).is_some_and(|head| head.eq_ignore_ascii_case(verb)))
}

/// The text in quotes after `" : `.
fn quoted(bytes: &[u8]) -> Option<String> {
    let rest = bytes.strip_prefix(b"\"").or_else(|| bytes.strip_prefix(b"\\\""))?;
    let open = rest.iter().position(|b| *b == b'"')?;
    if !rest[..open].iter().all(|b| b.is_ascii_whitespace() || *b == b':' || *b == b'\\') {
        return None;
    }
    let text = &rest[open + 1..];
    let close = text.iter().take(80).position(|b| matches!(b, b'"' | b'\\'))?;
    std::str::from_utf8(&text[..close]).ok().map(str::to_owned)
}

fn by_path(service: Service, request: &Request) -> Operation {
    let mut name = String::new();
    let mut by_identity = false;
    for segment in &request.path.segments {
        let plain = segment.split(['(', '\'']).next().unwrap_or("");
        let keyed = segment.len() > plain.len() && !segment.ends_with("()");
        let id = looks_like_id(plain);
        name.push('/');
        if id {
            name.push_str("{id}");
        } else {
            name.push_str(plain);
            if keyed {
                name.push_str("({id})");
            }
        }
        by_identity = id || keyed;
    }
    let write = !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    Operation { service, name, by_identity, write, items: Vec::new() }
}

fn looks_like_id(segment: &str) -> bool {
    segment.contains('@')
        || uuid::Uuid::try_parse(segment).is_ok()
        || (segment.contains('.')
            && !segment.starts_with("v1.0")
            && !segment.starts_with("v2.0")
            && !segment.starts_with('.')
            && !segment.contains("microsoft.graph"))
}
