//! `exogate serve` against a tenant: whose calls are whose, from the caller's request down to the journal and to
//! Microsoft's own ids; what traces tell; and a stop in the middle of a plan.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is a user with a real clock"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use common::Sandbox;
use common::changes::{KIM, account, lines, ready, rights_on};
use common::service::{Service, token};
use common::tenant::Tenant;
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use serde_json::{Value, json};
use tokio::task::block_in_place;

const PLANS: &str = "/api/v1/sources/contoso/plans";

/// A plan that gives these a right on one mailbox.
fn plan(holders: &[&str]) -> String {
    let give = |holder: &&str| {
        json!({"account": holder, "attributes": [
            {"op": "add", "name": "sharedMailbox", "value": "Quiet: FullAccess"}]})
    };
    json!({"accounts": holders.iter().map(give).collect::<Vec<_>>()}).to_string()
}

/// What the journal says of each operation: its state, and who asked.
async fn operations(sandbox: &Sandbox) -> Vec<Value> {
    let told = sandbox.run_beside(&["operations", "--json"]).await.ok();
    lines(&told.stdout)
}

/// The tenant takes this long for every grant of a right.
fn slow(tenant: &Tenant, millis: u64) {
    let when = FaultMatch { cmdlet: Some("Add-MailboxPermission".into()), ..FaultMatch::default() };
    let action = FaultAction::Delay { millis };
    tenant.sim.world().set_faults(vec![FaultRule { name: None, when, action }]);
}

