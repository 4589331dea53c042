//! Rows as PowerShell's serialized objects: one XML document per row, carried as a JSON text under `_clixml`.
//!
//! It knows element names, type names and escapes; where values come from is the rows' business.

mod escape;

use std::fmt::Write as _;

use super::render::{Projection, Row};
use super::schema::{Property, RowClass, WireType, properties};
use super::value::Value;
use crate::json::push_text;

use escape::push_escaped;

/// The .NET type of a kind of row, without the prefix that deserialized objects bear.
#[must_use]
pub fn type_name(class: RowClass) -> &'static str {
    match class {
        RowClass::Mailbox => "Microsoft.Exchange.Data.Directory.Management.Mailbox",
        RowClass::CasMailbox => "Microsoft.Exchange.Data.Directory.Management.CASMailbox",
        RowClass::MailboxStatistics => {
            "Microsoft.Exchange.Management.MapiTasks.Presentation.MailboxStatistics"
        }
        RowClass::User => "Microsoft.Exchange.Data.Directory.Management.User",
        RowClass::DistributionGroup => "Microsoft.Exchange.Data.Directory.Management.DistributionGroup",
        RowClass::UnifiedGroup => "Microsoft.Exchange.Data.Directory.Management.UnifiedGroup",
        RowClass::Recipient => "Microsoft.Exchange.Data.Directory.Management.ReducedRecipient",
        RowClass::MailUser => "Microsoft.Exchange.Data.Directory.Management.MailUser",
        RowClass::MailContact => "Microsoft.Exchange.Data.Directory.Management.MailContact",
        RowClass::DynamicDistributionGroup => {
            "Microsoft.Exchange.Data.Directory.Management.DynamicDistributionGroup"
        }
        RowClass::Group => "Microsoft.Exchange.Data.Directory.Management.WindowsGroup",
        RowClass::AutoReply => "Microsoft.Exchange.Data.Storage.Management.MailboxAutoReplyConfiguration",
        RowClass::Regional => "Microsoft.Exchange.Data.Storage.Management.MailboxRegionalConfiguration",
        RowClass::MailboxPermission => {
            "Microsoft.Exchange.Management.RecipientTasks.MailboxAcePresentationObject"
        }
        RowClass::MailboxOwner => "Microsoft.Exchange.Management.RecipientTasks.OwnerPresentationObject",
        RowClass::RecipientPermission => "Microsoft.Exchange.Management.RecipientTasks.RecipientPermission",
        RowClass::MailboxFolderPermission => {
            "Microsoft.Exchange.Management.StoreTasks.MailboxFolderPermission"
        }
        RowClass::AcceptedDomain => "Microsoft.Exchange.Data.Directory.SystemConfiguration.AcceptedDomain",
        RowClass::OrganizationConfig => {
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.OrganizationConfig"
        }
        RowClass::MailboxPlan => "Microsoft.Exchange.Data.Directory.Management.MailboxPlan",
        RowClass::RoleAssignmentPolicy => {
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.RoleAssignmentPolicy"
        }
        RowClass::OwaMailboxPolicy => {
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.OwaMailboxPolicy"
        }
        RowClass::AuditLog => "Microsoft.Exchange.Data.ApplicationLogic.UnifiedAuditLogEvent",
        RowClass::MailboxFolderStatistics => "Microsoft.Exchange.Management.Tasks.MailboxFolderConfiguration",
        RowClass::CalendarProcessing => "Microsoft.Exchange.Data.Storage.Management.CalendarConfiguration",
        RowClass::MailboxCalendar => {
            "Microsoft.Exchange.Data.Storage.Management.MailboxCalendarConfiguration"
        }
        RowClass::MailboxMessage => "Microsoft.Exchange.Data.Storage.Management.MailboxMessageConfiguration",
        RowClass::MailboxJunk => "Microsoft.Exchange.Data.Storage.Management.MailboxJunkEmailConfiguration",
        RowClass::Contact => "Microsoft.Exchange.Data.Directory.Management.Contact",
        RowClass::RoleGroup => "Microsoft.Exchange.Data.Directory.Management.RoleGroup",
        RowClass::ManagementRole => "Microsoft.Exchange.Data.Directory.SystemConfiguration.ExchangeRole",
        RowClass::ManagementRoleAssignment => {
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.ExchangeRoleAssignmentPresentation"
        }
        RowClass::ExchangePrincipal => "Microsoft.Exchange.Data.Directory.Management.ServicePrincipal",
        RowClass::AdminAuditLogConfig => {
            "Microsoft.Exchange.Data.Directory.SystemConfiguration.AdminAuditLogConfig"
        }
        RowClass::RetentionPolicy => "Microsoft.Exchange.Data.Directory.SystemConfiguration.RetentionPolicy",
        RowClass::SharingPolicy => "Microsoft.Exchange.Data.Directory.SystemConfiguration.SharingPolicy",
        RowClass::CasMailboxPlan => "Microsoft.Exchange.Data.Directory.Management.CASMailboxPlan",
    }
}

