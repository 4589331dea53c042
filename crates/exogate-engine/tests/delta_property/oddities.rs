//! What is odd about a tenant, chosen by a seed: every oddity that is known of the real one, each on
//! or off, and every means of finding differences likewise.

use std::time::Duration;

use exogate_engine::delta::DeltaOptions;
use exogate_sim::Scenario;
use exogate_sim::exchange::{ErrorForm, ListForm, TrusteeForm, UnknownIdentity};
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_sim::graph::DeltaExpiry;

use crate::random::Random;

/// A tenant and how it is looked at.
#[derive(Debug)]
pub struct Oddities {
    pub scenario: Scenario,
    pub options: DeltaOptions,
    /// The application may not read the activity feed.
    pub no_feed: bool,
    /// Nobody may search the audit log either.
    pub no_search: bool,
}

impl Oddities {
    pub fn of(random: &mut Random) -> Self {
        let mut scenario = Scenario::default();
        scenario.clock.frozen = true;
        scenario.clock.start = exogate_sim::clock::Time::parse("2026-03-02T07:00:00Z");
        scenario.compression = false;
        // Signing tokens is dear: most live for a day.
        scenario.token.lifetime_seconds = random.one(&[3599, 86_399, 86_399, 86_399]);
        graph(&mut scenario, random);
        exchange(&mut scenario, random);
        activity(&mut scenario, random);
        scenario.visibility.graph_seconds = random.one(&[0.0, 20.0, 600.0]);
        scenario.visibility.exchange_seconds = random.one(&[None, Some(45.0), Some(300.0)]);
        scenario.visibility.cross_face_seconds = random.one(&[None, Some(60.0), Some(900.0)]);
        scenario.provisioning.mailbox_seconds = random.one(&[None, Some(120.0)]);
        let no_feed = random.chance(1);
        Self { scenario, options: options(random), no_feed, no_search: no_feed && random.chance(5) }
    }
}

impl Oddities {
    /// What goes wrong all the time.
    pub fn standing(&self) -> Vec<FaultRule> {
        let search =
            FaultMatch { cmdlet: Some("Search-UnifiedAuditLog".to_owned()), ..FaultMatch::default() };
        let refused = FaultRule { name: None, when: search, action: FaultAction::Nul403 };
        if self.no_search { vec![refused] } else { Vec::new() }
    }
}

fn graph(scenario: &mut Scenario, random: &mut Random) {
    let graph = &mut scenario.graph;
    graph.delta_users_per_page = random.between(1, 6);
    graph.delta_groups_per_page = random.between(1, 4);
    graph.delta_members_per_slice = random.between(1, 3);
    graph.delta_replay = random.every(8);
    // Every page empty would be a sweep without an end.
    graph.delta_empty_page_every = random.one(&[0, 2, 3]);
    graph.delta_repeat_page_every = random.every(3);
    graph.delta_hides_members_deleted = random.chance(5);
    graph.delta_sweep_tells_removed = random.chance(5);
    graph.delta_expiry = if random.chance(5) { DeltaExpiry::Gone } else { DeltaExpiry::BadRequest };
    graph.list_empty_page_every = random.one(&[0, 2, 4]);
    graph.list_short_page_every = random.every(3);
    graph.list_duplicate_across_pages = random.chance(5);
    graph.eventual_index_seconds = random.one(&[0.0, 0.0, 600.0]);
    graph.soft_delete_security_groups = random.chance(5);
}

fn exchange(scenario: &mut Scenario, random: &mut Random) {
    let exchange = &mut scenario.exchange;
    exchange.max_page_size = random.between(3, 23);
    exchange.default_page_size = exchange.max_page_size;
    exchange.batch_shuffle = random.chance(5);
    exchange.not_found_status = random.one(&[404, 400]);
    exchange.ambiguous_status = random.one(&[400, 500]);
    exchange.error_form =
        random.one(&[ErrorForm::Natural, ErrorForm::Coded, ErrorForm::Uncoded, ErrorForm::Json]);
    exchange.hide_internal_exception = random.chance(3);
    exchange.error_language = random.chance(2).then(|| "de-DE".to_owned());
    exchange.lean = random.chance(3);
    exchange.unknown_identity =
        if random.chance(2) { UnknownIdentity::ReturnsAll } else { UnknownIdentity::Error };
    let usual = [TrusteeForm::UserPrincipalName, TrusteeForm::Mixed, TrusteeForm::Mixed, TrusteeForm::Sid];
    exchange.trustee_users = random.one(&usual);
    exchange.trustee_groups = random.one(&[TrusteeForm::DisplayName, TrusteeForm::Name, TrusteeForm::Mixed]);
    exchange.recipient_lists = random.one(&[ListForm::Name, ListForm::Guid, ListForm::DisplayName]);
    exchange.rights_move_when_changed = random.chance(5);
    exchange.deny_as_text = random.chance(3);
    exchange.split_rights = random.chance(3);
    exchange.recipient_rows_inherited = random.chance(7);
}

