//! The OpenAPI document as it is committed: what clients rely on changes knowingly or not at all.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::Value;

#[test]
fn the_document_is_as_committed() {
    insta::assert_snapshot!("openapi", exogate_server::rest::openapi().to_pretty_json().unwrap());
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_says_what_it_needs() {
    let document = serde_json::to_value(exogate_server::rest::openapi()).unwrap();
    let schemas: BTreeSet<_> =
        document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    assert_eq!(referred.difference(&schemas).collect::<Vec<_>>(), [] as [&String; 0]);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "403", "404", "500"] {
                assert!(responses.contains_key(status), "{method} {path} does not tell of {status}");
            }
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
            if method == "post" && operation.get("requestBody").is_some() {
                assert!(responses.contains_key("413") && responses.contains_key("415"), "{path}");
            }
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(reference) if name == "$ref" => {
                        found.insert(reference.rsplit('/').next().unwrap_or_default().to_owned());
                    }
                    _ => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
