//! A tenant that throttles, fails, lies and cuts off: the result is that of a calm one, or says
//! what is missing, and nothing already stored is lost.

mod support;

use std::sync::Arc;
use std::time::Duration;

use exogate_engine::Tenant;
use exogate_engine::aggregate::{self, Outcome, Stage, StreamError, StreamKind};
use exogate_microsoft::ErrorKind;
use exogate_microsoft::caller::Caller;
use exogate_model::source::SourceOptions;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_sim::throttle::ThrottleShape;
use exogate_sim::{AppSpec, Scenario, Sizes};
use support::{CONTOSO, Now, Sim, Source, assert_same};

fn on(cmdlet: &str, action: FaultAction) -> FaultRule {
    FaultRule {
        name: None,
        when: FaultMatch { cmdlet: Some(cmdlet.to_owned()), ..FaultMatch::default() },
        action,
    }
}

fn at(path: &str, action: FaultAction) -> FaultRule {
    FaultRule {
        name: None,
        when: FaultMatch { path: Some(path.to_owned()), ..FaultMatch::default() },
        action,
    }
}

fn status(status: u16, retry_after: Option<u32>) -> FaultAction {
    FaultAction::Status { status, body: None, content_type: None, retry_after }
}

fn with(faults: Vec<FaultRule>) -> Scenario {
    Scenario { faults, ..Scenario::default() }
}

fn options() -> SourceOptions {
    SourceOptions {
        aggregate_all_groups: true,
        manage_microsoft_365_groups: true,
        ..SourceOptions::default()
    }
}

