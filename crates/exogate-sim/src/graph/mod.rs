//! Microsoft Graph v1.0 as directory clients use it: users, groups, contacts, their relations, delta, batches, and
//! the small sets that connection tests ask for. Mail, files and the rest of Graph are not here.

mod apps;
pub mod batch;
pub mod call;
pub mod delta;
pub mod error;
pub mod eval;
mod few;
mod knobs;
pub mod list;
pub mod metadata;
pub mod nav;
pub mod odata;
pub mod organization;
pub mod permission;
pub mod query;
pub mod render;
pub mod route;
pub mod rules;
pub mod scene;
pub mod schema;
pub mod serve;
pub mod single;
pub mod token;
pub mod units;
mod vacant;
pub mod value;
pub mod write;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, StatusCode};

pub use knobs::{DeltaExpiry, GraphKnobs};

use crate::server::{Reply, ReplyBody, Request};
use crate::token::{Resource, authenticate};
use crate::world::World;
use call::{Body, Call};
use scene::Scene;
use serve::Served;

/// What the directory API keeps beside the directory: nothing yet, its tokens carry everything.
#[derive(Debug, Default)]
pub struct GraphService {}

/// Answers a request to the directory API.
pub async fn handle(world: &Arc<World>, request: Request) -> Reply {
    respond(world, &request)
}

/// Answers a request to the directory API.
#[must_use]
pub fn respond(world: &World, request: &Request) -> Reply {
    if let Some(mut reply) = document(request) {
        usual_headers(world, request, &mut reply);
        return reply;
    }
    let principal = match authenticate(world, request, Resource::Graph) {
        Ok(principal) => principal,
        Err(mut reply) => {
            usual_headers(world, request, &mut reply);
            return reply;
        }
    };
    let scenario = world.scenario();
    let scene = Scene {
        world,
        knobs: &scenario.graph,
        principal: &principal,
        now: world.now(),
        view_at: request.view_at,
        audit_latency: world.audit_latency(),
        client: request.client,
    };
    let version = request.path.segment(0).unwrap_or_default().to_ascii_lowercase();
    let call = Call::of(request);
    let served = if version != "v1.0" && version != "beta" {
        let error = error::GraphError::unreadable(format!("Invalid version: {version}"));
        serve::refusal(&scene, Some(&call), &error)
    } else if call.segments.len() == 1 && call.segments[0].eq_ignore_ascii_case("$batch") {
        match batch::answer(&scene, &call) {
            Ok(body) => Served {
                status: StatusCode::OK,
                headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
                body: Body::Json(body),
                units: 0,
            },
            Err(error) => serve::refusal(&scene, Some(&call), &error),
        }
    } else {
        serve::one(&scene, &call)
    };
    let mut reply = Reply::status(served.status);
    reply.cost = served.units;
    for (name, value) in &served.headers {
        if let Ok(name) = HeaderName::try_from(name.as_str()) {
            reply.set_header(name, value);
        }
    }
    reply.body = ReplyBody::Bytes(match served.body {
        Body::Empty => Bytes::new(),
        Body::Json(bytes) => bytes.into(),
        Body::Text(text) => text.into(),
    });
    usual_headers(world, request, &mut reply);
    reply
}

/// The documents at the root, which anybody may read.
fn document(request: &Request) -> Option<Reply> {
    let version = request.path.segment(0)?.to_ascii_lowercase();
    if request.method != Method::GET || !matches!(version.as_str(), "v1.0" | "beta") {
        return None;
    }
    let call = Call::of(request);
    match call.segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Some(Reply::json(StatusCode::OK, &metadata::service_document(&call))),
        [name] if name.eq_ignore_ascii_case("$metadata") => {
            Some(Reply::with(StatusCode::OK, "application/xml", metadata::document()))
        }
        _ => None,
    }
}

/// What every answer of the gateway carries.
fn usual_headers(world: &World, request: &Request, reply: &mut Reply) {
    let id = match reply.headers.get("request-id") {
        Some(id) => id.clone(),
        None => HeaderValue::try_from(world.request_id().to_string()).unwrap_or(HeaderValue::from_static("")),
    };
    let client = request.headers.get("client-request-id").cloned().unwrap_or_else(|| id.clone());
    let headers = &mut reply.headers;
    headers.insert("request-id", id);
    headers.insert("client-request-id", client);
    headers.insert("x-ms-ags-diagnostic", HeaderValue::from_static("{\"ServerInfo\":{\"DataCenter\":\"North Europe\",\"Slice\":\"E\",\"Ring\":\"4\",\"ScaleUnit\":\"003\",\"RoleInstance\":\"DU2PEPF0001E9C3\"}}"));
    headers.entry("odata-version").or_insert(HeaderValue::from_static("4.0"));
    headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    headers.insert("vary", HeaderValue::from_static("Accept-Encoding"));
    headers.entry("cache-control").or_insert(HeaderValue::from_static("no-cache"));
    if let Ok(date) = HeaderValue::try_from(world.now().http()) {
        headers.insert("date", date);
    }
}
