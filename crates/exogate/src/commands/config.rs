//! `exogate config check`: every problem of the configuration at once.

use serde_json::json;

use super::App;
use crate::config::problems::Severity;
use crate::config::source::governed_kinds;
use crate::config::{self, Config, Source, tenant, webhook};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::sink::Sink;

/// Look at the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check the file, the secrets it names and the certificates, and tell every problem at once.
    ///
    /// Nothing is sent to the tenant; `exogate test-connection` does that.
    Check,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let Action::Check = args.action;
    let reading = config::read(app.global.config.as_deref(), &app.environment)?;
    let unready: Vec<String> = reading.config.iter().flat_map(|config| unready(config, app)).collect();
    if app.global.json {
        return json(&reading, &unready, app);
    }
    for problem in reading.problems.iter().filter(|problem| problem.severity == Severity::Warning) {
        app.console.warn(&problem.to_string());
    }
    let Some(config) = reading.config else {
        return Err(config::refuse(&reading.path, &reading.problems));
    };
    if !unready.is_empty() {
        return Err(Failure::usage(format!("{} cannot be used yet", reading.path.display())).details(unready));
    }
    app.console.print(&summary(&config))?;
    Ok(Exit::Done)
}

/// What the file itself does not show: secrets that are not there, certificates that do not open.
fn unready(config: &Config, app: &App) -> Vec<String> {
    config
        .sources
        .iter()
        .flat_map(|source| {
            let sign_in = tenant::settings(source, &app.environment).err();
            let webhooks = webhook::open(source, &app.environment).err();
            [sign_in, webhooks].into_iter().flatten().flatten()
        })
        .collect()
}

fn summary(config: &Config) -> String {
    let mut text = format!("{} is sound\n  store   {}\n", config.path.display(), config.store.display());
    for source in &config.sources {
        text.push_str(&describe(source));
    }
    text.push_str("Next: exogate test-connection");
    text
}

fn describe(source: &Source) -> String {
    let exchange = source.account_schema.attributes().iter().filter(|a| a.name.starts_with("EXO_")).count();
    let all = source.account_schema.attributes().len();
    let reads = if source.options.manage_exchange_online {
        format!(
            "{all} account attributes, {exchange} of them of Exchange; rights on {} mailboxes are entitlements",
            governed_kinds(&source.options)
        )
    } else {
        format!("{all} account attributes; Exchange is not managed: Microsoft Graph alone is read")
    };
    format!(
        "  source  {}: tenant {} ({} cloud), signs in by {}\n          {reads}\n",
        source.name,
        source.tenant,
        source.cloud,
        source.sign_in.method(),
    )
}

fn json(reading: &config::Reading, unready: &[String], app: &App) -> Outcome {
    let mut stdout = app.console.stdout();
    let mut write = |value: &serde_json::Value| crate::output::json_line(value, &mut stdout as &mut dyn Sink);
    for problem in &reading.problems {
        write(&json!({
            "severity": problem.severity, "line": problem.line, "key": problem.key, "message": problem.message,
        }))?;
    }
    for message in unready {
        write(&json!({"severity": "error", "line": null, "key": "", "message": message}))?;
    }
    let sound = reading.config.is_some() && unready.is_empty();
    write(&json!({"file": reading.path, "sound": sound}))?;
    std::io::Write::flush(&mut stdout)?;
    Ok(if sound { Exit::Done } else { Exit::Usage })
}
