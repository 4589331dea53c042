//! Delta aggregation against the simulated tenant: each means by itself, what it tells, and who did it.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

#[path = "delta/audit.rs"]
mod audit;
#[path = "support/delta.rs"]
mod bench;
mod support;
#[path = "delta/sweep.rs"]
mod sweep;
#[path = "delta/switches.rs"]
mod switches;

use std::time::Duration;

use bench::{Bench, line};
use exogate_engine::aggregate::Outcome;
use exogate_engine::delta::DeltaOptions;
use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::{Author, Learnt};
use exogate_sim::Scenario;
use http::Method;
use serde_json::json;
use support::{CONTOSO, assert_same};

pub(crate) fn add_permission(mailbox: &str, who: &str, right: &str) -> Cmdlet {
    Cmdlet::new("Add-MailboxPermission")
        .text("Identity", mailbox)
        .text("User", who)
        .texts("AccessRights", [right])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_different_is_nothing_told() {
    let mut bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.options.reread = false;
    for _ in 0..3 {
        bench.pass(3600);
        let summary = bench.delta().await;
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    }
    assert_eq!(bench.changes(0).await, []);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "at rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_was_granted_outside_is_found_by_the_audit_log_with_who_granted_it() {
    let mut bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.options.reread = false;
    bench.options.change_time = false;
    // The first look subscribes; what was done before that is read again.
    bench.pass(3600);
    let first = bench.delta().await;
    assert_eq!(first.outcome, Outcome::Completed, "{:#?}", first.streams);
    bench.pass(3600);
    bench.run(add_permission("quiet", "kim.akers@contoso.com", "FullAccess")).await;
    bench
        .run(
            Cmdlet::new("Add-RecipientPermission")
                .text("Identity", "quiet@contoso.com")
                .text("Trustee", "Support team")
                .texts("AccessRights", ["SendAs"])
                .flag("Confirm", false),
        )
        .await;
    bench.pass(3 * 3600);
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let changes = bench.changes(0).await;
    let mut lines: Vec<_> = changes.iter().map(line).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "mailbox Quiet granted FullAccess kim.akers@contoso.com",
            "mailbox Quiet granted SendAs Support team",
        ],
        "{:#?}",
        summary.notes
    );
    for change in &changes {
        assert_eq!(change.learnt, Learnt::Activity, "{change:?}");
        assert!(matches!(&change.by, Author::SomeoneElse { app: Some(_), .. }), "{change:?}");
    }
    assert_same(&bench.source.picture().await, &bench.fresh().await, "after a grant");
    bench.pass(3600);
    bench.delta().await;
    assert_eq!(bench.changes(0).await.len(), 2, "nothing is told twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_tells_of_users_groups_members_and_owners() {
    let bench = Bench::new(CONTOSO, Scenario::default()).await;
    let mark = "users/mark.taylor@contoso.com";
    assert!(bench.graph(Method::PATCH, mark, Some(json!({"department": "Legal", "jobTitle": null}))).await);
    let new = json!({"accountEnabled": true, "displayName": "Nina New", "mailNickname": "nina",
        "userPrincipalName": "nina.new@contoso.com",
        "passwordProfile": {"password": "Passw0rd!longer", "forceChangePasswordNextSignIn": false}});
    assert!(bench.graph(Method::POST, "users", Some(new)).await);
    assert!(bench.graph(Method::DELETE, "users/lee.gu@contoso.com", None).await);
    bench.pass(3600);
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let mut lines: Vec<_> = bench.changes(0).await.iter().map(line).collect();
    lines.sort();
    for wanted in [
        "user lee.gu@contoso.com deleted",
        "user mark.taylor@contoso.com modified",
        "user nina.new@contoso.com created",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{lines:#?}");
    }
    bench.pass(3600);
    bench.delta().await;
    assert_same(&bench.source.picture().await, &bench.fresh().await, "users");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_forms_of_reset_lead_to_a_full_sweep_that_finds_what_is_gone() {
    use exogate_sim::graph::DeltaExpiry;
    for form in [DeltaExpiry::BadRequest, DeltaExpiry::Gone] {
        let bench = Bench::new(CONTOSO, Scenario::default()).await;
        assert!(bench.graph(Method::DELETE, "users/lee.gu@contoso.com", None).await);
        assert!(
            bench.graph(Method::PATCH, "users/ines.boss@contoso.com", Some(json!({"city": "Ulm"}))).await
        );
        bench.sim.running.world().adjust(|scenario| scenario.graph.delta_expiry = form);
        bench.pass(8 * 86_400);
        let summary = bench.delta().await;
        assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
        assert!(
            summary.notes.iter().any(|note| note.contains("no longer knew the link")),
            "{:#?}",
            summary.notes
        );
        let lines: Vec<_> = bench.changes(0).await.iter().map(line).collect();
        assert!(lines.iter().any(|line| line == "user lee.gu@contoso.com deleted"), "{lines:#?}");
        bench.pass(3600);
        let next = bench.delta().await;
        assert!(!next.notes.iter().any(|note| note.contains("no longer knew")), "{:#?}", next.notes);
        assert_same(&bench.source.picture().await, &bench.fresh().await, "after a reset");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_of_another_kind_or_name_and_one_that_is_gone() {
    let bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.pass(1800);
    bench
        .run(
            Cmdlet::new("Set-Mailbox")
                .text("Identity", "info@contoso.com")
                .text("DisplayName", "Information"),
        )
        .await;
    bench.run(Cmdlet::new("Set-Mailbox").text("Identity", "quiet@contoso.com").text("Type", "Regular")).await;
    bench
        .run(Cmdlet::new("Remove-Mailbox").text("Identity", "info2@contoso.com").flag("Confirm", false))
        .await;
    bench.pass(3600);
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    bench.pass(3600);
    bench.delta().await;
    assert_same(&bench.source.picture().await, &bench.fresh().await, "mailboxes");
    let lines: Vec<_> = bench.changes(0).await.iter().map(line).collect();
    assert!(lines.iter().any(|line| line == "mailbox INFO deleted"), "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.ends_with("deleted")).count(), 2, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_record_the_turn_of_the_mailbox_comes() {
    let mut bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.options = DeltaOptions {
        activity: false,
        change_time: false,
        directory: false,
        sweep: false,
        freshness: Duration::from_secs(3600),
        ..DeltaOptions::default()
    };
    bench.run(add_permission("quiet", "kim.akers@contoso.com", "FullAccess")).await;
    bench.pass(3601);
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let changes = bench.changes(0).await;
    assert_eq!(
        changes.iter().map(line).collect::<Vec<_>>(),
        ["mailbox Quiet granted FullAccess kim.akers@contoso.com"]
    );
    assert_eq!((changes[0].learnt, changes[0].by.is_unknown()), (Learnt::Reread, true));
    assert_same(&bench.source.picture().await, &bench.fresh().await, "its turn");
}
