//! Cmdlets in batches: shuffled answers, items that fail, items that must be run again alone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod exchange_support;
mod wire_support;

use std::sync::Arc;

use exchange_support::{Reply, Service, body, header, json, text};
use exogate_microsoft::error::ErrorKind;
use exogate_microsoft::exchange::{Cmdlet, Warning};
use exogate_microsoft::transport::{WireRequest, WireResponse};
use serde_json::{Value, json};

fn get(n: usize) -> Cmdlet {
    Cmdlet::new("Get-MailboxPermission").text("Identity", format!("shared{n}"))
}

fn set(n: usize) -> Cmdlet {
    Cmdlet::new("Set-Mailbox").text("Identity", format!("shared{n}")).flag("Confirm", false)
}

fn is_batch(request: &WireRequest) -> bool {
    request.url.path().ends_with("/$batch")
}

/// The mailbox that a cmdlet's body names.
fn named(input: &Value) -> String {
    input["CmdletInput"]["Parameters"]["Identity"].as_str().expect("an identity").to_owned()
}

fn rows(identity: &str) -> Value {
    json!({"@adminapi.warnings": [], "value": [{"Identity": identity, "User": format!("user of {identity}")}]})
}

/// Answers each item of a batch, and each cmdlet alone, by the same rule; items in reverse order.
fn by_item(rule: impl Fn(&str, bool) -> Option<(u16, Value)> + Send + Sync + 'static) -> Arc<Service> {
    Service::new(move |request, _| -> Reply {
        if !is_batch(request) {
            let (status, answer) =
                rule(&named(&body(request)), false).expect("alone, everything is answered");
            return Ok(json(status, &answer));
        }
        let asked = body(request);
        let items: Vec<Value> = asked["requests"].as_array().expect("requests").iter().rev().filter_map(|item| {
            let (status, answer) = rule(&named(&item["body"]), true)?;
            Some(json!({"id": item["id"], "status": status, "headers": {"Cmdlet-Name": "x"}, "body": answer}))
        }).collect();
        Ok(json(200, &json!({ "responses": items })))
    })
}

fn fault(type_name: &str, words: &str) -> Value {
    json!({"error": {"code": "BadRequest", "message": "Error executing cmdlet",
        "details": [{"code": "Context", "target": "", "message": format!("|M.{type_name}|{words}")}]}})
}

#[tokio::test]
async fn answers_find_their_cmdlets_in_any_order() {
    let service = by_item(|name, _| Some((200, rows(name))));
    let cmdlets: Vec<_> = (0..23).map(get).collect();
    let answers = service.exchange().batch(&cmdlets).await;
    assert_eq!(answers.len(), 23);
    for (n, answer) in answers.into_iter().enumerate() {
        let answer = answer.expect("answered");
        assert_eq!(answer.records[0].text("User"), Some(format!("user of shared{n}").as_str()));
    }
    let mut sizes: Vec<_> =
        service.sent().iter().map(|r| body(r)["requests"].as_array().map_or(1, Vec::len)).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 10, 10]);
}

#[tokio::test]
async fn an_item_is_a_whole_request() {
    let service = by_item(|name, _| Some((200, rows(name))));
    let select = |n| get(n).select(["Identity", "User"]);
    service.exchange().batch(&[select(0), select(1)]).await;
    let sent = service.sent();
    assert_eq!(header(&sent[0], "accept"), "application/json; odata.metadata=minimal");
    assert!(header(&sent[0], "prefer").contains("odata.continue-on-error"));
    let item = &body(&sent[0])["requests"][1];
    assert_eq!(item["id"], "2");
    assert_eq!(item["method"], "POST");
    let url = item["url"].as_str().expect("a url");
    assert!(url.starts_with("https://outlook.office365.com/adminapi/beta/"), "{url}");
    assert!(url.ends_with("/InvokeCommand?$select=Identity,User"), "{url}");
    assert_eq!(item["headers"]["x-cmdletname"], "Get-MailboxPermission");
    assert_eq!(item["headers"]["x-anchormailbox"], header(&sent[0], "x-anchormailbox"));
    assert_eq!(item["headers"]["content-type"], "application/json");
    assert_eq!(item["headers"]["authorization"], "Bearer t0");
    assert!(!format!("{:?}", sent[0]).contains("t0"), "a request never shows its token");
}

