//! Changes through the binary against a simulated tenant: each row of what governance may ask for.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is a user with a real clock"
)]

mod common;

use common::Sandbox;
use common::tenant::Tenant;
use exogate_sim::{AppSpec, Scenario, SimOptions, TenantSource};
use serde_json::Value;

const CONTOSO: &str = include_str!("../../exogate-engine/tests/fixtures/contoso.toml");

const ATTRIBUTES: &str = r#"group_attributes = ["EXO_PrimarySmtpAddress", "EXO_MemberJoinRestriction", "EXO_CustomAttribute1", "EXO_ModeratedBy", "EXO_Alias", "EXO_HiddenFromAddressListsEnabled", "EXO_AcceptMessagesOnlyFrom", "EXO_ManagedBy"]
[sources.contoso.options]
aggregate_all_groups = true
manage_microsoft_365_groups = true
entitlement_mailboxes = ["shared", "room"]
[sources.contoso.policy]
account = ["EXO_CustomAttribute1", "EXO_EmailAddresses", "EXO_ImapEnabled", "EXO_HiddenFromAddressListsEnabled",
    { name = "EXO_CustomAttribute2", review_required = true }]
distribution_list = ["EXO_CustomAttribute1", "EXO_MemberJoinRestriction", "EXO_HiddenFromAddressListsEnabled", "EXO_AcceptMessagesOnlyFrom"]
mail_enabled_security_group = ["EXO_CustomAttribute1", "EXO_HiddenFromAddressListsEnabled"]
microsoft_365_group = ["EXO_HiddenFromAddressListsEnabled"]
"#;

