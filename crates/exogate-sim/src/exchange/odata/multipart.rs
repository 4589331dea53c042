//! `$batch` as `multipart/mixed`, the way in which Microsoft's client library bundles reads of entities.
//!
//! It takes the parts out and puts the answers in; each part is answered like a request of its own.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::{answer, dispatch};
use crate::server::{Path, Query, Reply, Request};
use crate::world::World;

/// How many parts one batch may hold.
const MOST: usize = 100;

/// A content id and the request of a part.
struct Part {
    id: Option<HeaderValue>,
    request: Request,
}

/// Whether a request is a batch of this kind.
pub(in crate::exchange) fn is_multipart(req: &Request) -> bool {
    req.header("content-type")
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/mixed"))
}

/// Answers a batch.
pub(in crate::exchange) fn batch(ctx: &World, req: &Request) -> Reply {
    let boundary = req.header("content-type").and_then(boundary_of);
    let parts = boundary.and_then(|boundary| parts(req, &boundary));
    let Some(parts) = parts else {
        let error = ExchangeError::new(
            Condition::BadBody,
            ["The batch payload could not be parsed: parts of the type application/http are expected."],
        );
        return answer::error(ctx, req, &ctx.scenario().exchange, &error);
    };
    let boundary = format!("batchresponse_{}", ctx.request_id());
    let mut out = Vec::with_capacity(parts.len() * 2048);
    for Part { id, request } in parts {
        let reply = dispatch(ctx, &request);
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        out.extend_from_slice(b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n");
        if let Some(id) = id {
            header(&mut out, "Content-ID", id.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        let reason = reply.status.canonical_reason().unwrap_or("Status");
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", reply.status.as_u16()).as_bytes());
        for (name, value) in &reply.headers {
            header(&mut out, name.as_str(), value.as_bytes());
        }
        let body = reply.body.to_bytes();
        header(&mut out, "Content-Length", body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let mut reply = Reply::status(StatusCode::OK);
    reply.set_header(CONTENT_TYPE, &format!("multipart/mixed; boundary={boundary}"));
    reply.body = crate::server::ReplyBody::Bytes(out.into());
    answer::dress(ctx, req, &mut reply, 3);
    reply
}

fn header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// `boundary=…`, with or without quotes.
fn boundary_of(content_type: &str) -> Option<String> {
    let value = content_type.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    (!value.is_empty() && value.len() <= 200).then_some(value)
}

fn parts(outer: &Request, boundary: &str) -> Option<Vec<Part>> {
    let text = std::str::from_utf8(&outer.body).ok()?;
    let delimiter = format!("--{boundary}");
    let mut found = Vec::new();
    // What precedes the first delimiter is a preamble; `--` behind one ends the batch.
    for piece in text.split(delimiter.as_str()).skip(1) {
        if piece.starts_with("--") {
            break;
        }
        if found.len() >= MOST {
            return None;
        }
        found.push(part(outer, piece)?);
    }
    (!found.is_empty()).then_some(found)
}

/// The lines of a head and what follows the empty line after it.
fn head(text: &str) -> (Vec<&str>, &str) {
    let (head, rest) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n")).unwrap_or((text, ""));
    (head.lines().map(str::trim).filter(|line| !line.is_empty()).collect(), rest)
}

fn headers_of(lines: &[&str]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.insert(
            HeaderName::from_bytes(name.trim().as_bytes()).ok()?,
            HeaderValue::from_str(value.trim()).ok()?,
        );
    }
    Some(headers)
}

fn part(outer: &Request, text: &str) -> Option<Part> {
    let (lines, inner) = head(text.trim_start());
    let envelope = headers_of(&lines)?;
    // Change sets would be writes, of which this interface has none.
    let http = envelope.get(CONTENT_TYPE)?.to_str().ok()?.trim().to_ascii_lowercase();
    if !http.starts_with("application/http") {
        return None;
    }
    let (lines, body) = head(inner.trim_start());
    let (request_line, lines) = lines.split_first()?;
    let mut words = request_line.split_ascii_whitespace();
    let method = Method::from_bytes(words.next()?.as_bytes()).ok()?;
    let target = target(outer, words.next()?)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = Path::new(path);
    // A batch inside a batch would let one request nest without end.
    if path.segments.last().is_some_and(|last| last.eq_ignore_ascii_case("$batch")) {
        return None;
    }
    let mut request = outer.clone();
    request.headers.remove(CONTENT_TYPE);
    for (name, value) in &headers_of(lines)? {
        if name != AUTHORIZATION || !value.is_empty() {
            request.headers.insert(name, value.clone());
        }
    }
    request.method = method;
    request.path = path;
    request.query = Query::new(query);
    request.body = Bytes::copy_from_slice(body.trim_end().as_bytes());
    Some(Part { id: envelope.get("content-id").cloned(), request })
}

/// Path and query of a part's address, which may be absolute, rooted or relative to the batch.
fn target(outer: &Request, address: &str) -> Option<String> {
    let rooted = match address.split_once("://") {
        Some((_, rest)) => rest.find('/').map(|at| rest[at..].to_owned())?,
        None if address.starts_with('/') => address.to_owned(),
        None => format!("/{}/{address}", outer.path.segments.get(..3)?.join("/")),
    };
    // A path that is not text could not have come over a connection of its own either.
    percent_decode_str(&rooted).decode_utf8().is_ok().then_some(rooted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Time;

    fn outer(body: &str) -> Request {
        Request::new(Method::POST, "outlook.office365.com", "/adminapi/beta/t/$batch", Time::from_seconds(0))
            .with_body(body.to_owned())
    }

    #[test]
    fn parts_are_taken_out() {
        let body = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 7\r\n\r\n\
                    GET https://outlook.office365.com/adminapi/beta/t/Mailbox('YQ==')?isEncoded=true HTTP/1.1\r\nX-AnchorMailbox: a\r\n\r\n\r\n\
                    --b\r\nContent-Type: application/http\r\n\r\nGET Recipient HTTP/1.1\r\n\r\n\r\n--b--\r\n";
        let found = parts(&outer(body), "b").unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id.as_ref().unwrap(), "7");
        assert_eq!(found[0].request.path.raw, "/adminapi/beta/t/Mailbox('YQ==')");
        assert_eq!(found[0].request.header("x-anchormailbox"), Some("a"));
        assert_eq!(found[1].request.path.raw, "/adminapi/beta/t/Recipient");
        assert_eq!(boundary_of("multipart/mixed; boundary=\"x y\"; charset=utf-8").as_deref(), Some("x y"));
        for bad in [
            "",
            "--b--",
            "--b\r\n\r\n",
            "--b\r\nContent-Type: application/http\r\n\r\nGET /adminapi/beta/t/$batch HTTP/1.1\r\n\r\n--b--",
        ] {
            assert!(parts(&outer(bad), "b").is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_fall_over(text in "(--b|\r\n|\n|Content-Type: application/http|GET |/| HTTP/1.1|:|é|x){0,24}") {
            let _ = parts(&outer(&text), "b");
        }
    }
}
