//! Every command against a simulated tenant over TLS, as a user would give it.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use common::Sandbox;
use common::tenant::Tenant;
use serde_json::Value;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_way() {
    let tenant = Tenant::small().await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");

    let nothing = sandbox.run_beside(&["who", "O365Support"]).await.exits(1);
    assert!(nothing.stderr.contains("exogate aggregate all"), "{}", nothing.all());

    sandbox.run_beside(&["config", "check"]).await.ok();
    let tested = sandbox.run_beside(&["test-connection", "--json"]).await.ok();
    let checks = lines(&tested.stdout);
    assert!(checks.len() > 8 && checks.iter().all(|check| check["state"] == "passed"), "{}", tested.all());

    let all = sandbox.run_beside(&["aggregate", "all"]).await.ok();
    assert!(all.stdout.contains("rights on 6 governed mailboxes"), "{}", all.all());

    let accounts = sandbox.run_beside(&["aggregate", "accounts"]).await.ok();
    let accounts = lines(&accounts.stdout);
    let names: Vec<&str> = accounts.iter().map(|account| account["name"].as_str().unwrap()).collect();
    let mut sorted = names.clone();
    sorted.sort_by_key(|name| name.to_lowercase());
    assert_eq!(names, sorted, "stable order");
    let mark = accounts.iter().find(|account| account["name"] == "mark.taylor@contoso.com").unwrap();
    assert_eq!(
        mark["attributes"]["sharedMailbox"],
        serde_json::json!(["O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"])
    );
    assert_eq!(mark["attributes"]["EXO_PrimarySmtpAddress"], "Mark.Taylor@contoso.com");

    let csv = sandbox.run_beside(&["aggregate", "accounts", "--stored", "-o", "accounts.csv"]).await.ok();
    assert!(csv.stdout.is_empty() && csv.stderr.is_empty(), "{}", csv.all());
    let csv = sandbox.read("accounts.csv");
    assert_eq!(csv.lines().count(), accounts.len() + 1);
    assert!(csv.contains("O365Support: FullAccess|O365Support: ReadPermission|O365Support: SendAs"));

    let groups = sandbox.run_beside(&["aggregate", "groups", "--stored", "--json"]).await.ok();
    let groups = lines(&groups.stdout);
    assert!(!groups.is_empty());
    let entitlements =
        sandbox.run_beside(&["aggregate", "entitlements", "--stored", "--format", "csv"]).await.ok();
    assert!(entitlements.stdout.starts_with("value,mailbox,address,right,holders\n"));
    let everything = sandbox.run_beside(&["aggregate", "all", "--stored", "--json"]).await.ok();
    let kinds = |kind: &str| lines(&everything.stdout).iter().filter(|line| line["object"] == kind).count();
    assert_eq!((kinds("account"), kinds("group")), (accounts.len(), groups.len()));
    assert_eq!(kinds("entitlement"), entitlements.stdout.lines().count() - 1);
    sandbox.run_beside(&["aggregate", "all", "--format", "csv"]).await.exits(2);

    let what = sandbox.run_beside(&["what", "Mark.Taylor@contoso.com"]).await.ok();
    let column: Vec<&str> = what.stdout.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(
        column,
        ["ENTITLEMENT", "O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"]
    );
    let who = sandbox.run_beside(&["who", "O365Support", "--effective", "--json"]).await.ok();
    assert!(lines(&who.stdout).iter().any(|row| row["holder"]["address"] == "mark.taylor@contoso.com"));

    let account = sandbox.run_beside(&["get", "account", "mark.taylor@contoso.com", "--json"]).await.ok();
    assert_eq!(lines(&account.stdout)[0], *mark);
    let mailbox = sandbox.run_beside(&["get", "mailbox", "O365Support"]).await.ok();
    assert!(mailbox.stdout.contains("label"), "{}", mailbox.all());
    let group = sandbox.run_beside(&["get", "group", groups[0]["id"].as_str().unwrap(), "--json"]).await.ok();
    assert_eq!(lines(&group.stdout)[0], groups[0]);
    let mistyped = sandbox.run_beside(&["get", "account", "mark.tailor@contoso.com"]).await.exits(1);
    assert!(mistyped.stderr.contains("did you mean \"mark.taylor@contoso.com\"?"), "{}", mistyped.all());

    let runs = sandbox.run_beside(&["runs", "--json"]).await.ok();
    let runs = lines(&runs.stdout);
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["state"] == "completed"), "{runs:?}");
    assert_eq!(runs[0]["scope"], "accounts");

    let schema = sandbox.run_beside(&["schema", "account", "--json"]).await.ok();
    assert!(
        lines(&schema.stdout)
            .iter()
            .any(|row| row["name"] == "EXO_PrimarySmtpAddress" && row["configured"] == true)
    );
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_shows_the_reference_example_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let demo =
        sandbox.run_beside(&["demo", "--once", "--users", "30", "--shared", "4", "--groups", "6"]).await.ok();
    for right in ["FullAccess", "ReadPermission", "SendAs"] {
        assert!(demo.stdout.contains(&format!("\nO365Support: {right}")), "{}", demo.all());
    }
    assert_eq!(std::fs::read_dir(sandbox.path(".")).unwrap().count(), 0, "the temporary folder is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sim_serves_until_it_is_told_to_stop() {
    use std::io::BufRead;
    let sandbox = Sandbox::new();
    let mut child = sandbox.start(&[
        "sim",
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
        "--users",
        "20",
        "--json",
    ]);
    let mut first = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let told: Value = serde_json::from_str(&first).unwrap();
    let configuration = told["configuration"].as_str().unwrap().to_owned();

    sandbox.run_beside(&["--config", &configuration, "config", "check"]).await.ok();
    sandbox.run_beside(&["--config", &configuration, "test-connection"]).await.ok();
    let secret = sandbox
        .read("exogate-sim/exogate.toml")
        .replace("method = \"certificate\"", "method = \"secret\"\nsecret = { file = \"client.secret\" }");
    let secret: String =
        secret.lines().filter(|l| !l.starts_with("certificate")).map(|l| format!("{l}\n")).collect();
    sandbox.write("exogate-sim/secret.toml", &secret);
    sandbox.run_beside(&["--config", "exogate-sim/secret.toml", "test-connection"]).await.ok();

    let env = sandbox.run_beside(&["sim", "env"]).await.ok();
    for word in
        ["127.0.0.1 login.microsoftonline.com", "Connect-ExchangeOnline", "msal", "m365 login", "/_sim/"]
    {
        assert!(env.stdout.contains(word), "{word}");
    }
    let pid = i32::try_from(child.id()).unwrap().to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap();
    sandbox.wait(child).await.ok();
    sandbox.run_beside(&["sim", "env", "--state", "elsewhere"]).await.exits(2);
}
