//! The test of a connection: green where all is granted, and where it is not, the right line is
//! red and says what to do.

mod support;

use exogate_engine::connection::{self, Check, Verdict};
use exogate_model::source::SourceOptions;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_sim::{AppSpec, Scenario};
use support::{CONTOSO, Sim, context};

async fn checks(app: AppSpec, scenario: Scenario) -> Vec<Check> {
    let options = SourceOptions {
        aggregate_all_groups: true,
        manage_microsoft_365_groups: true,
        ..SourceOptions::default()
    };
    checks_of(options, app, scenario).await
}

async fn checks_of(options: SourceOptions, app: AppSpec, scenario: Scenario) -> Vec<Check> {
    let sim = Sim::with_app(CONTOSO, scenario, app).await;
    let mut told = Vec::new();
    let checks =
        connection::test(&sim.tenant(true), &context(options), &mut |check| told.push(check.clone())).await;
    assert_eq!(told, checks, "each is told as it is made");
    checks
}

fn failures(checks: &[Check]) -> Vec<(&str, &str)> {
    checks
        .iter()
        .filter_map(|check| match &check.verdict {
            Verdict::Failed { remedy, .. } => Some((check.what.as_str(), remedy.as_str())),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_granted_is_green() {
    let checks = checks(AppSpec::exogate(), Scenario::default()).await;
    assert!(checks.iter().all(|check| check.verdict == Verdict::Passed), "{checks:#?}");
    for what in [
        "sign-in for Microsoft Graph",
        "permission to read users (User.Read.All)",
        "sign-in for Exchange Online",
        "application permission Exchange.ManageAsApp",
        "cmdlet Get-Mailbox",
        "cmdlet Get-CASMailbox",
        "cmdlet Get-MailboxPermission",
        "cmdlet Get-RecipientPermission",
        "cmdlet Get-DynamicDistributionGroup",
    ] {
        assert!(checks.iter().any(|check| check.what == what), "{what} in {checks:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_missing_grant_is_its_own_red_line() {
    let app = AppSpec::exogate;
    let without =
        |role: &str| AppSpec { roles: app().roles.into_iter().filter(|r| r != role).collect(), ..app() };
    let found = checks(AppSpec { directory_roles: Vec::new(), ..app() }, Scenario::default()).await;
    let [(what, remedy)] = failures(&found)[..] else { panic!("{found:#?}") };
    assert_eq!(what, "Exchange role");
    assert!(remedy.contains("Exchange Recipient Administrator"));

    let found = checks(without("Exchange.ManageAsApp"), Scenario::default()).await;
    let failed = failures(&found);
    assert_eq!(failed.len(), 1, "{found:#?}");
    assert!(failed[0].1.contains("Exchange.ManageAsApp"), "{failed:?}");

    let only = AppSpec { roles: vec!["GroupMember.Read.All".into(), "Exchange.ManageAsApp".into()], ..app() };
    let found = checks(only, Scenario::default()).await;
    let [(what, remedy)] = failures(&found)[..] else { panic!("{found:#?}") };
    assert!(what.contains("User.Read.All") && remedy.contains("User.Read.All"), "{what} {remedy}");

    let mut scenario = Scenario::default();
    scenario.exchange.global_reader_recipient_permission = false;
    let reader = AppSpec { directory_roles: vec!["Global Reader".into()], ..app() };
    let found = checks(reader, scenario).await;
    let [(what, remedy)] = failures(&found)[..] else { panic!("{found:#?}") };
    assert_eq!(what, "cmdlet Get-RecipientPermission");
    assert!(remedy.contains("Mail Recipients"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_manages_users_needs_more() {
    let managing = || SourceOptions { manage_users: true, ..SourceOptions::default() };
    let app = |more: &[&str], role: &str| {
        let mut app = AppSpec::exogate();
        app.roles
            .retain(|held| !held.starts_with("User.ReadWrite") && !held.starts_with("Directory.ReadWrite"));
        app.roles.extend(more.iter().map(|role| (*role).to_owned()));
        app.directory_roles.push(role.to_owned());
        app
    };
    let reader = app(&[], "Global Reader");
    let found = checks_of(managing(), reader.clone(), Scenario::default()).await;
    let [(what, remedy)] = failures(&found)[..] else { panic!("{found:#?}") };
    assert!(
        what.contains("make and change users") && remedy.contains("User.ReadWrite.All"),
        "{what} {remedy}"
    );
    // Whoever manages none is not asked for it.
    let found = checks_of(SourceOptions::default(), reader, Scenario::default()).await;
    assert!(found.iter().all(|check| check.verdict == Verdict::Passed), "{found:#?}");

    let writer = app(&["User.ReadWrite.All"], "Global Reader");
    let found = checks_of(managing(), writer, Scenario::default()).await;
    let warned: Vec<_> = found
        .iter()
        .filter(|check| check.verdict != Verdict::Passed)
        .map(|check| check.what.as_str())
        .collect();
    assert_eq!(warned, ["permission to set passwords (User-PasswordProfile.ReadWrite.All)"], "{found:#?}");
    let all = app(&["User.ReadWrite.All", "User-PasswordProfile.ReadWrite.All"], "User Administrator");
    let found = checks_of(managing(), all, Scenario::default()).await;
    assert!(found.iter().all(|check| check.verdict == Verdict::Passed), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_listing_is_a_warning_and_a_proxy_is_a_host_that_does_not_answer() {
    let fault = |cmdlet: Option<&str>, path: Option<&str>, times, action| FaultRule {
        name: None,
        when: FaultMatch {
            cmdlet: cmdlet.map(str::to_owned),
            path: path.map(str::to_owned),
            times,
            ..FaultMatch::default()
        },
        action,
    };
    let listing = fault(Some("Get-RecipientPermission"), None, Some(1), FaultAction::Nul403);
    let found = checks(AppSpec::exogate(), Scenario { faults: vec![listing], ..Scenario::default() }).await;
    assert!(failures(&found).is_empty(), "{found:#?}");
    assert_eq!(found.iter().filter(|check| matches!(check.verdict, Verdict::Warning { .. })).count(), 1);

    let proxy = fault(None, Some("adminapi"), None, FaultAction::Html { status: 200 });
    let found = checks(AppSpec::exogate(), Scenario { faults: vec![proxy], ..Scenario::default() }).await;
    let [(what, _)] = failures(&found)[..] else { panic!("{found:#?}") };
    assert!(what.starts_with("host localhost:"), "{what}");
}
