//! From the identity texts of parameters to objects.
//!
//! What kinds of object a cmdlet takes is said by the caller; ambiguity is an error, never a choice.

use crate::state::{Idx, Object, RecipientTypeDetails};

use super::error::{Condition, ExchangeError};
use super::reader::Reader;

/// What a cmdlet takes.
pub type Accepts = fn(&Object) -> bool;

/// Any mailbox that Get-Mailbox lists.
#[must_use]
pub fn is_mailbox(object: &Object) -> bool {
    object.details().is_some_and(RecipientTypeDetails::is_mailbox)
}

/// The mailbox of a Microsoft 365 group.
#[must_use]
pub fn is_unified_group(object: &Object) -> bool {
    object.details() == Some(RecipientTypeDetails::GroupMailbox)
}

/// Distribution lists, mail-enabled security groups and room lists.
#[must_use]
pub fn is_distribution_group(object: &Object) -> bool {
    matches!(
        object.details(),
        Some(
            RecipientTypeDetails::MailUniversalDistributionGroup
                | RecipientTypeDetails::MailUniversalSecurityGroup
                | RecipientTypeDetails::RoomList
        )
    )
}

/// A dynamic distribution group.
#[must_use]
pub fn is_dynamic_group(object: &Object) -> bool {
    object.details() == Some(RecipientTypeDetails::DynamicDistributionGroup)
}

/// Anything mail-enabled.
#[must_use]
pub fn is_recipient(object: &Object) -> bool {
    object.recipient.is_some()
}

/// A mail user or guest.
#[must_use]
pub fn is_mail_user(object: &Object) -> bool {
    matches!(object.details(), Some(RecipientTypeDetails::MailUser | RecipientTypeDetails::GuestMailUser))
}

/// A mail contact.
#[must_use]
pub fn is_mail_contact(object: &Object) -> bool {
    object.details() == Some(RecipientTypeDetails::MailContact)
}

/// Any contact, mail-enabled or not.
#[must_use]
pub fn is_contact(object: &Object) -> bool {
    object.contact().is_some()
}

/// Any group of the directory, mail-enabled or not.
#[must_use]
pub fn is_group(object: &Object) -> bool {
    object.group().is_some()
}

/// Any user.
#[must_use]
pub fn is_user(object: &Object) -> bool {
    object.user().is_some()
}

impl<'a> Reader<'a> {
    /// Live objects of a kind that bear the identity, as readers see them.
    #[must_use]
    pub fn candidates(&self, identity: &str, accepts: Accepts) -> Vec<(Idx, &'a Object)> {
        self.named(identity).into_iter().filter(|(_, object)| accepts(object)).collect()
    }

    /// The one object of a kind that bears the identity.
    ///
    /// # Errors
    /// Not found, or ambiguous.
    pub fn target(&self, identity: &str, accepts: Accepts) -> Result<(Idx, &'a Object), ExchangeError> {
        let found = self.candidates(identity, accepts);
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(ExchangeError::new(Condition::NotFound, [identity])),
            _ => Err(ExchangeError::new(Condition::Ambiguous, [identity])),
        }
    }

    /// The one recipient that a parameter other than Identity names.
    ///
    /// # Errors
    /// Not found, or ambiguous, in the words for such parameters.
    pub fn lookup(&self, identity: &str, accepts: Accepts) -> Result<(Idx, &'a Object), ExchangeError> {
        let found = self.candidates(identity, accepts);
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(ExchangeError::new(Condition::LookupNotFound, [identity])),
            _ => Err(ExchangeError::new(Condition::RecipientAmbiguous, [identity])),
        }
    }
}
