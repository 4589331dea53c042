//! Who calls, and the shape of every answer: headers, envelope, errors, refusals.
//!
//! What an answer says is decided elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::server::{Reply, ReplyBody, Request};
use crate::token::{Principal, Resource, authenticate};
use crate::world::World;

use super::emit::Page;
use super::error::ExchangeError;
use super::knobs::{DeniedReply, ExchangeKnobs, WriteReply};
use super::page::{Binding, Cursor};
use super::rbac::Access;
use crate::json::push_text;

/// A caller that may use the API at all.
#[derive(Debug)]
pub(super) struct Caller {
    /// Who.
    pub principal: Principal,
    /// What he may do.
    pub access: Access,
}

/// The content type of answers.
pub(super) const JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

fn unauthorized(diagnostics: &str) -> Box<Reply> {
    let mut reply = Reply::status(StatusCode::UNAUTHORIZED);
    reply.set_header(WWW_AUTHENTICATE, "Bearer realm=\"\"");
    reply.set_header(HeaderName::from_static("x-ms-diagnostics"), diagnostics);
    Box::new(reply)
}

/// The caller behind a request, or the refusal to send.
pub(super) fn caller(ctx: &World, req: &Request) -> Result<Caller, Box<Reply>> {
    let principal = authenticate(ctx, req, Resource::Exchange).map_err(Box::new)?;
    let state = ctx.state();
    let tenant = req.path.segment(2).unwrap_or_default();
    if !state.tenant.is_named(tenant) {
        return Err(unauthorized(&format!(
            "2000004;reason=\"The tenant for tenant guid '{tenant}' does not exist.\";error_category=\"invalid_tenant\""
        )));
    }
    let second = req.path.segment(1).is_some_and(|version| version.eq_ignore_ascii_case("v2.0"));
    let allowed = if principal.is_app() {
        principal.has_role(if second { "Exchange.ManageAsAppV2" } else { "Exchange.ManageAsApp" })
    } else {
        let only_second = principal.has_scope("Exchange.ManageV2") && !principal.has_scope("Exchange.Manage");
        second || !only_second
    };
    if !allowed {
        return Err(unauthorized(
            "2000008;reason=\"The token has insufficient permissions.\";error_category=\"invalid_grant\"",
        ));
    }
    let access = Access::of(&principal, &state);
    Ok(Caller { principal, access })
}

/// Headers that every answer of a back end has.
pub(super) fn dress(ctx: &World, req: &Request, reply: &mut Reply, units: u32) {
    let now = ctx.now();
    let rate = ctx.services.exchange.charge(units, now);
    let mut set = |name: &'static str, value: &str| reply.set_header(HeaderName::from_static(name), value);
    set("odata-version", "4.0");
    let id = ctx.request_id();
    set("request-id", &id.to_string());
    // A correlation vector: some bytes in base64 and a step.
    set("ms-cv", &format!("{}.0", STANDARD_NO_PAD.encode(&id.as_bytes()[..12])));
    if let Some(id) = req.header("client-request-id") {
        set("client-request-id", id);
    }
    set("rate-limit-limit", &rate.limit.to_string());
    set("rate-limit-remaining", &rate.remaining.to_string());
    set("rate-limit-reset", &rate.reset.with_millis());
    set("x-concurrencycount", "0");
    set("x-combinedapponlyconcurrencycount", "0");
    set("x-backendhttpstatus", "200,200");
    set("x-proxy-routingcorrectness", "1");
    set("x-request-processing-service-version", "Core");
    set("x-exchangeversion", "Version 15.20 (Build 7587.36)");
    let state = ctx.state();
    set("x-calculatedbetarget", &format!("{}.{}", state.tenant.server, state.tenant.forest));
}

/// `https://host/adminapi/{version}/{tenant}`, as links and contexts begin.
pub(super) fn base(ctx: &World, req: &Request) -> String {
    let segment = |at: usize| req.path.segment(at);
    let tenant = ctx.state().tenant.id;
    format!(
        "{}/{}/{}/{tenant}",
        req.scheme_host,
        segment(0).unwrap_or("adminapi"),
        segment(1).unwrap_or("beta")
    )
}

/// An error of the binder or a cmdlet.
pub(super) fn error(ctx: &World, req: &Request, knobs: &ExchangeKnobs, error: &ExchangeError) -> Reply {
    let language =
        knobs.error_language.as_deref().or_else(|| req.header("accept-language")).unwrap_or("en-US");
    let status = StatusCode::from_u16(error.status(knobs)).unwrap_or(StatusCode::BAD_REQUEST);
    let mut reply = Reply::with(status, JSON, error.body(knobs, language));
    dress(ctx, req, &mut reply, 1);
    reply.set_header(HeaderName::from_static("x-exceptiontype"), error.exception());
    if !error.target.is_empty() {
        reply.set_header(HeaderName::from_static("x-exceptiontargettype"), "String");
    }
    reply.set_header(HeaderName::from_static("x-backendhttpstatus"), &format!("{0},{0}", status.as_u16()));
    reply
}