fn activity(scenario: &mut Scenario, random: &mut Random) {
    scenario.provisioning.audit_seconds = random.one(&[0.0, 1800.0, 5400.0, 80_000.0]);
    let activity = &mut scenario.activity;
    activity.duplicate_every = random.every(3);
    activity.lose_every = random.one(&[0, 0, 3, 7]);
    activity.late_every = random.every(4);
    activity.late_seconds = random.one(&[600, 7200, 90_000]);
    activity.newest_first = random.chance(5);
    activity.list_twice_every = random.every(2);
    activity.blob_seconds = random.one(&[1, 60, 300, 3600]);
    activity.page_blobs = random.between(1, 5);
    activity.next_page_url_header = random.chance(5);
    activity.first_content_delay_seconds = random.one(&[0, 0, 3600, 43_200]);
    activity.backfill_hours = random.one(&[0, 22]);
    activity.requests_per_minute = random.one(&[0, 0, 0, 6]);
}

fn options(random: &mut Random) -> DeltaOptions {
    DeltaOptions {
        directory: random.chance(9),
        change_time: random.chance(9),
        activity: random.chance(9),
        sweep: random.chance(9),
        reread: random.chance(8),
        freshness: Duration::from_secs(random.one(&[3600, 4 * 3600, 12 * 3600])),
        ..DeltaOptions::default()
    }
}

fn status(status: u16, body: Option<&str>) -> FaultAction {
    FaultAction::Status {
        status,
        body: body.map(str::to_owned),
        content_type: body.map(|_| "application/json".to_owned()),
        retry_after: Some(0),
    }
}

const PLACES: [&str; 9] = [
    "users/delta",
    "groups/delta",
    "InvokeCommand",
    "subscriptions/content",
    "feed/audit",
    "subscriptions/start",
    "adminapi",
    "/v1.0/$batch",
    "oauth2",
];

/// What goes wrong during one look.
pub fn faults(random: &mut Random) -> Vec<FaultRule> {
    (0..random.between(1, 3)).map(|_| fault(random)).collect()
}

fn fault(random: &mut Random) -> FaultRule {
    let mut when = FaultMatch {
        path: Some(random.one(&PLACES).to_owned()),
        times: Some(u64::from(random.between(1, 3))),
        after: random.below(4),
        ..FaultMatch::default()
    };
    let action = match random.below(16) {
        0 | 1 => status(random.one(&[500, 503, 504, 429]), None),
        2 => status(400, None),
        3 => FaultAction::Nul403,
        4 => FaultAction::Html { status: random.one(&[200, 403, 502]) },
        5 => FaultAction::ResetBefore,
        6 => FaultAction::ResetAfter,
        7 => FaultAction::Truncate,
        8 => FaultAction::Transient400 { exception: "StorageTransientException".to_owned() },
        9 => FaultAction::ExpirePageTokens,
        10 => FaultAction::Localise { language: "de-DE".to_owned() },
        11 => {
            when.path = Some("activity/feed".to_owned());
            let code = random.one(&["AF429", "AF50000", "AF20031"]);
            let body = format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"Odd.\"}}}}");
            status(if code == "AF429" { 403 } else { 400 }, Some(&body))
        }
        12 => {
            // A piece of content that is not kept any more.
            when.path = Some("feed/audit".to_owned());
            status(400, Some("{\"error\":{\"code\":\"AF20051\",\"message\":\"Expired.\"}}"))
        }
        _ => {
            // Some requests meet a replica that lags.
            when.path = Some(random.one(&["/v1.0/", "adminapi"]).to_owned());
            when.times = None;
            when.after = 0;
            when.probability = Some(random.one(&[0.2, 1.0]));
            FaultAction::Stale { seconds: random.one(&[30.0, 600.0]) }
        }
    };
    FaultRule { name: None, when, action }
}
