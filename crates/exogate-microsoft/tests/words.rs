//! What people read: the sentence and remedy of every refusal and of every kind of error.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exogate_microsoft::cloud::{Cloud, CloudError, EndpointOverrides, Endpoints, Resource};
use exogate_microsoft::error::{ErrorKind, Service, WireError};
use exogate_microsoft::signin::AadError;
use proptest::prelude::*;

fn refusal(status: u16, error: &str, code: u32, text: &str) -> AadError {
    let body = format!(
        r#"{{"error":"{error}","error_description":"AADSTS{code}: {text} Trace ID: 5a9c Correlation ID: 9e2f Timestamp: 2026-11-23 03:40:12Z","error_codes":[{code}],"trace_id":"5a9c","suberror":"basic_action"}}"#
    );
    AadError::parse(status, body.as_bytes()).unwrap()
}

/// Every code of the token service's documented errors: status, OAuth error, what the sentence and the remedy must name.
const CODES: &[(u32, u16, &str, &str, &str)] = &[
    (700027, 401, "invalid_client", "does not know the certificate", "Upload the certificate"),
    (700024, 401, "invalid_client", "time of validity", "clock"),
    (50027, 401, "invalid_client", "malformed", "cloud"),
    (50012, 401, "invalid_client", "wrong audience or signature", "cloud"),
    (7000215, 401, "invalid_client", "client secret is wrong", "value, not its id"),
    (7000222, 401, "invalid_client", "secret has expired", "new client secret"),
    (7000216, 400, "invalid_request", "prove itself", "Configure a certificate"),
    (7000218, 401, "invalid_client", "prove itself", "public client flows"),
    (700025, 401, "invalid_client", "public client", "Remove the secret"),
    (7000112, 400, "unauthorized_client", "disabled in this tenant", "Enable the application"),
    (700016, 400, "unauthorized_client", "does not know the application", "client id and tenant"),
    (90002, 400, "invalid_request", "does not exist in this cloud", "tenant id and the cloud"),
    (900023, 400, "invalid_request", "neither an id nor a domain", "GUID"),
    (900144, 400, "invalid_request", "lacks a parameter", "client id"),
    (70011, 400, "invalid_scope", "scope is not valid", "cloud of the tenant"),
    (1002012, 400, "invalid_scope", "scope is not valid", "cloud of the tenant"),
    (500011, 400, "invalid_resource", "not present in the tenant", "service principal"),
    (65001, 400, "invalid_grant", "consent", "admin consent"),
    (50126, 400, "invalid_grant", "password is wrong", "Check user name"),
    (50034, 400, "invalid_grant", "user does not exist", "Check user name"),
    (50053, 400, "invalid_grant", "locked out", "lockout"),
    (50055, 400, "invalid_grant", "password has expired", "new password"),
    (50056, 400, "invalid_grant", "no password", "Check user name"),
    (50057, 400, "invalid_grant", "account is disabled", "Enable the account"),
    (50076, 400, "invalid_grant", "multi-factor", "certificate instead"),
    (50079, 400, "invalid_grant", "multi-factor", "certificate instead"),
    (53003, 400, "invalid_grant", "Conditional Access", "Exclude"),
    (50196, 400, "invalid_grant", "loop", "Wait"),
    (90033, 503, "temporarily_unavailable", "temporarily unavailable", "Try again"),
    (90024, 400, "temporarily_unavailable", "temporarily unavailable", "Try again"),
    (90055, 429, "temporarily_unavailable", "throttled", "Try again"),
    (50049, 400, "invalid_instance", "not one this cloud knows", "login host"),
    (9001023, 400, "invalid_request", "must name the tenant", "common"),
    (70021, 400, "invalid_request", "federated credential", "case matters"),
    (700211, 401, "invalid_client", "federated credential", "case matters"),
    (700213, 401, "invalid_client", "federated credential", "case matters"),
    (7002137, 401, "invalid_client", "federated credential", "case matters"),
    (7002138, 401, "invalid_client", "federated credential", "case matters"),
    (700229, 401, "invalid_client", "federated credential", "case matters"),
    (700021, 401, "invalid_client", "name the application", "client id"),
    (700023, 401, "invalid_client", "name the application", "client id"),
    (50001, 400, "invalid_resource", "not present in the tenant", "service principal"),
];

