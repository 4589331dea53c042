//! One record of the audit log, as the feed and the search both tell it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::Value;

use crate::record::Record;

/// Something that was done in Exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its id: the same record may come several times.
    pub id: String,
    /// When it was done.
    pub at: Timestamp,
    /// The cmdlet.
    pub operation: String,
    /// What was changed, as the service names it: a canonical path, or `tenant\name`.
    pub object: Option<String>,
    /// Who did it: a user principal name, or the name of an application or of the service itself.
    pub user: Option<String>,
    /// What kind of user (0 regular, 2 administrator, 4 system, 5 application, …).
    pub user_type: Option<i64>,
    /// The application that it was done with.
    pub app: Option<String>,
    /// Done from outside the organisation: by the service's operators or a partner.
    pub external: bool,
    /// Whether it had an effect; failed ones are logged too.
    pub succeeded: bool,
    /// The parameters that were given, as they were typed.
    pub parameters: Vec<(String, String)>,
}

impl AuditRecord {
    /// A parameter, by name without case. Empty ones are none.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.trim().is_empty())
    }

    /// Reads one record; `None` for one that lacks what each of them has.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let record = Record::from_value(value)?;
        let text = |name: &str| record.scalar(name);
        let parameters = record
            .children("Parameters")
            .iter()
            .filter_map(|pair| Some((pair.scalar("Name")?, pair.scalar("Value").unwrap_or_default())))
            .collect();
        Some(Self {
            id: text("Id")?,
            at: instant(record.text("CreationTime")?)?,
            operation: text("Operation")?,
            object: text("ObjectId"),
            user: text("UserId").or_else(|| text("UserKey")),
            user_type: record.integer("UserType"),
            app: text("AppId").or_else(|| text("ClientAppId")),
            external: record.flag("ExternalAccess").unwrap_or(false),
            // `True`, `Succeeded` or nothing at all.
            succeeded: !record
                .text("ResultStatus")
                .is_some_and(|status| ["false", "failed"].iter().any(|no| status.eq_ignore_ascii_case(no))),
            parameters,
        })
    }
}

/// Records, and how many there were that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Those of Exchange.
    pub records: Vec<AuditRecord>,
    /// Those that nobody can tell the meaning of.
    pub unreadable: usize,
}

impl Read {
    pub(super) fn add(&mut self, value: &Value) {
        match AuditRecord::read(value) {
            Some(record) => self.records.push(record),
            None => self.unreadable += 1,
        }
    }
}

/// An instant with or without its zone: without one it is UTC.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| Offset::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_read_with_its_parameters_as_they_were_typed() {
        let record = AuditRecord::read(&json!({
            "CreationTime": "2026-11-20T09:14:07", "Id": "r1", "Operation": "Add-MailboxPermission", "RecordType": 1,
            "ResultStatus": "True", "UserKey": "key", "UserType": 2, "UserId": "admin@contoso.com", "AppId": "app",
            "ObjectId": "contoso.onmicrosoft.com/shared-finance", "ExternalAccess": false,
            "Parameters": [{"Name": "Identity", "Value": "shared-finance"}, {"Name": "AutoMapping", "Value": "False"},
                {"Name": "User", "Value": ""}],
        }))
        .unwrap();
        assert_eq!(record.at.to_string(), "2026-11-20T09:14:07Z");
        assert_eq!(record.parameter("identity"), Some("shared-finance"));
        assert_eq!(record.parameter("User"), None);
        assert!(record.succeeded);
        assert_eq!((record.user.as_deref(), record.app.as_deref()), (Some("admin@contoso.com"), Some("app")));
    }

    #[test]
    fn failed_and_unreadable_records_are_told_apart() {
        let mut read = Read::default();
        read.add(&json!({"CreationTime": "2026-11-20T09:14:07Z", "Id": "a", "Operation": "Set-Mailbox", "ResultStatus": "False"}));
        read.add(&json!({"Id": "b", "Operation": "Set-Mailbox"}));
        read.add(&json!("text"));
        assert_eq!(read.unreadable, 2);
        assert!(!read.records[0].succeeded);
    }
}
