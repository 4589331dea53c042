//! Requests of every kind get an answer of the service, never a panic or a failure of ours.

use std::sync::OnceLock;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Tenant, block, json as body_of};

/// One tenant for all cases: making one costs more than a thousand requests.
fn tenant() -> &'static Tenant {
    static TENANT: OnceLock<Tenant> = OnceLock::new();
    TENANT.get_or_init(Tenant::new)
}

fn words(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(choices).prop_map(str::to_owned),
        1 => "[ -~]{0,12}".prop_map(|text| text.replace(['?', '#'], "")),
    ]
}

const SEGMENTS: &[&str] = &[
    "users",
    "groups",
    "contacts",
    "me",
    "delta",
    "delta()",
    "$count",
    "$ref",
    "members",
    "owners",
    "memberOf",
    "manager",
    "directory",
    "deletedItems",
    "microsoft.graph.user",
    "directoryObjects",
    "getByIds",
    "organization",
    "assignLicense",
    "servicePrincipals(appId='x')",
    "servicePrincipals",
    "appRoleAssignments",
    "oauth2PermissionGrants",
    "myorganization",
    "microsoft.graph.directoryRole",
    "auditLogs",
    "directoryAudits",
    "displayName",
    "$value",
    "messages",
    "sites",
    "users('a')",
    "mark.taylor@contoso.com",
    "restore",
    "$batch",
    "()",
    "('')",
    "%",
    "",
];
const OPTIONS: &[&str] = &[
    "$select=id",
    "$select=",
    "$top=5",
    "$top=",
    "$filter=id eq 'x'",
    "$filter=not(",
    "$search=\"a:b\"",
    "$orderby=displayName",
    "$orderby=,",
    "$expand=members(",
    "$expand=manager($select=id)",
    "$count=true",
    "$skiptoken=AAAA",
    "$deltatoken=latest",
    "$deltatoken=AAAA",
    "$format=json",
    "$levels=9",
];

fn body() -> impl Strategy<Value = Option<Value>> {
    let odd = prop_oneof![
        Just(json!(null)),
        Just(json!([])),
        Just(json!("x")),
        Just(json!(1)),
        Just(json!({})),
        Just(json!([1, {"skuId": 3}])),
        Just(json!({"password": 5})),
        Just(json!("https://graph.microsoft.com/v1.0/directoryObjects/x")),
    ];
    let name = proptest::sample::select(vec![
        "@odata.id",
        "displayName",
        "accountEnabled",
        "passwordProfile",
        "mailNickname",
        "userPrincipalName",
        "groupTypes",
        "mailEnabled",
        "securityEnabled",
        "members@odata.bind",
        "addLicenses",
        "removeLicenses",
        "ids",
        "types",
        "requests",
        "businessPhones",
        "membershipRule",
        "onPremisesExtensionAttributes",
        "extension_x_y",
        "employeeHireDate",
    ]);
    proptest::option::of(
        proptest::collection::vec((name, odd), 0..5)
            .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_directory_answers_whatever_is_asked(
        method in proptest::sample::select(vec![Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE]),
        path in proptest::collection::vec(words(SEGMENTS), 0..5),
        query in proptest::collection::vec(words(OPTIONS), 0..4),
        eventual in any::<bool>(),
        body in body(),
    ) {
        let target = format!("/v1.0/{}?{}", path.join("/"), query.join("&"));
        let headers: &[(&str, &str)] = if eventual { &[("consistencylevel", "eventual")] } else { &[] };
        let reply = tenant().send(method, &target, headers, body);
        let status = reply.status.as_u16();
        prop_assert!(matches!(status, 200..=204 | 400 | 403 | 404 | 405 | 410 | 415 | 501), "{target}: {status}");
        if status >= 400 {
            let answer = body_of(&reply);
            prop_assert!(answer["error"]["code"].is_string() && answer["error"]["message"].is_string(), "{target}: {answer}");
        }
    }

    #[test]
    fn the_sign_in_service_answers_whatever_is_sent(
        path in proptest::sample::select(vec!["common", "contoso.com", "x y", "%00", "organizations"]),
        fields in proptest::collection::vec(
            (
                proptest::sample::select(vec!["grant_type", "client_id", "scope", "client_secret", "client_assertion", "client_assertion_type", "username", "password", "refresh_token", "resource", "device_code", "code", "code_verifier", "redirect_uri"]),
                words(&["client_credentials", "password", "refresh_token", "authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "14d82eec-204b-4c2f-b7e8-296a70dab67e", "0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701", "https://graph.microsoft.com/.default", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "a.b.c", "e30.e30.AA", "1.e30"]),
            ),
            0..7,
        ),
    ) {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, body) = tenant().form(&format!("/{path}/oauth2/v2.0/token"), &fields);
        prop_assert!(matches!(status, 400 | 401), "{status} {body}");
        prop_assert!(body["error_description"].as_str().is_some_and(|text| text.starts_with("AADSTS")), "{body}");
    }

    #[test]
    fn the_feed_answers_whatever_is_asked(
        rest in proptest::collection::vec(words(&["subscriptions", "content", "start", "stop", "list", "audit", "a$b", ""]), 0..3),
        query in proptest::collection::vec(words(&["contentType=Audit.Exchange", "startTime=2026-11-24", "endTime=x", "nextPage=9999999999999999999", "PublisherIdentifier="]), 0..4),
    ) {
        let tenant = tenant();
        static TOKEN: OnceLock<String> = OnceLock::new();
        let token = TOKEN.get_or_init(|| tenant.token_for("https://manage.office.com"));
        let target = format!("/api/v1.0/{}/activity/feed/{}?{}", tenant.tenant_id(), rest.join("/"), query.join("&"));
        let value = http::HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        let request = tenant.request(Method::GET, "manage.office.com", &target).with_header(http::header::AUTHORIZATION, value);
        let reply = block(exogate_sim::activity::handle(&tenant.world, request));
        prop_assert!(matches!(reply.status.as_u16(), 200 | 400 | 401 | 403 | 404 | 405), "{target}: {}", reply.status);
    }
}
