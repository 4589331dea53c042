//! The end of a run: the deletion guard, resolving, and the one transaction that writes where feeds
//! go on together with what they told.

use std::collections::HashSet;

use exogate_model::change::Learnt;
use exogate_store::{CandidateKind, Coverage, Finish, Forecast, RunHandle, RunState, StoreError};

use super::attribute;
use super::found::{Found, Round};
use crate::aggregate::run::{covered, result};
use crate::aggregate::{Outcome, Stage, StreamError, StreamKind, StreamReport, guard, resolving};

/// Brings the run to its end.
pub(super) async fn finish(
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
    let own = aggregation.tenant.caller.client_id();
    attribute::attribute(&aggregation.store, own, round.now).await?;
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
