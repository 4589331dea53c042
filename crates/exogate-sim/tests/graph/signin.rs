//! The sign-in service: grants, assertions in every spelling, refusals, documents, managed identities.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use exogate_sim::state::{AppCertificate, AppKind};
use exogate_sim::token;
use exogate_sim::token::error::TABLE;
use http::{HeaderName, HeaderValue, Method};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha1::Digest as _;

use crate::support::{NOW, SECRET, Tenant, block, json as body_of};

const KEY: &[u8] = include_bytes!("fixtures/connector.key.der");
const CERTIFICATE: &[u8] = include_bytes!("fixtures/connector.cer");
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn with_certificate() -> Tenant {
    Tenant::with(
        &crate::support::ALL,
        |_| {},
        |state| {
            let certificate = AppCertificate::from_der(CERTIFICATE).unwrap();
            state.apps.last_mut().unwrap().certificates.push(certificate);
        },
    )
}

fn assertion(header: &Value, claims: &Value) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = RsaKeyPair::from_pkcs8(KEY).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let algorithm: &'static dyn ring::signature::RsaEncoding =
        if header["alg"] == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
    key.sign(algorithm, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn good_header() -> Value {
    json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(CERTIFICATE))})
}

fn good_claims(tenant: &Tenant) -> Value {
    json!({
        "aud": format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", tenant.tenant_id()),
        "iss": tenant.app, "sub": tenant.app, "jti": "1", "iat": NOW, "nbf": NOW, "exp": NOW + 600,
    })
}

fn sign_in(tenant: &Tenant, header: &Value, claims: &Value) -> (u16, Value) {
    tenant.form(
        &format!("/{}/oauth2/v2.0/token?client-request-id=x", tenant.tenant_id()),
        &[
            ("client_id", &tenant.app.to_string()),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &assertion(header, claims)),
            ("grant_type", "client_credentials"),
        ],
    )
}

fn claims_of(answer: &Value) -> Value {
    let token = answer["access_token"].as_str().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[test]
fn assertions_in_every_spelling_are_accepted() {
    let tenant = with_certificate();
    let sha1 = sha1::Sha1::digest(CERTIFICATE);
    let sha256 = sha2::Sha256::digest(CERTIFICATE);
    let headers = [
        good_header(),
        json!({"alg": "RS256", "typ": "JWT", "x5t": URL_SAFE_NO_PAD.encode(sha1)}),
        json!({"alg": "RS256", "typ": "JWT", "x5t": STANDARD.encode(sha1), "x5c": [STANDARD.encode(CERTIFICATE)]}),
        json!({"alg": "RS256", "typ": "JWT", "x5c": [STANDARD.encode(CERTIFICATE)]}),
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": STANDARD.encode(sha256)}),
    ];
    for header in headers {
        let (status, body) = sign_in(&tenant, &header, &good_claims(&tenant));
        assert_eq!(status, 200, "{header}: {body}");
        assert_eq!(claims_of(&body)["appidacr"], "2");
    }
    for (nbf, exp) in [
        (json!(NOW), json!(NOW + 600)),
        (json!(NOW.to_string()), json!((NOW + 600).to_string())),
        (json!(NOW as f64 + 0.5), json!(NOW as f64 + 600.25)),
    ] {
        let mut claims = good_claims(&tenant);
        claims["nbf"] = nbf;
        claims["exp"] = exp;
        assert_eq!(sign_in(&tenant, &good_header(), &claims).0, 200, "{claims}");
    }
    for audience in [
        format!("https://login.microsoftonline.com/{}/v2.0", tenant.tenant_id()),
        "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token".to_owned(),
    ] {
        let mut claims = good_claims(&tenant);
        claims["aud"] = audience.into();
        assert_eq!(sign_in(&tenant, &good_header(), &claims).0, 200, "{claims}");
    }
}

#[test]
fn bad_assertions_get_their_codes() {
    let tenant = with_certificate();
    let claims = |key: &str, value: Value| {
        let mut claims = good_claims(&tenant);
        claims[key] = value;
        claims
    };
    let unknown = json!({"alg": "PS256", "x5t#S256": URL_SAFE_NO_PAD.encode([7; 32])});
    for (code, header, claims) in [
        (700027, unknown, good_claims(&tenant)),
        (50027, json!({"alg": "none"}), good_claims(&tenant)),
        (700021, good_header(), claims("iss", "other".into())),
        (700022, good_header(), claims("sub", "other".into())),
        (700023, good_header(), claims("aud", "https://elsewhere.test/".into())),
        (700024, good_header(), claims("exp", json!(NOW - 4000))),
        (700024, good_header(), claims("nbf", json!(NOW + 4000))),
    ] {
        let (status, body) = sign_in(&tenant, &header, &claims);
        assert_eq!((status, &body["error_codes"]), (401, &json!([code])), "{body}");
        assert_eq!(body["error"], "invalid_client");
    }
    // A signature by another algorithm than the header says.
    let header = json!({"alg": "RS256", "x5t#S256": good_header()["x5t#S256"]});
    let honest = assertion(&good_header(), &good_claims(&tenant));
    let forged =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), honest.split_once('.').unwrap().1);
    let (_, body) = tenant.form(
        &format!("/{}/oauth2/v2.0/token", tenant.tenant_id()),
        &[
            ("client_id", &tenant.app.to_string()),
            ("scope", "https://graph.microsoft.com/.default"),
            ("client_assertion_type", JWT_BEARER),
            ("client_assertion", &forged),
            ("grant_type", "client_credentials"),
        ],
    );
    assert_eq!(body["error_codes"], json!([700027]));
    // The certificate ends.
    tenant.world.clock.advance(std::time::Duration::from_secs(12 * 365 * 86_400));
    let later = tenant.world.now().seconds();
    let mut claims = good_claims(&tenant);
    claims["nbf"] = later.into();
    claims["exp"] = (later + 600).into();
    let (_, body) = sign_in(&tenant, &good_header(), &claims);
    assert_eq!(body["error_codes"], json!([700027]));
    assert!(body["error_description"].as_str().unwrap().contains("The key used is expired."), "{body}");
}

