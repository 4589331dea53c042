//! Mailboxes of Exchange.

use exogate_microsoft::record::Record;
use exogate_model::account::Attributes;
use exogate_model::mailbox::MailboxKind;
use exogate_store::MailboxRow;

use super::attributes::{AttributeReader, Misfits};
use super::{Unreadable, owned, required};

/// Properties that every mailbox is read with, whatever the schema.
pub const PROPERTIES: [&str; 12] = [
    "ExternalDirectoryObjectId",
    "ExchangeGuid",
    "Guid",
    "Identity",
    "Name",
    "Alias",
    "DisplayName",
    "DistinguishedName",
    "LegacyExchangeDN",
    "PrimarySmtpAddress",
    "UserPrincipalName",
    "RecipientTypeDetails",
];

/// Kinds of mailbox that the service keeps for itself.
const SYSTEM: [&str; 7] = [
    "ArbitrationMailbox",
    "AuditLogMailbox",
    "AuxAuditLogMailbox",
    "DiscoveryMailbox",
    "MonitoringMailbox",
    "SupervisoryReviewPolicyMailbox",
    "SystemMailbox",
];

/// Whether the service keeps mailboxes of this kind for itself.
pub fn is_system(kind: &str) -> bool {
    SYSTEM.contains(&kind)
}

/// What a record of the listing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A mailbox.
    Mailbox(Box<MailboxRow>),
    /// A mailbox of the service itself; not governed.
    System,
    /// A mailbox that has no Entra object (yet): nothing can join it to an account.
    Unjoined,
}

/// Reads one mailbox.
pub fn mailbox(
    record: &Record,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Result<Listed, Unreadable> {
    let mut listed = identity(record)?;
    if let Listed::Mailbox(row) = &mut listed {
        row.attributes = reader.read(record, misfits);
    }
    Ok(listed)
}

/// The same without attributes.
pub fn identity(record: &Record) -> Result<Listed, Unreadable> {
    const LISTING: &str = "Get-Mailbox";
    let kind = required(record, "RecipientTypeDetails", LISTING)?;
    if is_system(kind) {
        return Ok(Listed::System);
    }
    let Some(key) = record.text("ExternalDirectoryObjectId") else { return Ok(Listed::Unjoined) };
    let address = record.text("PrimarySmtpAddress").or_else(|| record.text("WindowsEmailAddress"));
    let primary_smtp = address.or_else(|| record.text("UserPrincipalName")).unwrap_or(key);
    let display_name = record.text("DisplayName").or_else(|| record.text("Name")).unwrap_or(primary_smtp);
    Ok(Listed::Mailbox(Box::new(MailboxRow {
        key: key.to_owned(),
        kind: MailboxKind::from_recipient_type_details(kind),
        display_name: display_name.to_owned(),
        primary_smtp: primary_smtp.to_owned(),
        exchange_guid: record.exchange_guid().or_else(|| record.text("ExchangeGuid")).map(str::to_owned),
        name: owned(record, "Name"),
        alias: owned(record, "Alias"),
        distinguished_name: owned(record, "DistinguishedName"),
        legacy_dn: owned(record, "LegacyExchangeDN"),
        upn: owned(record, "UserPrincipalName"),
        attributes: Attributes::new(),
    })))
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::Schema;

    use super::*;

    fn read(json: &str) -> Result<Listed, Unreadable> {
        let reader = AttributeReader::exchange(
            &Schema::account(&[], true).unwrap(),
            &[exogate_model::catalogue::ExchangeObject::Mailbox],
        );
        mailbox(&Record::from_slice(json.as_bytes()).unwrap(), &reader, &mut Misfits::default())
    }

    #[test]
    fn mailboxes_of_the_service_and_unjoined_ones_are_told_apart() {
        assert_eq!(read(r#"{"RecipientTypeDetails":"DiscoveryMailbox","Name":"d"}"#), Ok(Listed::System));
        assert_eq!(
            read(r#"{"RecipientTypeDetails":"UserMailbox","ExternalDirectoryObjectId":""}"#),
            Ok(Listed::Unjoined)
        );
        assert!(read(r#"{"ExternalDirectoryObjectId":"k"}"#).is_err());
        let Ok(Listed::Mailbox(row)) = read(
            r#"{"RecipientTypeDetails":"SharedMailbox","ExternalDirectoryObjectId":"k","Guid":"g","ExchangeGuid":"s",
            "PrimarySmtpAddress":"Info@contoso.com","DisplayName":"Info"}"#,
        ) else {
            panic!("a shared mailbox")
        };
        assert_eq!((row.kind, row.exchange_guid.as_deref()), (MailboxKind::Shared, Some("g")));
    }
}
