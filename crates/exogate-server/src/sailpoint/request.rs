//! What a client sends: one command in JSON, and what it says about the object and the state.

use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::command::Command;
use super::refusal::Refusal;

/// Commands are small: a change of some thousand values fits many times.
const LONGEST: usize = 4 * 1024 * 1024;

/// A command as it was sent.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) command: Command,
    pub(super) input: Map<String, Value>,
    pub(super) options: Options,
}

/// What of the connector's configuration concerns the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Options {
    /// Somebody reviews in the platform what the policy wants reviewed.
    #[serde(deserialize_with = "truth")]
    pub(super) changes_are_reviewed: bool,
}

/// A checkbox, which some clients keep as text.
fn truth<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    })
}

pub(super) async fn read(request: Request) -> Result<Body, Refusal> {
    let (parts, body) = request.into_parts();
    is_json(&parts.headers)?;
    let bytes = match Limited::new(body, LONGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if is_too_long(error.as_ref()) => {
            let text = format!("the body is longer than {LONGEST} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        Err(_) => return Err(Refusal::bad("the body could not be read to its end")),
    };
    parse(&bytes)
}

/// Whether a limit was met, here or by whoever looked at the request before.
fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(this) = error {
        if this.is::<LengthLimitError>() {
            return true;
        }
        error = this.source();
    }
    false
}

fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    let text = format!("the content type is {kind:?}; send a command as application/json");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
}

pub(super) fn parse(bytes: &[u8]) -> Result<Body, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::bad("the body is empty; send {\"type\": \"std:…\", \"input\": {…}}"));
    }
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad(format!("the body is not JSON: {error}")))?;
    let Value::Object(mut body) = value else {
        return Err(Refusal::bad("the body is no JSON object; send {\"type\": \"std:…\", \"input\": {…}}"));
    };
    let Some(Value::String(kind)) = body.remove("type") else {
        return Err(Refusal::bad("the body names no command; set \"type\" to one such as std:account:list"));
    };
    // The words of SailPoint's runner.
    let command = kind.parse().map_err(|()| Refusal::bad(format!("unsupported command: {kind}")))?;
    let input = match body.remove("input") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(input)) => input,
        Some(_) => return Err(Refusal::bad("\"input\" is no JSON object")),
    };
    let options = match body.remove("config") {
        Some(config @ Value::Object(_)) => serde_json::from_value(config).unwrap_or_default(),
        _ => Options::default(),
    };
    Ok(Body { command, input, options })
}

/// The object that a command is about: the key where there is one, the identity otherwise.
pub(super) fn object(input: &Map<String, Value>) -> Result<&str, Refusal> {
    let key = input.get("key");
    let at = |kind: &str, name: &str| key?.get(kind)?.get(name)?.as_str();
    at("simple", "id")
        .or_else(|| at("compound", "uniqueId"))
        .or_else(|| at("compound", "lookupId"))
        .or_else(|| input.get("identity")?.as_str())
        .filter(|id| !id.trim().is_empty())
        .ok_or_else(|| {
            Refusal::bad("the input names no object; set \"key\": {\"simple\": {\"id\": …}} or \"identity\"")
        })
}

/// A part of the input, read as what it has to be.
pub(super) fn part<T: serde::de::DeserializeOwned>(
    input: &Map<String, Value>,
    name: &str,
) -> Result<Option<T>, Refusal> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value)
            .map(Some)
            .map_err(|error| Refusal::bad(format!("\"{name}\" in the input: {error}"))),
    }
}

/// Whether the client's schema asks for permissions beside the attributes.
pub(super) fn wants_permissions(input: &Map<String, Value>) -> bool {
    input.get("schema").and_then(|schema| schema.get("includePermissions")) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &str) -> String {
        let refusal = parse(body.as_bytes()).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        refusal.message
    }

    #[test]
    fn says_what_is_wrong_with_a_body() {
        assert!(refused("").starts_with("the body is empty"));
        assert!(refused("{").starts_with("the body is not JSON"));
        assert!(refused(&"[".repeat(100_000)).starts_with("the body is not JSON"));
        assert!(refused("[]").starts_with("the body is no JSON object"));
        assert!(refused("{}").starts_with("the body names no command"));
        assert!(refused(r#"{"type":7}"#).starts_with("the body names no command"));
        assert_eq!(refused(r#"{"type":"std:account:unlock"}"#), "unsupported command: std:account:unlock");
        assert!(refused(r#"{"type":"std:spec:read","input":[]}"#).contains("\"input\""));
    }

    #[test]
    fn reads_a_command() {
        let body = parse(
            br#"{"type":"std:account:read","version":1,"config":{"changesAreReviewed":"true","token":"x"},
                 "input":{"identity":"a"}}"#,
        )
        .unwrap();
        assert_eq!(body.command, Command::AccountRead);
        assert!(body.options.changes_are_reviewed);
        assert_eq!(object(&body.input).unwrap(), "a");
        assert!(!parse(br#"{"type":"std:spec:read"}"#).unwrap().options.changes_are_reviewed);
    }

    #[test]
    fn the_key_decides_over_the_identity() {
        let id = |input: Value| object(input.as_object().unwrap()).map(str::to_owned);
        assert_eq!(id(json!({"identity": "a", "key": {"simple": {"id": "b"}}})).unwrap(), "b");
        let compound = json!({"key": {"compound": {"lookupId": "l", "uniqueId": "u"}}});
        assert_eq!(id(compound).unwrap(), "u");
        for empty in [json!({}), json!({"identity": "  "}), json!({"identity": 7}), json!({"key": []})] {
            assert!(id(empty).is_err());
        }
    }
}
