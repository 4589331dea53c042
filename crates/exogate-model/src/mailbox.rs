//! Mailboxes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of mailbox it is: Exchange's `RecipientTypeDetails`, as far as it decides anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum MailboxKind {
    /// A person's mailbox.
    User,
    /// A mailbox that several people use.
    Shared,
    /// A room.
    Room,
    /// A piece of equipment.
    Equipment,
    /// Anything else Exchange calls a mailbox, by its own name.
    Other(String),
}

impl MailboxKind {
    /// From `RecipientTypeDetails`.
    pub fn from_recipient_type_details(text: &str) -> Self {
        match text {
            "UserMailbox" => Self::User,
            "SharedMailbox" => Self::Shared,
            "RoomMailbox" => Self::Room,
            "EquipmentMailbox" => Self::Equipment,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Exchange's own word for it.
    pub fn recipient_type_details(&self) -> &str {
        match self {
            Self::User => "UserMailbox",
            Self::Shared => "SharedMailbox",
            Self::Room => "RoomMailbox",
            Self::Equipment => "EquipmentMailbox",
            Self::Other(name) => name,
        }
    }
}

impl From<MailboxKind> for String {
    fn from(kind: MailboxKind) -> Self {
        kind.recipient_type_details().to_owned()
    }
}

impl From<String> for MailboxKind {
    fn from(text: String) -> Self {
        Self::from_recipient_type_details(&text)
    }
}

impl fmt::Display for MailboxKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Shared => "shared",
            Self::Room => "room",
            Self::Equipment => "equipment",
            Self::Other(name) => name,
        })
    }
}
