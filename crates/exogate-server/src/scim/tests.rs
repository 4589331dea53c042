//! The pure parts: patches by table and by property, filters against what the store tests.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::patch::{self, Op, Operation};
use super::resource::Resource;
use super::schema::{Attribute, Kind, Mutability, ResourceKind, ResourceType, Schema};
use super::{body, filter, project, urn};

fn users() -> ResourceType {
    let writable = |attribute: Attribute| attribute.writable(true);
    let text = |name: &str| writable(Attribute::text(name, ""));
    let core = vec![
        Attribute::text("userName", "").required().mutability(Mutability::Immutable),
        writable(Attribute::complex("name", "", vec![text("givenName"), text("familyName")])),
        text("displayName").required(),
        text("title"),
        writable(Attribute::new("active", Kind::Boolean, "")),
        writable(
            Attribute::complex(
                "emails",
                "",
                vec![text("value"), text("type"), writable(Attribute::new("primary", Kind::Boolean, ""))],
            )
            .many(),
        ),
        Attribute::complex("groups", "", vec![Attribute::text("value", "")]).many(),
        writable(
            Attribute::complex(
                "entitlements",
                "",
                vec![
                    Attribute::text("value", "").mutability(Mutability::Immutable),
                    Attribute::text("type", "").on_request(),
                ],
            )
            .many(),
        ),
    ];
    let own = vec![text("EXO_A"), text("EXO_Many").many(), Attribute::text("EXO_Fixed", "")];
    ResourceType::new(
        ResourceKind::User,
        "",
        Schema { id: urn::USER, name: "User", description: "", attributes: core },
        vec![Schema { id: urn::EXOGATE_USER, name: "Own", description: "", attributes: own }],
    )
}

/// Users with these attributes and none of a source's own.
pub fn resource_type(attributes: Vec<Attribute>) -> ResourceType {
    let core = Schema { id: urn::USER, name: "User", description: "", attributes };
    ResourceType::new(ResourceKind::User, "", core, Vec::new())
}

