//! The feeds of differences, and where they go on after everything was read.

use exogate_store::{RunHandle, StoreError};

use super::stream::StreamKind;

/// Changes of users: a link of the directory.
pub(crate) const USERS: &str = "users";
/// Changes of groups, members and owners: a link of the directory.
pub(crate) const GROUPS: &str = "groups";
/// Mailboxes by their time of change: an instant.
pub(crate) const MAILBOXES: &str = "mailboxes";
/// Groups in Exchange by their time of change: an instant.
pub(crate) const EXCHANGE_GROUPS: &str = "exchangeGroups";
/// The activity feed: up to which instant its content was listed.
pub(crate) const ACTIVITY: &str = "activity";
/// The search in the audit log: up to which instant it was searched.
pub(crate) const AUDIT: &str = "audit";
/// When the ids of all mailboxes were last compared.
pub(crate) const SWEEP: &str = "sweep";
/// When it was last listed for the whole tenant who may send as whom; no instant at all where the
/// tenant refuses that listing.
pub(crate) const SEND_AS: &str = "sendAs";

/// The checkpoint under which a run that lists all users keeps the link to what happens meanwhile.
pub(crate) const USERS_BEGIN: &str = "usersDelta";

/// Where the feeds go on after a run that read these streams to their end. What happened while it
/// read is told again: that is harmless, and the other way something would be missed.
pub(crate) async fn after(
    run: &RunHandle,
    complete: &[StreamKind],
) -> Result<Vec<(String, String)>, StoreError> {
    let mut cursors = Vec::new();
    for (kind, feed, checkpoint) in
        [(StreamKind::Users, USERS, USERS_BEGIN), (StreamKind::Groups, GROUPS, StreamKind::Groups.name())]
    {
        if !complete.contains(&kind) {
            continue;
        }
        if let Some(cursor) = run.checkpoint(checkpoint).await?.and_then(|position| position.cursor) {
            cursors.push((feed.to_owned(), cursor));
        }
    }
    let since = run.started().to_string();
    let instants: [(StreamKind, &[&str]); 4] = [
        (StreamKind::Mailboxes, &[MAILBOXES, SWEEP]),
        (StreamKind::DistributionGroups, &[EXCHANGE_GROUPS]),
        (StreamKind::SendAs, &[SEND_AS]),
        (StreamKind::MailboxPermissions, &[ACTIVITY, AUDIT]),
    ];
    for (kind, feeds) in instants {
        if complete.contains(&kind) {
            cursors.extend(feeds.iter().map(|feed| ((*feed).to_owned(), since.clone())));
        }
    }
    Ok(cursors)
}
