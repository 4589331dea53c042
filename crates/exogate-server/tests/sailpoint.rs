//! SailPoint connector commands over real sockets: the checks of its validator, state, changes and
//! what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Extension;
use exogate_model::plan::PlanValue;
use exogate_model::policy::{PolicyAttribute, PolicyKind, PolicyRequest, ProvisioningPolicy};
use exogate_model::schema::Schema;
use exogate_model::source::SourceOptions;
use exogate_server::sailpoint::{self, Settings};
use exogate_server::{Caller, CallerKind, Scope};
use exogate_sim::AppSpec;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Served, Setup, client_with};

const MARK: &str = "mark.taylor@contoso.com";

fn policy(account: &Schema, group: &Schema) -> ProvisioningPolicy {
    let attribute = |name: &str, review_required| PolicyAttribute {
        name: name.into(),
        kind: None,
        multi_valued: None,
        required: false,
        default: PlanValue::None,
        review_required,
    };
    let attributes = vec![
        attribute("EXO_CustomAttribute1", false),
        attribute("EXO_DisplayName", false),
        attribute("EXO_HiddenFromAddressListsEnabled", true),
    ];
    ProvisioningPolicy::check(&PolicyRequest::from([(PolicyKind::Account, attributes)]), account, group)
        .unwrap()
}

/// A source that manages users, and may.
fn managing() -> Setup {
    let mut app = AppSpec::exogate();
    app.roles.push("User-PasswordProfile.ReadWrite.All".into());
    app.directory_roles.push("User Administrator".into());
    let usual = Setup::default();
    Setup {
        app,
        options: SourceOptions {
            manage_users: true,
            delete_users: true,
            aggregate_all_groups: true,
            ..SourceOptions::default()
        },
        account_attributes: [usual.account_attributes.clone(), vec!["EXO_DisplayName"]].concat(),
        policy,
        ..usual
    }
}

/// What a client got.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    text: String,
}

impl Answer {
    /// The lines of one type.
    fn lines(&self, of: &str) -> Vec<Value> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        let lines = self.text.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        lines.filter(|line| line["type"] == of).map(|line| line["data"].clone()).collect()
    }

    fn outputs(&self) -> Vec<Value> {
        self.lines("output")
    }

    fn one(&self) -> Value {
        let outputs = self.outputs();
        assert_eq!(outputs.len(), 1, "{}", self.text);
        outputs[0].clone()
    }

    #[track_caller]
    fn refused(&self, status: StatusCode, says: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        let framed = ["generic error: \n + ", "notFound error: \n + "];
        assert!(framed.iter().any(|begin| self.text.starts_with(begin)), "{}", self.text);
        assert!(self.text.contains(says), "{}", self.text);
    }
}

/// A connector's runner.
struct Runner<'a> {
    served: &'a Served,
    client: reqwest::Client,
    config: Value,
}

impl<'a> Runner<'a> {
    async fn of(served: &'a Served, scope: Scope) -> Self {
        Self { served, client: served.client(scope).await, config: json!({}) }
    }

    async fn run(&self, command: &str, input: Value) -> Answer {
        let body = json!({"type": command, "version": 1, "config": self.config, "input": input});
        self.post("/sailpoint/contoso", body.to_string()).await
    }

    async fn post(&self, path: &str, body: String) -> Answer {
        let request = self.client.post(self.served.url(path)).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind, "application/x-ndjson");
        Answer { status: answer.status(), text: answer.text().await.unwrap() }
    }

    async fn account(&self, id: &str) -> Value {
        self.run("std:account:read", key(id)).await.one()
    }

    async fn accounts(&self) -> BTreeMap<String, Value> {
        let listed = self.run("std:account:list", json!({})).await.outputs();
        listed.into_iter().map(|account| (name(&account), account)).collect()
    }

    async fn update(&self, id: &str, changes: Value) -> Answer {
        let mut input = key(id);
        input["changes"] = changes;
        self.run("std:account:update", input).await
    }
}

fn key(id: &str) -> Value {
    json!({"identity": id, "key": {"simple": {"id": id}}})
}

fn id(object: &Value) -> String {
    object["key"]["simple"]["id"].as_str().unwrap().to_owned()
}

