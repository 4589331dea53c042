//! Every feed asked, side by side, which objects are different.

use exogate_store::StoreError;

use super::directory::Followed;
use super::found::{Found, Round};
use super::known::instant;
use super::plan::Plan;
use super::report::part;
use super::{activity, change_time, directory};
use crate::aggregate::{StreamKind, StreamReport, feeds};

/// Asks all feeds side by side which objects are different.
pub(super) async fn named(
    round: Round<'_>,
    plan: &mut Plan,
    reports: &mut Vec<StreamReport>,
) -> Result<Found, StoreError> {
    let store = round.store();
    let (feed, search) = (instant(store, feeds::ACTIVITY).await?, instant(store, feeds::AUDIT).await?);
    let users = async {
        match &plan.users {
            Some(link) => Some(directory::users(round, link).await),
            None => None,
        }
    };
    let groups = async {
        match &plan.groups {
            Some(link) => Some(directory::groups(round, link).await),
            None => None,
        }
    };
    let mailboxes = async {
        match plan.mailboxes {
            Some(since) => Some(change_time::changed_mailboxes(round, since).await),
            None => None,
        }
    };
    let exchange_groups = async {
        match plan.exchange_groups {
            Some(since) => Some(change_time::changed_groups(round, since).await),
            None => None,
        }
    };
    let activity =
        async { if plan.activity { Some(activity::read(round, feed, search).await) } else { None } };
    // Resolving names needs what the directory has just told, or a new name is not found; a name
    // that is not found only costs more reading.
    let (users, groups, mailboxes, exchange_groups, activity) =
        futures::join!(users, groups, mailboxes, exchange_groups, activity);
    let mut found = Found::default();
    // First those that tell most of the cause.
    if let Some(done) = activity {
        part(round, StreamKind::Activity, done, &mut found, reports)?;
    }
    for (kind, whole, followed) in [
        (StreamKind::UserChanges, StreamKind::Users, users),
        (StreamKind::GroupChanges, StreamKind::Groups, groups),
    ] {
        let Some(followed) = followed else { continue };
        let done = followed.map(|followed| match followed {
            Followed::Done(found) => *found,
            Followed::Reset => {
                round.note(kind, "the directory no longer knew the link; everything was listed instead");
                plan.full.push(whole);
                Found::default()
            }
        });
        part(round, kind, done, &mut found, reports)?;
    }
    for (kind, done) in
        [(StreamKind::MailboxChanges, mailboxes), (StreamKind::ExchangeGroupChanges, exchange_groups)]
    {
        if let Some(done) = done {
            part(round, kind, done, &mut found, reports)?;
        }
    }
    plan.full.sort_unstable();
    plan.full.dedup();
    Ok(found)
}
