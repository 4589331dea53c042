//! The Debian package: built from this program, with a configuration that the program itself understands.

#![allow(clippy::unwrap_used, reason = "tests may fail")]

use std::path::Path;
use std::process::{Command, Output};

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "Debian packages are built on Debian")]
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
    let checked = Command::new(unpacked.join("usr/bin/exogate"))
        .args(["config", "check", "--config"])
        .arg(unpacked.join("etc/exogate/exogate.toml"))
        .output()
        .unwrap();
    // Only what an administrator must fill in is wrong with it.
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(told.contains("is still the placeholder") && !told.contains("is not a known key"), "{told}");
}