/// A cmdlet that is not in the caller's session.
pub(super) fn denied(ctx: &World, req: &Request, knobs: &ExchangeKnobs, caller: &Caller) -> Reply {
    let text = match &caller.principal.upn {
        Some(upn) => format!("The role assigned to user '{upn}' isn't supported in this scenario."),
        None => format!(
            "The role assigned to application {} isn't supported in this scenario. Please check online documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only Authentication.",
            caller.principal.app_id
        ),
    };
    let text = format!("[FailureCategory=AuthZ-CmdletAccessDeniedException] {text}");
    let mut reply = match knobs.denied_reply {
        DeniedReply::NulBytes => {
            let mut reply = Reply::status(StatusCode::FORBIDDEN);
            reply.body = ReplyBody::Bytes(Bytes::from(vec![0; 4096]));
            reply
        }
        DeniedReply::Empty => Reply::status(StatusCode::FORBIDDEN),
        DeniedReply::Text => Reply::with(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", text.clone()),
    };
    dress(ctx, req, &mut reply, 1);
    if knobs.denied_reply != DeniedReply::NulBytes {
        reply.set_header(HeaderName::from_static("x-ms-diagnostics"), &format!("2000008;reason=\"{text}\""));
    }
    reply
}

/// What the envelope needs to know of a request.
pub(super) struct Envelope<'a> {
    pub ctx: &'a World,
    pub req: &'a Request,
    pub knobs: &'a ExchangeKnobs,
    pub binding: Binding<'a>,
    pub tenant: &'a str,
    /// The page size that the client asked for was honoured.
    pub page_size: Option<u64>,
    pub cmdlet: &'a str,
}

impl Envelope<'_> {
    fn head(&self, next: Option<Cursor>, warnings: &[String]) -> Vec<u8> {
        let base = format!(
            "{}/{}/{}/{}",
            self.req.scheme_host,
            self.req.path.segment(0).unwrap_or("adminapi"),
            self.req.path.segment(1).unwrap_or("beta"),
            self.tenant
        );
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"{\"@odata.context\":");
        push_text(&mut out, &format!("{base}/$metadata#Collection(Exchange.GenericHashTable)"));
        if let Some(cursor) = next {
            let token = self.binding.token(cursor, self.ctx.now());
            let last = self.req.path.segment(3).unwrap_or("InvokeCommand");
            let select = self.req.query.get("$select").map(|list| {
                format!(
                    "%24select={}&",
                    percent_encoding::utf8_percent_encode(list, percent_encoding::NON_ALPHANUMERIC)
                )
            });
            out.extend_from_slice(b",\"@odata.nextLink\":");
            push_text(&mut out, &format!("{base}/{last}?{}%24skiptoken={token}", select.unwrap_or_default()));
        }
        if !self.knobs.lean {
            out.extend_from_slice(b",\"adminapi.warnings@odata.type\":\"#Collection(String)\"");
        }
        out.extend_from_slice(b",\"@adminapi.warnings\":[");
        for (at, warning) in warnings.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            push_text(&mut out, warning);
        }
        out.push(b']');
        out
    }

    fn finish(&self, mut reply: Reply) -> Reply {
        dress(self.ctx, self.req, &mut reply, 3);
        let applied = match self.page_size {
            Some(size) => format!("odata.include-annotations=\"*\",odata.maxpagesize={size}"),
            None => "odata.include-annotations=\"*\"".to_owned(),
        };
        reply.set_header(HeaderName::from_static("preference-applied"), &applied);
        reply.set_header(HeaderName::from_static("cmdlet-name"), self.cmdlet);
        reply
    }

    /// Rows.
    pub fn rows(&self, page: Page) -> Reply {
        let mut head = self.head(page.next, &page.warnings);
        head.extend_from_slice(b",\"value\":[");
        let mut reply = Reply::status(StatusCode::OK);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        let pieces = std::iter::once(head.into()).chain(page.rows.into_pieces());
        reply.body = ReplyBody::Chunks(pieces.chain([Bytes::from_static(b"]}")]).collect());
        self.finish(reply)
    }

    /// A write that has nothing to show.
    pub fn nothing(&self, warnings: &[String]) -> Reply {
        let shape = if warnings.is_empty() { self.knobs.write_reply } else { WriteReply::EmptyArray };
        let reply = match shape {
            WriteReply::EmptyArray | WriteReply::NoValue => {
                let mut body = self.head(None, warnings);
                body.extend_from_slice(if shape == WriteReply::NoValue { b"}" } else { b",\"value\":[]}" });
                Reply::with(StatusCode::OK, JSON, body)
            }
            WriteReply::EmptyBody => Reply::status(StatusCode::OK),
            WriteReply::NoContent => Reply::status(StatusCode::NO_CONTENT),
        };
        self.finish(reply)
    }

    /// A question instead of an act.
    pub fn confirmation(&self, message: &str) -> Reply {
        let mut body = self.head(None, &[]);
        body.extend_from_slice(b",\"@adminapi.confirmationmessage\":");
        push_text(&mut body, message);
        body.extend_from_slice(b",\"value\":[]}");
        self.finish(Reply::with(StatusCode::OK, JSON, body))
    }
}
