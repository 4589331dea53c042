//! One call from charge to finished answer: what batch items and plain requests have in common.

use std::time::Duration;

use http::StatusCode;

use super::call::{Body, Call};
use super::error::GraphError;
use super::scene::Scene;
use super::{route, units};
use crate::throttle::Charge;

/// The content type of JSON answers.
pub const JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// A finished answer.
pub struct Served {
    /// Status.
    pub status: StatusCode,
    /// Headers of this answer; those of the connection come on top.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Body,
    /// Units charged.
    pub units: u32,
}

/// Charges and answers a call.
#[must_use]
pub fn one(scene: &Scene<'_>, call: &Call) -> Served {
    let (cost, write) = units::cost(call);
    // Advanced queries are answered from an index that lags behind the directory.
    let index_lag = if call.eventual() && !write { scene.knobs.eventual_index_seconds } else { 0.0 };
    let lag = Duration::try_from_secs_f64(index_lag).unwrap_or(Duration::ZERO);
    let scene = &Scene { view_at: scene.view_at.minus(lag), ..*scene };
    let charge = scene.world.charge(scene.principal.app_id, cost, write);
    let percentage = match charge {
        Charge::Allowed { percentage } => percentage,
        Charge::Refused { retry_after, scope, information } => {
            let mut error = GraphError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequests",
                "Please retry again later.",
            );
            error.throttle = Some(Box::new((retry_after, scope, information)));
            return refusal(scene, Some(call), &error);
        }
    };
    let mut served = match route::answer(scene, call) {
        Ok(answer) => {
            let mut headers = vec![("Cache-Control".to_owned(), "no-cache".to_owned())];
            match answer.body {
                Body::Json(_) => {
                    headers.push(("OData-Version".to_owned(), "4.0".to_owned()));
                    headers.push(("Content-Type".to_owned(), JSON.to_owned()));
                }
                Body::Text(_) => headers.push(("Content-Type".to_owned(), "text/plain".to_owned())),
                Body::Empty => {}
            }
            headers.extend(answer.headers.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)));
            Served { status: answer.status, headers, body: answer.body, units: cost }
        }
        Err(error) => refusal(scene, Some(call), &error),
    };
    served.units = cost;
    served.headers.push(("x-ms-resource-unit".to_owned(), cost.to_string()));
    if let Some(percentage) = percentage {
        served
            .headers
            .push(("x-ms-throttle-limit-percentage".to_owned(), format!("{:.1}", percentage.min(1.8))));
    }
    served
}

/// A refusal as answer.
#[must_use]
pub fn refusal(scene: &Scene<'_>, call: Option<&Call>, error: &GraphError) -> Served {
    let id = scene.world.request_id().to_string();
    let client = call.and_then(|call| call.header("client-request-id")).unwrap_or(&id);
    let body = error.body(&scene.now.bare(), &id, client);
    let mut headers = vec![
        ("Cache-Control".to_owned(), "no-cache".to_owned()),
        ("Content-Type".to_owned(), "application/json".to_owned()),
    ];
    if let Some((retry_after, scope, information)) = error.throttle.as_deref() {
        headers.push(("Retry-After".to_owned(), retry_after.to_string()));
        headers.push(("x-ms-throttle-scope".to_owned(), scope.clone()));
        headers.push(("x-ms-throttle-information".to_owned(), (*information).to_owned()));
    }
    if let Some(location) = &error.location {
        headers.push(("Location".to_owned(), location.to_string()));
    }
    Served { status: error.status, headers, body: Body::Json(body.to_string().into_bytes()), units: 0 }
}
