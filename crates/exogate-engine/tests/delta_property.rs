//! Whatever happens in the tenant, in whatever order and however often it is told, late, twice or
//! never, with stops and failures in between: once the means of finding differences have caught up,
//! the state is that of a fresh full aggregation, and the feed has told every difference once.
//!
//! `EXOGATE_DELTA_SEQUENCES` runs more sequences, `EXOGATE_DELTA_SEED` one of them.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may fail, and are steered by the environment"
)]

#[path = "support/delta.rs"]
mod bench;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use bench::{Bench, line};
use exogate_engine::aggregate::Outcome;
use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::{Happened, ObjectKind};
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_sim::graph::DeltaExpiry;
use exogate_sim::state::Face;
use exogate_store::SourceStore;
use http::Method;
use serde_json::json;
use support::{CONTOSO, assert_same};

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    fn chance(&mut self, in_ten: u64) -> bool {
        self.below(10) < in_ten
    }
}

/// The oddities of the facts, each on or off.
fn scenario(random: &mut Random) -> Scenario {
    let mut scenario = Scenario::default();
    let graph = &mut scenario.graph;
    graph.delta_users_per_page = 1 + u32::try_from(random.below(5)).unwrap();
    graph.delta_groups_per_page = 1 + u32::try_from(random.below(3)).unwrap();
    graph.delta_members_per_slice = 1 + u32::try_from(random.below(2)).unwrap();
    graph.delta_replay = u32::try_from(random.below(4)).unwrap();
    graph.delta_empty_page_every = u32::try_from(random.below(2) * 3).unwrap();
    graph.delta_hides_members_deleted = random.chance(5);
    graph.delta_expiry = if random.chance(5) { DeltaExpiry::Gone } else { DeltaExpiry::BadRequest };
    graph.list_empty_page_every = u32::try_from(random.below(2) * 4).unwrap();
    graph.list_short_page_every = u32::try_from(random.below(2) * 3).unwrap();
    graph.list_duplicate_across_pages = random.chance(5);
    scenario.exchange.max_page_size = 3 + u32::try_from(random.below(20)).unwrap();
    scenario.exchange.batch_shuffle = random.chance(5);
    scenario.exchange.not_found_status = if random.chance(5) { 400 } else { 404 };
    scenario.visibility.graph_seconds = if random.chance(5) { 20.0 } else { 0.0 };
    scenario.visibility.exchange_seconds = random.chance(5).then_some(45.0);
    scenario.visibility.cross_face_seconds = random.chance(5).then_some(60.0);
    scenario.provisioning.audit_seconds = [0.0, 1800.0, 5400.0][usize::try_from(random.below(3)).unwrap()];
    scenario.activity.duplicate_every = u32::try_from(random.below(3)).unwrap();
    scenario.activity.page_blobs = 1 + u32::try_from(random.below(4)).unwrap();
    scenario.activity.next_page_url_header = random.chance(5);
    scenario
}

const PEOPLE: [&str; 5] = [
    "mark.taylor@contoso.com",
    "ines.boss@contoso.com",
    "kim.akers@contoso.com",
    "lee.gu2@contoso.com",
    "nora.nested@contoso.com",
];
/// Mailboxes as administrators type them: address, alias, name.
const MAILBOXES: [&str; 7] = [
    "support@contoso.com",
    "O365Support",
    "info@contoso.com",
    "info-one",
    "info2@contoso.com",
    "quiet@contoso.com",
    "Quiet",
];
const GROUPS: [&str; 3] = ["Support team", "Inner circle", "All staff"];

async fn tried(bench: &Bench, cmdlet: Cmdlet) {
    // What is refused (gone, ambiguous, there already) changes nothing.
    let _ = bench.tenant.exchange.as_ref().unwrap().invoke(&cmdlet).await;
}

