//! The commands that need no tenant: help, init, config check, certificate, schema, completions, man.

mod common;

use common::Sandbox;

#[test]
fn help_teaches() {
    insta::assert_snapshot!(Sandbox::new().run(&["--help"]).all(), @"");
}

#[test]
fn mistakes_on_the_command_line_exit_with_2() {
    let sandbox = Sandbox::new();
    for arguments in
        [&[][..], &["agregate"], &["config"], &["runs", "--limit", "0"], &["--json", "--quiet", "-v", "runs"]]
    {
        let ran = sandbox.run(arguments).exits(2);
        assert!(ran.stdout.is_empty(), "{}", ran.all());
        assert!(!ran.stderr.is_empty());
    }
    insta::assert_snapshot!(sandbox.run(&["runs"]).all(), @"");
    insta::assert_snapshot!(sandbox.run(&["runs", "--config", "other.toml"]).all(), @"");
}

#[test]
fn init_then_check() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["init"]).all(), @"");
    insta::assert_snapshot!(sandbox.run(&["init"]).all(), @"");
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @"");

    let text = sandbox
        .read("exogate.toml")
        .replacen(
            "tenant = \"00000000-0000-0000-0000-000000000000\"",
            "tenant = \"contoso.onmicrosoft.com\"",
            1,
        )
        .replacen(
            "client_id = \"00000000-0000-0000-0000-000000000000\"",
            "client_id = \"0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701\"",
            1,
        );
    sandbox.write("exogate.toml", &text);
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @"");

    sandbox.run(&["certificate", "create"]).ok();
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @"");
    let named = text.replacen(
        "# certificate_password = { file = \"exogate.pfx.password\" }",
        "certificate_password = { file = \"exogate.pfx.password\" }",
        1,
    );
    assert_ne!(named, text);
    sandbox.write("exogate.toml", &named);
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @"");
    insta::assert_snapshot!(sandbox.run(&["config", "check", "--json"]).all(), @"");
}

#[test]
fn init_takes_what_is_known_already() {
    let sandbox = Sandbox::new();
    let id = "0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701";
    sandbox
        .run(&[
            "init",
            "--config",
            "etc/gate.toml",
            "--tenant",
            "fabrikam.onmicrosoft.com",
            "--client-id",
            id,
        ])
        .ok();
    let text = sandbox.read("etc/gate.toml");
    assert!(text.contains("[sources.fabrikam]"), "{text}");
    let checked = sandbox.run(&["config", "check", "--config", "etc/gate.toml"]).exits(2);
    assert!(checked.stderr.contains("exogate.pfx"), "{}", checked.all());
}

#[test]
fn every_problem_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "exogate.toml",
        "[stor]\npath = 3\n[sources.a]\ntenant = \"nowhere\"\n[sources.a.sign_in]\nmethod = \"secret\"\nsecret = \"x\"\n",
    );
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @"");
    insta::assert_snapshot!(sandbox.run(&["config", "check", "--json"]).all(), @"");
}

#[test]
fn a_certificate_is_made_once_and_reads_back() {
    let sandbox = Sandbox::new();
    let made =
        sandbox.run(&["certificate", "create", "-o", "gate", "--subject", "gate one", "--days", "30"]).ok();
    for word in ["thumbprint", "gate.cer", "Exchange.ManageAsApp", "Global Reader", "Certificates & secrets"]
    {
        assert!(made.stdout.contains(word), "{word}: {}", made.stdout);
    }
    for (name, mode) in [("gate.pfx", 0o600), ("gate.pem", 0o600), ("gate.pfx.password", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let held = std::fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(held, mode, "{name}");
    }
    let again = sandbox.run(&["certificate", "create", "-o", "gate"]).exits(2);
    assert!(again.stderr.contains("exists already"), "{}", again.all());
    let forced = sandbox.run(&["certificate", "create", "-o", "gate", "--force", "--json"]).ok();
    let facts: serde_json::Value = serde_json::from_str(&forced.stdout).unwrap();
    assert_eq!(facts["thumbprint"].as_str().unwrap().len(), 40);

    let pem = "[sources.a]\ntenant = \"contoso.com\"\n[sources.a.sign_in]\nmethod = \"certificate\"\n\
               client_id = \"0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701\"\ncertificate = \"gate.pem\"\n";
    sandbox.write("exogate.toml", pem);
    sandbox.run(&["config", "check"]).ok();
    sandbox.write("wrong", "not it\n");
    let pfx = pem.replace("gate.pem\"", "gate.pfx\"\ncertificate_password = { file = \"wrong\" }");
    sandbox.write("exogate.toml", &pfx);
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @"");
}

#[test]
fn schema_knows_the_catalogue() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["schema", "account", "--all", "--find", "hiddenfrom"]).ok().stdout, @"");
    insta::assert_snapshot!(
        sandbox.run(&["schema", "account", "--all", "--find", "EmailAddresses", "--json"]).ok().stdout, @""
    );
    let csv = sandbox.run(&["schema", "--all", "--format", "csv"]).ok().stdout;
    assert!(csv.starts_with("object,attribute,type,values,configured,read from,set by\n"));
    assert!(csv.lines().count() > 500);
}

#[test]
fn completions_and_manual_pages() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run(&["completions", shell]).ok().stdout;
        assert!(script.contains("certificate"), "{shell}");
    }
    sandbox.run(&["man", "pages"]).ok();
    assert!(sandbox.read("pages/exogate.1").contains("exogate"));
    assert!(sandbox.path("pages/exogate-config-check.1").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    let program = assert_cmd::cargo::cargo_bin!("exogate");
    let script = format!("set -o pipefail; {} schema --all | head -n 1", program.display());
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    drop(sandbox);
}
