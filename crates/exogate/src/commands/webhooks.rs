//! `exogate webhooks`: how those stand who are told of changes, what they could not be given, and sending that again.

use std::sync::Arc;

use exogate_model::count::counted;
use exogate_model::nearest;
use exogate_server::webhook::{Courier, Standing};
use exogate_store::{ChangeRecord, DeadLetter, SourceStore};
use serde_json::{Value, json};

use super::App;
use super::changes::{author, words};
use crate::config::Source;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Headings, Listing, Row};

/// Show who is told of changes, and send again what could not be delivered.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Webhooks are configured as [[sources.NAME.webhook]] and served by `exogate serve`: changes are sent in order, signed, and
again until they are taken. What is not taken for too long becomes a dead letter, and what comes after it goes on.

Examples:
  exogate webhooks
  exogate webhooks test siem
  exogate webhooks dead siem
  exogate webhooks resend siem")]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the webhooks and how they stand (what happens without a word, too).
    List,
    /// Send a message of no consequence now, to see whether it arrives.
    Test {
        /// The webhook.
        name: String,
    },
    /// List what could not be delivered.
    Dead {
        /// The webhook.
        name: String,
    },
    /// Send now what could not be delivered.
    Resend {
        /// The webhook.
        name: String,
    },
    /// Forget what could not be delivered.
    Discard {
        /// The webhook.
        name: String,
    },
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    app.block_on(async {
        let store = connect::stored_source(&config, source, &app.environment).await?;
        match &args.action {
            None | Some(Action::List) => list(source, &store, app).await,
            Some(Action::Test { name }) => {
                test(&courier(source, &store, name, app)?, source, name, app).await
            }
            Some(Action::Dead { name }) => {
                courier(source, &store, name, app)?;
                dead(&store, name, app).await
            }
            Some(Action::Resend { name }) => resend(&courier(source, &store, name, app)?, name, app).await,
            Some(Action::Discard { name }) => {
                let count =
                    courier(source, &store, name, app)?.discard().await.map_err(connect::from_store)?;
                app.console.print(&format!("{} forgotten", counted(count, "dead letter")))?;
                Ok(Exit::Done)
            }
        }
    })
}

fn couriers(source: &Source, store: &SourceStore, app: &App) -> Result<Vec<Courier>, Failure> {
    let hooks = connect::webhooks(source, &app.environment)?;
    let clock = || Arc::clone(&app.environment.clock);
    Ok(hooks.into_iter().map(|hook| Courier::new(store.clone(), hook, clock())).collect())
}

fn courier(source: &Source, store: &SourceStore, name: &str, app: &App) -> Result<Courier, Failure> {
    let names = || source.webhooks.iter().map(|hook| hook.name.as_str());
    let Some(index) = names().position(|known| known == name) else {
        let hint = nearest::hint(name, names());
        let failure = Failure::usage(format!("source {:?} has no webhook {name:?}{hint}", source.name));
        return Err(match names().collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => failure.hint("configure one: [[sources.NAME.webhook]]"),
            known => failure.hint(format!("webhooks: {known}")),
        });
    };
    Ok(couriers(source, store, app)?.swap_remove(index))
}

async fn list(source: &Source, store: &SourceStore, app: &App) -> Outcome {
    let mut standings = Vec::new();
    for courier in couriers(source, store, app)? {
        standings.push(courier.standing().await.map_err(connect::from_store)?);
    }
    if standings.is_empty() {
        app.console.note("No webhook is configured: add [[sources.NAME.webhook]] to the configuration.");
    }
    let headings = Headings::same(&["name", "url", "state", "behind", "dead", "last delivery", "trouble"]);
    app.list(|sink| {
        let mut listing = Listing::new(sink, app.view_format(), headings);
        for standing in standings {
            listing.row(&Hook(standing))?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

struct Hook(Standing);

impl Row for Hook {
    fn table(&self) -> Vec<String> {
        let Standing {
            name, url, state, behind, dead_letters, failures, reason, next_at, delivered_at, ..
        } = &self.0;
        let trouble = reason.as_ref().map_or_else(String::new, |reason| {
            let next = next_at.map(super::instant).unwrap_or_default();
            format!("{failures} in a row: {reason}; again at {next}")
        });
        vec![
            name.clone(),
            url.clone(),
            state.name().to_owned(),
            behind.to_string(),
            dead_letters.to_string(),
            delivered_at.map_or_else(|| "never".to_owned(), super::instant),
            trouble,
        ]
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

async fn test(courier: &Courier, source: &Source, name: &str, app: &App) -> Outcome {
    match courier.test().await {
        Ok(()) => {
            app.console.print(&format!("{name} took a message of source {}", source.name))?;
            Ok(Exit::Done)
        }
        Err(failure) => {
            Err(Failure::message(Exit::Failed, format!("{name} did not take it: {}", failure.reason)))
        }
    }
}

async fn dead(store: &SourceStore, name: &str, app: &App) -> Outcome {
    let letters = store.dead_letters(name).await.map_err(connect::from_store)?;
    let headings =
        Headings::same(&["number", "given up", "attempts", "object", "name", "change", "by", "reason"]);
    app.list(|sink| {
        let mut listing = Listing::new(sink, app.view_format(), headings);
        for (letter, change) in letters {
            listing.row(&Letter(letter, change))?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

struct Letter(DeadLetter, ChangeRecord);

impl Row for Letter {
    fn table(&self) -> Vec<String> {
        let Self(letter, change) = self;
        vec![
            letter.sequence.to_string(),
            super::instant(letter.at),
            letter.attempts.to_string(),
            change.object.name().to_owned(),
            change.name.clone(),
            words(&change.happened),
            author(&change.by),
            letter.reason.clone(),
        ]
    }

    fn json(&self) -> Value {
        let Self(letter, change) = self;
        json!({
            "message": letter.message, "at": letter.at, "attempts": letter.attempts, "reason": letter.reason,
            "change": change,
        })
    }
}

async fn resend(courier: &Courier, name: &str, app: &App) -> Outcome {
    let resent = courier.resend().await.map_err(connect::from_store)?;
    if app.global.json {
        let value = serde_json::to_value(&resent).map_err(|error| Failure::new(Exit::Failed, error))?;
        app.console.print(&value.to_string())?;
    } else {
        app.console.print(&format!("{} taken by {name}", counted(resent.delivered, "change")))?;
    }
    match resent.reason {
        None => Ok(Exit::Done),
        Some(reason) => {
            let exit = if resent.delivered == 0 { Exit::Failed } else { Exit::Partly };
            Err(Failure::message(exit, format!("{} left: {reason}", counted(resent.left, "dead letter"))))
        }
    }
}
