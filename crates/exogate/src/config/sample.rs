//! For tests: a source that needs no more to be said about it, to put other tables in front of.

use std::path::PathBuf;

use super::{Config, parse};

const SOURCE: &str = r#"
[sources.contoso]
tenant = "contoso.onmicrosoft.com"
[sources.contoso.sign_in]
method = "certificate"
client_id = "0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701"
certificate = "exogate.pfx"
"#;

/// What is wrong with this before a source.
pub fn findings(text: &str) -> Vec<String> {
    let reading = parse(PathBuf::from("/etc/exogate.toml"), &format!("{text}{SOURCE}"));
    reading.problems.iter().map(ToString::to_string).collect()
}

/// The configuration that this before a source makes.
pub fn sound(text: &str) -> Config {
    let reading = parse(PathBuf::from("/etc/exogate.toml"), &format!("{text}{SOURCE}"));
    reading.config.unwrap_or_else(|| panic!("{:#?}", reading.problems))
}
