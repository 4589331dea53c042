//! `exogate operations` and `exogate operation`: the journal.

use exogate_engine::provision::{OperationResult, result_of};
use exogate_model::operation::{Entry, Outcome as Ended};
use exogate_store::{Journal, JournalRecord};
use serde_json::{Value, json};

use super::{App, change, image, instant};
use crate::config::Source;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Headings, Listing, Row};

/// List what was done, newest first, or prove that the journal was not altered.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ListArgs {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many plans, the newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prove that the journal was not altered.
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// A head that was noted before: proves that nothing was cut off since.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

/// Show one plan or operation: who asked, what was there before, every attempt, how it ended.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The plan, or `plan.number`.
    #[arg(value_name = "PLAN|OPERATION")]
    id: String,
}

/// Runs `operations`.
pub fn list(args: &ListArgs, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let journal = change::journal(app, &config)?;
    if let Some(Command::Verify(args)) = &args.command {
        return verify(&journal, args, app);
    }
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let rows = app.block_on(async {
        let mut rows = Vec::new();
        for plan in journal.plans(&source.name, limit).await.map_err(connect::from_store)? {
            let records = journal.plan(&source.name, &plan).await.map_err(connect::from_store)?;
            rows.extend(rows_of(&plan, &records));
        }
        Ok(rows)
    })?;
    let format = app.view_format();
    app.list(|sink| {
        let headings = Headings::same(&["operation", "at", "by", "object", "change", "outcome"]);
        let mut listing = Listing::new(sink, format, headings);
        for row in &rows {
            listing.row(row)?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

fn verify(journal: &Journal, args: &VerifyArgs, app: &App) -> Outcome {
    let verified =
        app.block_on(async { journal.verify(args.head.clone()).await.map_err(connect::from_store) })?;
    if app.global.json {
        app.console.print(&json!(verified).to_string())?;
    }
    match verified.broken {
        None => {
            if !app.global.json {
                let text = format!(
                    "{} entries, none altered.\nhead {}\nNote the head elsewhere: `operations verify --head …` then \
                     proves that nothing was cut off.",
                    verified.entries, verified.head
                );
                app.console.print(&text)?;
            }
            Ok(Exit::Done)
        }
        Some((place, why)) => Err(Failure::message(
            Exit::Failed,
            format!("the journal {} is not sound at entry {place}: {why}", journal.path().display()),
        )
        .hint("keep the file as evidence, and compare it with a backup")),
    }
}

struct Line {
    plan: String,
    at: jiff::Timestamp,
    by: String,
    undoes: Option<String>,
    result: OperationResult,
}

fn rows_of(plan: &str, records: &[JournalRecord]) -> Vec<Line> {
    let Some((at, by, undoes)) = records.iter().find_map(|record| match &record.entry {
        Entry::Accepted { by, undoes, .. } => Some((record.at, by.clone(), undoes.clone())),
        _ => None,
    }) else {
        return Vec::new();
    };
    let line = |result| Line { plan: plan.to_owned(), at, by: by.clone(), undoes: undoes.clone(), result };
    result_of(plan, records).results.into_iter().map(line).collect()
}

impl Line {
    fn id(&self) -> String {
        format!("{}.{}", self.plan, self.result.operation.number)
    }

    fn outcome(&self) -> &'static str {
        self.result.outcome.as_ref().map_or("open", Ended::name)
    }
}

impl Row for Line {
    fn table(&self) -> Vec<String> {
        let operation = &self.result.operation;
        let change = operation.shown.iter().map(|line| format!("{}: {}", line.what, line.after));
        let mut change = change.collect::<Vec<_>>().join(", ");
        if let Some(undone) = &self.undoes {
            change.push_str(&format!(" (undoes {undone})"));
        }
        vec![
            self.id(),
            instant(self.at),
            self.by.clone(),
            operation.target.name.clone(),
            change,
            self.outcome().to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id(), "plan": self.plan, "at": self.at.to_string(), "by": self.by, "undoes": self.undoes,
            "operation": self.result.operation, "outcome": self.result.outcome, "made": self.result.made,
        })
    }
}

/// Runs `operation`.
pub fn show(args: &ShowArgs, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let journal = change::journal(app, &config)?;
    let records = app.block_on(records(&journal, source, &args.id))?;
    for record in &records {
        if app.global.json {
            app.console.print(&json!(record).to_string())?;
        } else {
            app.console.print(&text(record))?;
        }
    }
    Ok(Exit::Done)
}

async fn records(journal: &Journal, source: &Source, id: &str) -> Result<Vec<JournalRecord>, Failure> {
    let unknown = || {
        Failure::usage(format!("there is no plan or operation {id:?} in the journal"))
            .hint("exogate operations lists them")
    };
    let (plan, number) = match id.split_once('.') {
        Some((plan, number)) => (plan, Some(number.parse::<u32>().map_err(|_| unknown())?)),
        None => (id, None),
    };
    let mut records = journal.plan(&source.name, plan).await.map_err(connect::from_store)?;
    let mut found = !records.is_empty();
    if let Some(number) = number {
        records.retain(|record| record.operation.is_none_or(|other| other == number));
        for record in &mut records {
            if let Entry::Accepted { operations, .. } = &mut record.entry {
                operations.retain(|operation| operation.number == number);
                found = !operations.is_empty();
            }
        }
    }
    if found { Ok(records) } else { Err(unknown()) }
}

fn text(record: &JournalRecord) -> String {
    let head = format!("{}  {}", instant(record.at), record.entry.name());
    let number = record.operation.map_or_else(String::new, |number| format!(" {}.{number}", record.plan));
    match &record.entry {
        Entry::Accepted { by, operations, undoes, .. } => {
            let mut text = format!("{head} {} for {by}", record.plan);
            if let Some(undone) = undoes {
                text.push_str(&format!(", undoes {undone}"));
            }
            if let Some(key) = &record.key {
                text.push_str(&format!(", key {key}"));
            }
            for operation in operations {
                text.push_str(&format!(
                    "\n  {}. {} ({})",
                    operation.number, operation.target.name, operation.target.id
                ));
                for line in &operation.shown {
                    text.push_str(&format!("\n     {}: {} → {}", line.what, line.before, line.after));
                }
            }
            text
        }
        Entry::Begun { attempt, before, .. } => {
            format!("{head}{number}, attempt {attempt}; before: {}", image::in_words(before))
        }
        Entry::Answered { said } => format!("{head}{number}: {said}"),
        Entry::Finished { outcome, made } => {
            let mut text = format!("{head}{number}: {}", outcome.name());
            if let Some(why) = outcome.why() {
                text.push_str(&format!(": {why}"));
            }
            if let Some(made) = made {
                text.push_str(&format!(" ({made})"));
            }
            text
        }
    }
}