/// One deed of an administrator.
async fn deed(bench: &Bench, random: &mut Random, made: &mut u32) -> String {
    let (who, mailbox, group) = (random.one(&PEOPLE), random.one(&MAILBOXES), random.one(&GROUPS));
    let right = random.one(&["FullAccess", "ReadPermission", "ChangeOwner"]);
    let kind = random.below(20);
    match kind {
        0..=2 => {
            let cmdlet = Cmdlet::new("Add-MailboxPermission").text("Identity", mailbox).text("User", who);
            tried(bench, cmdlet.texts("AccessRights", [right])).await;
        }
        3 | 4 => {
            let cmdlet = Cmdlet::new("Remove-MailboxPermission").text("Identity", mailbox).text("User", who);
            tried(bench, cmdlet.texts("AccessRights", [right]).flag("Confirm", false)).await;
        }
        5 | 6 => {
            let name = random.one(&["Add-RecipientPermission", "Remove-RecipientPermission"]);
            let cmdlet = Cmdlet::new(name).text("Identity", mailbox).text("Trustee", who);
            tried(bench, cmdlet.texts("AccessRights", ["SendAs"]).flag("Confirm", false)).await;
        }
        7 => {
            let cmdlet = Cmdlet::new("Set-Mailbox").text("Identity", mailbox);
            tried(bench, cmdlet.texts("GrantSendOnBehalfTo", [who])).await;
        }
        8 => {
            let name = format!("Name {}", random.below(3));
            tried(bench, Cmdlet::new("Set-Mailbox").text("Identity", mailbox).text("DisplayName", name))
                .await;
        }
        9 => {
            let kind = random.one(&["Regular", "Shared"]);
            tried(bench, Cmdlet::new("Set-Mailbox").text("Identity", mailbox).text("Type", kind)).await;
        }
        10 if random.chance(3) => {
            tried(bench, Cmdlet::new("Remove-Mailbox").text("Identity", mailbox).flag("Confirm", false))
                .await;
        }
        11 => {
            *made += 1;
            let name = format!("Box {made}");
            tried(
                bench,
                Cmdlet::new("New-Mailbox").switch("Shared").text("Name", &name).text("DisplayName", &name),
            )
            .await;
        }
        12 => {
            let body = json!({"department": format!("D{}", random.below(4))});
            bench.graph(Method::PATCH, &format!("users/{who}"), Some(body)).await;
        }
        13 => {
            *made += 1;
            let body = json!({"accountEnabled": true, "displayName": format!("New {made}"),
                "mailNickname": format!("new{made}"), "userPrincipalName": format!("new{made}@contoso.com"),
                "passwordProfile": {"password": "Passw0rd!longer"}});
            bench.graph(Method::POST, "users", Some(body)).await;
        }
        14 if random.chance(3) => {
            bench.graph(Method::DELETE, &format!("users/{who}"), None).await;
        }
        15 => {
            let world = bench.sim.running.world();
            let mut state = world.state_mut();
            let deleted = state.by_identity(true, who).first().copied();
            if let Some(idx) = deleted {
                let _ = state.edit(Face::Graph, world.now()).restore(idx);
            }
        }
        16 | 17 => {
            let name = random.one(&["Add-DistributionGroupMember", "Remove-DistributionGroupMember"]);
            let cmdlet = Cmdlet::new(name).text("Identity", group).text("Member", who);
            let cmdlet = cmdlet.flag("BypassSecurityGroupManagerCheck", true);
            let cmdlet = if name.starts_with("Remove") { cmdlet.flag("Confirm", false) } else { cmdlet };
            tried(bench, cmdlet).await;
        }
        18 => {
            // What no record ever tells of.
            let world = bench.sim.running.world();
            let mut state = world.state_mut();
            let idx = state.by_identity(false, mailbox).first().copied();
            if let Some(idx) = idx {
                let _ = state.edit(Face::Exchange, world.now()).update(idx, |object| {
                    if let Some(mailbox) =
                        object.recipient.as_deref_mut().and_then(|r| r.mailbox.as_deref_mut())
                    {
                        mailbox.aces.pop();
                    }
                });
            }
        }
        _ => {
            *made += 1;
            let body = json!({"displayName": format!("Group {made}"), "mailEnabled": false,
                "mailNickname": format!("group{made}"), "securityEnabled": true});
            bench.graph(Method::POST, "groups", Some(body)).await;
        }
    }
    format!("{kind}: {who} {mailbox} {group} {right}")
}

/// What a consumer of the feed knows.
#[derive(Debug, Default, PartialEq)]
struct Consumer {
    objects: BTreeSet<(&'static str, String)>,
    grants: BTreeSet<(String, String, String, bool)>,
    places: BTreeSet<(String, String, String)>,
}

impl Consumer {
    /// One who reads the whole state.
    async fn of(store: &SourceStore) -> Self {
        let mut consumer = Self::default();
        for account in store.accounts(None, 10_000).await.unwrap().items {
            consumer.objects.insert(("user", account.user.id));
        }
        for key in store.mailbox_keys().await.unwrap() {
            for stored in store.grants_of_mailbox(&key).await.unwrap() {
                let grant = stored.grant;
                if let (true, Some(who)) = (grant.is_governed(), grant.principal.id()) {
                    let right = grant.right.name().to_owned();
                    consumer.grants.insert((key.clone(), right, who.to_owned(), grant.deny));
                }
            }
            consumer.objects.insert(("mailbox", key));
        }
        for group in store.groups(None, 10_000).await.unwrap().items {
            let id = group.group.id;
            for (role, members) in [("member", group.members), ("owner", group.owners)] {
                for member in members {
                    consumer.places.insert((id.clone(), role.to_owned(), member.id));
                }
            }
            consumer.objects.insert(("group", id));
        }
        consumer
    }

