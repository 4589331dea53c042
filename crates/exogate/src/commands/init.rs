//! `exogate init`: a commented configuration file, never over an existing one.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use exogate_microsoft::Cloud;

use super::App;
use crate::config::FILE_NAME;
use crate::config::template::{self, Known};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::sink::AtomicFile;

/// Write a commented exogate.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file is written to ./exogate.toml, or where --config says, and never replaces one.
What is not given here is left as a placeholder, which `exogate config check` then names. --source names the source.

Example:
  exogate init --tenant contoso.onmicrosoft.com --client-id 0b9f3d0e-6a55-4a0c-8f1c-2f6a4d9e7701")]
pub struct Args {
    /// Tenant id or primary domain.
    #[arg(long)]
    tenant: Option<String>,
    /// Application (client) id of the app registration.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The certificate to sign in with (.pfx or .pem).
    #[arg(long, value_name = "FILE")]
    certificate: Option<String>,
    /// The cloud the tenant lives in.
    #[arg(long, default_value = "public", value_parser = ["public", "gcc-high", "dod", "china", "custom"])]
    cloud: String,
}

/// Runs the command.
pub fn run(args: Args, app: &App) -> Outcome {
    let given = app.global.config.clone().unwrap_or_else(|| PathBuf::from(FILE_NAME));
    let path = app.environment.absolute(&given);
    let source = app.global.source.clone().unwrap_or_else(|| {
        let first = args.tenant.as_deref().and_then(|tenant| tenant.split('.').next());
        let usable = first.filter(|name| uuid::Uuid::try_parse(name).is_err());
        usable.map_or_else(|| "main".to_owned(), str::to_lowercase)
    });
    if source.is_empty() || !source.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(Failure::usage("a source is named with letters, digits, '-' and '_' only"));
    }
    let known = Known {
        source,
        tenant: args.tenant,
        client_id: args.client_id,
        certificate: args.certificate,
        cloud: args.cloud,
    };
    let exists = || {
        Failure::usage(format!("{} exists already; it is left as it is", path.display()))
            .hint("edit it, or write another one with --config FILE")
    };
    let fails = |error| Failure::from(error).context(format!("cannot write {}", path.display()));
    if path.exists() {
        return Err(exists());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fails)?;
    }
    let mut file = AtomicFile::create(&path).map_err(fails)?;
    file.write_all(template::render(&known).as_bytes()).map_err(fails)?;
    file.commit_new().map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(),
        _ => fails(error),
    })?;
    if known.cloud == Cloud::Custom.name() {
        app.console.note("The custom cloud needs every address in [sources.….hosts].");
    }
    app.console.print(&format!(
        "Wrote {}\n\nNext:\n  exogate certificate create    make a certificate, and read where to upload it\n  \
         edit {}             tenant, client_id, certificate\n  exogate config check          every problem at \
         once\n  exogate test-connection       sign-in, permissions and roles",
        path.display(),
        given.display(),
    ))?;
    Ok(Exit::Done)
}
