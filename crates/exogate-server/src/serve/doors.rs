//! The doors, each with its place and its way of saying no.

use axum::Router;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::guard::{Changes, Refusal, Route, matched};
use crate::gateway::Gateway;
use crate::{rest, sailpoint, scim};

/// One door.
pub(super) struct Door {
    /// Its name, for logs and metrics.
    pub name: &'static str,
    /// Where it is.
    pub mount: &'static str,
    /// What is behind it, by paths relative to its place.
    pub router: Router,
    /// An error as its clients know them.
    pub refusal: Refusal,
    /// Where a request leads to; no more than a kind of thing, so that logs and traces name nobody.
    pub route: Route,
    /// Whether a request asks for a change: those are audited, and no others.
    pub changes: Changes,
}

/// The places of the doors, for those who knock elsewhere.
pub const MOUNTS: &[&str] = &[rest::MOUNT, "/sailpoint", scim::MOUNT];

/// All doors. A door is added here, in one line each.
pub(super) fn all(gateway: &Gateway) -> Vec<Door> {
    vec![
        Door {
            name: "rest",
            mount: rest::MOUNT,
            router: rest::router(gateway.clone()),
            refusal: rest::refusal,
            route: matched,
            changes: rest::changes,
        },
        Door {
            name: "sailpoint",
            mount: "/sailpoint",
            router: sailpoint::router(gateway.clone()),
            refusal: sailpoint::refusal,
            route: matched,
            changes: sailpoint::changes,
        },
        Door {
            name: "scim",
            mount: scim::MOUNT,
            router: scim::router(gateway.clone()),
            refusal: scim::refusal,
            route: |request| Some(scim::described(request.uri.path())),
            changes: scim::changes,
        },
    ]
}

/// What the service counts, where that needs a credential.
pub(super) fn metrics(router: Router) -> Door {
    Door {
        name: "metrics",
        mount: "/metrics",
        router,
        refusal: plain_refusal,
        route: matched,
        changes: |_| false,
    }
}

/// An error outside of all doors.
pub(super) fn plain_refusal(status: StatusCode, detail: &str) -> Response {
    let body = serde_json::json!({ "status": status.as_u16(), "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
