//! What the audit log says was done: by the activity feed, or by a search where the feed cannot be
//! had. Records only name mailboxes to be read again, and tell who did it; a doubt names more, never
//! fewer.

mod digest;
mod feed;
mod names;
mod search;

use std::time::Duration;

use exogate_microsoft::activity::ActivityClient;
use exogate_microsoft::{ErrorKind, WireError};
use jiff::Timestamp;

use super::found::{Found, Round};
use crate::aggregate::{StreamError, StreamKind};

const KIND: StreamKind = StreamKind::Activity;
/// The feed gives windows of at most a day, and content of at most seven.
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60 - 10 * 60);

/// What was done since the last look.
pub(super) async fn read(
    round: Round<'_>,
    fed: Option<Timestamp>,
    searched: Option<Timestamp>,
) -> Result<Found, StreamError> {
    round.begin(KIND);
    let refused = match ActivityClient::new(round.aggregation.tenant.caller.clone()) {
        None => "this cloud has no activity feed".to_owned(),
        Some(client) => match feed::by_feed(round, &client, fed).await {
            Err(StreamError::Wire(error)) if is_out_of_reach(&error) => error.to_string(),
            done => return done,
        },
    };
    match search::by_search(round, searched).await {
        Err(StreamError::Wire(error)) if is_out_of_reach(&error) || error.is_not_found() => {
            round.note(
                KIND,
                format!(
                    "neither the activity feed ({refused}) nor the audit log ({error}) can be read: changes of \
                     rights are found by reading mailboxes again, and who made them is not known"
                ),
            );
            Ok(Found::default())
        }
        Ok(found) => {
            round.note(KIND, format!("{refused}: the audit log is searched instead"));
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

/// Whether a failure will not pass by itself: somebody has to grant something first.
fn is_out_of_reach(error: &WireError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Forbidden
            | ErrorKind::Unauthorized
            | ErrorKind::SignIn(_)
            | ErrorKind::InvalidRequest
            | ErrorKind::NotTrusted
            | ErrorKind::NotMicrosoft
            | ErrorKind::Unreachable
    )
}

fn widen(round: Round<'_>, found: &mut Found, why: String) {
    round.note(KIND, format!("{why}: all governed mailboxes are read again"));
    found.everything.get_or_insert(why);
}