fn name(account: &Value) -> String {
    account["attributes"]["userPrincipalName"].as_str().unwrap().to_owned()
}

fn values(object: &Value, attribute: &str) -> BTreeSet<String> {
    let list = object["attributes"][attribute].as_array().cloned().unwrap_or_default();
    list.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// Whether the attributes of an object are those of a schema, in type and multiplicity.
fn fits(object: &Value, schema: &Value) {
    let known: BTreeMap<&str, &Value> =
        schema["attributes"].as_array().unwrap().iter().map(|a| (a["name"].as_str().unwrap(), a)).collect();
    for (attribute, value) in object["attributes"].as_object().unwrap() {
        let declared = known.get(attribute.as_str()).unwrap_or_else(|| panic!("{attribute} is in no schema"));
        let single = |value: &Value| match declared["type"].as_str().unwrap() {
            "string" | "date" => value.is_string(),
            "int" | "long" => value.is_i64(),
            "boolean" => value.is_boolean(),
            other => panic!("{other} is no type"),
        };
        match value.as_array() {
            Some(values) => assert!(declared["multi"] == true && values.iter().all(single), "{attribute}"),
            None => assert!(declared["multi"] == false && single(value), "{attribute}: {value}"),
        }
    }
    for must in ["displayAttribute", "identityAttribute"] {
        assert!(known.contains_key(schema[must].as_str().unwrap()), "{must}");
    }
}

#[tokio::test]
async fn the_checks_that_read() {
    let served = Served::start().await;
    let runner = Runner::of(&served, Scope::Read).await;
    // test-connection-empty: a configuration without url and token leaves nothing to sign in with.
    let nobody = Runner { client: client_with(None), ..Runner::of(&served, Scope::Read).await };
    nobody.run("std:test-connection", json!({})).await.refused(StatusCode::UNAUTHORIZED, "");
    // test-connection-success
    assert_eq!(
        runner.run("std:test-connection", json!({})).await.text,
        "{\"data\":{},\"type\":\"output\"}\n"
    );
    // account-schema-check
    let schema = runner.run("std:account:discover-schema", json!({})).await.one();
    let accounts = runner.accounts().await;
    assert!(accounts.len() > 10, "{accounts:?}");
    for account in accounts.values() {
        fits(account, &schema);
    }
    // account-list-and-read
    for account in accounts.values() {
        assert_eq!(&runner.account(&id(account)).await, account);
    }
    let mark = &accounts[MARK];
    let rights = ["O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"];
    assert_eq!(values(mark, "sharedMailbox"), rights.map(str::to_owned).into());
    assert_eq!(mark["disabled"], false);
    // account-not-found
    let nobody = key("00000000-0000-0000-0000-00000000dead");
    runner.run("std:account:read", nobody).await.refused(StatusCode::NOT_FOUND, "notFound error");
    // entitlement-schema-check, entitlement-list-read
    let spec = runner.run("std:spec:read", json!({})).await.one()["specification"].clone();
    let mut groups = BTreeSet::new();
    for schema in spec["entitlementSchemas"].as_array().unwrap() {
        let of = schema["type"].as_str().unwrap();
        let listed = runner.run("std:entitlement:list", json!({"type": of})).await.outputs();
        assert!(listed.len() > 3, "{of}");
        for entitlement in &listed {
            fits(entitlement, schema);
            assert_eq!(entitlement["type"], of);
            let mut input = key(&id(entitlement));
            input["type"] = json!(of);
            assert_eq!(&runner.run("std:entitlement:read", input).await.one(), entitlement);
            groups.insert(id(entitlement));
        }
        // entitlement-not-found
        for missing in ["00000000-0000-0000-0000-00000000dead", "Nobody: FullAccess", "O365Support: Fly"] {
            let mut input = key(missing);
            input["type"] = json!(of);
            runner.run("std:entitlement:read", input).await.refused(StatusCode::NOT_FOUND, "notFound error");
        }
    }
    // Whatever an account holds is an entitlement that can be read.
    for account in accounts.values() {
        assert!(
            values(account, "groups").union(&values(account, "sharedMailbox")).all(|e| groups.contains(e))
        );
    }
    let published =
        runner.client.get(served.url("/sailpoint/contoso/connector-spec.json")).send().await.unwrap();
    assert_eq!(published.json::<Value>().await.unwrap(), spec);
    served.stop().await;
}

#[tokio::test]
async fn the_checks_that_write() {
    let served = Served::with(managing()).await;
    let runner = Runner::of(&served, Scope::Provision).await;
    // account-create-empty
    let empty = runner.run("std:account:create", json!({"attributes": {}})).await;
    empty.refused(StatusCode::BAD_REQUEST, "userPrincipalName");
    // account-create-minimal, account-create-list-delete
    let minimal = json!({"attributes": {"userPrincipalName": "min@contoso.com", "displayName": "Mini Mal"}});
    let made = runner.run("std:account:create", minimal.clone()).await.one();
    assert_eq!(made["attributes"]["displayName"], "Mini Mal");
    assert_eq!(runner.account(&id(&made)).await, made);
    assert!(runner.accounts().await.contains_key("min@contoso.com"));
    runner.run("std:account:create", minimal).await.refused(StatusCode::CONFLICT, "already");
    let gone = runner.run("std:account:delete", key(&id(&made))).await;
    assert_eq!(gone.text, "{\"data\":{},\"type\":\"output\"}\n");
    assert!(!runner.accounts().await.contains_key("min@contoso.com"));
    runner.run("std:account:read", key(&id(&made))).await.refused(StatusCode::NOT_FOUND, "notFound error");
    // account-create-maximal: every field of the template; what needs a mailbox is told to wait.
    let groups = runner.run("std:entitlement:list", json!({"type": "group"})).await.outputs();
    let vpn = groups.iter().find(|group| group["attributes"]["displayName"] == "VPN users").unwrap();
    let maximal = json!({"attributes": {"userPrincipalName": "max@contoso.com", "displayName": "Max Imal",
        "givenName": "Max", "surname": "Imal", "password": "Sup3r!Secret", "EXO_CustomAttribute1": "x",
        "groups": [id(vpn)]}});
    let made = runner.run("std:account:create", maximal).await.one();
    assert_eq!(made["attributes"]["surname"], "Imal");
    assert_eq!(values(&made, "groups"), [id(vpn)].into());
    let results = made["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["attribute"]), (1, &json!("EXO_CustomAttribute1")), "{results:?}");
    let max = id(&made);
    // enable and disable
    let disabled = runner.run("std:account:disable", key(&max)).await.one();
    assert_eq!(
        (&disabled["disabled"], &disabled["attributes"]["accountEnabled"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(runner.run("std:account:enable", key(&max)).await.one()["disabled"], false);
    // change-password
    let mut input = key(&max);
    input["password"] = json!("An0ther!Secret");
    assert_eq!(runner.run("std:change-password", input).await.one(), json!({}));
    runner.run("std:change-password", key(&max)).await.refused(StatusCode::BAD_REQUEST, "password");
    // account-update-single-attrs
    let mark = id(&runner.accounts().await[MARK]);
    for (attribute, value) in [("EXO_CustomAttribute1", "green"), ("department", "Research")] {
        let set = json!([{"op": "Set", "attribute": attribute, "value": value}]);
        assert_eq!(runner.update(&mark, set).await.one()["attributes"][attribute], value);
        assert_eq!(runner.account(&mark).await["attributes"][attribute], value);
    }
    // account-update-entitlement
    for (attribute, value) in [("groups", id(vpn)), ("sharedMailbox", "Quiet: FullAccess".to_owned())] {
        let change = |op: &str| json!([{"op": op, "attribute": attribute, "value": value}]);
        // What is there is taken and given back, what is not is given and taken.
        let held = values(&runner.account(&mark).await, attribute).contains(&value);
        let ops = if held { [("Remove", false), ("Add", true)] } else { [("Add", true), ("Remove", false)] };
        for (op, there) in ops {
            let updated = runner.update(&mark, change(op)).await.one();
            assert_eq!(values(&updated, attribute).contains(&value), there, "{op} {attribute}: {updated}");
            assert_eq!(updated.get("results"), None);
        }
    }
    let journal = std::fs::read(exogate_store::Journal::beside(&served.store_path())).unwrap();
    for secret in ["Sup3r!Secret", "An0ther!Secret"] {
        let found = journal.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a password is on record");
    }
    served.stop().await;
}

#[tokio::test]
async fn attributes_fail_one_by_one() {
    let served = Served::with(managing()).await;
    let mut runner = Runner::of(&served, Scope::Provision).await;
    let mark = id(&runner.accounts().await[MARK]);
    let changes = json!([
        {"op": "Set", "attribute": "EXO_CustomAttribute1", "value": "red"},
        {"op": "Add", "attribute": "sharedMailbox", "value": "Nowhere: FullAccess"},
        {"op": "Set", "attribute": "EXO_HiddenFromAddressListsEnabled", "value": true},
        {"op": "Set", "attribute": "employeeid2", "value": "7"},
        {"op": "Set", "attribute": "displayName", "value": {"strange": true}},
    ]);
    let updated = runner.update(&mark, changes).await.one();
    assert_eq!(updated["attributes"]["EXO_CustomAttribute1"], "red");
    let results: BTreeMap<String, Value> = updated["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| (result["attribute"].as_str().unwrap().to_owned(), result.clone()))
        .collect();
    let failed = ["EXO_HiddenFromAddressListsEnabled", "displayName", "employeeid2", "sharedMailbox"];
    assert_eq!(results.keys().collect::<Vec<_>>(), failed);
    assert!(results.values().all(|result| result["status"] == "error"), "{results:?}");
    let said = |name: &str| results[name]["messages"][0]["message"].as_str().unwrap().to_owned();
    assert!(said("sharedMailbox").contains("\"Nowhere\" is not known"), "{}", said("sharedMailbox"));
    assert!(said("employeeid2").contains("did you mean"), "{}", said("employeeid2"));
    // What nothing comes of is an error.
    let hide = json!([{"op": "Set", "attribute": "EXO_HiddenFromAddressListsEnabled", "value": true}]);
    runner.update(&mark, hide.clone()).await.refused(StatusCode::BAD_REQUEST, "reviewed");
    runner.config = json!({"changesAreReviewed": "true"});
    assert_eq!(
        runner.update(&mark, hide).await.one()["attributes"]["EXO_HiddenFromAddressListsEnabled"],
        true
    );
    let strange = json!([{"op": "Multiply", "attribute": "groups", "value": 2}]);
    runner.update(&mark, strange).await.refused(StatusCode::BAD_REQUEST, "Multiply");
    served.stop().await;
}

#[tokio::test]
async fn where_users_are_not_managed_an_account_is_taken_on_and_no_user_is_touched() {
    let served =
        Served::with(Setup { policy: |_, _| ProvisioningPolicy::default(), ..Setup::default() }).await;
    let runner = Runner::of(&served, Scope::Provision).await;
    let create =
        |name: &str| json!({"attributes": {"userPrincipalName": name, "sharedMailbox": "Quiet: FullAccess"}});
    let taken = runner.run("std:account:create", create(MARK)).await.one();
    let rights = values(&taken, "sharedMailbox");
    assert!(rights.contains("Quiet: FullAccess") && rights.contains("O365Support: SendAs"), "{rights:?}");
    let new = runner.run("std:account:create", create("new@contoso.com")).await;
    new.refused(StatusCode::BAD_REQUEST, "options.manage_users");
    for command in ["std:account:delete", "std:account:disable", "std:change-password"] {
        let mut input = key(&id(&taken));
        input["password"] = json!("Sup3r!Secret");
        runner.run(command, input).await.refused(StatusCode::BAD_REQUEST, "options.manage_users");
    }
    served.stop().await;
}

#[tokio::test]
async fn state_tells_what_changed_and_what_went() {
    let served = Served::with(managing()).await;
    let runner = Runner::of(&served, Scope::Provision).await;
    let list = |state: Value| json!({"stateful": true, "state": state});
    let all = runner.run("std:account:list", list(json!({}))).await;
    let (accounts, state) = (all.outputs(), all.lines("state"));
    assert_eq!(accounts.len(), runner.accounts().await.len());
    assert_eq!(state.len(), 1, "{state:?}");
    let quiet = runner.run("std:account:list", list(state[0].clone())).await;
    assert_eq!((quiet.outputs().len(), quiet.lines("state")), (0, state.clone()));
    // A change, a deletion, and a mailbox with another name, which its holders show.
    let by_name = runner.accounts().await;
    let ines = id(&by_name["ines.boss@contoso.com"]);
    let set = json!([{"op": "Set", "attribute": "EXO_CustomAttribute1", "value": "new"}]);
    runner.update(&ines, set).await.one();
    let leaver = id(&by_name["no.mailbox@contoso.com"]);
    runner.run("std:account:delete", key(&leaver)).await.one();
    let info = by_name.values().find(|a| a["attributes"]["EXO_PrimarySmtpAddress"] == "support@contoso.com");
    let rename = json!([{"op": "Set", "attribute": "EXO_DisplayName", "value": "Help desk"}]);
    runner.update(&id(info.unwrap()), rename).await.one();
    assert_eq!(served.aggregate().await.name(), "completed");
    let changed = runner.run("std:account:list", list(state[0].clone())).await;
    let outputs: BTreeMap<String, Value> = changed.outputs().into_iter().map(|a| (id(&a), a)).collect();
    assert_eq!(outputs.len(), changed.outputs().len(), "nobody is told twice");
    assert_eq!(outputs[&ines]["attributes"]["EXO_CustomAttribute1"], "new");
    assert_eq!((&outputs[&leaver]["deleted"], &outputs[&leaver]["identity"]), (&json!(true), &json!(leaver)));
    let mark = &outputs[&id(&by_name[MARK])];
    assert!(values(mark, "sharedMailbox").contains("Help desk: SendAs"), "{mark}");
    assert!(outputs.len() < accounts.len() / 2, "{} of {}", outputs.len(), accounts.len());
    // The same for entitlements: the old label goes, the new one comes.
    let rights = json!({"type": "sharedMailbox", "stateful": true, "state": state[0]});
    let rights = runner.run("std:entitlement:list", rights).await.outputs();
    let gone = |e: &Value| e["deleted"] == true;
    assert!(rights.iter().any(|e| gone(e) && id(e) == "O365Support: SendAs"), "{rights:?}");
    assert!(rights.iter().any(|e| !gone(e) && id(e) == "Help desk: SendAs"), "{rights:?}");
    assert!(rights.iter().all(|e| gone(e) == id(e).starts_with("O365Support")), "{rights:?}");
    // Nothing is told again, and no state of somebody else's is taken.
    let next = changed.lines("state")[0].clone();
    assert_eq!(runner.run("std:account:list", list(next)).await.outputs().len(), 0);
    let foreign = runner.run("std:account:list", list(json!({"cursor": "x"}))).await;
    foreign.refused(StatusCode::CONFLICT, "unoptimized");
    // What came after it is no longer kept: nobody could tell which accounts went.
    let later = support::clock().now() + jiff::SignedDuration::from_hours(1);
    served.source().store.forget_changes(later).await.unwrap();
    for command in ["std:account:list", "std:entitlement:list"] {
        let behind = json!({"type": "sharedMailbox", "stateful": true, "state": state[0]});
        runner.run(command, behind).await.refused(StatusCode::GONE, "which begins a new state");
    }
    let begun = runner.run("std:account:list", list(json!({}))).await;
    assert_eq!(begun.outputs().len(), runner.accounts().await.len());
    served.stop().await;
}

#[tokio::test]
async fn state_tells_which_groups_came_changed_and_went() {
    let served = Served::with(managing()).await;
    let runner = Runner::of(&served, Scope::Provision).await;
    let list = |state: Value| json!({"type": "group", "stateful": true, "state": state});
    let named = |groups: &[Value]| -> BTreeMap<String, Value> {
        let name = |group: &Value| group["attributes"]["displayName"].as_str().unwrap().to_owned();
        groups.iter().map(|group| (name(group), group.clone())).collect()
    };
    let all = runner.run("std:entitlement:list", list(json!({}))).await;
    let (before, state) = (named(&all.outputs()), all.lines("state"));
    assert!(before.len() > 3 && state.len() == 1, "{before:?} {state:?}");
    let quiet = runner.run("std:entitlement:list", list(state[0].clone())).await;
    assert_eq!((quiet.outputs().len(), quiet.lines("state")), (0, state.clone()));
    // One goes, one comes, and one gets another member, which is no change of the group itself.
    let vpn = id(&before["VPN users"]);
    let plan = json!({"groups": [
        {"group": vpn, "operation": "delete"},
        {"group": "Night shift", "operation": "create", "kind": "security",
         "attributes": [{"name": "owners", "op": "add", "value": MARK}]},
        {"group": id(&before["Support team"]),
         "attributes": [{"name": "members", "op": "add", "value": "ines.boss@contoso.com"}]},
    ]});
    let done =
        runner.client.post(served.url("/api/v1/sources/contoso/plans")).json(&plan).send().await.unwrap();
    let done: Value = done.json().await.unwrap();
    assert_eq!(done["state"], "succeeded", "{done}");
    let changed = runner.run("std:entitlement:list", list(state[0].clone())).await;
    let outputs = changed.outputs();
    let (gone, there): (Vec<Value>, Vec<Value>) =
        outputs.into_iter().partition(|group| group["deleted"] == true);
    assert_eq!(gone.iter().map(id).collect::<Vec<_>>(), [vpn]);
    assert!(gone.iter().all(|group| group["type"] == "group"), "{gone:?}");
    let there = named(&there);
    assert!(there.contains_key("Night shift") && there.len() <= 2, "{there:?}");
    assert_eq!(there["Night shift"]["attributes"]["kind"], "security");
    let next = changed.lines("state")[0].clone();
    assert_eq!(runner.run("std:entitlement:list", list(next)).await.outputs().len(), 0);
    // A type is not a state's business, and one that is not known is refused.
    let strange = runner.run("std:entitlement:list", json!({"type": "role", "stateful": true})).await;
    strange.refused(StatusCode::BAD_REQUEST, "role");
    served.stop().await;
}

#[tokio::test]
async fn a_connection_is_good_only_if_what_is_configured_can_be_done() {
    let mut setup = managing();
    setup.app.roles.retain(|role| role != "User.ReadWrite.All");
    let served = Served::with(setup).await;
    let runner = Runner::of(&served, Scope::Read).await;
    let tested = runner.run("std:test-connection", json!({})).await;
    tested.refused(StatusCode::BAD_GATEWAY, "User.ReadWrite.All");
    assert!(tested.text.contains("grant admin consent"), "it says what to do: {}", tested.text);
    served.stop().await;
}

#[tokio::test]
async fn what_is_wrong_gets_the_right_status_in_the_words_of_the_runner() {
    let served = Served::with(Setup { sources: vec!["contoso", "other"], ..Setup::default() }).await;
    let runner = Runner::of(&served, Scope::Read).await;
    let at = |body: &str| runner.post("/sailpoint/contoso", body.to_owned());
    at("{").await.refused(StatusCode::BAD_REQUEST, "not JSON");
    at("").await.refused(StatusCode::BAD_REQUEST, "empty");
    at(&"[".repeat(200_000)).await.refused(StatusCode::BAD_REQUEST, "not JSON");
    at(r#"{"type":"std:account:unlock"}"#)
        .await
        .refused(StatusCode::BAD_REQUEST, "unsupported command: std:account:unlock");
    at(r#"{"type":"std:account:read","input":{}}"#).await.refused(StatusCode::BAD_REQUEST, "names no object");
    at(r#"{"type":"std:entitlement:list","input":{"type":"role"}}"#)
        .await
        .refused(StatusCode::BAD_REQUEST, "role");
    at(r#"{"type":"std:account:list","input":{"stateful":"maybe"}}"#)
        .await
        .refused(StatusCode::BAD_REQUEST, "stateful");
    at(&format!("{{\"type\":\"{}\"}}", "x".repeat(5_000_000)))
        .await
        .refused(StatusCode::PAYLOAD_TOO_LARGE, "");
    let list = r#"{"type":"std:account:list","input":{}}"#;
    // A change needs another scope, and is not looked at before.
    let update = r#"{"type":"std:account:update","input":{"identity":"x","changes":[]}}"#;
    at(update).await.refused(StatusCode::FORBIDDEN, "provision");
    // Sources: one that is not there and one that is not theirs look the same.
    let token = served.token_for(Scope::Provision, Some(&["other"])).await;
    let other = Runner { client: client_with(Some(&token)), ..Runner::of(&served, Scope::Read).await };
    let foreign = other.post("/sailpoint/contoso", list.into()).await;
    foreign.refused(StatusCode::NOT_FOUND, "\"contoso\"");
    let unknown = other.post("/sailpoint/nowhere", list.into()).await;
    assert_eq!(foreign.text.replace("contoso", "nowhere"), unknown.text);
    assert_eq!(other.post("/sailpoint/other/any/deeper/path", list.into()).await.status, StatusCode::OK);
    runner.post("/sailpoint", list.into()).await.refused(StatusCode::NOT_FOUND, "name the source");
    for trick in ["/sailpoint/..%2fcontoso", "/sailpoint/%ff", "/sailpoint/contoso%00"] {
        runner.post(trick, list.into()).await.refused(StatusCode::NOT_FOUND, "");
    }
    for forged in ["", "exo_forged", "a.b.c"] {
        let forged = Runner { client: client_with(Some(forged)), ..Runner::of(&served, Scope::Read).await };
        forged.post("/sailpoint/contoso", list.into()).await.refused(StatusCode::UNAUTHORIZED, "");
    }
    for (path, allowed) in [
        ("/sailpoint", "POST"),
        ("/sailpoint/contoso", "POST"),
        ("/sailpoint/contoso/any/deeper/path", "POST"),
        ("/sailpoint/contoso/connector-spec.json", "GET,HEAD,POST"),
    ] {
        let answer = runner.client.delete(served.url(path)).send().await.unwrap();
        let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
        assert_eq!((answer.status(), allow.as_str()), (StatusCode::METHOD_NOT_ALLOWED, allowed), "{path}");
        assert!(answer.text().await.unwrap().starts_with("generic error: \n + ConnectorError: "));
    }
    let url = served.url("/sailpoint/contoso");
    let form = runner.client.post(&url).header("content-type", "text/plain").body(list).send().await.unwrap();
    assert_eq!(form.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(form.text().await.unwrap().starts_with("generic error: \n + ConnectorError: "));
    served.stop().await;
}

#[tokio::test]
async fn nothing_read_is_not_nothing_there() {
    let served = Served::with(Setup { aggregate: false, ..Setup::default() }).await;
    let runner = Runner::of(&served, Scope::Read).await;
    let read = runner.run("std:account:read", key(MARK)).await;
    read.refused(StatusCode::SERVICE_UNAVAILABLE, "Aggregate it first");
    assert!(read.text.starts_with("generic error"), "a client would make the account anew: {}", read.text);
    let listed = runner.run("std:account:list", json!({"stateful": true})).await;
    assert_eq!(listed.lines("state").len(), 0);
    served.stop().await;
}

#[tokio::test]
async fn a_command_that_takes_its_time_shows_that_it_lives() {
    let served = Served::start().await;
    let caller = Caller { name: "test".into(), kind: CallerKind::Local, scope: Scope::Read, sources: None };
    let settings = Settings { keep_alive: Duration::from_millis(1) };
    let router = sailpoint::router_with(served.gateway.clone(), settings).layer(Extension(caller));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/contoso", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let body = json!({"type": "std:test-connection", "input": {}});
    let answer = client_with(None).post(url).json(&body).send().await.unwrap();
    let answer = Answer { status: answer.status(), text: answer.text().await.unwrap() };
    assert!(!answer.lines("keepAlive").is_empty());
    assert_eq!(answer.one(), json!({}));
    serving.abort();
    served.stop().await;
}

#[tokio::test]
async fn permissions_are_there_for_who_asks() {
    let served = Served::start().await;
    let runner = Runner::of(&served, Scope::Read).await;
    let mut input = key(MARK);
    input["schema"] = json!({"includePermissions": true});
    let mark = runner.run("std:account:read", input).await.one();
    let wanted = json!([{"target": "O365Support", "rights": "FullAccess,ReadPermission,SendAs"}]);
    assert_eq!(mark["permissions"], wanted);
    let input = json!({"type": "group", "schema": {"includePermissions": true}});
    let groups = runner.run("std:entitlement:list", input).await.outputs();
    let team = groups.iter().find(|group| group["attributes"]["displayName"] == "Support team").unwrap();
    assert_eq!(team["permissions"], json!([{"target": "O365Support", "rights": "FullAccess,SendAs"}]));
    served.stop().await;
}