#[tokio::test]
async fn one_item_fails_and_the_others_do_not() {
    let service = by_item(|name, _| {
        Some(match name {
            "shared1" => (
                404,
                fault("ManagementObjectNotFoundException", "object 'shared1' couldn't be found on 'DC'."),
            ),
            "shared2" => (
                200,
                json!({"@adminapi.warnings": ["The command completed successfully but no settings of 'x' have been modified."]}),
            ),
            _ => (200, json!({"value": []})),
        })
    });
    let answers = service.exchange().batch(&[set(0), set(1), set(2)]).await;
    assert!(answers[0].is_ok());
    assert_eq!(answers[1].as_ref().expect_err("missing").kind, ErrorKind::NotFound);
    assert_eq!(answers[2].as_ref().expect("done").warnings, [Warning::NothingChanged]);
    assert_eq!(service.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn passing_faults_of_items_are_run_again_alone() {
    let service = by_item(|name, batched| {
        Some(match (name, batched) {
            ("shared1", true) => (429, json!({})),
            ("shared2", true) => (400, fault("StorageTransientException", "busy")),
            ("shared3", true) => (503, json!({})),
            ("shared4", true) => (401, json!({})),
            ("shared5", true) => return None,
            _ => (200, rows(name)),
        })
    });
    let cmdlets: Vec<_> = (0..6).map(get).collect();
    let answers = service.exchange().batch(&cmdlets).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(answer.records[0].text("Identity"), Some(format!("shared{n}").as_str()));
    }
    assert_eq!(service.sent().len(), 6, "one batch and five alone");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_run_again_only_if_it_did_not_run() {
    let service = by_item(|name, batched| {
        Some(match (name, batched) {
            ("shared0", true) => (429, json!({})),
            ("shared1", true) => (400, fault("ServerInMMException", "maintenance")),
            ("shared2", true) => (504, json!({})),
            ("shared3", true) => (400, fault("StorageTransientException", "busy")),
            ("shared4", true) => return None,
            _ => (200, json!({})),
        })
    });
    let cmdlets: Vec<_> = (0..5).map(set).collect();
    let answers = service.exchange().batch(&cmdlets).await;
    assert!(answers[0].is_ok() && answers[1].is_ok());
    for answer in &answers[2..] {
        assert_eq!(answer.as_ref().expect_err("unknown").kind, ErrorKind::LostAnswer);
    }
    assert_eq!(service.sent().len(), 3, "one batch and two alone");
}

#[tokio::test]
async fn a_cmdlet_that_must_not_be_sent_does_not_hold_up_the_rest() {
    let service = by_item(|name, _| Some((200, rows(name))));
    let empty = Cmdlet::new("Get-MailboxPermission").text("Identity", "");
    let answers = service.exchange().batch(&[get(0), empty.clone(), get(2)]).await;
    assert_eq!(answers[1].as_ref().expect_err("refused").kind, ErrorKind::InvalidRequest);
    let user =
        |n: usize| answers[n].as_ref().expect("answered").records[0].text("Identity").map(str::to_owned);
    assert_eq!((user(0).as_deref(), user(2).as_deref()), (Some("shared0"), Some("shared2")));
    let alone = service.exchange().batch(&[empty]).await;
    assert_eq!(alone[0].as_ref().expect_err("refused").kind, ErrorKind::InvalidRequest);
    assert!(service.exchange().batch(&[]).await.is_empty());
}

#[tokio::test]
async fn an_item_with_more_pages_is_read_to_its_end() {
    let next = "https://outlook.office365.com/adminapi/beta/t/InvokeCommand?%24skiptoken=1";
    let service = Service::new(move |request, _| {
        if request.url.query().is_some_and(|query| query.contains("skiptoken")) {
            return Ok(json(200, &json!({"value": [{"User": "b"}]})));
        }
        let item = |id: &str| json!({"id": id, "status": 200, "body": {"value": [{"User": "a"}], "@odata.nextLink": next}});
        Ok(json(200, &json!({"responses": [item("2"), item("1")]})))
    });
    let listing = |group: &str| {
        Cmdlet::new("Get-DistributionGroupMember").text("Identity", group).text("ResultSize", "Unlimited")
    };
    let answers = service.exchange().batch(&[listing("x"), listing("y")]).await;
    for answer in &answers {
        let users: Vec<_> = answer.as_ref().expect("whole").records.iter().map(|r| r.text("User")).collect();
        assert_eq!(users, [Some("a"), Some("b")]);
    }
    let sent = service.sent();
    assert_eq!(sent.len(), 3);
    assert_eq!(named(&body(&sent[1])), "x", "the page is asked for with its own body");
    assert_eq!(named(&body(&sent[2])), "y");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_throttled_stops_everybody_for_as_long_as_it_says() {
    let service = by_item(|name, batched| {
        let busy = "You have reached the maximum number of concurrent requests per tenant. Please wait and try again";
        Some(if batched && name == "shared1" {
            (429, json!({"error": {"code": "TooManyRequests", "message": busy}}))
        } else {
            (200, rows(name))
        })
    });
    let begun = tokio::time::Instant::now();
    let answers = service.exchange().batch(&[get(0), get(1), get(2)]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(service.sent().len(), 2);
    // Time stands still but for waiting; without a time named, the governor's own wait holds.
    assert!(begun.elapsed() >= std::time::Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_whole_batch_may_be_throttled_or_garbled_first() {
    let bad: [WireResponse; 3] = [
        text(
            200,
            "You have reached the maximum number of concurrent requests per tenant. Please wait and try again",
        ),
        text(503, ""),
        text(200, "{\"responses\":[{\"id\""),
    ];
    for first in bad {
        let first = std::sync::Mutex::new(Some(first));
        let service = Service::new(move |request, _| {
            if let Some(first) = first.lock().unwrap().take() {
                return Ok(first);
            }
            let items: Vec<_> = body(request)["requests"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| json!({"id": item["id"], "status": 200, "body": rows(&named(&item["body"]))}))
                .collect();
            Ok(json(200, &json!({ "responses": items })))
        });
        let answers = service.exchange().batch(&[get(0), get(1)]).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(service.sent().len(), 2);
    }
}

#[tokio::test]
async fn the_failure_of_the_whole_is_told_of_each() {
    let service = Service::new(|_, _| Ok(text(403, "")));
    let answers = service.exchange().batch(&[get(0), get(1)]).await;
    for answer in answers {
        let error = answer.expect_err("forbidden");
        assert_eq!(error.kind, ErrorKind::Forbidden);
        assert!(error.what.starts_with("Get-MailboxPermission"));
    }
}

#[tokio::test]
async fn another_mailboxs_rows_in_an_item_are_refused() {
    let service = by_item(|_, _| Some((200, json!({"value": [{"Identity": "a"}, {"Identity": "b"}]}))));
    let answers = service.exchange().batch(&[get(0), get(1)]).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|e| e.kind == ErrorKind::Protocol)));
}
