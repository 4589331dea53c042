//! The audit log in all its states: no permission, no feed, gaps, content that is gone, a quota. What is
//! lost is read again, and the state is that of a fresh full aggregation.

use exogate_engine::aggregate::{Outcome, RunSummary};
use exogate_engine::delta::{self, Subscribed};
use exogate_microsoft::ErrorKind;
use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::{Author, Learnt};
use exogate_model::clock::Clock;
use exogate_sim::state::ResourceRole;
use exogate_sim::{AppSpec, Scenario};

use crate::add_permission;
use crate::bench::{Bench, line};
use crate::support::assert_same;

const KIM: &str = "kim.akers@contoso.com";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Nothing but the audit log tells of rights.
async fn only_the_log(mut bench: Bench) -> Bench {
    bench.options.reread = false;
    bench.options.change_time = false;
    bench.options.sweep = false;
    bench
}

fn without_feed() -> AppSpec {
    let mut app = AppSpec::exogate();
    app.roles.retain(|role| role != "ActivityFeed.Read");
    app
}

#[track_caller]
fn completed(summary: &RunSummary) {
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
}

#[track_caller]
fn says(summary: &RunSummary, text: &str) {
    assert!(summary.notes.iter().any(|note| note.contains(text)), "{text:?}: {:#?}", summary.notes);
}

#[track_caller]
fn does_not_say(summary: &RunSummary, text: &str) {
    assert!(!summary.notes.iter().any(|note| note.contains(text)), "{text:?}: {:#?}", summary.notes);
}

/// The grants of the application that reads, and other ones in their place.
fn roles(bench: &Bench, others: Option<Vec<ResourceRole>>) -> Vec<ResourceRole> {
    let mut state = bench.sim.running.world().state_mut();
    let app = state.app_mut(bench.sim.client_id()).unwrap();
    let before = app.roles.clone();
    app.roles = others.unwrap_or_else(|| before.clone());
    before
}

