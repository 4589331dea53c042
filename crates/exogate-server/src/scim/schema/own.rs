//! The attributes of a source's own schema that no standard schema has a place for.

use exogate_model::schema::Schema;
use exogate_model::value::AttributeType;

use super::{Attribute, Kind, ResourceKind};

/// Attributes that stand in a standard schema already.
pub fn shown_elsewhere(kind: ResourceKind) -> &'static [&'static str] {
    match kind {
        ResourceKind::User => &[
            "userPrincipalName",
            "displayName",
            "givenName",
            "surname",
            "mail",
            "accountEnabled",
            "userType",
            "jobTitle",
            "preferredLanguage",
            "employeeId",
            "companyName",
            "department",
            "manager",
            "businessPhones",
            "mobilePhone",
            "faxNumber",
            "streetAddress",
            "city",
            "state",
            "postalCode",
            "country",
            "groups",
            "sharedMailbox",
        ],
        ResourceKind::Group => &["displayName"],
        ResourceKind::Entitlement => &[],
    }
}

/// The attributes of a schema that are not shown elsewhere; those named can be set.
pub fn own_attributes(schema: &Schema, elsewhere: &[&str], settable: &[&str]) -> Vec<Attribute> {
    schema
        .attributes()
        .iter()
        .filter(|definition| !elsewhere.contains(&definition.name.as_str()))
        .map(|definition| {
            let kind = match definition.kind {
                AttributeType::String => Kind::String,
                AttributeType::Int | AttributeType::Long => Kind::Integer,
                AttributeType::Boolean => Kind::Boolean,
                AttributeType::Date => Kind::DateTime,
            };
            let writable = settable.contains(&definition.name.as_str());
            let of = if definition.name.starts_with("EXO_") { "Exchange" } else { "Entra" };
            let bare = definition.name.trim_start_matches("EXO_");
            // Lists are kept as texts, whatever they hold.
            let kind = if definition.multi_valued { Kind::String } else { kind };
            let attribute =
                Attribute::new(definition.name.clone(), kind, format!("{bare} of {of}.")).writable(writable);
            if definition.multi_valued { attribute.many() } else { attribute }
        })
        .collect()
}
