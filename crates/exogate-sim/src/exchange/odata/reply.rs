//! Answers of the entity interface: context, page link, level of metadata.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};

use crate::exchange::answer;
use crate::exchange::emit::Window;
use crate::exchange::error::ExchangeError;
use crate::exchange::invoke::page_size;
use crate::exchange::page::{Binding, Cursor};
use crate::json::push_text;
use crate::server::{Reply, ReplyBody};

use super::Call;
use super::entity::Level;

/// Entities per page when the client does not say.
const DEFAULT_PAGE: u64 = 100;

/// What a request comes to.
pub(super) enum Answer {
    /// Several values: what the context names, the rows joined by commas in pieces, where the next page begins.
    Many { context: String, rows: Vec<Bytes>, next: Option<Cursor> },
    /// One value, as a JSON object.
    One { context: String, row: Vec<u8> },
}

impl Answer {
    pub(super) fn into_reply(self, call: &Call<'_>) -> Reply {
        let level = call.level();
        let mut head = Vec::with_capacity(256);
        head.push(b'{');
        let (context, rest) = match self {
            Self::Many { context, rows, next } => {
                let mut after = Vec::with_capacity(256);
                if let Some(cursor) = next {
                    after.extend_from_slice(b"\"@odata.nextLink\":");
                    push_text(&mut after, &call.next_link(cursor));
                    after.push(b',');
                }
                after.extend_from_slice(b"\"value\":[");
                let pieces = std::iter::once(Bytes::from(after)).chain(rows);
                (context, pieces.chain([Bytes::from_static(b"]}")]).collect())
            }
            Self::One { context, row } => (context, vec![Bytes::from(row).slice(1..)]),
        };
        if level != Level::None {
            head.extend_from_slice(b"\"@odata.context\":");
            push_text(&mut head, &format!("{}/$metadata#{context}", call.base));
            // An object without properties has nothing to be separated from.
            if rest.first().is_none_or(|first| first.first() != Some(&b'}')) {
                head.push(b',');
            }
        }
        let mut reply = Reply::status(StatusCode::OK);
        let kind = match level {
            Level::None => {
                "application/json;odata.metadata=none;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
            }
            Level::Minimal => answer::JSON,
            Level::Full => {
                "application/json;odata.metadata=full;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
            }
        };
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        reply.body = ReplyBody::Chunks(std::iter::once(Bytes::from(head)).chain(rest).collect());
        answer::dress(call.ctx, call.req, &mut reply, 1);
        if let Some(size) = page_size(call.req) {
            reply.set_header(
                HeaderName::from_static("preference-applied"),
                &format!("odata.maxpagesize={size}"),
            );
        }
        reply
    }
}

impl Call<'_> {
    /// How much the client wants to be told, by `Accept`.
    pub(super) fn level(&self) -> Level {
        let accept = self.req.header("accept").unwrap_or_default().to_ascii_lowercase().replace(' ', "");
        if accept.contains("odata.metadata=full") {
            Level::Full
        } else if accept.contains("odata.metadata=none") {
            Level::None
        } else {
            Level::Minimal
        }
    }

    /// The query without its page token: what a token is bound to, and what the next link repeats.
    fn lasting_query(&self) -> String {
        let is_token = |part: &&str| {
            let name = part.split('=').next().unwrap_or_default();
            name.eq_ignore_ascii_case("$skiptoken") || name.eq_ignore_ascii_case("%24skiptoken")
        };
        let kept: Vec<&str> =
            self.req.query.raw.split('&').filter(|part| !part.is_empty() && !is_token(part)).collect();
        kept.join("&")
    }

    fn with_binding<T>(&self, act: impl FnOnce(Binding<'_>) -> T) -> T {
        let body = format!("{}?{}", self.resource.raw, self.lasting_query());
        let anchor = self.req.header("x-anchormailbox").unwrap_or_default();
        act(Binding { back_end: &self.back_end, anchor, body: body.as_bytes(), seed: self.seed })
    }

    fn next_link(&self, cursor: Cursor) -> String {
        let token = self.with_binding(|binding| binding.token(cursor, self.ctx.now()));
        let query = self.lasting_query();
        let separator = if query.is_empty() { "" } else { "&" };
        format!("{}/{}?{query}{separator}%24skiptoken={token}", self.base, self.resource.raw)
    }

    /// Which part of a listing is asked for.
    ///
    /// # Errors
    /// The pagination error for a token that is not good.
    pub(super) fn window(&self) -> Result<Window, ExchangeError> {
        let from = match self.req.query.get("$skiptoken") {
            Some(token) => self.with_binding(|binding| binding.open(token, self.ctx.now(), self.knobs))?,
            None => Cursor::default(),
        };
        let page =
            page_size(self.req).unwrap_or(DEFAULT_PAGE).clamp(1, u64::from(self.knobs.max_page_size.max(1)));
        Ok(Window { from, page, total: self.option("$top").and_then(|top| top.parse().ok()) })
    }
}
