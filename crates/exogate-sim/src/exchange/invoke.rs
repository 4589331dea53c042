//! One cmdlet from one request: read the body, check the caller, bind, run, answer.

use serde_json::{Map, Value as Json};

use crate::server::{Reply, Request};
use crate::world::World;

use super::answer::{self, Caller, Envelope};
use super::bind::{Bound, bind};
use super::catalogue::catalogue;
use super::emit::{Format, Page, Window};
use super::error::{Condition, ExchangeError};
use super::knobs::ExchangeKnobs;
use super::page::{Binding, Cursor};
use super::reader::Reader;
use super::render::Projection;
use super::{read, write};

/// Rows when no ResultSize was given.
const DEFAULT_RESULT_SIZE: u64 = 1000;

/// `POST …/InvokeCommand`.
pub(super) fn invoke(ctx: &World, req: &Request, caller: &Caller) -> Reply {
    run(ctx, req, caller, None)
}

/// `POST /adminapi/v2.0/{tenant}/{endpoint}`, which takes the same body for a few cmdlets.
pub(super) fn endpoint(ctx: &World, req: &Request, caller: &Caller) -> Reply {
    let allowed: &[&str] = match req.path.segment(3).unwrap_or_default().to_ascii_lowercase().as_str() {
        "organizationconfig" => &["Get-OrganizationConfig"],
        "accepteddomain" => &["Get-AcceptedDomain"],
        "mailbox" => &["Get-Mailbox", "Set-Mailbox"],
        "mailboxfolderpermission" => &[
            "Get-MailboxFolderPermission",
            "Add-MailboxFolderPermission",
            "Set-MailboxFolderPermission",
            "Remove-MailboxFolderPermission",
        ],
        "distributiongroupmember" => &["Get-DistributionGroupMember"],
        "dynamicdistributiongroupmember" => &["Get-DynamicDistributionGroupMember"],
        _ => return Reply::status(http::StatusCode::NOT_FOUND),
    };
    run(ctx, req, caller, Some(allowed))
}

fn run(ctx: &World, req: &Request, caller: &Caller, allowed: Option<&[&str]>) -> Reply {
    let scenario = ctx.scenario();
    let knobs = &scenario.exchange;
    if req.method != http::Method::POST {
        return Reply::status(http::StatusCode::METHOD_NOT_ALLOWED);
    }
    if !caller.access.any() {
        return answer::denied(ctx, req, knobs, caller);
    }
    let (name, parameters) = match read_body(&req.body) {
        Ok(input) => input,
        Err(error) => return answer::error(ctx, req, knobs, &error),
    };
    let Some(cmdlet) = catalogue().find(&name).filter(|cmdlet| caller.access.may_run(cmdlet, knobs)) else {
        return answer::denied(ctx, req, knobs, caller);
    };
    if allowed.is_some_and(|names| !names.contains(&cmdlet.name.as_str())) {
        return answer::denied(ctx, req, knobs, caller);
    }
    // Error records name the cmdlet by this header.
    let refused = |error: &ExchangeError| {
        let mut reply = answer::error(ctx, req, knobs, error);
        reply.set_header(http::HeaderName::from_static("cmdlet-name"), &cmdlet.name);
        reply
    };
    let mut bound = match bind(cmdlet, &parameters, caller.access.hidden_parameters(knobs)) {
        Ok(bound) => bound,
        Err(error) => {
            if cmdlet.writes() {
                write::note_failure(ctx, req, caller, cmdlet, &parameters);
            }
            return refused(&error);
        }
    };
    bound.unseal(|text| ctx.services.token.unseal(text));
    match answered(ctx, req, caller, knobs, &bound) {
        Ok(reply) => reply,
        Err(mut error) => {
            // The store, asked for settings, words a missing mailbox otherwise than the directory does.
            if error.condition == Condition::NotFound
                && cmdlet.name.ends_with("-MailboxAutoReplyConfiguration")
            {
                error = ExchangeError::new(
                    Condition::StoreNotFound,
                    [bound.text("Identity").unwrap_or_default()],
                );
            }
            // Writes name what they failed on, but for one cmdlet that clients know not to.
            if cmdlet.writes() && cmdlet.name != "Set-DistributionGroup" {
                error.target = bound.text("Identity").unwrap_or_default().to_owned();
            }
            refused(&error)
        }
    }
}