/// Types between a kind of row and `System.Object`; every presentation object is configurable.
const BASES: [&str; 2] = ["Microsoft.Exchange.Data.ConfigurableObject", "System.Object"];
const HEAD: &str = r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">"#;

/// A compiled layout of one kind of row.
#[derive(Debug)]
pub struct Layout {
    /// Up to the type names, inclusive.
    head: String,
    label: Option<&'static Property>,
    columns: Vec<&'static Property>,
}

impl Layout {
    /// Compiles a layout.
    #[must_use]
    pub fn compile(class: RowClass, projection: &Projection) -> Self {
        let mut head = format!(r#"{HEAD}<Obj RefId="0"><TN RefId="0">"#);
        for name in [type_name(class)].iter().chain(&BASES) {
            // Writing to a String cannot fail.
            let _ = write!(head, "<T>Deserialized.{name}</T>");
        }
        head.push_str("</TN>");
        let all = properties(class);
        let label = ["Identity", "Name", "DisplayName"]
            .iter()
            .find_map(|name| all.iter().find(|property| property.name == *name));
        let columns = all.iter().filter(|property| projection.wants(property)).collect();
        Self { head, label, columns }
    }

    /// Writes one row: `{"_clixml":"<Objs …"}`.
    pub fn write<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) {
        let mut xml = String::with_capacity(self.head.len() + self.columns.len() * 48);
        xml.push_str(&self.head);
        if let Some(Value::Text(text)) = self.label.and_then(|property| row.cell(property)) {
            xml.push_str("<ToString>");
            push_escaped(&mut xml, &text);
            xml.push_str("</ToString>");
        }
        xml.push_str("<Props>");
        // The row is object 0; lists are numbered after it and share one list of type names.
        let mut objects = 0;
        for property in &self.columns {
            let value = row.cell(property).unwrap_or_else(|| Value::of_default(&property.default));
            element(&mut xml, property, &value, &mut objects);
        }
        xml.push_str("</Props></Obj></Objs>");
        out.extend_from_slice(b"{\"_clixml\":");
        push_text(out, &xml);
        out.push(b'}');
    }
}

fn element(xml: &mut String, property: &Property, value: &Value<'_>, objects: &mut u32) {
    let name = property.name;
    match (value, property.wire) {
        (Value::List(list), _) => collection(xml, name, list, objects),
        (Value::Null, WireType::List) => collection(xml, name, &[], objects),
        (Value::Text(text), WireType::List) => {
            collection(xml, name, &[std::borrow::Cow::Borrowed(&**text)], objects);
        }
        (Value::Null, _) => simple(xml, "Nil", name, None),
        (Value::Bool(value), WireType::Text) => {
            simple(xml, "S", name, Some(if *value { "True" } else { "False" }));
        }
        (Value::Bool(value), _) => simple(xml, "B", name, Some(if *value { "true" } else { "false" })),
        (Value::Int(number), wire) => {
            let kind = match wire {
                WireType::Text => "S",
                WireType::Int16 if i16::try_from(*number).is_ok() => "I16",
                _ if i32::try_from(*number).is_ok() => "I32",
                _ => "I64",
            };
            simple(xml, kind, name, Some(&number.to_string()));
        }
        (Value::Guid(guid), WireType::Text) => simple(xml, "S", name, Some(&guid.to_string())),
        (Value::Guid(guid), _) => simple(xml, "G", name, Some(&guid.to_string())),
        (Value::Text(text), WireType::Guid) if uuid::Uuid::try_parse(text).is_ok() => {
            simple(xml, "G", name, Some(text));
        }
        (Value::Text(text), WireType::Bool) if matches!(&**text, "true" | "false") => {
            simple(xml, "B", name, Some(text));
        }
        (Value::Text(text), _) => simple(xml, "S", name, Some(text)),
        (Value::Time(time), wire) => {
            let mut text = Vec::with_capacity(33);
            if wire == WireType::TimeUtc {
                time.write_exchange_utc(&mut text);
            } else {
                time.write_exchange_local(&mut text);
            }
            simple(xml, "DT", name, Some(&String::from_utf8_lossy(&text)));
        }
    }
}

