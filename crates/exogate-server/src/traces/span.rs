//! A span that has ended, as it is told to others: named by what kind of thing happened, never by whom it was about.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

/// What stands on one end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody: work within exogate.
    Internal,
    /// A caller of exogate.
    Server,
    /// A service that exogate calls.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    Flag(bool),
}

/// Attributes with their names.
pub(super) type Attributes = Vec<(Cow<'static, str>, Value)>;

/// A span from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finished {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) attributes: Attributes,
    pub(super) error: Option<String>,
}

/// Methods that a name may hold; a caller may invent others.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// What a span of ours is called for others, of which kind it is, and what it came to.
pub(super) fn describe(
    name: &'static str,
    fields: Vec<(&'static str, Value)>,
) -> (String, Kind, Attributes, Option<String>) {
    let text = |wanted: &str| {
        fields.iter().find_map(|(name, value)| match value {
            Value::Text(text) if *name == wanted => Some(text.clone()),
            _ => None,
        })
    };
    let mut error = text("error");
    let (told, kind) = match name {
        "request" => {
            let method = text("method").filter(|method| METHODS.contains(&method.as_str()));
            let method = method.unwrap_or_else(|| "_OTHER".to_owned());
            if fields.iter().any(|field| matches!(field, ("status", Value::Whole(status)) if *status >= 500))
            {
                error.get_or_insert_with(|| "failed".to_owned());
            }
            let told = text("route").map_or_else(|| method.clone(), |route| format!("{method} {route}"));
            (told, Kind::Server)
        }
        "call" => (text("what").map_or_else(|| name.to_owned(), |what| without_ids(&what)), Kind::Client),
        _ => (name.to_owned(), Kind::Internal),
    };
    let attributes = fields.into_iter().map(|(name, value)| attribute(name, value)).collect();
    (told, kind, attributes, error)
}

/// An attribute under the name that the semantic conventions have for it, else under one of our own.
fn attribute(name: &'static str, value: Value) -> (Cow<'static, str>, Value) {
    let name = match name {
        "method" => "http.request.method",
        "route" => "http.route",
        "status" => "http.response.status_code",
        "service" => "peer.service",
        "error" => "error.type",
        "what" => {
            let value = match value {
                Value::Text(text) => Value::Text(without_ids(&text)),
                other => other,
            };
            return (Cow::Borrowed("exogate.call"), value);
        }
        "id" => "exogate.request_id",
        other => return (Cow::Owned(format!("exogate.{other}")), value),
    };
    (Cow::Borrowed(name), value)
}

/// A method and path without what names one object: ids and addresses.
fn without_ids(what: &str) -> String {
    let names = |segment: &str| {
        segment.contains('@')
            || segment.to_ascii_lowercase().contains("%40")
            || Uuid::try_parse(segment).is_ok()
    };
    what.split('/').map(|segment| if names(segment) { "{id}" } else { segment }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_request_is_named_by_its_route_and_fails_from_500_on() {
        let fields = |status| {
            vec![("method", text("GET")), ("route", text("/Users/{id}")), ("status", Value::Whole(status))]
        };
        let (name, kind, attributes, error) = describe("request", fields(404));
        assert_eq!((name.as_str(), kind, error), ("GET /Users/{id}", Kind::Server, None));
        assert_eq!(attributes[2], ("http.response.status_code".into(), Value::Whole(404)));
        assert_eq!(describe("request", fields(503)).3.as_deref(), Some("failed"));
        assert_eq!(describe("request", vec![("method", text("HACK"))]).0, "_OTHER");
    }

    #[test]
    fn a_call_names_nobody() {
        for (what, told) in [
            ("GET /users/mark@contoso.com", "GET /users/{id}"),
            ("GET /users/mark%40contoso.com/manager", "GET /users/{id}/manager"),
            ("PATCH /groups/6f1d2c58-0d4b-4a63-9d58-0a1f6b0c7b11", "PATCH /groups/{id}"),
            ("Get-Mailbox", "Get-Mailbox"),
        ] {
            let (name, kind, attributes, _) = describe("call", vec![("what", text(what))]);
            assert_eq!((name.as_str(), kind), (told, Kind::Client));
            assert_eq!(attributes, [("exogate.call".into(), text(told))]);
        }
    }
}
