use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;

use exogate_model::clock::FixedClock;

use super::*;

fn findings(text: &str) -> String {
    let reading = parse(PathBuf::from("/etc/exogate/exogate.toml"), text);
    let lines: Vec<String> = reading
        .problems
        .iter()
        .map(|problem| {
            let severity = if problem.severity == Severity::Warning { "warning: " } else { "" };
            format!("{severity}{problem}")
        })
        .collect();
    lines.join("\n")
}

fn sound(text: &str) -> Config {
    let reading = parse(PathBuf::from("/etc/exogate/exogate.toml"), text);
    reading.config.unwrap_or_else(|| panic!("{:#?}", reading.problems))
}

fn environment() -> Environment {
    Environment {
        user: "kim".into(),
        variables: HashMap::new(),
        directory: "/".into(),
        temporary: "/tmp".into(),
        program: "exogate".into(),
        stdout_terminal: false,
        stderr_terminal: false,
        host: "here".into(),
        process: 1,
        clock: Arc::new(FixedClock(jiff::Timestamp::UNIX_EPOCH)),
    }
}

const MINIMAL: &str = r#"
[sources.contoso]
tenant = "contoso.onmicrosoft.com"
[sources.contoso.sign_in]
method = "certificate"
client_id = "0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701"
certificate = "keys/exogate.pfx"
"#;

#[test]
fn a_minimal_file_has_every_default() {
    let config = sound(MINIMAL);
    assert_eq!(config.store, Path::new("/etc/exogate/exogate.db"));
    let source = config.source(None).unwrap();
    assert_eq!(source.name, "contoso");
    assert_eq!(source.options, exogate_model::source::SourceOptions::default());
    assert_eq!(source.endpoints.exchange.host_str(), Some("outlook.office365.com"));
    let SignIn::Certificate { certificate, .. } = &source.sign_in else { panic!("{:?}", source.sign_in) };
    assert_eq!(certificate, Path::new("/etc/exogate/keys/exogate.pfx"));
}

