//! `$batch`: up to twenty calls in one request, each judged, charged and answered on its own.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use super::call::{Body, Call};
use super::error::GraphError;
use super::scene::Scene;
use super::serve;
use crate::json::push_text;
use crate::server::Request;
use crate::server::operation::Service;

/// One item as asked.
struct Item {
    id: String,
    call: Result<Call, GraphError>,
    depends_on: Vec<String>,
}

const MOST: usize = 20;

fn malformed(text: impl Into<String>) -> GraphError {
    GraphError::unreadable(text)
}

fn read(call: &Call) -> Result<Vec<Item>, GraphError> {
    let body = call.json().map_err(|_| malformed("Invalid batch payload format."))?;
    let Some(Value::Array(requests)) = body.get("requests") else {
        return Err(malformed("Invalid batch payload format."));
    };
    if requests.len() > MOST {
        return Err(malformed(format!("Number of batch request steps exceeds the maximum value of {MOST}.")));
    }
    let mut items: Vec<Item> = Vec::with_capacity(requests.len());
    for request in requests {
        let item = item(request, &call.base)?;
        if items.iter().any(|known| known.id.eq_ignore_ascii_case(&item.id)) {
            return Err(malformed(format!("Batch request contains duplicate request id '{}'.", item.id)));
        }
        items.push(item);
    }
    for (at, item) in items.iter().enumerate() {
        for wanted in &item.depends_on {
            // A step may only wait for one that stands before it, which also excludes circles.
            if !items[..at].iter().any(|known| known.id.eq_ignore_ascii_case(wanted)) {
                return Err(malformed(format!(
                    "Batch request step '{}' depends on the unknown step '{wanted}'.",
                    item.id
                )));
            }
        }
    }
    Ok(items)
}

fn item(request: &Value, base: &str) -> Result<Item, GraphError> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    // Some clients number their steps.
    let id = match request.get("id") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err(malformed("Invalid batch payload format: every step needs an id.")),
    };
    let method =
        text("method").ok_or_else(|| malformed(format!("Batch request step '{id}' has no method.")))?;
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| malformed(format!("Batch request step '{id}' has an invalid method.")))?;
    let url = text("url").ok_or_else(|| malformed(format!("Batch request step '{id}' has no url.")))?;
    let mut headers = HeaderMap::new();
    if let Some(Value::Object(given)) = request.get("headers") {
        for (name, value) in given {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value))
            {
                headers.append(name, value);
            }
        }
    }
    let depends_on = match request.get("dependsOn") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(ids)) => {
            ids.iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).collect()
        }
        Some(_) => return Err(malformed(format!("Batch request step '{id}' has an invalid dependsOn."))),
    };
    let body = match request.get("body") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Bytes::from(text.clone())),
        Some(value) => Some(Bytes::from(value.to_string())),
    };
    let call = if url.contains("://") {
        Err(malformed("Batch request urls must be relative."))
    } else if url.trim_start_matches('/').to_ascii_lowercase().starts_with("$batch") {
        Err(malformed("A batch request cannot contain another batch request."))
    } else if body.is_some() && !headers.contains_key(CONTENT_TYPE) {
        Err(malformed(
            "Write request id : ".to_owned() + &id + " does not contain Content-Type header or body.",
        ))
    } else {
        Ok(Call::relative(method, url, headers, body.unwrap_or_default(), base))
    };
    Ok(Item { id, call, depends_on })
}

/// Answers a batch.
///
/// # Errors
/// 400 when the whole cannot be read.
pub fn answer(scene: &Scene<'_>, call: &Call) -> Result<Vec<u8>, GraphError> {
    if call.method != Method::POST {
        return Err(GraphError::method());
    }
    let items = read(call)?;
    let mut failed: HashMap<String, bool> = HashMap::new();
    let mut answers: Vec<Vec<u8>> = Vec::with_capacity(items.len());
    for item in &items {
        let blocked =
            item.depends_on.iter().any(|id| failed.get(&id.to_ascii_lowercase()).copied().unwrap_or(true));
        let answered = if blocked {
            serve::refusal(
                scene,
                None,
                &GraphError::new(
                    http::StatusCode::FAILED_DEPENDENCY,
                    "FailedDependency",
                    "One or more dependencies of this request failed.",
                ),
            )
        } else {
            match &item.call {
                Ok(call) => faulty(scene, call).unwrap_or_else(|| serve::one(scene, call)),
                Err(error) => serve::refusal(scene, None, error),
            }
        };
        failed.insert(item.id.to_ascii_lowercase(), !answered.status.is_success());
        answers.push(push_item(&item.id, &answered));
    }
    if scene.knobs.batch_shuffle {
        answers.reverse();
        // Neither the order asked nor simply backwards.
        if answers.len() > 3 {
            answers.swap(0, 2);
        }
    }
    let mut out = Vec::with_capacity(answers.iter().map(Vec::len).sum::<usize>() + answers.len() + 32);
    out.extend_from_slice(b"{\"responses\":[");
    for (at, answer) in answers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(answer);
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

/// The answer of a fault rule in place of an item's own.
fn faulty(scene: &Scene<'_>, call: &Call) -> Option<serve::Served> {
    let target = format!("/v1.0{}?{}", call.raw_path, call.raw_query);
    let request = Request::new(call.method.clone(), "graph.microsoft.com", &target, scene.now);
    let id = scene.world.request_id().to_string();
    let reply = scene.world.faults.item_reply(Service::Graph, &request, &id)?;
    let headers = reply
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let body = reply.body.to_bytes().to_vec();
    let body = match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Body::Json(body),
        Err(_) if body.is_empty() => Body::Empty,
        Err(_) => Body::Text(String::from_utf8_lossy(&body).into_owned()),
    };
    Some(serve::Served { status: reply.status, headers, body, units: 0 })
}

fn push_item(id: &str, served: &serve::Served) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"{\"id\":");
    push_text(&mut out, id);
    out.extend_from_slice(format!(",\"status\":{},\"headers\":{{", served.status.as_u16()).as_bytes());
    for (at, (name, value)) in served.headers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(&mut out, name);
        out.push(b':');
        push_text(&mut out, value);
    }
    out.extend_from_slice(b"},\"body\":");
    match &served.body {
        Body::Empty => out.extend_from_slice(b"null"),
        Body::Json(bytes) => out.extend_from_slice(bytes),
        Body::Text(text) => push_text(&mut out, text),
    }
    out.push(b'}');
    out
}
