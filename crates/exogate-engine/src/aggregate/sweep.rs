//! Reading a paged listing to its end: a checkpoint with every page, the next page under way while
//! one is stored, and a fresh start when the service has forgotten where we were.

use std::sync::Arc;

use exogate_microsoft::caller::carried;
use exogate_microsoft::page::{Page, PageLink};
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_store::{Batch, Checkpoint};
use futures::future::BoxFuture;
use tokio::task::JoinSet;

use super::error::StreamError;
use super::progress::StreamState;
use super::work::{UnderWay, Work};

/// How often a listing may begin again because its links expired.
const RESTARTS: u32 = 5;
const RANGED: &str = "the tenant refused its own page links; the listing was read by key ranges instead";

/// Fetches the first page of a listing, or the one behind a link.
pub(super) type Fetch =
    Arc<dyn Fn(Option<PageLink>) -> BoxFuture<'static, Result<Page, WireError>> + Send + Sync>;

/// What becomes of the objects of a listing.
pub(crate) trait Listing: Send {
    /// Puts the objects of a page into a batch; gives how many are new to the listing.
    fn take(&mut self, records: Vec<Record>, batch: &mut Batch) -> Result<u64, StreamError>;

    /// Called when the page just taken is on its way into the store, before anything later.
    fn submitted(&mut self) {}

    /// What has to be said when the listing is at its end.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The cursor to keep after the last page, where the stream is not over with it.
    fn goes_on(&self) -> Option<&'static str> {
        None
    }
}

/// Reads a listing from its checkpoint to its end.
pub(super) async fn sweep(work: &Work, fetch: &Fetch, listing: &mut impl Listing) -> Result<(), StreamError> {
    let mut position = work.run.checkpoint(work.stream()).await?.unwrap_or_default();
    work.progress().set(position.pages, position.objects);
    let listed = listing.goes_on();
    if position.done || (listed.is_some() && position.cursor.as_deref() == listed) {
        return Ok(());
    }
    work.progress().set_state(StreamState::Reading);
    let mut restarts = 0;
    let mut taken_up = position.cursor.clone();
    loop {
        match from(work, fetch, listing, &mut position).await {
            // The configuration names another host than when the run was interrupted.
            Err(StreamError::Wire(error))
                if error.kind == ErrorKind::WrongHost
                    && taken_up == position.cursor
                    && taken_up.is_some() =>
            {
                taken_up = None;
                work.run.restart_stream(work.stream()).await?;
                position = Checkpoint::default();
            }
            Err(StreamError::Wire(error)) if begins_again(&error.kind) => {
                restarts += 1;
                if restarts > RESTARTS {
                    return Err(StreamError::NeverEnds { times: restarts });
                }
                work.note("the service no longer knew the page it had linked to; the listing began again");
                work.run.restart_stream(work.stream()).await?;
                position = Checkpoint::default();
            }
            Err(error) => return Err(error),
            Ok(()) => {
                listing.notes().into_iter().for_each(|note| work.note(note));
                return Ok(());
            }
        }
    }
}

fn begins_again(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::PageExpired | ErrorKind::DeltaReset { .. })
}

async fn from(
    work: &Work,
    fetch: &Fetch,
    listing: &mut impl Listing,
    position: &mut Checkpoint,
) -> Result<(), StreamError> {
    // A cursor that cannot be read was written by another version: begin at the beginning.
    let at: Option<PageLink> =
        position.cursor.as_deref().and_then(|cursor| serde_json::from_str(cursor).ok());
    if at.is_none() {
        *position = Checkpoint::default();
    }
    let mut ranged = work.has_noted(RANGED);
    let mut under_way = UnderWay::default();
    // Dropped with this function, it takes the request under way with it.
    let mut ahead = JoinSet::new();
    ahead.spawn(carried(fetch(at)));
    while let Some(page) = work.or_stop(ahead.join_next()).await? {
        let page = page.map_err(|fault| StreamError::Broken(fault.to_string()))??;
        if let Some(next) = &page.next {
            ahead.spawn(carried(fetch(Some(next.clone()))));
        }
        if page.used_fallback && !ranged {
            ranged = true;
            position.objects = 0;
            work.note(RANGED);
        }
        let mut batch = Batch { stream: work.stream().to_owned(), ..Batch::default() };
        position.objects += listing.take(page.records, &mut batch)?;
        position.pages += 1;
        let link = page.next.as_ref().or(page.delta.as_ref());
        let last = listing.goes_on().filter(|_| page.next.is_none()).map(str::to_owned);
        position.done = page.next.is_none() && last.is_none();
        position.cursor = last.or_else(|| link.and_then(|link| serde_json::to_string(link).ok()));
        batch.checkpoint = Some(position.clone());
        under_way.add(work.submit(batch, listing.notes()).await?).await?;
        listing.submitted();
        work.progress().set(position.pages, position.objects);
    }
    under_way.settle().await?;
    Ok(())
}