#[test]
fn secrets_in_body_and_in_basic() {
    let tenant = Tenant::new();
    let path = format!("/{}/oauth2/v2.0/token", tenant.tenant_id());
    let fields = [
        ("client_id", tenant.app.to_string()),
        ("client_secret", SECRET.to_owned()),
        ("grant_type", "client_credentials".to_owned()),
        ("scope", "https://graph.microsoft.com/.default".to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, body) = tenant.form(&path, &fields);
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["expires_in"], &body["ext_expires_in"]), (&json!(3599), &json!(3599)));
    assert!(
        body.get("refresh_token").is_none() && body.get("scope").is_none() && body.get("id_token").is_none()
    );
    let claims = claims_of(&body);
    assert_eq!(claims["aud"], "https://graph.microsoft.com");
    assert_eq!(claims["iss"], format!("https://sts.windows.net/{}/", tenant.tenant_id()));
    assert_eq!(
        (&claims["appidacr"], &claims["idtyp"], &claims["ver"]),
        (&json!("1"), &json!("app"), &json!("1.0"))
    );
    assert_eq!(claims["oid"], claims["sub"]);
    assert_eq!(claims["app_displayname"], "connector");
    assert!(claims["roles"].as_array().unwrap().contains(&json!("User.Read.All")));
    assert!(claims["wids"].as_array().unwrap().contains(&json!("29232cdf-9323-42fd-ade2-1d097af3e4de")));
    // Basic, url-encoded; the tenant by its domain.
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = STANDARD.encode(format!("{}:{}", encode(&tenant.app.to_string()), encode(SECRET)));
    let request = tenant
        .request(Method::POST, "login.microsoftonline.com", "/contoso.com/oauth2/v2.0/token")
        .with_header(http::header::AUTHORIZATION, HeaderValue::try_from(format!("Basic {basic}")).unwrap())
        .with_body("grant_type=client_credentials&scope=https%3A%2F%2Foutlook.office365.com%2F.default");
    let reply = block(token::handle(&tenant.world, request));
    assert_eq!(reply.status, 200);
    assert_eq!(claims_of(&body_of(&reply))["aud"], "https://outlook.office365.com");
    assert_eq!(reply.headers["cache-control"], "no-store, no-cache");
    // The v1 endpoint speaks in strings.
    let mut v1 = fields.clone();
    v1.pop();
    v1.push(("resource", "https://manage.office.com"));
    let (status, body) = tenant.form(&format!("/{}/oauth2/token", tenant.tenant_id()), &v1);
    assert_eq!((status, &body["expires_in"]), (200, &json!("3599")), "{body}");
    assert_eq!(body["resource"], "https://manage.office.com");
}

