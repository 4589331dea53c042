//! The table of what the reference can do, row by row through the binary against the simulated
//! tenant: mailbox attributes, shared mailbox, group attributes, distribution list, mail-enabled
//! security group; each aggregated, modified, added to and removed from, made and deleted.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is a user with a real clock"
)]

mod common;

use common::Sandbox;
use common::changes::{KIM, account, agrees_with_the_tenant, change, group, lines, ready, rights};
use exogate_sim::Scenario;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailbox_attributes() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    // Aggregation.
    let mark = account(&sandbox, "mark.taylor@contoso.com").await;
    assert_eq!(mark["attributes"]["EXO_CustomAttribute1"], "blue");
    assert_eq!(mark["attributes"]["EXO_ImapEnabled"], false);
    // Modification, of mailboxes of every kind.
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
    // Adding, removing and clearing values.
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
async fn shared_mailbox() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    // Aggregation.
    let listed = sandbox.run_beside(&["aggregate", "entitlements", "--format", "jsonl"]).await.ok();
    let values: Vec<String> =
        lines(&listed.stdout).iter().map(|line| line["value"].as_str().unwrap().to_owned()).collect();
    assert!(values.contains(&"O365Support: SendAs".to_owned()), "{values:?}");
    let mark = account(&sandbox, "mark.taylor@contoso.com").await;
    assert_eq!(
        rights(&mark),
        ["O365Support: FullAccess", "O365Support: ReadPermission", "O365Support: SendAs"]
    );
    // Adding and removing.
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
async fn group_attributes() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    for name in ["All staff", "Inner circle"] {
        // Aggregation.
        let before = group(&sandbox, name).await;
        assert!(before["attributes"]["EXO_PrimarySmtpAddress"].is_string(), "{before}");
        assert_eq!(before["attributes"]["EXO_HiddenFromAddressListsEnabled"], false, "{before}");
        // Modification.
        let set = ["group", "set", name, "EXO_CustomAttribute1=x", "EXO_HiddenFromAddressListsEnabled=true"];
        assert_eq!(change(&sandbox, &set).await, ["done"], "one call: {name}");
        assert_eq!(change(&sandbox, &set).await, ["alreadySo"], "{name}");
        let after = group(&sandbox, name).await;
        assert_eq!(after["attributes"]["EXO_CustomAttribute1"], "x");
        assert_eq!(after["attributes"]["EXO_HiddenFromAddressListsEnabled"], true);
        assert_eq!(
            change(&sandbox, &["group", "set", name, "--clear", "EXO_CustomAttribute1"]).await,
            ["done"],
            "{name}"
        );
    }
    // Adding and removing single values.
    let list = |verb: &'static str| {
        ["group", "set", "All staff", verb, "EXO_AcceptMessagesOnlyFrom=kim.akers@contoso.com"]
    };
    assert_eq!(change(&sandbox, &list("--add")).await, ["done"]);
    let restricted = group(&sandbox, "All staff").await["attributes"]["EXO_AcceptMessagesOnlyFrom"].clone();
    assert_eq!(restricted.as_array().map(Vec::len), Some(1), "{restricted}");
    assert_eq!(change(&sandbox, &list("--remove")).await, ["done"]);
    // A Microsoft 365 group has attributes of Exchange as well.
    let hide = ["group", "set", "Project X", "EXO_HiddenFromAddressListsEnabled=true"];
    assert_eq!(change(&sandbox, &hide).await, ["done"]);
    agrees_with_the_tenant(&sandbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distribution_list() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    group_of_exchange(&sandbox, "All staff", "Sales list", "distributionList").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_enabled_security_group() {
    let (_tenant, sandbox) = ready(Scenario::default()).await;
    group_of_exchange(&sandbox, "Support team", "Sales guards", "mailEnabledSecurity").await;
}

async fn group_of_exchange(sandbox: &Sandbox, there: &str, name: &str, kind: &str) {
    const INES: &str = "ines.boss@contoso.com";
    const MARK: &str = "mark.taylor@contoso.com";
    // Aggregation.
    let known = group(sandbox, there).await;
    assert_eq!(known["kind"], kind);
    assert!(known["members"].as_array().is_some_and(|members| !members.is_empty()), "{known}");
    // Creation, with what goes with it and what is set after it.
    let create = [
        "group",
        "create",
        name,
        "--kind",
        kind,
        "--owner",
        INES,
        "--member",
        KIM,
        "--alias",
        "saleslist",
        "EXO_CustomAttribute1=made",
    ];
    assert_eq!(change(sandbox, &create).await, ["done", "done"]);
    let made = group(sandbox, name).await;
    assert_eq!((&made["kind"], made["members"].as_array().map(Vec::len)), (&kind.into(), Some(1)), "{made}");
    agrees_with_the_tenant(sandbox).await;
    assert!(
        change(sandbox, &create).await.iter().all(|state| state == "alreadySo"),
        "the same request again"
    );
    let other = sandbox.run_beside(&["group", "create", name, "--kind", kind, "--owner", KIM]).await.exits(2);
    assert!(other.stderr.contains("exists already"), "{}", other.all());
    // Members and owners.
    let table: [(&[&str], &str); 8] = [
        (&["group", "add", name, MARK, "O365Support"], "done done"),
        (&["group", "add", name, MARK], "alreadySo"),
        (&["group", "remove", name, KIM, "O365Support"], "done done"),
        (&["group", "remove", name, KIM], "alreadySo"),
        (&["group", "owner", "add", name, KIM], "done"),
        (&["group", "owner", "add", name, KIM], "alreadySo"),
        (&["group", "owner", "remove", name, INES], "done"),
        (&["group", "set", name, "EXO_CustomAttribute1=changed"], "done"),
    ];
    for (arguments, wanted) in table {
        assert_eq!(change(sandbox, arguments).await.join(" "), wanted, "{arguments:?}");
    }
    agrees_with_the_tenant(sandbox).await;
    let last = sandbox.run_beside(&["group", "owner", "remove", name, KIM]).await;
    assert!(last.all().contains("no owner left"), "{}", last.all());
    // Deletion.
    assert_eq!(change(sandbox, &["group", "delete", name]).await, ["done"]);
    let gone = sandbox.run_beside(&["get", "group", name]).await;
    assert_ne!(gone.code, 0, "{}", gone.all());
    agrees_with_the_tenant(sandbox).await;
}
