//! `exogate what`: which mailboxes a user can open, and which groups it belongs to.

use exogate_engine::access::{What, WhatRow};
use exogate_engine::view::View;
use exogate_model::entitlement;
use exogate_store::SourceStore;
use serde_json::{Value, json};

use super::App;
use super::who::{remarks, right, way};
use crate::config::Source;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Headings, Listing, Row};

/// Show what a user can open.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Answers from the store, as it was read last. Without --effective, the rights granted to the user itself: its
entitlements. With --effective also those of groups it belongs to, nested ones included, with the way, and denials
applied. A group may be given instead of a user.

Examples:
  exogate what mark.taylor@contoso.com
  exogate what mark.taylor@contoso.com --effective --json")]
pub struct Args {
    /// The user (principal name, address or id), or a group.
    user: String,
    /// Include rights through groups and apply denials.
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
    let format = args.format.unwrap_or_else(|| app.view_format());
    app.block_on(async {
        let store = connect::stored_source(&config, source, &app.environment).await?;
        let what = ask(&args.user, args.effective, source, &store).await?;
        write(&what, format, app)
    })?;
    Ok(Exit::Done)
}

/// Shows what a user can open, as the command does.
pub async fn show(
    user: &str,
    effective: bool,
    source: &Source,
    store: &SourceStore,
    app: &App,
) -> Result<(), Failure> {
    let what = ask(user, effective, source, store).await?;
    write(&what, app.view_format(), app)
}

async fn ask(user: &str, effective: bool, source: &Source, store: &SourceStore) -> Result<What, Failure> {
    let view = View::new(store.clone(), connect::context(source).into());
    view.what(user, effective).await.map_err(connect::from_view)
}

fn write(what: &What, format: Format, app: &App) -> Result<(), Failure> {
    if format == Format::Table && what.rows.is_empty() {
        let more = if what.effective { "" } else { " of its own; --effective includes those through groups" };
        app.console.note(&format!("{} has no rights on governed mailboxes{more}.", what.name));
        return Ok(());
    }
    let headings = Headings {
        table: ["ENTITLEMENT", "MAILBOX", "THROUGH", "REMARKS"].map(str::to_owned).to_vec(),
        csv: [
            "id",
            "name",
            "entitlement",
            "mailbox",
            "address",
            "right",
            "deny",
            "inherited",
            "via",
            "note",
            "read_at",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    app.list(|sink| {
        let mut listing = Listing::new(sink, format, headings);
        for row in &what.rows {
            listing.row(&Opens { what, row })?;
        }
        listing.finish()
    })
}

struct Opens<'a> {
    what: &'a What,
    row: &'a WhatRow,
}

impl Opens<'_> {
    fn entitlement(&self) -> String {
        entitlement::value(&self.row.label, &self.row.right)
    }
}

impl Row for Opens<'_> {
    fn table(&self) -> Vec<String> {
        let row = self.row;
        vec![
            right(&self.entitlement(), row.deny),
            row.address.clone(),
            way(&row.via),
            remarks(row.inherited, row.note.as_deref()),
        ]
    }

    fn csv(&self) -> Vec<String> {
        let row = self.row;
        vec![
            self.what.id.clone(),
            self.what.name.clone(),
            self.entitlement(),
            row.mailbox.clone(),
            row.address.clone(),
            row.right.to_string(),
            row.deny.to_string(),
            row.inherited.to_string(),
            crate::output::join_values(row.via.iter().map(|via| via.name.as_str())),
            row.note.clone().unwrap_or_default(),
            row.read_at.to_string(),
        ]
    }

    fn json(&self) -> Value {
        let row = self.row;
        json!({
            "id": self.what.id, "name": self.what.name, "entitlement": self.entitlement(), "mailbox": row.mailbox,
            "address": row.address, "right": row.right, "deny": row.deny, "inherited": row.inherited,
            "via": row.via, "note": row.note, "readAt": row.read_at.to_string(),
        })
    }
}
