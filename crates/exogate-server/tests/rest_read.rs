//! The REST door read: pages, filters, fields, access, and what every bad request is answered by.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use exogate_server::Scope;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use support::{SOURCE, Served, Setup, client_with};

struct Door {
    served: Served,
    client: Client,
}

impl Door {
    async fn open(scope: Scope) -> Self {
        let served = Served::start().await;
        let client = served.client(scope).await;
        Self { served, client }
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.answer(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn answer(&self, path: &str) -> (u16, Value) {
        let url = self.served.url(&format!("/api/v1{path}"));
        let response = self.client.get(url).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// All items of a listing by pages of a size.
    async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/sources/{SOURCE}{path}{separator}limit={limit}{cursor}")).await;
            let found = page["items"].as_array().unwrap();
            assert!(found.len() <= limit, "{path} by {limit}");
            items.extend(found.iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_stored_is_listed_by_pages_filters_and_fields() {
    let door = Door::open(Scope::Read).await;
    let sources = door.get("/sources").await;
    assert_eq!(sources["items"][0]["name"], SOURCE);
    let source = door.get("/sources/contoso").await;
    assert_eq!(source["lastRun"]["state"], "completed");
    assert!(source["counts"]["governedMailboxes"].as_u64().unwrap() >= 4);

    let accounts = door.all("/accounts", 1000).await;
    for limit in [1, 2, 5] {
        assert_eq!(door.all("/accounts", limit).await, accounts, "by {limit}");
    }
    assert_eq!(source["counts"]["accounts"], accounts.len());
    assert_eq!(
        names(&door.all("/accounts?disabled=true&hasMailbox=false", 10).await),
        ["no.mailbox@contoso.com"]
    );
    let found = door.all("/accounts?search=TAYLOR&fields=sharedMailbox,displayName", 10).await;
    assert_eq!(names(&found), ["mark.taylor@contoso.com"]);
    let attributes = found[0]["attributes"].as_object().unwrap();
    assert_eq!(attributes.keys().collect::<Vec<_>>(), ["displayName", "sharedMailbox"]);
    let mark = door.get("/sources/contoso/accounts/Mark.Taylor@contoso.com").await;
    let id = mark["id"].as_str().unwrap();
    assert_eq!(door.get(&format!("/sources/contoso/accounts/{id}")).await, mark);

    let groups = door.all("/groups", 2).await;
    assert_eq!(groups, door.all("/groups", 100).await);
    let lists = door.all("/groups?kind=distributionList", 10).await;
    assert_eq!(names(&lists), ["All staff"]);
    let of_mark = door.all(&format!("/groups?member={id}&fields=members"), 10).await;
    assert_eq!(names(&of_mark), ["All staff", "VPN users"]);
    assert!(of_mark[0]["members"].is_array() && of_mark[0].get("owners").is_none());
    let group = door.get("/sources/contoso/groups/All%20staff").await;
    assert_eq!(group["kind"], "distributionList");
    let in_group = door.all(&format!("/accounts?group={}", group["id"].as_str().unwrap()), 10).await;
    assert_eq!(names(&in_group), ["mark.taylor@contoso.com"]);

    assert_eq!(names(&door.all("/mailboxes?kind=room", 10).await), ["Room 1"]);
    assert_eq!(names(&door.all("/mailboxes?governed=true&search=info", 1).await).len(), 2);
    let mailbox = door.get("/sources/contoso/mailboxes/support@contoso.com").await;
    assert_eq!(mailbox["mailbox"]["label"], "O365Support");
    assert!(mailbox["rights"].as_array().unwrap().len() >= 4);

    let entitlements = door.all("/entitlements", 1000).await;
    for limit in [1, 7, 8, 9] {
        assert_eq!(door.all("/entitlements", limit).await, entitlements, "by {limit}");
    }
    let held = door.all("/entitlements?right=SendAs&held=true", 3).await;
    let values: Vec<_> = held.iter().map(|item| item["value"].as_str().unwrap()).collect();
    assert!(values.contains(&"O365Support: SendAs"), "{values:?}");
    assert!(held.iter().all(|item| item["right"] == "SendAs" && item["holders"].as_u64().unwrap() > 0));
    door.served.stop().await;
}

#[tokio::test]
async fn access_is_told_as_granted_and_in_effect() {
    let door = Door::open(Scope::Read).await;
    let granted = door.get("/sources/contoso/who/O365Support").await;
    assert_eq!(granted["effective"], false);
    let effective = door.get("/sources/contoso/who/O365Support?effective=true").await;
    let kim = |who: &Value| {
        who["rights"].as_array().unwrap().iter().any(|row| {
            row["holder"]["address"] == "kim.akers@contoso.com" && row["via"][0]["name"] == "Support team"
        })
    };
    assert!(!kim(&granted) && kim(&effective), "{effective}");
    let what = door.get("/sources/contoso/what/kim.akers@contoso.com?effective=true").await;
    let rights: Vec<_> = what["rights"].as_array().unwrap().iter().map(|row| &row["right"]).collect();
    assert_eq!(rights, ["SendOnBehalf", "FullAccess", "SendAs"]);
    assert_eq!(door.get("/sources/contoso/what/Support%20team").await["name"], "Support team");
    let schema = door.get("/sources/contoso/schema").await;
    let shared = schema["account"].as_array().unwrap().iter().find(|a| a["name"] == "sharedMailbox").unwrap();
    assert_eq!((&shared["entitlement"], &shared["writable"]), (&true.into(), &true.into()));
    door.served.stop().await;
}

#[tokio::test]
async fn every_bad_request_has_its_status_and_a_problem() {
    let door = Door::open(Scope::Read).await;
    let cases: &[(&str, u16, &str)] = &[
        ("/sources/contoso/accounts?limit=0", 400, "malformed"),
        ("/sources/contoso/accounts?limit=1001", 400, "malformed"),
        ("/sources/contoso/accounts?limit=ten", 400, "malformed"),
        ("/sources/contoso/accounts?limit=1&limit=2", 400, "malformed"),
        ("/sources/contoso/accounts?nonsense=1", 400, "malformed"),
        ("/sources/contoso/accounts?cursor=", 400, "malformed"),
        ("/sources/contoso/accounts?disabled=maybe", 400, "malformed"),
        ("/sources/contoso/groups?kind=club", 400, "malformed"),
        ("/sources/contoso?x=1", 400, "malformed"),
        ("/sources/contoso/accounts/%FF", 400, "malformed"),
        ("/sources/contoso/accounts?cursor=abc", 422, "unprocessable"),
        ("/sources/contoso/accounts?fields=displayNam", 422, "unprocessable"),
        ("/sources/contoso/changes?cursor=soon", 422, "unprocessable"),
        ("/sources/contoso/accounts/nobody@contoso.com", 404, "not-found"),
        ("/sources/contoso/accounts/..%2F..%2Fetc%2Fpasswd", 404, "not-found"),
        ("/sources/contoso/accounts/lee%00", 404, "not-found"),
        ("/sources/contoso/who/nowhere", 404, "not-found"),
        ("/sources/contoso/runs/7", 404, "not-found"),
        ("/sources/contoso/plans/7", 404, "not-found"),
        ("/sources/contoso/operations/7", 404, "not-found"),
        ("/sources/contoso/operations/7.x", 404, "not-found"),
        ("/sources/fabrikam/accounts", 404, "not-found"),
        ("/sources/contoso/mailboxes/Lee%20Gu", 409, "ambiguous"),
        ("/nothing/here", 404, "not-found"),
        ("/sources/contoso/changes?cursor=99999999", 410, "gone"),
        ("/sources/contoso/journal/verify", 403, "forbidden"),
    ];
    for (path, status, kind) in cases {
        let response = door.client.get(door.served.url(&format!("/api/v1{path}"))).send().await.unwrap();
        assert_eq!(response.status().as_u16(), *status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["type"], format!("urn:exogate:problem:{kind}"), "{path}: {problem}");
        assert_eq!(problem["status"], *status);
    }
    let (_, near) = door.answer("/sources/contoso/accounts/mark.tailor@contoso.com").await;
    assert!(near["detail"].as_str().unwrap().contains("mark.taylor@contoso.com"), "{near}");

    let url = door.served.url("/api/v1/sources/contoso/accounts");
    let response = door.client.delete(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(response.headers()["allow"].to_str().unwrap().contains("GET"));
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let response = client_with(None).get(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    door.served.stop().await;
}

#[tokio::test]
async fn scope_and_source_are_checked_for_every_operation_of_the_document() {
    let served = Served::with(Setup { sources: vec![SOURCE, "fabrikam"], ..Setup::default() }).await;
    let reader = served.client(Scope::Read).await;
    let elsewhere = client_with(Some(&served.token_for(Scope::Admin, Some(&["fabrikam"])).await));
    let document = serde_json::to_value(exogate_server::rest::openapi()).unwrap();
    let mut refused = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let filled = path.replace("{source}", SOURCE);
            let filled = filled.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
            let url = served.url(&format!("/api/v1{}", filled.collect::<Vec<_>>().join("/")));
            let method: Method = method.to_uppercase().parse().unwrap();
            let status = async |client: &Client| {
                client.request(method.clone(), &url).send().await.unwrap().status().as_u16()
            };
            let mut stranger = status(&client_with(None)).await;
            // Who fails so often without a pause is told to wait.
            while stranger == 429 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                stranger = status(&client_with(None)).await;
            }
            assert_eq!(stranger, 401, "{id}");
            if path.contains("{source}") {
                assert_eq!(status(&elsewhere).await, 404, "{id}: another source is none of its business");
            }
            let known = status(&reader).await;
            assert_ne!(known, 500, "{id}");
            if known == 403 {
                refused.push(id);
            }
            // What changes anything is a POST, and no reader may; nor who is told of changes.
            let more = ["verifyJournal", "listWebhooks", "listDeadLetters"].contains(&id);
            assert_eq!(known == 403, method == Method::POST || more, "{id}: {known}");
        }
    }
    assert_eq!(refused.len(), 11, "{refused:?}");
    let listed: Value =
        elsewhere.get(served.url("/api/v1/sources")).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["items"], serde_json::json!([{ "name": "fabrikam" }]));
    served.stop().await;
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let door = Door::open(Scope::Read).await;
    let document = door.get("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = door.client.get(door.served.url("/api/v1/docs")).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains("listAccounts"));
    door.served.stop().await;
}
