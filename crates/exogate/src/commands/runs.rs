//! `exogate runs`: what was read when, and how it ended.

use exogate_store::{RunRecord, RunState};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::App;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{Format, Headings, Listing, Row};

/// List the runs of a source.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many, the newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// How to write it.
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<Format>,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let runs = app.block_on(async {
        let store = connect::stored_source(&config, source, &app.environment).await?;
        store.runs(limit).await.map_err(connect::from_store)
    })?;
    let now = app.environment.clock.now();
    let format = args.format.unwrap_or_else(|| app.view_format());
    let headings =
        Headings::same(&["started", "scope", "state", "took", "objects", "changes", "deleted", "notes"]);
    app.list(|sink| {
        let mut listing = Listing::new(sink, format, headings);
        for run in runs {
            listing.row(&Run { run, now })?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

struct Run {
    run: RunRecord,
    now: Timestamp,
}

impl Run {
    /// A run that nobody holds any more did not end; it was killed.
    fn state(&self) -> &'static str {
        match self.run.state {
            RunState::Running if !self.run.alive => "killed",
            state => state.name(),
        }
    }

    fn objects(&self) -> u64 {
        self.run.streams.iter().map(|stream| stream.objects).sum()
    }

    fn notes(&self) -> Vec<String> {
        let failed =
            self.run.streams.iter().filter_map(|stream| {
                stream.error.as_ref().map(|error| format!("{}: {error}", stream.stream))
            });
        self.run.notes.iter().cloned().chain(failed).collect()
    }
}

impl Row for Run {
    fn table(&self) -> Vec<String> {
        let end = match (self.run.finished, self.run.alive) {
            (Some(finished), _) => Some(finished),
            (None, true) => Some(self.now),
            (None, false) => None,
        };
        let took = end.map(|end| super::seconds(end.duration_since(self.run.started))).unwrap_or_default();
        vec![
            super::instant(self.run.started),
            self.run.scope.clone(),
            self.state().to_owned(),
            took,
            self.objects().to_string(),
            self.run.changes.to_string(),
            self.run.deleted.to_string(),
            self.notes().join("; "),
        ]
    }

    fn json(&self) -> Value {
        let run = &self.run;
        json!({
            "id": run.id.to_string(), "scope": run.scope, "state": self.state(), "started": run.started.to_string(),
            "finished": run.finished.map(|at| at.to_string()), "holder": run.holder, "resumed": run.resumed,
            "objects": self.objects(), "changes": run.changes, "deleted": run.deleted, "streams": run.streams,
            "notes": run.notes,
        })
    }
}
