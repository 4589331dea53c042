//! The caller loop over a scripted transport: what is sent again, what is not, and what is reported.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exogate_microsoft::caller::{
    CallEvent, CallObserver, CallSpec, CallStep, Caller, Effect, Judge, Priority, Repeat, SeededIds, Verdict,
};
use exogate_microsoft::cloud::Resource;
use exogate_microsoft::error::{ErrorKind, Service, WireError};
use exogate_microsoft::signin::claims_challenge;
use exogate_microsoft::transport::{Sent, TransportError, TransportErrorKind, WireRequest, WireResponse};
use http::StatusCode;
use tokio::time::Instant;
use wire_support::*;

/// Judges by status alone.
struct ByStatus;

impl Judge for ByStatus {
    fn judge(&self, what: &str, response: &WireResponse) -> Verdict {
        let error = |kind| WireError::new(kind, Service::Graph, what).with_status(response.status);
        match response.status {
            status if status.is_success() => Verdict::Done,
            StatusCode::UNAUTHORIZED => Verdict::Unauthorized {
                claims: response.header("www-authenticate").and_then(claims_challenge),
                error: error(ErrorKind::Unauthorized),
            },
            StatusCode::TOO_MANY_REQUESTS => {
                Verdict::Throttled { retry_after: response.retry_after(), error: error(ErrorKind::Throttled) }
            }
            StatusCode::CONFLICT => {
                Verdict::Transient { error: error(ErrorKind::Transient), effect: Effect::None }
            }
            status if status.is_server_error() => Verdict::Transient {
                error: error(ErrorKind::Transient).with_retry_after(response.retry_after()),
                effect: Effect::Unknown,
            },
            _ => Verdict::Failed(error(ErrorKind::NotFound)),
        }
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl CallObserver for Seen {
    fn observe(&self, event: &CallEvent<'_>) {
        let step = match event.step {
            CallStep::Sending => "sending",
            CallStep::Done { .. } => "done",
            CallStep::Throttled { .. } => "throttled",
            CallStep::Retrying { .. } => "retrying",
            CallStep::SigningInAgain => "signing in again",
            CallStep::Failed { .. } => "failed",
        };
        self.0.lock().unwrap().push(format!("{} {step}", event.attempt));
    }
}

struct Rig {
    caller: Caller,
    transport: Arc<Scripted>,
    seen: Arc<Seen>,
}

impl Rig {
    fn new(transport: Arc<Scripted>) -> Self {
        let seen = Arc::new(Seen::default());
        let ids = Arc::new(SeededIds::new(1));
        let caller =
            Caller::new(&settings(secret()), transport.clone(), ManualClock::new(), ids, seen.clone());
        Self { caller, transport, seen }
    }

    fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::new(Scripted::new(replies))
    }

    async fn call(&self, repeat: Repeat) -> Result<WireResponse, WireError> {
        let spec = CallSpec {
            resource: Resource::Graph,
            what: "GET /users",
            request: &|_| WireRequest::get("https://graph.microsoft.com/v1.0/users".parse().unwrap()),
            repeat,
            priority: Priority::Read,
            judge: &ByStatus,
        };
        self.caller.call(spec).await
    }

    fn calls(&self) -> Vec<WireRequest> {
        self.transport.sent_to("/users")
    }

    fn steps(&self) -> String {
        self.seen.0.lock().unwrap().join(", ")
    }
}

fn status(code: u16) -> Reply {
    Ok(answer(code, &[], ""))
}

fn fault(sent: Sent, kind: TransportErrorKind) -> Reply {
    Err(TransportError { sent, kind, host: "graph.microsoft.com".to_owned(), detail: "scripted".to_owned() })
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_is_handed_back() {
    let rig = Rig::answering([status(200)]);
    rig.call(Repeat::Safe).await.unwrap();
    let sent = &rig.calls()[0];
    assert_eq!(sent.headers["authorization"], "Bearer token-1");
    assert!(sent.headers["authorization"].is_sensitive());
    assert!(sent.headers["client-request-id"].to_str().unwrap().parse::<uuid::Uuid>().is_ok());
    assert_eq!(rig.steps(), "0 sending, 0 done");
    let snapshot = rig.caller.snapshot(Resource::Graph);
    assert_eq!((snapshot.calls, snapshot.ok, snapshot.in_flight), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn throttling_waits_for_the_service_and_repeats_even_a_write() {
    for repeat in [Repeat::Safe, Repeat::OnlyIfNotSent] {
        let rig = Rig::answering([Ok(answer(429, &[("retry-after", "17")], "")), status(429), status(200)]);
        let begun = Instant::now();
        rig.call(repeat).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(17) && begun.elapsed() < Duration::from_secs(19));
        assert_eq!(rig.steps(), "0 sending, 0 throttled, 1 sending, 1 throttled, 2 sending, 2 done");
        let ids: Vec<_> = rig.calls().iter().map(|call| call.headers["client-request-id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "one id for one logical call");
        assert_eq!(rig.caller.snapshot(Resource::Graph).throttled, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_without_end_ends_with_the_budget() {
    let rig = Rig::answering((0..100).map(|_| Ok(answer(429, &[("retry-after", "120")], ""))));
    let begun = Instant::now();
    let error = rig.call(Repeat::Safe).await.unwrap_err();
    assert_eq!((&error.kind, error.retry_after), (&ErrorKind::Throttled, Some(Duration::from_secs(120))));
    assert!(begun.elapsed() <= Duration::from_secs(900), "{:?}", begun.elapsed());
    assert_eq!((error.attempts, rig.calls().len()), (8, 8));
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_of_a_read_passes() {
    let rig = Rig::answering([
        status(200),
        status(503),
        fault(Sent::Maybe, TransportErrorKind::Reset),
        fault(Sent::No, TransportErrorKind::Unreachable),
        Ok(answer(504, &[("retry-after", "40")], "")),
        fault(Sent::Maybe, TransportErrorKind::Garbled),
        status(200),
    ]);
    rig.call(Repeat::Safe).await.unwrap();
    let begun = Instant::now();
    rig.call(Repeat::Safe).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(40), "what the service asks for outlasts our own wait");
    assert_eq!(rig.calls().len(), 7);
    assert_eq!(rig.caller.snapshot(Resource::Graph).failed, 5);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_happened_is_never_sent_again() {
    for reply in [
        status(503),
        fault(Sent::Maybe, TransportErrorKind::Reset),
        fault(Sent::Maybe, TransportErrorKind::Timeout),
        fault(Sent::Maybe, TransportErrorKind::Garbled),
        fault(Sent::Maybe, TransportErrorKind::TooLarge),
    ] {
        let rig = Rig::answering([reply]);
        let error = rig.call(Repeat::OnlyIfNotSent).await.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(rig.calls().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_have_happened_is_sent_again() {
    let rig = Rig::answering([fault(Sent::No, TransportErrorKind::Unreachable), status(409), status(200)]);
    rig.call(Repeat::OnlyIfNotSent).await.unwrap();
    assert_eq!(rig.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn faults_without_end_end_with_the_attempts() {
    let rig = Rig::answering((0..100).map(|_| status(503)));
    let error = rig.call(Repeat::Safe).await.unwrap_err();
    assert_eq!((&error.kind, error.status, error.attempts), (&ErrorKind::Transient, Some(503), 8));
    assert!(rig.steps().ends_with("7 sending, 7 failed"), "{}", rig.steps());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_get_better_is_reported_soon() {
    for (kind, expected, calls) in [
        (TransportErrorKind::Tls, ErrorKind::NotTrusted, 1),
        (TransportErrorKind::Other, ErrorKind::Protocol, 1),
        (TransportErrorKind::Dns, ErrorKind::Unreachable, 3),
        (TransportErrorKind::Unreachable, ErrorKind::Unreachable, 3),
    ] {
        let rig = Rig::answering((0..10).map(|_| fault(Sent::No, kind)));
        let begun = Instant::now();
        let error = rig.call(Repeat::Safe).await.unwrap_err();
        assert_eq!((&error.kind, rig.calls().len()), (&expected, calls));
        assert!(begun.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answered_before_is_waited_for() {
    let down = (0..6).map(|_| fault(Sent::No, TransportErrorKind::Unreachable));
    let rig = Rig::answering([status(200)].into_iter().chain(down).chain([status(200)]));
    rig.call(Repeat::Safe).await.unwrap();
    rig.call(Repeat::OnlyIfNotSent).await.unwrap();
    assert_eq!(rig.calls().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_final() {
    let rig = Rig::answering([status(404)]);
    assert!(rig.call(Repeat::Safe).await.unwrap_err().is_not_found());
    assert_eq!(rig.steps(), "0 sending, 0 failed");
    assert_eq!(rig.caller.snapshot(Resource::Graph).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_once_with_the_claims_demanded() {
    let claims = "eyJhY2Nlc3NfdG9rZW4iOnt9fQ==";
    let challenge = format!(r#"Bearer error="insufficient_claims", claims="{claims}""#);
    let rig =
        Rig::answering([Ok(answer(401, &[("www-authenticate", &challenge)], "")), status(503), status(200)]);
    rig.call(Repeat::Safe).await.unwrap();
    let tokens: Vec<_> = rig.calls().iter().map(|call| call.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer token-1", "Bearer token-2", "Bearer token-2"]);
    let form = rig.transport.sent_to("/token")[1].body.clone().unwrap();
    let form: Vec<_> = form_urlencoded::parse(&form).into_owned().collect();
    assert!(form.contains(&("claims".to_owned(), r#"{"access_token":{}}"#.to_owned())));

    let rig = Rig::answering([status(401), status(401)]);
    assert_eq!(rig.call(Repeat::Safe).await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(rig.steps(), "0 sending, 0 signing in again, 1 sending, 1 failed");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_passes_is_tried_again_and_one_that_does_not_is_reported() {
    let transport = Scripted::with_tokens([status(503), Ok(token("late", 3599))], [status(200)]);
    Rig::new(transport).call(Repeat::OnlyIfNotSent).await.unwrap();

    let body = r#"{"error":"unauthorized_client","error_description":"AADSTS700016: Application not found.","error_codes":[700016]}"#;
    let rig = Rig::new(Scripted::with_tokens([Ok(answer(400, &[], body))], []));
    let error = rig.call(Repeat::Safe).await.unwrap_err();
    assert!(matches!(&error.kind, ErrorKind::SignIn(aad) if aad.code == 700016), "{error}");
    assert_eq!((error.needs_administrator(), rig.calls().len()), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_without_the_service_says_so() {
    use exogate_microsoft::cloud::{Cloud, EndpointOverrides, Endpoints};
    let mut settings = settings(secret());
    settings.endpoints = Endpoints::new(Cloud::China, &EndpointOverrides::default()).unwrap();
    let seen = Arc::new(Seen::default());
    let ids = Arc::new(SeededIds::new(1));
    let caller = Caller::new(&settings, Scripted::new([]), ManualClock::new(), ids, seen);
    let error = caller.sign_in(Resource::Activity).await.unwrap_err();
    assert!(error.to_string().contains("this cloud has no such service"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn signing_in_anew_gives_another_token() {
    let rig = Rig::answering([status(200), status(200)]);
    rig.call(Repeat::Safe).await.unwrap();
    rig.caller.sign_in_again(Resource::Graph).await.unwrap();
    rig.call(Repeat::Safe).await.unwrap();
    assert_eq!(rig.calls()[1].headers["authorization"], "Bearer token-2");
}

#[tokio::test(start_paused = true)]
async fn giving_up_a_call_gives_its_place_back() {
    let rig = Rig::answering((0..100).map(|_| status(503)));
    let _ = tokio::time::timeout(Duration::from_millis(1), rig.call(Repeat::Safe)).await;
    assert_eq!(rig.caller.snapshot(Resource::Graph).in_flight, 0);
}
