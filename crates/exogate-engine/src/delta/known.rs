//! What is known when a run begins.

use exogate_store::{SourceStore, StoreError};
use jiff::Timestamp;

use super::found::Round;
use super::plan::Known;
use super::status;
use crate::aggregate::feeds;

/// The instant that a feed goes on by.
pub(super) async fn instant(store: &SourceStore, feed: &str) -> Result<Option<Timestamp>, StoreError> {
    Ok(store.feed_cursor(feed).await?.and_then(|cursor| cursor.cursor.parse().ok()))
}

/// Looks it up.
pub(super) async fn known(round: Round<'_>) -> Result<Known, StoreError> {
    let (store, aggregation) = (round.store(), round.aggregation);
    let context = &aggregation.context;
    let (users, groups) = (store.feed_cursor(feeds::USERS).await?, store.feed_cursor(feeds::GROUPS).await?);
    let ages = store.ages(context.governed_kinds()).await?;
    let send_as = instant(store, feeds::SEND_AS).await?;
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
        send_as,
        swept: instant(store, feeds::SWEEP).await?,
        last,
        all_mailboxes: store.counts().await?.mailboxes,
        governed: ages.governed,
        never_read: ages.never_read,
        mailboxes_per_second: status::measured_rate(&store.runs(status::RUNS).await?),
    })
}
