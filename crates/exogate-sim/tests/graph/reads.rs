//! Reading users and groups.

use crate::support::{Tenant, code, json, message};
use http::Method;
use serde_json::json;

#[test]
fn users_come_with_the_default_set() {
    let tenant = Tenant::new();
    let (status, page) = tenant.get("/v1.0/users");
    assert_eq!(status, 200, "{page}");
    assert_eq!(page["@odata.context"], "https://graph.microsoft.com/v1.0/$metadata#users");
    let users = page["value"].as_array().unwrap();
    assert_eq!(users.len(), 100);
    let mut keys: Vec<&String> = users[0].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "businessPhones",
            "displayName",
            "givenName",
            "id",
            "jobTitle",
            "mail",
            "mobilePhone",
            "officeLocation",
            "preferredLanguage",
            "surname",
            "userPrincipalName"
        ]
    );
    assert!(
        page["@odata.nextLink"]
            .as_str()
            .unwrap()
            .starts_with("https://graph.microsoft.com/v1.0/users?$skiptoken=")
    );
}

#[test]
fn selection_shows_nulls_and_empty_lists() {
    let tenant = Tenant::new();
    let (_, page) = tenant.get("/v1.0/users?$select=id,userPrincipalName,proxyAddresses,assignedLicenses,onPremisesSyncEnabled,accountEnabled,employeeId&$top=999");
    assert_eq!(
        page["@odata.context"],
        "https://graph.microsoft.com/v1.0/$metadata#users(id,userPrincipalName,proxyAddresses,assignedLicenses,onPremisesSyncEnabled,accountEnabled,employeeId)"
    );
    let users = page["value"].as_array().unwrap();
    assert!(users.iter().all(|user| user.as_object().unwrap().len() == 7));
    assert!(
        users.iter().all(|user| user["proxyAddresses"].is_array() && user["assignedLicenses"].is_array())
    );
    assert!(users.iter().any(|user| user["onPremisesSyncEnabled"].is_null()));
    assert!(users.iter().any(|user| user["onPremisesSyncEnabled"] == true));
}

#[test]
fn page_sizes_have_bounds() {
    let tenant = Tenant::new();
    for top in ["1000", "0", "-1", "x"] {
        let (status, body) = tenant.get(&format!("/v1.0/users?$top={top}"));
        assert_eq!((status, code(&body)), (400, "Request_UnsupportedQuery"));
        assert_eq!(
            message(&body),
            format!("Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive.")
        );
    }
    let (_, body) = tenant.get("/v1.0/users?$select=id,signInActivity&$top=501");
    assert!(message(&body).ends_with("between 1 and 500 inclusive."), "{body}");
}

#[test]
fn pages_add_up_to_the_tenant() {
    let tenant = Tenant::new();
    let (all, _) = tenant.all("/v1.0/users?$top=999&$select=id", &[]);
    let (small, pages) = tenant.all("/v1.0//users?%24top=37&%24select=id", &[]);
    assert!(pages > 5);
    assert_eq!(all, small);
    assert_eq!(all.len(), tenant.world.state().count(exogate_sim::state::Class::Users));
}

#[test]
fn counts_need_the_header_and_stand_on_the_first_page_only() {
    let tenant = Tenant::new();
    let (_, silent) = tenant.get("/v1.0/users?$count=true&$top=5");
    assert!(silent.get("@odata.count").is_none());
    let (_, first) = tenant.eventual("/v1.0/users?$count=true&$top=5");
    let count = first["@odata.count"].as_u64().unwrap();
    assert_eq!(count as usize, tenant.world.state().count(exogate_sim::state::Class::Users));
    let (_, second) = tenant.eventual(first["@odata.nextLink"].as_str().unwrap());
    assert!(second.get("@odata.count").is_none());
    let (status, body) = tenant.get("/v1.0/users/$count");
    assert_eq!((status, message(&body)), (400, "$count is not currently supported."));
    let reply = tenant.send(Method::GET, "/v1.0/users/$count", &[("consistencylevel", "eventual")], None);
    assert_eq!(reply.headers["content-type"], "text/plain");
    assert_eq!(&reply.body.to_bytes()[..], count.to_string().as_bytes());
    let reply = tenant.send(
        Method::GET,
        "/v1.0/users/$count",
        &[("consistencylevel", "eventual"), ("accept", "application/json")],
        None,
    );
    assert_eq!(reply.status, 415);
}

