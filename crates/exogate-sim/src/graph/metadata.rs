//! The documents at the root that need no token: the service document and the metadata document of the types that
//! are served. Types that are no part of this service are left out, and with them the properties that have them.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::Call;

/// Sets with the type of their items.
const SETS: [(&str, &str); 7] = [
    ("contacts", "orgContact"),
    ("directoryObjects", "directoryObject"),
    ("directoryRoles", "directoryRole"),
    ("groups", "group"),
    ("servicePrincipals", "servicePrincipal"),
    ("subscribedSkus", "subscribedSku"),
    ("users", "user"),
];

#[derive(Deserialize)]
struct Schema {
    types: Map<String, Value>,
    enums: Map<String, Value>,
}

/// `GET /v1.0/`
#[must_use]
pub fn service_document(call: &Call) -> Value {
    let sets = SETS.iter().map(|(name, _)| *name).chain(["organization", "domains", "applications"]);
    let sets: Vec<Value> = sets.map(|name| json!({"name": name, "kind": "EntitySet", "url": name})).collect();
    json!({"@odata.context": format!("{}/$metadata", call.base), "value": sets})
}

/// `GET /v1.0/$metadata`
#[must_use]
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let schema: Schema = serde_json::from_str(include_str!("../../data/graph-types.json"))
            .unwrap_or(Schema { types: Map::new(), enums: Map::new() });
        write(&schema)
    })
}

fn write(schema: &Schema) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices><Schema Namespace=\"microsoft.graph\" Alias=\"graph\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">",
    );
    for (name, values) in &schema.enums {
        let _ = write!(xml, "<EnumType Name=\"{}\">", short(name));
        for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let _ = write!(xml, "<Member Name=\"{value}\" />");
        }
        xml.push_str("</EnumType>");
    }
    for (name, kind) in &schema.types {
        let entity = is_entity(schema, name);
        let element = if entity { "EntityType" } else { "ComplexType" };
        let _ = write!(xml, "<{element} Name=\"{}\"", short(name));
        if let Some(base) = kind["base"].as_str() {
            let _ = write!(xml, " BaseType=\"graph.{}\"", short(base));
        }
        if name == "microsoft.graph.entity" {
            xml.push_str(" Abstract=\"true\"");
        }
        xml.push_str(" OpenType=\"true\">");
        if name == "microsoft.graph.entity" {
            xml.push_str("<Key><PropertyRef Name=\"id\" /></Key>");
        }
        for (property, shape) in kind["properties"].as_object().into_iter().flatten() {
            write_property(&mut xml, schema, property, shape);
        }
        navigations(&mut xml, short(name));
        let _ = write!(xml, "</{element}>");
    }
    xml.push_str("<EntityContainer Name=\"GraphService\">");
    for (set, item) in SETS {
        let _ = write!(xml, "<EntitySet Name=\"{set}\" EntityType=\"microsoft.graph.{item}\" />");
    }
    xml.push_str("</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>");
    xml
}

fn write_property(xml: &mut String, schema: &Schema, name: &str, shape: &Value) {
    let Some(kind) = shape["type"].as_str() else { return };
    let own = schema.types.contains_key(kind) || schema.enums.contains_key(kind);
    if !own && !kind.starts_with("Edm.") {
        return;
    }
    let kind = if own { format!("graph.{}", short(kind)) } else { kind.to_owned() };
    let kind = if shape["collection"] == true { format!("Collection({kind})") } else { kind };
    let _ = write!(xml, "<Property Name=\"{name}\" Type=\"{kind}\"");
    if shape["nullable"] == false {
        xml.push_str(" Nullable=\"false\"");
    }
    xml.push_str(" />");
}

fn navigations(xml: &mut String, name: &str) {
    let many: &[&str] = match name {
        "user" => &["directReports", "memberOf", "ownedObjects", "transitiveMemberOf"],
        "group" => &["memberOf", "members", "owners", "transitiveMemberOf", "transitiveMembers"],
        "orgContact" => &["memberOf", "transitiveMemberOf"],
        _ => &[],
    };
    for navigation in many {
        let _ = write!(
            xml,
            "<NavigationProperty Name=\"{navigation}\" Type=\"Collection(graph.directoryObject)\" />"
        );
    }
    if name == "user" {
        xml.push_str("<NavigationProperty Name=\"manager\" Type=\"graph.directoryObject\" />");
        xml.push_str(
            "<NavigationProperty Name=\"licenseDetails\" Type=\"Collection(graph.licenseDetails)\" ContainsTarget=\"true\" />",
        );
    }
}

fn is_entity(schema: &Schema, name: &str) -> bool {
    name == "microsoft.graph.entity"
        || schema
            .types
            .get(name)
            .and_then(|kind| kind["base"].as_str())
            .is_some_and(|base| is_entity(schema, base))
}

fn short(name: &str) -> &str {
    name.strip_prefix("microsoft.graph.").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_there() {
        let xml = document();
        assert!(
            xml.contains("<EntityType Name=\"user\" BaseType=\"graph.directoryObject\" OpenType=\"true\">")
        );
        assert!(xml.contains("<ComplexType Name=\"assignedLicense\""));
        assert!(xml.contains("<EntitySet Name=\"groups\" EntityType=\"microsoft.graph.group\" />"));
        for part in xml.split("graph.").skip(1) {
            let name: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
            if name.is_empty() {
                continue;
            }
            assert!(xml.contains(&format!("Name=\"{name}\"")), "{name} is named and not defined");
        }
    }
}