#[test]
fn every_documented_refusal_has_its_sentence_and_remedy() {
    for &(code, status, error, sentence, remedy) in CODES {
        let aad = refusal(status, error, code, "Microsoft's own words.");
        assert!(aad.sentence().contains(sentence), "{code}: {}", aad.sentence());
        assert!(aad.sentence().ends_with(&format!("(AADSTS{code})")), "{code}: {}", aad.sentence());
        assert!(aad.remedy().contains(remedy), "{code}: {}", aad.remedy());
        assert_eq!(aad.is_transient(), matches!(code, 90033 | 90024 | 90055), "{code}");
    }
}

#[test]
fn an_unknown_refusal_keeps_microsofts_words_without_the_trace() {
    let aad = refusal(400, "invalid_grant", 999_999, "Something new.\\r\\nIt has lines.");
    assert_eq!(aad.sentence(), "the sign-in was refused (AADSTS999999): Something new. It has lines.");
    assert_eq!(aad.description, "Something new. It has lines.");
    assert_eq!((aad.trace_id.as_deref(), aad.suberror.as_deref()), (Some("5a9c"), Some("basic_action")));
    assert!(aad.remedy().contains("certificate"));
    let bare = AadError::parse(400, br#"{"error":"new_error"}"#).unwrap();
    assert_eq!((bare.sentence().as_str(), bare.code), ("the sign-in was refused", 0));
    assert!(bare.remedy().contains("sign-in log"));
}

#[test]
fn a_code_is_found_in_the_words_where_the_list_lacks_it() {
    let aad =
        AadError::parse(400, br#"{"error":"x","error_description":"AADSTS90002: Tenant 'y' not found."}"#)
            .unwrap();
    assert_eq!((aad.code, aad.description.as_str()), (90002, "Tenant 'y' not found."));
}

#[test]
fn managed_identity_refusals_are_told_as_such() {
    let none =
        AadError::parse(400, br#"{"error":"invalid_request","error_description":"Identity not found"}"#)
            .unwrap();
    assert!(
        none.sentence().contains("no managed identity")
            && none.remedy().contains("managed identity is assigned")
    );
    assert!(!none.is_transient());
    let updating =
        AadError::parse(410, br#"{"error":"unknown_source","error_description":"updating"}"#).unwrap();
    assert!(updating.is_transient());
    let app_service =
        AadError::parse(500, br#"{"statusCode":500,"message":"no","correlationId":"1"}"#).unwrap();
    assert!(app_service.is_transient() && app_service.remedy().contains("managed identity"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_of_a_refusal_panics(status in 200..600_u16, body in proptest::collection::vec(any::<u8>(), 0..80), text in ".{0,40}") {
        let _ = AadError::parse(status, &body);
        let json = serde_json::json!({ "error": "e", "error_description": format!("AADSTS{text}") }).to_string();
        let aad = AadError::parse(status, json.as_bytes()).unwrap();
        prop_assert!(!aad.sentence().contains('\n'));
        prop_assert!(aad.remedy().ends_with('.'));
    }
}

#[test]
fn every_kind_of_error_is_one_sentence_with_a_remedy() {
    use ErrorKind as K;
    let kinds = [
        K::SignIn(refusal(401, "invalid_client", 7000215, "x")),
        K::Unauthorized,
        K::Forbidden,
        K::NotFound,
        K::Ambiguous,
        K::AlreadyExists,
        K::AlreadyMember,
        K::NotMember,
        K::NotGroupManager,
        K::DirectorySynced,
        K::AddressInUse,
        K::LimitReached,
        K::InvalidRequest,
        K::Refused,
        K::PageExpired,
        K::DeltaReset { location: None },
        K::Throttled,
        K::Transient,
        K::Unreachable,
        K::NotTrusted,
        K::NotMicrosoft,
        K::LostAnswer,
        K::WrongHost,
        K::Protocol,
    ];
    let mut sentences = std::collections::HashSet::new();
    for kind in kinds {
        for service in [Service::SignIn, Service::Graph, Service::Exchange, Service::Activity] {
            let error = WireError::new(kind.clone(), service, "Get-Mailbox");
            let (sentence, remedy) = (error.to_string(), error.remedy());
            assert!(sentence.starts_with("Get-Mailbox: ") && sentence.len() > 25, "{sentence}");
            assert!(!sentence.contains('\n') && !sentence.ends_with('.'), "{sentence}");
            assert!(remedy.ends_with('.') && remedy.len() > 15, "{kind:?}: {remedy}");
            if service == Service::Exchange {
                assert!(sentences.insert(sentence.clone()), "said of two kinds: {sentence}");
            }
        }
    }
}

#[test]
fn an_error_tells_status_and_the_services_own_words_once() {
    let error = WireError::new(ErrorKind::NotFound, Service::Exchange, "Get-Mailbox")
        .with_status(404_u16)
        .with_code("Ex6F9304")
        .with_message(" The object couldn't be found. ");
    assert_eq!(
        error.to_string(),
        "Get-Mailbox: the object was not found (HTTP 404): The object couldn't be found."
    );
    let own =
        error.with_sentence("mailbox 'x' does not exist").with_remedy("Ask for another.").with_message("  ");
    assert_eq!(own.to_string(), "Get-Mailbox: mailbox 'x' does not exist (HTTP 404)");
    assert_eq!(own.remedy(), "Ask for another.");
    assert!(std::error::Error::source(&own).is_none());
}

#[test]
fn clouds_have_their_hosts_and_resources() {
    let cases = [
        (
            Cloud::Public,
            ["login.microsoftonline.com", "graph.microsoft.com", "outlook.office365.com"],
            Some("manage.office.com"),
        ),
        (
            Cloud::GccHigh,
            ["login.microsoftonline.us", "graph.microsoft.us", "outlook.office365.us"],
            Some("manage.office365.us"),
        ),
        (
            Cloud::DoD,
            ["login.microsoftonline.us", "dod-graph.microsoft.us", "outlook-dod.office365.us"],
            Some("manage.protection.apps.mil"),
        ),
        (
            Cloud::China,
            ["login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn", "outlook.office365.cn"],
            None,
        ),
    ];
    for (cloud, [login, graph, exchange], activity) in cases {
        let found = Endpoints::new(cloud, &EndpointOverrides::default()).unwrap();
        let hosts =
            [&found.login, &found.graph, &found.exchange].map(|url| url.host_str().unwrap().to_owned());
        assert_eq!(hosts, [login, graph, exchange]);
        assert_eq!(found.activity.as_ref().and_then(|url| url.host_str()), activity);
        assert_eq!(found.resource(Resource::Graph), Some(format!("https://{graph}").as_str()));
        assert_eq!(found.resource(Resource::Exchange), Some(format!("https://{exchange}").as_str()));
        assert_eq!(
            found.resource(Resource::Activity),
            activity.map(|host| format!("https://{host}")).as_deref()
        );
        assert_eq!(cloud.name().to_uppercase().parse(), Ok(cloud));
    }
    assert_eq!("azure".parse::<Cloud>(), Err(CloudError::Unknown("azure".to_owned())));
}

#[test]
fn an_own_host_changes_the_address_and_not_the_resource() {
    let url = |text: &str| Some(text.parse().unwrap());
    let overrides =
        EndpointOverrides { graph: url("https://127.0.0.1:8443/"), ..EndpointOverrides::default() };
    let found = Endpoints::new(Cloud::GccHigh, &overrides).unwrap();
    assert_eq!(
        (found.graph.as_str(), found.graph_resource.as_str()),
        ("https://127.0.0.1:8443/", "https://graph.microsoft.us")
    );
    assert_eq!(found.exchange.as_str(), "https://outlook.office365.us/");

    let overrides = EndpointOverrides { graph_resource: Some("https://own/".to_owned()), ..overrides };
    assert_eq!(Endpoints::new(Cloud::Public, &overrides).unwrap().graph_resource, "https://own");
}

#[test]
fn a_custom_cloud_needs_its_addresses_and_every_address_must_be_an_origin() {
    let url = |text: &str| Some(text.parse().unwrap());
    let mut overrides = EndpointOverrides {
        login: url("https://login.sovcloud-identity.fr"),
        graph: url("https://graph.svc.sovcloud.fr"),
        ..EndpointOverrides::default()
    };
    assert_eq!(Endpoints::new(Cloud::Custom, &overrides), Err(CloudError::Missing("exchange")));
    overrides.exchange = url("https://exchange.example");
    let found = Endpoints::new(Cloud::Custom, &overrides).unwrap();
    assert_eq!((found.exchange_resource.as_str(), found.activity), ("https://exchange.example", None));

    for bad in [
        "http://graph.example/",
        "https://user@graph.example/",
        "https://graph.example/?x=1",
        "ftp://graph.example",
    ] {
        overrides.graph = url(bad);
        let refused = Endpoints::new(Cloud::Custom, &overrides);
        assert!(matches!(refused, Err(CloudError::NotAnOrigin { which: "graph", .. })), "{bad}");
    }
    overrides.graph = url("http://127.0.0.1:8080/");
    assert!(Endpoints::new(Cloud::Custom, &overrides).is_ok(), "plain HTTP stays on this machine");
}
