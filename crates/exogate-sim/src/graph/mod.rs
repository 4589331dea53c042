//! Microsoft Graph v1.0 as directory clients use it.

pub mod call;
pub mod error;
pub mod json;
mod knobs;
pub mod odata;
pub mod permission;
pub mod schema;
pub mod token;
pub mod value;

use std::sync::Arc;

use http::StatusCode;

pub use knobs::{DeltaExpiry, GraphKnobs};

use crate::server::{Reply, Request};
use crate::token::{Resource, authenticate};
use crate::world::World;

/// What the directory API keeps beside the directory.
#[derive(Debug, Default)]
pub struct GraphService {}

/// Answers a request to the directory API.
pub async fn handle(world: &Arc<World>, request: Request) -> Reply {
    match authenticate(world, &request, Resource::Graph) {
        Ok(_) => Reply::status(StatusCode::NOT_FOUND),
        Err(reply) => reply,
    }
}
