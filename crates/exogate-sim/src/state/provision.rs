//! The service's own follow-up work: a licence brings a mailbox after a while, its loss takes it
//! away; the recycle bin is emptied after 30 days. Edits schedule; whoever owns the clock calls [`State::run_due`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::edit::Edit;
use super::{Disconnected, Face, Idx, Life, Mailbox, Object, Recipient, RecipientTypeDetails, State};
use crate::clock::Time;

/// How long the recycle bin keeps an object.
pub const RECYCLE_BIN: Duration = Duration::from_secs(30 * 86_400);

/// Work to be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Job {
    due: Time,
    user: Idx,
    /// Empty the recycle bin of it, instead of settling its mailbox.
    #[serde(default)]
    purge: bool,
}

impl State {
    /// Whether a user's licences entitle to a mailbox.
    #[must_use]
    pub fn has_mailbox_licence(&self, object: &Object) -> bool {
        object.user().is_some_and(|user| {
            user.licences.iter().any(|at| self.tenant.skus.get(usize::from(*at)).is_some_and(|s| s.mailbox))
        })
    }

    /// Time from a licence to its mailbox.
    pub fn set_mailbox_delay(&mut self, delay: Duration) {
        self.mailbox_delay = delay;
    }

    /// When the next follow-up work is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.jobs.first().map(|job| job.due)
    }

    pub(super) fn schedule(&mut self, user: Idx, at: Time) {
        self.jobs.insert(Job { due: at.plus(self.mailbox_delay), user, purge: false });
    }

    /// Plans to empty the recycle bin of an object.
    pub(crate) fn schedule_purge(&mut self, object: Idx, deleted: Time) {
        self.jobs.insert(Job { due: deleted.plus(RECYCLE_BIN), user: object, purge: true });
    }

    /// Does the follow-up work that is due.
    pub fn run_due(&mut self, now: Time) {
        while let Some(job) = self.jobs.first().copied().filter(|job| job.due <= now) {
            self.jobs.remove(&job);
            if job.purge {
                // One that was restored, and perhaps deleted again, has no end here.
                let expired = self.get(job.user).is_some_and(
                    |object| matches!(object.life, Life::SoftDeleted(at) if at.plus(RECYCLE_BIN) <= job.due),
                );
                if expired {
                    // It is there: it has just been looked at.
                    let _ = self.edit(Face::Graph, job.due).purge(job.user);
                }
                continue;
            }
            let mut edit = self.edit(Face::Exchange, job.due);
            // A user who vanished or whose address was taken meanwhile gets no mailbox.
            let _ = edit.settle_mailbox(job.user);
        }
    }
}

impl Edit<'_> {
    /// Gives a user the mailbox that the licences promise, or takes it away.
    ///
    /// # Errors
    /// As [`Edit::update`].
    pub fn settle_mailbox(&mut self, idx: Idx) -> Result<(), super::StateError> {
        let Some(object) = self.state.get(idx).filter(|o| o.is_live()) else { return Ok(()) };
        let licensed = self.state.has_mailbox_licence(object);
        match (object.mailbox(), licensed) {
            (None, true) => self.connect_mailbox(idx, RecipientTypeDetails::UserMailbox),
            (Some(_), false) if object.details() == Some(RecipientTypeDetails::UserMailbox) => {
                self.disconnect_mailbox(idx)
            }
            _ => Ok(()),
        }
    }

    /// Gives a user a mailbox: the disconnected one when there is one, else a new one.
    ///
    /// # Errors
    /// As [`Edit::update`].
    pub fn connect_mailbox(
        &mut self,
        idx: Idx,
        details: RecipientTypeDetails,
    ) -> Result<(), super::StateError> {
        let guid = self.state.next_id();
        let exchange_guid = self.state.next_id();
        let at = self.at;
        let initial = self.state.tenant.initial_domain().to_owned();
        let default = self.state.tenant.default_domain().to_owned();
        let guid_names = self.state.tenant.guid_names;
        let free_name = self
            .state
            .live_by_text(super::KeyKind::Name, self.state.get(idx).map_or("", |o| &o.display_name))
            .is_empty();
        self.update(idx, |object| {
            let disconnected = object.disconnected.take().map(|d| d.recipient);
            let mut recipient = disconnected.unwrap_or_else(|| {
                let name = if guid_names || !free_name {
                    object.id.to_string().into_boxed_str()
                } else {
                    object.display_name.clone()
                };
                Recipient {
                    guid,
                    name,
                    details,
                    hidden_from_address_lists: false,
                    send_as: Vec::new(),
                    send_on_behalf: Vec::new(),
                    external_address: None,
                    mailbox: None,
                }
            });
            if let Some(old) = object.recipient.take() {
                // A mail user becomes a mailbox and keeps what it is called.
                recipient.guid = old.guid;
                recipient.name = old.name;
            }
            recipient.details = details;
            if recipient.mailbox.is_none() {
                recipient.mailbox = Some(Box::new(Mailbox::new(exchange_guid, at)));
            }
            object.recipient = Some(Box::new(recipient));
            if object.primary_smtp().is_none() {
                let upn = object.upn().unwrap_or_default().to_owned();
                let primary = if upn.contains('@') && !upn.contains("#EXT#") {
                    upn
                } else {
                    format!("{}@{default}", object.alias)
                };
                object.set_primary_smtp(&primary);
                let routing = format!("smtp:{}@{initial}", object.alias);
                if !primary.to_lowercase().ends_with(&initial.to_lowercase()) {
                    object.addresses.push(routing.into());
                }
            }
        })
    }

    /// Takes the mailbox from a user who lives on; it stays recoverable.
    ///
    /// # Errors
    /// As [`Edit::update`].
    pub fn disconnect_mailbox(&mut self, idx: Idx) -> Result<(), super::StateError> {
        let at = self.at;
        self.update(idx, |object| {
            if let Some(recipient) = object.recipient.take() {
                object.disconnected = Some(Box::new(Disconnected { recipient: *recipient, at }));
            }
        })
    }
}