/// What an undisturbed aggregation of the small tenant shows.
async fn calm() -> String {
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    let source = Source::new(options()).await;
    assert_eq!(source.aggregate(&sim.tenant(true)).await.outcome, Outcome::Completed);
    source.picture().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flaking_tenant_gives_the_same_result_as_a_calm_one() {
    let every = |nth, action| FaultRule {
        name: None,
        when: FaultMatch { every: Some(nth), ..FaultMatch::default() },
        action,
    };
    let mut scenario = with(vec![
        every(5, status(429, Some(0))),
        every(7, status(503, None)),
        every(11, status(504, None)),
        every(6, FaultAction::ResetBefore),
        every(13, FaultAction::ResetAfter),
        on("Get-MailboxPermission", FaultAction::PlainThrottle { status: 200 }),
        on("Get-Mailbox", FaultAction::Transient400 { exception: "StorageTransientException".into() }),
        every(17, FaultAction::Truncate),
    ]);
    for rule in &mut scenario.faults[5..7] {
        rule.when.every = Some(3);
    }
    scenario.exchange.max_page_size = 3;
    scenario.graph.delta_groups_per_page = 2;
    scenario.graph.delta_members_per_slice = 1;
    scenario.graph.delta_empty_page_every = 3;
    let sim = Sim::of(CONTOSO, scenario).await;
    let source = Source::new(options()).await;
    let mut settings = sim.settings();
    // Seven calls of ten fail here, by an order that no two runs share: with the usual number of
    // attempts one call in a hundred would rightly be given up.
    settings.retry.attempts = 40;
    let tenant = Tenant::new(Caller::connect(&settings, Arc::new(Now)).unwrap(), true);
    let summary = source.aggregate(&tenant).await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    assert_same(&source.picture().await, &calm().await, "disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_alone_leaves_no_trace_in_the_result() {
    let calm = calm().await;
    let transient =
        |exception: &str| on("Get-Mailbox", FaultAction::Transient400 { exception: exception.into() });
    let everywhere = |action| FaultRule { name: None, when: FaultMatch::default(), action };
    let faults = [
        ("429 with Retry-After", everywhere(status(429, Some(1)))),
        ("429 without", everywhere(status(429, None))),
        ("503", everywhere(status(503, None))),
        ("503 with Retry-After", everywhere(status(503, Some(1)))),
        ("504", everywhere(status(504, None))),
        ("reset before the answer", everywhere(FaultAction::ResetBefore)),
        ("reset after the effect", everywhere(FaultAction::ResetAfter)),
        ("an answer cut short", everywhere(FaultAction::Truncate)),
        ("throttled in plain text", on("Get-MailboxPermission", FaultAction::PlainThrottle { status: 200 })),
        ("throttled in plain text, 503", on("Get-Mailbox", FaultAction::PlainThrottle { status: 503 })),
        ("a transient type in a 400", transient("StorageTransientException")),
        ("another one", transient("ServerBusyException")),
    ];
    for (what, mut fault) in faults {
        fault.when.times = Some(2);
        let sim = Sim::of(CONTOSO, with(vec![fault])).await;
        let source = Source::new(options()).await;
        let summary = source.aggregate(&sim.tenant(true)).await;
        assert_eq!(summary.outcome, Outcome::Completed, "{what}: {:#?}", summary.streams);
        assert_same(&source.picture().await, &calm, what);
        assert_eq!(sim.running.trace().aggregate().faults, 2, "{what} fired");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_limit_of_concurrency_costs_nothing_but_time() {
    let sizes = Sizes { users: 60, shared: 30, groups: 20, ..Sizes::default() };
    let sim = Sim::generated(sizes.clone(), Scenario::default()).await;
    let source = Source::new(options()).await;
    assert_eq!(source.aggregate(&sim.tenant(true)).await.outcome, Outcome::Completed);
    let calm = source.picture().await;

    let mut scenario = Scenario::default();
    scenario.throttle.exchange.concurrency = Some(2);
    scenario.throttle.exchange.shape = ThrottleShape::Rotate;
    scenario.throttle.exchange.retry_after_seconds = 0;
    scenario.latency.per_operation.insert("Get-MailboxPermission".into(), 10);
    let sim = Sim::generated(sizes, scenario).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    assert_same(&source.picture().await, &calm, "disturbed");
    assert!(sim.running.trace().aggregate().throttled > 0, "the limit was met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_cut_short_deletes_nothing() {
    let cuts = [
        // The second page of mailboxes; nothing at all of the others.
        (
            StreamKind::Mailboxes,
            FaultRule {
                when: FaultMatch { after: 1, ..on("Get-Mailbox", FaultAction::Nul403).when },
                ..on("Get-Mailbox", FaultAction::Nul403)
            },
        ),
        (StreamKind::Users, at("/v1.0/users", status(403, None))),
        (StreamKind::Groups, at("groups/delta?$skiptoken", FaultAction::Html { status: 200 })),
        (StreamKind::MailboxPermissions, on("Get-MailboxPermission", FaultAction::Nul403)),
        (StreamKind::DistributionGroups, on("Get-DistributionGroup", status(403, None))),
    ];
    for (kind, fault) in cuts {
        let source = Source::new(options()).await;
        let sim = Sim::of(CONTOSO, Scenario::default()).await;
        source.aggregate(&sim.tenant(true)).await;
        let before = source.picture().await;

        let mut scenario = with(vec![fault]);
        scenario.exchange.max_page_size = 3;
        scenario.graph.delta_groups_per_page = 2;
        let sim = Sim::of(CONTOSO, scenario).await;
        let summary = source.aggregate(&sim.tenant(true)).await;
        assert_eq!(summary.outcome, Outcome::Incomplete, "{kind:?}");
        let (failed, error) = summary.failure().unwrap();
        assert_eq!(failed, kind, "{error}");
        assert_eq!(summary.record.deleted, 0);
        assert_same(&source.picture().await, &before, &format!("{kind:?}"));
        // The next run, against a tenant that is well again, completes it.
        let sim = Sim::of(CONTOSO, Scenario::default()).await;
        let summary = source.aggregate(&sim.tenant(true)).await;
        assert_eq!(summary.outcome, Outcome::Completed, "{kind:?} {:?}", summary.streams);
        assert_same(&source.picture().await, &before, &format!("{kind:?} completed"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_is_deleted_and_too_much_gone_is_asked_about() {
    let source = Source::new(options()).await;
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    source.aggregate(&sim.tenant(true)).await;
    let before = source.picture().await;
    let known = source.store.counts().await.unwrap().users;

    let without = |upns: &[&str]| {
        upns.iter().fold(CONTOSO.to_owned(), |text, upn| {
            text.replace(&format!("upn = \"{upn}\""), &format!("upn = \"{upn}\"\ndeleted = true"))
        })
    };
    // A tenth and more: asked.
    let many = without(&["no.mailbox@contoso.com", "lee.gu@contoso.com", "lee.gu2@contoso.com"]);
    let sim = Sim::of(&many, Scenario::default()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    let Outcome::Refused { losses } = &summary.outcome else { panic!("{:?}", summary.outcome) };
    assert!(losses.iter().any(|loss| loss.known == known && loss.unseen == 3), "{losses:?}");
    assert_eq!(source.store.counts().await.unwrap().users, known);
    // Allowed: the same run is ended without reading anything again.
    sim.running.trace().reset();
    let mut aggregation = source.aggregation(&sim.tenant(true));
    aggregation.allow_deletions = true;
    let summary = aggregate::run(aggregation).await.unwrap();
    assert_eq!(summary.outcome, Outcome::Completed);
    assert!(summary.resumed);
    assert_eq!(sim.running.trace().aggregate().requests, 0);
    assert_eq!(source.store.counts().await.unwrap().users, known - 3);
    assert_ne!(source.picture().await, before);

    // A lie about everything: asked, and nothing is lost.
    let nothing = FaultAction::Status {
        status: 200,
        body: Some("{\"value\":[]}".into()),
        content_type: Some("application/json".into()),
        retry_after: None,
    };
    let kept = source.picture().await;
    let sim = Sim::of(&many, with(vec![at("/v1.0/users", nothing)])).await;
    assert!(matches!(source.aggregate(&sim.tenant(true)).await.outcome, Outcome::Refused { .. }));
    assert_same(&source.picture().await, &kept, "after a lie");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_goes_on_where_it_was() {
    let sizes = Sizes { users: 30, shared: 40, groups: 10, ..Sizes::default() };
    let undisturbed = Source::new(options()).await;
    let sim = Sim::generated(sizes.clone(), Scenario::default()).await;
    undisturbed.aggregate(&sim.tenant(true)).await;

    let mut scenario = Scenario::default();
    scenario.latency.per_operation.insert("Get-MailboxPermission".into(), 60);
    scenario.exchange.max_page_size = 15;
    scenario.throttle.exchange.concurrency = Some(4);
    let sim = Sim::generated(sizes, scenario).await;
    let source = Source::new(options()).await;
    let mut kills = 0;
    let summary = loop {
        let aggregation = source.aggregation(&sim.tenant(true));
        let run = aggregate::run(aggregation);
        // Dropped at once, with everything under way.
        match tokio::time::timeout(Duration::from_millis(250 + 100 * kills), run).await {
            Ok(summary) => break summary.unwrap(),
            Err(_) => kills += 1,
        }
        source.let_go().await;
    };
    assert!(kills > 0, "it was killed at least once");
    assert!(summary.resumed);
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    assert_same(&source.picture().await, &undisturbed.picture().await, "killed");
    // What was under way at each kill is asked again, and no more than that.
    let asked = sim.running.trace().aggregate().operations["Get-MailboxPermission"];
    assert!(asked.requests - asked.throttled <= 40 + 12 * kills, "{} for 40 mailboxes", asked.requests);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_says_so_and_goes_on() {
    let mut scenario = Scenario::default();
    scenario.latency.per_operation.insert("Get-MailboxPermission".into(), 400);
    let sim = Sim::of(CONTOSO, scenario).await;
    let source = Source::new(options()).await;
    let aggregation = source.aggregation(&sim.tenant(true));
    let (progress, cancel) = (Arc::clone(&aggregation.progress), aggregation.cancel.clone());
    let run = tokio::spawn(aggregate::run(aggregation));
    tokio::time::sleep(Duration::from_millis(200)).await;
    cancel.cancel();
    let summary = run.await.unwrap().unwrap();
    assert_eq!(summary.outcome, Outcome::Stopped);
    assert_eq!(progress.stage(), Stage::Done);
    assert_eq!(summary.record.notes, ["stopped by whoever started it"]);
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert!(summary.resumed);
    assert_eq!(summary.outcome, Outcome::Completed);
    assert_eq!(summary.record.notes, Vec::<String>::new(), "why it stopped says nothing of how it ended");
    assert_same(&source.picture().await, &calm().await, "disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_page_links_are_gone_round_and_told() {
    let sizes = Sizes { users: 40, shared: 30, groups: 10, ..Sizes::default() };
    let sim = Sim::generated(sizes.clone(), Scenario::default()).await;
    let undisturbed = Source::new(options()).await;
    undisturbed.aggregate(&sim.tenant(true)).await;

    let mut scenario = Scenario::default();
    scenario.exchange.max_page_size = 25;
    scenario.exchange.refuse_all_page_tokens = true;
    let sim = Sim::generated(sizes, scenario).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    for stream in ["mailboxes: ", "casMailboxes: ", "sendAs: "] {
        assert!(summary.notes.iter().any(|note| note.starts_with(stream)), "{stream} in {:?}", summary.notes);
    }
    assert_same(&source.picture().await, &undisturbed.picture().await, "without page links");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_listing_of_rights_is_asked_mailbox_by_mailbox() {
    let mut refused = on("Get-RecipientPermission", FaultAction::Nul403);
    refused.when.times = Some(1);
    let sim = Sim::of(CONTOSO, with(vec![refused])).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let told = summary.notes.iter().any(|note| note.starts_with("sendAs: the tenant refused the listing"));
    assert!(told, "{:?}", summary.notes);
    assert_same(&source.picture().await, &calm().await, "singly");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_listing_is_still_told_by_the_run_that_goes_on() {
    let mut refused = on("Get-RecipientPermission", FaultAction::Nul403);
    refused.when.times = Some(1);
    let mut lost = on("Get-RecipientPermission", FaultAction::Nul403);
    (lost.when.nth, lost.when.times) = (Some(3), Some(1));
    let sim = Sim::of(CONTOSO, with(vec![refused, lost])).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Incomplete, "{:#?}", summary.streams);
    assert_eq!(summary.failure().unwrap().0, StreamKind::SendAs);
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert!(summary.resumed);
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let [note] = summary.record.notes.as_slice() else { panic!("{:?}", summary.record.notes) };
    assert!(note.starts_with("sendAs: the tenant refused the listing"), "{note}");
    assert_same(&source.picture().await, &calm().await, "singly, in two goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_page_links_begin_the_listing_again() {
    let expired = FaultRule {
        when: FaultMatch { nth: Some(3), ..on("Get-Mailbox", FaultAction::ExpirePageTokens).when },
        ..on("Get-Mailbox", FaultAction::ExpirePageTokens)
    };
    let mut scenario = with(vec![expired]);
    scenario.exchange.max_page_size = 3;
    let sim = Sim::of(CONTOSO, scenario).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    assert!(summary.notes.iter().any(|note| note.contains("began again")), "{:?}", summary.notes);
    assert_same(&source.picture().await, &calm().await, "disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_read_rights_fails_that_stream_alone() {
    let reader = AppSpec { directory_roles: vec!["Global Reader".into()], ..AppSpec::exogate() };
    let mut scenario = Scenario::default();
    scenario.exchange.global_reader_recipient_permission = false;
    let sim = Sim::with_app(CONTOSO, scenario, reader).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Incomplete);
    let (kind, error) = summary.failure().unwrap();
    assert_eq!(kind, StreamKind::SendAs);
    assert_eq!(error.wire().unwrap().kind, ErrorKind::Forbidden);
    assert!(error.remedy().contains("Exchange Recipient Administrator"), "{}", error.remedy());
    let told = summary.notes.iter().any(|note| note.starts_with("sendAs: the tenant refused the listing"));
    assert!(told, "{:?}", summary.notes);
    let failed = summary.streams.iter().filter(|stream| stream.error.is_some()).count();
    assert_eq!(failed, 1, "{:#?}", summary.streams);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_on_one_source_are_refused() {
    let mut scenario = Scenario::default();
    scenario.latency.per_operation.insert("Get-MailboxPermission".into(), 500);
    let sim = Sim::of(CONTOSO, scenario).await;
    let source = Source::new(options()).await;
    let first = tokio::spawn(aggregate::run(source.aggregation(&sim.tenant(true))));
    tokio::time::sleep(Duration::from_millis(150)).await;
    let second = aggregate::run(source.aggregation(&sim.tenant(true))).await;
    assert!(second.is_err(), "{second:?}");
    assert_eq!(first.await.unwrap().unwrap().outcome, Outcome::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_home_fails_the_run_and_keeps_the_reason() {
    let nobody = AppSpec { roles: Vec::new(), directory_roles: Vec::new(), ..AppSpec::exogate() };
    let sim = Sim::with_app(CONTOSO, Scenario::default(), nobody).await;
    let source = Source::new(options()).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Failed);
    assert!(summary.failure().unwrap().1.wire().unwrap().needs_administrator());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailbox_that_is_listed_and_yet_not_found_is_no_mailbox_without_rights() {
    let source = Source::new(options()).await;
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    source.aggregate(&sim.tenant(true)).await;
    let before = source.picture().await;
    let not_found = r#"{"error":{"code":"NotFound","message":"Error executing cmdlet","details":[{"code":"Context","target":"",
        "message":"Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|The operation couldn't be performed because object 'x' couldn't be found on 'DC'."}]}}"#;
    let mut lost = on(
        "Get-MailboxPermission",
        FaultAction::Status {
            status: 404,
            body: Some(not_found.into()),
            content_type: Some("application/json".into()),
            retry_after: None,
        },
    );
    lost.when.nth = Some(2);
    let sim = Sim::of(CONTOSO, with(vec![lost])).await;
    let summary = source.aggregate(&sim.tenant(true)).await;
    assert_eq!(summary.outcome, Outcome::Incomplete, "{:?}", summary.notes);
    assert!(
        matches!(summary.failure(), Some((_, StreamError::Contradiction { .. }))),
        "{:?}",
        summary.streams
    );
    assert_same(&source.picture().await, &before, "one mailbox not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_made_anew_under_their_old_names_replace_their_ghosts() {
    let source = Source::new(options()).await;
    let sim = Sim::of(CONTOSO, Scenario::default()).await;
    source.aggregate(&sim.tenant(true)).await;
    // The same names and addresses, every id another.
    let anew = CONTOSO.replace("[tenant]", "[tenant]\nseed = 2");
    let sim = Sim::of(&anew, Scenario::default()).await;
    let mut aggregation = source.aggregation(&sim.tenant(true));
    aggregation.allow_deletions = true;
    assert_eq!(aggregate::run(aggregation).await.unwrap().outcome, Outcome::Completed);
    let fresh = Source::new(options()).await;
    fresh.aggregate(&sim.tenant(true)).await;
    assert_same(&source.picture().await, &fresh.picture().await, "made anew");
}
