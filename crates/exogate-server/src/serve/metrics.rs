//! `/metrics`: what the service counts, for Prometheus.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::doors::plain_refusal;
use crate::caller::Caller;
use crate::gateway::Gateway;

pub(super) fn router(gateway: Gateway, open: bool) -> Router {
    let route = if open { get(for_anybody) } else { get(for_callers) };
    Router::new().route("/metrics", route).with_state(gateway)
}

async fn for_anybody(State(gateway): State<Gateway>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4"), (CACHE_CONTROL, "no-store")];
    (headers, gateway.meters.render(&gateway).await).into_response()
}

/// For those alone who may know of every source.
async fn for_callers(gateway: State<Gateway>, Extension(caller): Extension<Caller>) -> Response {
    if caller.sources.is_some() {
        let detail = "metrics tell of all sources, and this credential is for some of them only";
        return plain_refusal(StatusCode::FORBIDDEN, detail);
    }
    for_anybody(gateway).await
}
