//! The activity feed: its subscription, its windows of time, and the pieces of content in them.

use exogate_model::count::counted;
use std::collections::BTreeSet;
use std::time::Duration;

use exogate_microsoft::ErrorKind;
use exogate_microsoft::activity::{
    ActivityClient, Content, Read, Subscription, is_expired_content, is_unsubscribed,
};
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::digest::digest;
use super::{KEPT, KIND, WINDOW, widen};
use crate::aggregate::{StreamError, feeds};
use crate::delta::found::{Found, Round};
use crate::delta::plan::{earlier, later, since};

/// Content that is listed late, or by a clock that is not ours.
const LATE: Duration = Duration::from_secs(60 * 60);
/// Pieces of content read side by side; the governor allows fewer where it must.
const ABREAST: usize = 8;

/// Reads what became available since the last look; subscribes where nobody did.
pub(super) async fn by_feed(
    round: Round<'_>,
    client: &ActivityClient,
    cursor: Option<Timestamp>,
) -> Result<Found, StreamError> {
    let mut found = Found::default();
    let listed = match list(round, client, cursor, &mut found).await {
        Err(StreamError::Wire(error)) if is_unsubscribed(&error) => {
            subscribe(round, client, cursor, &mut found).await?;
            return Ok(found);
        }
        done => done?,
    };
    let ids = listed.iter().map(|content| content.id.clone()).collect();
    let unread: BTreeSet<String> = round.store().unread_content(ids).await?.into_iter().collect();
    let mut pieces: Vec<Content> =
        listed.into_iter().filter(|content| unread.contains(&content.id)).collect();
    pieces.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    pieces.dedup_by(|a, b| a.id == b.id);
    let mut read = Read::default();
    let mut lost = 0;
    let mut answers = stream::iter(pieces)
        .map(|content| async move {
            let answer = client.content(&content).await;
            (content, answer)
        })
        .buffered(ABREAST);
    while let Some((content, answer)) = round.or_stop(answers.next()).await? {
        round.read(KIND, 1, 0);
        match answer {
            Ok(some) => {
                read.records.extend(some.records);
                read.unreadable += some.unreadable;
            }
            Err(error) if is_expired_content(&error) => lost += 1,
            Err(error) => return Err(error.into()),
        }
        found.settlement.content.push(content.id);
    }
    drop(answers);
    if lost > 0 {
        widen(round, &mut found, format!("{} of the activity feed no longer kept", counted(lost, "piece")));
    }
    digest(round, read, &mut found).await?;
    found.advance(feeds::ACTIVITY, round.now.to_string());
    found.advance(feeds::AUDIT, round.now.to_string());
    Ok(found)
}

/// The content since the last look, window by window.
async fn list(
    round: Round<'_>,
    client: &ActivityClient,
    cursor: Option<Timestamp>,
    found: &mut Found,
) -> Result<Vec<Content>, StreamError> {
    const PAGES: u32 = 100_000;
    let oldest = earlier(round.now, KEPT);
    let from = match cursor {
        Some(cursor) if cursor < oldest => {
            let days = since(cursor, round.now).as_secs() / 86_400;
            widen(
                round,
                found,
                format!("the activity feed was last read {days} days ago and keeps only seven"),
            );
            oldest
        }
        Some(cursor) => earlier(cursor, LATE).max(oldest),
        None => earlier(round.now, WINDOW),
    };
    let mut listed = Vec::new();
    let mut begin = from;
    // What the feed cuts off by counting whole seconds, the next look finds: it begins earlier.
    while begin < round.now {
        let end = later(begin, WINDOW).min(round.now);
        let mut at: Option<String> = None;
        let mut restarted = false;
        for _ in 0..PAGES {
            let page = match round.or_stop(client.content_page(begin, end, at.as_deref())).await? {
                Ok(page) => page,
                Err(error) if error.kind == ErrorKind::PageExpired && !restarted => {
                    (restarted, at) = (true, None);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            round.read(KIND, 1, 0);
            listed.extend(page.items);
            at = page.next;
            if at.is_none() {
                break;
            }
        }
        if at.is_some() {
            return Err(StreamError::NeverEnds { times: PAGES });
        }
        begin = end;
    }
    Ok(listed)
}

async fn subscribe(
    round: Round<'_>,
    client: &ActivityClient,
    cursor: Option<Timestamp>,
    found: &mut Found,
) -> Result<(), StreamError> {
    let before = round.or_stop(client.subscription()).await??;
    round.or_stop(client.start()).await??;
    round.read(KIND, 2, 0);
    round.note(
        KIND,
        match before {
            Subscription::Disabled => {
                "the subscription to the activity feed had been ended and was started again; first content can take \
                 12 hours"
            }
            _ => "subscribed to the activity feed; first content can take 12 hours",
        },
    );
    // What was done before may never come.
    widen(round, found, "the activity feed was not subscribed to".to_owned());
    let cursor = cursor.unwrap_or(round.now);
    found.advance(feeds::ACTIVITY, cursor.to_string());
    Ok(())
}