fn simple(xml: &mut String, kind: &str, name: &str, text: Option<&str>) {
    // Writing to a String cannot fail.
    let _ = match text {
        Some(_) => write!(xml, "<{kind} N=\"{name}\">"),
        None => write!(xml, "<{kind} N=\"{name}\" />"),
    };
    if let Some(text) = text {
        push_escaped(xml, text);
        let _ = write!(xml, "</{kind}>");
    }
}

fn collection(xml: &mut String, name: &str, list: &[std::borrow::Cow<'_, str>], objects: &mut u32) {
    *objects += 1;
    let _ = write!(xml, "<Obj N=\"{name}\" RefId=\"{objects}\">");
    xml.push_str(if *objects == 1 {
        "<TN RefId=\"1\"><T>Deserialized.System.Collections.ArrayList</T><T>Deserialized.System.Object</T></TN>"
    } else {
        "<TNRef RefId=\"1\" />"
    });
    xml.push_str("<LST>");
    for text in list {
        xml.push_str("<S>");
        push_escaped(xml, text);
        xml.push_str("</S>");
    }
    xml.push_str("</LST></Obj>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    struct Sample;

    impl Row for Sample {
        fn cell(&self, property: &'static Property) -> Option<Value<'_>> {
            match property.name {
                "Identity" => Some(Value::text("a<b>&\"c\"\n_x0041_")),
                "ExchangeGuid" => Some(Value::Guid(uuid::Uuid::from_u128(1))),
                "WhenCreatedUTC" | "WhenCreated" => Some(Value::Time(Time::from_seconds(0))),
                "GrantSendOnBehalfTo" => Some(Value::List(vec!["x".into(), "y".into()])),
                _ => None,
            }
        }
    }

    fn xml(select: &str) -> String {
        let layout = Layout::compile(RowClass::Mailbox, &Projection::new(Some(select), false));
        let mut out = Vec::new();
        layout.write(&Sample, &mut out);
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        json["_clixml"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_type_has_its_element() {
        let text = xml(
            "GrantSendOnBehalfTo,EmailAddresses,ExchangeGuid,PitrCopyIntervalInSeconds,RecipientSoftDeletedStatus,WhenCreated,WhenCreatedUTC,IsMailboxEnabled,ForwardingAddress,ProhibitSendQuota",
        );
        for part in [
            "<Objs Version=\"1.1.0.1\" xmlns=\"http://schemas.microsoft.com/powershell/2004/04\"><Obj RefId=\"0\"><TN RefId=\"0\"><T>Deserialized.Microsoft.Exchange.Data.Directory.Management.Mailbox</T>",
            "<T>Deserialized.System.Object</T></TN><ToString>",
            "<I16 N=\"PitrCopyIntervalInSeconds\">0</I16>",
            "<I32 N=\"RecipientSoftDeletedStatus\">0</I32>",
            "<G N=\"ExchangeGuid\">00000000-0000-0000-0000-000000000001</G>",
            "<Nil N=\"ForwardingAddress\" />",
            "<B N=\"IsMailboxEnabled\">true</B>",
            "<DT N=\"WhenCreated\">1970-01-01T00:00:00.0000000+00:00</DT>",
            "<DT N=\"WhenCreatedUTC\">1970-01-01T00:00:00.0000000Z</DT>",
            "<Obj N=\"EmailAddresses\" RefId=\"1\"><TN RefId=\"1\"><T>Deserialized.System.Collections.ArrayList</T><T>Deserialized.System.Object</T></TN><LST></LST></Obj>",
            "<Obj N=\"GrantSendOnBehalfTo\" RefId=\"2\"><TNRef RefId=\"1\" /><LST><S>x</S><S>y</S></LST></Obj>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn texts_are_escaped_for_xml_and_for_powershell() {
        assert!(xml("Identity").contains("<S N=\"Identity\">a&lt;b&gt;&amp;\"c\"_x000A__x005F_x0041_</S>"));
    }
}
