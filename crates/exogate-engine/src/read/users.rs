//! Users of Entra.

use exogate_microsoft::record::Record;
use exogate_store::UserRow;

use super::attributes::{AttributeReader, Misfits};
use super::{Unreadable, owned, required};

/// Properties that every user is read with, whatever the schema.
pub const PROPERTIES: [&str; 6] =
    ["id", "userPrincipalName", "displayName", "mail", "accountEnabled", "securityIdentifier"];

/// Reads one user.
pub fn user(record: &Record, reader: &AttributeReader, misfits: &mut Misfits) -> Result<UserRow, Unreadable> {
    Ok(UserRow {
        id: required(record, "id", "the listing of users")?.to_owned(),
        upn: required(record, "userPrincipalName", "the listing of users")?.to_owned(),
        display_name: owned(record, "displayName"),
        mail: owned(record, "mail"),
        disabled: record.flag("accountEnabled") == Some(false),
        sid: owned(record, "securityIdentifier"),
        attributes: reader.read(record, misfits),
    })
}
