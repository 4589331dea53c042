//! One aggregation from its lease to its end.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use exogate_microsoft::caller::carried;
use exogate_model::change::Learnt;
use exogate_store::{
    Coverage, Finish, Holder, RunHandle, RunRequest, RunState, SourceStore, StoreError, StreamResult,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::conclude::conclude;
use super::error::{AggregateError, StreamError};
use super::progress::{Progress, Stage, StreamState};
use super::scope::Scope;
use super::stream::StreamKind;
use super::streams::{self, Links};
use super::summary::{Outcome, RunSummary, StreamReport};
use super::work::{Notes, Work};
use super::{feeds, guard, resolving};
use crate::tenant::{SourceContext, Tenant};

/// How long what an interrupted run has read counts as fresh.
pub const FRESH_FOR: Duration = Duration::from_secs(6 * 60 * 60);

/// An aggregation to carry out.
#[derive(Clone)]
pub struct Aggregation {
    /// The tenant to read.
    pub tenant: Tenant,
    /// The source to read it into.
    pub store: SourceStore,
    /// What to read of it.
    pub context: Arc<SourceContext>,
    /// How much of that.
    pub scope: Scope,
    /// Who runs it, for those who meet it in the store.
    pub holder: Holder,
    /// An interrupted run that began longer ago is not taken up again; zero begins anew.
    pub fresh_for: Duration,
    /// Where to show how far it is.
    pub progress: Arc<Progress>,
    /// How to stop it; what was read stays.
    pub cancel: CancellationToken,
    /// Whether it may delete more than the source's guard allows.
    pub allow_deletions: bool,
}

/// Carries an aggregation out. Everything that ends a single stream is told in the summary; an
/// error means that there was no run to speak of, or that the store failed it.
pub async fn run(aggregation: Aggregation) -> Result<RunSummary, AggregateError> {
    let Aggregation { tenant, store, context, scope, progress, .. } = &aggregation;
    let request = RunRequest {
        scope: scope.name().to_owned(),
        fingerprint: format!("{} {}", context.fingerprint(), tenant.exchange.is_some()),
        holder: aggregation.holder.clone(),
        fresh_for: aggregation.fresh_for,
    };
    let run = store.begin_or_resume(request).await?;
    progress.begin(run.id());
    let notes = Notes::default();
    progress.enter(Stage::Reading);
    let kinds = scope.streams(context, tenant.exchange.is_some());
    let streams = read_streams(&aggregation, &run, &notes, kinds).await;
    let settled = match fatal(streams) {
        Ok(streams) => settle(&aggregation, &run, &notes, streams).await,
        Err(error) => Err(error),
    };
    conclude(&aggregation, &run, &notes, settled).await
}

/// Reads all streams side by side, each to its end or its failure.
pub(crate) async fn read_streams(
    aggregation: &Aggregation,
    run: &RunHandle,
    notes: &Notes,
    kinds: Vec<StreamKind>,
) -> Vec<StreamReport> {
    let Aggregation { tenant, store, context, progress, cancel, .. } = aggregation;
    // A store that fails one stream fails them all; the others need not go on.
    let halt = cancel.child_token();
    let mut tasks = JoinSet::new();
    let mut links = Links::new();
    let mut results = BTreeMap::new();
    for kind in kinds {
        let work = Work {
            kind,
            tenant: tenant.clone(),
            store: store.clone(),
            run: run.clone(),
            context: Arc::clone(context),
            progress: Arc::clone(progress),
            cancel: halt.clone(),
            notes: notes.clone(),
        };
        work.progress().set_state(StreamState::Waiting);
        results.insert(kind, Err(StreamError::Broken("its task ended without a word".to_owned())));
        let links = links.take(kind);
        let span = tracing::debug_span!("stream", stream = kind.name());
        let reading = async move {
            let done = streams::read(&work, links).await;
            work.progress().set_state(if done.is_ok() { StreamState::Complete } else { StreamState::Failed });
            if let Err(error) = &done {
                work.progress().say(error.to_string());
            }
            (kind, done)
        };
        tasks.spawn(carried(reading.instrument(span)));
    }
    drop(links);
    let mut bring_objects: Vec<_> =
        results.keys().copied().filter(|kind| !kind.brings_only_rights()).collect();
    while let Some(ended) = tasks.join_next().await {
        // A task that broke down leaves the word it was given above.
        let Ok((kind, done)) = ended else { continue };
        bring_objects.retain(|other| *other != kind);
        if bring_objects.is_empty()
            && !kind.brings_only_rights()
            && let Err(error) = run.objects_ended()
        {
            tracing::debug!(%error, "the store was not told that all objects were read");
        }
        if matches!(done, Err(StreamError::Store(_))) {
            halt.cancel();
        }
        results.insert(kind, done);
    }
    results
        .into_iter()
        .map(|(kind, done)| {
            let (pages, objects) = progress.stream(kind).read();
            StreamReport { kind, pages, objects, error: done.err() }
        })
        .collect()
}

/// The reports, or the store's error among them: the one that broke the run rather than those that
/// came of it.
pub(crate) fn fatal(streams: Vec<StreamReport>) -> Result<Vec<StreamReport>, StoreError> {
    let mut reports = Vec::with_capacity(streams.len());
    let mut fatal = None;
    for mut report in streams {
        match report.error.take() {
            Some(StreamError::Store(error)) => match &fatal {
                None | Some(StoreError::RunBroken { .. }) => fatal = Some(error),
                Some(_) => {}
            },
            error => reports.push(StreamReport { error, ..report }),
        }
    }
    fatal.map_or(Ok(reports), Err)
}

/// Brings a run whose streams have ended to its own end.
async fn settle(
    aggregation: &Aggregation,
    run: &RunHandle,
    notes: &Notes,
    streams: Vec<StreamReport>,
) -> Result<(Outcome, Vec<StreamReport>), StoreError> {
    let Aggregation { tenant, context, scope, progress, cancel, .. } = aggregation;
    let complete: Vec<StreamKind> = streams.iter().filter(|s| s.error.is_none()).map(|s| s.kind).collect();
    let all = complete.len() == streams.len();
    if !all && cancel.is_cancelled() {
        run.stop("stopped by whoever started it").await?;
        return Ok((Outcome::Stopped, streams));
    }
    let wanted = Scope::All.streams(context, tenant.exchange.is_some());
    let covered = covered(&complete, &wanted);
    run.streams_ended()?;
    // Before anything else: a listing that misses half the tenant must not unsettle what is known.
    if all && !aggregation.allow_deletions {
        let losses =
            guard::losses(&run.would_delete(&covered).await?, context.options.deletion_guard_percent);
        if !losses.is_empty() {
            let sentences: Vec<_> = losses.iter().map(guard::sentence).collect();
            run.stop(&format!(
                "{}, more than the {} % that the deletion guard lets go unasked",
                sentences.join("; "),
                context.options.deletion_guard_percent
            ))
            .await?;
            return Ok((Outcome::Refused { losses }, streams));
        }
    }
    progress.enter(Stage::Resolving);
    let reads_users = streams.iter().any(|stream| stream.kind == StreamKind::Users);
    let reads_rights = streams.iter().any(|stream| stream.kind == StreamKind::MailboxPermissions);
    if reads_rights && !reads_users && aggregation.store.counts().await?.users == 0 {
        notes.add(
            None,
            "no accounts are known yet: trustees without a mailbox cannot be recognised until accounts are aggregated"
                .to_owned(),
        );
    }
    let relabel = async {
        if complete.contains(&StreamKind::Mailboxes) {
            run.relabel(&context.governed_kinds()).await?;
        }
        Ok::<(), StoreError>(())
    };
    // Neither knows of the other, and the second reads for long before it writes.
    let nobody = HashSet::new();
    tokio::try_join!(relabel, resolving::resolve(run, &complete, &nobody, Learnt::Full))?;
    progress.enter(Stage::Finishing);
    let nothing = complete.is_empty() && streams.iter().all(|stream| stream.objects == 0);
    let (state, outcome) = match (all, nothing) {
        (true, _) => (RunState::Completed, Outcome::Completed),
        (false, true) => (RunState::Failed, Outcome::Failed),
        (false, false) => (RunState::Incomplete, Outcome::Incomplete),
    };
    tracing::debug!(scope = scope.name(), state = state.name(), "finishing the run");
    run.finish(Finish {
        state,
        covered,
        delete_unseen: all,
        streams: streams.iter().map(result).collect(),
        notes: notes.all(),
        cursors: if all { feeds::after(run, &complete).await? } else { Vec::new() },
    })
    .await?;
    Ok((outcome, streams))
}

/// What the complete streams speak for. Exchange attributes of groups come from several listings:
/// only all that this source reads of them speak for the whole.
pub(crate) fn covered(complete: &[StreamKind], wanted: &[StreamKind]) -> Vec<Coverage> {
    const GROUPS: [StreamKind; 3] =
        [StreamKind::DistributionGroups, StreamKind::Microsoft365Groups, StreamKind::DynamicGroups];
    let mut covered: Vec<_> = complete.iter().flat_map(|kind| kind.covers()).copied().collect();
    let mut needed = GROUPS.iter().filter(|kind| wanted.contains(kind)).peekable();
    if needed.peek().is_some() && needed.all(|kind| complete.contains(kind)) {
        covered.push(Coverage::GroupExchange);
    }
    covered
}

pub(crate) fn result(stream: &StreamReport) -> StreamResult {
    StreamResult {
        stream: stream.kind.name().to_owned(),
        complete: stream.error.is_none(),
        pages: stream.pages,
        objects: stream.objects,
        error: stream.error.as_ref().map(ToString::to_string),
    }
}

#[cfg(test)]
mod tests {
    use exogate_store::Facet;

    use super::*;

    #[test]
    fn a_stream_speaks_for_its_own_part_only() {
        use StreamKind::*;
        assert_eq!(covered(&[Users], &[Users, Groups]), [Coverage::Users]);
        assert_eq!(covered(&[SendAs], &[Users, SendAs]), [Coverage::Grants(Facet::SendAs)]);
        let wanted = [DistributionGroups, DynamicGroups];
        assert!(!covered(&[DistributionGroups], &wanted).contains(&Coverage::GroupExchange));
        assert!(covered(&wanted, &wanted).contains(&Coverage::GroupExchange));
        assert!(covered(&[], &[Users]).is_empty());
    }
}