#[test]
fn refusals_carry_seven_fields_and_the_right_status() {
    let tenant = Tenant::with(
        &crate::support::ALL,
        |_| {},
        |state| {
            let mut expired = state.apps.last().unwrap().clone();
            expired.client_id = uuid::Uuid::from_u128(0xe);
            expired.secrets[0].expires = exogate_sim::clock::Time::from_seconds(NOW - 1);
            let mut disabled = state.apps.last().unwrap().clone();
            disabled.client_id = uuid::Uuid::from_u128(0xd);
            disabled.enabled = false;
            state.apps.extend([expired, disabled]);
        },
    );
    let own = tenant.tenant_id().to_string();
    let app = tenant.app.to_string();
    let full: [(&str, &str); 4] = [
        ("client_id", &app),
        ("client_secret", SECRET),
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let with = |name: &str, value: &'static str| -> Vec<(&str, &str)> {
        full.iter().map(|(held, old)| if *held == name { (*held, value) } else { (*held, *old) }).collect()
    };
    let without = |name: &str| -> Vec<(&str, &str)> {
        full.iter().filter(|(held, _)| *held != name).copied().collect()
    };
    type Fields<'f> = Vec<(&'f str, &'f str)>;
    let cases: Vec<(u32, &str, Fields<'_>)> = vec![
        (900144, &own, without("grant_type")),
        (900144, &own, without("client_id")),
        (900144, &own, without("scope")),
        (90002, "00000000-0000-0000-0000-000000000001", full.to_vec()),
        (90002, "nowhere.example", full.to_vec()),
        (900023, "not_a_tenant", full.to_vec()),
        (700016, &own, with("client_id", "11111111-1111-1111-1111-111111111111")),
        (7000112, &own, with("client_id", "00000000-0000-0000-0000-00000000000d")),
        (7000215, &own, with("client_secret", "wrong")),
        (7000222, &own, with("client_id", "00000000-0000-0000-0000-00000000000e")),
        (7000218, &own, without("client_secret")),
        (1002012, &own, with("scope", "User.Read.All")),
        (
            70011,
            &own,
            with("scope", "https://graph.microsoft.com/.default https://outlook.office365.com/.default"),
        ),
        (500011, &own, with("scope", "https://vault.example/.default")),
        (70003, &own, with("grant_type", "magic")),
    ];
    for (code, path, fields) in cases {
        let (status, body) = tenant.form(&format!("/{path}/oauth2/v2.0/token"), &fields);
        let (_, expected, error) = TABLE.into_iter().find(|(known, ..)| *known == code).unwrap();
        assert_eq!(
            (status, &body["error"], &body["error_codes"]),
            (expected, &json!(error), &json!([code])),
            "{body}"
        );
        for field in ["error_description", "timestamp", "trace_id", "correlation_id", "error_uri"] {
            assert!(body[field].is_string(), "{field}: {body}");
        }
        let text = body["error_description"].as_str().unwrap();
        assert!(
            text.starts_with(&format!("AADSTS{code}: "))
                && text.contains(" Trace ID: ")
                && text.contains(" Timestamp: ")
        );
        assert_eq!(body["timestamp"], "2026-11-24 03:40:12Z");
    }
}

#[test]
fn every_entry_of_the_error_table_builds_a_whole_body() {
    for (code, status, error) in TABLE {
        let made = token::error::SignInError::new(code, "text");
        assert_eq!((made.status, made.error), (status, error));
        let body = made.body(uuid::Uuid::nil(), uuid::Uuid::nil(), NOW);
        assert_eq!(
            body.as_object().unwrap().len(),
            if matches!(code, 50076 | 50079) { 8 } else { 7 },
            "{code}"
        );
        assert!((400..=503).contains(&status));
    }
}

