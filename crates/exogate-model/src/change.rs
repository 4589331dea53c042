//! Changes: the difference between two states of one object.

use serde::{Deserialize, Serialize};

use crate::account::Attributes;
use crate::value::AttributeValue;

/// What kind of object changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectKind {
    /// An account (its Entra side).
    User,
    /// A mailbox and its attributes.
    Mailbox,
    /// A group and its attributes.
    Group,
}

impl ObjectKind {
    /// Each with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("user", Self::User), ("mailbox", Self::Mailbox), ("group", Self::Group)];

    /// The name used in the store and in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mailbox => "mailbox",
            Self::Group => "group",
        }
    }
}

/// How a difference was learnt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Learnt {
    /// By a full aggregation.
    #[default]
    Full,
    /// The directory named the object in a delta round.
    Directory,
    /// The object's time of change is newer than what was known.
    ChangeTime,
    /// An audit record named the object.
    Activity,
    /// A sweep over all ids found it new or gone.
    Sweep,
    /// The object was read again because it had not been for long.
    Reread,
    /// exogate made it so itself.
    Provisioned,
}

/// Who made a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "camelCase")]
pub enum Author {
    /// exogate, carrying out a plan.
    Ours {
        /// Id of the plan in the journal.
        plan: String,
        /// Number of the operation in it.
        operation: u32,
    },
    /// Somebody else, as an audit record of the tenant says.
    SomeoneElse {
        /// The user, where it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Id of the application that it was done with, where the record says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app: Option<String>,
        /// What was called: a cmdlet.
        call: String,
        /// Id of the audit record.
        record: String,
        /// When it was done.
        at: jiff::Timestamp,
    },
    /// Not known, or not yet: audit records arrive late.
    #[default]
    Unknown,
}

impl Author {
    /// Whether it was exogate itself.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { .. })
    }

    /// Whether nobody knows.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// One attribute before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Name of the attribute.
    pub attribute: String,
    /// Its value before, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<AttributeValue>,
    /// Its value after, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<AttributeValue>,
}

/// What happened to the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "camelCase")]
pub enum Happened {
    /// It is new.
    Created,
    /// Attributes differ.
    Modified {
        /// Each attribute that differs, in name order.
        attributes: Vec<AttributeChange>,
    },
    /// It is gone.
    Deleted,
    /// Somebody was given a right on the mailbox, or is now denied it.
    Granted {
        /// The right.
        right: String,
        /// The trustee as rendered.
        trustee: String,
        /// Object id of the user or group, where it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// Whether the entry denies the right instead of allowing it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deny: bool,
    },
    /// Somebody lost a right on the mailbox, or is no longer denied it.
    Revoked {
        /// The right.
        right: String,
        /// The trustee as rendered.
        trustee: String,
        /// Object id of the user or group, where it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// Whether the entry denies the right instead of allowing it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deny: bool,
    },
    /// Somebody joined the group, or became an owner of it.
    Joined {
        /// `member` or `owner`.
        role: String,
        /// Object id of the one who joined.
        member: String,
    },
    /// Somebody left the group, or is no longer an owner.
    Left {
        /// `member` or `owner`.
        role: String,
        /// Object id of the one who left.
        member: String,
    },
}

/// What can happen to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Happening {
    /// It is new.
    Created,
    /// Attributes differ.
    Modified,
    /// It is gone.
    Deleted,
    /// A right was given.
    Granted,
    /// A right was taken.
    Revoked,
    /// Somebody joined a group.
    Joined,
    /// Somebody left a group.
    Left,
}

impl Happening {
    /// Each with its name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("created", Self::Created),
        ("modified", Self::Modified),
        ("deleted", Self::Deleted),
        ("granted", Self::Granted),
        ("revoked", Self::Revoked),
        ("joined", Self::Joined),
        ("left", Self::Left),
    ];
}

impl Happened {
    /// What it is, without the particulars.
    pub fn kind(&self) -> Happening {
        match self {
            Self::Created => Happening::Created,
            Self::Modified { .. } => Happening::Modified,
            Self::Deleted => Happening::Deleted,
            Self::Granted { .. } => Happening::Granted,
            Self::Revoked { .. } => Happening::Revoked,
            Self::Joined { .. } => Happening::Joined,
            Self::Left { .. } => Happening::Left,
        }
    }
}

/// The attributes that differ, in name order.
pub fn diff(before: &Attributes, after: &Attributes) -> Vec<AttributeChange> {
    let mut changes: Vec<_> = before
        .iter()
        .filter(|(name, old)| after.get(*name) != Some(*old))
        .map(|(name, old)| AttributeChange {
            attribute: name.clone(),
            before: Some(old.clone()),
            after: after.get(name).cloned(),
        })
        .chain(after.iter().filter(|(name, _)| !before.contains_key(*name)).map(|(name, new)| {
            AttributeChange { attribute: name.clone(), before: None, after: Some(new.clone()) }
        }))
        .collect();
    changes.sort_by(|a, b| a.attribute.cmp(&b.attribute));
    changes
}

/// `before` with `changes` applied: the inverse of [`diff`].
pub fn apply(before: &Attributes, changes: &[AttributeChange]) -> Attributes {
    let mut after = before.clone();
    for change in changes {
        match &change.after {
            Some(value) => after.insert(change.attribute.clone(), value.clone()),
            None => after.remove(&change.attribute),
        };
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attributes() -> impl Strategy<Value = Attributes> {
        proptest::collection::btree_map("[a-e]", "[a-c]{0,2}".prop_map(AttributeValue::Text), 0..5)
    }

    #[test]
    fn a_denial_is_told_apart_and_what_was_stored_before_still_reads() {
        let stored = r#"{"what":"granted","right":"FullAccess","trustee":"kim"}"#;
        let read: Happened = serde_json::from_str(stored).expect("an older change reads");
        assert!(matches!(&read, Happened::Granted { deny: false, .. }));
        assert_eq!(serde_json::to_string(&read).expect("it writes"), stored);
        let denied = stored.replace('}', r#","deny":true}"#);
        let read: Happened = serde_json::from_str(&denied).expect("a denial reads");
        assert!(matches!(&read, Happened::Granted { deny: true, .. }));
        assert_eq!(serde_json::to_string(&read).expect("it writes"), denied);
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_the_other_state(before in attributes(), after in attributes()) {
            let changes = diff(&before, &after);
            prop_assert_eq!(apply(&before, &changes), after.clone());
            prop_assert_eq!(changes.is_empty(), before == after);
        }
    }
}
