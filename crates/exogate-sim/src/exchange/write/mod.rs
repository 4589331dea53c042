//! The writing cmdlets: their rules, their effects, and a record of each in the audit log.
//!
//! Indices, change times and visibility belong to the state.

use serde_json::{Map, Value as Json};

use crate::server::Request;
use crate::state::{Actor, ActorKind, Face, NewAudit};
use crate::world::World;

use super::answer::Caller;
use super::bind::{Bound, as_typed};
use super::emit::Page;
use super::error::{Condition, ExchangeError};
use super::knobs::ExchangeKnobs;

/// Runs a writing cmdlet; true when the answer has rows.
pub(super) fn run(
    ctx: &World,
    req: &Request,
    caller: &Caller,
    _knobs: &ExchangeKnobs,
    bound: &Bound,
    _page: &mut Page,
) -> Result<bool, ExchangeError> {
    note(ctx, req, caller, &bound.cmdlet.name, String::new(), bound.typed.clone(), false);
    Err(ExchangeError::new(Condition::RecipientTask, ["not written yet"]))
}

/// Notes a write that failed before it could begin.
pub(super) fn note_failure(
    ctx: &World,
    req: &Request,
    caller: &Caller,
    cmdlet: &str,
    parameters: &Map<String, Json>,
) {
    let typed = parameters
        .iter()
        .filter(|(name, _)| !name.contains('@'))
        .map(|(name, value)| (name.clone(), as_typed(value)))
        .collect();
    note(ctx, req, caller, cmdlet, String::new(), typed, false);
}

fn note(
    ctx: &World,
    req: &Request,
    caller: &Caller,
    cmdlet: &str,
    object: String,
    parameters: Vec<(String, String)>,
    succeeded: bool,
) {
    let actor = actor(caller);
    let latency = ctx.audit_latency();
    let at = ctx.now();
    let client_ip = req.client.map(|address| address.to_string());
    let mut state = ctx.state_mut();
    let new = NewAudit {
        workload: "Exchange",
        operation: cmdlet.to_owned(),
        actor,
        object,
        parameters,
        succeeded,
        client_ip,
    };
    state.edit(Face::Exchange, at).audit(new, latency);
}

fn actor(caller: &Caller) -> Actor {
    let principal = &caller.principal;
    match &principal.upn {
        Some(upn) => Actor {
            kind: ActorKind::Admin,
            user_id: upn.as_str().into(),
            object_id: principal.object_id,
            app_id: Some(principal.app_id),
        },
        None => Actor {
            kind: ActorKind::ServicePrincipal,
            user_id: format!("ServicePrincipal_{}", principal.object_id).into(),
            object_id: principal.object_id,
            app_id: Some(principal.app_id),
        },
    }
}
