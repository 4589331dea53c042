//! The activity feed, and what a scenario can bend.

use exogate_sim::Scenario;
use exogate_sim::faults::FaultAction;
use exogate_sim::server::Request;
use exogate_sim::throttle::ThrottleShape;
use http::Method;
use serde_json::{Value as Json, json};

use crate::probe::{Everything, Expect, State, Table, judge};
use crate::tenant::block_on;

pub fn tables() -> Vec<Table> {
    let all = Everything::new();
    let mut table = Table::new("Activity feed", "", &["request", "state"]);
    for (method, path, expect) in [
        ("GET", "subscriptions/content?contentType=Audit.Exchange", Expect::Refusal(400, "AF20022")),
        ("POST", "subscriptions/start?contentType=Audit.Exchange", Expect::Works),
        ("GET", "subscriptions/list", Expect::Works),
        ("GET", "subscriptions/content?contentType=Audit.Exchange", Expect::Works),
        ("GET", "subscriptions/content?contentType=Audit.Nonsense", Expect::Refusal(400, "AF20020")),
        (
            "GET",
            "subscriptions/content?contentType=Audit.Exchange&startTime=2020-01-01T00:00:00&endTime=2020-01-01T01:00:00",
            Expect::Refusal(400, "AF200"),
        ),
        ("GET", "audit/nonsense", Expect::Refusal(400, "AF200")),
        ("POST", "subscriptions/stop?contentType=Audit.Exchange", Expect::Works),
    ] {
        table.add([&format!("`{method} …/{path}`")], judge(&all.feed(method, path), expect));
    }
    let mut bent = Table::new(
        "Faults and throttling",
        "Each can be asked for in a scenario file or over the control API.",
        &["fault", "state"],
    );
    let fault = |kind: &str| {
        let mut action = json!({"kind": kind});
        match kind {
            "status" => action["status"] = json!(503),
            "delay" => action["millis"] = json!(10),
            _ => {}
        }
        serde_json::from_value::<FaultAction>(action).is_ok()
    };
    for kind in [
        "status",
        "nul403",
        "html",
        "reset_before",
        "reset_after",
        "delay",
        "plain_throttle",
        "transient400",
        "truncate",
        "expire_page_tokens",
        "localise",
        "stale",
    ] {
        bent.add([&format!("`{kind}`")], if fault(kind) { State::Supported } else { State::NotYet });
    }
    for shape in [
        "retry_after",
        "bare",
        "plain_text",
        "plain_text_unavailable",
        "plain_text429",
        "unavailable",
        "rotate",
    ] {
        let known = serde_json::from_value::<ThrottleShape>(json!(shape)).is_ok();
        bent.add(
            [&format!("throttle shape `{shape}`")],
            if known { State::Supported } else { State::NotYet },
        );
    }
    vec![table, bent, settings(), control(&all)]
}

/// Every setting of a scenario with its default.
fn settings() -> Table {
    let mut table = Table::new("Scenario settings", "", &["setting", "default"]);
    let mut flat = Vec::new();
    flatten("", &serde_json::to_value(Scenario::default()).unwrap(), &mut flat);
    for (name, value) in flat {
        table.rows.push(vec![format!("`{name}`"), format!("`{value}`")]);
    }
    table
}

fn flatten(path: &str, value: &Json, out: &mut Vec<(String, String)>) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (name, inner) in map {
                let longer = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&longer, inner, out);
            }
        }
        other => out.push((path.to_owned(), other.to_string())),
    }
}

/// Every call of the control API, as it lists them itself.
fn control(all: &Everything) -> Table {
    let mut table = Table::new("Control API calls", "", &["call", "what"]);
    let request = Request::new(Method::GET, "127.0.0.1", "/_sim/", all.bench.world.now());
    let reply = block_on(exogate_sim::control::handle(&all.bench.world, request));
    let calls: Json = serde_json::from_slice(&reply.body.to_bytes()).unwrap();
    for call in calls.as_array().unwrap() {
        let text = |name: &str| call[name].as_str().unwrap();
        table.rows.push(vec![format!("`{} {}`", text("method"), text("path")), text("what").to_owned()]);
    }
    table
}
