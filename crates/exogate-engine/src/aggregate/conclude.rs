//! The end of a run, of everything or of the differences alike: its summary, and the changes that
//! are old enough to be forgotten.

use exogate_store::{RunHandle, StoreError};

use super::run::Aggregation;
use super::work::Notes;
use super::{AggregateError, Outcome, RunSummary, Stage, StreamReport};

/// Tells what a run came to, which only the store can have failed.
pub(crate) async fn conclude(
    aggregation: &Aggregation,
    run: &RunHandle,
    notes: &Notes,
    settled: Result<(Outcome, Vec<StreamReport>), StoreError>,
) -> Result<RunSummary, AggregateError> {
    let Aggregation { store, context, scope, progress, cancel, .. } = aggregation;
    progress.enter(Stage::Done);
    let (outcome, streams) = match settled {
        Ok(settled) => settled,
        Err(error) => {
            tracing::debug!(%error, cancelled = cancel.is_cancelled(), "the store failed the run");
            // The store may be beyond even this; then the lease runs out by itself.
            let _ = run.stop(&error.to_string()).await;
            return Err(error.into());
        }
    };
    let record = store.run(run.id()).await?.ok_or(AggregateError::RunLost)?;
    let ended = record.finished.unwrap_or(record.started);
    if let Ok(before) = ended.checked_sub(context.options.keep_changes) {
        match store.forget_changes(before).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, %before, "old changes are forgotten"),
            // The run is over and good; the next one forgets more.
            Err(error) => tracing::warn!(%error, "old changes could not be forgotten"),
        }
    }
    Ok(RunSummary {
        scope: *scope,
        outcome,
        resumed: run.resumed(),
        record,
        streams,
        notes: notes.all(),
        counts: store.counts().await?,
    })
}