#[test]
fn every_problem_is_told_at_once_with_line_and_nearest_name() {
    let text = r#"stor = 1
[sources.contoso]
tenant = "contoso"
clod = "public"
account_attributes = [
    "EXO_Alias",
    "EXO_EmailAdresses",
    { name = "EXO_ImapEnabled", type = "string" },
    7,
]
proxy = "not an address"
[sources.contoso.sign_in]
method = "certificat"
client_id = "mine"
[sources.contoso.options]
manage_exchange_online = "yes"
deletion_guard_percent = 101
entitlement_mailboxes = ["shared", "sharde"]
[sources.contoso.limits]
concurrent_calls = 4
first_concurrent_calls = 9
"#;
    insta::assert_snapshot!(findings(text), @r#"
line 1: stor: is not a known key; did you mean "store"?
line 3: sources.contoso.tenant: "contoso" is neither a tenant id nor a domain such as "contoso.onmicrosoft.com"
line 4: sources.contoso.clod: is not a known key; did you mean "cloud"?
line 7: sources.contoso.account_attributes: there is no attribute "EXO_EmailAdresses" of an account; did you mean "EXO_EmailAddresses"?
line 8: sources.contoso.account_attributes: attribute "EXO_ImapEnabled" is single-valued boolean, not single-valued string
line 9: sources.contoso.account_attributes: an attribute is a name in quotes or { name = "…", type = "…", multi_valued = … }, not integer
line 11: sources.contoso.proxy: "not an address" is not an address such as "https://host.example"
line 13: sources.contoso.sign_in.method: "certificat" is not one of "certificate", "secret", "password", "managed-identity"; did you mean "certificate"?
line 14: sources.contoso.sign_in.client_id: "mine" is not an application (client) id, which looks like "00000000-0000-0000-0000-000000000000"
line 16: sources.contoso.options.manage_exchange_online: must be true or false (without quotes), not a string
line 17: sources.contoso.options.deletion_guard_percent: must be a whole number from 0 to 100, not 101
line 18: sources.contoso.options.entitlement_mailboxes: "sharde" is not one of "shared", "room", "equipment", "user"
line 21: sources.contoso.limits.first_concurrent_calls: must not be above concurrent_calls, which is 4
"#);
}

#[test]
fn a_list_that_is_sound_as_toml_is_checked_against_the_catalogue() {
    let text = MINIMAL.replace(
        "[sources.contoso.sign_in]",
        "account_attributes = [\n \"EXO_Alias\",\n \"EXO_EmailAdresses\",\n {name=\"EXO_ImapEnabled\", type=\"string\"},\n \
         \"EXO_alias\"]\ngroup_attributes = [\"EXO_Nonsense\"]\n[sources.contoso.sign_in]",
    );
    insta::assert_snapshot!(findings(&text), @r#"
line 6: sources.contoso.account_attributes: there is no attribute "EXO_EmailAdresses" of an account; did you mean "EXO_EmailAddresses"?
line 7: sources.contoso.account_attributes: attribute "EXO_ImapEnabled" is single-valued boolean, not single-valued string
line 8: sources.contoso.account_attributes: attribute "EXO_alias" is named twice
line 9: sources.contoso.group_attributes: there is no attribute "EXO_Nonsense" of a group; did you mean "EXO_Extensions"?
"#);
}

#[test]
fn sign_in_methods() {
    let with = |body: &str| {
        findings(&format!("[sources.a]\ntenant = \"contoso.com\"\n[sources.a.sign_in]\n{body}\n"))
    };
    let id = "client_id = \"0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701\"";
    insta::assert_snapshot!(with(""), @r#"line 3: sources.a.sign_in.method: is missing; choose "certificate" (recommended), "secret", "managed-identity" or "password""#);
    insta::assert_snapshot!(with("method = \"certificate\""), @r#"
line 3: sources.a.sign_in.client_id: is missing; give the application (client) id of the app registration
line 3: sources.a.sign_in.certificate: is missing; name a .pfx or .pem file; `exogate certificate create` makes one
"#);
    insta::assert_snapshot!(with(&format!("method = \"secret\"\n{id}\nsecret = \"abc\"\ncertificate = \"x.pfx\"")), @r#"
warning: line 6: sources.a.sign_in.secret: the secret is written in the file itself; better keep it elsewhere: { env = "NAME" } or { file = "path" }
line 7: sources.a.sign_in.certificate: has no meaning with method = "secret"
"#);
    insta::assert_snapshot!(with(&format!("method = \"secret\"\n{id}\nsecret = {{ evn = \"A\" }}")), @r#"
line 6: sources.a.sign_in.secret.evn: is not a known key
line 6: sources.a.sign_in.secret: must be { env = "NAME" } or { file = "path" }
"#);
    insta::assert_snapshot!(
        with("method = \"password\"\nusername = \"a@b.c\"\npassword = { env = \"P\" }"), @r#"line 4: sources.a.sign_in.method: signing in with a password knows no multi-factor authentication, is refused by most Conditional Access policies, and Microsoft is retiring it for Exchange Online; use a certificate; to use it all the same, set allow_password_sign_in = true"#
    );
    insta::assert_snapshot!(
        with("method = \"password\"\nallow_password_sign_in = true\nusername = \"a@b.c\"\npassword = { env = \"P\" }"),
        @r#"warning: line 4: sources.a.sign_in.method: signing in with a password knows no multi-factor authentication, is refused by most Conditional Access policies, and Microsoft is retiring it for Exchange Online; use a certificate"#
    );
    assert_eq!(with("method = \"managed-identity\""), "");
}

#[test]
fn what_is_not_toml_is_placed() {
    insta::assert_snapshot!(findings("[sources.a\ntenant = \"x\"\nb = = 3\n"), @r#"
line 1: is not TOML: unclosed table, expected `]`
line 3: is not TOML: extra `=`, expected nothing
line 3: is not TOML: unexpected key or value, expected newline, `#`
"#);
    insta::assert_snapshot!(findings(""), @r#"sources: there is no source; add a table [sources.NAME]"#);
}

#[test]
fn the_template_is_sound_once_the_placeholders_are_filled_in() {
    let mut known = template::Known {
        source: "contoso".into(),
        tenant: None,
        client_id: None,
        certificate: None,
        cloud: "public".into(),
    };
    insta::assert_snapshot!(findings(&template::render(&known)), @r#"
line 13: sources.contoso.tenant: is still the placeholder; put the directory (tenant) id or the primary domain here
line 42: sources.contoso.sign_in.client_id: is still the placeholder; put the application (client) id of the app registration here
"#);
    known.tenant = Some("contoso.onmicrosoft.com".into());
    known.client_id = Some("0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701".into());
    known.certificate = Some("C:\\keys\\\"exo\".pfx".into());
    assert_eq!(findings(&template::render(&known)), "");
}

/// Every line that is commented out in the template must be valid too, or it misleads.
#[test]
fn what_the_template_shows_in_comments_is_known() {
    let known = template::Known {
        source: "contoso".into(),
        tenant: Some("contoso.onmicrosoft.com".into()),
        client_id: Some("0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701".into()),
        certificate: None,
        cloud: "public".into(),
    };
    let text = template::render(&known);
    let setting = |line: &str| {
        let body = line.trim_start().strip_prefix("# ")?;
        let is_item = body.starts_with(['{', '"']) && body.ends_with(',');
        let is_key = body
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let is_setting = body.starts_with('[') || is_item || is_key;
        is_setting.then(|| body.to_owned())
    };
    let open: String = text
        .lines()
        .map(|line| match setting(line) {
            // The alternatives of sign_in exclude each other and the first one.
            Some(body)
                if [
                    "method",
                    "secret = { env = \"EXOGATE_CLIENT_SECRET\"",
                    "username",
                    "password",
                    "allow_",
                    "certificate_password =",
                ]
                .iter()
                .any(|key| body.starts_with(key)) =>
            {
                line.to_owned()
            }
            Some(body) => body,
            None => line.to_owned(),
        })
        .map(|line| line + "\n")
        .collect();
    assert_ne!(open, text);
    assert_eq!(findings(&open), "");
}

#[test]
fn sources_are_chosen_by_name() {
    let two = format!("{MINIMAL}\n{}", MINIMAL.replace("contoso", "fabrikam"));
    let config = sound(&two);
    assert_eq!(config.source(Some("fabrikam")).unwrap().name, "fabrikam");
    let said = |failure: Failure| {
        let mut out = Vec::new();
        failure.print(&mut out, false).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert!(said(config.source(None).unwrap_err()).contains("more than one source"));
    assert!(said(config.source(Some("fabrikm")).unwrap_err()).contains("did you mean \"fabrikam\"?"));
}

#[test]
fn secrets_come_from_where_they_are_named_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "from file\r\n").unwrap();
    let text = |secret: &str| {
        format!(
            "[sources.a]\ntenant = \"contoso.com\"\n[sources.a.sign_in]\nmethod = \"secret\"\n\
             client_id = \"0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701\"\nsecret = {secret}\n"
        )
    };
    let mut environment = environment();
    environment.variables.insert(OsString::from("GATE"), OsString::from("from variable"));
    let settings = |secret: &str| {
        let config = sound(&text(secret));
        tenant::settings(config.source(None).unwrap(), &environment)
    };
    for (secret, wanted) in [
        ("{ env = \"GATE\" }".to_owned(), "from variable"),
        (format!("{{ file = {:?} }}", file.display().to_string()), "from file"),
        ("\"inline\"".to_owned(), "inline"),
    ] {
        use secrecy::ExposeSecret;
        let found = settings(&secret).unwrap();
        let exogate_microsoft::signin::Credential::Secret { secret, .. } = &found.credential else {
            panic!()
        };
        assert_eq!(secret.expose_secret(), wanted);
        assert!(!format!("{found:?}").contains(wanted));
    }
    assert_eq!(
        settings("{ env = \"GATES\" }").unwrap_err(),
        ["sources.a.sign_in.secret: the environment variable GATES is not set (or empty)"]
    );
}

#[test]
fn a_managed_identity_is_found_as_the_platform_announces_it() {
    use exogate_microsoft::signin::Credential;
    let text = "[sources.a]\ntenant = \"contoso.com\"\n[sources.a.sign_in]\nmethod = \"managed-identity\"\n";
    let config = sound(text);
    let source = config.source(None).unwrap();
    let mut environment = environment();
    let plain = tenant::settings(source, &environment).unwrap();
    assert!(matches!(&plain.credential, Credential::ManagedIdentityImds { endpoint, .. }
        if endpoint.as_str() == "http://169.254.169.254/"));
    environment.variables.insert("IDENTITY_ENDPOINT".into(), "http://localhost:4141/token".into());
    environment.variables.insert("IDENTITY_HEADER".into(), "s3cret".into());
    let announced = tenant::settings(source, &environment).unwrap();
    assert!(matches!(&announced.credential, Credential::ManagedIdentityAppService { .. }));
    assert!(!format!("{announced:?}").contains("s3cret"));
}