fn answered(
    ctx: &World,
    req: &Request,
    caller: &Caller,
    knobs: &ExchangeKnobs,
    bound: &Bound,
) -> Result<Reply, ExchangeError> {
    let (tenant, seed, server) = {
        let state = ctx.state();
        (state.tenant.id.to_string(), state.tenant.seed, state.tenant.server.clone())
    };
    let anchor = req.header("x-anchormailbox").unwrap_or_default();
    // Without an anchor every request may meet another back end.
    let back_end = if anchor.is_empty() && knobs.anchorless_roams {
        format!("{server}-{}", ctx.services.exchange.roam())
    } else {
        server
    };
    let asked_size = page_size(req);
    let page_size = asked_size
        .unwrap_or(u64::from(knobs.default_page_size))
        .clamp(1, u64::from(knobs.max_page_size.max(1)));
    let envelope = Envelope {
        ctx,
        req,
        knobs,
        binding: Binding { back_end: &back_end, anchor, body: &req.body, seed },
        tenant: &tenant,
        page_size: asked_size.map(|_| page_size),
        cmdlet: &bound.cmdlet.name,
    };
    let from = match req.query.get("$skiptoken") {
        Some(token) => envelope.binding.open(token, ctx.now(), knobs)?,
        None => Cursor::default(),
    };
    let window = Window {
        from,
        page: page_size,
        total: bound.result_size(DEFAULT_RESULT_SIZE).filter(|_| has_result_size(bound)),
    };
    let projection = Projection::new(req.query.get("$select"), knobs.lean);
    let mut page = Page::new(window, projection, &ctx.services.exchange.sheets);
    if req.header("x-responseformat").is_some_and(|format| format.eq_ignore_ascii_case("clixml")) {
        page.format = Format::Clixml;
    }
    if bound.cmdlet.writes() {
        if wants_confirmation(bound, knobs) {
            return Ok(envelope.confirmation(&confirmation_text(bound)));
        }
        if bound.switch("WhatIf") {
            return Ok(envelope.nothing(&[]));
        }
        let shown = write::run(ctx, req, caller, knobs, bound, &mut page)?;
        return Ok(if shown { envelope.rows(page) } else { envelope.nothing(&page.warnings) });
    }
    // The envelope looks at the state itself, and whoever looks twice at once may wait for ever.
    let outcome = {
        let state = ctx.state();
        let reader = Reader::new(&state, req.view_at, knobs, &ctx.services.exchange.sessions);
        read::run(&reader, bound, &mut page)
    };
    match outcome {
        Some(outcome) => outcome.map(|()| envelope.rows(page)),
        None => Err(ExchangeError::new(Condition::UnknownParameter, [bound.cmdlet.name.as_str()])),
    }
}

/// Search-UnifiedAuditLog counts its rows itself; cmdlets without the parameter return all they have.
fn has_result_size(bound: &Bound) -> bool {
    bound.cmdlet.parameters.contains_key("ResultSize") && bound.cmdlet.name != "Search-UnifiedAuditLog"
}

fn wants_confirmation(bound: &Bound, knobs: &ExchangeKnobs) -> bool {
    match bound.bool("Confirm") {
        Some(asked) => asked,
        None => knobs.confirm_without_asking && bound.cmdlet.name.starts_with("Remove-"),
    }
}

fn confirmation_text(bound: &Bound) -> String {
    let (verb, noun) = bound.cmdlet.name.split_once('-').unwrap_or(("Set", ""));
    let target = bound.text("Identity").unwrap_or_default();
    format!("Are you sure you want to perform this action? {verb} {noun} \"{target}\".")
}

/// `Prefer: odata.maxpagesize=N`.
pub(super) fn page_size(req: &Request) -> Option<u64> {
    let values = req.headers.get_all("prefer");
    let mut parts =
        values.iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split([';', ',']));
    parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let known =
            ["odata.maxpagesize", "maxpagesize"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        if known { value.trim().trim_matches('"').parse().ok() } else { None }
    })
}

/// The cmdlet and its parameters from the body.
fn read_body(body: &[u8]) -> Result<(String, Map<String, Json>), ExchangeError> {
    let bad = |text: &str| ExchangeError::new(Condition::BadBody, [text]);
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let mut json: Json = serde_json::from_slice(body).map_err(|_| {
        bad("The payload could not be parsed as JSON. An action parameter payload is expected.")
    })?;
    let Some(object) = json.as_object_mut() else {
        return Err(bad("The payload of an action must be a JSON object."));
    };
    let Some(Json::Object(mut input)) = object.remove("CmdletInput") else {
        return Err(bad(
            "The parameter 'CmdletInput' is missing or null in the payload of action 'InvokeCommand'.",
        ));
    };
    let Some(Json::String(name)) = input.remove("CmdletName") else {
        return Err(bad(
            "A null value was found for the property named 'CmdletName', which has the expected type 'Edm.String[Nullable=False]'.",
        ));
    };
    match input.remove("Parameters") {
        None => Ok((name, Map::new())),
        Some(Json::Object(parameters)) => Ok((name, parameters)),
        Some(_) => Err(bad(
            "A null value was found for the property named 'Parameters', which has the expected type 'Exchange.GenericHashTable[Nullable=False]'.",
        )),
    }
}
