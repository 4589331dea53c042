//! One delta run from its lease to its end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use exogate_model::change::{Learnt, ObjectKind};
use exogate_model::clock::Clock;
use exogate_store::{
    CandidateKind, Coverage, Finish, Forecast, RunHandle, RunRequest, RunState, SourceStore, StoreError,
};
use jiff::Timestamp;

use super::directory::Followed;
use super::found::{Found, Round};
use super::options::DeltaOptions;
use super::plan::{Known, Plan, plan, since};
use super::{activity, attribute, change_time, directory, reread, sweep};
use crate::aggregate::run::{covered, fatal, read_streams, result};
use crate::aggregate::work::Notes;
use crate::aggregate::{
    self, AggregateError, Aggregation, Outcome, RunSummary, Stage, StreamError, StreamKind, StreamReport,
    StreamState, feeds, guard, resolving,
};

/// Mailboxes of the backlog that one run reads.
const BACKLOG: usize = 2_000;

/// What the scope of a delta run has behind it on record.
const MARK: &str = " delta";

/// The scope of a delta run by what is on record; none for a full one.
pub fn scope_of(recorded: &str) -> Option<&str> {
    recorded.strip_suffix(MARK)
}

/// A delta aggregation to carry out.
pub struct Delta {
    /// What is read into what, and by whom.
    pub aggregation: Aggregation,
    /// How differences are looked for.
    pub options: DeltaOptions,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Reads what is different. Where nothing was ever read, or a full aggregation was interrupted, that
/// is read, or taken up, instead.
pub async fn run(delta: Delta) -> Result<RunSummary, AggregateError> {
    let Delta { aggregation, options, clock } = delta;
    let now = clock.now();
    if let Some(instead) = full_instead(&aggregation, now).await? {
        let mut summary = aggregate::run(aggregation).await?;
        summary.notes.push(instead);
        return Ok(summary);
    }
    let Aggregation { tenant, store, context, scope, progress, .. } = &aggregation;
    let run = store
        .begin_or_resume(RunRequest {
            scope: format!("{}{MARK}", scope.name()),
            fingerprint: format!("{} {}", context.fingerprint(), tenant.exchange.is_some()),
            holder: aggregation.holder.clone(),
            // What was applied is not told twice, and what was not is told again: nothing to take up.
            fresh_for: Duration::ZERO,
        })
        .await?;
    progress.begin(run.id());
    let notes = Notes::default();
    let round = Round { aggregation: &aggregation, run: &run, notes: &notes, options: &options, now };
    progress.enter(Stage::Reading);
    let settled = work(round).await;
    progress.enter(Stage::Done);
    match settled {
        Ok((outcome, streams)) => {
            let record = store.run(run.id()).await?.ok_or(AggregateError::RunLost)?;
            Ok(RunSummary {
                scope: *scope,
                outcome,
                resumed: false,
                record,
                streams,
                notes: notes.all(),
                counts: store.counts().await?,
            })
        }
        Err(error) => {
            tracing::debug!(%error, "the store failed the run");
            // The store may be beyond even this; then the lease runs out by itself.
            let _ = run.stop(&error.to_string()).await;
            Err(error.into())
        }
    }
}

/// Why everything is read instead, if so.
async fn full_instead(aggregation: &Aggregation, now: Timestamp) -> Result<Option<String>, StoreError> {
    let store = &aggregation.store;
    if store.settled_parts().await?.is_empty() {
        return Ok(Some("nothing was read completely before, so everything was read".to_owned()));
    }
    let Some(last) = store.runs(1).await?.into_iter().next() else { return Ok(None) };
    let interrupted = matches!(last.state, RunState::Running | RunState::Stopped | RunState::Failed)
        && !last.alive
        && last.scope == aggregation.scope.name()
        && since(last.started, now) <= aggregation.fresh_for;
    Ok(interrupted.then(|| "an interrupted full aggregation was taken up instead of a delta".to_owned()))
}

/// Everything between the beginning and the end. Only the store fails it.
async fn work(round: Round<'_>) -> Result<(Outcome, Vec<StreamReport>), StoreError> {
    let known = known(round).await?;
    let mut plan = plan(&known, round.options, round.now);
    let mut reports = Vec::new();
    let mut found = named(round, &mut plan, &mut reports).await?;
    let mut complete = Vec::new();
    if !plan.full.is_empty() && !round.aggregation.cancel.is_cancelled() {
        let streams = read_streams(round.aggregation, round.run, round.notes, plan.full.clone()).await;
        let streams = fatal(streams)?;
        complete.extend(streams.iter().filter(|s| s.error.is_none()).map(|s| s.kind));
        reports.extend(streams);
        found.cursors.extend(feeds::after(round.run, &complete).await?);
    }
    if plan.sweep {
        part(round, StreamKind::Sweep, sweep::sweep(round).await, &mut found, &mut reports)?;
    }
    read_again(round, &plan, &mut found, &mut reports).await?;
    finish(round, found, complete, reports).await
}

async fn instant(store: &SourceStore, feed: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(store.feed_cursor(feed).await?.and_then(|cursor| cursor.cursor.parse().ok()))
}

async fn known(round: Round<'_>) -> Result<Known, StoreError> {
    let (store, aggregation) = (round.store(), round.aggregation);
    let context = &aggregation.context;
    let (users, groups) = (store.feed_cursor(feeds::USERS).await?, store.feed_cursor(feeds::GROUPS).await?);
    let ages = store.ages(context.governed_kinds()).await?;
    let last = store.runs(2).await?.into_iter().find_map(|run| run.finished);
    Ok(Known {
        same_reading: !round.run.schema_changed(),
        wanted: aggregation.scope.streams(context, aggregation.tenant.exchange.is_some()),
        settled: store.settled_parts().await?,
        listed: users.as_ref().map(|cursor| cursor.at).min(groups.as_ref().map(|cursor| cursor.at)),
        users: users.map(|cursor| cursor.cursor),
        groups: groups.map(|cursor| cursor.cursor),
        mailboxes: instant(store, feeds::MAILBOXES).await?,
        exchange_groups: instant(store, feeds::EXCHANGE_GROUPS).await?,
        swept: instant(store, feeds::SWEEP).await?,
        last,
        governed: ages.governed,
        never_read: ages.never_read,
        mailboxes_per_second: super::status::measured_rate(&store.runs(super::status::RUNS).await?),
    })
}

/// Asks all feeds side by side which objects are different.
async fn named(
    round: Round<'_>,
    plan: &mut Plan,
    reports: &mut Vec<StreamReport>,
) -> Result<Found, StoreError> {
    let store = round.store();
    let (feed, search) = (instant(store, feeds::ACTIVITY).await?, instant(store, feeds::AUDIT).await?);
    let users = async {
        match &plan.users {
            Some(link) => Some(directory::users(round, link).await),
            None => None,
        }
    };
    let groups = async {
        match &plan.groups {
            Some(link) => Some(directory::groups(round, link).await),
            None => None,
        }
    };
    let mailboxes = async {
        match plan.mailboxes {
            Some(since) => Some(change_time::changed_mailboxes(round, since).await),
            None => None,
        }
    };
    let exchange_groups = async {
        match plan.exchange_groups {
            Some(since) => Some(change_time::changed_groups(round, since).await),
            None => None,
        }
    };
    let activity =
        async { if plan.activity { Some(activity::read(round, feed, search).await) } else { None } };
    // Resolving names needs what the directory has just told, or a new name is not found; a name
    // that is not found only costs more reading.
    let (users, groups, mailboxes, exchange_groups, activity) =
        futures::join!(users, groups, mailboxes, exchange_groups, activity);
    let mut found = Found::default();
    // First those that tell most of the cause.
    if let Some(done) = activity {
        part(round, StreamKind::Activity, done, &mut found, reports)?;
    }
    for (kind, whole, followed) in [
        (StreamKind::UserChanges, StreamKind::Users, users),
        (StreamKind::GroupChanges, StreamKind::Groups, groups),
    ] {
        let Some(followed) = followed else { continue };
        let done = followed.map(|followed| match followed {
            Followed::Done(found) => *found,
            Followed::Reset => {
                round.note(kind, "the directory no longer knew the link; everything was listed instead");
                plan.full.push(whole);
                Found::default()
            }
        });
        part(round, kind, done, &mut found, reports)?;
    }
    for (kind, done) in
        [(StreamKind::MailboxChanges, mailboxes), (StreamKind::ExchangeGroupChanges, exchange_groups)]
    {
        if let Some(done) = done {
            part(round, kind, done, &mut found, reports)?;
        }
    }
    plan.full.sort_unstable();
    plan.full.dedup();
    Ok(found)
}

/// Takes in what a part of the run has found, or why it ended.
fn part(
    round: Round<'_>,
    kind: StreamKind,
    done: Result<Found, StreamError>,
    found: &mut Found,
    reports: &mut Vec<StreamReport>,
) -> Result<(), StoreError> {
    let error = match done {
        Ok(more) => {
            found.add(more);
            None
        }
        Err(StreamError::Store(error)) => return Err(error),
        Err(error) => Some(error),
    };
    report(round, kind, error, reports);
    Ok(())
}

fn report(round: Round<'_>, kind: StreamKind, error: Option<StreamError>, reports: &mut Vec<StreamReport>) {
    let progress = round.aggregation.progress.stream(kind);
    progress.set_state(if error.is_none() { StreamState::Complete } else { StreamState::Failed });
    if let Some(error) = &error {
        progress.say(error.to_string());
    }
    let (pages, objects) = progress.read();
    reports.push(StreamReport { kind, pages, objects, error });
}

/// Reads single mailboxes: those that were named, those that wait, and those whose turn has come.
async fn read_again(
    round: Round<'_>,
    plan: &Plan,
    found: &mut Found,
    reports: &mut Vec<StreamReport>,
) -> Result<(), StoreError> {
    if round.aggregation.tenant.exchange.is_none() || plan.full.contains(&StreamKind::MailboxPermissions) {
        // All of them were just read.
        return Ok(());
    }
    let store = round.store();
    let kinds = round.aggregation.context.governed_kinds();
    if let Some(why) = &found.everything {
        store.queue_all(kinds.clone(), why).await?;
    }
    let mut wanted: BTreeMap<String, Learnt> = std::mem::take(&mut found.mailboxes);
    for waiting in store.due(ObjectKind::Mailbox, BACKLOG).await? {
        wanted.entry(waiting.id.to_ascii_lowercase()).or_insert(Learnt::Reread);
    }
    if plan.reread > 0 {
        for mailbox in store.oldest(kinds, plan.reread).await? {
            wanted.entry(mailbox.key.to_ascii_lowercase()).or_insert(Learnt::Reread);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let listed = std::mem::take(&mut found.listed);
    match reread::read(round, &wanted, &listed).await {
        Ok((more, error)) => {
            found.add(more);
            report(round, StreamKind::Reread, error, reports);
        }
        Err(StreamError::Store(error)) => return Err(error),
        Err(error) => report(round, StreamKind::Reread, Some(error), reports),
    }
    Ok(())
}

/// Brings the run to its end.
async fn finish(
    round: Round<'_>,
    mut found: Found,
    complete: Vec<StreamKind>,
    reports: Vec<StreamReport>,
) -> Result<(Outcome, Vec<StreamReport>), StoreError> {
    let (aggregation, run) = (round.aggregation, round.run);
    if aggregation.cancel.is_cancelled()
        || reports.iter().any(|r| matches!(r.error, Some(StreamError::Stopped)))
    {
        run.stop("stopped by whoever started it").await?;
        return Ok((Outcome::Stopped, reports));
    }
    let all = reports.iter().all(|report| report.error.is_none());
    let listings = reports.iter().filter(|report| StreamKind::ALL.contains(&report.kind));
    let delete_unseen = listings.clone().all(|report| report.error.is_none());
    let wanted = aggregation.scope.streams(&aggregation.context, aggregation.tenant.exchange.is_some());
    let covered = covered(&complete, &wanted);
    if !aggregation.allow_deletions {
        let losses = losses(round, &found, if delete_unseen { &covered } else { &[] }).await?;
        if !losses.is_empty() {
            let sentences: Vec<_> = losses.iter().map(guard::sentence).collect();
            let percent = aggregation.context.options.deletion_guard_percent;
            run.stop(&format!(
                "{}, more than the {percent} % that the deletion guard lets go unasked",
                sentences.join("; ")
            ))
            .await?;
            return Ok((Outcome::Refused { losses }, reports));
        }
    }
    aggregation.progress.enter(Stage::Resolving);
    if complete.contains(&StreamKind::Mailboxes) {
        run.relabel(&aggregation.context.governed_kinds()).await?;
    } else if touches_mailboxes(&found) {
        found.settlement.labels = Some(aggregation.context.governed_kinds());
    }
    if found.touches_principals() || !complete.is_empty() {
        resolving::resolve(run, &complete, &gone(&found), Learnt::Directory).await?;
    }
    aggregation.progress.enter(Stage::Finishing);
    let nothing = !all && reports.iter().all(|report| report.error.is_some() || report.objects == 0);
    let (state, outcome) = match (all, nothing && found.cursors.is_empty()) {
        (true, _) => (RunState::Completed, Outcome::Completed),
        (false, true) => (RunState::Failed, Outcome::Failed),
        (false, false) => (RunState::Incomplete, Outcome::Incomplete),
    };
    let Found { settlement, cursors, .. } = found;
    let finish = Finish {
        state,
        covered,
        delete_unseen,
        streams: reports.iter().map(result).collect(),
        notes: round.notes.all(),
        cursors,
    };
    run.finish_with(finish, settlement).await?;
    attribute::attribute(&aggregation.store, round.now).await?;
    Ok((outcome, reports))
}

fn touches_mailboxes(found: &Found) -> bool {
    let settlement = &found.settlement;
    settlement.seen.iter().chain(&settlement.gone).any(|named| named.part == Coverage::Mailboxes)
}

fn gone(found: &Found) -> HashSet<(CandidateKind, String)> {
    let kind = |part| match part {
        Coverage::Users => Some(CandidateKind::User),
        Coverage::Mailboxes => Some(CandidateKind::Mailbox),
        Coverage::Groups | Coverage::DynamicGroups => Some(CandidateKind::Group),
        _ => None,
    };
    let gone = found.settlement.gone.iter();
    gone.filter_map(|named| Some((kind(named.part)?, named.id.to_ascii_lowercase()))).collect()
}

/// What goes beyond the deletion guard, by absence or by name.
async fn losses(round: Round<'_>, found: &Found, covered: &[Coverage]) -> Result<Vec<Forecast>, StoreError> {
    let run: &RunHandle = round.run;
    let mut forecasts = run.would_delete(covered).await?;
    let counts = round.store().counts().await?;
    for (part, known) in [
        (Coverage::Users, counts.users),
        (Coverage::Mailboxes, counts.mailboxes),
        (Coverage::Groups, counts.groups),
    ] {
        if covered.contains(&part) {
            continue;
        }
        let unseen = found.settlement.gone.iter().filter(|named| named.part == part).count() as u64;
        forecasts.push(Forecast { part, known, unseen });
    }
    Ok(guard::losses(&forecasts, round.aggregation.context.options.deletion_guard_percent))
}