/// A tenant, a configuration, and everything aggregated.
async fn ready(scenario: Scenario) -> (Tenant, Sandbox) {
    let sandbox = Sandbox::new();
    sandbox.write("tenant.toml", CONTOSO);
    let options = SimOptions {
        tenant: TenantSource::Fixture(sandbox.path("tenant.toml")),
        scenario,
        ..SimOptions::loopback()
    };
    let sim = exogate_sim::start(options).await.unwrap();
    let app = sim.register_app(AppSpec::exogate().with_generated_secret()).unwrap();
    let tenant = Tenant { client_id: app.client_id.to_string(), secret: app.secret.unwrap(), sim };
    tenant.configure(&sandbox, ATTRIBUTES);
    let config = sandbox.read("exogate.toml").replace(
        r#"account_attributes = ["EXO_PrimarySmtpAddress"]"#,
        r#"account_attributes = ["EXO_PrimarySmtpAddress", "EXO_CustomAttribute1", "EXO_CustomAttribute2", "EXO_EmailAddresses", "EXO_ImapEnabled", "EXO_HiddenFromAddressListsEnabled", "EXO_Guid"]"#,
    );
    sandbox.write("exogate.toml", &config);
    sandbox.run_beside(&["aggregate", "all", "-o", "first.jsonl"]).await.ok();
    (tenant, sandbox)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Runs a change and gives the state of each operation.
async fn change(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let mut all = arguments.to_vec();
    all.push("--json");
    let ran = sandbox.run_beside(&all).await;
    assert!(matches!(ran.code, 0 | 1 | 3), "{}", ran.all());
    lines(&ran.stdout)
        .iter()
        .map(|line| match line["outcome"]["why"].as_str() {
            Some(why) => format!("{}: {why}", line["outcome"]["state"].as_str().unwrap_or("?")),
            None => line["outcome"]["state"].as_str().unwrap_or("?").to_owned(),
        })
        .collect()
}

async fn account(sandbox: &Sandbox, who: &str) -> Value {
    let ran = sandbox.run_beside(&["get", "account", who, "--json"]).await.ok();
    lines(&ran.stdout).remove(0)
}

async fn group(sandbox: &Sandbox, who: &str) -> Value {
    let ran = sandbox.run_beside(&["get", "group", who, "--json"]).await.ok();
    lines(&ran.stdout).remove(0)
}

/// The rights on the mailbox that most is done to.
fn rights(account: &Value) -> Vec<String> {
    let list = account["attributes"]["sharedMailbox"].as_array().cloned().unwrap_or_default();
    let support = |value: &&Value| value.as_str().unwrap().starts_with("O365Support");
    list.iter().filter(support).map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// What the store says must be what a fresh reading of the whole tenant says.
async fn agrees_with_the_tenant(sandbox: &Sandbox) {
    sandbox.run_beside(&["aggregate", "all", "-o", "after.jsonl"]).await.ok();
    let runs = sandbox.run_beside(&["runs", "--json", "--limit", "1"]).await.ok();
    let run = lines(&runs.stdout).remove(0);
    assert_eq!(run["changes"], 0, "a change that exogate made itself is announced once: {run}");
}

const KIM: &str = "kim.akers@contoso.com";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_given_and_taken() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    let shown =
        sandbox.run_beside(&["grant", "O365Support: FullAccess", "--to", KIM, "--dry-run"]).await.ok();
    assert!(shown.stdout.contains("Add-MailboxPermission -Identity"), "{}", shown.all());
    assert!(rights(&account(&sandbox, KIM).await).is_empty());
    let every = [
        "O365Support: ChangeOwner",
        "O365Support: ChangePermission",
        "O365Support: DeleteItem",
        "O365Support: ExternalAccount",
        "O365Support: FullAccess",
        "O365Support: ReadPermission",
        "O365Support: SendAs",
        "O365Support: SendOnBehalf",
    ];
    let arguments = |verb: &'static str, to: &'static str, who: &'static str| {
        let mut all = vec![verb];
        all.extend(every);
        all.extend([to, who]);
        all
    };
    assert_eq!(change(&sandbox, &arguments("grant", "--to", KIM)).await, ["done", "done", "done"]);
    assert_eq!(rights(&account(&sandbox, KIM).await), every);
    agrees_with_the_tenant(&sandbox).await;
    assert_eq!(rights(&account(&sandbox, KIM).await), every);
    assert_eq!(
        change(&sandbox, &arguments("grant", "--to", KIM)).await,
        ["alreadySo", "alreadySo", "alreadySo"]
    );
    assert_eq!(
        change(&sandbox, &["grant", "O365Support: FullAccess", "--to", KIM, "--auto-mapping=false"]).await,
        ["done", "done"]
    );
    assert_eq!(change(&sandbox, &arguments("revoke", "--from", KIM)).await, ["done", "done", "done"]);
    assert!(rights(&account(&sandbox, KIM).await).is_empty());
    assert_eq!(
        change(&sandbox, &arguments("revoke", "--from", KIM)).await,
        ["alreadySo", "alreadySo", "alreadySo"]
    );
    // A mail-enabled security group holds rights as a user does.
    assert_eq!(
        change(&sandbox, &["grant", "Quiet: FullAccess", "Quiet: SendAs", "--to", "Inner circle"]).await,
        ["done", "done"]
    );
    agrees_with_the_tenant(&sandbox).await;
    let who = sandbox.run_beside(&["who", "Quiet", "--json"]).await.ok();
    assert!(who.stdout.contains("Inner circle"), "{}", who.all());
    assert_eq!(
        change(&sandbox, &["revoke", "Quiet: FullAccess", "Quiet: SendAs", "--from", "Inner circle"]).await,
        ["done", "done"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_refused_before_anything_is_sent() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    let table: &[(&[&str], &str)] = &[
        (&["grant", "O365Suport: FullAccess", "--to", KIM], "did you mean \"O365Support\""),
        (&["grant", "O365Support: FullAcces", "--to", KIM], "did you mean \"FullAccess\""),
        (
            &["grant", "O365Support: FullAccess", "--to", "kim.aker@contoso.com"],
            "did you mean \"kim.akers@contoso.com\"",
        ),
        (&["grant", "Info: FullAccess", "--to", KIM], "ambiguous"),
        (&["grant", "O365Support: FullAccess", "--to", "VPN users"], "not mail-enabled"),
        (&["grant", "O365Support: FullAccess", "--to", "All staff"], "no security principal"),
        (&["grant", "O365Support: FullAccess", "--to", "Project X"], "no security principal"),
        (&["grant", "O365Support: FullAccess", "--to", "no.mailbox@contoso.com"], "neither a mailbox"),
        (&["set", KIM, "EXO_CustomAttribut1=x"], "did you mean \"EXO_CustomAttribute1\""),
        (&["set", KIM, "EXO_Guid=x"], "read-only"),
        (&["set", KIM, "EXO_PrimarySmtpAddress=x@contoso.com"], "policy does not name"),
        (&["set", KIM, "EXO_ImapEnabled=maybe"], "expected boolean"),
        (&["set", KIM, "--add", "EXO_CustomAttribute1=x"], "holds one value"),
        (&["set", "no.mailbox@contoso.com", "EXO_CustomAttribute1=x"], "has no mailbox"),
        (&["group", "create", "All staff", "--kind", "distributionList", "--owner", KIM], "exists already"),
        (&["group", "create", "New one", "--kind", "distributionList"], "needs an owner"),
        (&["group", "delete", "Everybody in Support"], "filter"),
        (&["group", "owner", "remove", "Project X", "ines.boss@contoso.com"], "no owner left"),
    ];
    for (arguments, why) in table {
        let ran = sandbox.run_beside(arguments).await.exits(2);
        assert!(ran.stderr.contains(why), "{arguments:?}\n{}", ran.all());
    }
    let operations = sandbox.run_beside(&["operations", "--json"]).await.ok();
    assert_eq!(operations.stdout, "", "nothing was attempted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailbox_attributes_are_set_added_to_removed_and_cleared() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    for who in [KIM, "O365Support", "Room 1"] {
        let states = change(
            &sandbox,
            &[
                "set",
                who,
                "EXO_CustomAttribute1=Sales",
                "EXO_HiddenFromAddressListsEnabled=true",
                "EXO_ImapEnabled=false",
            ],
        )
        .await;
        assert_eq!(states, ["done", "done"], "one call for each cmdlet: {who}");
    }
    let kim = account(&sandbox, KIM).await;
    assert_eq!(kim["attributes"]["EXO_CustomAttribute1"], "Sales");
    assert_eq!(kim["attributes"]["EXO_ImapEnabled"], false);
    assert_eq!(
        change(&sandbox, &["set", KIM, "--add", "EXO_EmailAddresses=smtp:kim2@contoso.com"]).await,
        ["done"]
    );
    assert!(
        account(&sandbox, KIM).await["attributes"]["EXO_EmailAddresses"]
            .to_string()
            .contains("smtp:kim2@contoso.com")
    );
    assert_eq!(
        change(&sandbox, &["set", KIM, "--remove", "EXO_EmailAddresses=smtp:kim2@contoso.com"]).await,
        ["done"]
    );
    assert_eq!(change(&sandbox, &["set", KIM, "--clear", "EXO_CustomAttribute1"]).await, ["done"]);
    assert_eq!(change(&sandbox, &["set", KIM, "--clear", "EXO_CustomAttribute1"]).await, ["alreadySo"]);
    assert!(account(&sandbox, KIM).await["attributes"]["EXO_CustomAttribute1"].is_null());
    let ran = sandbox.run_beside(&["set", KIM, "EXO_CustomAttribute2=x"]).await.exits(2);
    assert!(ran.stderr.contains("reviewed"), "{}", ran.all());
    assert_eq!(change(&sandbox, &["set", KIM, "EXO_CustomAttribute2=x", "--reviewed"]).await, ["done"]);
    agrees_with_the_tenant(&sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchange_groups_are_made_changed_and_deleted() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    for (name, kind) in [("Sales list", "distributionList"), ("Sales guards", "mailEnabledSecurity")] {
        let states = change(
            &sandbox,
            &[
                "group",
                "create",
                name,
                "--kind",
                kind,
                "--owner",
                "ines.boss@contoso.com",
                "--member",
                KIM,
                "EXO_CustomAttribute1=made",
            ],
        )
        .await;
        assert_eq!(states, ["done", "done"], "{name}");
        let made = group(&sandbox, name).await;
        assert_eq!(made["kind"], kind);
        assert_eq!(made["members"].as_array().unwrap().len(), 1, "{made}");
        assert_eq!(change(&sandbox, &["group", "add", name, "mark.taylor@contoso.com"]).await, ["done"]);
        assert_eq!(change(&sandbox, &["group", "add", name, "mark.taylor@contoso.com"]).await, ["alreadySo"]);
        assert_eq!(change(&sandbox, &["group", "remove", name, KIM]).await, ["done"]);
        assert_eq!(change(&sandbox, &["group", "remove", name, KIM]).await, ["alreadySo"]);
        assert_eq!(change(&sandbox, &["group", "owner", "add", name, KIM]).await, ["done"]);
        assert_eq!(change(&sandbox, &["group", "owner", "remove", name, KIM]).await, ["done"]);
        let last = change(&sandbox, &["group", "owner", "remove", name, "ines.boss@contoso.com"]).await;
        assert!(last[0].contains("no owner left"), "{last:?}");
        assert_eq!(change(&sandbox, &["group", "set", name, "EXO_CustomAttribute1=changed"]).await, ["done"]);
        agrees_with_members(&sandbox, name).await;
        assert_eq!(change(&sandbox, &["group", "delete", name]).await, ["done"]);
        let gone = sandbox.run_beside(&["get", "group", name]).await;
        assert_ne!(gone.code, 0, "{}", gone.all());
    }
}

async fn agrees_with_members(sandbox: &Sandbox, name: &str) {
    let before = group(sandbox, name).await["members"].clone();
    sandbox.run_beside(&["aggregate", "all", "-o", "after.jsonl"]).await.ok();
    assert_eq!(group(sandbox, name).await["members"], before, "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directory_groups_go_through_graph() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    for (name, kind) in [("Build crew", "security"), ("Project Y", "microsoft365")] {
        let states = change(
            &sandbox,
            &["group", "create", name, "--kind", kind, "--owner", "ines.boss@contoso.com", "--member", KIM],
        )
        .await;
        assert_eq!(states, ["done"], "{name}");
        assert_eq!(change(&sandbox, &["group", "add", name, "mark.taylor@contoso.com"]).await, ["done"]);
        assert_eq!(change(&sandbox, &["group", "remove", name, KIM]).await, ["done"]);
        assert_eq!(change(&sandbox, &["group", "owner", "add", name, KIM]).await, ["done"]);
        assert_eq!(change(&sandbox, &["group", "set", name, "description=for all"]).await, ["done"]);
        agrees_with_members(&sandbox, name).await;
        assert_eq!(change(&sandbox, &["group", "delete", name]).await, ["done"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_shown_applied_once_and_undone() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    sandbox.write(
        "plan.yaml",
        "key: joiner-1\naccounts:\n  - account: kim.akers@contoso.com\n    attributes:\n      - { op: add, name: sharedMailbox, value: ['O365Support: FullAccess', 'O365Support: SendAs'] }\n      - { op: set, name: EXO_CustomAttribute1, value: Sales }\n      - { op: add, name: groups, value: All staff }\n",
    );
    let before = account(&sandbox, KIM).await;
    let plan = sandbox.run_beside(&["plan", "plan.yaml"]).await.ok();
    for expected in [
        "Add-MailboxPermission",
        "Add-RecipientPermission",
        "Set-Mailbox",
        "Add-DistributionGroupMember",
        "BypassSecurityGroupManagerCheck",
        "(none) → Sales",
    ] {
        assert!(plan.stdout.contains(expected), "{expected}\n{}", plan.all());
    }
    let refused = sandbox.run_beside(&["apply", "plan.yaml"]).await.exits(2);
    assert!(refused.stderr.contains("--yes"), "{}", refused.all());
    assert_eq!(change(&sandbox, &["apply", "plan.yaml", "--yes"]).await, ["done"; 4]);
    let again = sandbox.run_beside(&["apply", "plan.yaml", "--yes", "--json"]).await.ok();
    assert!(lines(&again.stdout).iter().all(|line| line["repeated"] == true), "{}", again.all());
    let id = lines(&again.stdout)[0]["plan"].as_str().unwrap().to_owned();
    let shown = sandbox.run_beside(&["operation", &id]).await.ok();
    assert!(shown.stdout.contains("key joiner-1") && shown.stdout.contains("finished"), "{}", shown.all());
    assert_eq!(change(&sandbox, &["undo", &id, "--yes"]).await, ["done"; 4]);
    assert_eq!(account(&sandbox, KIM).await, before);
    agrees_with_the_tenant(&sandbox).await;
    let verified = sandbox.run_beside(&["operations", "verify"]).await.ok();
    assert!(verified.stdout.contains("none altered"), "{}", verified.all());
    let listed = sandbox.run_beside(&["operations"]).await.ok();
    assert!(listed.stdout.contains(&format!("undoes {id}")), "{}", listed.all());
    sandbox.write("plan.yaml", "key: joiner-1\naccounts:\n  - account: kim.akers@contoso.com\n    attributes: [{ op: add, name: sharedMailbox, value: 'Quiet: SendAs' }]\n");
    let reused = sandbox.run_beside(&["apply", "plan.yaml", "--yes"]).await.exits(2);
    assert!(reused.stderr.contains("another request"), "{}", reused.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_put_back_as_they_were() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    let before = jiff::Timestamp::now().to_string();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let mark = "mark.taylor@contoso.com";
    let held = rights(&account(&sandbox, mark).await);
    assert!(!held.is_empty());
    change(&sandbox, &["revoke", "O365Support: FullAccess", "O365Support: SendAs", "--from", mark]).await;
    change(&sandbox, &["grant", "O365Support: FullAccess", "--to", KIM]).await;
    assert_eq!(
        change(&sandbox, &["restore", "O365Support", "--at", &before, "--yes"]).await,
        ["done", "done", "done"]
    );
    assert_eq!(rights(&account(&sandbox, mark).await), held);
    assert!(rights(&account(&sandbox, KIM).await).is_empty());
    let early = sandbox
        .run_beside(&["restore", "O365Support", "--at", "2020-01-01T00:00:00Z", "--yes"])
        .await
        .exits(2);
    assert!(early.stderr.contains("first complete aggregation"), "{}", early.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_succeeds_stays_when_something_fails() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    sandbox.write(
        "plan.json",
        r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"op":"add","name":"sharedMailbox","value":"O365Support: SendAs"},
        {"op":"add","name":"EXO_EmailAddresses","value":"smtp:mark.taylor@contoso.com"}]}]}"#,
    );
    let ran = sandbox.run_beside(&["apply", "plan.json", "--yes"]).await.exits(3);
    assert!(
        ran.stdout.contains("1 of 2 as asked") && ran.stdout.contains("Choose another address"),
        "{}",
        ran.all()
    );
    assert_eq!(rights(&account(&sandbox, KIM).await), ["O365Support: SendAs"]);
}
