//! Writing users, groups, memberships and licences; what is refused, and how.

use std::time::Duration;

use exogate_sim::state::{GroupKind, Object};
use serde_json::{Value, json};

use crate::support::{ALL, Tenant, code, message};

fn person(upn: &str) -> Value {
    json!({
        "accountEnabled": true, "displayName": "Bo Lind", "mailNickname": "bo", "userPrincipalName": upn,
        "passwordProfile": {"forceChangePasswordNextSignIn": true, "password": "Sup3r!Secret"},
    })
}

fn kind(kind: GroupKind) -> impl Fn(&Object) -> bool {
    move |object| {
        !object.is_dir_synced()
            && object
                .group()
                .is_some_and(|group| group.kind == kind && group.rule.is_none() && !group.assignable_to_role)
    }
}

fn reference(id: impl std::fmt::Display) -> Value {
    json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}")})
}

#[test]
fn users_come_and_go_and_come_back() {
    let tenant = Tenant::new();
    let reply = tenant.send(
        http::Method::POST,
        "/v1.0/users",
        &[("content-type", "application/json")],
        Some(person("bo@contoso.com")),
    );
    assert_eq!(reply.status, 201);
    let made = crate::support::json(&reply);
    assert_eq!(made["@odata.context"], "https://graph.microsoft.com/v1.0/$metadata#users/$entity");
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(reply.headers["location"].to_str().unwrap().contains(&id));
    let (status, body) = tenant.patch(&format!("/v1.0/users/{id}"), json!({
        "@odata.type": "#microsoft.graph.user", "jobTitle": "Baker", "department": null, "businessPhones": ["1"],
        "employeeType": "Staff", "streetAddress": "Way 1", "onPremisesExtensionAttributes": {"extensionAttribute3": "x"},
    }));
    assert_eq!((status, body), (204, Value::Null));
    let (_, user) = tenant.get(&format!("/v1.0/users/{id}?$select=jobTitle,businessPhones,employeeType,streetAddress,onPremisesExtensionAttributes"));
    assert_eq!(
        (&user["jobTitle"], &user["businessPhones"], &user["employeeType"]),
        (&json!("Baker"), &json!(["1"]), &json!("Staff"))
    );
    assert_eq!(
        (&user["streetAddress"], &user["onPremisesExtensionAttributes"]["extensionAttribute3"]),
        (&json!("Way 1"), &json!("x"))
    );
    assert_eq!(tenant.delete(&format!("/v1.0/users/{id}")).0, 204);
    assert_eq!(tenant.get(&format!("/v1.0/users/{id}")).0, 404);
    let (_, bin) = tenant.get("/v1.0/directory/deletedItems/microsoft.graph.user?$select=id,deletedDateTime");
    assert!(
        bin["value"]
            .as_array()
            .unwrap()
            .iter()
            .any(|held| held["id"] == id && held["deletedDateTime"].is_string())
    );
    let (status, back) = tenant.post(&format!("/v1.0/directory/deletedItems/{id}/restore"), json!({}));
    assert_eq!((status, &back["userPrincipalName"]), (200, &json!("bo@contoso.com")));
    tenant.delete(&format!("/v1.0/users/{id}"));
    assert_eq!(tenant.delete(&format!("/v1.0/directory/deletedItems/{id}")).0, 204);
    assert_eq!(tenant.get(&format!("/v1.0/directory/deletedItems/{id}")).0, 404);
}

