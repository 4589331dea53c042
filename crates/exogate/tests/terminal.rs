//! What is asked at a real terminal, and what the answers come to.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is a user with a real clock"
)]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::process::Command;

use common::Sandbox;
use common::changes::{KIM, account, ready, rights_on};
use exogate_sim::Scenario;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

const PLAN: &str = r"
accounts:
  - account: kim.akers@contoso.com
    attributes:
      - { op: add, name: sharedMailbox, value: 'Quiet: SendAs' }
      - { op: set, name: EXO_CustomAttribute2, value: VALUE }
";

/// What a person at a terminal sees of a command, and its exit code. Each question that shows up gets
/// its answer, in this order.
async fn converse(sandbox: &Sandbox, arguments: &[&str], talk: &[(&str, &str)]) -> (i32, String) {
    let command = sandbox.command(arguments);
    let talk: Vec<(String, String)> = talk.iter().map(|(q, a)| ((*q).to_owned(), (*a).to_owned())).collect();
    tokio::task::spawn_blocking(move || at_terminal(command, talk)).await.unwrap()
}

fn at_terminal(mut command: Command, talk: Vec<(String, String)>) -> (i32, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let theirs = ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut child = command.spawn().unwrap();
    // Its copies of their side go with it, so that the end of the program is the end of the text.
    drop(command);
    let (mut screen, mut seen, mut talk) = (File::from(ours), Vec::new(), talk.into_iter().peekable());
    let mut answered = 0;
    loop {
        let mut piece = [0; 4096];
        match screen.read(&mut piece) {
            Ok(read) if read > 0 => seen.extend_from_slice(&piece[..read]),
            _ => break,
        }
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((question, answer)) = talk.peek()
            && text[answered.min(text.len())..].contains(question.as_str())
        {
            writeln!(screen, "{answer}").unwrap();
            answered = text.len();
            talk.next();
        }
    }
    let code = child.wait().unwrap().code().unwrap();
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(talk.next().is_none(), "not everything was asked:\n{text}");
    (code, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_to_be_reviewed_is_asked_for_and_needs_a_yes() {
    let (tenant, sandbox) = ready(Scenario::default()).await;
    let writes = || tenant.sim.world().state().audit().iter().filter(|record| record.succeeded).count();
    let before = writes();
    let review = "1 of 2 operations must be reviewed. Confirm them? [y/N]";

    sandbox.write("plan.yaml", &PLAN.replace("VALUE", "first"));
    // No, nothing, and anything but yes: not carried out. `--yes` does not stand for a review.
    for (arguments, answer) in [
        (&["apply", "plan.yaml"][..], "n"),
        (&["apply", "plan.yaml"], ""),
        (&["apply", "plan.yaml"], "perhaps"),
        (&["apply", "plan.yaml", "--yes"], "no"),
    ] {
        let (code, text) = converse(&sandbox, arguments, &[(review, answer)]).await;
        assert_eq!(code, 2, "{text}");
        assert!(text.contains("nothing was carried out") && text.contains("--reviewed"), "{text}");
        assert_eq!(writes(), before, "{arguments:?} {answer:?}: {text}");
    }
    let (code, text) = converse(&sandbox, &["apply", "plan.yaml"], &[(review, "y")]).await;
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("To be reviewed:") && text.contains("EXO_CustomAttribute2: (none) → first"),
        "{text}"
    );
    assert_eq!(writes() - before, 2, "{text}");

    // Reviewed beforehand, it is only asked whether to begin.
    sandbox.write("plan.yaml", &PLAN.replace("VALUE", "second"));
    let whether = "Carry out 2 operations? [y/N]";
    let (code, text) = converse(&sandbox, &["apply", "plan.yaml", "--reviewed"], &[(whether, "n")]).await;
    assert_eq!((code, writes() - before), (2, 2), "{text}");
    let (code, text) = converse(&sandbox, &["apply", "plan.yaml", "--reviewed"], &[(whether, "yes")]).await;
    assert_eq!((code, writes() - before), (0, 3), "{text}");
    sandbox.write("plan.yaml", &PLAN.replace("VALUE", "third"));
    let (code, text) = converse(&sandbox, &["apply", "plan.yaml", "--reviewed", "--yes"], &[]).await;
    assert_eq!((code, writes() - before), (0, 4), "{text}");

    let kim = account(&sandbox, KIM).await;
    assert_eq!(kim["attributes"]["EXO_CustomAttribute2"], "third");
    assert_eq!(rights_on(&kim, "Quiet"), ["Quiet: SendAs"]);
    // Where nobody can be asked, nothing is assumed.
    sandbox.write("plan.yaml", &PLAN.replace("VALUE", "fourth"));
    let ran = sandbox.run_beside(&["apply", "plan.yaml", "--yes"]).await.exits(2);
    assert!(ran.stderr.contains("must be reviewed"), "{}", ran.all());
    assert_eq!(writes() - before, 4);
}
