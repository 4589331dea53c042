//! Rights on a mailbox.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::nearest;

/// A right that a trustee may hold on a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Change the owner of the mailbox object.
    ChangeOwner,
    /// Change the permissions of the mailbox.
    ChangePermission,
    /// Delete the mailbox.
    DeleteItem,
    /// The trustee is an account outside the domain.
    ExternalAccount,
    /// Open the mailbox and use its contents; does not allow sending.
    FullAccess,
    /// Read the permissions of the mailbox.
    ReadPermission,
    /// Send as the mailbox.
    SendAs,
    /// Send on behalf of the mailbox.
    SendOnBehalf,
    /// A token that this version does not know. Kept and shown, never offered as an entitlement.
    Other(String),
}

/// The seven rights of the reference, and `SendOnBehalf`.
pub const KNOWN: [Right; 8] = [
    Right::ChangeOwner,
    Right::ChangePermission,
    Right::DeleteItem,
    Right::ExternalAccount,
    Right::FullAccess,
    Right::ReadPermission,
    Right::SendAs,
    Right::SendOnBehalf,
];

impl Right {
    /// The name Exchange uses.
    pub fn name(&self) -> &str {
        match self {
            Self::ChangeOwner => "ChangeOwner",
            Self::ChangePermission => "ChangePermission",
            Self::DeleteItem => "DeleteItem",
            Self::ExternalAccount => "ExternalAccount",
            Self::FullAccess => "FullAccess",
            Self::ReadPermission => "ReadPermission",
            Self::SendAs => "SendAs",
            Self::SendOnBehalf => "SendOnBehalf",
            Self::Other(token) => token,
        }
    }

    /// Whether governance can give and take it.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// A right as a tenant names it. Unknown tokens are kept.
    pub fn from_token(token: &str) -> Self {
        let token = token.trim();
        KNOWN
            .iter()
            .find(|right| right.name().eq_ignore_ascii_case(token))
            .cloned()
            .unwrap_or_else(|| Self::Other(token.to_owned()))
    }

    /// The rights in one element of `AccessRights`, which may hold several joined by commas.
    pub fn split(element: &str) -> impl Iterator<Item = Self> + '_ {
        element.split(',').map(str::trim).filter(|token| !token.is_empty()).map(Self::from_token)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A right that a person asked for and that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "there is no right {0:?}{1}; the rights are ChangeOwner, ChangePermission, DeleteItem, ExternalAccount, FullAccess, ReadPermission, SendAs and SendOnBehalf"
)]
pub struct UnknownRight(String, String);

impl FromStr for Right {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::from_token(text) {
            Self::Other(token) => {
                let hint = nearest::hint(&token, KNOWN.iter().map(Self::name));
                Err(UnknownRight(token, hint))
            }
            known => Ok(known),
        }
    }
}

impl Serialize for Right {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|token| Self::from_token(&token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_comma_joined_elements() {
        let rights: Vec<_> = Right::split("FullAccess, ReadPermission,Brew").collect();
        assert_eq!(rights, [Right::FullAccess, Right::ReadPermission, Right::Other("Brew".into())]);
    }

    #[test]
    fn a_mistyped_right_names_the_nearest() {
        let error = "FullAcces".parse::<Right>().unwrap_err();
        assert!(error.to_string().contains("did you mean \"FullAccess\"?"), "{error}");
        assert_eq!("sendas".parse::<Right>(), Ok(Right::SendAs));
    }
}
