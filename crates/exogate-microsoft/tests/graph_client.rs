//! Graph: listings, deltas, batches and changes, against a service that answers by a rule.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod exchange_support;
mod wire_support;

use exchange_support::{Service, body, broken_connection, header, json, text};
use exogate_microsoft::error::ErrorKind;
use exogate_microsoft::graph::{Change, DeltaQuery, GraphCall, ListQuery, MemberRole};
use exogate_microsoft::page::PageLink;
use http::Method;
use serde_json::{Value, json};

const USERS: &str = "https://graph.microsoft.com/v1.0/users";
const DELTA: &str = "https://graph.microsoft.com/v1.0/groups/delta";

fn page(ids: &[&str], link: Option<(&str, &str)>) -> Value {
    let value: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    let mut page = json!({"@odata.context": "c", "value": value});
    if let Some((kind, link)) = link {
        page[kind] = link.into();
    }
    page
}

fn error(status: u16, code: &str, message: &str) -> exogate_microsoft::transport::WireResponse {
    json(status, &json!({"error": {"code": code, "message": message, "innerError": {"request-id": "r1"}}}))
}

fn ids(page: &exogate_microsoft::page::Page) -> Vec<&str> {
    page.records.iter().filter_map(|record| record.id()).collect()
}

fn query() -> ListQuery {
    ListQuery::new("users").select(["id", "displayName"])
}

#[tokio::test]
async fn a_listing_follows_links_as_they_are_and_repeats_its_headers() {
    let next = format!("{USERS}?$select=id,displayName&$top=999&$skiptoken=RFNwdAIAAQ+/=");
    let service = Service::in_order(vec![
        json(200, &page(&["a"], Some(("@odata.nextLink", &next)))),
        json(200, &page(&[], Some(("@odata.nextLink", &format!("{USERS}?$skiptoken=2"))))),
        json(200, &page(&["b"], None)),
    ]);
    let graph = service.graph();
    let query = query().filter("accountEnabled eq true").advanced();
    let first = graph.list_page(&query, None).await.expect("page 1");
    let second = graph.list_page(&query, first.next.as_ref()).await.expect("page 2");
    assert!(second.records.is_empty() && second.next.is_some(), "an empty page does not end a listing");
    let third = graph.list_page(&query, second.next.as_ref()).await.expect("page 3");
    assert_eq!((ids(&first), ids(&third)), (vec!["a"], vec!["b"]));
    assert!(third.next.is_none() && third.bytes > 0);
    let sent = service.sent();
    assert_eq!(
        sent[0].url.as_str(),
        format!("{USERS}?$select=id,displayName&$filter=accountEnabled%20eq%20true&$top=999&$count=true")
    );
    assert_eq!(sent[1].url.as_str(), next);
    assert!(sent.iter().all(|request| header(request, "consistencylevel") == "eventual"));
}

#[tokio::test]
async fn plain_listings_do_not_ask_the_lagging_index() {
    let service = Service::in_order(vec![json(200, &page(&["a"], None))]);
    service.graph().list_page(&query(), None).await.expect("a page");
    assert_eq!(header(&service.sent()[0], "consistencylevel"), "");
}

#[tokio::test(start_paused = true)]
async fn passing_faults_repeat_the_same_link() {
    let next = format!("{USERS}?$skiptoken=1");
    let faults =
        [error(503, "ServiceUnavailable", ""), error(429, "TooManyRequests", ""), text(200, "{\"value\":[{")];
    for fault in faults {
        let service = Service::in_order(vec![
            json(200, &page(&["a"], Some(("@odata.nextLink", &next)))),
            fault,
            json(200, &page(&["b"], None)),
        ]);
        let graph = service.graph();
        let first = graph.list_page(&query(), None).await.expect("page 1");
        let second = graph.list_page(&query(), first.next.as_ref()).await.expect("page 2");
        assert_eq!(ids(&second), ["b"]);
        let sent = service.sent();
        assert_eq!((sent[1].url.as_str(), sent[2].url.as_str()), (next.as_str(), next.as_str()));
    }
}

