//! The coverage table of `docs/simulated-tenant.md`: every row is a request to the tenant, every state what came back.
//!
//! The table in the document is generated: `EXOGATE_WRITE_DOCS=1 cargo test -p exogate-sim --test coverage` writes it,
//! and without the variable the test fails when the document says something else.

// Helpers of tests fail by panicking, and not every test file uses every helper of the shared tenant.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, dead_code)]

mod cmdlets;
mod entities;
mod failures;
mod feed;
mod graph;
mod probe;
mod signin;
#[path = "../exchange/tenant.rs"]
mod tenant;

use std::path::PathBuf;

use probe::Table;

const BEGIN: &str = "<!-- generated from the code; do not edit below -->";
const END: &str = "<!-- end of the generated part -->";

fn document() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulated-tenant.md")
}

fn generated() -> String {
    let tables: Vec<Table> = [
        signin::tables(),
        graph::tables(),
        cmdlets::tables(),
        entities::tables(),
        failures::tables(),
        feed::tables(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut out = String::new();
    for table in &tables {
        out.push_str(&table.markdown());
    }
    out
}

#[test]
fn the_document_says_what_the_tenant_does() {
    let made = format!("{BEGIN}\n\n{}{END}", generated());
    let text = std::fs::read_to_string(document()).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the document has a generated part");
    let (_, tail) = rest.split_once(END).expect("the generated part has an end");
    if std::env::var_os("EXOGATE_WRITE_DOCS").is_some() {
        std::fs::write(document(), format!("{head}{made}{tail}")).unwrap();
        return;
    }
    let committed = format!("{BEGIN}{}{END}", &rest[..rest.find(END).unwrap()]);
    for (written, now) in committed.lines().zip(made.lines()) {
        assert_eq!(
            written, now,
            "EXOGATE_WRITE_DOCS=1 cargo test -p exogate-sim --test coverage brings it up to date"
        );
    }
    assert_eq!(committed.lines().count(), made.lines().count());
}

#[test]
fn the_examples_of_the_document_are_good() {
    let text = std::fs::read_to_string(document()).unwrap();
    let examples: Vec<&str> =
        text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    let folder = tempfile::tempdir().unwrap();
    let fixture = folder.path().join("tenant.toml");
    std::fs::write(&fixture, examples[0]).unwrap();
    let state =
        exogate_sim::fixture::read(&fixture, exogate_sim::clock::Time::from_seconds(tenant::START)).unwrap();
    assert_eq!(state.by_identity(false, "O365Support").len(), 1);
    let scenario = folder.path().join("scenario.toml");
    std::fs::write(&scenario, examples[1]).unwrap();
    assert_eq!(exogate_sim::Scenario::read(&scenario).unwrap().faults.len(), 2);
}
