//! `exogate get`: one account, group or mailbox, whole.

use std::collections::HashMap;

use clap::ValueEnum;
use exogate_engine::view::{Mailbox, View};
use exogate_model::account::{Account, Attributes, GROUPS, SHARED_MAILBOX};
use exogate_model::group::{Group, Member};
use exogate_model::value::AttributeValue;
use exogate_store::ObjectName;
use serde_json::{Value, json};

use super::App;
use super::who::Held;
use crate::connect;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Row, json_line, printable};

/// Show one account, group or mailbox.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Answers from the store, as it was read last.

Examples:
  exogate get account mark.taylor@contoso.com
  exogate get mailbox support@contoso.com --json")]
pub struct Args {
    /// What it is.
    #[arg(value_enum)]
    what: What,
    /// Its id, principal name, address or name.
    id: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Account,
    Group,
    Mailbox,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let config = app.config()?;
    let source = config.source(app.global.source.as_deref())?;
    let (text, value) = app.block_on(async {
        let store = connect::stored_source(&config, source, &app.environment).await?;
        let view = View::new(store, connect::context(source).into());
        let id = args.id.as_str();
        Ok(match args.what {
            What::Account => {
                let account = view.account(id).await.map_err(connect::from_view)?;
                let names = names(&view, group_ids(&account)).await?;
                (account_text(&account, &names), to_json(&account)?)
            }
            What::Group => {
                let group = view.group(id).await.map_err(connect::from_view)?;
                let ids = group.members.iter().chain(&group.owners).map(|member| member.id.clone());
                let names = names(&view, ids.collect()).await?;
                (group_text(&group, &names), to_json(&group)?)
            }
            What::Mailbox => {
                let mailbox = view.mailbox(id).await.map_err(connect::from_view)?;
                (mailbox_text(&mailbox), mailbox_json(&mailbox))
            }
        })
    })?;
    if app.global.json {
        let mut stdout = app.console.stdout();
        json_line(&value, &mut stdout)?;
        std::io::Write::flush(&mut stdout)?;
    } else {
        app.console.print(&text)?;
    }
    Ok(Exit::Done)
}

fn to_json(object: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(object).map_err(|error| Failure::new(Exit::Failed, error))
}

/// Names and values, one a line, several values below each other.
#[derive(Default)]
struct Sheet(Vec<(String, Vec<String>)>);

impl Sheet {
    fn one(mut self, name: &str, value: &dyn ToString) -> Self {
        self.0.push((name.to_owned(), vec![value.to_string()]));
        self
    }

    fn many(mut self, name: &str, values: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.0.push((name.to_owned(), values));
        }
        self
    }

    fn attributes(mut self, attributes: &Attributes) -> Self {
        for (name, value) in attributes {
            self.0.push((name.clone(), values(value)));
        }
        self
    }

    fn text(self) -> String {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, values) in self.0 {
            for (index, value) in values.iter().enumerate() {
                let name = if index == 0 { name.as_str() } else { "" };
                text.push_str(format!("{name:<width$}  {}", printable(value)).trim_end());
                text.push('\n');
            }
        }
        text
    }
}

fn values(value: &AttributeValue) -> Vec<String> {
    match value {
        AttributeValue::Boolean(flag) => vec![flag.to_string()],
        AttributeValue::Integer(number) => vec![number.to_string()],
        AttributeValue::Text(text) => vec![text.clone()],
        AttributeValue::Many(many) => many.clone(),
    }
}

type Names = HashMap<String, ObjectName>;

/// What these ids are called; people read names, machines ids.
async fn names(view: &View, ids: Vec<String>) -> Result<Names, Failure> {
    view.store().names(ids).await.map_err(connect::from_store)
}

fn group_ids(account: &Account) -> Vec<String> {
    account.attributes.get(GROUPS).map(values).unwrap_or_default()
}

/// `Legal (legal@contoso.com)`, and the id where there is no name.
fn called(id: &str, names: &Names) -> String {
    match names.get(id) {
        Some(ObjectName { display_name, address: Some(address), .. }) => {
            format!("{display_name} ({address})")
        }
        Some(name) => name.display_name.clone(),
        None => id.to_owned(),
    }
}

fn account_text(account: &Account, names: &Names) -> String {
    let mut attributes = account.attributes.clone();
    let rights = attributes.remove(SHARED_MAILBOX);
    attributes.remove(GROUPS);
    Sheet::default()
        .one("id", &account.id)
        .one("name", &account.name)
        .one("disabled", &account.disabled)
        .attributes(&attributes)
        .many(GROUPS, group_ids(account).iter().map(|id| called(id, names)))
        .many(SHARED_MAILBOX, rights.iter().flat_map(values))
        .text()
}

fn group_text(group: &Group, names: &Names) -> String {
    let list = |members: &[Member]| -> Vec<String> {
        members
            .iter()
            .map(|member| format!("{}  {}", called(&member.id, names), member.kind.name()))
            .collect()
    };
    Sheet::default()
        .one("id", &group.id)
        .one("name", &group.name)
        .one("kind", &group.kind)
        .attributes(&group.attributes)
        .many("owners", list(&group.owners))
        .many("members", list(&group.members))
        .text()
}

fn mailbox_text(mailbox: &Mailbox) -> String {
    let rights = mailbox.rights.iter().map(|row| {
        let cells = Held { mailbox: &mailbox.id, address: &mailbox.address, row }.table();
        cells.into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
    });
    Sheet::default()
        .one("id", &mailbox.id)
        .one("name", &mailbox.name)
        .one("kind", &mailbox.kind)
        .one("address", &mailbox.address)
        .many("label", mailbox.label.clone())
        .attributes(&mailbox.attributes)
        .many("rights", rights)
        .one("read", &super::instant(mailbox.read_at))
        .text()
}

fn mailbox_json(mailbox: &Mailbox) -> Value {
    let rights: Vec<Value> = mailbox
        .rights
        .iter()
        .map(|row| Held { mailbox: &mailbox.id, address: &mailbox.address, row }.json())
        .collect();
    json!({
        "id": mailbox.id, "name": mailbox.name, "kind": mailbox.kind, "address": mailbox.address,
        "label": mailbox.label, "attributes": mailbox.attributes, "rights": rights,
        "readAt": mailbox.read_at.to_string(),
    })
}
