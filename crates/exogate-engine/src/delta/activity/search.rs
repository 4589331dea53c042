//! Exchange's own audit log, searched where the feed cannot be had.

use std::time::Duration;

use exogate_microsoft::activity;
use jiff::Timestamp;

use super::digest::digest;
use super::{KEPT, KIND, WINDOW, widen};
use crate::aggregate::{StreamError, feeds};
use crate::delta::found::{Found, Round};
use crate::delta::plan::{earlier, later};

/// Records reach the search up to a day late.
const SEARCH_LATE: Duration = WINDOW;

/// Searches for what was done since the last look.
pub(super) async fn by_search(round: Round<'_>, cursor: Option<Timestamp>) -> Result<Found, StreamError> {
    let mut found = Found::default();
    let oldest = earlier(round.now, KEPT);
    let from = earlier(cursor.unwrap_or(round.now), SEARCH_LATE).max(oldest);
    let to = later(round.now, Duration::from_secs(60));
    let session = format!("exogate {}", round.run.id());
    let exchange = round.exchange()?;
    let (read, whole) = round.or_stop(activity::search(exchange, &session, from, to)).await??;
    round.read(KIND, 1, 0);
    if cursor.is_some_and(|cursor| cursor < oldest) {
        widen(round, &mut found, "the audit log was last searched more than a week ago".to_owned());
    }
    if !whole {
        widen(round, &mut found, "the audit log holds more records than one search gives".to_owned());
    }
    digest(round, read, &mut found).await?;
    found.advance(feeds::AUDIT, round.now.to_string());
    Ok(found)
}
