//! `exogate who`: who holds which right on a mailbox.

use exogate_engine::access::{Via, WhoRow};
use exogate_engine::view::View;
use serde_json::{Value, json};

use super::App;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{Format, Headings, Listing, Row};

/// Show who holds rights on a mailbox.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Answers from the store, as it was read last. A group's right belongs to the group; --effective shows its members,
nested groups included, with the way, and applies denials.

Examples:
  exogate who O365Support
  exogate who support@contoso.com --effective --format csv")]
pub struct Args {
    /// The mailbox: address, id, label or display name.
    mailbox: String,
    /// Expand groups and apply denials.
    #[arg(long)]
    effective: bool,
    /// How to write it.
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<Format>,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let who = app.block_on(async {
        let store = connect::stored_source(&config, source, &app.environment).await?;
        let view = View::new(store, connect::context(source).into());
        view.who(&args.mailbox, args.effective).await.map_err(connect::from_view)
    })?;
    let format = args.format.unwrap_or_else(|| app.view_format());
    if format == Format::Table {
        let sense = if who.effective { "In effect" } else { "As granted" };
        app.console.note(&format!("{} ({})  {sense}:", who.label, who.address));
        if who.rows.is_empty() {
            app.console.note("Nobody but the mailbox itself and the system has rights on it.");
            return Ok(Exit::Done);
        }
    }
    let headings = Headings {
        table: ["RIGHT", "HOLDER", "ADDRESS", "KIND", "THROUGH", "REMARKS"].map(str::to_owned).to_vec(),
        csv: [
            "mailbox",
            "address",
            "right",
            "deny",
            "inherited",
            "kind",
            "id",
            "name",
            "holder_address",
            "trustee",
            "via",
            "note",
            "read_at",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    app.list(|sink| {
        let mut listing = Listing::new(sink, format, headings);
        for row in &who.rows {
            listing.row(&Held { mailbox: &who.mailbox, address: &who.address, row })?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

/// One right of one holder.
pub struct Held<'a> {
    /// Key of the mailbox.
    pub mailbox: &'a str,
    /// Its address.
    pub address: &'a str,
    /// The right.
    pub row: &'a WhoRow,
}

impl Row for Held<'_> {
    fn table(&self) -> Vec<String> {
        let row = self.row;
        vec![
            right(&row.right.to_string(), row.deny),
            row.holder.name.clone(),
            row.holder.address.clone().unwrap_or_default(),
            row.holder.kind.to_owned(),
            way(&row.via),
            remarks(row.inherited, row.note.as_deref()),
        ]
    }

    fn csv(&self) -> Vec<String> {
        let row = self.row;
        vec![
            self.mailbox.to_owned(),
            self.address.to_owned(),
            row.right.to_string(),
            row.deny.to_string(),
            row.inherited.to_string(),
            row.holder.kind.to_owned(),
            row.holder.id.clone().unwrap_or_default(),
            row.holder.name.clone(),
            row.holder.address.clone().unwrap_or_default(),
            row.trustee.clone(),
            crate::output::join_values(row.via.iter().map(|via| via.name.as_str())),
            row.note.clone().unwrap_or_default(),
            row.read_at.to_string(),
        ]
    }

    fn json(&self) -> Value {
        let row = self.row;
        json!({
            "mailbox": self.mailbox, "address": self.address, "right": row.right, "deny": row.deny,
            "inherited": row.inherited, "holder": row.holder, "trustee": row.trustee, "via": row.via,
            "note": row.note, "readAt": row.read_at.to_string(),
        })
    }
}

/// A right as people read it; a denial stands out.
pub fn right(name: &str, deny: bool) -> String {
    if deny { format!("DENY {name}") } else { name.to_owned() }
}

/// The groups a right comes through.
pub fn way(via: &[Via]) -> String {
    via.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(" > ")
}

/// What else there is to say.
pub fn remarks(inherited: bool, note: Option<&str>) -> String {
    match (inherited, note) {
        (true, Some(note)) => format!("inherited; {note}"),
        (true, None) => "inherited".to_owned(),
        (false, note) => note.unwrap_or_default().to_owned(),
    }
}