#[tokio::test]
async fn links_to_other_hosts_and_in_circles_are_errors() {
    for (link, kind) in [
        ("https://evil.example/v1.0/users?$skiptoken=1", ErrorKind::WrongHost),
        ("http://graph.microsoft.com/v1.0/users?$skiptoken=1", ErrorKind::WrongHost),
        ("not a link", ErrorKind::Protocol),
    ] {
        let service = Service::in_order(vec![json(200, &page(&["a"], Some(("@odata.nextLink", link))))]);
        let error = service.graph().list_page(&query(), None).await.expect_err(link);
        assert_eq!(error.kind, kind);
    }
    let service =
        Service::in_order(vec![json(200, &page(&["a"], Some(("@odata.nextLink", &format!("{USERS}?1")))))]);
    let graph = service.graph();
    let first = graph.list_page(&query(), None).await.expect("page 1");
    let error = graph.list_page(&query(), first.next.as_ref()).await.expect_err("the same link again");
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.to_string().contains("does not advance"));
}

#[tokio::test]
async fn an_expired_page_asks_for_a_new_listing() {
    let service = Service::in_order(vec![error(
        400,
        "Directory_ExpiredPageToken",
        "The specified page token value has expired and can no longer be included in your request.",
    )]);
    let error = service.graph().list_page(&query(), None).await.expect_err("expired");
    assert_eq!(error.kind, ErrorKind::PageExpired);
}

#[tokio::test]
async fn a_delta_round_goes_from_link_to_link() {
    let next = format!("{DELTA}?$skiptoken=1");
    let done = format!("{DELTA}?$deltatoken=9");
    let service = Service::in_order(vec![
        json(
            200,
            &json!({"@odata.nextLink": next, "value": [{"id": "g", "displayName": "G",
                "members@odata.type": "x", "members@delta": [{"@odata.type": "#microsoft.graph.user", "id": "u"},
                    {"@odata.type": "#microsoft.graph.group", "id": "h", "@removed": {"reason": "deleted"}}]}]}),
        ),
        json(200, &page(&[], Some(("@odata.deltaLink", &done)))),
        json(
            200,
            &json!({"@odata.deltaLink": done, "value": [{"id": "g", "@removed": {"reason": "changed"}}]}),
        ),
    ]);
    let graph = service.graph();
    let query = DeltaQuery::new("groups/delta").select(["id", "members"]);
    let first = graph.delta_page(&query, None).await.expect("page 1");
    let members = first.records[0].children("members@delta");
    assert_eq!((members[0].kind(), members[0].removed()), (Some("user"), None));
    assert_eq!((members[1].kind(), members[1].removed()), (Some("group"), Some("deleted")));
    let last = graph.delta_page(&query, first.next.as_ref()).await.expect("page 2");
    assert!(last.next.is_none());
    let stored = serde_json::to_string(&last.delta.expect("the round ends")).expect("stores");
    let link: PageLink = serde_json::from_str(&stored).expect("reads");
    // Nothing new: the service hands out the same delta link again, which is no circle.
    let round = graph.delta_page(&query, Some(&link)).await.expect("next round");
    assert_eq!(round.records[0].removed(), Some("changed"));
    assert!(round.delta.is_some());
    let sent = service.sent();
    assert_eq!(sent[0].url.as_str(), format!("{DELTA}?$select=id,members"));
    assert_eq!(sent[2].url.as_str(), done, "options are in the token already");
}

#[tokio::test]
async fn a_delta_page_has_exactly_one_link() {
    let query = DeltaQuery::new("groups/delta");
    let both = json!({"@odata.nextLink": format!("{DELTA}?1"), "@odata.deltaLink": format!("{DELTA}?2"), "value": []});
    for broken in [json!({"value": []}), both] {
        let service = Service::in_order(vec![json(200, &broken)]);
        let error = service.graph().delta_page(&query, None).await.expect_err("broken");
        assert_eq!(error.kind, ErrorKind::Protocol);
    }
    let abroad = page(&[], Some(("@odata.deltaLink", "https://evil.example/x")));
    let service = Service::in_order(vec![json(200, &abroad)]);
    assert_eq!(
        service.graph().delta_page(&query, None).await.expect_err("abroad").kind,
        ErrorKind::WrongHost
    );
}