#[test]
fn batches_answer_each_item() {
    let tenant = Tenant::new();
    let (status, body) = tenant.post(
        "/v1.0/$batch",
        json!({"requests": [
            {"id": 1, "method": "GET", "url": "/users?$top=2&$select=id"},
            {"id": "2", "method": "GET", "url": "groups?$top=2&$select=id"},
            {"id": "3", "method": "GET", "url": "/users/nobody@nowhere.test"},
            {"id": "4", "method": "GET", "url": "/users/$count", "headers": {"ConsistencyLevel": "eventual"}, "dependsOn": ["1"]},
            {"id": "5", "method": "GET", "url": "/users", "dependsOn": ["3"]},
        ]}),
    );
    assert_eq!(status, 200, "{body}");
    let answers = body["responses"].as_array().unwrap();
    let of = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(of("1")["body"]["value"].as_array().unwrap().len(), 2);
    assert_eq!(of("2")["status"], 200);
    assert_eq!(of("3")["body"]["error"]["code"], "Request_ResourceNotFound");
    assert!(of("4")["body"].is_string());
    assert_eq!((of("5")["status"].as_u64(), code(&of("5")["body"])), (Some(424), "FailedDependency"));
    assert_ne!(answers[0]["id"], "1", "the order is not the one asked");
    let many: Vec<_> = (0..21).map(|id| json!({"id": id, "method": "GET", "url": "/users"})).collect();
    assert_eq!(tenant.post("/v1.0/$batch", json!({"requests": many})).0, 400);
    let _ = json(&tenant.send(Method::GET, "/v1.0/$batch", &[], None));
}

#[test]
fn a_fault_can_hit_one_item_of_a_batch() {
    let tenant = Tenant::with(
        &crate::support::ALL,
        |scenario| {
            let rule = json!({"match": {"service": "graph", "item": true, "path": "/v1.0/users", "nth": 1},
                "action": {"kind": "status", "status": 429, "retry_after": 7}});
            scenario.faults = vec![serde_json::from_value(rule).unwrap()];
        },
        |_| {},
    );
    let step = |id: &str| json!({"id": id, "method": "GET", "url": "/users?$top=1"});
    let (status, body) = tenant.post("/v1.0/$batch", json!({"requests": [step("1"), step("2")]}));
    assert_eq!(status, 200, "{body}");
    let answer = |id: &str| body["responses"].as_array().unwrap().iter().find(|a| a["id"] == id).unwrap();
    assert_eq!(answer("1")["status"], 429);
    assert_eq!(answer("1")["headers"]["retry-after"], "7");
    assert_eq!(answer("1")["body"]["error"]["code"], "TooManyRequests");
    assert_eq!(answer("2")["status"], 200);
}

#[test]
fn the_root_needs_no_token() {
    let tenant = Tenant::new();
    let ask = |target: &str| {
        let request = tenant.request(Method::GET, "graph.microsoft.com", target);
        exogate_sim::graph::respond(&tenant.world, &request)
    };
    for target in ["/v1.0", "/v1.0/", "/beta/"] {
        assert_eq!(ask(target).status.as_u16(), 200, "{target}");
    }
    let metadata = ask("/v1.0/$metadata");
    assert_eq!(metadata.headers["content-type"], "application/xml");
    assert!(metadata.body.to_bytes().starts_with(b"<?xml"));
    assert_eq!(ask("/v1.0/users").status.as_u16(), 401);
}

#[test]
fn a_stale_replica_and_a_lagging_index_show_what_was() {
    let stale = Tenant::with(
        &crate::support::ALL,
        |scenario| {
            scenario.graph.eventual_index_seconds = 60.0;
        },
        |_| {},
    );
    let count = || {
        let answer = stale.send(Method::GET, "/v1.0/users/$count", &[("ConsistencyLevel", "eventual")], None);
        String::from_utf8(answer.body.to_bytes().to_vec()).unwrap().parse::<u64>().unwrap()
    };
    let before = count();
    let made = json!({"accountEnabled": true, "displayName": "Late", "mailNickname": "late",
        "userPrincipalName": "late@contoso.com", "passwordProfile": {"password": "x9!kkkkkK"}});
    assert_eq!(stale.post("/v1.0/users", made).0, 201);
    assert_eq!(stale.get("/v1.0/users/late@contoso.com").0, 200);
    assert_eq!(count(), before, "the index lags");
    let mut request = stale.request(Method::GET, "graph.microsoft.com", "/v1.0/users/late@contoso.com");
    let token = stale.token_for("https://graph.microsoft.com");
    request.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(exogate_sim::graph::respond(&stale.world, &request).status.as_u16(), 200);
    request.view_at = request.received_at.minus(std::time::Duration::from_secs(60));
    assert_eq!(exogate_sim::graph::respond(&stale.world, &request).status.as_u16(), 404);
}
