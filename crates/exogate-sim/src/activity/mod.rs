//! The activity feed of the Office 365 Management APIs.

mod knobs;

use std::sync::Arc;

use http::StatusCode;

pub use knobs::ActivityKnobs;

use crate::server::{Reply, Request};
use crate::token::{Resource, authenticate};
use crate::world::World;

/// What the feed keeps beside the audit log.
#[derive(Debug, Default)]
pub struct ActivityService {}

/// Answers a request to the activity feed.
pub async fn handle(world: &Arc<World>, request: Request) -> Reply {
    match authenticate(world, &request, Resource::Management) {
        Ok(_) => Reply::status(StatusCode::NOT_FOUND),
        Err(reply) => reply,
    }
}
