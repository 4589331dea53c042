//! Whether the service lives, and whether it can be used.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;

use crate::gateway::Gateway;

pub(super) fn router(gateway: Gateway) -> Router {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).with_state(gateway)
}

/// The process answers: that is all.
async fn alive() -> Response {
    answer(StatusCode::OK, &json!({ "status": "ok" }))
}

/// The store can be read, and the service is not about to end. Says nothing of sources: whoever may
/// not know their names may ask this.
async fn ready(State(gateway): State<Gateway>) -> Response {
    if gateway.life.stopping.is_cancelled() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping" }));
    }
    for source in gateway.sources.values() {
        if let Err(error) = source.store.runs(1).await {
            tracing::error!(source = source.name, %error, "not ready: the store cannot be read");
            return answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "store unreadable" }));
        }
    }
    answer(StatusCode::OK, &json!({ "status": "ready" }))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}