#[tokio::test]
async fn both_forms_of_a_reset_delta_ask_for_a_full_round() {
    let gone = wire_support::answer(
        410,
        &[("location", "https://graph.microsoft.com/v1.0/groups/delta?$deltatoken=")],
        "",
    );
    let told = |error: &ErrorKind| matches!(error, ErrorKind::DeltaReset { .. });
    for reset in [
        error(400, "syncStateNotFound", "The sync state generation is not found."),
        error(410, "resyncRequired", ""),
        gone,
    ] {
        let service = Service::in_order(vec![reset]);
        let error =
            service.graph().delta_page(&DeltaQuery::new("groups/delta"), None).await.expect_err("reset");
        assert!(told(&error.kind), "{error}");
        assert_eq!(service.sent().len(), 1);
    }
}

#[tokio::test]
async fn one_object_is_read_by_any_name() {
    let service = Service::in_order(vec![json(200, &json!({"id": "u", "displayName": "Bo"}))]);
    let user = service.graph().user("bo_x.com#EXT#@contoso.com", &["id", "displayName"]).await.expect("bo");
    assert_eq!(user.text("displayName"), Some("Bo"));
    assert_eq!(
        service.sent()[0].url.as_str(),
        format!("{USERS}/bo_x.com%23EXT%23@contoso.com?$select=id,displayName")
    );
    for id in ["", " ", ".."] {
        let error = service.graph().user::<&str>(id, &[]).await.expect_err("no name");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
    assert_eq!(service.sent().len(), 1);
    let service =
        Service::in_order(vec![error(404, "Request_ResourceNotFound", "Resource 'x' does not exist")]);
    assert!(service.graph().group::<&str>("x", &[]).await.expect_err("none").is_not_found());
}

#[tokio::test]
async fn ids_are_asked_for_a_thousand_at_a_time() {
    let service = Service::new(|request, _| {
        let ids = body(request)["ids"].as_array().unwrap().len();
        assert_eq!(body(request)["types"], json!(["user", "group"]));
        Ok(json(200, &json!({"value": vec![json!({"id": "x"}); ids / 2]})))
    });
    let ids: Vec<String> = (0..2500).map(|n| n.to_string()).collect();
    let found = service.graph().get_by_ids(&ids, &["user", "group"], &["id"]).await.expect("found");
    assert_eq!(found.len(), 1250);
    assert_eq!(service.sent().len(), 3);
    assert!(service.graph().get_by_ids::<&str>(&[], &[], &[]).await.expect("none").is_empty());
}

#[tokio::test]
async fn members_owners_organization_and_counts_have_their_paths() {
    let service = Service::new(|request, _| {
        Ok(match request.url.path().ends_with("$count") {
            true => text(200, "\u{feff}1234"),
            false => json(200, &page(&["x"], None)),
        })
    });
    let graph = service.graph();
    graph.members_page("g", &["id"], None).await.expect("members");
    graph.owners_page("g", &["id"], None).await.expect("owners");
    graph.organization().await.expect("organization");
    assert_eq!(graph.count("users").await.expect("a number"), 1234);
    let paths: Vec<String> = service.sent().iter().map(|request| request.url.path().to_owned()).collect();
    assert_eq!(
        paths,
        ["/v1.0/groups/g/members", "/v1.0/groups/g/owners", "/v1.0/organization", "/v1.0/users/$count"]
    );
    assert_eq!(header(&service.sent()[3], "accept"), "text/plain");
}

#[tokio::test(start_paused = true)]
async fn throttled_items_of_a_batch_are_asked_again_together() {
    let service = Service::new(|request, nth| {
        assert!(request.url.path().ends_with("/v1.0/$batch"));
        let items: Vec<Value> = body(request)["requests"].as_array().unwrap().iter().rev().map(|item| {
            let url = item["url"].as_str().unwrap();
            let number: usize = url.rsplit('/').next().unwrap().parse().unwrap();
            match (nth, number % 3) {
                (0, 0) => json!({"id": item["id"], "status": 429, "headers": {"Retry-After": "7"}, "body": {"error": {"code": "TooManyRequests"}}}),
                (0, 1) => json!({"id": item["id"], "status": 503, "body": null}),
                _ if number == 5 => json!({"id": item["id"], "status": 404, "body": {"error": {"code": "Request_ResourceNotFound", "message": "Resource '5' does not exist"}}}),
                _ => json!({"id": item["id"], "status": 200, "body": {"id": number.to_string()}}),
            }
        }).collect();
        Ok(json(200, &json!({ "responses": items })))
    });
    let calls: Vec<GraphCall> = (0..12).map(|n| GraphCall::get(format!("/users/{n}"))).collect();
    let begun = tokio::time::Instant::now();
    let replies = service.graph().batch(&calls).await;
    assert!(begun.elapsed().as_secs() >= 7, "the longest wait that any item asked for");
    for (n, reply) in replies.into_iter().enumerate() {
        match reply {
            Ok(reply) => {
                assert_eq!(reply.record().expect("an object").text("id"), Some(n.to_string().as_str()));
            }
            Err(error) => assert_eq!((n, &error.kind), (5, &ErrorKind::NotFound)),
        }
    }
    let sizes: Vec<_> =
        service.sent().iter().map(|r| body(r)["requests"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [12, 8], "only what is still open");
}

#[tokio::test]
async fn batches_hold_twenty_and_items_are_complete() {
    let service = Service::new(|request, _| {
        let items: Vec<Value> = body(request)["requests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| json!({"id": item["id"], "status": 204, "headers": {}}))
            .collect();
        Ok(json(200, &json!({ "responses": items })))
    });
    let mut calls = vec![GraphCall::get("users/x"); 45];
    calls[0] = GraphCall::new(Method::POST, "/groups/g/members/$ref", Some(json!({"@odata.id": "x"})));
    calls[1].advanced = true;
    let replies = service.graph().batch(&calls).await;
    assert!(replies.iter().all(|reply| reply.as_ref().is_ok_and(|reply| reply.status == 204)));
    let sent = service.sent();
    let requests = body(sent.iter().find(|r| body(r)["requests"][0]["method"] == "POST").expect("the first"));
    assert_eq!(sent.len(), 3);
    assert_eq!(
        requests["requests"][0],
        json!({"id": "1", "method": "POST", "url": "/groups/g/members/$ref",
            "headers": {"Content-Type": "application/json"}, "body": {"@odata.id": "x"}})
    );
    assert_eq!(requests["requests"][1]["headers"], json!({"ConsistencyLevel": "eventual"}));
    assert!(replies[3].as_ref().is_ok_and(|reply| reply.page().is_ok_and(|page| page.records.is_empty())));
}

#[tokio::test(start_paused = true)]
async fn a_write_in_a_batch_is_not_repeated_on_doubt() {
    let service = Service::new(|request, nth| {
        let items: Vec<Value> = body(request)["requests"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| {
                let status = match item["url"].as_str().unwrap() {
                    "/a" if nth == 0 => 429,
                    "/b" => 504,
                    "/c" => return None,
                    _ => 204,
                };
                Some(json!({"id": item["id"], "status": status, "body": null}))
            })
            .collect();
        Ok(json(200, &json!({ "responses": items })))
    });
    let calls = ["/a", "/b", "/c", "/d"].map(|path| GraphCall::new(Method::DELETE, path, None));
    let replies = service.graph().batch(&calls).await;
    let kind = |n: usize| replies[n].as_ref().err().map(|error| error.kind.clone());
    assert_eq!([kind(0), kind(3)], [None, None]);
    assert_eq!([kind(1), kind(2)], [Some(ErrorKind::LostAnswer), Some(ErrorKind::LostAnswer)]);
    assert_eq!(body(&service.sent()[1])["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn calls_that_are_no_calls_are_refused_in_their_place() {
    let service =
        Service::new(|_, _| Ok(json(200, &json!({"responses": [{"id": "1", "status": 200, "body": {}}]}))));
    let calls = [GraphCall::get("/$batch"), GraphCall::get("users"), GraphCall::get("")];
    let replies = service.graph().batch(&calls).await;
    assert!(replies[0].is_err() && replies[1].is_ok() && replies[2].is_err());
    assert!(service.graph().batch(&calls[..1]).await[0].is_err());
    assert_eq!(service.sent().len(), 1);
}

#[tokio::test]
async fn membership_that_is_as_asked_is_a_success() {
    let already = error(
        400,
        "Request_BadRequest",
        "One or more added object references already exist for the following modified properties: 'members'.",
    );
    let absent = error(
        404,
        "Request_ResourceNotFound",
        "Resource 'u' does not exist or one of its queried reference-property objects are not present.",
    );
    let add = |answer| {
        let service = Service::in_order(vec![answer]);
        async move {
            let change = service.graph().add_to_group("g", MemberRole::Member, "u").await;
            (change, service.sent().remove(0))
        }
    };
    let (change, request) = add(text(204, "")).await;
    assert_eq!(change.expect("done"), Change::Done);
    assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/v1.0/groups/g/members/$ref"));
    assert_eq!(body(&request), json!({"@odata.id": "https://graph.microsoft.com/v1.0/directoryObjects/u"}));
    assert_eq!(add(already).await.0.expect("so already"), Change::AlreadySo);
    assert_eq!(add(absent.clone()).await.0.expect_err("nobody").kind, ErrorKind::NotFound);

    for (answer, change) in [(text(204, ""), Change::Done), (absent.clone(), Change::AlreadySo)] {
        let service = Service::in_order(vec![answer]);
        assert_eq!(
            service.graph().remove_from_group("g", MemberRole::Owner, "u").await.expect("gone"),
            change
        );
        assert_eq!(service.sent()[0].url.path(), "/v1.0/groups/g/owners/u/$ref", "never the object itself");
    }
    let service = Service::in_order(vec![absent]);
    assert_eq!(service.graph().delete_group("g").await.expect("gone"), Change::AlreadySo);
    for (group, object) in [("", "u"), ("g", ""), ("g", " ")] {
        let error =
            service.graph().remove_from_group(group, MemberRole::Member, object).await.expect_err("no name");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
    assert_eq!(service.sent().len(), 1);
}

#[tokio::test]
async fn groups_are_created_and_changed() {
    let service =
        Service::in_order(vec![json(201, &json!({"@odata.context": "c", "id": "g", "displayName": "G"}))]);
    let group = service.graph().create_group(&json!({"displayName": "G"})).await.expect("created");
    assert_eq!(group.text("id"), Some("g"));
    let service = Service::in_order(vec![text(204, "")]);
    service.graph().update_group("g", &json!({"description": null})).await.expect("changed");
    assert_eq!(service.sent()[0].method, "PATCH");
    assert_eq!(body(&service.sent()[0]), json!({"description": null}));
    assert!(service.graph().post("groups/g/x", &json!({})).await.expect("nothing answered").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_write_is_sent_once_when_its_answer_is_lost() {
    let service = Service::new(|_, _| Err(broken_connection()));
    let error = service.graph().create_group(&json!({})).await.expect_err("lost");
    assert_eq!(error.kind, ErrorKind::LostAnswer);
    assert_eq!(service.sent().len(), 1);
    let service = Service::in_order(vec![self::error(504, "GatewayTimeout", "")]);
    let error = service.graph().update_group("g", &json!({})).await.expect_err("unknown");
    assert_eq!(error.kind, ErrorKind::LostAnswer);
    assert_eq!(service.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_met_another_writer_is_sent_again() {
    let service = Service::in_order(vec![error(409, "Directory_ConcurrencyViolation", ""), text(204, "")]);
    service.graph().update_group("g", &json!({})).await.expect("the second time");
    assert_eq!(service.sent().len(), 2);
}

#[tokio::test]
async fn a_web_page_in_place_of_graph_is_named_as_such() {
    let page = "<!doctype html><html><body>Sign in to the guest network</body></html>";
    let service = Service::in_order(vec![text(200, page)]);
    let graph = service.graph();
    assert_eq!(graph.list_page(&query(), None).await.expect_err("a page").kind, ErrorKind::NotMicrosoft);
    assert_eq!(graph.user::<&str>("u", &[]).await.expect_err("a page").kind, ErrorKind::NotMicrosoft);
}