async fn granted(bench: &Bench) -> Vec<String> {
    bench.changes(0).await.iter().map(line).filter(|line| line.contains("granted")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_feed_the_audit_log_is_searched_from_the_first_look_on() {
    let bench = only_the_log(Bench::by(without_feed(), Scenario::default()).await).await;
    // Between the full aggregation and the first look: the log goes back that far.
    bench.pass(HOUR);
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    bench.pass(30 * HOUR);
    let summary = bench.delta().await;
    completed(&summary);
    says(&summary, "the audit log is searched instead");
    let changes = bench.changes(0).await;
    assert_eq!(
        changes.iter().map(line).collect::<Vec<_>>(),
        ["mailbox Quiet granted FullAccess kim.akers@contoso.com"]
    );
    assert_eq!(changes[0].learnt, Learnt::Activity);
    assert!(matches!(&changes[0].by, Author::SomeoneElse { call, .. } if call == "Add-MailboxPermission"));
    does_not_say(&summary, "all governed mailboxes are read again");

    // And from one look to the next.
    bench.run(add_permission("info@contoso.com", KIM, "FullAccess")).await;
    bench.pass(2 * DAY);
    completed(&bench.delta().await);
    assert_eq!(granted(&bench).await.len(), 2);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "by searching");

    // After more than a week the log may not go back far enough.
    bench.run(add_permission("quiet", KIM, "ReadPermission")).await;
    bench.pass(9 * DAY);
    let late = bench.delta().await;
    completed(&late);
    says(&late, "more than a week ago");
    assert_same(&bench.source.picture().await, &bench.fresh().await, "after a week");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_log_it_goes_on_and_says_what_is_lost() {
    let mut app = without_feed();
    app.directory_roles = vec!["Exchange Recipient Administrator".to_owned()];
    let mut bench = only_the_log(Bench::by(app, Scenario::default()).await).await;
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    bench.pass(5 * HOUR);
    let summary = bench.delta().await;
    completed(&summary);
    says(&summary, "neither the activity feed");
    assert_eq!(granted(&bench).await, [] as [&str; 0], "nothing else was to tell of it");
    bench.options.reread = true;
    bench.pass(5 * HOUR);
    completed(&bench.delta().await);
    let changes = bench.changes(0).await;
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].learnt, changes[0].by.is_unknown()), (Learnt::Reread, true));
    assert_same(&bench.source.picture().await, &bench.fresh().await, "without a log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_of_more_than_seven_days_has_everything_read_again() {
    let bench = only_the_log(Bench::new(crate::support::CONTOSO, Scenario::default()).await).await;
    bench.pass(HOUR);
    says(&bench.delta().await, "subscribed to the activity feed; first content can take 12 hours");
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    bench.pass(9 * DAY);
    let summary = bench.delta().await;
    completed(&summary);
    says(&summary, "keeps only seven");
    assert_eq!(granted(&bench).await.len(), 1);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "after a gap");
    bench.pass(HOUR);
    does_not_say(&bench.delta().await, "read again");
    assert_eq!(granted(&bench).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_is_no_longer_kept_has_everything_read_again() {
    let bench = only_the_log(Bench::new(crate::support::CONTOSO, Scenario::default()).await).await;
    bench.pass(HOUR);
    completed(&bench.delta().await);
    bench.sim.running.world().adjust(|scenario| scenario.activity.content_life_days = 1);
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    // Somebody else's look seals the content; ours comes when it has expired.
    bench.pass(2 * HOUR);
    let other = exogate_microsoft::activity::ActivityClient::new(bench.tenant.caller.clone()).unwrap();
    let now = bench.clock.now();
    let hours = |n: i64| jiff::SignedDuration::from_hours(n);
    let page = other.content_page(now - hours(12), now + hours(1), None).await.unwrap();
    assert!(!page.items.is_empty());
    bench.pass(2 * DAY);
    let summary = bench.delta().await;
    completed(&summary);
    says(&summary, "no longer kept");
    assert_eq!(granted(&bench).await.len(), 1);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "after content expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quota_is_waited_for_and_not_taken_for_a_missing_permission() {
    let bench = only_the_log(Bench::new(crate::support::CONTOSO, Scenario::default()).await).await;
    bench.pass(HOUR);
    completed(&bench.delta().await);
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    bench.pass(3 * HOUR);
    // Time stands still, so the minute of the quota does not end, and patience does.
    bench.sim.running.world().adjust(|scenario| scenario.activity.requests_per_minute = 1);
    let throttled = bench.delta().await;
    assert_eq!(throttled.outcome, Outcome::Incomplete, "{:#?}", throttled.streams);
    let (_, error) = throttled.failure().unwrap();
    assert_eq!(error.wire().unwrap().kind, ErrorKind::Throttled, "{error}");
    does_not_say(&throttled, "the audit log is searched instead");
    assert_eq!(granted(&bench).await, [] as [&str; 0]);
    bench.sim.running.world().adjust(|scenario| scenario.activity.requests_per_minute = 2000);
    bench.pass(HOUR);
    let summary = bench.delta().await;
    completed(&summary);
    assert_eq!(granted(&bench).await.len(), 1, "what was not read is read by the next look");
    assert_same(&bench.source.picture().await, &bench.fresh().await, "after the quota");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_somebody_ended_is_started_again_and_what_it_missed_is_read() {
    let bench = only_the_log(Bench::new(crate::support::CONTOSO, Scenario::default()).await).await;
    bench.pass(HOUR);
    completed(&bench.delta().await);
    let subscribed = async || {
        let (store, context) = (&bench.source.store, &bench.source.context);
        let status = delta::status(store, context, &bench.options, Some(&bench.tenant), bench.clock.now());
        status.await.unwrap().subscription.unwrap()
    };
    assert_eq!(subscribed().await, Subscribed::Enabled);
    bench.sim.running.world().services.activity.end_subscriptions();
    assert_eq!(subscribed().await, Subscribed::Disabled);
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    bench.pass(3 * HOUR);
    let summary = bench.delta().await;
    completed(&summary);
    says(&summary, "had been ended and was started again");
    says(&summary, "all governed mailboxes are read again");
    assert_eq!(granted(&bench).await.len(), 1, "nobody told of it, and it is found");
    assert_eq!(subscribed().await, Subscribed::Enabled);
    // From then on the feed tells again, and nothing else is read.
    bench.run(add_permission("info@contoso.com", KIM, "FullAccess")).await;
    bench.pass(3 * HOUR);
    let next = bench.delta().await;
    completed(&next);
    does_not_say(&next, "read again");
    assert_eq!(granted(&bench).await.len(), 2);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "after the subscription was ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permission_lost_and_given_back_loses_no_right() {
    let bench = only_the_log(Bench::new(crate::support::CONTOSO, Scenario::default()).await).await;
    bench.pass(HOUR);
    completed(&bench.delta().await);
    let granted_before = roles(&bench, None);
    let fewer = granted_before.iter().filter(|role| role.value != "ActivityFeed.Read").cloned().collect();
    roles(&bench, Some(fewer));
    bench.run(add_permission("quiet", KIM, "FullAccess")).await;
    bench.pass(3 * HOUR);
    let without = bench.delta().await;
    completed(&without);
    says(&without, "the audit log is searched instead");
    assert_eq!(granted(&bench).await.len(), 1);
    roles(&bench, Some(granted_before));
    bench
        .run(
            Cmdlet::new("Add-RecipientPermission")
                .text("Identity", "quiet@contoso.com")
                .text("Trustee", KIM)
                .texts("AccessRights", ["SendAs"])
                .flag("Confirm", false),
        )
        .await;
    bench.pass(3 * HOUR);
    let again = bench.delta().await;
    completed(&again);
    does_not_say(&again, "the audit log is searched instead");
    assert_eq!(granted(&bench).await.len(), 2, "records that both told of are told once");
    assert_same(&bench.source.picture().await, &bench.fresh().await, "with the feed again");
}
