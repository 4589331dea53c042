//! One delta run from its lease to its end.

use std::sync::Arc;
use std::time::Duration;

use exogate_model::change::{Learnt, ObjectKind};
use exogate_model::clock::Clock;
use exogate_store::{RunRequest, RunState, StoreError};
use jiff::Timestamp;

use super::aspects::Aspects;
use super::finish::finish;
use super::found::{Found, Round, Wanted, want};
use super::known::known;
use super::named::named;
use super::options::DeltaOptions;
use super::plan::{Plan, plan, since};
use super::report::{part, report};
use super::{reread, sweep};
use crate::aggregate::conclude::conclude;
use crate::aggregate::run::{fatal, read_streams};
use crate::aggregate::work::Notes;
use crate::aggregate::{
    self, AggregateError, Aggregation, Outcome, RunSummary, Stage, StreamError, StreamKind, StreamReport,
    feeds,
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
    conclude(&aggregation, &run, &notes, settled).await
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
        // Where one listing was cut short, nothing is deleted for being absent: what the others did not
        // show any more has to be missed again.
        if complete.len() == streams.len() {
            found.cursors.extend(feeds::after(round.run, &complete).await?);
        }
        reports.extend(streams);
    }
    if plan.sweep {
        part(round, StreamKind::Sweep, sweep::sweep(round, &plan).await, &mut found, &mut reports)?;
    }
    read_again(round, &plan, &mut found, &mut reports).await?;
    finish(round, found, complete, reports).await
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
        store.queue_all(kinds.clone(), why, Aspects::ALL.to_parts()).await?;
    }
    let mut wanted = std::mem::take(&mut found.mailboxes);
    let again = |aspects| Wanted { learnt: Learnt::Reread, aspects };
    for waiting in store.due(ObjectKind::Mailbox, BACKLOG).await? {
        want(&mut wanted, waiting.id.to_ascii_lowercase(), again(Aspects::from_parts(waiting.parts)));
    }
    if plan.reread > 0 {
        for mailbox in store.oldest(kinds, plan.reread).await? {
            want(&mut wanted, mailbox.key.to_ascii_lowercase(), again(plan.turn));
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
