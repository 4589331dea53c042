//! The service around the doors: its routes, what every request passes on its way in and out, and
//! how connections are taken.
//!
//! Doors know nothing of connections, proofs and limits; what is here knows nothing of accounts.

mod doors;
mod guard;
mod health;
pub mod limits;
pub mod listen;
mod metrics;
mod patient;
pub mod schedule;
pub mod tls;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;

use crate::auth::Authenticator;
use crate::gateway::Gateway;
use crate::request_id::{self, RequestId};
use doors::Door;
pub use doors::MOUNTS;
pub(crate) use guard::Asked;
pub use limits::Limits;

/// How the service treats its callers.
#[derive(Clone)]
pub struct Front {
    /// Who they are.
    pub authenticator: Authenticator,
    /// What they may send.
    pub limits: Limits,
    /// Whether metrics need no credential.
    pub metrics_open: bool,
}

/// Everything that the service answers.
pub fn router(gateway: &Gateway, front: Front) -> Router {
    let metrics_open = front.metrics_open;
    let watch = guard::Watch::new(front, gateway.meters.clone());
    let mut router = health::router(gateway.clone());
    let metrics = metrics::router(gateway.clone(), metrics_open);
    router = router.merge(if metrics_open { metrics } else { guarded(doors::metrics(metrics), &watch) });
    for door in doors::all(gateway) {
        router = router.nest(door.mount, guarded(door, &watch));
    }
    router.fallback(nothing_here).layer(middleware::from_fn(identify))
}

fn guarded(door: Door, watch: &guard::Watch) -> Router {
    let guard = watch.guard(&door);
    door.router.layer(middleware::from_fn_with_state(guard, guard::pass))
}

async fn nothing_here() -> Response {
    let doors: Vec<&str> = doors::MOUNTS.to_vec();
    let detail = format!("there is nothing at this address; the doors are {}", doors.join(", "));
    doors::plain_refusal(http::StatusCode::NOT_FOUND, &detail)
}

/// Gives each request its id, and the answer too.
async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(request_id::HEADER, id.header());
    response
}
