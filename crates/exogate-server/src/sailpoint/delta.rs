//! Accounts that changed since a state, deleted ones among them, found through the feed of changes.

use std::collections::HashSet;

use axum::http::StatusCode;
use exogate_model::change::{Happened, ObjectKind};
use exogate_model::trustee::Principal;
use exogate_store::{ChangeRecord, Feed, FeedPosition};
use serde::Serialize;

use super::account::{self, AccountOut, Key};
use super::answer::{Out, Stop};
use super::command::Job;
use super::refusal::Refusal;
use super::request;
use super::state::{Since, State};

/// Changes read at once.
const PAGE: usize = 1000;

/// An account that is gone.
#[derive(Debug, Serialize)]
struct Gone<'a> {
    identity: &'a str,
    uuid: &'a str,
    key: Key<'a>,
    deleted: bool,
    attributes: Nothing,
}

#[derive(Debug, Serialize)]
struct Nothing {}

/// `std:account:list` with state: everything to a client that begins, what changed to one that goes
/// on, and what to hand in next time.
pub(super) async fn accounts(job: &Job, out: &mut Out) -> Result<(), Stop> {
    // Read before the accounts: what changes meanwhile is told again next time.
    let position = job.source.store.feed_position().await?;
    let context = &job.source.context;
    match State::of(&job.input)? {
        None => account::all(job, out).await?,
        Some(state) => {
            let since = state.since(&position, context)?;
            Changed::new(job, since.reshaped).tell(&since, &position, out).await?;
            if since.reshaped {
                account::all(job, out).await?;
            }
        }
    }
    // Before the first complete reading nothing is told of what goes: such a state would hide it.
    if position.complete {
        out.state(&State::at(&position, context)).await?;
    }
    Ok(())
}

struct Changed<'a> {
    job: &'a Job,
    only_deleted: bool,
    permissions: bool,
    told: HashSet<String>,
}

impl<'a> Changed<'a> {
    fn new(job: &'a Job, only_deleted: bool) -> Self {
        let permissions = request::wants_permissions(&job.input);
        Self { job, only_deleted, permissions, told: HashSet::new() }
    }

    async fn tell(mut self, since: &Since, position: &FeedPosition, out: &mut Out) -> Result<(), Stop> {
        let store = &self.job.source.store;
        let mut cursor = since.cursor;
        while cursor < position.head {
            let page = changes(self.job, cursor).await?;
            let Some(last) = page.last() else { break };
            cursor = last.sequence;
            let mut about: Vec<(String, bool)> = Vec::new();
            for change in page.iter().filter(|change| change.sequence <= position.head) {
                about.extend(concerned(change));
            }
            self.accounts(about, out).await?;
        }
        if !self.only_deleted {
            // A label is part of every holder's values.
            for relabelled in store.relabelled(since.run).await? {
                let holders = self.holders(&relabelled.mailbox).await?;
                self.accounts(holders, out).await?;
            }
        }
        Ok(())
    }

    async fn holders(&self, mailbox: &str) -> Result<Vec<(String, bool)>, Stop> {
        let grants = self.job.source.store.grants_of_mailbox(mailbox).await?;
        let holder = |principal: Principal| match principal {
            Principal::User { id } => Some((id, false)),
            _ => None,
        };
        let governed = grants.into_iter().filter(|stored| stored.grant.is_entitlement());
        Ok(governed.filter_map(|stored| holder(stored.grant.principal)).collect())
    }

    /// Tells these accounts, each once; those that are gone only if they were deleted as accounts.
    async fn accounts(&mut self, about: Vec<(String, bool)>, out: &mut Out) -> Result<(), Stop> {
        for chunk in about.chunks(account::PAGE) {
            let mut ids: Vec<String> =
                chunk.iter().map(|(id, _)| id).filter(|id| !self.told.contains(*id)).cloned().collect();
            ids.sort_unstable();
            ids.dedup();
            let found = self.job.source.view.accounts_by_id(ids).await?;
            let there: HashSet<String> = found.iter().map(|account| account.id.clone()).collect();
            for account in &found {
                if !self.only_deleted {
                    out.output(&AccountOut::of(account).with_permissions(self.permissions)).await?;
                    self.told.insert(account.id.clone());
                }
            }
            for (id, deleted) in chunk {
                if *deleted && !there.contains(id) && self.told.insert(id.clone()) {
                    out.output(&Gone {
                        identity: id,
                        uuid: id,
                        key: Key::of(id),
                        deleted: true,
                        attributes: Nothing {},
                    })
                    .await?;
                }
            }
        }
        Ok(())
    }
}

/// The changes after a cursor; refused where they are no longer kept, for then nobody could tell which
/// accounts went.
pub(super) async fn changes(job: &Job, cursor: i64) -> Result<Vec<ChangeRecord>, Stop> {
    match job.source.store.feed(cursor, PAGE).await? {
        Feed::Changes(changes) => Ok(changes),
        Feed::StartOver { .. } => {
            let text = "the changes since this state are no longer kept; run an unoptimized aggregation, \
                        which begins a new state";
            Err(Refusal::new(StatusCode::GONE, text).into())
        }
    }
}

/// The account that a change concerns, and whether it was deleted.
fn concerned(change: &ChangeRecord) -> Option<(String, bool)> {
    let id = match (&change.happened, change.object) {
        (Happened::Granted { principal, .. } | Happened::Revoked { principal, .. }, _) => {
            principal.clone()?
        }
        (Happened::Joined { member, .. } | Happened::Left { member, .. }, _) => member.clone(),
        (_, ObjectKind::User | ObjectKind::Mailbox) => change.id.clone(),
        (_, ObjectKind::Group) => return None,
    };
    let deleted = change.object == ObjectKind::User && matches!(change.happened, Happened::Deleted);
    Some((id, deleted))
}
