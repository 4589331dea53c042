//! Every answer against the published types: names, types and nullability.

use serde_json::Value;

use crate::support::Tenant;

fn table() -> Value {
    serde_json::from_str(include_str!("../../data/graph-types.json")).unwrap()
}

/// The declared property of a type, inherited ones included.
fn declared<'t>(table: &'t Value, kind: &str, name: &str) -> Option<&'t Value> {
    let held = table["types"].get(kind)?;
    held["properties"].get(name).or_else(|| declared(table, held["base"].as_str()?, name))
}

fn check(table: &Value, kind: &str, object: &Value, path: &str) {
    for (name, value) in object.as_object().unwrap_or_else(|| panic!("{path} is an object: {object}")) {
        if name.contains('@') {
            continue;
        }
        let path = format!("{path}/{name}");
        let declared =
            declared(table, kind, name).unwrap_or_else(|| panic!("{path} is not a property of {kind}"));
        let of = declared["type"].as_str().unwrap();
        if declared["collection"] == true {
            let items = value.as_array().unwrap_or_else(|| panic!("{path} is a collection: {value}"));
            items.iter().for_each(|item| check_value(table, of, item, &path));
        } else if value.is_null() {
            assert!(
                declared["nullable"] == true || path.ends_with("/passwordProfile"),
                "{path} is never null"
            );
        } else {
            check_value(table, of, value, &path);
        }
    }
}

fn check_value(table: &Value, of: &str, value: &Value, path: &str) {
    let right = match of {
        "Edm.String" => value.is_string(),
        "Edm.Boolean" => value.is_boolean(),
        "Edm.Int32" | "Edm.Int64" => value.is_i64(),
        "Edm.Guid" => value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()),
        "Edm.DateTimeOffset" => value.as_str().is_some_and(|text| text.len() == 20 && text.ends_with('Z')),
        _ if table["enums"].get(of).is_some() => {
            table["enums"][of].as_array().unwrap().iter().any(|known| known == value)
        }
        _ if table["types"].get(of).is_some() => {
            check(table, of, value, path);
            true
        }
        _ => true,
    };
    assert!(right, "{path} should be {of}: {value}");
}

#[test]
fn users_groups_and_contacts_are_as_published() {
    let tenant = Tenant::new();
    let table = table();
    for (set, kind) in [
        ("users", "microsoft.graph.user"),
        ("groups", "microsoft.graph.group"),
        ("contacts", "microsoft.graph.orgContact"),
    ] {
        let properties: Vec<String> =
            table["types"][kind]["properties"].as_object().unwrap().keys().cloned().collect();
        // What only single objects show is refused in a listing.
        let listed: Vec<&str> = properties
            .iter()
            .map(String::as_str)
            .filter(|name| tenant.get(&format!("/v1.0/{set}?$top=1&$select={name}")).0 == 200)
            .collect();
        assert!(listed.len() + 11 >= properties.len(), "{set}: {listed:?}");
        let select = listed.join(",");
        let (objects, _) = tenant.all(&format!("/v1.0/{set}?$select=id,{select}&$top=499"), &[]);
        assert!(!objects.is_empty());
        for object in &objects {
            assert_eq!(object.as_object().unwrap().len(), listed.len() + 1);
            check(&table, kind, object, set);
        }
        let (plain, _) = tenant.all(&format!("/v1.0/{set}?$top=999"), &[]);
        plain.iter().for_each(|object| check(&table, kind, object, set));
        let (delta, _) = tenant.all(&format!("/v1.0/{set}/delta"), &[]);
        delta.iter().for_each(|object| check(&table, kind, object, set));
    }
}

#[test]
fn the_small_sets_are_as_published() {
    let tenant = Tenant::new();
    let table = table();
    for (set, kind) in [
        ("organization", "microsoft.graph.organization"),
        ("subscribedSkus", "microsoft.graph.subscribedSku"),
        ("directoryRoles", "microsoft.graph.directoryRole"),
        ("servicePrincipals", "microsoft.graph.servicePrincipal"),
    ] {
        let (objects, _) = tenant.all(&format!("/v1.0/{set}"), &[]);
        assert!(!objects.is_empty() || set == "directoryRoles");
        objects.iter().for_each(|object| check(&table, kind, object, set));
    }
}
