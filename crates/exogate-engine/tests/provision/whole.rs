//! A plan with many writes at once.

use std::sync::Arc;

use exogate_engine::provision::{PlanResult, Silent};
use exogate_model::operation::Outcome;
use exogate_sim::Scenario;
use tokio_util::sync::CancellationToken;

use crate::world::{World, outcomes, patience, plan};

/// One of nearly each kind of write.
const PLAN: &str = r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
    {"op":"add","name":"sharedMailbox","value":["O365Support: FullAccess","Quiet: SendAs","Quiet: SendOnBehalf"]},
    {"op":"set","name":"EXO_CustomAttribute1","value":"Sales"},
    {"op":"set","name":"EXO_ImapEnabled","value":false},
    {"op":"add","name":"groups","value":["All staff","VPN users"]}]},
   {"account":"mark.taylor@contoso.com","attributes":[
    {"op":"remove","name":"sharedMailbox","value":["O365Support: ReadPermission","O365Support: SendAs"]},
    {"op":"remove","name":"groups","value":["Project X"]}]}],
  "groups":[{"group":"Sales","operation":"create","kind":"distributionList","attributes":[
    {"op":"add","name":"owners","value":"ines.boss@contoso.com"},
    {"op":"add","name":"members","value":"kim.akers@contoso.com"}]}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_carried_out_and_applying_it_again_changes_nothing() {
    let world = World::new(Scenario::default()).await;
    let provisioner = world.provisioner(patience(3000));
    let result = world.apply(&provisioner, &plan(PLAN)).await;
    assert!(outcomes(&result).iter().all(|outcome| *outcome == "done"), "{result:#?}");
    world.agrees("after the plan").await;
    let effects = world.effects();
    let again = world.apply(&provisioner, &plan(PLAN)).await;
    assert!(outcomes(&again).iter().all(|outcome| *outcome == "already so"), "{again:#?}");
    assert_eq!(world.effects(), effects, "nothing was sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_takes_its_time_is_waited_for_and_then_told() {
    let mut scenario = Scenario::default();
    scenario.visibility.exchange_seconds = Some(0.4);
    scenario.visibility.graph_seconds = 0.4;
    scenario.visibility.cross_face_seconds = Some(0.4);
    let world = World::new(scenario).await;
    let provisioner = world.provisioner(patience(20_000));
    let result = world.apply(&provisioner, &plan(PLAN)).await;
    assert!(outcomes(&result).iter().all(|outcome| *outcome == "done"), "{:?}", outcomes(&result));
    world.sim.running.world().adjust(|scenario| scenario.visibility.exchange_seconds = Some(600.0));
    let grant = plan(
        r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"op":"add","name":"sharedMailbox","value":"Quiet: FullAccess"}]}]}"#,
    );
    let result = world.apply(&world.provisioner(patience(300)), &grant).await;
    assert_eq!(outcomes(&result), ["done, not yet visible"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_it_is_told_what_was_sent_and_what_was_not() {
    let mut scenario = Scenario::default();
    scenario.visibility.exchange_seconds = Some(600.0);
    let world = World::new(scenario).await;
    let provisioner = world.provisioner(patience(600_000));
    let plan = plan(PLAN);
    let cancel = CancellationToken::new();
    let before = world.effects();
    let submission = world.submission(&provisioner, &plan).await;
    // As a server does: on a task of its own.
    let applying = tokio::spawn({
        let cancel = cancel.clone();
        async move { provisioner.apply(submission, Arc::new(Silent), cancel).await }
    });
    while world.effects() == before {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    cancel.cancel();
    let result = applying.await.unwrap().unwrap();
    let (mut sent, mut unsent) = (0, 0);
    for one in &result.results {
        match one.outcome.as_ref().unwrap() {
            Outcome::Failed { retry: true, why, .. } => {
                assert!(why.contains("before it was sent") || why.contains("did not succeed"), "{why}");
                unsent += 1;
            }
            Outcome::Done | Outcome::DoneNotYetVisible => sent += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sent, world.effects() - before, "{result:#?}");
    assert_eq!(sent + unsent, result.results.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_for_one_object_and_under_one_key_come_one_after_the_other() {
    let world = World::new(Scenario::default()).await;
    let provisioner = world.provisioner(patience(3000));
    let grant = r#"{"key":"one","accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"op":"add","name":"sharedMailbox","value":"Quiet: FullAccess"}]}]}"#;
    let before = world.effects();
    let keyed = plan(grant);
    let many = futures::future::join_all((0..8).map(|_| world.apply(&provisioner, &keyed))).await;
    assert_eq!(world.effects() - before, 1, "the same request is carried out once");
    assert_eq!(many.iter().filter(|result| !result.repeated).count(), 1);
    assert!(many.iter().all(|result| result.plan == many[0].plan && result.is_success()));
    // Without a key they are requests of their own; each finds what the one before has done.
    let unkeyed = plan(&grant.replace(r#""key":"one","#, "").replace("Quiet: FullAccess", "Quiet: SendAs"));
    let many = futures::future::join_all((0..8).map(|_| world.apply(&provisioner, &unkeyed))).await;
    assert_eq!(world.effects() - before, 2);
    let already = many.iter().filter(|result| outcomes(result) == ["already so"]).count();
    assert_eq!(already, 7, "{:?}", many.iter().map(outcomes).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_at_one_object_come_in_the_order_of_the_journal() {
    let world = World::new(Scenario::default()).await;
    let before = world.effects();
    let grant = plan(
        r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"op":"add","name":"sharedMailbox","value":["Quiet: FullAccess","Quiet: SendAs"]}]}]}"#,
    );
    // Each with a journal and locks of its own, as processes have them.
    let processes: Vec<_> = (0..6).map(|_| world.provisioner(patience(3000))).collect();
    let many = futures::future::join_all(processes.iter().map(|one| world.apply(one, &grant))).await;
    assert_eq!(world.effects() - before, 2, "each right is given once");
    let done = many.iter().filter(|result| outcomes(result).contains(&"done")).count();
    assert_eq!(done, 1, "{:?}", many.iter().map(outcomes).collect::<Vec<_>>());
    assert!(many.iter().all(PlanResult::is_success));
    assert_eq!(world.journal().verify(None).await.unwrap().broken, None);
    world.agrees("in the end").await;
}