fn object(value: Value) -> Resource {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn kim() -> Resource {
    object(json!({
        "schemas": [urn::USER], "id": "1", "userName": "kim@contoso.com", "displayName": "Kim",
        "name": {"givenName": "Kim", "familyName": "Akers"}, "active": true,
        "emails": [
            {"value": "kim@contoso.com", "type": "work", "primary": true},
            {"value": "kim@home.example", "type": "home"},
        ],
        "groups": [{"value": "g"}],
        "entitlements": [{"value": "Box: SendAs"}, {"value": "Box: FullAccess"}],
        urn::EXOGATE_USER: {"EXO_A": "a", "EXO_Many": ["x", "y"], "EXO_Fixed": "f"},
    }))
}

fn patched(operations: &Value) -> Result<Resource, String> {
    let body = json!({"schemas": [urn::PATCH], "Operations": operations});
    patch::read(body)
        .and_then(|operations| patch::apply(&kim(), &operations, &users()))
        .map_err(|error| error.scim_type.unwrap_or("none").to_owned())
}

#[test]
fn patches_change_what_they_name() {
    let own = urn::EXOGATE_USER;
    let cases = [
        (json!([{"op": "add", "path": "title", "value": "Boss"}]), "/title", json!("Boss")),
        (json!([{"op": "REPLACE", "path": "DISPLAYNAME", "value": "K"}]), "/displayName", json!("K")),
        (
            json!([{"op": "replace", "path": "name.givenName", "value": "K"}]),
            "/name",
            json!({"givenName": "K", "familyName": "Akers"}),
        ),
        (
            json!([{"op": "replace", "path": "name", "value": {"givenName": "K"}}]),
            "/name",
            json!({"givenName": "K", "familyName": "Akers"}),
        ),
        (json!([{"op": "remove", "path": "name.givenName"}]), "/name", json!({"familyName": "Akers"})),
        (json!([{"op": "remove", "path": "name"}]), "/name", Value::Null),
        (json!([{"op": "replace", "path": "active", "value": "False"}]), "/active", json!(false)),
        // Without a path, and with paths as names.
        (
            json!([{"op": "add", "value": {"title": "T", "name.familyName": "B"}}]),
            "/name/familyName",
            json!("B"),
        ),
        (
            json!([{"op": "replace", "value": {own: {"EXO_A": "b"}}}]),
            "/urn:ietf:params:scim:schemas:extension:exogate:2.0:User/EXO_A",
            json!("b"),
        ),
        (
            json!([{"op": "replace", "path": format!("{own}:exo_a"), "value": "b"}]),
            "/urn:ietf:params:scim:schemas:extension:exogate:2.0:User/EXO_A",
            json!("b"),
        ),
        (
            json!([{"op": "add", "path": own, "value": {"EXO_Many": ["z"]}}]),
            "/urn:ietf:params:scim:schemas:extension:exogate:2.0:User/EXO_Many",
            json!(["x", "y", "z"]),
        ),
        (
            json!([{"op": "remove", "path": own}]),
            "/urn:ietf:params:scim:schemas:extension:exogate:2.0:User",
            json!({"EXO_Fixed": "f"}),
        ),
        // Lists: nothing twice, one primary, value paths.
        (
            json!([{"op": "add", "path": "entitlements", "value": [{"value": "box: sendas"}, {"value": "New: SendAs"}]}]),
            "/entitlements",
            json!([{"value": "Box: SendAs"}, {"value": "Box: FullAccess"}, {"value": "New: SendAs"}]),
        ),
        (
            json!([{"op": "add", "path": "entitlements", "value": "New: SendAs"}]),
            "/entitlements/2",
            json!({"value": "New: SendAs"}),
        ),
        (
            json!([{"op": "remove", "path": "entitlements[value eq \"Box: SendAs\"]"}]),
            "/entitlements",
            json!([{"value": "Box: FullAccess"}]),
        ),
        (
            json!([{"op": "remove", "path": "entitlements", "value": [{"value": "Box: SendAs"}]}]),
            "/entitlements",
            json!([{"value": "Box: FullAccess"}]),
        ),
        (
            json!([{"op": "remove", "path": "entitlements[value eq \"none\"]"}]),
            "/entitlements/1/value",
            json!("Box: FullAccess"),
        ),
        (json!([{"op": "remove", "path": "entitlements"}]), "/entitlements", Value::Null),
        (json!([{"op": "replace", "path": "entitlements", "value": []}]), "/entitlements", Value::Null),
        (
            json!([{"op": "replace", "path": "emails[type eq \"home\"].value", "value": "k@x"}]),
            "/emails/1",
            json!({"value": "k@x", "type": "home"}),
        ),
        (
            json!([{"op": "replace", "path": "emails[type eq \"home\"]", "value": {"primary": false}}]),
            "/emails/1/primary",
            json!(false),
        ),
        (
            json!([{"op": "add", "path": "emails[type eq \"other\"].value", "value": "o@x"}]),
            "/emails/2",
            json!({"type": "other", "value": "o@x"}),
        ),
        (
            json!([{"op": "add", "path": "emails", "value": [{"value": "n@x", "primary": true}]}]),
            "/emails/0/primary",
            json!(false),
        ),
        (
            json!([{"op": "remove", "path": "emails[type eq \"home\"].type"}]),
            "/emails/1",
            json!({"value": "kim@home.example"}),
        ),
    ];
    for (operations, pointer, wanted) in cases {
        let after =
            Value::Object(patched(&operations).unwrap_or_else(|error| panic!("{operations}: {error}")));
        // A dot and a colon mean nothing to a pointer.
        assert_eq!(after.pointer(pointer).cloned().unwrap_or_default(), wanted, "{operations}");
    }
}

#[test]
fn patches_are_refused_for_what_they_are() {
    for (operations, wanted) in [
        (json!([{"op": "replace", "path": "groups", "value": []}]), "mutability"),
        (json!([{"op": "replace", "path": "userName", "value": "other"}]), "mutability"),
        (json!([{"op": "remove", "path": "displayName"}]), "mutability"),
        (json!([{"op": "remove", "path": "id"}]), "mutability"),
        (
            json!([{"op": "replace", "path": "entitlements[value eq \"Box: SendAs\"].value", "value": "x"}]),
            "mutability",
        ),
        (
            json!([{"op": "replace", "path": format!("{}:EXO_Fixed", urn::EXOGATE_USER), "value": "x"}]),
            "mutability",
        ),
        (json!([{"op": "replace", "path": "emails[type eq \"none\"].value", "value": "x"}]), "noTarget"),
        (json!([{"op": "remove"}]), "noTarget"),
        (json!([{"op": "add", "path": "nothing", "value": 1}]), "invalidPath"),
        (json!([{"op": "add", "path": "emails[", "value": 1}]), "invalidPath"),
        (json!([{"op": "add", "path": "title[value eq \"x\"]", "value": 1}]), "invalidPath"),
        (json!([{"op": "add", "path": "emails[nothing eq 1]", "value": 1}]), "invalidFilter"),
        (json!([{"op": "add", "path": "active", "value": 7}]), "invalidValue"),
        (json!([{"op": "add", "path": "title"}]), "invalidValue"),
        (json!([{"op": "add", "value": "x"}]), "invalidValue"),
        (json!([{"op": "add", "path": "title", "value": ["a", "b"]}]), "invalidValue"),
        (
            json!([{"op": "add", "path": "emails", "value": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}]),
            "invalidValue",
        ),
        (json!([{"op": "add", "path": "emails", "value": [{"value": "a", "colour": 1}]}]), "invalidSyntax"),
        (json!([]), "invalidSyntax"),
        (json!(["x"]), "invalidSyntax"),
    ] {
        assert_eq!(patched(&operations), Err(wanted.to_owned()), "{operations}");
    }
    // The same name again is no change of it.
    assert_eq!(
        patched(&json!([{"op": "replace", "path": "userName", "value": "KIM@contoso.com"}]))
            .map(|after| after["userName"].clone()),
        Ok(json!("KIM@contoso.com"))
    );
}

#[test]
fn put_leaves_alone_what_it_does_not_mention() {
    let of = users();
    let put = |value: Value| body::read(value, &of).and_then(|wanted| body::replace(&kim(), wanted, &of));
    let after = put(json!({
        "schemas": [urn::USER], "id": "other", "userName": "kim@contoso.com", "displayname": "K",
        "password": "secret", "groups": [], "active": null, "entitlements": [{"value": "New: SendAs", "display": "x"}],
        urn::EXOGATE_USER: {"EXO_A": null, "EXO_Fixed": "other"},
    }))
    .unwrap();
    assert_eq!(after["displayName"], "K");
    assert_eq!(after["id"], "1");
    assert_eq!(after["emails"], kim()["emails"]);
    assert_eq!(after["groups"], kim()["groups"]);
    assert!(!after.contains_key("active"));
    assert_eq!(after["entitlements"], json!([{"value": "New: SendAs"}]));
    assert_eq!(after[urn::EXOGATE_USER], json!({"EXO_Fixed": "f", "EXO_Many": ["x", "y"]}));
    let refused = |value: Value| put(value).unwrap_err().scim_type;
    assert_eq!(refused(json!({"schemas": [urn::USER], "userName": "x"})), Some("mutability"));
    assert_eq!(refused(json!({"schemas": [urn::USER], "displayName": null})), Some("invalidValue"));
    assert_eq!(refused(json!({"schemas": [urn::USER], "dsplayName": "x"})), Some("invalidSyntax"));
    assert_eq!(refused(json!({"schemas": [urn::GROUP]})), Some("invalidSyntax"));
}

#[test]
fn projections_show_what_is_asked_for() {
    let show = |attributes: &[&str], excluded: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut user = kim();
        project::Projection::new(&list(attributes), &list(excluded)).apply(&mut user, &users());
        let mut keys: Vec<String> = user.keys().cloned().collect();
        keys.sort();
        (user, keys)
    };
    let (user, keys) = show(&["USERNAME,emails.value"], &[]);
    assert_eq!(keys, ["emails", "id", "schemas", "userName"]);
    assert_eq!(user["emails"][0], json!({"value": "kim@contoso.com"}));
    let (user, keys) = show(&[&format!("{}:EXO_A", urn::EXOGATE_USER)], &[]);
    assert_eq!(keys, ["id", "schemas", urn::EXOGATE_USER]);
    assert_eq!(user[urn::EXOGATE_USER], json!({"EXO_A": "a"}));
    assert_eq!(show(&[urn::EXOGATE_USER], &[]).0[urn::EXOGATE_USER], kim()[urn::EXOGATE_USER]);
    let (user, keys) = show(&[], &["emails", "id", &format!("{}:EXO_A", urn::EXOGATE_USER)]);
    assert!(keys.contains(&"id".to_owned()) && !keys.contains(&"emails".to_owned()));
    assert!(user[urn::EXOGATE_USER].get("EXO_A").is_none());
}

