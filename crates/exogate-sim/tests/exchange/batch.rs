//! Several calls in one request.

use serde_json::{Value as Json, json};

use crate::tenant::Bench;

fn item(bench: &Bench, id: Json, cmdlet: &str, parameters: Json) -> Json {
    json!({
        "id": id,
        "method": "POST",
        "url": format!("https://outlook.office365.com{}", bench.target()),
        "headers": {"Content-Type": "application/json", "X-CmdletName": cmdlet, "Prefer": "odata.maxpagesize=1"},
        "body": {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}},
    })
}

fn send(bench: &Bench, items: &[Json]) -> Vec<Json> {
    let target = format!("/adminapi/beta/{}/$batch", bench.tenant());
    let answer = bench.send(bench.request(bench.app, &target, json!({"requests": items}).to_string()));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["responses"].as_array().unwrap().clone()
}

#[test]
fn each_item_has_its_own_outcome() {
    let bench = Bench::new();
    let responses = send(
        &bench,
        &[
            item(&bench, json!("a"), "Get-Mailbox", json!({"Identity": "kim.akers"})),
            item(&bench, json!(7), "Get-Mailbox", json!({"Identity": "nobody"})),
            item(&bench, json!("c"), "Get-Nothing", json!({})),
            item(&bench, json!("d"), "Get-Mailbox", json!({"ResultSize": "Unlimited"})),
        ],
    );
    assert_eq!(
        responses.iter().map(|item| item["status"].as_u64().unwrap()).collect::<Vec<_>>(),
        [200, 404, 403, 200]
    );
    assert_eq!(responses[0]["id"], "a");
    assert_eq!(responses[1]["id"], 7);
    assert_eq!(responses[0]["headers"]["Cmdlet-Name"], "Get-Mailbox");
    assert_eq!(responses[1]["body"]["error"]["details"][0]["target"], "");
    assert!(responses[3]["body"]["@odata.nextLink"].is_string());
    let mut next = item(&bench, json!("d"), "Get-Mailbox", json!({"ResultSize": "Unlimited"}));
    next["url"] = responses[3]["body"]["@odata.nextLink"].clone();
    let second = send(&bench, &[next]);
    assert_eq!(second[0]["status"], 200);
    assert_ne!(second[0]["body"]["value"], responses[3]["body"]["value"]);
}

#[test]
fn larger_batches_pass_silently_unless_the_scenario_refuses_them() {
    let bench = Bench::new();
    let items: Vec<_> = (0..25).map(|n| item(&bench, json!(n), "Get-AcceptedDomain", json!({}))).collect();
    assert_eq!(send(&bench, &items).len(), 25);
    bench.world.adjust(|scenario| scenario.exchange.batch_refuse_larger = true);
    let target = format!("/adminapi/beta/{}/$batch", bench.tenant());
    let answer = bench.send(bench.request(bench.app, &target, json!({"requests": items}).to_string()));
    assert_eq!(answer.status, 400);
    let nested =
        json!({"requests": [{"id": "x", "method": "POST", "url": "$batch", "body": {"requests": []}}]});
    let answer = bench.send(bench.request(bench.app, &target, nested.to_string()));
    assert_eq!(answer.json()["responses"][0]["status"], 400);
}
