//! `exogate status`: how fresh what is stored is, and whether it stays so.

use exogate_model::count::counted;
use std::fmt::Write as _;

use exogate_engine::delta::{self, Status, Subscribed};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::App;
use crate::config::Source;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Show how fresh what is stored is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The age of rights is that of the mailbox whose permissions were read longest ago. `freshness` in the configuration is
the target for it; deltas read the oldest again to keep it, within a share of what Exchange allows.

Examples:
  exogate status
  exogate status --offline --json")]
pub struct Args {
    /// Do not ask the tenant about the subscription to its activity feed.
    #[arg(long)]
    offline: bool,
}

/// Runs the command: of one source if one is named, else of all.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let sources: Vec<&Source> = match app.global.source.as_deref() {
        Some(name) => vec![config.source(Some(name))?],
        None => config.sources.iter().collect(),
    };
    let now = app.environment.clock.now();
    let mut told = Vec::new();
    for source in sources {
        let status = app.block_on(async {
            let store = connect::stored_source(&config, source, &app.environment).await?;
            let tenant = if args.offline || !source.options.manage_exchange_online {
                None
            } else {
                Some(connect::impatient_tenant(source, &app.environment)?)
            };
            delta::status(&store, &connect::context(source), &source.delta, tenant.as_ref(), now)
                .await
                .map_err(connect::from_store)
        })?;
        told.push((source, status));
    }
    if app.global.json {
        for (source, status) in &told {
            app.console.print(&as_json(&source.name, status)?.to_string())?;
        }
    } else {
        let texts: Vec<String> = told.iter().map(|(source, status)| text(source, status, now)).collect();
        app.console.print(texts.join("\n\n").trim_end())?;
    }
    Ok(Exit::Done)
}

fn as_json(name: &str, status: &Status) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(status).map_err(|error| Failure::new(Exit::Failed, error))?;
    if let Value::Object(fields) = &mut value {
        fields.insert("source".to_owned(), json!(name));
    }
    Ok(value)
}

fn text(source: &Source, status: &Status, now: Timestamp) -> String {
    let ago = |at: Option<Timestamp>| match at {
        Some(at) => format!("{} ({} ago)", super::instant(at), super::seconds(now.duration_since(at))),
        None => "never".to_owned(),
    };
    let mut text = format!("Source {}\n", source.name);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<22}{value}");
    };
    line("last full", ago(status.last_full));
    line("last delta", ago(status.last_delta));
    if status.governed > 0 {
        line("oldest permission", ago(status.oldest_permission));
        let never = match status.never_read {
            0 => String::new(),
            never => format!(", the rights on {never} of them were never read"),
        };
        line("governed mailboxes", format!("{}{never}", status.governed));
    }
    line(
        "backlog",
        match status.backlog {
            0 => "nothing".to_owned(),
            waiting => {
                format!("{}, the first since {}", counted(waiting, "object"), ago(status.backlog_since))
            }
        },
    );
    line("audit log known until", ago(status.audit_until));
    if let Some(subscribed) = &status.subscription {
        line("activity feed", subscription(subscribed));
    }
    let freshness = &status.freshness;
    let target =
        super::seconds(jiff::SignedDuration::from_secs(i64::try_from(freshness.target).unwrap_or(i64::MAX)));
    let met = if freshness.met { "met" } else { "not met" };
    let rate = match (freshness.per_hour, freshness.can_be_met) {
        (Some(rate), Some(true)) => format!("can be kept at the measured {rate:.0} mailboxes an hour"),
        (Some(rate), _) => format!(
            "cannot be kept at the measured {rate:.0} mailboxes an hour; run deltas more often, raise \
             delta.reread_percent or lower delta.freshness"
        ),
        (None, _) => "not yet known whether it can be kept".to_owned(),
    };
    line("freshness", format!("{target}: {met}, {rate}"));
    text.truncate(text.trim_end().len());
    text
}

fn subscription(subscribed: &Subscribed) -> String {
    match subscribed {
        Subscribed::Enabled => "subscribed".to_owned(),
        Subscribed::Disabled => "the subscription was ended; the next delta starts it again".to_owned(),
        Subscribed::None => {
            "not subscribed; the next delta subscribes, first content can take 12 hours".to_owned()
        }
        Subscribed::NoFeed => "this cloud has none; the audit log is searched instead".to_owned(),
        Subscribed::Unreachable { why, remedy } => format!("{why}. {remedy}"),
    }
}
