//! The change log: a sequence of what happened to which object, which delta queries read. It
//! holds no old or new values; readers look the objects up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Idx;
use crate::clock::Time;

/// The properties that an update touched, by their names in Graph; `exchange` stands for all that
/// Graph does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(u64);

impl Fields {
    /// Every name, at the position of its bit.
    const NAMES: [&'static str; 37] = [
        "displayName",
        "mailNickname",
        "proxyAddresses",
        "mail",
        "userPrincipalName",
        "accountEnabled",
        "userType",
        "givenName",
        "surname",
        "jobTitle",
        "department",
        "companyName",
        "officeLocation",
        "city",
        "country",
        "usageLocation",
        "preferredLanguage",
        "employeeId",
        "mobilePhone",
        "businessPhones",
        "manager",
        "assignedLicenses",
        "signInSessionsValidFromDateTime",
        "description",
        "membershipRule",
        "membershipRuleProcessingState",
        "visibility",
        "securityEnabled",
        "isAssignableToRole",
        "resourceProvisioningOptions",
        "mailEnabled",
        "groupTypes",
        "onPremisesSyncEnabled",
        "onPremisesImmutableId",
        "passwordProfile",
        "other",
        "exchange",
    ];

    pub(super) fn touch(&mut self, name: &str, touched: bool) {
        if touched && let Some(at) = Self::NAMES.iter().position(|n| *n == name) {
            self.0 |= 1 << at;
        }
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().enumerate().filter(move |(at, _)| self.0 >> at & 1 == 1).map(|(_, n)| n)
    }

    #[must_use]
    pub fn contains(self, name: &str) -> bool {
        self.names().any(|n| n == name)
    }

    /// Whether the directory face sees anything of it.
    #[must_use]
    pub fn concern_graph(self) -> bool {
        self.names().any(|n| n != "exchange")
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Created,
    Updated(Fields),
    /// Into the recycle bin.
    SoftDeleted,
    /// Back from the recycle bin.
    Restored,
    /// Gone for good; the id is kept because the object is not.
    Purged(Uuid),
    MemberAdded(Idx),
    MemberRemoved(Idx),
    OwnerAdded(Idx),
    OwnerRemoved(Idx),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Ascends by one from 1.
    pub sequence: u64,
    pub object: Idx,
    pub kind: ChangeKind,
    pub at: Time,
    /// When readers of the directory face may learn of it.
    pub visible_at: Time,
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeLog {
    entries: Vec<Change>,
    base: u64,
    /// The instant from which on everything so far is visible.
    #[serde(default)]
    all_visible_at: Time,
}

impl ChangeLog {
    /// Sequence of the last entry; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The last sequence such that it and everything before it is visible to the directory face
    /// at `now`.
    #[must_use]
    pub fn last_visible(&self, now: Time) -> u64 {
        if self.all_visible_at <= now {
            return self.last();
        }
        // What was written by the other face may come into sight after what was written later by this one.
        let first_hidden = self.entries.iter().find(|change| change.visible_at > now);
        first_hidden.map_or(self.last(), |change| change.sequence - 1)
    }

    /// Entries after `sequence`.
    #[must_use]
    pub fn after(&self, sequence: u64) -> &[Change] {
        let skip = usize::try_from(sequence.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.entries.get(skip.min(self.entries.len())..).unwrap_or(&[])
    }

    /// Whether `sequence` still lies within the log.
    #[must_use]
    pub fn reaches(&self, sequence: u64) -> bool {
        (self.base..=self.last()).contains(&sequence)
    }

    pub(super) fn push(&mut self, object: Idx, kind: ChangeKind, at: Time, visible_at: Time) {
        let sequence = self.last() + 1;
        self.all_visible_at = self.all_visible_at.max(visible_at);
        self.entries.push(Change { sequence, object, kind, at, visible_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_into_sight_late_is_not_passed_over_for_what_was_written_after_it() {
        let mut log = ChangeLog::default();
        let at = Time::from_seconds;
        for (written, visible) in [(0, 1), (10, 910), (20, 21), (30, 930)] {
            log.push(Idx(1), ChangeKind::Created, at(written), at(visible));
        }
        let seen = [0, 5, 25, 909, 910, 929, 930].map(|now| log.last_visible(at(now)));
        assert_eq!(seen, [0, 1, 1, 1, 3, 3, 4]);
    }
}
