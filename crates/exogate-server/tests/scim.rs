//! SCIM over HTTP, end to end: a client, the gateway, the simulated tenant.

#![allow(
    clippy::unwrap_used,
    clippy::type_complexity,
    reason = "tests may fail, and tables say what they hold"
)]

mod support;

use exogate_model::plan::PlanValue;
use exogate_model::policy::{PolicyAttribute, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::source::{AccountDeletion, SourceOptions};
use exogate_server::Scope;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use support::{Served, Setup, client_with};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const OWN: &str = "urn:ietf:params:scim:schemas:extension:exogate:2.0:User";
const OWN_GROUP: &str = "urn:ietf:params:scim:schemas:extension:exogate:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

fn policy(name: &str) -> PolicyAttribute {
    PolicyAttribute {
        name: name.into(),
        kind: None,
        multi_valued: None,
        required: false,
        default: PlanValue::None,
        review_required: false,
    }
}

fn setup() -> Setup {
    Setup {
        options: SourceOptions {
            aggregate_all_groups: true,
            account_deletion: AccountDeletion::Deprovision,
            ..SourceOptions::default()
        },
        policy: |account, group| {
            let request = PolicyRequest::from([(
                PolicyKind::Account,
                vec![
                    policy("EXO_CustomAttribute1"),
                    policy("EXO_HiddenFromAddressListsEnabled"),
                    policy("EXO_EmailAddresses"),
                ],
            )]);
            ProvisioningPolicy::check(&request, account, group).unwrap()
        },
        ..Setup::default()
    }
}

/// A client of the door.
struct Scim {
    served: Served,
    client: Client,
}

struct Reply {
    status: StatusCode,
    etag: Option<String>,
    allow: Option<String>,
    kind: String,
    body: Value,
}

impl Scim {
    async fn start() -> Self {
        Self::with(setup()).await
    }

    async fn with(setup: Setup) -> Self {
        let served = Served::with(setup).await;
        let client = served.client(Scope::Provision).await;
        Self { served, client }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.client.request(method, self.served.url(&format!("/scim/v2{path}")));
        if let Some(body) = body {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        reply(request).await
    }

    async fn get(&self, path: &str) -> Value {
        let reply = self.send(Method::GET, path, None, &[]).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
        reply.body
    }

    async fn filter(&self, endpoint: &str, filter: &str) -> Vec<String> {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let body = self.get(&format!("/{endpoint}?filter={query}")).await;
        let names = names(&body);
        assert_eq!(body["totalResults"], json!(names.len()), "{filter}");
        names
    }

    async fn patch(&self, path: &str, operations: Value) -> Reply {
        let body = json!({"schemas": [PATCH], "Operations": operations});
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    async fn user(&self, name: &str) -> Value {
        let query = format!("/Users?filter=userName%20eq%20%22{name}%22");
        let body = self.get(&query).await;
        assert_eq!(body["totalResults"], 1, "{name}");
        body["Resources"][0].clone()
    }

    async fn group(&self, name: &str) -> Value {
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let body = self.get(&format!("/Groups?filter=displayName%20eq%20%22{name}%22")).await;
        assert_eq!(body["totalResults"], 1, "{name}");
        body["Resources"][0].clone()
    }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, etag, allow) = (response.status(), header("etag"), header("allow"));
    let kind = header("content-type").unwrap_or_default();
    let text = response.text().await.unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    Reply { status, etag, allow, kind, body }
}

fn names(list: &Value) -> Vec<String> {
    list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            ["userName", "displayName", "value"]
                .iter()
                .find_map(|name| one[*name].as_str())
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

fn entitlements(user: &Value) -> Vec<&str> {
    user["entitlements"]
        .as_array()
        .map_or(Vec::new(), |all| all.iter().map(|one| one["value"].as_str().unwrap()).collect())
}

fn id(resource: &Value) -> &str {
    resource["id"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_governance_platform_connects_aggregates_and_changes() {
    let scim = Scim::start().await;

    // Connecting: what such clients read first.
    for path in [
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/Schemas",
        "/ResourceTypes/User",
        "/ResourceTypes/Group",
        "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
        "/contoso/ServiceProviderConfig",
    ] {
        let reply = scim.send(Method::GET, path, None, &[]).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.kind, "application/scim+json", "{path}");
    }
    let own = scim.get(&format!("/Schemas/{OWN}")).await;
    let attribute = |name: &str| {
        own["attributes"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    assert_eq!(attribute("EXO_CustomAttribute1")["mutability"], "readWrite");
    assert_eq!(attribute("EXO_PrimarySmtpAddress")["mutability"], "readOnly");
    assert_eq!(attribute("EXO_EmailAddresses")["multiValued"], true);
    assert_eq!(attribute("EXO_HiddenFromAddressListsEnabled")["type"], "boolean");

    // Aggregating, page by page.
    let first = scim.get("/Users?startIndex=1&count=3").await;
    assert_eq!(first["itemsPerPage"], 3);
    let total = first["totalResults"].as_u64().unwrap();
    let mut all = names(&first);
    let mut start = 4;
    while (all.len() as u64) < total {
        let page = scim.get(&format!("/Users?startIndex={start}&count=3")).await;
        all.extend(names(&page));
        start += 3;
    }
    let mut sorted = all.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    sorted.dedup();
    assert_eq!(all, sorted);
    assert_eq!(scim.get("/Users?count=0").await["Resources"], json!([]));
    assert!(scim.get("/Entitlements?count=5").await["totalResults"].as_u64().unwrap() > 5);

    // The account that is to be changed.
    let mark = scim.user("MARK.TAYLOR@contoso.com").await;
    assert_eq!(mark["schemas"][0], USER);
    assert_eq!(mark["emails"][0]["value"], "Mark.Taylor@contoso.com");
    assert_eq!(mark[OWN]["EXO_CustomAttribute1"], "blue");
    assert_eq!(
        entitlements(&mark),
        ["O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"]
    );
    let before = mark["meta"]["lastModified"].as_str().unwrap().to_owned();

    // Granting and revoking, the way each of them sends it.
    let path = format!("/Users/{}", id(&mark));
    let reply = scim
        .patch(
            &path,
            json!([
                {"op": "Add", "path": "entitlements", "value": [{"value": "Quiet: FullAccess"}]},
                {"op": "remove", "path": "entitlements[value eq \"O365Support: SendAs\"]"},
                {"op": "replace", "path": format!("{OWN}:EXO_CustomAttribute1"), "value": "green"},
                {"op": "add", "value": {"externalId": "HR-7"}},
            ]),
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(
        entitlements(&reply.body),
        ["O365Support: FullAccess", "O365Support: ReadPermission", "Quiet: FullAccess"]
    );
    assert_eq!(reply.body[OWN]["EXO_CustomAttribute1"], "green");
    assert_eq!(reply.body["externalId"], "HR-7");
    assert_eq!(reply.etag.as_deref(), reply.body["meta"]["version"].as_str());

    // Polling for what changed since.
    let changed = scim.filter("Users", &format!("meta.lastModified gt \"{before}\"")).await;
    // The mailboxes on which something was granted or revoked have changed as well.
    assert_eq!(changed, ["mark.taylor@contoso.com", "o365support@contoso.com", "quiet@contoso.com"]);
    let both = format!("meta.lastModified gt \"{before}\" and active eq true and title pr");
    assert!(scim.filter("Users", &both).await.is_empty());
    assert_eq!(scim.filter("Users", "externalId eq \"HR-7\"").await, ["mark.taylor@contoso.com"]);

    // The tenant itself has it so.
    scim.served.aggregate().await;
    let again = scim.get(&path).await;
    assert_eq!(entitlements(&again), entitlements(&reply.body));
    assert_eq!(again[OWN], reply.body[OWN]);

    // Who leaves loses everything.
    let reply = scim.send(Method::DELETE, &path, None, &[]).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.body);
    let gone = scim.get(&path).await;
    assert!(entitlements(&gone).is_empty());
    // A dynamic membership would remain; there is none here.
    assert_eq!(gone["groups"], Value::Null);

    // The journal knows who did it.
    let plans = scim.served.source().journal.plans("contoso", 10).await.unwrap();
    let records = scim.served.source().journal.plan("contoso", &plans[0]).await.unwrap();
    let text = serde_json::to_string(&records[0].entry).unwrap();
    assert!(text.contains("\"by\":\"provision-"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_live_their_whole_life_where_the_source_makes_them() {
    let user_domain = Some("contoso.com".to_owned());
    let options = SourceOptions { manage_users: true, user_domain, delete_users: true, ..setup().options };
    let scim = Scim::with(Setup { options, ..setup() }).await;
    let new = json!({
        "schemas": [USER],
        "userName": "nina.new",
        "displayName": "Nina New",
        "name": {"givenName": "Nina", "familyName": "New"},
        "active": true,
        "externalId": "HR-9",
        "emails": [{"value": "nina.new@contoso.com", "primary": true}],
    });
    let made = scim.send(Method::POST, "/Users", Some(new.clone()), &[]).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["userName"], "nina.new@contoso.com");
    assert_eq!(made.body["name"], json!({"givenName": "Nina", "familyName": "New"}));
    assert_eq!(made.body["externalId"], "HR-9");
    let again = scim.send(Method::POST, "/Users", Some(new), &[]).await;
    assert_eq!((again.status, &again.body["scimType"]), (StatusCode::CONFLICT, &json!("uniqueness")));
    let path = format!("/Users/{}", id(&made.body));
    let operations = json!([
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "displayName", "value": "Nina Newer"},
    ]);
    let reply = scim.patch(&path, operations).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!((&reply.body["active"], &reply.body["displayName"]), (&json!(false), &json!("Nina Newer")));
    let reply = scim.send(Method::DELETE, &path, None, &[]).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.body);
    assert_eq!(scim.send(Method::GET, &path, None, &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_live_their_whole_life() {
    let scim = Scim::start().await;
    let kim = scim.user("kim.akers@contoso.com").await;
    let made = scim
        .send(
            Method::POST,
            "/Groups",
            Some(json!({
                "schemas": [GROUP, OWN_GROUP],
                "displayName": "Printers",
                "externalId": "app-1",
                "members": [{"value": id(&kim)}],
                OWN_GROUP: {"description": "May print"},
            })),
            &[],
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body[OWN_GROUP]["kind"], "security");
    assert_eq!(made.body[OWN_GROUP]["description"], "May print");
    assert_eq!(made.body["externalId"], "app-1");
    assert_eq!(made.body["members"][0]["$ref"], kim["meta"]["location"]);
    let path = format!("/Groups/{}", id(&made.body));

    let twice = json!({"schemas": [GROUP], "displayName": "printers"});
    let reply = scim.send(Method::POST, "/Groups", Some(twice), &[]).await;
    assert_eq!((reply.status, &reply.body["scimType"]), (StatusCode::CONFLICT, &json!("uniqueness")));

    // By id and by name, and one that is there already.
    let reply = scim
        .patch(
            &path,
            json!([
                {"op": "add", "path": "members", "value": [{"value": "ines.boss@contoso.com"}, {"value": id(&kim)}]},
                {"op": "replace", "path": "displayName", "value": "Printing"},
            ]),
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(reply.body["members"].as_array().unwrap().len(), 2);
    assert_eq!(reply.body["displayName"], "Printing");
    assert_eq!(scim.filter("Groups", &format!("members.value eq \"{}\"", id(&kim))).await.len(), 2);
    assert_eq!(scim.filter("Groups", &format!("members[value eq \"{}\"]", id(&kim))).await.len(), 2);

    // PUT: what is not mentioned stays, what is mentioned is so afterwards.
    let put = json!({"schemas": [GROUP], "displayName": "Printing", "members": [{"value": id(&kim)}]});
    let stale = scim.send(Method::PUT, &path, Some(put.clone()), &[("if-match", "W/\"old\"")]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let now = reply.etag.unwrap();
    let reply = scim.send(Method::PUT, &path, Some(put), &[("if-match", &now)]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(reply.body["members"].as_array().unwrap().len(), 1);
    assert_eq!(reply.body[OWN_GROUP]["description"], "May print");
    let same = scim.send(Method::GET, &path, None, &[("if-none-match", &reply.etag.unwrap())]).await;
    assert_eq!((same.status, same.body), (StatusCode::NOT_MODIFIED, Value::Null));

    // Removing as some clients send it: with a list of what to remove.
    let reply =
        scim.patch(&path, json!([{"op": "remove", "path": "members", "value": [{"value": id(&kim)}]}])).await;
    assert_eq!(reply.body["members"], Value::Null, "{}", reply.body);

    assert_eq!(scim.send(Method::DELETE, &path, None, &[]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(scim.send(Method::GET, &path, None, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(scim.send(Method::DELETE, &path, None, &[]).await.status, StatusCode::NOT_FOUND);

    // What follows from a filter cannot be changed, and says so.
    let dynamic = scim.group("Everybody in Support").await;
    let reply = scim
        .patch(
            &format!("/Groups/{}", id(&dynamic)),
            json!([{"op": "add", "path": "members", "value": [{"value": id(&kim)}]}]),
        )
        .await;
    assert_eq!((reply.status, &reply.body["scimType"]), (StatusCode::BAD_REQUEST, &json!("mutability")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_without_its_members_has_the_version_that_it_has_with_them() {
    let scim = Scim::start().await;
    let group = scim.group("Inner circle").await;
    assert!(group["members"].as_array().is_some_and(|members| !members.is_empty()));
    let (path, version) = (format!("/Groups/{}", id(&group)), &group["meta"]["version"]);
    let owners = format!("{OWN_GROUP}:owners");
    let without = format!("excludedAttributes=members,{owners}");
    for path in [format!("{path}?{without}"), format!("{path}?attributes=meta")] {
        let bare = scim.get(&path).await;
        assert!(bare.get("members").is_none(), "{bare}");
        assert_eq!(&bare["meta"]["version"], version);
    }
    // Left out or not, they are there for a filter and an order that look at them.
    let member = group["members"][0]["value"].as_str().unwrap();
    let kind = group["members"][0]["type"].as_str().unwrap();
    for filter in [
        format!("members.value eq \"{member}\""),
        format!("members[value eq \"{member}\" and type eq \"{kind}\"]"),
        "not (members.type eq \"Device\")".to_owned(),
    ] {
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        for page in ["count=100", "count=100&cursor=", "sortBy=members.value&count=100"] {
            let found = scim.get(&format!("/Groups?{without}&{page}&filter={filter}")).await;
            assert!(names(&found).contains(&"Inner circle".to_owned()), "{page} {filter}");
            assert!(found["Resources"].as_array().unwrap().iter().all(|one| one.get("members").is_none()));
        }
    }
    // It moves with them.
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{member}\"]")}]);
    let reply = scim.patch(&format!("{path}?{without}"), remove).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_ne!(&reply.body["meta"]["version"], version);
    assert_eq!(scim.get(&path).await["meta"]["version"], reply.body["meta"]["version"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_writes_is_seen_at_once() {
    let scim = Scim::start().await;
    let mark = scim.user("mark.taylor@contoso.com").await;
    let path = format!("/Users/{}", id(&mark));
    let whole = scim.send(Method::GET, &path, None, &[]).await;
    let again = scim.send(Method::GET, &path, None, &[]).await;
    assert_eq!((&again.body, &again.etag, &again.kind), (&whole.body, &whole.etag, &whole.kind));
    let known = [("if-none-match", again.etag.as_deref().unwrap())];
    assert_eq!(scim.send(Method::GET, &path, None, &known).await.status, StatusCode::NOT_MODIFIED);
    let other = exogate_store::Store::open(scim.served.store_path(), support::clock()).unwrap();
    let other = other.source(support::SOURCE).await.unwrap();
    for number in 0..3 {
        other.set_external_id(id(&mark), Some(format!("HR-{number}"))).await.unwrap();
        for path in [path.clone(), "/Users?filter=externalId%20sw%20%22HR%22".to_owned()] {
            let found = scim.get(&path).await;
            let found = found.get("Resources").map_or(&found, |all| &all[0]);
            assert_eq!(found["externalId"], json!(format!("HR-{number}")), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_find_sort_page_and_project() {
    let scim = Scim::start().await;
    let everybody = names(&scim.get("/Users").await);
    for (filter, wanted) in [
        ("userName sw \"LEE.\"", vec!["lee.gu2@contoso.com", "lee.gu@contoso.com"]),
        ("displayName eq \"lee gu\" and userName co \"2\"", vec!["lee.gu2@contoso.com"]),
        (
            "emails[type eq \"work\" and value eq \"mark.taylor@contoso.com\"]",
            vec!["mark.taylor@contoso.com"],
        ),
        ("emails co \"ines\"", vec!["ines.boss@contoso.com"]),
        ("active eq false and userName sw \"n\"", vec!["no.mailbox@contoso.com"]),
        ("not (active eq true) and displayName eq \"no mailbox\"", vec!["no.mailbox@contoso.com"]),
        ("entitlements.value eq \"o365support: sendas\"", vec!["mark.taylor@contoso.com"]),
        (
            "urn:ietf:params:scim:schemas:extension:exogate:2.0:User:EXO_CustomAttribute1 eq \"BLUE\"",
            vec!["mark.taylor@contoso.com"],
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq \"Support\" and active eq true",
            vec!["mark.taylor@contoso.com"],
        ),
        ("userName eq \"nobody\"", vec![]),
        ("userName eq null", vec![]),
    ] {
        let mut wanted = wanted;
        let mut found = scim.filter("Users", filter).await;
        // The order of names is without case, and '2' comes after '@' or before it as it likes.
        found.sort();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{filter}");
    }
    let mark = scim.user("mark.taylor@contoso.com").await;
    for group in mark["groups"].as_array().unwrap() {
        let value = group["value"].as_str().unwrap();
        let members = scim.filter("Users", &format!("groups.value eq \"{value}\"")).await;
        assert!(members.contains(&"mark.taylor@contoso.com".to_owned()));
    }
    assert_eq!(
        scim.filter("Entitlements", "type eq \"SendAs\" and value sw \"O365\"").await,
        ["O365Support: SendAs"]
    );
    let right =
        &scim.get("/Entitlements?filter=value%20eq%20%22O365Support:%20SendAs%22").await["Resources"][0];
    assert_eq!(scim.get(&format!("/Entitlements/{}", id(right))).await, *right);

    // Cursors see everybody once, with or without something left to test.
    for filter in ["", "&filter=not%20(title%20eq%20%22x%22)", "&sortBy=active"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = scim.get(&format!("/Users?count=2&cursor={cursor}{filter}")).await;
            assert!(page.get("startIndex").is_none());
            seen.extend(names(&page));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let mut wanted = everybody.clone();
        wanted.sort();
        seen.sort();
        assert_eq!(seen, wanted, "{filter}");
    }
    let reply = scim.send(Method::GET, "/Users?cursor=nonsense", None, &[]).await;
    assert_eq!((reply.status, &reply.body["scimType"]), (StatusCode::BAD_REQUEST, &json!("invalidCursor")));

    // Sorting by what has a column and by what has none.
    let sorted = names(&scim.get("/Users?sortBy=userName&sortOrder=descending").await);
    let mut reversed = everybody.clone();
    reversed.reverse();
    assert_eq!(sorted, reversed);
    let by = "urn:ietf:params:scim:schemas:extension:exogate:2.0:User:EXO_CustomAttribute1";
    assert_eq!(names(&scim.get(&format!("/Users?sortBy={by}&count=1")).await), ["mark.taylor@contoso.com"]);
    let last = scim.get(&format!("/Users?sortBy={by}&sortOrder=descending")).await;
    assert_eq!(names(&last).last().unwrap(), "mark.taylor@contoso.com");

    // Only what is asked for; id and schemas always.
    let path = format!("/Users/{}", id(&mark));
    let some = scim.get(&format!("{path}?attributes=userName,entitlements.type")).await;
    assert_eq!(
        some.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["schemas", "id", "userName", "entitlements"]
    );
    assert_eq!(some["entitlements"][0], json!({"type": "FullAccess"}));
    let rest = scim.get(&format!("{path}?excludedAttributes=entitlements,groups,emails.type")).await;
    assert!(rest.get("entitlements").is_none() && rest.get("groups").is_none());
    assert_eq!(rest["emails"], json!([{"value": "Mark.Taylor@contoso.com", "primary": true}]));
    assert_eq!(rest["meta"]["version"], mark["meta"]["version"]);

    // The same by POST, over one kind and over all of them.
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "displayName sw \"Inner\" or userName eq \"kim.akers@contoso.com\"",
        "attributes": ["displayName"],
    });
    let reply = scim.send(Method::POST, "/.search", Some(search.clone()), &[]).await;
    assert_eq!(names(&reply.body), ["Kim Akers", "Inner circle"], "{}", reply.body);
    assert_eq!(reply.body["totalResults"], 2);
    let reply = scim.send(Method::POST, "/Users/.search", Some(search), &[]).await;
    assert_eq!(names(&reply.body), ["Kim Akers"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_operations_refer_to_each_other() {
    let scim = Scim::start().await;
    let kim = scim.user("kim.akers@contoso.com").await;
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "outer",
             "data": {"schemas": [GROUP], "displayName": "Outer", "members": [{"value": "bulkId:inner"}]}},
            {"method": "POST", "path": "/Groups", "bulkId": "inner",
             "data": {"schemas": [GROUP], "displayName": "Inner", "members": [{"value": id(&kim)}]}},
            {"method": "POST", "path": "/Groups", "bulkId": "lost",
             "data": {"schemas": [GROUP], "displayName": "Lost", "members": [{"value": "bulkId:nobody"}]}},
            {"method": "PATCH", "path": format!("/Users/{}", id(&kim)),
             "data": {"schemas": [PATCH], "Operations": [
                {"op": "add", "path": "entitlements", "value": [{"value": "Quiet: SendAs"}]}]}},
            {"method": "DELETE", "path": "/Groups/nothing-of-that-id"},
        ],
    });
    let reply = scim.send(Method::POST, "/Bulk", Some(bulk), &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let statuses: Vec<&str> = reply.body["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["201", "201", "409", "200", "404"], "{}", reply.body);
    let (inner, outer) = (scim.group("Inner").await, scim.group("Outer").await);
    assert_eq!(outer["members"][0]["value"], inner["id"]);
    assert!(entitlements(&scim.user("kim.akers@contoso.com").await).contains(&"Quiet: SendAs"));

    let failing = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "failOnErrors": 1,
        "Operations": [
            {"method": "DELETE", "path": "/Groups/nothing-of-that-id"},
            {"method": "DELETE", "path": format!("/Groups/{}", id(&outer))},
        ],
    });
    let reply = scim.send(Method::POST, "/Bulk", Some(failing), &[]).await;
    assert_eq!(reply.body["Operations"].as_array().unwrap().len(), 1);
    assert_eq!(scim.group("Outer").await["id"], outer["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_answered_in_the_form_of_scim() {
    let scim = Scim::start().await;
    let mark = scim.user("mark.taylor@contoso.com").await;
    let user = format!("/Users/{}", id(&mark));
    let patch = |operations: Value| Some(json!({"schemas": [PATCH], "Operations": operations}));
    let bad = StatusCode::BAD_REQUEST;
    let deep = format!("/Users?filter={}userName%20pr{}", "not%20(".repeat(500), ")".repeat(500));
    let long = format!("/Users?filter=userName%20eq%20%22{}%22", "x".repeat(20_000));
    let cases: Vec<(Method, String, Option<Value>, StatusCode, Option<&str>)> = vec![
        (Method::GET, "/Users?filter=userName".into(), None, bad, Some("invalidFilter")),
        (Method::GET, "/Users?filter=userNme%20eq%20%22x%22".into(), None, bad, Some("invalidFilter")),
        (Method::GET, "/Users?filter=active%20gt%20true".into(), None, bad, Some("invalidFilter")),
        (Method::GET, "/Users?filter=active%20eq%20%22x%22".into(), None, bad, Some("invalidFilter")),
        (
            Method::GET,
            "/Users?filter=meta.lastModified%20gt%20%22x%22".into(),
            None,
            bad,
            Some("invalidFilter"),
        ),
        (Method::GET, deep, None, bad, Some("invalidFilter")),
        (Method::GET, long, None, bad, Some("invalidFilter")),
        (Method::GET, "/Users?startIndex=x".into(), None, bad, Some("invalidValue")),
        (Method::GET, "/Users?sortBy=nothing".into(), None, bad, Some("invalidPath")),
        (Method::GET, "/Users?sortOrder=sideways".into(), None, bad, Some("invalidValue")),
        (Method::GET, "/Users/no-such-id".into(), None, StatusCode::NOT_FOUND, None),
        (Method::GET, format!("/Users/{}", id(&mark).to_uppercase()), None, StatusCode::NOT_FOUND, None),
        (Method::GET, "/nowhere/Users".into(), None, StatusCode::NOT_FOUND, None),
        (Method::GET, "/contoso/Nothing".into(), None, StatusCode::NOT_FOUND, None),
        (Method::GET, "/Users/a/b".into(), None, StatusCode::NOT_FOUND, None),
        (Method::GET, "/Users/%2e%2e%2fGroups".into(), None, StatusCode::NOT_FOUND, None),
        (Method::GET, "/Users/%00".into(), None, StatusCode::NOT_FOUND, None),
        (Method::GET, "/Users/%ff".into(), None, bad, Some("invalidPath")),
        (Method::GET, "/Me".into(), None, StatusCode::NOT_IMPLEMENTED, None),
        (Method::DELETE, "/Users".into(), None, StatusCode::METHOD_NOT_ALLOWED, None),
        (Method::POST, "/Schemas".into(), None, StatusCode::METHOD_NOT_ALLOWED, None),
        (Method::GET, "/Schemas?filter=x".into(), None, StatusCode::FORBIDDEN, None),
        (Method::GET, "/Schemas/urn:none".into(), None, StatusCode::NOT_FOUND, None),
        (Method::POST, "/Users".into(), Some(json!({"not": "a resource"})), bad, Some("invalidSyntax")),
        (Method::POST, "/Users".into(), Some(json!({"schemas": [USER]})), bad, Some("invalidValue")),
        (
            Method::POST,
            "/Users".into(),
            Some(json!({"schemas": [USER], "userName": "MARK.taylor@contoso.com"})),
            StatusCode::CONFLICT,
            Some("uniqueness"),
        ),
        (
            Method::POST,
            "/Users".into(),
            Some(json!({"schemas": [USER], "userName": "new@contoso.com"})),
            StatusCode::FORBIDDEN,
            None,
        ),
        (
            Method::POST,
            "/Users".into(),
            Some(json!({"schemas": [USER], "userName": "new@contoso.com", "usrName": 1})),
            bad,
            Some("invalidSyntax"),
        ),
        (Method::POST, "/Groups".into(), Some(json!({"schemas": [GROUP]})), bad, Some("invalidValue")),
        (
            Method::POST,
            "/Groups".into(),
            Some(json!({"schemas": [GROUP], "displayName": "New", OWN_GROUP: {"kind": "circle"}})),
            bad,
            Some("invalidValue"),
        ),
        (
            Method::POST,
            "/Groups".into(),
            Some(json!({"schemas": [GROUP], "displayName": "New", "members": [{"value": "nobody"}]})),
            bad,
            Some("invalidValue"),
        ),
        (Method::POST, "/Entitlements".into(), Some(json!({})), StatusCode::METHOD_NOT_ALLOWED, None),
        (Method::PATCH, user.clone(), Some(json!({})), bad, Some("invalidSyntax")),
        (Method::PATCH, user.clone(), patch(json!([{"op": "remove"}])), bad, Some("noTarget")),
        (
            Method::PATCH,
            user.clone(),
            patch(json!([{"op": "spin", "path": "title"}])),
            bad,
            Some("invalidSyntax"),
        ),
        (
            Method::PATCH,
            user.clone(),
            patch(json!([{"op": "replace", "path": "userName", "value": "x"}])),
            bad,
            Some("mutability"),
        ),
        (
            Method::PATCH,
            user.clone(),
            patch(json!([{"op": "replace", "path": "nothing", "value": "x"}])),
            bad,
            Some("invalidPath"),
        ),
        (
            Method::PATCH,
            user.clone(),
            patch(
                json!([{"op": "replace", "path": "entitlements[value eq \"none\"]", "value": {"value": "x"}}]),
            ),
            bad,
            Some("noTarget"),
        ),
        (
            Method::PATCH,
            user.clone(),
            patch(json!([{"op": "add", "path": "entitlements", "value": [{"value": "O365Supprt: SendAs"}]}])),
            bad,
            Some("invalidValue"),
        ),
        (
            Method::PATCH,
            user.clone(),
            patch(
                json!([{"op": "add", "path": format!("{OWN}:EXO_HiddenFromAddressListsEnabled"), "value": "maybe"}]),
            ),
            bad,
            Some("invalidValue"),
        ),
        (Method::POST, "/Bulk".into(), Some(json!({})), bad, Some("invalidSyntax")),
        (Method::POST, "/.search".into(), Some(json!({})), bad, Some("invalidSyntax")),
    ];
    for (method, path, body, status, scim_type) in cases {
        let reply = scim.send(method.clone(), &path, body.clone(), &[]).await;
        let what = format!("{method} {} {body:?}: {}", &path[..path.len().min(100)], reply.body);
        assert_eq!(reply.status, status, "{what}");
        assert_eq!(reply.body["schemas"], json!([ERROR]), "{what}");
        assert_eq!(reply.body["status"], json!(status.as_u16().to_string()), "{what}");
        assert_eq!(reply.body["scimType"].as_str(), scim_type, "{what}");
        assert!(!reply.body["detail"].as_str().unwrap().is_empty(), "{what}");
        assert_eq!(reply.kind, "application/scim+json", "{what}");
        assert_eq!(reply.allow.is_some(), status == StatusCode::METHOD_NOT_ALLOWED, "{what}");
    }
    // As many tests as a filter may have are a tree that is not deep.
    let wide = vec!["id%20pr"; 1024].join("%20or%20");
    let all = scim.get(&format!("/Users?count=0&filter={wide}")).await;
    assert_eq!(all["totalResults"], scim.get("/Users?count=0").await["totalResults"]);
    // Nothing of all that left a trace.
    assert_eq!(scim.user("mark.taylor@contoso.com").await, mark);

    // A version that nobody can read is one that nothing has.
    for version in [&b"\"\xff\""[..], b"W/\"other\""] {
        let request = scim
            .client
            .patch(scim.served.url(&format!("/scim/v2{user}")))
            .header("content-type", "application/scim+json")
            .header("if-match", reqwest::header::HeaderValue::from_bytes(version).unwrap())
            .body(patch(json!([{"op": "remove", "path": "externalId"}])).unwrap().to_string());
        assert_eq!(reply(request).await.status, StatusCode::PRECONDITION_FAILED);
    }
    let raw = |kind: &'static str, body: Vec<u8>| {
        scim.client.post(scim.served.url("/scim/v2/Groups")).header("content-type", kind).body(body)
    };
    let reply_to = reply(raw("application/json", b"{\"broken\": ".to_vec())).await;
    assert_eq!((reply_to.status, &reply_to.body["scimType"]), (bad, &json!("invalidSyntax")));
    assert_eq!(reply(raw("text/xml", b"<a/>".to_vec())).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let nested = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    assert_eq!(reply(raw("application/json", nested)).await.status, bad);
    let accepts =
        scim.client.get(scim.served.url("/scim/v2/Users?count=1")).header("accept", "application/json");
    assert_eq!(reply(accepts).await.kind, "application/json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_and_sources_are_kept_apart() {
    let served = Served::with(Setup { sources: vec!["contoso", "other"], ..Setup::default() }).await;
    let reader = served.client(Scope::Read).await;
    let limited = client_with(Some(&served.token_for(Scope::Provision, Some(&["other"])).await));
    let nobody = client_with(None);
    let at = |path: &str| served.url(&format!("/scim/v2{path}"));
    let get = |client: &Client, path: &str| client.get(at(path));
    let make = |client: &Client, path: &str| {
        let body = json!({"schemas": [GROUP], "displayName": "Made"}).to_string();
        client.post(at(path)).header("content-type", "application/scim+json").body(body)
    };
    for (request, status) in [
        (get(&reader, "/contoso/Users"), StatusCode::OK),
        (make(&reader, "/contoso/Groups"), StatusCode::FORBIDDEN),
        // Two sources: which one must be said.
        (get(&reader, "/Users"), StatusCode::NOT_FOUND),
        (get(&limited, "/other/Users"), StatusCode::OK),
        (get(&limited, "/contoso/Users"), StatusCode::NOT_FOUND),
        (make(&limited, "/contoso/Groups"), StatusCode::NOT_FOUND),
        (get(&limited, "/nowhere/Users"), StatusCode::NOT_FOUND),
        (make(&limited, "/other/Groups"), StatusCode::CREATED),
        (get(&nobody, "/contoso/Users"), StatusCode::UNAUTHORIZED),
    ] {
        let reply = reply(request).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        if !status.is_success() {
            assert_eq!(reply.body["schemas"], json!([ERROR]), "{}", reply.body);
        }
    }
    let hidden = reply(get(&limited, "/contoso/Users")).await.body["detail"].to_string();
    let unknown = reply(get(&limited, "/nowhere/Users")).await.body["detail"].to_string();
    assert_eq!(hidden.replace("contoso", "nowhere"), unknown);
    let location =
        &reply(get(&reader, "/contoso/Users?count=1")).await.body["Resources"][0]["meta"]["location"];
    assert!(location.as_str().unwrap().contains("/scim/v2/contoso/Users/"), "{location}");
}
