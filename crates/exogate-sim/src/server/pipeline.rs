//! The way of one request: throttle, fault, service, simulated latency, trace. It knows the
//! services only through their answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{ACCEPT_LANGUAGE, HeaderValue};

use super::operation::{Operation, Service};
use super::{Outcome, Reply, Request, route};
use crate::faults::{FaultAction, Fired, Probe, noting_items};
use crate::throttle::PLAIN_TEXT;
use crate::trace::TraceRecord;
use crate::world::World;

/// Leaves the trace's count of requests in flight also when the client goes away midway.
struct InFlight<'a> {
    world: &'a World,
    service: Service,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.world.trace.leave(self.service);
    }
}

/// Answers a request as the tenant would, faults included.
pub async fn run(world: &Arc<World>, service: Service, mut request: Request) -> Reply {
    if service == Service::Control {
        return route::answer(world, service, request).await;
    }
    world.run_due();
    let scenario = world.scenario();
    let start = world.now();
    let operation = Operation::of(service, &request);
    let (number, in_flight) = world.trace.enter(service);
    let _in_flight = InFlight { world, service };
    let began = Instant::now();

    let target = if request.query.raw.is_empty() {
        request.path.raw.clone()
    } else {
        format!("{}?{}", request.path.raw, request.query.raw)
    };
    let method = request.method.as_str().to_owned();
    let client_request_id = request.header("client-request-id").map(str::to_owned);
    let bytes_in = request.body.len() as u64;

    let admission = if service == Service::Exchange {
        world
            .throttle
            .admit(&scenario.throttle, &scenario.latency, operation.calls(), world.simulated_ms())
            .map(Some)
    } else {
        Ok(None)
    };
    let mut fired = None;
    let mut work = Duration::ZERO;
    let mut item_faults = Vec::new();
    let mut reply = match &admission {
        Err(refusal) => (**refusal).clone(),
        Ok(_) => {
            fired =
                world.faults.decide(&Probe { service, operation: &operation, target: &target, item: false });
            work = scenario.latency.work(&operation, number);
            let request = request_with(&mut request, fired.as_ref());
            let answering = faulty_answer(world, service, request, fired.as_ref());
            let (reply, noted) = noting_items(answering).await;
            item_faults = noted;
            reply
        }
    };
    let throttled = is_throttle(&reply);
    let own = began.elapsed();
    if let Some(Fired { action: FaultAction::Delay { millis }, .. }) = &fired {
        work += Duration::from_millis(*millis);
    }
    // What simulated work takes is real time here; making the answer counts towards it.
    let pause = work.div_f64(scenario.latency.scale() * world.clock.scale());
    if !throttled && reply.outcome != Outcome::Reset && pause > own {
        tokio::time::sleep(pause - own).await;
    }
    drop(admission);
    if let Some(Fired { action, .. }) = &fired {
        match action {
            FaultAction::ResetAfter => reply.outcome = Outcome::Reset,
            FaultAction::Truncate => reply.outcome = Outcome::Truncate,
            _ => {}
        }
    }
    let record = TraceRecord {
        number,
        service,
        operation: operation.name.clone(),
        items: operation.items.iter().map(|item| item.name.clone()).collect(),
        method,
        target,
        client_request_id,
        status: if reply.outcome == Outcome::Reset { 0 } else { reply.status.as_u16() },
        start,
        end: world.now(),
        in_flight,
        work_ms: work.as_secs_f64() * 1000.0,
        own_micros: u64::try_from(own.as_micros()).unwrap_or(u64::MAX),
        cost: reply.cost,
        bytes_in,
        bytes_out: reply.body.len() as u64,
        throttled,
        fault: fired.map(|f| f.name),
        item_faults,
    };
    world.trace.record(record, &operation);
    reply
}

/// The request as the fault leaves it.
fn request_with(request: &mut Request, fired: Option<&Fired>) -> Request {
    let mut request =
        std::mem::replace(request, Request::new(http::Method::GET, "", "", crate::clock::Time::default()));
    match fired.map(|f| &f.action) {
        Some(FaultAction::Localise { language }) => {
            if let Ok(value) = HeaderValue::from_str(language) {
                request.headers.insert(ACCEPT_LANGUAGE, value);
            }
        }
        Some(FaultAction::Stale { seconds }) => {
            let by = Duration::try_from_secs_f64(*seconds).unwrap_or(Duration::ZERO);
            request.view_at = request.received_at.minus(by);
        }
        _ => {}
    }
    request
}

async fn faulty_answer(
    world: &Arc<World>,
    service: Service,
    request: Request,
    fired: Option<&Fired>,
) -> Reply {
    let has_page_token =
        request.query.pairs.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("$skiptoken") || name.eq_ignore_ascii_case("$skipToken")
        });
    let in_place =
        fired.and_then(|f| f.action.reply(service, &world.request_id().to_string(), has_page_token));
    match in_place {
        Some(reply) => reply,
        None => route::answer(world, service, request).await,
    }
}

fn is_throttle(reply: &Reply) -> bool {
    reply.status == StatusCode::TOO_MANY_REQUESTS
        || (reply.body.len() == PLAIN_TEXT.len() && *reply.body.to_bytes() == *PLAIN_TEXT.as_bytes())
}
