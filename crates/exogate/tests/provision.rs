//! Changes through the binary against a simulated tenant: what is refused, shown, undone, and told.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is a user with a real clock"
)]

mod common;

use common::changes::{
    KIM, account, agrees_with_members, agrees_with_the_tenant, change, lines, ready, rights, rights_on,
};
use exogate_sim::Scenario;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};

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
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let writes = || tenant.sim.world().state().audit().iter().filter(|record| record.succeeded).count();
    let untouched = writes();
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
    let shown = sandbox.run_beside(&["plan", "plan.yaml", "--json"]).await.ok();
    assert_eq!(lines(&shown.stdout).len(), 4);
    assert!(lines(&shown.stdout).iter().all(|line| line["command"].is_string()), "{}", shown.all());
    assert_eq!(writes(), untouched, "nothing was written so far");
    assert_eq!(change(&sandbox, &["apply", "plan.yaml", "--yes"]).await, ["done"; 4]);
    // Stored state and feed know at once, and know that it was us.
    let feed = lines(&sandbox.run_beside(&["changes", "--json"]).await.ok().stdout);
    assert_eq!(feed.len(), 4, "{feed:#?}");
    assert!(
        feed.iter().all(|line| line["by"]["who"] == "ours" && line["learnt"] == "provisioned"),
        "{feed:#?}"
    );
    assert_eq!(rights(&account(&sandbox, KIM).await), ["O365Support: FullAccess", "O365Support: SendAs"]);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_owner_is_told_who_is() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    let config = sandbox.read("exogate.toml");
    sandbox.write(
        "exogate.toml",
        &config.replace(
            "aggregate_all_groups = true",
            "aggregate_all_groups = true\nbypass_security_group_manager_check = false",
        ),
    );
    let add = ["group", "add", "Inner circle", KIM];
    let shown = sandbox.run_beside(&["group", "add", "Inner circle", KIM, "--dry-run"]).await.ok();
    assert!(!shown.stdout.contains("Bypass"), "{}", shown.all());
    let refused = sandbox.run_beside(&add).await.exits(1);
    for says in
        ["is not an owner of Inner circle", "owners are Ines Boss", "bypass_security_group_manager_check"]
    {
        assert!(refused.stdout.contains(says), "{says}\n{}", refused.all());
    }
    sandbox.write("exogate.toml", &config);
    assert_eq!(change(&sandbox, &add).await, ["done"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_was_altered_is_found_out() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    assert_eq!(change(&sandbox, &["grant", "Quiet: SendAs", "--to", KIM]).await, ["done"]);
    let sound = sandbox.run_beside(&["operations", "verify", "--json"]).await.ok();
    let head = lines(&sound.stdout)[0]["head"].as_str().unwrap().to_owned();
    sandbox.run_beside(&["operations", "verify", "--head", &head]).await.ok();
    let journal = rusqlite::Connection::open(sandbox.path("exogate.journal")).unwrap();
    let refused = journal.execute("UPDATE entries SET record = '{}' WHERE sequence = 1", []).unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
    // Whoever owns the file can do more, and is found out.
    let rewrite = |from: &str, to: &str| {
        journal
            .execute("UPDATE entries SET record = replace(record, ?1, ?2) WHERE sequence = 1", (from, to))
            .unwrap();
    };
    journal.execute_batch("DROP TRIGGER entries_stay").unwrap();
    rewrite("kim.akers", "jim.akers");
    let found = sandbox.run_beside(&["operations", "verify"]).await.exits(1);
    assert!(found.stderr.contains("altered"), "{}", found.all());
    rewrite("jim.akers", "kim.akers");
    sandbox.run_beside(&["operations", "verify"]).await.ok();
    let strange = "0".repeat(63) + "1";
    let cut = sandbox.run_beside(&["operations", "verify", "--head", &strange]).await.exits(1);
    assert!(cut.stderr.contains("cut off or replaced"), "{}", cut.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_again_after_a_failure_does_only_what_is_missing() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    sandbox.write(
        "plan.json",
        r#"{"key":"k1","accounts":[{"account":"kim.akers@contoso.com","attributes":[
        {"op":"add","name":"sharedMailbox","value":["O365Support: SendAs","Quiet: FullAccess"]}]}],
        "groups":[{"group":"Night shift","operation":"create","kind":"distributionList","attributes":[
          {"op":"add","name":"owners","value":"ines.boss@contoso.com"},
          {"name":"EXO_CustomAttribute1","value":"x"}]}]}"#,
    );
    let when = FaultMatch { cmdlet: Some("Set-DistributionGroup".into()), ..FaultMatch::default() };
    tenant.sim.world().set_faults(vec![FaultRule { name: None, when, action: FaultAction::Nul403 }]);
    let partly = sandbox.run_beside(&["apply", "plan.json", "--yes"]).await.exits(3);
    assert!(partly.stdout.contains("3 of 4 as asked"), "{}", partly.all());
    tenant.sim.world().set_faults(Vec::new());
    let writes = || tenant.sim.world().state().audit().iter().filter(|record| record.succeeded).count();
    let before = writes();
    let again = sandbox.run_beside(&["apply", "plan.json", "--yes"]).await.ok();
    assert_eq!(writes() - before, 1, "{}", again.all());
    agrees_with_the_tenant(&sandbox).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_the_tenant_holds_the_answer_it_is_settled_by_the_next_command() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let writes = || tenant.sim.world().state().audit().iter().filter(|record| record.succeeded).count();
    let before = writes();
    let when = FaultMatch { cmdlet: Some("Add-MailboxPermission".into()), ..FaultMatch::default() };
    let action = FaultAction::Delay { millis: 600_000 };
    tenant.sim.world().set_faults(vec![FaultRule { name: None, when, action }]);
    let fired = || tenant.sim.world().faults.states().iter().map(|state| state.fired).sum::<u64>();
    let mut child = sandbox.start(&["grant", "Quiet: FullAccess", "--to", KIM]);
    while fired() == 0 || writes() == before {
        assert!(child.try_wait().unwrap().is_none(), "{}", sandbox.wait(child).await.all());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    child.kill().unwrap();
    sandbox.wait(child).await;
    tenant.sim.world().set_faults(Vec::new());
    assert!(rights_on(&account(&sandbox, KIM).await, "Quiet").is_empty(), "it was killed before it knew");
    let next = sandbox.run_beside(&["grant", "Quiet: SendAs", "--to", KIM]).await.ok();
    assert!(next.stderr.contains("had been interrupted"), "{}", next.all());
    assert_eq!(rights_on(&account(&sandbox, KIM).await, "Quiet"), ["Quiet: FullAccess", "Quiet: SendAs"]);
    assert_eq!(writes() - before, 2, "each once");
    let listed = sandbox.run_beside(&["operations", "--json"]).await.ok();
    assert!(lines(&listed.stdout).iter().all(|line| line["outcome"]["state"] == "done"), "{}", listed.all());
    agrees_with_the_tenant(&sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_at_one_object_come_one_after_the_other() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let writes = || tenant.sim.world().state().audit().iter().filter(|record| record.succeeded).count();
    let before = writes();
    // The tenant does not answer until it is allowed to.
    let when = FaultMatch { cmdlet: Some("Add-MailboxPermission".into()), ..FaultMatch::default() };
    let action = FaultAction::Delay { millis: 4000 };
    tenant.sim.world().set_faults(vec![FaultRule { name: None, when, action }]);
    let fired = || tenant.sim.world().faults.states().iter().map(|state| state.fired).sum::<u64>();
    let first = sandbox.start(&["grant", "Quiet: FullAccess", "--to", KIM, "--json"]);
    while fired() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // While the right is being given it is taken: in this order, so that nobody holds it in the end.
    let second = sandbox.start(&["revoke", "Quiet: FullAccess", "--from", KIM, "--json"]);
    // Another object is nobody's concern.
    let other = sandbox.run_beside(&["grant", "O365Support: SendAs", "--to", KIM]).await.ok();
    assert!(other.stdout.contains("1 of 1 as asked"), "{}", other.all());
    for child in [first, second] {
        let ran = sandbox.wait(child).await.ok();
        assert_eq!(lines(&ran.stdout)[0]["outcome"]["state"], "done", "{}", ran.all());
    }
    assert_eq!(writes() - before, 3);
    assert!(rights_on(&account(&sandbox, KIM).await, "Quiet").is_empty());
    agrees_with_the_tenant(&sandbox).await;
}
