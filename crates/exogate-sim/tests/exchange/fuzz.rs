//! Requests of every kind: never a panic, never an error of our own making.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::tenant::Bench;

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f32>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Json::from),
        prop_oneof![
            Just("kim.akers"),
            Just("o365support"),
            Just("dl-all"),
            Just("Unlimited"),
            Just("FullAccess"),
            Just("#Exchange.GenericHashTable"),
            Just("S-1-5-10"),
            Just("kim.akers:\\Calendar"),
            Just("Alias -eq 'x'"),
        ]
        .prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec(("@odata.type|Add|Remove|Data|[a-z]{1,4}", inner), 0..4)
                .prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
        ]
    })
}

fn calls() -> impl Strategy<Value = (String, Json)> {
    let catalogue: Json = serde_json::from_str(include_str!("../../data/cmdlets.json")).unwrap();
    let cmdlets: Vec<(String, Vec<String>)> = catalogue["cmdlets"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, spec)| (name.clone(), spec["parameters"].as_object().unwrap().keys().cloned().collect()))
        .collect();
    prop::sample::select(cmdlets).prop_flat_map(|(name, parameters)| {
        let mut names = parameters;
        names.push("Bogus".into());
        let pairs = prop::collection::vec((prop::sample::select(names), any_json()), 0..5);
        pairs.prop_map(move |pairs| (name.clone(), Json::Object(pairs.into_iter().collect())))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn calls_of_every_kind_are_answered(sequence in prop::collection::vec(calls(), 1..30)) {
        let bench = Bench::new();
        for (cmdlet, parameters) in sequence {
            let answer = bench.call(&cmdlet, parameters.clone());
            prop_assert!(answer.status < 500, "{} {}", cmdlet, parameters);
            if answer.status == 200 && !answer.body.is_empty() {
                prop_assert!(serde_json::from_slice::<Json>(&answer.body).is_ok());
            }
        }
    }

    #[test]
    fn bodies_of_every_kind_are_answered(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
        let bench = Bench::new();
        for body in bodies {
            for target in [bench.target(), format!("/adminapi/beta/{}/$batch", bench.tenant())] {
                let status = bench.send(bench.request(bench.app, &target, body.clone())).status;
                prop_assert!((400..500).contains(&status));
            }
        }
    }

    #[test]
    fn paths_and_tokens_of_every_kind_are_answered(tail in ".{0,60}", token in ".{0,80}") {
        let bench = Bench::new();
        let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {}}}).to_string();
        let encoded: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for target in [
            format!("/adminapi/beta/{}/{tail}", bench.tenant()),
            format!("{}?$skiptoken={encoded}", bench.target()),
            format!("{}?$select={encoded}", bench.target()),
        ] {
            prop_assert!(bench.send(bench.request(bench.app, &target, body.clone())).status < 500);
        }
    }

    #[test]
    fn batches_of_every_kind_are_answered(items in prop::collection::vec(any_json(), 0..5)) {
        let bench = Bench::new();
        let target = format!("/adminapi/beta/{}/$batch", bench.tenant());
        let body = json!({"requests": items}).to_string();
        prop_assert!(bench.send(bench.request(bench.app, &target, body)).status < 500);
    }
}
