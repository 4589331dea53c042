//! How PowerShell shows the objects by default: a table per kind of row, as a format file.

use crate::exchange::clixml::type_name;
use crate::exchange::schema::RowClass;

/// Columns per kind of row; the rest is shown as lists, PowerShell's own default.
const TABLES: [(RowClass, &[&str]); 17] = [
    (RowClass::Mailbox, &["Name", "Alias", "Database", "ProhibitSendQuota", "ExternalDirectoryObjectId"]),
    (
        RowClass::CasMailbox,
        &["Name", "ActiveSyncEnabled", "OWAEnabled", "PopEnabled", "ImapEnabled", "MapiEnabled"],
    ),
    (RowClass::MailboxStatistics, &["DisplayName", "ItemCount", "StorageLimitStatus", "LastLogonTime"]),
    (RowClass::User, &["Name", "RecipientType"]),
    (RowClass::DistributionGroup, &["Name", "DisplayName", "GroupType", "PrimarySmtpAddress"]),
    (RowClass::UnifiedGroup, &["Name", "Alias", "ServerName", "AccessType"]),
    (RowClass::Recipient, &["Name", "RecipientType"]),
    (RowClass::MailUser, &["Name", "RecipientType"]),
    (RowClass::MailContact, &["Name", "Alias", "RecipientType"]),
    (RowClass::DynamicDistributionGroup, &["Name", "ManagedBy"]),
    (RowClass::Group, &["Name", "DisplayName", "SamAccountName", "GroupType"]),
    (RowClass::MailboxPermission, &["Identity", "User", "AccessRights", "IsInherited", "Deny"]),
    (RowClass::MailboxOwner, &["Identity", "Owner"]),
    (
        RowClass::RecipientPermission,
        &["Identity", "Trustee", "AccessControlType", "AccessRights", "InheritanceType"],
    ),
    (RowClass::MailboxFolderPermission, &["FolderName", "User", "AccessRights", "SharingPermissionFlags"]),
    (RowClass::AcceptedDomain, &["Name", "DomainName", "DomainType", "Default"]),
    (RowClass::MailboxPlan, &["DisplayName", "IsDefault", "ProhibitSendQuota"]),
];

/// The format file.
#[must_use]
pub fn format_file() -> String {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Configuration>\n  <ViewDefinitions>\n");
    for (class, columns) in TABLES {
        let name = type_name(class);
        let headers = "<TableColumnHeader />".repeat(columns.len());
        let cells: String = columns
            .iter()
            .map(|column| format!("<TableColumnItem><PropertyName>{column}</PropertyName></TableColumnItem>"))
            .collect();
        out.push_str(&format!(
            "    <View>\n      <Name>{name}</Name>\n      <ViewSelectedBy><TypeName>Deserialized.{name}</TypeName></ViewSelectedBy>\n      \
             <TableControl>\n        <TableHeaders>{headers}</TableHeaders>\n        <TableRowEntries><TableRowEntry>\
             <TableColumnItems>{cells}</TableColumnItems></TableRowEntry></TableRowEntries>\n      </TableControl>\n    </View>\n"
        ));
    }
    out.push_str("  </ViewDefinitions>\n</Configuration>\n");
    out
}
