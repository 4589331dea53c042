//! What a run came to, in words.

use exogate_model::count::counted;
use std::fmt::Write as _;

use exogate_engine::Tenant;
use exogate_engine::aggregate::{Outcome, RunSummary};
use exogate_store::{Coverage, Forecast};
use jiff::SignedDuration;

use crate::commands::{instant, seconds};
use crate::failure::Failure;

/// A run with what is told about it.
pub struct Told {
    summary: RunSummary,
    source: String,
    took: SignedDuration,
    calls: u64,
    throttled: u64,
}

impl Told {
    /// A run that has ended.
    pub fn new(summary: RunSummary, source: &str, took: SignedDuration, tenant: &Tenant) -> Self {
        let governors = tenant.governors();
        Self {
            summary,
            source: source.to_owned(),
            took,
            calls: governors.iter().map(|(_, snapshot)| snapshot.calls).sum(),
            throttled: governors.iter().map(|(_, snapshot)| snapshot.throttled).sum(),
        }
    }

    /// Whether every stream came to its end.
    pub fn is_complete(&self) -> bool {
        self.summary.outcome == Outcome::Completed
    }

    /// Whether anything was read that a summary could tell of. Otherwise the failure says it all.
    pub fn is_worth_telling(&self) -> bool {
        self.summary.outcome != Outcome::Failed
    }

    /// The failure to end with, unless it is complete.
    pub fn ending(&self) -> Result<(), Failure> {
        super::ending(&self.summary)
    }

    /// The summary.
    pub fn text(&self) -> String {
        let summary = &self.summary;
        let verb = match summary.outcome {
            Outcome::Completed => "Aggregated",
            Outcome::Stopped => "Stopped while aggregating",
            Outcome::Refused { .. } | Outcome::Incomplete => "Incomplete: aggregated",
            Outcome::Failed => "Failed to aggregate",
        };
        let resumed = if summary.resumed {
            format!(", going on with the run that began at {}", instant(summary.record.started))
        } else {
            String::new()
        };
        let mut text =
            format!("{verb} {} of {} in {}{resumed}\n", summary.scope, self.source, seconds(self.took));
        for stream in &summary.streams {
            let state = if stream.error.is_some() { "not to its end" } else { "" };
            let _ = writeln!(text, "  {:<22}{:>9}  {state}", stream.kind.name(), stream.objects);
            trim_line_end(&mut text);
        }
        let counts = &summary.counts;
        let _ = writeln!(
            text,
            "The store holds {}, {}, {}, {}, {} on {}",
            counted(counts.users, "account"),
            counted(counts.mailboxes, "mailbox"),
            counted(counts.groups, "group"),
            counted(counts.memberships, "membership"),
            counted(counts.grants, "right"),
            counted(counts.labelled_mailboxes, "governed mailbox"),
        );
        let record = &summary.record;
        let _ = write!(
            text,
            "{}, {} deleted; {}, {} throttled",
            counted(record.changes, "change"),
            record.deleted,
            counted(self.calls, "call"),
            self.throttled
        );
        for note in &summary.notes {
            let _ = write!(text, "\nnote: {note}");
        }
        text
    }
}

fn trim_line_end(text: &mut String) {
    let kept = text.trim_end().len();
    text.truncate(kept);
    text.push('\n');
}

/// A loss in words.
pub fn loss(forecast: &Forecast) -> String {
    let what = match forecast.part {
        Coverage::Users => "account",
        Coverage::Mailboxes => "mailbox",
        Coverage::DynamicGroups => "dynamic distribution group",
        _ => "group",
    };
    format!("{} of {} gone", forecast.unseen, counted(forecast.known, what))
}