fn password(tenant: &Tenant, path: &str, user: &str, password: &str, scope: &str) -> (u16, Value) {
    tenant.form(
        &format!("/{path}/oauth2/v2.0/token"),
        &[
            ("client_id", "fb78d390-0c51-40cd-8e17-fdbfab77341b"),
            ("grant_type", "password"),
            ("username", user),
            ("password", password),
            ("scope", scope),
            ("client_info", "1"),
            ("claims", "{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}"),
        ],
    )
}

const MODULE_SCOPE: &str = "https://outlook.office365.com/.default openid profile offline_access";

#[test]
fn users_sign_in_and_stay_signed_in() {
    let tenant = Tenant::new();
    let (status, body) =
        password(&tenant, "organizations", "Mark.Taylor@contoso.com", "Passw0rd!", MODULE_SCOPE);
    assert_eq!(status, 200, "{body}");
    let claims = claims_of(&body);
    assert_eq!(claims["upn"].as_str().unwrap().to_lowercase(), "mark.taylor@contoso.com");
    assert!(claims["scp"].as_str().unwrap().contains("Exchange.Manage"));
    assert_eq!(claims["xms_cc"], json!(["CP1"]));
    assert!(body["id_token"].is_string() && body["scope"].is_string());
    let info: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body["client_info"].as_str().unwrap()).unwrap())
            .unwrap();
    assert_eq!((info["uid"].clone(), info["utid"].clone()), (claims["oid"].clone(), claims["tid"].clone()));
    let (status, again) = tenant.form(
        "/organizations/oauth2/v2.0/token",
        &[
            ("client_id", "fb78d390-0c51-40cd-8e17-fdbfab77341b"),
            ("grant_type", "refresh_token"),
            ("refresh_token", body["refresh_token"].as_str().unwrap()),
            ("scope", MODULE_SCOPE),
        ],
    );
    assert_eq!(status, 200, "{again}");
    assert_eq!(claims_of(&again)["oid"], claims["oid"]);
}

#[test]
fn users_are_refused_for_their_reasons() {
    let tenant = Tenant::with(
        &crate::support::ALL,
        |scenario| {
            scenario.token.locked_users = vec!["locked@contoso.com".into()];
            scenario.token.mfa_users = vec!["mark.taylor@contoso.com".into()];
        },
        |_| {},
    );
    let disabled = {
        let (idx, _) = tenant.find(|object| object.user().is_some_and(|user| !user.account_enabled));
        tenant.world.state().get(idx).unwrap().upn().unwrap().to_owned()
    };
    for (code, path, user, word) in [
        (9001023, "common", "mark.taylor@contoso.com", "Passw0rd!"),
        (50034, "organizations", "nobody@contoso.com", "x"),
        (50126, "organizations", "mark.taylor@contoso.com", "wrong"),
        (50057, "organizations", disabled.as_str(), "Passw0rd!"),
        (50076, "organizations", "mark.taylor@contoso.com", "Passw0rd!"),
    ] {
        let (status, body) = password(&tenant, path, user, word, MODULE_SCOPE);
        assert_eq!((status, &body["error_codes"]), (400, &json!([code])), "{body}");
    }
    let (_, body) = password(&tenant, "organizations", "mark.taylor@contoso.com", "Passw0rd!", MODULE_SCOPE);
    assert_eq!(body["suberror"], "basic_action");
    let (_, body) = tenant.form(
        "/organizations/oauth2/v2.0/token",
        &[
            ("client_id", "a0c73c16-a7e3-4564-9a95-2bdf47383716"),
            ("grant_type", "password"),
            ("username", "x"),
            ("password", "y"),
            ("scope", MODULE_SCOPE),
        ],
    );
    assert_eq!(body["error_codes"], json!([7000112]));
}