#[test]
fn users_that_cannot_be_made_or_changed() {
    let tenant = Tenant::new();
    let (_, synced) = tenant.find(|object| object.user().is_some() && object.is_dir_synced());
    let (status, body) = tenant.post("/v1.0/users", person("mark.taylor@contoso.com"));
    assert_eq!((status, code(&body)), (400, "Request_BadRequest"));
    assert_eq!(
        message(&body),
        "Another object with the same value for property userPrincipalName already exists."
    );
    assert_eq!(
        (&body["error"]["details"][0]["code"], &body["error"]["details"][0]["target"]),
        (&json!("ObjectConflict"), &json!("userPrincipalName"))
    );
    for (name, value) in [
        ("userPrincipalName", json!("bo@elsewhere.example")),
        ("userPrincipalName", json!("bo")),
        ("displayName", json!(null)),
        ("accountEnabled", json!("yes")),
        ("nosuch", json!(1)),
        ("proxyAddresses", json!(["smtp:x@contoso.com"])),
        ("passwordProfile", json!({"password": "short"})),
        ("mailNickname", json!("b o")),
        ("usageLocation", json!("Germany")),
    ] {
        let mut body = person("bo@contoso.com");
        body[name] = value;
        assert_eq!(tenant.post("/v1.0/users", body).0, 400, "{name}");
    }
    let id = tenant.upn("mark.taylor@contoso.com");
    for (target, body, text) in [
        (
            id,
            json!({"createdDateTime": "2026-01-01T00:00:00Z"}),
            "Property 'createdDateTime' is read-only and cannot be set.",
        ),
        (
            synced,
            json!({"jobTitle": "x"}),
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.",
        ),
        (
            id,
            json!({"mail": "x@contoso.com"}),
            "Unable to update the specified properties for objects that have originated within an external service.",
        ),
    ] {
        let (status, answer) = tenant.patch(&format!("/v1.0/users/{target}"), body);
        assert_eq!((status, message(&answer)), (400, text));
    }
    let (status, answer) =
        tenant.patch(&format!("/v1.0/users/{id}"), json!({"passwordProfile": {"password": "Sup3r!Secret"}}));
    assert_eq!((status, code(&answer)), (403, "Authorization_RequestDenied"));
    assert_eq!(tenant.patch(&format!("/v1.0/users/{synced}"), json!({"usageLocation": "DE"})).0, 204);
}

