//! How fresh what is stored is, and whether it stays so.

use std::time::Duration;

use exogate_microsoft::activity::{ActivityClient, Subscription};
use exogate_store::{Backlog, RunRecord, RunState, SourceStore, StoreError};
use jiff::Timestamp;
use serde::Serialize;

use super::options::DeltaOptions;
use super::plan::since;
use crate::aggregate::StreamKind;
use crate::tenant::{SourceContext, Tenant};

/// Runs that are looked back upon.
pub(super) const RUNS: usize = 200;

/// How a source stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The end of the last complete full aggregation.
    pub last_full: Option<Timestamp>,
    /// The end of the last complete delta.
    pub last_delta: Option<Timestamp>,
    /// When the rights on a governed mailbox that were read longest ago were read.
    pub oldest_permission: Option<Timestamp>,
    /// Governed mailboxes.
    pub governed: u64,
    /// Of those, the ones whose rights were never read.
    pub never_read: u64,
    /// Objects that wait to be read again.
    pub backlog: u64,
    /// Since when the first of them.
    pub backlog_since: Option<Timestamp>,
    /// Up to when the audit log is known.
    pub audit_until: Option<Timestamp>,
    /// The subscription to the activity feed; absent where the tenant was not asked.
    pub subscription: Option<Subscribed>,
    /// The target, and whether it can be met.
    pub freshness: Freshness,
}

/// What the tenant says about the subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum Subscribed {
    /// Content is collected.
    Enabled,
    /// It was ended; the next delta starts it again.
    Disabled,
    /// Nobody subscribed; the next delta does.
    None,
    /// This cloud has no feed.
    NoFeed,
    /// It could not be asked.
    Unreachable {
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
}

/// The target for the age of rights.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    /// In seconds.
    pub target: u64,
    /// Whether every governed mailbox is within it now.
    pub met: bool,
    /// Mailboxes that the last runs read again in an hour; absent until that was measured.
    pub per_hour: Option<f64>,
    /// Whether that rate keeps every mailbox within the target; absent until it was measured.
    pub can_be_met: Option<bool>,
}

/// How a source stands. With a tenant, it is asked about the subscription.
pub async fn status(
    store: &SourceStore,
    context: &SourceContext,
    options: &DeltaOptions,
    tenant: Option<&Tenant>,
    now: Timestamp,
) -> Result<Status, StoreError> {
    let runs = store.runs(RUNS).await?;
    let last = |delta: bool| {
        let mut complete =
            runs.iter().filter(|run| run.state == RunState::Completed && is_delta(run) == delta);
        complete.find_map(|run| run.finished)
    };
    let ages = store.ages(context.governed_kinds()).await?;
    let Backlog { waiting, since: backlog_since } = store.backlog().await?;
    let cursor = store.feed_cursor(crate::aggregate::feeds::AUDIT).await?;
    Ok(Status {
        last_full: last(false),
        last_delta: last(true),
        oldest_permission: ages.oldest_permission,
        governed: ages.governed,
        never_read: ages.never_read,
        backlog: waiting,
        backlog_since,
        audit_until: cursor.and_then(|cursor| cursor.cursor.parse().ok()),
        subscription: match tenant {
            Some(tenant) => Some(subscription(tenant).await),
            None => None,
        },
        freshness: freshness(&runs, options, (ages.governed, ages.never_read), ages.oldest_permission, now),
    })
}

fn is_delta(run: &RunRecord) -> bool {
    run.scope.ends_with(" delta")
}

async fn subscription(tenant: &Tenant) -> Subscribed {
    let Some(client) = ActivityClient::new(tenant.caller.clone()) else { return Subscribed::NoFeed };
    match client.subscription().await {
        Ok(Subscription::Enabled) => Subscribed::Enabled,
        Ok(Subscription::Disabled) => Subscribed::Disabled,
        Ok(Subscription::None) => Subscribed::None,
        Err(error) => Subscribed::Unreachable { why: error.to_string(), remedy: error.remedy().to_owned() },
    }
}

fn freshness(
    runs: &[RunRecord],
    options: &DeltaOptions,
    (governed, never_read): (u64, u64),
    oldest: Option<Timestamp>,
    now: Timestamp,
) -> Freshness {
    let met = governed == 0
        || (never_read == 0 && oldest.is_some_and(|oldest| since(oldest, now) <= options.freshness));
    let per_hour = per_hour(runs);
    let hours = options.freshness.as_secs_f64() / 3600.0;
    let can_be_met = per_hour.map(|rate| rate * hours >= governed as f64);
    Freshness { target: options.freshness.as_secs(), met, per_hour, can_be_met }
}

fn rereads(run: &RunRecord) -> u64 {
    let name = StreamKind::Reread.name();
    run.streams.iter().filter(|stream| stream.stream == name).map(|stream| stream.objects).sum()
}

/// Mailboxes read again in an hour of the clock, over the deltas of at least an hour.
fn per_hour(runs: &[RunRecord]) -> Option<f64> {
    let deltas: Vec<&RunRecord> = runs.iter().filter(|run| is_delta(run) && run.finished.is_some()).collect();
    let (newest, oldest) = (deltas.first()?.finished?, deltas.last()?.started);
    let span = since(oldest, newest);
    if span < Duration::from_secs(60 * 60) {
        return None;
    }
    let read: u64 = deltas.iter().map(|run| rereads(run)).sum();
    Some(read as f64 / (span.as_secs_f64() / 3600.0))
}

/// Mailboxes that Exchange lets us read in a second of a run, where runs read enough to tell.
pub(super) fn measured_rate(runs: &[RunRecord]) -> Option<f64> {
    const ENOUGH: u64 = 100;
    let mut read = 0;
    let mut took = Duration::ZERO;
    for run in runs.iter().filter(|run| is_delta(run) && rereads(run) > 0) {
        let Some(finished) = run.finished else { continue };
        read += rereads(run);
        took += since(run.started, finished);
    }
    (read >= ENOUGH && took > Duration::ZERO).then(|| read as f64 / took.as_secs_f64())
}
