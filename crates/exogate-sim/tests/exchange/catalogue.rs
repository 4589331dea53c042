//! Walks the catalogue: every cmdlet and every parameter binds, or is refused as the catalogue says.

use serde_json::{Value as Json, json};

use crate::tenant::Bench;

fn catalogue() -> Json {
    serde_json::from_str(include_str!("../../data/cmdlets.json")).unwrap()
}

/// A value that the kind takes.
fn sample(parameter: &Json) -> Json {
    let one = match parameter["kind"].as_str().unwrap() {
        "switch" | "bool" => return json!(false),
        "int" => return json!(parameter["limits"]["min_value"].as_i64().unwrap_or(1)),
        "int_or_unlimited" => return json!("Unlimited"),
        "enum" => parameter["values"][0].as_str().unwrap_or("Anything").to_owned(),
        "guid" => "7b1c0f0e-0000-4000-8000-000000000001".into(),
        "datetime" => "2026-11-20T00:00:00Z".into(),
        "smtp_address" | "proxy_address" => "sample@contoso.com".into(),
        "timespan" | "timespan_or_unlimited" => "10.00:00:00".into(),
        "bytesize" | "bytesize_or_unlimited" => "10 MB (10,485,760 bytes)".into(),
        _ => "sample".into(),
    };
    if parameter["multi"] == true { json!([one]) } else { json!(one) }
}

/// A value that the kind refuses, where there is one.
fn nonsense(parameter: &Json) -> Option<Json> {
    Some(match parameter["kind"].as_str().unwrap() {
        "switch" | "bool" => json!("maybe"),
        "int" | "int_or_unlimited" => json!("many"),
        "enum" if parameter["values"].is_array() => json!("No such value"),
        "guid" | "datetime" | "smtp_address" | "proxy_address" | "timespan" | "bytesize" => {
            json!("no such thing")
        }
        _ if parameter["multi"] != true => json!(["a", "b"]),
        _ => json!([{"untagged": 1}]),
    })
}

#[test]
fn every_parameter_binds_or_is_refused() {
    let bench = Bench::new();
    let mut walked = 0;
    for (cmdlet, spec) in catalogue()["cmdlets"].as_object().unwrap() {
        if spec["rest_native"] == true {
            assert_eq!(bench.call(cmdlet, json!({})).status, 403, "{cmdlet} lives in the client module");
            continue;
        }
        let sets: Vec<_> =
            spec["sets"].as_array().unwrap().iter().filter(|set| set["usable"] == true).collect();
        let parameters = spec["parameters"].as_object().unwrap();
        for (name, parameter) in parameters {
            let own: Option<Vec<&str>> =
                parameter["sets"].as_array().map(|list| list.iter().filter_map(Json::as_str).collect());
            let fitting = sets
                .iter()
                .find(|set| own.as_ref().is_none_or(|own| own.contains(&set["name"].as_str().unwrap())));
            let Some(set) = fitting else {
                let mut body = json!({});
                body[name] = sample(parameter);
                assert_eq!(bench.call(cmdlet, body).status, 400, "{cmdlet} {name} has no usable set");
                continue;
            };
            let mut given = json!({});
            for (other, candidate) in parameters {
                let required =
                    candidate["required_in"].as_array().is_some_and(|list| list.contains(&set["name"]));
                if required || other == name {
                    given[other.to_ascii_lowercase()] = sample(candidate);
                }
            }
            let answer = bench.call(cmdlet, given.clone());
            let refused_by_binder = answer.exception().contains("AdminApi.CommandInvocation")
                || answer.exception().contains("ParameterBinding");
            assert!(!refused_by_binder, "{cmdlet} {given} {}", String::from_utf8_lossy(&answer.body));
            assert_ne!(answer.status, 403, "{cmdlet} {name}");
            assert!(answer.status < 500, "{cmdlet} {name}");
            if let Some(bad) = nonsense(parameter) {
                given[name.to_ascii_lowercase()] = bad;
                let answer = bench.call(cmdlet, given.clone());
                assert_eq!(answer.status, 400, "{cmdlet} {given}");
                assert!(
                    answer.exception().ends_with("ParameterTransformationException"),
                    "{cmdlet} {given} {}",
                    answer.exception()
                );
            }
            walked += 1;
        }
        let unknown = bench.call(cmdlet, json!({"Identity": "x", "NoSuchParameter": 1}));
        assert!(unknown.exception().ends_with("AmbiguousParameterSetException"), "{cmdlet}");
    }
    assert!(walked > 700, "{walked}");
}

#[test]
fn every_cmdlet_that_is_served_is_carried_out() {
    let bench = Bench::new();
    for (cmdlet, spec) in catalogue()["cmdlets"].as_object().unwrap() {
        if spec["rest_native"] == true {
            continue;
        }
        let required: Vec<_> = spec["parameters"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, parameter)| parameter["required_in"].is_array())
            .collect();
        let mut given = json!({});
        for (name, parameter) in required {
            let first = spec["sets"].as_array().unwrap().iter().find(|set| set["usable"] == true).unwrap();
            if parameter["required_in"].as_array().unwrap().contains(&first["name"]) {
                given[name] = sample(parameter);
            }
        }
        let answer = bench.call(cmdlet, given);
        assert!(
            !answer.detail_or_empty().contains(&format!("specified. {cmdlet}")),
            "{cmdlet} is not carried out"
        );
    }
}
