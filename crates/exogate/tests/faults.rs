//! What goes wrong: each gets one clear message, a remedy and a documented exit code, and nothing stored is lost.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use std::time::Duration;

use common::Sandbox;
use common::tenant::Tenant;
use exogate_microsoft::certificate::create_self_signed;
use exogate_sim::faults::{FaultAction, FaultMatch, FaultRule};
use exogate_sim::latency::Profile;
use exogate_sim::server::operation::Service;
use exogate_sim::{AppSpec, Scenario};

fn fault(when: FaultMatch, action: FaultAction) -> Scenario {
    Scenario { faults: vec![FaultRule { name: None, when, action }], ..Scenario::default() }
}

#[test]
fn a_certificate_that_cannot_be_used() {
    let sandbox = Sandbox::new();
    let long_ago = "2020-01-01T00:00:00Z".parse().unwrap();
    let made = create_self_signed("old", 30, 2048, long_ago).unwrap();
    sandbox.write("old.pem", &format!("{}{}", made.pem_key(), made.pem_cert()));
    std::fs::write(sandbox.path("old.pfx"), made.pfx("right").unwrap()).unwrap();
    let with = |certificate: &str| {
        let text = format!(
            "[sources.a]\ntenant = \"contoso.com\"\n[sources.a.sign_in]\nmethod = \"certificate\"\n\
             client_id = \"0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701\"\ncertificate = {certificate}\n"
        );
        sandbox.write("exogate.toml", &text);
        sandbox.run(&["aggregate", "all"]).exits(2)
    };
    let expired = with("\"old.pem\"");
    assert!(expired.stderr.contains("2020-01-31"), "{}", expired.all());
    let locked = with("\"old.pfx\"\ncertificate_password = \"wrong\"");
    assert!(locked.stderr.to_lowercase().contains("password"), "{}", locked.all());
    assert!(!sandbox.path("exogate.db").exists(), "nothing was attempted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_tenant_refuses_exits_with_4() {
    let no_groups =
        AppSpec { roles: vec!["User.Read.All".into(), "Exchange.ManageAsApp".into()], ..AppSpec::exogate() };
    let tenant = Tenant::with(Scenario::default(), no_groups, 20).await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");
    let tested = sandbox.run_beside(&["test-connection"]).await.exits(4);
    assert!(tested.stdout.contains("FAILED   permission to read groups"), "{}", tested.all());
    assert!(tested.stdout.contains("GroupMember.Read.All"), "{}", tested.all());

    sandbox.write("secret", "wrong");
    let refused = sandbox.run_beside(&["aggregate", "all"]).await.exits(4);
    assert!(refused.stderr.contains("hint: "), "{}", refused.all());

    tenant.configure(&sandbox, "");
    let text = sandbox.read("exogate.toml");
    let elsewhere = text.replace(&tenant.sim.tenant().tenant_id.to_string(), "fabrikam.onmicrosoft.com");
    sandbox.write("exogate.toml", &elsewhere);
    let wrong = sandbox.run_beside(&["test-connection"]).await.exits(4);
    assert!(wrong.stdout.contains("AADSTS90002"), "{}", wrong.all());
    assert!(wrong.stderr.contains("fabrikam.onmicrosoft.com"), "{}", wrong.all());
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_reached_exits_with_1() {
    let html = FaultMatch { service: Some(Service::Graph), ..FaultMatch::default() };
    let tenant = Tenant::with(fault(html, FaultAction::Html { status: 200 }), AppSpec::exogate(), 20).await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");
    let proxied = sandbox.run_beside(&["test-connection"]).await.exits(1);
    assert!(proxied.stdout.contains("proxy"), "{}", proxied.all());

    let text = sandbox.read("exogate.toml");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap().to_string();
    drop(listener);
    sandbox.write("exogate.toml", &text.replace(&tenant.sim.addr().to_string(), &closed));
    let unreachable = sandbox.run_beside(&["test-connection"]).await.exits(1);
    assert!(unreachable.stdout.contains(&closed), "{}", unreachable.all());
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_cut_short_deletes_nothing_and_writes_no_file() {
    let tenant = Tenant::small().await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");
    sandbox.run_beside(&["aggregate", "accounts", "-o", "accounts.jsonl"]).await.ok();
    let before = sandbox.read("accounts.jsonl");

    let refuse = FaultMatch { cmdlet: Some("Get-MailboxPermission".into()), ..FaultMatch::default() };
    tenant.sim.world().set_scenario(fault(refuse, FaultAction::Nul403));
    let partly = sandbox.run_beside(&["aggregate", "accounts", "-o", "accounts.jsonl"]).await.exits(3);
    assert!(partly.stderr.contains("mailboxPermissions"), "{}", partly.all());
    assert_eq!(sandbox.read("accounts.jsonl"), before, "the old file stays");
    let stored = sandbox.run_beside(&["aggregate", "accounts", "--stored", "--json"]).await.ok();
    assert_eq!(stored.stdout, before, "nothing was deleted");

    tenant.sim.world().set_scenario(Scenario::default());
    let resumed = sandbox.run_beside(&["aggregate", "accounts", "-o", "accounts.jsonl"]).await.ok();
    assert!(resumed.stderr.contains("going on with the run that began at"), "{}", resumed.all());
    assert_eq!(sandbox.read("accounts.jsonl"), before);
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deletion_guard_exits_with_6() {
    let large = Tenant::with(Scenario::default(), AppSpec::exogate(), 60).await;
    let sandbox = Sandbox::new();
    large.configure(&sandbox, "");
    sandbox.run_beside(&["aggregate", "all"]).await.ok();
    let before = sandbox.run_beside(&["aggregate", "accounts", "--stored", "--json"]).await.ok().stdout;
    large.sim.shutdown().await;

    let small = Tenant::with(Scenario::default(), AppSpec::exogate(), 20).await;
    small.configure(&sandbox, "");
    let guarded = sandbox.run_beside(&["aggregate", "all"]).await.exits(6);
    assert!(guarded.stderr.contains("--allow-deletions"), "{}", guarded.all());
    let names = |text: &str| text.lines().count();
    let kept = sandbox.run_beside(&["aggregate", "accounts", "--stored", "--json"]).await.ok().stdout;
    assert!(names(&kept) >= names(&before), "nothing was deleted");
    sandbox.run_beside(&["aggregate", "all", "--allow-deletions"]).await.ok();
    let after = sandbox.run_beside(&["aggregate", "accounts", "--stored", "--json"]).await.ok().stdout;
    assert!(names(&after) < names(&before));
    small.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_and_an_interrupted_one() {
    let mut slow = Scenario::default();
    slow.latency.profile = Profile::Measured;
    let tenant = Tenant::with(slow, AppSpec::exogate(), 20).await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");
    let first = sandbox.start(&["aggregate", "all"]);
    let mut active = false;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let runs = sandbox.run_beside(&["runs", "--json"]).await;
        if runs.code == 0 && runs.stdout.contains("\"state\":\"running\"") {
            active = true;
            break;
        }
    }
    assert!(active, "the first run begins");
    let second = sandbox.run_beside(&["aggregate", "all"]).await.exits(5);
    assert!(second.stderr.contains("under way"), "{}", second.all());

    std::process::Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    let stopped = sandbox.wait(first).await.exits(130);
    assert!(stopped.stderr.contains("go on with: exogate aggregate all"), "{}", stopped.all());

    // Twice: at once, and without leaving half a file.
    let hasty = sandbox.start(&["aggregate", "accounts", "-o", "accounts.csv"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for _ in 0..2 {
        std::process::Command::new("kill").args(["-INT", &hasty.id().to_string()]).status().unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    sandbox.wait(hasty).await.exits(130);
    let left: Vec<_> = std::fs::read_dir(sandbox.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("accounts"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    tenant.sim.world().set_scenario(Scenario::default());
    sandbox.run_beside(&["aggregate", "all"]).await.ok();
    tenant.sim.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_or_an_output_that_cannot_be_used() {
    let tenant = Tenant::small().await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");
    let nowhere =
        sandbox.run_beside(&["aggregate", "groups", "-o", "no/such/folder/groups.csv"]).await.exits(1);
    assert!(nowhere.stderr.contains("cannot write $DIR/no/such/folder/groups.csv"), "{}", nowhere.all());
    assert!(!sandbox.path("exogate.db").exists(), "told before anything is read");
    sandbox.run_beside(&["aggregate", "groups", "-o", "groups.csv"]).await.ok();

    sandbox.write("other.toml", &format!("{}\n[store]\npath = \"notes.txt\"\n", tenant.configuration("")));
    sandbox.write("notes.txt", &"these are no data at all\n".repeat(100));
    let foreign = sandbox.run_beside(&["--config", "other.toml", "aggregate", "groups"]).await.exits(1);
    assert!(foreign.stderr.contains("not an exogate store"), "{}", foreign.all());

    let store = rusqlite::Connection::open(sandbox.path("exogate.db")).unwrap();
    store.pragma_update(None, "user_version", 99_999).unwrap();
    drop(store);
    let newer = sandbox.run_beside(&["runs"]).await.exits(1);
    assert!(newer.stderr.contains("newer exogate"), "{}", newer.all());
    tenant.sim.shutdown().await;
}

/// Without root there is no small disk to fill: a limit on the size of files fails the same writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_finds_no_space_leaves_the_old_file() {
    let tenant = Tenant::with(Scenario::default(), AppSpec::exogate(), 300).await;
    let sandbox = Sandbox::new();
    tenant.configure(&sandbox, "");
    let full = sandbox.run_beside(&["aggregate", "accounts", "-o", "/dev/full"]).await.exits(1);
    assert!(full.stderr.contains("cannot write /dev/full: No space left on device"), "{}", full.all());
    assert!(full.stderr.contains("hint: free some space"), "{}", full.all());
    assert!(full.stderr.contains("--stored"), "{}", full.all());
    tenant.sim.shutdown().await;

    sandbox.write("accounts.jsonl", "old");
    let limited = "trap '' XFSZ; ulimit -f 40; exec \"$0\" aggregate accounts --stored -o accounts.jsonl";
    let mut shell = sandbox.command::<&str>(&[]);
    let program = shell.get_program().to_owned();
    shell = std::process::Command::new("bash");
    shell.args(["-c", limited]).arg(program).current_dir(sandbox.path("")).env("HOME", sandbox.path(""));
    let cut = common::Ran::of(shell.output().unwrap(), &sandbox.path("")).exits(1);
    assert!(cut.stderr.contains("accounts.jsonl: File too large"), "{}", cut.all());
    assert!(cut.stderr.contains("ulimit -f"), "{}", cut.all());
    assert_eq!(sandbox.read("accounts.jsonl"), "old");
    let half_written = std::fs::read_dir(sandbox.path("")).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".accounts.jsonl.")
    });
    assert_eq!(half_written.count(), 0);

    let whole = sandbox.run(&["aggregate", "accounts", "--stored", "-o", "accounts.jsonl"]).ok();
    assert!(sandbox.read("accounts.jsonl").len() > 40 * 1024, "{}", whole.all());
}
