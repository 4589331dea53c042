//! The REST door written through: plans, keys, review, undo, restore, runs, and the feed of changes.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use exogate_server::Scope;
use futures::StreamExt;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use support::Served;

struct Door {
    served: Served,
    client: Client,
}

impl Door {
    async fn open() -> Self {
        let served = Served::start().await;
        let client = served.client(Scope::Admin).await;
        Self { served, client }
    }

    fn url(&self, path: &str) -> String {
        self.served.url(&format!("/api/v1/sources/contoso{path}"))
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        let (status, body) = (response.status(), response.json::<Value>().await.unwrap());
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        self.client.post(self.url(path)).json(body).send().await.unwrap()
    }

    async fn kim_sends_as_quiet(&self) -> bool {
        let what = self.get("/what/kim.akers@contoso.com").await;
        what["rights"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["label"] == "Quiet" && row["right"] == "SendAs")
    }

    async fn posted(&self, path: &str, body: &Value, status: u16) -> Value {
        let response = self.post(path, body).await;
        let got = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        assert_eq!(got, status, "{path}: {body}");
        body
    }
}

fn grant(op: &str) -> Value {
    json!({ "requestedBy": "joiner flow", "accounts": [{ "account": "kim.akers@contoso.com", "attributes": [
        { "op": op, "name": "sharedMailbox", "value": "Quiet: SendAs" } ] }] })
}

#[tokio::test]
async fn a_plan_is_shown_carried_out_once_told_and_undone() {
    let door = Door::open().await;
    let shown = door.posted("/plans/compile", &grant("add"), 200).await;
    let operation = &shown["operations"][0];
    assert!(operation["command"].as_str().unwrap().starts_with("Add-RecipientPermission"), "{shown}");
    assert_eq!(operation["already"], false);
    assert!(operation.get("outcome").is_none());
    assert_eq!(door.get("/plans").await["items"], json!([]));

    let apply = |key: &'static str, body: Value| {
        let request = door.client.post(door.url("/plans?wait=60")).header("Idempotency-Key", key).json(&body);
        async move { request.send().await.unwrap() }
    };
    let response = apply("k-1", grant("add")).await;
    assert_eq!(response.status(), 200);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let plan: Value = response.json().await.unwrap();
    assert_eq!((&plan["state"], &plan["repeated"]), (&"succeeded".into(), &false.into()), "{plan}");
    assert!(plan["by"].as_str().unwrap().ends_with(" for joiner flow"), "{plan}");
    let id = plan["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/sources/contoso/plans/{id}"));
    assert_eq!(door.get(&format!("/plans/{id}")).await, plan);

    let again: Value = apply("k-1", grant("add")).await.json().await.unwrap();
    assert_eq!((&again["id"], &again["repeated"]), (&plan["id"], &true.into()));
    let other = apply("k-1", grant("remove")).await;
    assert_eq!(other.status(), 422);
    assert_eq!(other.json::<Value>().await.unwrap()["type"], "urn:exogate:problem:key-reused");

    let change = &door.get("/changes").await["items"][0];
    assert_eq!(
        (&change["what"], &change["right"], &change["by"]["who"]),
        (&"granted".into(), &"SendAs".into(), &"ours".into())
    );
    assert_eq!(change["by"]["operation"], format!("{id}.1"));
    let history = door.get(&format!("/operations/{id}.1")).await;
    let steps: Vec<_> =
        history["history"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
    assert_eq!(steps, ["accepted", "begun", "answered", "finished"]);

    let events = door.client.get(door.url(&format!("/plans/{id}/progress"))).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let events = events.text().await.unwrap();
    assert!(events.contains("event: operation\n") && events.contains("event: end\n"), "{events}");

    let undo = door.posted(&format!("/plans/{id}/undo"), &json!({ "dryRun": true }), 200).await;
    assert!(
        undo["operations"][0]["command"].as_str().unwrap().starts_with("Remove-RecipientPermission"),
        "{undo}"
    );
    let undone = door.posted(&format!("/operations/{id}.1/undo?wait=60"), &json!({}), 200).await;
    assert_eq!(
        (&undone["state"], &undone["undoes"]),
        (&"succeeded".into(), &format!("{id}.1").into()),
        "{undone}"
    );
    assert!(!door.kim_sends_as_quiet().await);
    let nothing = door.posted(&format!("/plans/{}/undo", "0000000000"), &json!({}), 404).await;
    assert_eq!(nothing["status"], 404);

    assert_eq!(door.get("/plans?limit=1").await["items"].as_array().unwrap().len(), 1);
    let operations = door.get("/operations").await;
    assert_eq!(operations["items"].as_array().unwrap().len(), 2);
    let verified = door.get("/journal/verify").await;
    assert_eq!((&verified["sound"], verified["entries"].as_u64().unwrap() > 6), (&true.into(), true));
    door.served.stop().await;
}

