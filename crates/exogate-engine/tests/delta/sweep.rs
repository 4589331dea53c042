//! What comparing ids and listing governed mailboxes finds by itself.

use exogate_engine::aggregate::Outcome;
use exogate_engine::delta::DeltaOptions;
use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::Learnt;
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_sim::state::{Ace, Face, Rights, Trustee};

use crate::bench::{Bench, line};
use crate::support::{CONTOSO, assert_same};

const HOUR: u64 = 3600;

fn send_as(mailbox: &str, who: &str) -> Cmdlet {
    Cmdlet::new("Add-RecipientPermission")
        .text("Identity", mailbox)
        .text("Trustee", who)
        .texts("AccessRights", ["SendAs"])
        .flag("Confirm", false)
}

/// Listings are all there is to find it by.
async fn listings_alone() -> Bench {
    let mut bench = Bench::new(CONTOSO, Scenario::default()).await;
    bench.options = DeltaOptions { activity: false, reread: false, ..DeltaOptions::default() };
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_send_as_a_mailbox_is_listed_every_so_often() {
    let bench = listings_alone().await;
    let world = bench.sim.running.world();
    let long_ago = world.now();
    bench.pass(HOUR);
    bench.delta().await;
    // As if its time of change had not moved.
    let granted = {
        let mut state = world.state_mut();
        let kim = Trustee::Object(state.by_identity(false, "kim.akers@contoso.com")[0]);
        let quiet = state.by_identity(false, "quiet@contoso.com")[0];
        state.edit(Face::Exchange, long_ago).update(quiet, |object| {
            let recipient = object.recipient.as_deref_mut().unwrap();
            recipient.send_as.push(Ace::allow(kim, Rights::SEND_AS));
        })
    };
    assert!(granted.is_ok());
    bench.pass(HOUR);
    bench.delta().await;
    assert_eq!(bench.changes(0).await, [], "nobody has looked yet");
    bench.pass(4 * HOUR);
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let changes = bench.changes(0).await;
    let granted = changes.iter().find(|change| line(change).contains("SendAs")).unwrap();
    assert_eq!(line(granted), "mailbox Quiet granted SendAs kim.akers@contoso.com");
    assert_eq!(granted.learnt, Learnt::Sweep);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "listed");
    // Listed a moment ago: not again.
    let before = bench.calls();
    bench.delta().await;
    assert!(bench.calls() - before < 10, "{}", bench.calls() - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_listing_is_refused_each_mailbox_is_asked_and_the_listing_not_tried_again() {
    let mut bench = listings_alone().await;
    bench.run(send_as("quiet@contoso.com", "kim.akers@contoso.com")).await;
    let when = FaultMatch {
        cmdlet: Some("Get-RecipientPermission".into()),
        times: Some(1),
        ..FaultMatch::default()
    };
    let refused = FaultRule { name: None, when, action: FaultAction::Nul403 };
    bench.sim.running.world().set_faults(vec![refused]);
    bench.pass(4 * HOUR);
    let summary = bench.delta().await;
    assert_eq!(summary.outcome, Outcome::Completed, "{:#?}", summary.streams);
    let told =
        |notes: &[String]| notes.iter().any(|note| note.contains("does not list who may send as whom"));
    assert!(told(&summary.notes), "{:?}", summary.notes);
    assert_same(&bench.source.picture().await, &bench.fresh().await, "asked one by one");
    // From then on, it is part of a mailbox's turn.
    bench.run(send_as("quiet@contoso.com", "mark.taylor@contoso.com")).await;
    bench.options.reread = true;
    for _ in 0..2 {
        bench.pass(4 * HOUR);
        let summary = bench.delta().await;
        assert!(!told(&summary.notes), "{:?}", summary.notes);
    }
    assert_same(&bench.source.picture().await, &bench.fresh().await, "in its turn");
}
