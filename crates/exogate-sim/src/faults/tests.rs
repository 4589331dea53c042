//! Fault rules: what they fit, when they are due, and that they are the same in every run.

use http::Method;

use super::*;
use crate::clock::Time;
use crate::server::Request;
use crate::server::operation::{Operation, Service};

fn cmdlet(name: &str) -> Operation {
    let body = format!(r#"{{"CmdletInput":{{"CmdletName":"{name}","Parameters":{{}}}}}}"#);
    let request = Request::new(
        Method::POST,
        "outlook.office365.com",
        "/adminapi/beta/t/InvokeCommand",
        Time::default(),
    )
    .with_body(body);
    Operation::of(Service::Exchange, &request)
}

fn rule(when: FaultMatch) -> FaultRule {
    FaultRule { name: None, when, action: FaultAction::ResetBefore }
}

fn fires(when: FaultMatch, seed: u64, requests: usize) -> Vec<usize> {
    let faults = Faults::new(&[rule(when)], seed);
    let operation = cmdlet("Get-Mailbox");
    let probe = Probe {
        service: Service::Exchange,
        operation: &operation,
        target: "/adminapi/beta/T/InvokeCommand?x=1",
        item: false,
    };
    (1..=requests).filter(|_| faults.decide(&probe).is_some()).collect()
}

#[test]
fn rules_fit_what_they_name() {
    let fit = |when: FaultMatch| !fires(when, 1, 1).is_empty();
    let some = |text: &str| Some(text.to_owned());
    assert!(fit(FaultMatch::default()));
    assert!(fit(FaultMatch { service: Some(Service::Exchange), ..FaultMatch::default() }));
    assert!(!fit(FaultMatch { service: Some(Service::Graph), ..FaultMatch::default() }));
    assert!(fit(FaultMatch { cmdlet: some("get-mailbox"), ..FaultMatch::default() }));
    assert!(fit(FaultMatch { cmdlet: some("Get-*"), ..FaultMatch::default() }));
    assert!(!fit(FaultMatch { cmdlet: some("Get-Mail"), ..FaultMatch::default() }));
    assert!(fit(FaultMatch { path: some("invokecommand"), ..FaultMatch::default() }));
    assert!(!fit(FaultMatch { path: some("$batch"), ..FaultMatch::default() }));
    assert!(!fit(FaultMatch { write: Some(true), ..FaultMatch::default() }));
}

#[test]
fn rules_are_due_when_they_say() {
    let table = [
        (FaultMatch { nth: Some(3), ..FaultMatch::default() }, vec![3]),
        (FaultMatch { every: Some(4), ..FaultMatch::default() }, vec![4, 8]),
        (FaultMatch { times: Some(2), ..FaultMatch::default() }, vec![1, 2]),
        (FaultMatch { after: 5, times: Some(1), ..FaultMatch::default() }, vec![6]),
        (FaultMatch { every: Some(0), ..FaultMatch::default() }, vec![]),
        (FaultMatch { probability: Some(0.0), ..FaultMatch::default() }, vec![]),
    ];
    for (when, expected) in table {
        let faults = Faults::new(&[rule(when.clone())], 1);
        let operation = cmdlet("Get-Mailbox");
        let probe = Probe { service: Service::Exchange, operation: &operation, target: "", item: false };
        let fired: Vec<u64> = (1..=9).filter(|_| faults.decide(&probe).is_some()).collect();
        assert_eq!(fired, expected, "{when:?}");
        assert_eq!(faults.states()[0].seen, 9);
        assert_eq!(faults.states()[0].fired, expected.len() as u64);
    }
}

#[test]
fn chance_is_the_same_in_every_run_and_differs_by_seed() {
    let when = || FaultMatch { probability: Some(0.3), ..FaultMatch::default() };
    let first = fires(when(), 1, 400);
    assert_eq!(first, fires(when(), 1, 400));
    assert_ne!(first, fires(when(), 2, 400));
    assert!((80..160).contains(&first.len()), "{}", first.len());
}

#[test]
fn a_rule_reaches_into_a_batch() {
    let item = |name: &str| {
        format!(
            r#"{{"id":"1","method":"POST","body":{{"CmdletInput":{{"CmdletName":"{name}","Parameters":{{"Identity":"x"}}}}}}}}"#
        )
    };
    let body = format!(r#"{{"requests":[{},{}]}}"#, item("Get-MailboxPermission"), item("Set-Mailbox"));
    let request =
        Request::new(Method::POST, "outlook.office365.com", "/adminapi/beta/t/$batch", Time::default())
            .with_body(body);
    let operation = Operation::of(Service::Exchange, &request);
    assert_eq!(operation.items.len(), 2);
    assert!(operation.write && operation.items[0].by_identity && !operation.items[0].write);
    let faults = Faults::new(
        &[rule(FaultMatch { cmdlet: Some("Set-Mailbox".to_owned()), ..FaultMatch::default() })],
        1,
    );
    assert!(
        faults
            .decide(&Probe { service: Service::Exchange, operation: &operation, target: "", item: false })
            .is_some()
    );
}

#[test]
fn rules_are_read_from_toml_and_json() {
    let text = r#"
        [[faults]]
        name = "every third permission read is throttled"
        match = { service = "exchange", cmdlet = "Get-MailboxPermission", every = 3 }
        action = { kind = "status", status = 429, retry_after = 2 }

        [[faults]]
        action = { kind = "transient400" }
    "#;
    let scenario: crate::options::Scenario = toml::from_str(text).unwrap();
    assert_eq!(scenario.faults.len(), 2);
    let json = serde_json::to_string(&scenario).unwrap();
    let back: crate::options::Scenario = serde_json::from_str(&json).unwrap();
    assert_eq!(scenario, back);
    let toml = toml::to_string(&scenario).unwrap();
    assert_eq!(scenario, toml::from_str(&toml).unwrap());
    assert!(
        toml::from_str::<crate::options::Scenario>("[[faults]]\naction = { kind = \"explode\" }").is_err()
    );
    assert!(toml::from_str::<crate::options::Scenario>("latencies = 1").is_err());
}

#[test]
fn kept_rules_keep_their_counters() {
    let first = rule(FaultMatch::default());
    let faults = Faults::new(std::slice::from_ref(&first), 1);
    let operation = cmdlet("Get-Mailbox");
    let probe = Probe { service: Service::Exchange, operation: &operation, target: "", item: false };
    assert!(faults.decide(&probe).is_some());
    faults.replace(&[rule(FaultMatch { nth: Some(1), ..FaultMatch::default() }), first]);
    let counts: Vec<u64> = faults.states().iter().map(|s| s.seen).collect();
    assert_eq!(counts, [0, 1]);
}

#[test]
fn rules_for_items_leave_whole_requests_alone() {
    let when = FaultMatch { item: true, nth: Some(2), ..FaultMatch::default() };
    assert!(fires(when.clone(), 1, 5).is_empty());
    let action = FaultAction::Status { status: 429, body: None, content_type: None, retry_after: Some(7) };
    let faults = Faults::new(&[FaultRule { name: None, when, action }], 1);
    let item = || {
        let request =
            crate::server::Request::new(http::Method::GET, "g", "/v1.0/users", crate::clock::Time::default());
        faults.item_reply(Service::Graph, &request, "id")
    };
    assert!(item().is_none());
    let reply = item().unwrap();
    assert_eq!((reply.status.as_u16(), &reply.headers["retry-after"]), (429, &"7".parse().unwrap()));
    assert!(item().is_none());
}

#[test]
fn items_cannot_drop_the_connection() {
    let faults = Faults::new(&[rule(FaultMatch { item: true, ..FaultMatch::default() })], 1);
    let request =
        crate::server::Request::new(http::Method::GET, "g", "/v1.0/users", crate::clock::Time::default());
    assert!(faults.item_reply(Service::Graph, &request, "id").is_none());
}