#[tokio::test]
async fn what_cannot_be_carried_out_is_refused_with_its_reasons() {
    let door = Door::open().await;
    let plan = json!({ "accounts": [
        { "account": "kim.akers@contoso.com", "attributes": [{ "op": "add", "name": "sharedMailbox", "value": "Qiet: SendAs" }] },
        { "account": "nobody@contoso.com", "attributes": [{ "op": "add", "name": "sharedMailbox", "value": "Quiet: SendAs" }] } ] });
    let refused = door.posted("/plans", &plan, 422).await;
    assert_eq!(refused["type"], "urn:exogate:problem:refused");
    assert_eq!(refused["errors"].as_array().unwrap().len(), 2, "{refused}");
    for (body, media, status) in [
        ("{\"accounts\":", "application/json", 400),
        ("{\"acounts\":[]}", "application/json", 400),
        ("{}", "application/json", 422),
        ("{} {}", "application/json", 400),
        ("[]", "application/json", 400),
        ("{\"key\":\"a b\"}", "application/json", 400),
        ("{\"accounts\":[[\"kim\",[]]]}", "application/json", 400),
        ("accounts: []", "application/yaml", 415),
        ("{}", "text/plain", 415),
    ] {
        for path in ["/plans", "/plans/compile"] {
            let request = door.client.post(door.url(path)).header("Content-Type", media).body(body);
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{path} {body}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
    let long = format!("{{\"requestedBy\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    let request = door.client.post(door.url("/plans")).header("Content-Type", "application/json").body(long);
    assert_eq!(request.send().await.unwrap().status(), 413);
    assert_eq!(door.get("/plans").await["items"], json!([]), "nothing was begun");
    door.served.stop().await;
}

#[tokio::test]
async fn a_plan_goes_on_when_nobody_waits_and_can_be_followed() {
    let door = Door::open().await;
    let response = door.post("/plans?wait=0", &grant("add")).await;
    assert!([200, 202].contains(&response.status().as_u16()));
    let plan: Value = response.json().await.unwrap();
    let url = door.url(&format!("/plans/{}/progress", plan["id"].as_str().unwrap()));
    let events = door.client.get(url).send().await.unwrap().text().await.unwrap();
    let end = events.split("event: end\ndata: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(end).unwrap()["state"], "succeeded");
    door.served.stop().await;
}

#[tokio::test]
async fn rights_are_put_back_as_they_were() {
    let door = Door::open().await;
    // Instants are kept in milliseconds: what happens next must lie after this one.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let before = jiff::Timestamp::now().to_string();
    tokio::time::sleep(Duration::from_millis(20)).await;
    door.posted("/plans?wait=60", &grant("add"), 200).await;
    assert!(door.kim_sends_as_quiet().await);
    let restore = json!({ "at": before, "dryRun": true });
    let shown = door.posted("/mailboxes/Quiet/restore", &restore, 200).await;
    assert_eq!(shown["operations"].as_array().unwrap().len(), 1, "{shown}");
    let done = door.posted("/mailboxes/Quiet/restore?wait=60", &json!({ "at": before }), 200).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert!(!door.kim_sends_as_quiet().await);
    door.posted("/mailboxes/Quiet/restore", &json!({ "at": before }), 422).await;
    door.posted("/mailboxes/Quiet/restore", &json!({ "at": "yesterday" }), 422).await;
    door.posted("/mailboxes/Quiet/restore", &json!({ "at": "2199-01-01T00:00:00Z" }), 422).await;
    door.posted("/mailboxes/nowhere/restore", &json!({ "at": before }), 404).await;
    door.served.stop().await;
}

#[tokio::test]
async fn the_feed_waits_streams_and_goes_on() {
    let door = Door::open().await;
    let latest = door.get("/changes?cursor=latest").await;
    let cursor = latest["next"].as_str().unwrap();
    assert_eq!(latest["items"], json!([]));
    let waiting =
        tokio::spawn(door.client.get(door.url(&format!("/changes?cursor={cursor}&wait=60"))).send());
    let stream = door.client.get(door.url(&format!("/changes/stream?cursor={cursor}&follow=true")));
    let mut stream = stream.send().await.unwrap().bytes_stream();
    door.posted("/plans?wait=60", &grant("add"), 200).await;
    let page: Value = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(page["items"][0]["right"], "SendAs", "{page}");
    let line = stream.next().await.unwrap().unwrap();
    let streamed: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(streamed, page["items"][0]);
    drop(stream);
    let next = page["next"].as_str().unwrap();
    assert_eq!(streamed["cursor"], next);
    assert_eq!(door.get(&format!("/changes?cursor={next}")).await["items"], json!([]));
    let all = door.client.get(door.url("/changes/stream")).send().await.unwrap().text().await.unwrap();
    assert_eq!(all.lines().count(), 1);
    let none = door.client.get(door.url("/changes/stream?object=group")).send().await.unwrap();
    assert_eq!(none.text().await.unwrap(), "");

    // Far behind: what came after the cursor is forgotten.
    let after = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    door.served.source().store.forget_changes(after).await.unwrap();
    let gone = door.client.get(door.url("/changes?cursor=0")).send().await.unwrap();
    assert_eq!(gone.status(), 410);
    let problem: Value = gone.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(&format!("\"{next}\"")), "{problem}");
    assert_eq!(door.client.get(door.url("/changes/stream?cursor=0")).send().await.unwrap().status(), 410);
    assert_eq!(door.get("/changes").await["next"], next, "without a cursor it begins where it can");
    door.served.stop().await;
}

#[tokio::test]
async fn runs_are_started_watched_and_never_two_at_once() {
    let door = Door::open().await;
    let response = door.post("/runs", &json!({ "fresh": true })).await;
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let run: Value = response.json().await.unwrap();
    let id = run["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/sources/contoso/runs/{id}"));
    let events = door.client.get(door.url(&format!("/runs/{id}/progress"))).send().await.unwrap();
    let events = events.text().await.unwrap();
    assert!(events.contains("event: progress\n"), "{events}");
    let end = events.split("event: end\ndata: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(end).unwrap()["state"], "completed");
    door.posted(&format!("/runs/{id}/cancel"), &json!({}), 409).await;
    let runs = door.get("/runs").await;
    assert_eq!(runs["items"][0]["id"], id);
    // What is different is read by a run of the other kind.
    let delta: Value = door.post("/runs", &json!({ "kind": "delta" })).await.json().await.unwrap();
    assert_eq!((&delta["kind"], &delta["scope"]), (&json!("delta"), &json!("all")));
    let progress = format!("/runs/{}/progress", delta["id"].as_str().unwrap());
    let events = door.client.get(door.url(&progress)).send().await.unwrap().text().await.unwrap();
    assert!(events.contains("\"outcome\":\"completed\""), "{events}");
    door.posted("/runs", &json!({ "kind": "some" }), 400).await;

    // The runs that there are, page by page, each once and the newest first.
    let all = door.get("/runs").await;
    assert_eq!(all.get("next"), None);
    let mut found = Vec::new();
    let mut page = door.get("/runs?limit=1").await;
    loop {
        found.push(page["items"].as_array().unwrap()[0].clone());
        let Some(next) = page["next"].as_str() else { break };
        page = door.get(&format!("/runs?limit=1&cursor={next}")).await;
    }
    assert_eq!(json!(found), all["items"]);
    let kinds: Vec<_> = found.iter().map(|run| run["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["delta", "full"]);
    for foreign in ["x", "IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCI"] {
        let refused = door.client.get(door.url(&format!("/runs?cursor={foreign}"))).send().await.unwrap();
        assert_eq!(refused.status(), 422, "{foreign}");
    }

    // While one is under way there is no other: whoever comes meanwhile is told so.
    let fresh = json!({ "fresh": true });
    let answers = futures::future::join_all((0..4).map(|_| door.post("/runs", &fresh))).await;
    let statuses: Vec<_> = answers.iter().map(|response| response.status().as_u16()).collect();
    assert!(
        statuses.contains(&202) && statuses.iter().all(|status| [202, 409].contains(status)),
        "{statuses:?}"
    );
    door.served.stop().await;
}
