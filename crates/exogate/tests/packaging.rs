//! The Debian package: built from this program, with a configuration that the program itself understands.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests may fail")]

use std::path::Path;
use std::process::{Command, Output};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The unit names what the package brings, and nothing that systemd does not know.
fn check_unit(unpacked: &Path) {
    let unit = unpacked.join("lib/systemd/system/exogate.service");
    let text = std::fs::read_to_string(&unit).unwrap();
    let command = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = command.split(' ');
    assert!(unpacked.join(&words.next().unwrap()[1..]).exists(), "{command}");
    assert!(words.any(|word| unpacked.join(&word[1..]).is_file()), "{command} has no configuration");
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return;
    }
    // Of what it names, only the program is looked for: put it where it is.
    let here = unpacked.join("verified.service");
    std::fs::write(&here, text.replace("ExecStart=/usr", &format!("ExecStart={}/usr", unpacked.display())))
        .unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg(&here).output().unwrap();
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(!told.lines().any(|line| line.contains("verified.service")), "{told}");
}

/// Runs a script of the package among commands that only say that they were called.
fn script(folder: &Path, name: &str, arguments: &[&str], there_is_a_user: bool) -> String {
    let commands = folder.join("commands");
    std::fs::create_dir_all(&commands).unwrap();
    let log = folder.join("called");
    std::fs::write(&log, "").unwrap();
    for command in ["getent", "adduser", "chown", "chmod", "install", "systemctl"] {
        let code = i32::from(command == "getent" && !there_is_a_user);
        let text = format!("#!/bin/sh\necho {command} \"$@\" >> '{}'\nexit {code}\n", log.display());
        std::fs::write(commands.join(command), text).unwrap();
        run(Command::new("/bin/chmod").arg("0755").arg(commands.join(command)));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/debian").join(name);
    run(Command::new("/bin/sh").arg(script).args(arguments).env("PATH", &commands));
    std::fs::read_to_string(log).unwrap()
}

#[test]
fn an_installation_makes_the_user_once_and_keeps_others_from_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let first = script(folder.path(), "postinst", &["configure", ""], false);
    for wanted in [
        "adduser --system --group",
        "chown root:exogate /etc/exogate /etc/exogate/exogate.toml",
        "chmod 0640 /etc/exogate/exogate.toml",
        "install -d -o exogate -g exogate -m 0700 /var/lib/exogate",
    ] {
        assert!(first.contains(wanted), "{wanted}\n{first}");
    }
    assert!(!first.contains("restart"), "a first installation is started by hand: {first}");
    let upgrade = script(folder.path(), "postinst", &["configure", "0.0.1"], true);
    assert!(!upgrade.contains("adduser") && upgrade.contains("chmod 0640"), "{upgrade}");
    assert_eq!(script(folder.path(), "postinst", &["abort-upgrade", "0.0.1"], true), "");
    for (name, argument) in
        [("prerm", "upgrade"), ("prerm", "remove"), ("postrm", "remove"), ("postrm", "purge")]
    {
        let called = script(folder.path(), name, &[argument], true);
        assert!(!called.contains("userdel") && !called.contains("rm "), "{name} {argument}: {called}");
    }
}

#[test]
fn a_package_holds_the_program_the_unit_and_a_configuration() {
    if !Path::new("/usr/bin/dpkg-deb").exists() {
        // Another Linux: there is nothing that this could prove.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = assert_cmd::cargo::cargo_bin!("exogate");
    let built = run(Command::new(root.join("packaging/build-deb"))
        .arg(program)
        .arg(folder.path())
        .env("DEB_COMPRESSION", "none"));
    let package = String::from_utf8(built.stdout).unwrap().trim().to_owned();

    let listed = run(Command::new("dpkg-deb").args(["--contents", &package]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    for wanted in [
        "./usr/bin/exogate",
        "./lib/systemd/system/exogate.service",
        "./etc/exogate/exogate.toml",
        "./usr/share/doc/exogate/serve.md",
        "./usr/share/bash-completion/completions/exogate",
    ] {
        assert!(
            listed.lines().any(|line| line.ends_with(wanted) && line.contains("root/root")),
            "{wanted}\n{listed}"
        );
    }
    let version = run(Command::new("dpkg-deb").args(["--field", &package, "Version"]));
    assert_eq!(String::from_utf8(version.stdout).unwrap().trim(), env!("CARGO_PKG_VERSION"));

    let unpacked = folder.path().join("unpacked");
    run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&unpacked));
    check_unit(&unpacked);
    let checked = Command::new(unpacked.join("usr/bin/exogate"))
        .args(["config", "check", "--config"])
        .arg(unpacked.join("etc/exogate/exogate.toml"))
        .output()
        .unwrap();
    // Only what an administrator must fill in is wrong with it.
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(told.contains("is still the placeholder") && !told.contains("is not a known key"), "{told}");
}
