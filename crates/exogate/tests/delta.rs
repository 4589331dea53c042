//! Deltas, changes and freshness as their user meets them: `aggregate --delta`, `changes`, `status`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::Sandbox;
use common::changes::{KIM, agrees_with_the_tenant, lines, ready};
use common::tenant::Tenant;
use exogate_sim::Scenario;
use serde_json::Value;

/// Audit records without delay.
fn scenario() -> Scenario {
    let mut scenario = Scenario::default();
    scenario.provisioning.audit_seconds = 0.0;
    scenario.activity.blob_seconds = 1;
    scenario
}

/// An administrator of the same tenant, with a store of their own: to us, somebody else.
async fn somebody(tenant: &Tenant, ours: &Sandbox) -> Sandbox {
    let theirs = Sandbox::new();
    tenant.configure(&theirs, "");
    theirs.write("exogate.toml", &ours.read("exogate.toml"));
    theirs.run_beside(&["aggregate", "all"]).await.ok();
    theirs
}

async fn changes(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> = ["changes", "--json"].iter().chain(arguments).copied().collect();
    lines(&sandbox.run_beside(&all).await.ok().stdout)
}

/// Reads differences until it is so.
async fn delta_until(sandbox: &Sandbox, what: &[&str], is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut last = Vec::new();
    for _ in 0..120 {
        sandbox.run_beside(&["aggregate", "all", "--delta"]).await.ok();
        last = changes(sandbox, what).await;
        if is_so(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("{last:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_do_is_found_with_who_did_it_and_told_by_every_flag() {
    let (tenant, sandbox) = ready(scenario()).await;
    let theirs = somebody(&tenant, &sandbox).await;
    let first = sandbox.run_beside(&["aggregate", "all", "--delta"]).await.ok();
    assert!(first.stdout.contains("Aggregated all of contoso"), "{}", first.all());
    assert!(
        first.stdout.contains("subscribed to the activity feed; first content can take 12 hours"),
        "{}",
        first.all()
    );
    assert_eq!(changes(&sandbox, &[]).await, [] as [Value; 0]);

    theirs.run_beside(&["grant", "O365Support: FullAccess", "--to", KIM, "--wait", "20"]).await.ok();
    sandbox.run_beside(&["grant", "Quiet: SendAs", "--to", KIM, "--wait", "20"]).await.ok();
    let known = |found: &[Value]| found.len() == 1 && found[0]["by"]["who"] == "someoneElse";
    let outside = delta_until(&sandbox, &["--outside"], known).await;
    assert_eq!((&outside[0]["what"], &outside[0]["right"]), (&"granted".into(), &"FullAccess".into()));
    assert_eq!(outside[0]["by"]["call"], "Add-MailboxPermission");
    let all = changes(&sandbox, &[]).await;
    let ours = changes(&sandbox, &["--by", "ours"]).await;
    assert_eq!((ours.len(), &ours[0]["right"]), (1, &"SendAs".into()), "{all:#?}");
    assert_eq!(changes(&sandbox, &["--by", &tenant.client_id]).await.len(), 1);
    assert_eq!(changes(&sandbox, &["--by", "outside"]).await, outside);
    assert_eq!(changes(&sandbox, &["--mailbox", "quiet@contoso.com"]).await, ours);
    let number = |change: &Value| change["sequence"].as_i64().unwrap();
    let after = number(&all[0]).to_string();
    assert_eq!(changes(&sandbox, &["--since", &after]).await, all[1..]);
    assert_eq!(changes(&sandbox, &["--since", "1h"]).await, all);
    assert_eq!(changes(&sandbox, &["--since", "2020-01-01T00:00:00Z", "--limit", "1"]).await, all[..1]);
    assert_eq!(changes(&sandbox, &["--limit", "1"]).await, all[all.len() - 1..]);
    let table = sandbox.run_beside(&["changes", "--format", "table"]).await.ok();
    assert!(table.stdout.contains("FullAccess to kim.akers@contoso.com"), "{}", table.all());
    let csv = sandbox.run_beside(&["changes", "--format", "csv"]).await.ok();
    assert!(csv.stdout.starts_with("number,when,object,name,change,learnt,by\n"), "{}", csv.all());

    for (wrong, says) in
        [(["--since", "yesterday"], "use the number of a change"), (["--limit", "0"], "1..=1000000")]
    {
        let refused = sandbox.run_beside(&["changes", wrong[0], wrong[1]]).await.exits(2);
        assert!(refused.stderr.contains(says), "{}", refused.all());
    }
    let nobody = sandbox.run_beside(&["changes", "--mailbox", "quite@contoso.com"]).await.exits(1);
    assert!(nobody.stderr.contains("did you mean"), "{}", nobody.all());
    agrees_with_the_tenant(&sandbox).await;
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_says_how_fresh_everything_is_and_a_delta_makes_it_fresh() {
    let (tenant, sandbox) = ready(scenario()).await;
    let status = async |arguments: &[&str]| {
        let all: Vec<&str> = ["status"].iter().chain(arguments).copied().collect();
        sandbox.run_beside(&all).await.ok().stdout
    };
    let before = status(&[]).await;
    assert!(before.contains("last delta            never"), "{before}");
    assert!(before.contains("not subscribed; the next delta subscribes"), "{before}");
    assert!(before.contains("4 h 0 min: met, not yet known whether it can be kept"), "{before}");
    sandbox.run_beside(&["aggregate", "all", "--delta"]).await.ok();
    let after = status(&[]).await;
    assert!(after.contains("activity feed         subscribed"), "{after}");
    tenant.sim.world().services.activity.end_subscriptions();
    let ended = status(&[]).await;
    assert!(ended.contains("the subscription was ended; the next delta starts it again"), "{ended}");
    let delta = sandbox.run_beside(&["aggregate", "all", "--delta"]).await.ok();
    assert!(delta.all().contains("had been ended and was started again"), "{}", delta.all());
    let again = status(&[]).await;
    assert!(again.contains("activity feed         subscribed"), "{again}");

    // Ten hours pass without anybody reading.
    let store = rusqlite::Connection::open(sandbox.path("exogate.db")).unwrap();
    store.execute("UPDATE facet_reads SET read_at = read_at - 36000000", []).unwrap();
    store
        .execute("UPDATE runs SET started = started - 36000000, finished = finished - 36000000", [])
        .unwrap();
    drop(store);
    let old = status(&["--offline"]).await;
    assert!(old.contains("4 h 0 min: not met") && !old.contains("activity feed"), "{old}");
    let json: Value = serde_json::from_str(status(&["--offline", "--json"]).await.trim()).unwrap();
    assert_eq!(
        (&json["source"], &json["freshness"]["met"], &json["freshness"]["target"]),
        (&"contoso".into(), &false.into(), &14400.into())
    );
    sandbox.run_beside(&["aggregate", "all", "--delta"]).await.ok();
    let fresh: Value = serde_json::from_str(status(&["--offline", "--json"]).await.trim()).unwrap();
    assert_eq!((&fresh["freshness"]["met"], &fresh["backlog"]), (&true.into(), &0.into()), "{fresh}");
    // As many as are governed were read in the ten hours: enough for a target of four.
    assert!(fresh["freshness"]["perHour"].is_number(), "{fresh}");
    assert!(fresh["freshness"]["canBeMet"].is_boolean(), "{fresh}");
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_changes_are_dropped_and_whoever_wants_them_is_told_to_start_over() {
    let (tenant, sandbox) = ready(scenario()).await;
    for verb in [["grant", "--to"], ["revoke", "--from"]] {
        sandbox.run_beside(&[verb[0], "Quiet: SendAs", verb[1], KIM, "--wait", "20"]).await.ok();
    }
    let all = changes(&sandbox, &[]).await;
    assert_eq!(all.len(), 2);
    let end = all[1]["sequence"].to_string();
    let ahead = sandbox.run_beside(&["changes", "--since", "999"]).await.exits(7);
    assert!(ahead.stderr.contains(&format!("exogate changes --since {end}")), "{}", ahead.all());
    let store = rusqlite::Connection::open(sandbox.path("exogate.db")).unwrap();
    store.execute("UPDATE changes SET at = at - 8640000000 WHERE sequence < ?1", [&end]).unwrap();
    drop(store);
    sandbox.run_beside(&["aggregate", "all", "--delta"]).await.ok();
    assert_eq!(changes(&sandbox, &[]).await, all[1..]);
    let gone = sandbox.run_beside(&["changes", "--since", "0"]).await.exits(7);
    assert!(gone.stderr.contains("changes after that number are no longer kept"), "{}", gone.all());
    assert!(gone.stderr.contains(&format!("exogate changes --since {end}")), "{}", gone.all());
    assert_eq!(changes(&sandbox, &["--since", &end]).await, [] as [Value; 0]);
    let long = sandbox.run_beside(&["changes", "--since", "365d", "--json"]).await.ok();
    assert!(long.stderr.contains("are no longer kept"), "{}", long.all());
    assert_eq!(lines(&long.stdout).len(), 1);

    // Kept for two hundred days, nothing would have been dropped: the key decides.
    let config = sandbox
        .read("exogate.toml")
        .replace("[sources.contoso.options]\n", "[sources.contoso.options]\nkeep_changes = \"200d\"\n");
    sandbox.write("exogate.toml", &config);
    let store = rusqlite::Connection::open(sandbox.path("exogate.db")).unwrap();
    store.execute("UPDATE changes SET at = at - 8640000000", []).unwrap();
    drop(store);
    sandbox.run_beside(&["aggregate", "all"]).await.ok();
    assert_eq!(changes(&sandbox, &[]).await.len(), 1);
    sandbox.write("exogate.toml", &config.replace("200d", "20h"));
    let short = sandbox.run_beside(&["aggregate", "all"]).await.exits(2);
    assert!(short.stderr.contains("keep_changes: must be at least a day"), "{}", short.all());
    tenant.sim.shutdown().await;
}
