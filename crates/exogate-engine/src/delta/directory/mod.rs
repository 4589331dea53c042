//! The directory's own deltas: users, groups, members and owners.
//!
//! A round is applied page by page; its link is kept only when it came to its end. What a round
//! leaves out it does not tell: edges of deleted users are dropped here, and what a user that comes
//! into being (or out of the recycle bin) is a member of is asked for.

mod groups;
mod relations;
mod users;

use exogate_microsoft::graph::DeltaQuery;
use exogate_microsoft::page::PageLink;
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_model::change::Learnt;

pub(super) use self::groups::groups;
pub(super) use self::users::users;
use super::found::{Found, Round};
use crate::aggregate::{StreamError, StreamKind};

/// How a round ended.
pub(super) enum Followed {
    /// It came to its end.
    Done(Box<Found>),
    /// The directory does not know the link any more: everything has to be listed.
    Reset,
}

/// Pages after which a round is taken for one that runs in a circle without repeating a link.
const PAGES: u64 = 100_000;
const LEARNT: Learnt = Learnt::Directory;

/// Follows a link to the end of its round.
async fn follow(
    round: Round<'_>,
    kind: StreamKind,
    query: &DeltaQuery,
    cursor: &str,
    applier: &mut impl Applier,
) -> Result<Option<String>, StreamError> {
    round.begin(kind);
    // A link that cannot be read was written by another version.
    let Ok(link) = serde_json::from_str::<PageLink>(cursor) else { return Ok(None) };
    let graph = &round.aggregation.tenant.graph;
    let mut at = link;
    for _ in 0..PAGES {
        let page = match round.or_stop(graph.delta_page(query, Some(&at))).await? {
            Ok(page) => page,
            Err(error) if is_reset(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        round.read(kind, 1, page.records.len() as u64);
        applier.apply(round, page.records).await?;
        match (page.next, page.delta) {
            (Some(next), _) => at = next,
            (None, Some(delta)) => return Ok(serde_json::to_string(&delta).ok()),
            (None, None) => return Ok(None),
        }
    }
    Err(StreamError::NeverEnds { times: 1 })
}

/// Whether everything has to be listed: the link is too old, was reset by the service, or leads to
/// another host than the configuration names now.
fn is_reset(error: &WireError) -> bool {
    matches!(error.kind, ErrorKind::DeltaReset { .. } | ErrorKind::PageExpired | ErrorKind::WrongHost)
}

trait Applier {
    async fn apply(&mut self, round: Round<'_>, records: Vec<Record>) -> Result<(), StreamError>;
}
