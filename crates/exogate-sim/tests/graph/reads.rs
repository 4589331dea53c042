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
