//! The Exchange Online admin API: cmdlets over HTTP, one by one or in batches.
//!
//! This module routes; each folder or file beside it owns one idea. The directory itself, its clock and its
//! delays belong to the state.

mod answer;
pub mod audit;
mod batch;
pub mod bind;
pub mod catalogue;
pub mod clixml;
pub mod emit;
pub mod error;
pub mod forms;
mod fragment;
pub mod identity;
mod invoke;
mod knobs;
pub mod module;
pub mod odata;
pub mod opath;
pub mod page;
pub mod rbac;
pub mod read;
pub mod reader;
pub mod render;
pub mod rows;
pub mod schema;
mod service;
mod sheets;
pub mod trustee;
pub mod value;
mod write;

pub use knobs::{DeniedReply, ErrorForm, ExchangeKnobs, ListForm, TrusteeForm, UnknownIdentity, WriteReply};
pub use service::{ExchangeService, SearchSessions};

use std::sync::Arc;

use http::StatusCode;

use crate::server::{Reply, Request};
use crate::world::World;

/// Answers a request to the admin API.
pub async fn handle(ctx: &Arc<World>, req: Request) -> Reply {
    dispatch(ctx, &req)
}

/// Answers one request; items of a batch come back here.
pub(crate) fn dispatch(ctx: &World, req: &Request) -> Reply {
    let is = |at: usize, name: &str| {
        req.path.segment(at).is_some_and(|segment| segment.eq_ignore_ascii_case(name))
    };
    if !is(0, "adminapi") || req.path.segments.len() < 4 {
        return Reply::status(StatusCode::NOT_FOUND);
    }
    let caller = match answer::caller(ctx, req) {
        Ok(caller) => caller,
        Err(reply) => return *reply,
    };
    if is(3, "InvokeCommand") && req.path.segments.len() == 4 {
        return invoke::invoke(ctx, req, &caller);
    }
    if is(3, "$batch") && req.path.segments.len() == 4 {
        return if odata::multipart::is_multipart(req) {
            odata::multipart::batch(ctx, req)
        } else {
            batch::batch(ctx, req)
        };
    }
    if is(1, "v2.0") && req.path.segments.len() == 4 {
        return invoke::endpoint(ctx, req, &caller);
    }
    if let Some(resource) = odata::path::Resource::of(&req.path.raw)
        && (is(1, "v1.0") || is(1, "beta"))
        && let Some(reply) = module::respond(ctx, req, &caller, &resource)
            .or_else(|| odata::respond(ctx, req, &caller, &resource))
    {
        return reply;
    }
    Reply::status(StatusCode::NOT_FOUND)
}