#[test]
fn conditional_access_blocks_with_claims() {
    let tenant = Tenant::with(
        &crate::support::ALL,
        |scenario| scenario.token.blocked_apps = vec!["0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701".into()],
        |_| {},
    );
    let (status, body) = tenant.form(
        &format!("/{}/oauth2/v2.0/token", tenant.tenant_id()),
        &[
            ("client_id", &tenant.app.to_string()),
            ("client_secret", SECRET),
            ("grant_type", "client_credentials"),
            ("scope", "https://graph.microsoft.com/.default"),
        ],
    );
    assert_eq!((status, &body["error_codes"]), (400, &json!([53003])));
    let claims: Value = serde_json::from_str(body["claims"].as_str().unwrap()).unwrap();
    assert_eq!(claims["access_token"]["capolids"]["essential"], true);
}

#[test]
fn documents_agree_with_the_tokens() {
    let tenant = Tenant::new();
    let get = |target: &str| {
        let reply = block(token::handle(
            &tenant.world,
            tenant.request(Method::GET, "login.microsoftonline.com", target),
        ));
        (reply.status.as_u16(), body_of(&reply))
    };
    let (status, document) = get("/contoso.com/v2.0/.well-known/openid-configuration");
    assert_eq!(
        (status, &document["issuer"]),
        (200, &json!(format!("https://login.microsoftonline.com/{}/v2.0", tenant.tenant_id())))
    );
    let (_, keys) = get(&format!("/{}/discovery/v2.0/keys", tenant.tenant_id()));
    let signed = tenant.token_for("https://graph.microsoft.com");
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap()).unwrap();
    let key = &keys["keys"][0];
    assert_eq!(key["kid"], header["kid"]);
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = ring::signature::RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let (text, signature) = signed.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, text.as_bytes(), &signature).unwrap();
    let (status, instance) = get(
        "/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Flogin.microsoftonline.com%2Fcontoso.com%2Foauth2%2Fv2.0%2Fauthorize",
    );
    assert_eq!((status, &instance["metadata"][0]["preferred_cache"]), (200, &json!("login.windows.net")));
    let (status, unknown) =
        get("/common/discovery/instance?authorization_endpoint=https%3A%2F%2Fevil.test%2Fx");
    assert_eq!((status, &unknown["error"]), (400, &json!("invalid_instance")));
    let (_, realm) = get("/common/userrealm/mark.taylor%40contoso.com?api-version=1.0");
    assert_eq!(realm["account_type"], "Managed");
    let (status, missing) = get("/nowhere.example/v2.0/.well-known/openid-configuration");
    assert_eq!((status, &missing["error"]), (400, &json!("invalid_tenant")));
}

#[test]
fn managed_identities_answer_in_strings() {
    let tenant = Tenant::with(
        &crate::support::ALL,
        |_| {},
        |state| {
            state.apps.last_mut().unwrap().kind = AppKind::ManagedIdentity;
        },
    );
    let ask = |target: &str, header: Option<(&'static str, &str)>| {
        let mut request = tenant.request(Method::GET, "169.254.169.254", target);
        if let Some((name, value)) = header {
            request =
                request.with_header(HeaderName::from_static(name), HeaderValue::try_from(value).unwrap());
        }
        let reply = block(token::handle_imds(&tenant.world, request));
        (reply.status.as_u16(), body_of(&reply))
    };
    let path = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fgraph.microsoft.com%2F";
    let (status, body) = ask(path, Some(("metadata", "true")));
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["expires_in"], &body["refresh_token"]), (&json!("86399"), &json!("")));
    assert_eq!(body["resource"], "https://graph.microsoft.com/");
    let (status, body) = ask(path, None);
    assert_eq!((status, &body["error"]), (400, &json!("bad_request_102")));
    let (status, body) =
        ask(&format!("{path}&client_id=11111111-1111-1111-1111-111111111111"), Some(("metadata", "true")));
    assert_eq!((status, &body["error_description"]), (400, &json!("Identity not found")));
    let (status, body) = ask(
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fx.test",
        Some(("metadata", "true")),
    );
    assert_eq!((status, &body["error"]), (400, &json!("invalid_resource")));
    let (status, body) = ask(
        "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fgraph.microsoft.com",
        Some(("x-identity-header", "abc")),
    );
    assert_eq!(status, 200, "{body}");
    assert!(body.get("expires_in").is_none() && body["expires_on"].is_string());
}

