//! `$metadata`: the entity model as a CSDL document, made from the same table that answers are typed by.

use std::fmt::Write as _;

use http::StatusCode;
use http::header::HeaderName;

use crate::exchange::answer;
use crate::server::{Reply, Request};
use crate::world::World;

use super::types::{EdmType, Model, model};

/// Functions bound to an entity or a set: name, what it is bound to, parameters, result, the set of the result.
type Function =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const FUNCTIONS: [Function; 7] = [
    ("GetMailboxStatistics", "Exchange.Mailbox", &[], "Exchange.MailboxStatistics", ""),
    (
        "GetMailboxStatisticsV2",
        "Collection(Exchange.Mailbox)",
        &[("mailboxGuid", "Edm.Guid"), ("databaseGuid", "Edm.Guid")],
        "Exchange.MailboxStatistics",
        "",
    ),
    (
        "GetMailboxFolderStatistics",
        "Collection(Exchange.MailboxFolder)",
        &[("folderscope", "Exchange.ElcFolderType")],
        "Collection(Exchange.MailboxFolderStatistics)",
        "",
    ),
    (
        "GetMobileDeviceStatistics",
        "Collection(Exchange.MobileDevice)",
        &[],
        "Collection(Exchange.MobileDeviceStatistics)",
        "",
    ),
    (
        "BySmtpAddress",
        "Collection(Exchange.CasMailbox)",
        &[("SmtpAddress", "Edm.String")],
        "Exchange.CasMailbox",
        "CasMailbox",
    ),
    (
        "BySmtpAddress",
        "Collection(Exchange.Recipient)",
        &[("SmtpAddress", "Edm.String")],
        "Exchange.Recipient",
        "Recipient",
    ),
    (
        "GetRecipientPermissionByFilters",
        "Collection(Exchange.Recipient)",
        &[
            ("identity", "Edm.String"),
            ("trustee", "Edm.String"),
            ("accessRights", "Collection(Exchange.RecipientAccessRight)"),
        ],
        "Collection(Exchange.Recipient)",
        "Recipient",
    ),
];

/// Answers a request for the document.
pub(super) fn document(ctx: &World, req: &Request) -> Reply {
    let mut reply = Reply::with(StatusCode::OK, "application/xml", csdl(model()));
    answer::dress(ctx, req, &mut reply, 1);
    reply.set_header(HeaderName::from_static("odata-version"), "4.0");
    reply
}

fn csdl(model: &Model) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\
         <edmx:DataServices><Schema Namespace=\"Exchange\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\n\
         <ComplexType Name=\"ComplexEntry\" Abstract=\"true\"><Property Name=\"ChangedProperties\" Type=\"Collection(Edm.String)\" /></ComplexType>\n\
         <ComplexType Name=\"OpenComplexEntry\" Abstract=\"true\" OpenType=\"true\" />\n\
         <ComplexType Name=\"GenericHashTable\" BaseType=\"Exchange.OpenComplexEntry\" OpenType=\"true\" />\n",
    );
    // Writing to a String cannot fail.
    let mut enums: Vec<_> = model.enums.iter().collect();
    enums.sort();
    for (name, members) in enums {
        let _ = write!(out, "<EnumType Name=\"{name}\" UnderlyingType=\"Edm.Int64\">");
        for (member, value) in members {
            let _ = write!(out, "<Member Name=\"{member}\" Value=\"{value}\" />");
        }
        out.push_str("</EnumType>\n");
    }
    let mut kinds: Vec<_> = model.complex.iter().collect();
    kinds.sort_by_key(|(name, _)| *name);
    for (name, kind) in kinds {
        let _ = write!(out, "<ComplexType Name=\"{name}\" BaseType=\"Exchange.ComplexEntry\">");
        properties(&mut out, &kind.properties, "");
        out.push_str("</ComplexType>\n");
    }
    let mut entities: Vec<_> = model.entities.iter().collect();
    entities.sort_by_key(|(name, _)| *name);
    for (name, entity) in &entities {
        let _ = write!(out, "<EntityType Name=\"{name}\"><Key><PropertyRef Name=\"{}\" /></Key>", entity.key);
        properties(&mut out, &entity.properties, if *name == "BasicInfo" { "PropertyName" } else { "" });
        for (navigation, target, contained) in &entity.navigation {
            let contained = if *contained { " ContainsTarget=\"true\"" } else { "" };
            let _ = write!(out, "<NavigationProperty Name=\"{navigation}\" Type=\"{target}\"{contained} />");
        }
        out.push_str("</EntityType>\n");
    }
    for (name, bound, parameters, result, set) in FUNCTIONS {
        let path = if set.is_empty() { String::new() } else { format!(" EntitySetPath=\"{set}\"") };
        let binding = if set.is_empty() { "bindingParameter" } else { set };
        let _ = write!(
            out,
            "<Function Name=\"{name}\" IsBound=\"true\"{path}><Parameter Name=\"{binding}\" Type=\"{bound}\" Nullable=\"false\" />"
        );
        for (parameter, kind) in parameters {
            let _ = write!(out, "<Parameter Name=\"{parameter}\" Type=\"{kind}\" />");
        }
        let _ = writeln!(out, "<ReturnType Type=\"{result}\" /></Function>");
    }
    out.push_str(
        "<Action Name=\"InvokeCommand\"><Parameter Name=\"CmdletInput\" Type=\"Exchange.CmdletInvokeInputType\" Nullable=\"false\" />\
         <ReturnType Type=\"Collection(Exchange.GenericHashTable)\" /></Action>\n<EntityContainer Name=\"Container\">",
    );
    for set in ["BasicInfo", "CasMailbox", "CmdletInfo", "Mailbox", "Recipient"] {
        let _ = write!(out, "<EntitySet Name=\"{set}\" EntityType=\"Exchange.{set}\" />");
    }
    out.push_str(
        "<ActionImport Name=\"InvokeCommand\" Action=\"Exchange.InvokeCommand\" /></EntityContainer>\n</Schema></edmx:DataServices></edmx:Edmx>\n",
    );
    out
}

fn properties(out: &mut String, properties: &[(String, EdmType)], mandatory: &str) {
    for (name, edm) in properties {
        let nullable = if name == mandatory { " Nullable=\"false\"" } else { "" };
        let _ = write!(out, "<Property Name=\"{name}\" Type=\"{}\"{nullable} />", edm.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_names_no_type_that_it_does_not_define() {
        let text = csdl(model());
        let quoted: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
        for name in quoted.iter().filter_map(|text| {
            let inner =
                text.strip_prefix("Collection(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(text);
            inner.strip_prefix("Exchange.")
        }) {
            let defined = ["ComplexType", "EntityType", "EnumType", "Action"]
                .iter()
                .any(|kind| text.contains(&format!("<{kind} Name=\"{name}\"")));
            assert!(defined, "{name}");
        }
        assert_eq!(text.matches("<EntityType ").count(), text.matches("</EntityType>").count());
    }
}