async fn until_asked(tenant: &Tenant) {
    while tenant.sim.world().faults.states().iter().all(|state| state.fired == 0) {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn with_server(sandbox: &Sandbox, lines: &str) {
    let text = sandbox.read("exogate.toml");
    sandbox.write("exogate.toml", &format!("{lines}\n{text}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_request_can_be_followed_to_the_journal_and_to_the_tenant() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let admin = token(&sandbox, "flow-7", "admin");
    let service = Service::start(&sandbox);
    let of_tenant = |id: &str| {
        let records = tenant.sim.trace().records();
        let half = &id[..18];
        let ours = |record: &exogate_sim::trace::TraceRecord| {
            record.client_request_id.as_deref().is_some_and(|id| id.starts_with(half))
        };
        // Batches say what is in them.
        let calls = |record: exogate_sim::trace::TraceRecord| [vec![record.operation], record.items].concat();
        records.into_iter().filter(ours).flat_map(calls).collect::<Vec<_>>()
    };
    // Changing something, reading everything, reading what is different, and testing the connection.
    let asked = [
        (PLANS, plan(&[KIM]), "Add-MailboxPermission"),
        ("/api/v1/sources/contoso/runs", r#"{"fresh": true}"#.to_owned(), "Get-MailboxPermission"),
        ("/api/v1/sources/contoso/runs", r#"{"kind": "delta"}"#.to_owned(), "users/delta"),
        ("/sailpoint/contoso", r#"{"type": "std:test-connection", "input": {}}"#.to_owned(), "Get-Mailbox"),
    ];
    for (path, body, call) in asked {
        let id = uuid::Uuid::new_v4().to_string();
        let more = format!("x-request-id: {id}\r\n");
        let answer = block_in_place(|| service.ask("POST", path, &admin, &more, &body));
        assert!([200, 202].contains(&answer.status), "{path}: {answer:?}");
        if answer.status == 202 {
            let progress = format!("{path}/{}/progress", answer.json()["id"].as_str().unwrap());
            let watched = block_in_place(|| service.get(&progress, &admin));
            assert!(watched.text.contains("\"completed\""), "{watched:?}");
        }
        let calls = of_tenant(&id);
        assert!(calls.iter().any(|operation| operation.contains(call)), "{path} {call}: {calls:?}");
        // A connection is tested without changing anything.
        if path.starts_with("/sailpoint") {
            continue;
        }
        let audit = block_in_place(|| service.logged("changing request"));
        let audit: Value = serde_json::from_str(&audit).unwrap();
        assert_eq!(audit["target"], "exogate_server::audit");
        let fields = &audit["fields"];
        assert_eq!((&fields["caller"], &fields["request"]), (&json!("flow-7"), &json!(id)), "{audit}");
        assert_eq!((&fields["path"], &fields["method"]), (&json!(path), &json!("POST")), "{audit}");
    }
    let journal = operations(&sandbox).await;
    assert_eq!(journal.len(), 1, "{journal:?}");
    assert_eq!(journal[0]["by"], "flow-7");
    let runs = lines(&sandbox.run_beside(&["runs", "--json", "--limit", "2"]).await.ok().stdout);
    assert!(runs.iter().all(|run| run["holder"]["who"] == "flow-7"), "{runs:?}");
    service.signal();
    let (code, log) = block_in_place(|| service.end());
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(KIM), "no person is named in the log: {log}");
}

/// Takes what is delivered to it, until nobody delivers any more.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (taken, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            loop {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                let Some(length) = length else { break };
                let mut body = vec![0; length.trim().parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                if taken.send((head, body)).is_err() {
                    return;
                }
            }
        }
    });
    (address, bodies)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn traces_lead_from_a_request_to_its_calls_and_name_nobody() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    let (address, bodies) = collector();
    sandbox.write("collector", "Bearer c0llector");
    with_server(
        &sandbox,
        &format!("[server.traces]\nendpoint = \"{address}\"\ncredential = {{ file = \"collector\" }}"),
    );
    let token = token(&sandbox, "me", "provision");
    let service = Service::start(&sandbox);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let more = format!("traceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let answer = block_in_place(|| service.ask("POST", PLANS, &token, &more, &plan(&[KIM])));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(block_in_place(|| service.get("/scim/v2/Users?count=1", &token)).status, 200);
    service.signal();
    let (code, log) = block_in_place(|| service.end());
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("c0llector"), "{log}");

    // Everything was delivered before the end.
    let delivered: Vec<_> = bodies.try_iter().collect();
    let (head, _) = &delivered[0];
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer c0llector") && head.contains("application/x-protobuf"));
    let all: Vec<u8> = delivered.into_iter().flat_map(|(_, body)| body).collect();
    let times = |wanted: &[u8]| all.windows(wanted.len()).filter(|window| *window == wanted).count();
    for name in [
        "POST /api/v1/sources/{source}/plans",
        "GET /scim/v2/Users",
        "plan",
        "operation",
        "Add-MailboxPermission",
        "exogate.client_request_id",
    ] {
        assert!(times(name.as_bytes()) > 0, "{name}");
    }
    let bytes: Vec<u8> =
        (0..trace.len()).step_by(2).map(|at| u8::from_str_radix(&trace[at..at + 2], 16).unwrap()).collect();
    // The request, the plan, the operation, and the calls that read before, write, and read after.
    assert!(times(&bytes) >= 6, "{} spans belong to the caller's trace", times(&bytes));
    assert_eq!(times(KIM.as_bytes()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_lets_a_plan_come_to_its_end_if_that_is_in_time() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let token = token(&sandbox, "me", "provision");
    let service = Service::start(&sandbox);
    slow(&tenant, 1_500);
    let answer = std::thread::scope(|scope| {
        let asking = scope.spawn(|| service.ask("POST", PLANS, &token, "", &plan(&[KIM])));
        block_in_place(|| tokio::runtime::Handle::current().block_on(until_asked(&tenant)));
        service.signal();
        block_in_place(|| asking.join().unwrap())
    });
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("succeeded")), "{answer:?}");
    let (code, log) = block_in_place(|| service.end());
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(rights_on(&account(&sandbox, KIM).await, "Quiet"), ["Quiet: FullAccess"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stop_that_cannot_wait_leaves_a_plan_that_can_be_gone_on_with() {
    const OTHERS: [&str; 2] = ["ines.boss@contoso.com", "mark.taylor@contoso.com"];
    let (tenant, sandbox) = ready(Scenario::default()).await;
    with_server(&sandbox, "[server]\nstop_within_seconds = 2");
    let token = token(&sandbox, "me", "provision");
    let body = plan(&[KIM, OTHERS[0], OTHERS[1]]);
    let key = "idempotency-key: joiner-1\r\n";
    let service = Service::start(&sandbox);
    // All on one mailbox, so one after the other.
    slow(&tenant, 4_000);
    std::thread::scope(|scope| {
        scope.spawn(|| service.ask("POST", &format!("{PLANS}?wait=0"), &token, key, &body));
        block_in_place(|| tokio::runtime::Handle::current().block_on(until_asked(&tenant)));
    });
    service.signal();
    let (code, log) = block_in_place(|| service.end());
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("it is settled at the next start"), "{log}");
    tenant.sim.world().set_faults(Vec::new());
    let writes = || {
        let state = tenant.sim.world().state();
        state
            .audit()
            .iter()
            .filter(|record| record.succeeded && &*record.operation == "Add-MailboxPermission")
            .count()
    };
    assert_eq!(writes(), 1, "the one that was under way took effect, and no other was sent");

    // The next start settles what is open by reading; the same request does what is left.
    let service = Service::start(&sandbox);
    block_in_place(|| service.logged("what was open is settled"));
    let states: Vec<Value> =
        operations(&sandbox).await.iter().map(|one| one["outcome"]["state"].clone()).collect();
    assert_eq!(states.len(), 3, "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == "done").count(), 1, "{states:?}");
    assert!(states.iter().all(|state| !state.is_null()), "nothing is left open: {states:?}");
    let again = block_in_place(|| service.ask("POST", PLANS, &token, key, &body));
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("succeeded")), "{again:?}");
    assert_eq!(writes(), 3, "each once");
    service.signal();
    let (code, log) = block_in_place(|| service.end());
    assert_eq!(code, Some(0), "{log}");
}
