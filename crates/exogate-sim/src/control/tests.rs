//! The control API through its handler.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::clock::{ClockOptions, Time};
use crate::generate::{self, Sizes};
use crate::options::{Scenario, TraceSink};
use crate::server::Request;
use crate::world::World;

const NOW: Time = Time::from_seconds(1_790_000_000);

fn world() -> Arc<World> {
    let scenario = Scenario {
        clock: ClockOptions { start: Some(NOW), scale: 1.0, frozen: true },
        ..Scenario::default()
    };
    let state = generate::tenant(&Sizes { users: 30, ..Sizes::default() }, NOW).unwrap();
    Arc::new(World::new(state, scenario, None, &TraceSink::Memory).unwrap())
}

async fn call(world: &Arc<World>, method: &str, target: &str, body: &Value) -> (u16, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = Request::new(method, "localhost", target, world.now());
    if !body.is_null() {
        request = request.with_body(body.to_string());
    }
    let reply = handle(world, request).await;
    let bytes = reply.body.to_bytes();
    (reply.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_tester_can_turn_everything() {
    let world = world();
    let (status, list) = call(&world, "GET", "/_sim/", &Value::Null).await;
    assert_eq!((status, list.as_array().unwrap().len()), (200, 33));

    let (_, clock) = call(&world, "POST", "/_sim/clock", &json!({"advance_seconds": 60})).await;
    assert_eq!(clock["millis"], json!(NOW.millis() + 60_000));

    let (status, _) = call(&world, "PATCH", "/_sim/throttle", &json!({"exchange": {"concurrency": 4}})).await;
    assert_eq!(status, 200);
    assert_eq!(world.scenario().throttle.exchange.concurrency, Some(4));
    let (status, error) = call(&world, "PATCH", "/_sim/scenario", &json!({"nonsense": 1})).await;
    assert_eq!(status, 400);
    assert!(error["error"].as_str().unwrap().contains("nonsense"));

    let rule = json!({"match": {"cmdlet": "Get-Mailbox"}, "action": {"kind": "reset_before"}});
    assert_eq!(call(&world, "POST", "/_sim/faults", &rule).await.0, 204);
    let (_, rules) = call(&world, "GET", "/_sim/faults", &Value::Null).await;
    assert_eq!(rules[0]["fired"], json!(0));
    assert_eq!(call(&world, "DELETE", "/_sim/faults", &Value::Null).await.0, 204);
    assert!(world.faults.states().is_empty());

    let spec = json!({"display_name": "tester", "generate_secret": true, "roles": ["User.Read.All"]});
    let (_, app) = call(&world, "POST", "/_sim/apps", &spec).await;
    let id = app["client_id"].as_str().unwrap().to_owned();
    let change = json!({"add_roles": ["Exchange.ManageAsApp"], "remove_roles": ["User.Read.All"],
        "add_directory_roles": ["Global Reader"]});
    assert_eq!(call(&world, "PATCH", &format!("/_sim/apps/{id}"), &change).await.0, 204);
    let (_, apps) = call(&world, "GET", "/_sim/apps", &Value::Null).await;
    let shown = apps.as_array().unwrap().iter().find(|a| a["client_id"] == *id).unwrap();
    assert_eq!(shown["roles"][0]["value"], "Exchange.ManageAsApp");
    assert!(!apps.to_string().contains(app["secret"].as_str().unwrap()), "no secrets in listings");
    let (_, secret) = call(&world, "POST", &format!("/_sim/apps/{id}/secrets"), &json!({})).await;
    let key = secret["key_id"].as_str().unwrap();
    let target = format!("/_sim/apps/{id}/credentials/{key}");
    assert_eq!(call(&world, "DELETE", &target, &Value::Null).await.0, 204);
    assert_eq!(call(&world, "DELETE", &target, &Value::Null).await.0, 404);
    let bad = json!({"certificate": "bm90IGEgY2VydA=="});
    let (status, error) = call(&world, "POST", &format!("/_sim/apps/{id}/certificates"), &bad).await;
    assert_eq!(status, 400);
    assert!(error["error"].as_str().unwrap().contains("X.509"));
}

#[tokio::test]
async fn an_administrator_can_do_what_hands_would_do() {
    let world = world();
    let addition = json!({
        "users": [{"name": "New Person"}],
        "mailboxes": [{"name": "New Box"}],
        "permissions": [{"on": "New Box", "to": "New Person", "rights": ["FullAccess", "SendAs"]}],
    });
    let mark = world.state().changes().last();
    assert_eq!(call(&world, "POST", "/_sim/fixture?face=graph", &addition).await.0, 204);
    assert!(world.state().changes().last() > mark, "the change log knows");
    let (_, shown) = call(&world, "GET", "/_sim/objects/New%20Box", &Value::Null).await;
    assert_eq!(shown["recipient"]["details"], "SharedMailbox");
    let change = json!({"kind": "regular", "hidden": true, "primary_address": "box@contoso.com"});
    assert_eq!(call(&world, "PATCH", "/_sim/objects/New%20Box", &change).await.0, 204);
    let (_, shown) = call(&world, "GET", "/_sim/objects/box@contoso.com", &Value::Null).await;
    assert_eq!(shown["recipient"]["details"], "UserMailbox");
    let removal = json!({"on": "New Box", "to": "New Person", "rights": ["FullAccess"]});
    assert_eq!(call(&world, "POST", "/_sim/permissions/remove", &removal).await.0, 204);
    let (_, shown) = call(&world, "GET", "/_sim/objects/New%20Box", &Value::Null).await;
    assert!(shown["recipient"]["mailbox"].get("aces").is_none());
    assert_eq!(shown["recipient"]["send_as"].as_array().unwrap().len(), 1);
    assert_eq!(call(&world, "DELETE", "/_sim/objects/New%20Person", &Value::Null).await.0, 204);
    let restored = call(&world, "POST", "/_sim/objects/New%20Person/restore", &Value::Null).await;
    assert_eq!(restored.0, 204);
    let gone = "/_sim/objects/New%20Person?permanent=true";
    assert_eq!(call(&world, "DELETE", gone, &Value::Null).await.0, 204);
    assert_eq!(call(&world, "GET", "/_sim/objects/New%20Person", &Value::Null).await.0, 404);
}

#[tokio::test]
async fn the_tenant_can_be_carried_away_and_put_back() {
    let world = world();
    let get = Request::new(Method::GET, "localhost", "/_sim/state", NOW);
    let saved = handle(&world, get).await.body.to_bytes();
    world.state_mut().load().purge(crate::state::Idx(1)).unwrap();
    let put = Request::new(Method::PUT, "localhost", "/_sim/state", NOW).with_body(saved.clone());
    assert_eq!(handle(&world, put).await.status.as_u16(), 204);
    let mut again = Vec::new();
    world.state().save(&mut again).unwrap();
    assert!(saved == again);
    for (method, target) in
        [("GET", "/"), ("GET", "/_sim/x"), ("POST", "/_sim/tenant"), ("PUT", "/_sim/state")]
    {
        let (status, error) = call(&world, method, target, &json!([])).await;
        assert!((400..500).contains(&status), "{method} {target}: {status}");
        assert!(error["error"].is_string());
    }
}
