//! `exogate changes`: what became different, how it was learnt, and who did it.

use exogate_engine::changes::Filter;
use exogate_model::change::{Author, Happened, ObjectKind};
use exogate_store::{ChangeRecord, Feed, Found, SourceStore};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::App;
use crate::config::time::span;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Headings, Listing, Row};

/// Show what changed, how it was learnt, and who did it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every difference is told once, by whatever it was found: a full aggregation, a delta, or a change of exogate's own.
Who made it comes from the tenant's audit log, an hour or so after the change itself; until then it is unknown.

Each change has a number. `--since NUMBER` gives what came after it, so that a script can go on where it was; where
changes after that number are no longer kept, it is told to start over and reads the whole state again.

Examples:
  exogate changes --since 24h
  exogate changes --mailbox support@contoso.com --by kim
  exogate changes --outside --since 7d
  exogate changes --since 4711 --json")]
pub struct Args {
    /// Only later ones: a number, an instant, or how long ago (90m, 24h, 7d).
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Only those of one mailbox.
    #[arg(long, value_name = "MAILBOX")]
    mailbox: Option<String>,
    /// Only those that somebody made: a part of a user, application or plan; or ours, outside, unknown.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Only rights that were given in Exchange and not by exogate.
    #[arg(long)]
    outside: bool,
    /// At most so many, the first after --since; without --since, the last.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// How to write it.
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<Format>,
}

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Since {
    Number(i64),
    At(Timestamp),
    Ago(SignedDuration),
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(number) = text.parse::<i64>() {
        return if number >= 0 {
            Ok(Since::Number(number))
        } else {
            Err("a number is not negative".to_owned())
        };
    }
    if let Ok(at) = text.parse() {
        return Ok(Since::At(at));
    }
    match span(text) {
        Some(ago) if !ago.is_negative() => Ok(Since::Ago(ago)),
        _ => Err("use the number of a change, an instant such as 2026-11-20T09:00:00Z, or a time such as 24h or 7d"
            .to_owned()),
    }
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let now = app.environment.clock.now();
    let changes = app.block_on(async {
        let store = connect::stored_source(&config, source, &app.environment).await?;
        let mailbox = match &args.mailbox {
            Some(text) => Some(mailbox(&store, text).await?),
            None => None,
        };
        let filter = Filter {
            objects: mailbox.iter().map(|_| ObjectKind::Mailbox).collect(),
            ids: mailbox.map(|key| [key.to_lowercase()].into()),
            what: Vec::new(),
            by: args.by.clone(),
            outside: args.outside,
        };
        select(args, &store, &filter, now, app).await
    })?;
    let format = args.format.unwrap_or_else(|| app.view_format());
    let headings = Headings::same(&["number", "when", "object", "name", "change", "learnt", "by"]);
    app.list(|sink| {
        let mut listing = Listing::new(sink, format, headings);
        for change in changes {
            listing.row(&Change(change))?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

/// Id of the mailbox that a text means. One that is gone is meant by its id.
async fn mailbox(store: &SourceStore, text: &str) -> Result<String, Failure> {
    match store.find_mailbox(text).await.map_err(connect::from_store)? {
        Found::One(mailbox) => Ok(mailbox.key),
        Found::Many(several) => {
            let addresses: Vec<String> = several.into_iter().map(|mailbox| mailbox.primary_smtp).collect();
            Err(Failure::usage(format!("several mailboxes are called {text:?}: {}", addresses.join(", ")))
                .hint("use the address"))
        }
        Found::Nothing { .. } if uuid::Uuid::try_parse(text).is_ok() => Ok(text.to_ascii_lowercase()),
        Found::Nothing { nearest } => {
            let failure = Failure::message(Exit::Failed, format!("no mailbox is called {text:?}"));
            Err(match nearest {
                Some(name) => failure.hint(format!("did you mean {name:?}?")),
                None => failure.hint("a mailbox that is gone is found by its id"),
            })
        }
    }
}

async fn select(
    args: &Args,
    store: &SourceStore,
    filter: &Filter,
    now: Timestamp,
    app: &App,
) -> Result<Vec<ChangeRecord>, Failure> {
    const PAGE: usize = 1000;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let from = match &args.since {
        Some(Since::At(at)) => Some(*at),
        Some(Since::Ago(ago)) => Some(now.checked_sub(*ago).unwrap_or(Timestamp::MIN)),
        Some(Since::Number(_)) | None => None,
    };
    let start = store.feed_start().await.map_err(connect::from_store)?;
    let mut cursor = match &args.since {
        Some(Since::Number(number)) => *number,
        _ => start,
    };
    let end = store.feed_end().await.map_err(connect::from_store)?;
    if cursor > end {
        // Another store, or one restored from a backup: whoever has seen more cannot go on here.
        return Err(start_over("this store does not know a change of that number", end));
    }
    if let Some(from) = from.filter(|_| start > 0) {
        let oldest = store.changes(start, 1).await.map_err(connect::from_store)?;
        if let Some(oldest) = oldest.first().filter(|oldest| from < oldest.at) {
            app.console.note(&format!("changes before {} are no longer kept", super::instant(oldest.at)));
        }
    }
    let mut chosen = std::collections::VecDeque::new();
    loop {
        let page = match store.feed(cursor, PAGE).await.map_err(connect::from_store)? {
            Feed::Changes(changes) => changes,
            Feed::StartOver { cursor } => {
                return Err(start_over("changes after that number are no longer kept", cursor));
            }
        };
        let Some(last) = page.last() else { break };
        cursor = last.sequence;
        for change in page {
            if from.is_none_or(|from| change.at >= from) && filter.admits(&change) {
                chosen.push_back(change);
            }
        }
        if args.since.is_some() && chosen.len() >= limit {
            chosen.truncate(limit);
            break;
        }
        while args.since.is_none() && chosen.len() > limit {
            chosen.pop_front();
        }
    }
    Ok(chosen.into())
}

/// Who asks for what is not there any more is told so, and where to go on.
fn start_over(why: &str, end: i64) -> Failure {
    Failure::message(Exit::Gone, why)
        .hint("read the whole state again: exogate aggregate all --stored --format jsonl")
        .hint(format!("then go on with: exogate changes --since {end}"))
}

struct Change(ChangeRecord);

/// What happened, in words.
pub(super) fn words(happened: &Happened) -> String {
    let denied = |deny: bool| if deny { " (denied)" } else { "" };
    match happened {
        Happened::Created => "created".to_owned(),
        Happened::Deleted => "deleted".to_owned(),
        Happened::Modified { attributes } => attributes
            .iter()
            .map(|change| {
                let show = |value: &Option<exogate_model::value::AttributeValue>| {
                    value
                        .as_ref()
                        .and_then(|v| serde_json::to_string(v).ok())
                        .unwrap_or_else(|| "nothing".to_owned())
                };
                format!("{}: {} → {}", change.attribute, show(&change.before), show(&change.after))
            })
            .collect::<Vec<_>>()
            .join("; "),
        Happened::Granted { right, trustee, deny, .. } => format!("{right}{} to {trustee}", denied(*deny)),
        Happened::Revoked { right, trustee, deny, .. } => {
            format!("{right}{} taken from {trustee}", denied(*deny))
        }
        Happened::Joined { role, member } => format!("{role} {member} joined"),
        Happened::Left { role, member } => format!("{role} {member} left"),
    }
}

/// Who made it, in words.
pub(super) fn author(by: &Author) -> String {
    match by {
        Author::Ours { plan, operation } => format!("exogate, operation {plan}/{operation}"),
        Author::SomeoneElse { user, app, call, .. } => {
            let who = user.as_deref().or(app.as_deref()).unwrap_or("somebody");
            format!("{who} ({call})")
        }
        Author::Unknown => "unknown".to_owned(),
    }
}

impl Row for Change {
    fn table(&self) -> Vec<String> {
        let change = &self.0;
        let learnt = serde_json::to_value(change.learnt).ok();
        vec![
            change.sequence.to_string(),
            super::instant(change.at),
            change.object.name().to_owned(),
            change.name.clone(),
            words(&change.happened),
            learnt.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(),
            author(&change.by),
        ]
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_number_an_instant_or_a_time_ago() {
        assert_eq!(since("4711"), Ok(Since::Number(4711)));
        assert_eq!(since("7d"), Ok(Since::Ago(SignedDuration::from_hours(168))));
        assert_eq!(since("90m"), Ok(Since::Ago(SignedDuration::from_mins(90))));
        assert!(matches!(since("2026-11-20T09:00:00Z"), Ok(Since::At(_))));
        for wrong in ["", "yesterday", "-3", "-2h"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