    /// Takes a change; it must be news.
    fn take(&mut self, change: &exogate_store::ChangeRecord) -> Result<(), String> {
        let object = match change.object {
            ObjectKind::User => "user",
            ObjectKind::Mailbox => "mailbox",
            ObjectKind::Group => "group",
        };
        let news = match &change.happened {
            Happened::Created => self.objects.insert((object, change.id.clone())),
            Happened::Deleted => self.objects.remove(&(object, change.id.clone())),
            Happened::Modified { attributes } => !attributes.is_empty(),
            Happened::Granted { right, principal: Some(who), deny, .. } => {
                self.grants.insert((change.id.clone(), right.clone(), who.clone(), *deny))
            }
            Happened::Revoked { right, principal: Some(who), deny, .. } => {
                self.grants.remove(&(change.id.clone(), right.clone(), who.clone(), *deny))
            }
            Happened::Granted { .. } | Happened::Revoked { .. } => true,
            Happened::Joined { role, member } => {
                self.places.insert((change.id.clone(), role.clone(), member.clone()))
            }
            Happened::Left { role, member } => {
                self.places.remove(&(change.id.clone(), role.clone(), member.clone()))
            }
        };
        if news { Ok(()) } else { Err(format!("told twice or without cause: {} {change:?}", line(change))) }
    }
}

fn fails_once(random: &mut Random) -> FaultRule {
    let path = random.one(&["users/delta", "groups/delta", "InvokeCommand", "activity/feed", "$batch"]);
    FaultRule {
        name: None,
        when: FaultMatch { path: Some(path.to_owned()), times: Some(1), ..FaultMatch::default() },
        action: FaultAction::Status {
            status: [500, 503, 400][usize::try_from(random.below(3)).unwrap()],
            body: None,
            content_type: None,
            retry_after: Some(0),
        },
    }
}

async fn sequence(seed: u64) {
    let mut random = Random(seed);
    let bench = Bench::new(CONTOSO, scenario(&mut random)).await;
    let store = bench.source.store.clone();
    let mut consumer = Consumer::of(&store).await;
    let mut told = 0;
    let mut made = 0;
    let mut log = Vec::new();
    for _ in 0..6 + random.below(6) {
        for _ in 0..1 + random.below(4) {
            log.push(deed(&bench, &mut random, &mut made).await);
            bench.pass(random.below(90));
        }
        bench.pass([5, 120, 1200, 7200][usize::try_from(random.below(4)).unwrap()]);
        if random.chance(2) {
            bench.sim.running.world().set_faults(vec![fails_once(&mut random)]);
        }
        let void = random.chance(1);
        bench.sim.running.world().adjust(|scenario| scenario.graph.delta_tokens_void = void);
        if random.chance(1) {
            let mut full = bench.source.aggregation(&bench.tenant);
            full.allow_deletions = true;
            let summary = exogate_engine::aggregate::run(full).await.unwrap();
            log.push(format!("full: {:?}", summary.outcome));
        } else if random.chance(1) {
            // Dropped half-way, as if the process had been killed.
            let wait = Duration::from_millis(random.below(40));
            let ended = tokio::time::timeout(wait, bench.delta()).await;
            store_settles(&bench).await;
            log.push(format!("killed: {}", ended.is_err()));
        } else {
            let summary = bench.delta().await;
            log.push(format!("delta: {:?} {:?}", summary.outcome, summary.notes));
        }
    }
    bench.sim.running.world().set_faults(Vec::new());
    bench.sim.running.world().adjust(|scenario| scenario.graph.delta_tokens_void = false);
    // Records arrive, readers agree, and every mailbox has its turn.
    for seconds in [7200, 4 * 3600, 4 * 3600] {
        bench.pass(seconds);
        let summary = bench.delta().await;
        assert_eq!(summary.outcome, Outcome::Completed, "seed {seed}: {:#?}\n{log:#?}", summary.streams);
    }
    let what = format!("EXOGATE_DELTA_SEED={seed}\n{log:#?}");
    assert_same(&bench.source.picture().await, &bench.fresh().await, &what);
    for change in bench.changes(0).await {
        assert!(change.sequence > told);
        told = change.sequence;
        if let Err(twice) = consumer.take(&change) {
            panic!("{twice}\n{what}");
        }
    }
    let state = Consumer::of(&store).await;
    assert!(
        consumer == state,
        "the feed and the state differ\nfeed: {consumer:#?}\nstate: {state:#?}\n{what}"
    );
}

/// Waits until a dropped run has let go.
async fn store_settles(bench: &Bench) {
    bench.flush().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_after_deltas_is_that_of_a_fresh_full_aggregation() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("EXOGATE_DELTA_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("EXOGATE_DELTA_SEQUENCES").unwrap_or(12)).collect(),
    };
    for seed in seeds {
        eprintln!("EXOGATE_DELTA_SEED={seed}");
        sequence(seed).await;
    }
}
