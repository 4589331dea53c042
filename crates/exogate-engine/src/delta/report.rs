//! What the parts of a run came to.

use exogate_store::StoreError;

use super::found::{Found, Round};
use crate::aggregate::{StreamError, StreamKind, StreamReport, StreamState};

/// Takes in what a part of the run has found, or why it ended.
pub(super) fn part(
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

/// Notes how a part ended.
pub(super) fn report(
    round: Round<'_>,
    kind: StreamKind,
    error: Option<StreamError>,
    reports: &mut Vec<StreamReport>,
) {
    let progress = round.aggregation.progress.stream(kind);
    progress.set_state(if error.is_none() { StreamState::Complete } else { StreamState::Failed });
    if let Some(error) = &error {
        progress.say(error.to_string());
    }
    let (pages, objects) = progress.read();
    reports.push(StreamReport { kind, pages, objects, error });
}
