//! The commands that need no tenant: help, init, config check, certificate, schema, completions, man.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use common::Sandbox;

#[test]
fn help_teaches() {
    insta::assert_snapshot!(Sandbox::new().run(&["--help"]).all(), @r#"
exit 0
--- stdout
The gateway between identity governance and Microsoft 365: reads accounts, mailboxes, groups and
every right on a shared mailbox

Usage: exogate [OPTIONS] <COMMAND>

Begin:
  demo                Try everything on a simulated tenant; nothing to configure
  init                Write a commented exogate.toml
  certificate         Make the certificate to sign in with
  config              Look at the configuration
  test-connection     Try sign-in, permissions and roles, one line each

Read a tenant:
  aggregate           Read the tenant into the store, and write what was read
  schema              Show the attributes known, configured and writable
  runs                List the runs of a source
  changes             Show what changed, how it was learnt, and who did it
  status              Show how fresh what is stored is

Ask:
  who                 Show who holds rights on a mailbox
  what                Show what a user can open
  get                 Show one account, group or mailbox

Change:
  grant               Give rights on shared mailboxes
  revoke              Take rights on shared mailboxes
  set                 Set mailbox attributes
  group               Make, change and delete groups
  plan                Show what a plan would do
  apply               Carry out a plan
  undo                Undo a plan, or one operation of it
  restore             Put the rights on a mailbox back as they were
  operations          List what was done, or prove that the journal is sound
  operation           Show one plan or operation of the journal

Serve:
  serve               Serve all front doors until told to stop
  token               Make, list and revoke the tokens of `exogate serve`
  webhooks            Show who is told of changes, and send again what could not be delivered

Tools:
  sim                 Run the simulated tenant alone, for this and other clients
  completions         Print a completion script for a shell

First steps:
  exogate demo                      see it work on a simulated tenant
  exogate init                      write exogate.toml, then edit it
  exogate certificate create        make a certificate, and read where to upload it
  exogate config check              find every mistake in the file at once
  exogate test-connection           check sign-in, permissions and roles
  exogate aggregate all             read the tenant
  exogate what mark.taylor@contoso.com

Examples:
  exogate aggregate accounts -o accounts.jsonl
  exogate aggregate entitlements --format csv -o entitlements.csv
  exogate who support@contoso.com --effective
  exogate get account mark.taylor@contoso.com --json

Global options:
      --config <FILE>  Configuration [default: ./exogate.toml, then
                       $XDG_CONFIG_HOME/exogate/exogate.toml]
      --source <NAME>  Source to work on; not needed where there is only one
      --json           Write JSON for machines: one object a line
  -v, --verbose...     Say more on standard error: progress and what is being done (-vv: every call)
  -q, --quiet          Say nothing on standard error but errors
      --log-json       Write log lines as JSON
      --color <WHEN>   When to use colour [possible values: auto, always, never]
  -h, --help           Print help
  -V, --version        Print version

Exit codes:
  0    done
  1    failed
  2    usage or configuration is wrong; nothing was attempted
  3    partly done: the run is incomplete, what it read is kept
  4    the tenant refused: sign-in, permission or role
  5    another run is active on the source
  6    the deletion guard stopped the run
  7    what was asked for is no longer kept; start over
  130  interrupted; the same command resumes

`exogate COMMAND --help` tells more of each command.
"#);
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
    insta::assert_snapshot!(sandbox.run(&["runs"]).all(), @r#"
exit 2
--- stderr
error: there is no configuration; looked for $DIR/exogate.toml and $DIR/.config/exogate/exogate.toml
hint: write one with `exogate init`, or name it with --config FILE
hint: `exogate demo` needs no configuration
"#);
    insta::assert_snapshot!(sandbox.run(&["runs", "--config", "other.toml"]).all(), @r#"
exit 2
--- stderr
error: there is no configuration file $DIR/other.toml
hint: write one with `exogate init`
"#);
}

#[test]
fn init_then_check() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["init"]).all(), @r#"
exit 0
--- stdout
Wrote $DIR/exogate.toml

Next:
  exogate certificate create    make a certificate, and read where to upload it
  edit exogate.toml             tenant, client_id, certificate
  exogate config check          every problem at once
  exogate test-connection       sign-in, permissions and roles
"#);
    insta::assert_snapshot!(sandbox.run(&["init"]).all(), @r#"
exit 2
--- stderr
error: $DIR/exogate.toml exists already; it is left as it is
hint: edit it, or write another one with --config FILE
"#);
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @r#"
exit 2
--- stderr
error: line 13: sources.main.tenant: is still the placeholder; put the directory (tenant) id or the primary domain here
error: line 42: sources.main.sign_in.client_id: is still the placeholder; put the application (client) id of the app registration here
error: $DIR/exogate.toml has 2 problems
hint: correct the file, then run `exogate config check`
"#);

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
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @r#"
exit 2
--- stderr
error: sources.main.sign_in.certificate_password: the secret file $DIR/exogate.pfx.password cannot be read: No such file or directory (os error 2)
error: $DIR/exogate.toml cannot be used yet
"#);

    sandbox.run(&["certificate", "create"]).ok();
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @r#"
exit 0
--- stdout
$DIR/exogate.toml is sound
  store   $DIR/exogate.db
  source  main: tenant contoso.onmicrosoft.com (public cloud), signs in by certificate
          27 account attributes, 4 of them of Exchange; rights on shared mailboxes are entitlements
Next: exogate test-connection
"#);
    insta::assert_snapshot!(sandbox.run(&["config", "check", "--json"]).all(), @r#"
exit 0
--- stdout
{"file":"$DIR/exogate.toml","sound":true}
"#);

    let graph_alone = text.replacen("manage_exchange_online = true", "manage_exchange_online = false", 1);
    sandbox.write("exogate.toml", &graph_alone);
    let told = sandbox.run(&["config", "check"]).ok().all();
    assert!(told.contains("Microsoft Graph alone is read"), "{told}");
    assert!(!told.contains("entitlements"), "{told}");
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
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @r#"
exit 2
--- stderr
warning: line 7: sources.a.sign_in.secret: the secret is written in the file itself; better keep it elsewhere: { env = "NAME" } or { file = "path" }
error: line 1: stor: is not a known key; did you mean "store"?
error: line 4: sources.a.tenant: "nowhere" is neither a tenant id nor a domain such as "contoso.onmicrosoft.com"
error: line 5: sources.a.sign_in.client_id: is missing; give the application (client) id of the app registration
error: $DIR/exogate.toml has 3 problems
hint: correct the file, then run `exogate config check`
"#);
    insta::assert_snapshot!(sandbox.run(&["config", "check", "--json"]).all(), @r#"
exit 2
--- stdout
{"severity":"error","line":1,"key":"stor","message":"is not a known key; did you mean \"store\"?"}
{"severity":"error","line":4,"key":"sources.a.tenant","message":"\"nowhere\" is neither a tenant id nor a domain such as \"contoso.onmicrosoft.com\""}
{"severity":"error","line":5,"key":"sources.a.sign_in.client_id","message":"is missing; give the application (client) id of the app registration"}
{"severity":"warning","line":7,"key":"sources.a.sign_in.secret","message":"the secret is written in the file itself; better keep it elsewhere: { env = \"NAME\" } or { file = \"path\" }"}
{"file":"$DIR/exogate.toml","sound":false}
"#);
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
    insta::assert_snapshot!(sandbox.run(&["config", "check"]).all(), @r#"
exit 2
--- stderr
error: sources.a.sign_in.certificate: cannot use $DIR/gate.pfx: the password does not open the PFX file; check it, and that it is not an empty one by mistake
error: $DIR/exogate.toml cannot be used yet
"#);
}

#[test]
fn schema_knows_the_catalogue() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["schema", "account", "--all", "--find", "hiddenfrom"]).ok().stdout, @r#"
OBJECT   ATTRIBUTE                          TYPE     VALUES  CONFIGURED  READ FROM    SET BY
account  EXO_HiddenFromAddressListsEnabled  boolean  one                 Get-Mailbox  Set-Mailbox -HiddenFromAddressListsEnabled
"#);
    insta::assert_snapshot!(
        sandbox.run(&["schema", "account", "--all", "--find", "EmailAddresses", "--json"]).ok().stdout, @r#"{"object":"account","name":"EXO_EmailAddresses","type":"string","multiValued":true,"entitlement":false,"configured":false,"readFrom":"Get-Mailbox","setBy":["Set-Mailbox -EmailAddresses"],"writable":true}"#
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