#[test]
fn services_refuse_what_is_no_token_for_them() {
    use exogate_sim::token::{Resource, authenticate};
    let tenant = Tenant::new();
    let graph = tenant.token_for("https://graph.microsoft.com");
    let call = |token: Option<&str>, resource: Resource| {
        let mut request = tenant.request(Method::GET, "x", "/");
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
            request = request.with_header(http::header::AUTHORIZATION, value);
        }
        authenticate(&tenant.world, &request, resource).map_err(Box::new)
    };
    assert!(call(Some(&graph), Resource::Graph).unwrap().has_role("user.read.all"));
    let reply = call(Some(&graph), Resource::Exchange).unwrap_err();
    assert_eq!((reply.status.as_u16(), reply.body.len()), (401, 0));
    assert!(reply.headers["x-ms-diagnostics"].to_str().unwrap().starts_with("2000003"));
    assert!(reply.headers.contains_key("www-authenticate"));
    let reply = call(None, Resource::Graph).unwrap_err();
    assert_eq!(body_of(&reply)["error"]["code"], "InvalidAuthenticationToken");
    assert_eq!(body_of(&reply)["error"]["message"], "Access token is empty.");
    assert_eq!(call(Some("rubbish"), Resource::Management).unwrap_err().status, 401);
    tenant.world.clock.advance(std::time::Duration::from_secs(3600));
    let reply = call(Some(&graph), Resource::Graph).unwrap_err();
    assert_eq!(body_of(&reply)["error"]["message"], "Lifetime validation failed, the token is expired.");
}

#[test]
fn a_revoked_app_is_challenged_when_it_declared_cp1() {
    let tenant = Tenant::new();
    let sign = |claims: Option<&str>| {
        let app = tenant.app.to_string();
        let mut fields = vec![
            ("client_id", app.as_str()),
            ("client_secret", SECRET),
            ("grant_type", "client_credentials"),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        fields.extend(claims.map(|claims| ("claims", claims)));
        tenant.form(&format!("/{}/oauth2/v2.0/token", tenant.tenant_id()), &fields).1
    };
    let capable = sign(Some("{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}"));
    assert_eq!((&capable["expires_in"], &capable["refresh_in"]), (&json!(86_399), &json!(43_199)));
    let plain = sign(None);
    let now = tenant.world.now().plus(std::time::Duration::from_secs(5));
    tenant.world.clock.set(now);
    let app = tenant.app;
    tenant.world.state_mut().app_mut(app).unwrap().tokens_valid_from = Some(now);
    let get = |token: &Value| {
        let value =
            HeaderValue::try_from(format!("Bearer {}", token["access_token"].as_str().unwrap())).unwrap();
        let request = tenant
            .request(Method::GET, "graph.microsoft.com", "/v1.0/users?$top=1")
            .with_header(http::header::AUTHORIZATION, value);
        block(exogate_sim::graph::handle(&tenant.world, request))
    };
    let reply = get(&capable);
    assert_eq!(reply.status, 401);
    let challenge = reply.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_claims\""));
    let claims = challenge.split("claims=\"").nth(1).unwrap().trim_end_matches('"');
    let claims: Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"]["essential"], true);
    assert_eq!(get(&plain).status, 200, "without cp1 there is no challenge");
    assert_eq!(get(&sign(Some("{\"access_token\":{\"xms_cc\":{\"values\":[\"cp1\"]}}}"))).status, 200);
}

#[test]
fn roles_count_as_they_were_at_issue_time() {
    let tenant = Tenant::with(&["User.Read.All"], |_| {}, |_| {});
    assert_eq!(tenant.get("/v1.0/users?$top=1").0, 200);
    tenant.world.state_mut().app_mut(tenant.app).unwrap().roles.clear();
    assert_eq!(tenant.get("/v1.0/users?$top=1").0, 200, "the old token still carries the role");
    tenant.sign_in_again();
    let (status, body) = tenant.get("/v1.0/users?$top=1");
    assert_eq!((status, crate::support::code(&body)), (403, "Authorization_RequestDenied"));
}