#[test]
fn managers_licences_and_sessions() {
    let tenant = Tenant::new();
    let (_, made) = tenant.post("/v1.0/users", person("bo@contoso.com"));
    let id = made["id"].as_str().unwrap().to_owned();
    let mark = tenant.upn("mark.taylor@contoso.com");
    let manager = format!("/v1.0/users/{id}/manager");
    assert_eq!(tenant.get(&manager).0, 404);
    let put = tenant.send(
        http::Method::PUT,
        &format!("{manager}/$ref"),
        &[],
        Some(json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/users/{mark}")})),
    );
    assert_eq!(put.status, 204);
    assert_eq!(tenant.get(&manager).1["id"], mark.to_string());
    let (_, expanded) =
        tenant.get(&format!("/v1.0/users/{id}?$expand=manager($select=id,displayName)&$select=id"));
    assert_eq!(expanded["manager"]["displayName"], "Mark Taylor");
    assert_eq!(tenant.delete(&format!("{manager}/$ref")).0, 204);
    assert_eq!(tenant.get(&manager).0, 404);
    let licence = json!({"addLicenses": [{"disabledPlans": [], "skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965"}], "removeLicenses": []});
    let target = format!("/v1.0/users/{id}/assignLicense");
    assert_eq!(
        message(&tenant.post(&target, licence.clone()).1),
        "License assignment cannot be done for user with invalid usage location."
    );
    assert_eq!(tenant.post(&target, json!({"addLicenses": []})).0, 400);
    tenant.patch(&format!("/v1.0/users/{id}"), json!({"usageLocation": "DE"}));
    assert_eq!(tenant.post(&target, licence).0, 200);
    tenant.world.run_due();
    let (_, user) = tenant.get(&format!("/v1.0/users/{id}?$select=assignedLicenses,mail,proxyAddresses"));
    assert_eq!(user["assignedLicenses"][0]["skuId"], "05e9a617-0261-4cee-bb44-138d3ef5d965");
    assert_eq!(user["mail"], "bo@contoso.com", "the licence brought a mailbox: {user}");
    let (status, answer) = tenant.post(&format!("/v1.0/users/{id}/revokeSignInSessions"), json!({}));
    assert_eq!((status, &answer["value"]), (200, &json!(true)));
}

#[test]
fn groups_by_kind() {
    let tenant = Tenant::new();
    let (status, unified) = tenant.post("/v1.0/groups", json!({"displayName": "Team X", "mailNickname": "teamx", "mailEnabled": true, "securityEnabled": false, "groupTypes": ["Unified"]}));
    assert_eq!((status, &unified["mail"]), (201, &json!("teamx@contoso.com")), "{unified}");
    let (status, again) = tenant.post("/v1.0/groups", json!({"displayName": "Team X", "mailNickname": "teamx", "mailEnabled": true, "securityEnabled": false, "groupTypes": ["Unified"]}));
    assert_eq!((status, &again["error"]["details"][0]["target"]), (400, &json!("mailNickname")));
    for (mail, security) in [(true, true), (true, false)] {
        let (status, body) = tenant.post("/v1.0/groups", json!({"displayName": "L", "mailNickname": "l", "mailEnabled": mail, "securityEnabled": security}));
        assert_eq!(
            (status, message(&body)),
            (
                400,
                "The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is unset and the security-enablement property is set."
            )
        );
    }
    assert_eq!(tenant.post("/v1.0/groups", json!({"displayName": "D", "mailNickname": "d", "mailEnabled": false, "securityEnabled": true, "groupTypes": ["DynamicMembership"]})).0, 400);
    let (status, dynamic) = tenant.post("/v1.0/groups", json!({"displayName": "D", "mailNickname": "d", "mailEnabled": false, "securityEnabled": true, "groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq \"IT\""}));
    assert_eq!((status, &dynamic["membershipRuleProcessingState"]), (201, &json!("On")), "{dynamic}");
    let mark = tenant.upn("mark.taylor@contoso.com");
    assert_eq!(
        tenant
            .post(&format!("/v1.0/groups/{}/members/$ref", dynamic["id"].as_str().unwrap()), reference(mark))
            .0,
        400
    );
    // A Microsoft 365 group goes to the bin and comes back.
    let id = unified["id"].as_str().unwrap();
    assert_eq!(tenant.patch(&format!("/v1.0/groups/{id}"), json!({"description": "d"})).0, 204);
    assert_eq!(tenant.delete(&format!("/v1.0/groups/{id}")).0, 204);
    assert_eq!(
        tenant.post(&format!("/v1.0/directory/deletedItems/{id}/restore"), json!({})).1["description"],
        "d"
    );
    // A synchronised one is gone at once.
    let (_, synced) = tenant.find(|object| {
        object.is_dir_synced()
            && object
                .group()
                .is_some_and(|group| group.kind == GroupKind::Security && !group.assignable_to_role)
    });
    assert_eq!(tenant.delete(&format!("/v1.0/groups/{synced}")).0, 204);
    assert_eq!(tenant.get(&format!("/v1.0/directory/deletedItems/{synced}")).0, 404);
}

#[test]
fn mail_groups_refuse_every_write() {
    let tenant = Tenant::new();
    let mark = tenant.upn("mark.taylor@contoso.com");
    for group in [GroupKind::Distribution, GroupKind::MailEnabledSecurity] {
        let (_, id) = tenant.find(kind(group));
        let text = "Cannot Update a mail-enabled security groups and or distribution list.";
        for (status, body) in [
            tenant.post(&format!("/v1.0/groups/{id}/members/$ref"), reference(mark)),
            tenant.post(&format!("/v1.0/groups/{id}/owners/$ref"), reference(mark)),
            tenant.patch(&format!("/v1.0/groups/{id}"), json!({"displayName": "x"})),
            tenant.patch(&format!("/v1.0/groups/{id}"), json!({"members@odata.bind": [format!("https://graph.microsoft.com/v1.0/directoryObjects/{mark}")]})),
            tenant.delete(&format!("/v1.0/groups/{id}/members/{mark}/$ref")),
        ] {
            assert_eq!((status, code(&body), message(&body)), (400, "Request_BadRequest", text));
        }
        assert_eq!(tenant.delete(&format!("/v1.0/groups/{id}")).0, 400);
    }
}

#[test]
fn members_are_added_once_and_removed_once() {
    let tenant = Tenant::new();
    let (_, made) = tenant.post(
        "/v1.0/groups",
        json!({"displayName": "G", "mailNickname": "g", "mailEnabled": false, "securityEnabled": true}),
    );
    let id = made["id"].as_str().unwrap().to_owned();
    let mark = tenant.upn("mark.taylor@contoso.com");
    let target = format!("/v1.0/groups/{id}/members/$ref");
    assert_eq!(tenant.post(&target, reference(mark)).0, 204);
    let (status, body) = tenant.post(&target, reference(mark));
    assert_eq!(
        (status, message(&body)),
        (
            400,
            "One or more added object references already exist for the following modified properties: 'members'."
        )
    );
    assert_eq!(tenant.post(&target, reference("11111111-1111-1111-1111-111111111111")).0, 404);
    let remove = format!("/v1.0/groups/{id}/members/{mark}/$ref");
    assert_eq!(tenant.delete(&remove).0, 204);
    assert_eq!(
        (tenant.delete(&remove).0, code(&tenant.delete(&remove).1)),
        (404, "Request_ResourceNotFound")
    );
    // Bound lists: at most twenty, all or nothing.
    let users: Vec<String> = tenant
        .all("/v1.0/users?$select=id&$top=999", &[])
        .0
        .iter()
        .take(21)
        .map(|user| {
            format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", user["id"].as_str().unwrap())
        })
        .collect();
    let group = format!("/v1.0/groups/{id}");
    assert_eq!(tenant.patch(&group, json!({"members@odata.bind": users})).0, 400);
    assert_eq!(tenant.patch(&group, json!({"members@odata.bind": users[..5]})).0, 204);
    assert_eq!(tenant.patch(&group, json!({"members@odata.bind": users[4..9]})).0, 400);
    assert_eq!(tenant.all(&format!("{group}/members"), &[]).0.len(), 5);
}

#[test]
fn the_last_owner_of_a_microsoft_365_group_stays() {
    let tenant = Tenant::new();
    let (_, made) = tenant.post("/v1.0/groups", json!({"displayName": "T", "mailNickname": "tt", "mailEnabled": true, "securityEnabled": false, "groupTypes": ["Unified"]}));
    let id = made["id"].as_str().unwrap();
    let mark = tenant.upn("mark.taylor@contoso.com");
    let owners = format!("/v1.0/groups/{id}/owners");
    assert_eq!(tenant.post(&format!("{owners}/$ref"), reference(mark)).0, 204);
    assert_eq!(tenant.all(&owners, &[]).0.len(), 1);
    assert_eq!(tenant.delete(&format!("{owners}/{mark}/$ref")).0, 400);
}

#[test]
fn writes_show_after_the_delay_only() {
    let tenant = Tenant::with(&ALL, |scenario| scenario.visibility.graph_seconds = 30.0, |_| {});
    let (status, made) = tenant.post("/v1.0/users", person("bo@contoso.com"));
    assert_eq!(status, 201);
    let target = format!("/v1.0/users/{}", made["id"].as_str().unwrap());
    assert_eq!(tenant.get(&target).0, 404, "a fresh object is not there yet");
    assert_eq!(tenant.patch(&target, json!({"jobTitle": "x"})).0, 204, "writes see it");
    tenant.world.clock.advance(Duration::from_secs(31));
    assert_eq!(tenant.get(&format!("{target}?$select=jobTitle")).1["jobTitle"], "x");
}

#[test]
fn unknown_methods_and_bodies() {
    let tenant = Tenant::new();
    let (status, body) = tenant.post("/v1.0/organization", json!({}));
    assert_eq!(
        (status, message(&body)),
        (405, "Specified HTTP method is not allowed for the request target.")
    );
    let reply = tenant.send(http::Method::POST, "/v1.0/users", &[], None);
    assert_eq!(reply.status, 400);
    let reply = tenant.send(http::Method::POST, "/v1.0/users", &[], Some(json!([1])));
    assert_eq!(reply.status, 400);
}

#[test]
fn dynamic_groups_follow_their_rule() {
    let tenant = Tenant::new();
    let (_, made) = tenant.post("/v1.0/users", person("bo@contoso.com"));
    let bo = made["id"].as_str().unwrap().to_owned();
    tenant.patch(&format!("/v1.0/users/{bo}"), json!({"department": "Bakery"}));
    let (status, group) = tenant.post("/v1.0/groups", json!({"displayName": "D", "mailNickname": "d", "mailEnabled": false, "securityEnabled": true, "groupTypes": ["DynamicMembership"], "membershipRule": "user.department -eq \"Bakery\""}));
    assert_eq!(status, 201, "{group}");
    let members = format!("/v1.0/groups/{}/members?$select=id", group["id"].as_str().unwrap());
    let ids = || -> Vec<String> {
        tenant.all(&members, &[]).0.iter().map(|member| member["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(), std::slice::from_ref(&bo));
    tenant.patch(&format!("/v1.0/users/{bo}"), json!({"department": "Kitchen"}));
    assert_eq!(ids(), Vec::<String>::new());
    let target = format!("/v1.0/groups/{}", group["id"].as_str().unwrap());
    assert_eq!(
        tenant.patch(&target, json!({"membershipRule": "user.department -startsWith \"kit\""})).0,
        204
    );
    assert_eq!(ids(), [bo]);
}
