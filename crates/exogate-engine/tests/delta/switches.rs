//! Each means switched off: the result is right, only later.

use std::time::Duration;

use exogate_engine::aggregate::Outcome;
use exogate_engine::delta::DeltaOptions;
use exogate_microsoft::exchange::Cmdlet;
use exogate_sim::Scenario;
use exogate_sim::state::Face;
use http::Method;
use serde_json::json;

use crate::add_permission;
use crate::bench::Bench;
use crate::support::{CONTOSO, assert_same};

const HOUR: u64 = 3600;

/// One deed of each kind that the means find, and one that no feed tells of.
async fn deeds(bench: &Bench) {
    let mark = "users/mark.taylor@contoso.com";
    assert!(bench.graph(Method::PATCH, mark, Some(json!({"department": "Legal"}))).await);
    assert!(bench.graph(Method::DELETE, "users/lee.gu@contoso.com", None).await);
    let group = json!({"displayName": "New group", "mailEnabled": false, "mailNickname": "new-group",
        "securityEnabled": true});
    assert!(bench.graph(Method::POST, "groups", Some(group)).await);
    bench.run(add_permission("quiet", "kim.akers@contoso.com", "FullAccess")).await;
    let set = |who: &str| Cmdlet::new("Set-Mailbox").text("Identity", who);
    bench.run(set("info@contoso.com").text("DisplayName", "Information")).await;
    bench.run(set("support@contoso.com").texts("GrantSendOnBehalfTo", ["kim.akers@contoso.com"])).await;
    bench
        .run(
            Cmdlet::new("New-Mailbox")
                .switch("Shared")
                .text("Name", "Newcomer")
                .text("DisplayName", "Newcomer"),
        )
        .await;
    let add = Cmdlet::new("Add-DistributionGroupMember")
        .text("Identity", "All staff")
        .text("Member", "kim.akers@contoso.com")
        .flag("BypassSecurityGroupManagerCheck", true);
    bench.run(add).await;
}

/// What no record ever tells of.
fn silently(bench: &Bench) {
    let world = bench.sim.running.world();
    let mut state = world.state_mut();
    let idx = state.by_identity(false, "support@contoso.com")[0];
    let removed = state.edit(Face::Exchange, world.now()).update(idx, |object| {
        let mailbox = object.recipient.as_deref_mut().and_then(|r| r.mailbox.as_deref_mut()).unwrap();
        mailbox.aces.pop().unwrap();
    });
    assert!(removed.is_ok());
}

async fn reads(bench: &Bench) {
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
}

async fn right_in_the_end(what: &str, options: DeltaOptions) {
    let mut bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.options = options;
    bench.pass(HOUR);
    reads(&bench).await;
    deeds(&bench).await;
    silently(&bench);
    // Within the target of four hours, and beyond it until every turn has come.
    for _ in 0..4 {
        bench.pass(2 * HOUR);
        reads(&bench).await;
    }
    if !bench.options.reread {
        // What no feed tells of is found by the next full aggregation alone.
        let mut full = bench.source.aggregation(&bench.tenant);
        full.allow_deletions = true;
        let summary = exogate_engine::aggregate::run(full).await.unwrap();
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    }
    assert_same(&bench.source.picture().await, &bench.fresh().await, what);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_any_one_means_switched_off_the_result_is_right() {
    let on = DeltaOptions::default();
    right_in_the_end("everything on", on.clone()).await;
    right_in_the_end("without the directory", DeltaOptions { directory: false, ..on.clone() }).await;
    right_in_the_end("without times of change", DeltaOptions { change_time: false, ..on.clone() }).await;
    right_in_the_end("without the audit log", DeltaOptions { activity: false, ..on.clone() }).await;
    right_in_the_end("without a sweep", DeltaOptions { sweep: false, ..on.clone() }).await;
    right_in_the_end("without rereading", DeltaOptions { reread: false, ..on }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_every_means_switched_off_but_one_it_is_later_and_still_right() {
    let mut bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.options = DeltaOptions {
        directory: false,
        change_time: false,
        activity: false,
        sweep: false,
        freshness: Duration::from_secs(4 * HOUR),
        ..DeltaOptions::default()
    };
    bench.pass(HOUR);
    reads(&bench).await;
    let before = bench.source.picture().await;
    assert!(before.contains("mark.taylor") && !before.contains("Legal"));
    deeds(&bench).await;
    bench.pass(HOUR);
    reads(&bench).await;
    assert!(!bench.source.picture().await.contains("Newcomer"), "nobody has looked yet");
    for _ in 0..3 {
        bench.pass(4 * HOUR);
        reads(&bench).await;
    }
    assert_same(&bench.source.picture().await, &bench.fresh().await, "rereading alone");
}
