//! Delta aggregation against the simulated tenant: each means by itself, what it tells, and who did it.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

#[path = "support/delta.rs"]
mod bench;
mod support;

use std::time::Duration;

use bench::{Bench, line};
use exogate_engine::aggregate::Outcome;
use exogate_engine::delta::DeltaOptions;
use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::{Author, Learnt};
use exogate_sim::{Scenario, Sizes};
use http::Method;
use serde_json::json;
use support::{CONTOSO, assert_same};

fn add_permission(mailbox: &str, who: &str, right: &str) -> Cmdlet {
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

/// Calls of a full aggregation, and of a delta after so many changes: half of users, half of rights.
async fn cost(users: u32, shared: u32, changes: usize) -> (u64, u64) {
    let sizes = Sizes { users, shared, groups: 20, ..Sizes::default() };
    let mut bench = Bench::generated(sizes).await;
    let full = bench.calls();
    bench.options.reread = false;
    bench.options.sweep = false;
    // The first look subscribes and reads everything again.
    bench.pass(3600);
    bench.delta().await;
    bench.pass(3600);
    let store = &bench.source.store;
    let people = store.accounts(None, changes).await.unwrap().items;
    let boxes = store.entitlements(None, changes / 2).await.unwrap().items;
    for (index, entitlement) in boxes.iter().enumerate() {
        let who = &people[index].user.upn;
        bench.run(add_permission(&entitlement.mailbox.primary_smtp, who, "FullAccess")).await;
    }
    for person in people.iter().rev().take(changes - boxes.len()) {
        let path = format!("users/{}", person.user.id);
        assert!(bench.graph(Method::PATCH, &path, Some(json!({"jobTitle": "Changed"}))).await);
        bench.pass(1);
    }
    bench.pass(3 * 3600);
    let before = bench.calls();
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let told = bench.changes(0).await.len();
    assert!(told >= changes, "{told} of {changes} changes were told: {:#?}", summary.notes);
    let delta = bench.calls() - before;
    eprintln!(
        "{users} users, {shared} shared mailboxes, {changes} changes: {full} calls in full, {delta} as a delta"
    );
    (full, delta)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_costs_what_changed_and_not_what_is_there() {
    let (small_full, small) = cost(60, 10, 10).await;
    let (large_full, large) = cost(240, 60, 10).await;
    assert!(large_full > small_full + 40, "{small_full} {large_full}");
    assert!(large <= small + 2, "{small} {large}");
    let (_, more) = cost(240, 60, 40).await;
    assert!(more > large, "{large} {more}");
    assert!(more < large + 40, "{large} {more}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_in_order_again_after_a_failure_and_never_the_same_after_a_success() {
    use std::sync::Mutex;

    use exogate_engine::delta::webhook::{Delivery, Filter, Message, Sender, Webhook, deliver};
    use exogate_model::clock::Clock;

    struct Receiver(Mutex<(Vec<Message>, u32)>);
    #[async_trait::async_trait]
    impl Sender for Receiver {
        async fn send(&self, message: &Message) -> Result<(), String> {
            let (messages, failures) = &mut *self.0.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err("it is down".to_owned());
            }
            messages.push(message.clone());
            Ok(())
        }
    }

    let bench = Bench::new(CONTOSO, Scenario::default()).await;
    let store = &bench.source.store;
    let filter = Filter { outside: true, ..Filter::default() };
    let hook = Webhook { name: "siem".into(), secret: "key".into(), filter, attempts: 2 };
    let receiver = Receiver(Mutex::new((Vec::new(), 0)));
    let now = || bench.clock.now();
    assert_eq!(deliver(store, &hook, &receiver, now()).await.unwrap(), Delivery::Done { changes: 0 });
    let rename = |city: &str| json!({ "city": city });
    assert!(bench.graph(Method::PATCH, "users/ines.boss@contoso.com", Some(rename("Ulm"))).await);
    bench.pass(600);
    bench.delta().await;
    receiver.0.lock().unwrap().1 = 1;
    let Delivery::Waiting { until, reason } = deliver(store, &hook, &receiver, now()).await.unwrap() else {
        panic!("it was down")
    };
    assert_eq!(reason.as_deref(), Some("it is down"));
    assert!(matches!(
        deliver(store, &hook, &receiver, now()).await.unwrap(),
        Delivery::Waiting { reason: None, .. }
    ));
    assert!(matches!(
        deliver(store, &hook, &receiver, until).await.unwrap(),
        Delivery::Done { changes: 1.. }
    ));
    let told = receiver.0.lock().unwrap().0.len();
    assert_eq!(told, 1);
    assert_eq!(deliver(store, &hook, &receiver, now()).await.unwrap(), Delivery::Done { changes: 0 });

    // What cannot be delivered is put aside, and what comes after it is delivered.
    assert!(bench.graph(Method::PATCH, "users/ines.boss@contoso.com", Some(rename("Bern"))).await);
    bench.pass(600);
    bench.delta().await;
    receiver.0.lock().unwrap().1 = 2;
    let Delivery::Waiting { until, .. } = deliver(store, &hook, &receiver, now()).await.unwrap() else {
        panic!("it was down")
    };
    assert!(matches!(deliver(store, &hook, &receiver, until).await.unwrap(), Delivery::Done { .. }));
    let dead = store.dead_letters("siem").await.unwrap();
    assert!(!dead.is_empty());
    assert_eq!((dead[0].attempts, dead[0].reason.as_str()), (2, "it is down"));
}
