//! `$batch`: several requests in one, answered one after another, each with its own status.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::server::operation::Service;
use crate::server::{Path, Query, Reply, Request};
use crate::world::World;

use super::answer;
use super::dispatch;
use super::error::{Condition, ExchangeError};
use crate::json::push_text;

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    requests: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, default = "post")]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(default)]
    headers: serde_json::Map<String, serde_json::Value>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

fn post() -> Cow<'static, str> {
    Cow::Borrowed("POST")
}

/// `POST …/$batch`.
pub(super) fn batch(ctx: &World, req: &Request) -> Reply {
    let scenario = ctx.scenario();
    let knobs = &scenario.exchange;
    let refuse = |text: &str| answer::error(ctx, req, knobs, &ExchangeError::new(Condition::BadBody, [text]));
    let Ok(batch) = serde_json::from_slice::<Batch<'_>>(&req.body) else {
        return refuse(
            "The batch payload could not be parsed: an object with an array 'requests' is expected.",
        );
    };
    if knobs.batch_refuse_larger && batch.requests.len() > knobs.batch_limit as usize {
        return refuse(&format!(
            "The batch holds more than the {} requests that are allowed.",
            knobs.batch_limit
        ));
    }
    let mut answers: Vec<Vec<u8>> = batch.requests.iter().map(|item| one(ctx, req, item)).collect();
    if knobs.batch_shuffle {
        answers.reverse();
    }
    let mut out = Vec::with_capacity(answers.iter().map(|answer| answer.len() + 1).sum::<usize>() + 32);
    out.extend_from_slice(b"{\"responses\":[");
    for (at, answer) in answers.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(answer);
    }
    out.extend_from_slice(b"]}");
    let mut reply = Reply::with(StatusCode::OK, "application/json; odata.metadata=minimal", out);
    answer::dress(ctx, req, &mut reply, 3);
    reply
}

fn one(ctx: &World, outer: &Request, item: &Item<'_>) -> Vec<u8> {
    let reply = match inner_request(outer, item) {
        Some(inner) => ctx
            .faults
            .item_reply(Service::Exchange, &inner, &ctx.request_id().to_string())
            .unwrap_or_else(|| dispatch(ctx, &inner)),
        None => Reply::status(StatusCode::BAD_REQUEST),
    };
    let mut out = Vec::with_capacity(reply.body.len() + 512);
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(item.id.get().as_bytes());
    out.extend_from_slice(format!(",\"status\":{},\"headers\":{{", reply.status.as_u16()).as_bytes());
    let mut first = true;
    for name in [
        "content-type",
        "cmdlet-name",
        "request-id",
        "x-exceptiontype",
        "x-exceptiontargettype",
        "retry-after",
        "odata-version",
    ] {
        let Some(value) = reply.headers.get(name).and_then(|value| value.to_str().ok()) else { continue };
        if !first {
            out.push(b',');
        }
        first = false;
        let shown = match name {
            "content-type" => "Content-Type",
            "cmdlet-name" => "Cmdlet-Name",
            "request-id" => "Request-Id",
            "x-exceptiontype" => "X-ExceptionType",
            "x-exceptiontargettype" => "x-ExceptionTargetType",
            "retry-after" => "Retry-After",
            _ => "OData-Version",
        };
        push_text(&mut out, shown);
        out.push(b':');
        push_text(&mut out, value);
    }
    out.push(b'}');
    let body = reply.body.to_bytes();
    if !body.is_empty() {
        out.extend_from_slice(b",\"body\":");
        let is_json = reply
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if is_json {
            out.extend_from_slice(&body);
        } else {
            push_text(&mut out, &String::from_utf8_lossy(&body));
        }
    }
    out.push(b'}');
    out
}

/// The request that an item stands for; what it does not say is taken from the batch.
fn inner_request(outer: &Request, item: &Item<'_>) -> Option<Request> {
    let url = item.url.as_ref();
    let target = match url.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => url,
    };
    let absolute = if target.starts_with('/') {
        target.to_owned()
    } else {
        let segments = outer.path.segments.get(..3)?;
        format!("/{}/{target}", segments.join("/"))
    };
    let (path, query) = absolute.split_once('?').unwrap_or((&absolute, ""));
    let path = Path::new(path);
    // A batch inside a batch would let one request nest without end.
    if path.segments.last().is_some_and(|last| last.eq_ignore_ascii_case("$batch")) {
        return None;
    }
    let mut inner = outer.clone();
    inner.method = Method::from_bytes(item.method.to_ascii_uppercase().as_bytes()).ok()?;
    inner.path = path;
    inner.query = Query::new(query);
    inner.body = item.body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.get().as_bytes()));
    for (name, value) in &item.headers {
        let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value.as_str()) else {
            continue;
        };
        if name == AUTHORIZATION && value.is_empty() {
            continue;
        }
        if let Ok(value) = HeaderValue::from_str(value) {
            inner.headers.insert(name, value);
        }
    }
    Some(inner)
}