fn matching(text: &str) -> bool {
    let expr =
        filter::compile(text, &users(), None).unwrap_or_else(|error| panic!("{text}: {}", error.detail));
    filter::matches(&expr, &kim())
}

#[test]
fn filters_pass_what_they_say() {
    for text in [
        "userName eq \"KIM@contoso.com\"",
        "name.familyName sw \"ak\" and not (active eq false)",
        "emails[type eq \"home\" and value co \"home\"]",
        "emails eq \"kim@home.example\"",
        "emails.type eq \"home\"",
        "title eq null",
        "title ne \"x\"",
        "not (title pr)",
        "entitlements pr and groups.value eq \"g\"",
        "urn:ietf:params:scim:schemas:core:2.0:User:displayName ge \"Kim\"",
        "urn:ietf:params:scim:schemas:extension:exogate:2.0:User:EXO_Many eq \"y\"",
        "displayName gt \"Kil\" or displayName lt \"a\"",
    ] {
        assert!(matching(text), "{text}");
    }
    for text in [
        "emails[type eq \"home\" and value eq \"kim@contoso.com\"]",
        "title pr",
        "id eq \"2\"",
        "displayName ne \"kim\"",
    ] {
        assert!(!matching(text), "{text}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z:@ \"]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(
                (
                    prop_oneof![
                        Just("value".to_owned()),
                        Just("type".to_owned()),
                        Just("primary".to_owned()),
                        "[a-zA-Z]{1,6}"
                    ],
                    inner
                ),
                0..4
            )
            .prop_map(|parts| Value::Object(parts.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let path = prop_oneof![
        proptest::sample::select(vec![
            "title",
            "name",
            "name.givenName",
            "active",
            "emails",
            "emails.value",
            "emails[type eq \"home\"]",
            "emails[type eq \"other\"].value",
            "entitlements",
            "entitlements[value sw \"Box\"]",
            "groups",
            "displayName",
            "urn:ietf:params:scim:schemas:extension:exogate:2.0:User",
            "urn:ietf:params:scim:schemas:extension:exogate:2.0:User:EXO_Many",
        ])
        .prop_map(str::to_owned),
        ".{0,20}",
    ];
    (
        proptest::sample::select(vec![Op::Add, Op::Replace, Op::Remove]),
        proptest::option::of(path),
        proptest::option::of(any_value()),
    )
        .prop_map(|(op, path, value)| Operation { op, path, value })
}

proptest! {
    #[test]
    fn no_patch_harms_what_nobody_may_set(operations in proptest::collection::vec(any_operation(), 1..5)) {
        if let Ok(after) = patch::apply(&kim(), &operations, &users()) {
            let before = kim();
            for name in ["id", "groups", "schemas"] {
                prop_assert_eq!(after.get(name), before.get(name));
            }
            prop_assert!(after["displayName"].is_string());
            prop_assert_eq!(&after[urn::EXOGATE_USER]["EXO_Fixed"], "f");
            if let Some(items) = after.get("entitlements") {
                prop_assert!(items.as_array().is_some_and(|items| items.iter().all(|item| item["value"].is_string())));
            }
        }
    }

    #[test]
    fn adding_and_removing_is_as_before(values in proptest::collection::hash_set("[a-z]{1,8}: SendOnBehalf", 1..6)) {
        let list: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
        let add = Operation { op: Op::Add, path: Some("entitlements".into()), value: Some(Value::from(list)) };
        let removals = values.iter().map(|value| Operation {
            op: Op::Remove,
            path: Some(format!("entitlements[value eq \"{value}\"]")),
            value: None,
        });
        let once = patch::apply(&kim(), std::slice::from_ref(&add), &users()).unwrap();
        let twice = patch::apply(&kim(), &[add.clone(), add.clone()], &users()).unwrap();
        prop_assert_eq!(&once, &twice);
        let all: Vec<Operation> = std::iter::once(add).chain(removals).collect();
        prop_assert_eq!(patch::apply(&kim(), &all, &users()).unwrap(), kim());
    }

    #[test]
    fn no_text_is_too_strange_for_a_filter(text in ".{0,60}") {
        let _ = filter::compile(&text, &users(), None);
    }

    #[test]
    fn no_body_is_too_strange(value in any_value()) {
        let _ = patch::read(value.clone());
        if let Ok(wanted) = body::read(value, &users()) {
            let _ = body::replace(&kim(), wanted, &users());
        }
    }
}

#[test]
fn a_route_says_what_kind_of_thing_a_path_leads_to_and_no_more() {
    for (path, route) in [
        ("/Users", "/scim/v2/Users"),
        ("/Users/mark@contoso.com", "/scim/v2/Users/{id}"),
        ("/contoso/Groups/1-2", "/scim/v2/{source}/Groups/{id}"),
        ("/contoso/Users/.search", "/scim/v2/{source}/Users/.search"),
        ("/mark@contoso.com/mark/kim", "/scim/v2/{source}/{endpoint}/{id}"),
        ("/Users/1/2/3", "/scim/v2/Users/{id}/{more}"),
        ("", "/scim/v2"),
    ] {
        assert_eq!(super::described(path), route, "{path}");
    }
}
