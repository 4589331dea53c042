//! Access control entries: rights, trustees and the rows that grants are made of. How a trustee
//! or a set of rights is rendered belongs to the face that prints it.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

use serde::{Deserialize, Serialize};

use super::Idx;

/// A set of mailbox rights (SendAs included, which Exchange keeps apart but prints alike).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(u8);

impl Rights {
    pub const NONE: Self = Self(0);
    pub const FULL_ACCESS: Self = Self(1);
    pub const SEND_AS: Self = Self(2);
    pub const EXTERNAL_ACCOUNT: Self = Self(4);
    pub const DELETE_ITEM: Self = Self(8);
    pub const READ_PERMISSION: Self = Self(16);
    pub const CHANGE_PERMISSION: Self = Self(32);
    pub const CHANGE_OWNER: Self = Self(64);

    /// Every right with its name, in the order in which a joined set prints.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::FULL_ACCESS, "FullAccess"),
        (Self::SEND_AS, "SendAs"),
        (Self::EXTERNAL_ACCOUNT, "ExternalAccount"),
        (Self::DELETE_ITEM, "DeleteItem"),
        (Self::READ_PERMISSION, "ReadPermission"),
        (Self::CHANGE_PERMISSION, "ChangePermission"),
        (Self::CHANGE_OWNER, "ChangeOwner"),
    ];

    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The right of this name, without regard to case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(r, _)| *r)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |(r, _)| self.contains(*r)).map(|(_, n)| *n)
    }
}

impl BitOr for Rights {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Rights {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// Who an entry is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trustee {
    /// `NT AUTHORITY\SELF`, S-1-5-10.
    Itself,
    /// A user or group. When the object is gone for good the entry is an orphan and prints as
    /// its SID ([`super::State::sid`] still answers).
    Object(Idx),
    /// A bare SID that never resolved here.
    Sid(Box<str>),
    /// A well-known or system principal with its SID (`NT AUTHORITY\SYSTEM`, role groups …).
    Known { name: Box<str>, sid: Box<str> },
}

/// `InheritanceType` of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inheritance {
    None,
    #[default]
    All,
    Children,
    /// Spelt so on the wire.
    Descendents,
    SelfAndChildren,
}

impl Inheritance {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::All => "All",
            Self::Children => "Children",
            Self::Descendents => "Descendents",
            Self::SelfAndChildren => "SelfAndChildren",
        }
    }
}

/// One row of a mailbox's or recipient's access control list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ace {
    pub trustee: Trustee,
    pub rights: Rights,
    #[serde(default)]
    pub deny: bool,
    #[serde(default)]
    pub inherited: bool,
    #[serde(default)]
    pub inheritance: Inheritance,
}

impl Ace {
    /// A direct allow entry.
    #[must_use]
    pub fn allow(trustee: Trustee, rights: Rights) -> Self {
        Self { trustee, rights, deny: false, inherited: false, inheritance: Inheritance::All }
    }

    #[must_use]
    pub fn denying(mut self) -> Self {
        self.deny = true;
        self
    }

    #[must_use]
    pub fn inherited(mut self) -> Self {
        self.inherited = true;
        self
    }
}
