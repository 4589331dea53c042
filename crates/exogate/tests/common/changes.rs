//! A tenant with one of every difficulty, aggregated, and what tests ask of it after changes.

use exogate_sim::{AppSpec, Scenario, SimOptions, TenantSource, TraceSink};
use serde_json::Value;

use super::Sandbox;
use super::tenant::Tenant;

const CONTOSO: &str = include_str!("../../../exogate-engine/tests/fixtures/contoso.toml");

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
pub async fn ready(scenario: Scenario) -> (Tenant, Sandbox) {
    let sandbox = Sandbox::new();
    sandbox.write("tenant.toml", CONTOSO);
    let options = SimOptions {
        tenant: TenantSource::Fixture(sandbox.path("tenant.toml")),
        scenario,
        trace: TraceSink::Memory,
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

pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Runs a change and gives the state of each operation.
pub async fn change(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
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

pub async fn account(sandbox: &Sandbox, who: &str) -> Value {
    let ran = sandbox.run_beside(&["get", "account", who, "--json"]).await.ok();
    lines(&ran.stdout).remove(0)
}

pub async fn group(sandbox: &Sandbox, who: &str) -> Value {
    let ran = sandbox.run_beside(&["get", "group", who, "--json"]).await.ok();
    lines(&ran.stdout).remove(0)
}

/// The rights on the mailbox that most is done to.
pub fn rights(account: &Value) -> Vec<String> {
    rights_on(account, "O365Support")
}

/// The rights on one mailbox.
pub fn rights_on(account: &Value, label: &str) -> Vec<String> {
    let list = account["attributes"]["sharedMailbox"].as_array().cloned().unwrap_or_default();
    let values = list.iter().map(|value| value.as_str().unwrap().to_owned());
    values.filter(|value| value.starts_with(&format!("{label}: "))).collect()
}

/// What the store says must be what a fresh reading of the whole tenant says.
pub async fn agrees_with_the_tenant(sandbox: &Sandbox) {
    sandbox.run_beside(&["aggregate", "all", "-o", "after.jsonl"]).await.ok();
    let runs = sandbox.run_beside(&["runs", "--json", "--limit", "1"]).await.ok();
    let run = lines(&runs.stdout).remove(0);
    assert_eq!(run["changes"], 0, "a change that exogate made itself is announced once: {run}");
}

pub const KIM: &str = "kim.akers@contoso.com";

pub async fn agrees_with_members(sandbox: &Sandbox, name: &str) {
    let before = group(sandbox, name).await["members"].clone();
    sandbox.run_beside(&["aggregate", "all", "-o", "after.jsonl"]).await.ok();
    assert_eq!(group(sandbox, name).await["members"], before, "{name}");
}
