//! Entitlement values: `O365Support: SendAs`.
//!
//! The stable key is (mailbox, right); the value is a label. Two mailboxes that bear one display
//! name both carry their address: `O365Support (support@contoso.com): SendAs`.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::right::{Right, UnknownRight};

/// What governance can give and take on a shared mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntitlementKey {
    /// Key of the mailbox.
    pub mailbox: String,
    /// The right.
    pub right: Right,
}

/// The label of a mailbox in entitlement values.
///
/// `unique` says whether no other shared mailbox bears the display name (compared without case).
pub fn mailbox_label(display_name: &str, primary_smtp_address: &str, unique: bool) -> String {
    if unique { display_name.to_owned() } else { format!("{display_name} ({primary_smtp_address})") }
}

/// The value of an entitlement: label of the mailbox, and right.
pub fn value(mailbox_label: &str, right: &Right) -> String {
    format!("{mailbox_label}: {right}")
}

/// A value that is not of the form `<mailbox>: <Right>`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LabelError {
    /// No `: ` before a right.
    #[error(
        "{0:?} is not an entitlement; write it as '<mailbox>: <Right>', for example 'O365Support: FullAccess'"
    )]
    NoRight(String),
    /// The right does not exist.
    #[error(transparent)]
    UnknownRight(#[from] UnknownRight),
    /// Nothing before the colon.
    #[error("{0:?} names no mailbox before the colon")]
    NoMailbox(String),
}

/// Splits a value into mailbox label and right. The label may itself hold colons.
pub fn parse(value: &str) -> Result<(&str, Right), LabelError> {
    let (label, right) = value.rsplit_once(':').ok_or_else(|| LabelError::NoRight(value.to_owned()))?;
    let (label, right) = (label.trim(), right.trim());
    if label.is_empty() {
        return Err(LabelError::NoMailbox(value.to_owned()));
    }
    if right.is_empty() {
        return Err(LabelError::NoRight(value.to_owned()));
    }
    Ok((label, right.parse()?))
}

/// Labels for a whole set of mailboxes: `(key, display name, primary address)` to label by key.
pub fn labels<'a>(
    mailboxes: impl IntoIterator<Item = (&'a str, &'a str, &'a str)> + Clone,
) -> HashMap<&'a str, String> {
    let mut bearers: HashMap<String, u32> = HashMap::new();
    for (_, name, _) in mailboxes.clone() {
        *bearers.entry(name.to_lowercase()).or_default() += 1;
    }
    mailboxes
        .into_iter()
        .map(|(key, name, address)| {
            let unique = bearers.get(&name.to_lowercase()).is_none_or(|count| *count == 1);
            (key, mailbox_label(name, address, unique))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_the_reference_does() {
        assert_eq!(value("O365Support", &Right::SendAs), "O365Support: SendAs");
        let boxes = [("1", "Info", "info@a"), ("2", "INFO", "info@b"), ("3", "Sales", "sales@a")];
        let labels = labels(boxes);
        assert_eq!(labels["1"], "Info (info@a)");
        assert_eq!(labels["2"], "INFO (info@b)");
        assert_eq!(labels["3"], "Sales");
    }

    #[test]
    fn refuses_what_is_no_entitlement() {
        assert!(matches!(parse("O365Support"), Err(LabelError::NoRight(_))));
        assert!(matches!(parse(": SendAs"), Err(LabelError::NoMailbox(_))));
        assert!(matches!(parse("O365Support: SendsAs"), Err(LabelError::UnknownRight(_))));
    }

    proptest! {
        #[test]
        fn every_label_parses_back(name in "[^\\s][^\n]{0,40}[^\\s]", index in 0usize..8) {
            let right = crate::right::KNOWN[index].clone();
            let text = value(&name, &right);
            prop_assert_eq!(parse(&text), Ok((name.trim(), right)));
        }
    }
}
