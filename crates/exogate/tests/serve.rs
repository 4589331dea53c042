//! `exogate serve` and `exogate token` as their user meets them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::Sandbox;
use common::service::Service;

const CONFIGURATION: &str = r#"
[sources.contoso]
tenant = "contoso.onmicrosoft.com"
[sources.contoso.sign_in]
method = "secret"
client_id = "0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701"
secret = { file = "secret" }
[sources.contoso.hosts]
login = "https://127.0.0.1:9"
graph = "https://127.0.0.1:9"
exchange = "https://127.0.0.1:9"
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("exogate.toml", CONFIGURATION);
    sandbox.write("secret", "s");
    sandbox
}

#[test]
fn a_token_opens_the_service_until_it_is_revoked_and_a_signal_ends_it_in_good_order() {
    let sandbox = sandbox();
    let made = sandbox.run(&["token", "create", "--name", "me", "--scope", "read"]).ok();
    let token = made.stdout.trim();
    assert!(token.starts_with("exg_") && made.stderr.contains("shown this once"), "{}", made.all());
    let service = Service::start(&sandbox);
    assert_eq!(service.get("/readyz", "").status, 200);
    assert!(service.get("/metrics", token).text.contains("exogate_build_info"));
    assert_eq!(service.get("/metrics", "exg_wrong").status, 401);

    let listed = sandbox.run(&["token", "list", "--json"]).ok();
    let record: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&record["name"], &record["state"]), (&"me".into(), &"good".into()));
    assert!(!listed.stdout.contains(token));
    sandbox.run(&["token", "revoke", "me"]).ok();
    // Within a second, says the documentation; how long this machine takes is its own business.
    while service.get("/metrics", token).status != 401 {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    service.signal();
    let (code, log) = service.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopping") && !log.contains(token), "{log}");
}

#[test]
fn a_wrong_token_command_says_what_is_wrong() {
    let sandbox = sandbox();
    let create = |more: &[&str]| {
        let mut arguments = vec!["token", "create", "--name", "me", "--scope", "read"];
        arguments.extend_from_slice(more);
        sandbox.run(&arguments)
    };
    let unknown = create(&["--only", "contos"]).exits(2);
    assert!(unknown.stderr.contains("did you mean \"contoso\"?"), "{}", unknown.all());
    let past = create(&["--expires", "2020-01-01"]).exits(2);
    assert!(past.stderr.contains("would have ended already"), "{}", past.all());
    create(&[]).ok();
    let twice = create(&[]).exits(2);
    assert!(twice.stderr.contains("exogate token revoke me"), "{}", twice.all());
    let nobody = sandbox.run(&["token", "revoke", "you"]).exits(1);
    assert!(nobody.stderr.contains("exogate token list"), "{}", nobody.all());
}

#[test]
fn it_does_not_listen_where_others_could_overhear() {
    let sandbox = sandbox();
    let open = sandbox.run(&["serve", "--listen", "0.0.0.0:0"]).exits(2);
    assert!(open.stderr.contains("needs TLS: set server.tls"), "{}", open.all());
    sandbox.write(
        "exogate.toml",
        &format!("[server.tls]\ncertificate = \"no.pem\"\nkey = \"no.key\"\n{CONFIGURATION}"),
    );
    let missing = sandbox.run(&["serve", "--listen", "0.0.0.0:0"]).exits(2);
    assert!(missing.stderr.contains("no.pem"), "{}", missing.all());
}
