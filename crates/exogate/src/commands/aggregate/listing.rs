//! What a run has read, on its way out: accounts, groups, entitlements, or all of them.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;

use exogate_engine::view::{Entitlement, View, ViewError};
use exogate_model::account::{Account, Attributes, GROUPS, SHARED_MAILBOX};
use exogate_model::group::{Group, Member};
use exogate_model::schema::Schema;
use exogate_model::value::AttributeValue;
use exogate_store::SourceStore;
use futures::{Stream, TryStreamExt};
use serde_json::{Value, json};

use super::{Args, What};
use crate::commands::App;
use crate::config::Source;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::sink::{AtomicFile, Sink};
use crate::output::{Format, Headings, Listing, Row, join_values};

/// Where a listing goes.
pub enum Destination {
    /// Standard output.
    Standard,
    /// A file that appears when it is complete.
    File(AtomicFile, PathBuf),
}

impl Destination {
    /// Opened before the tenant is read, so that a file that cannot be written is known at once.
    pub fn open(args: &Args, app: &App) -> Result<Self, Failure> {
        let Some(path) = &args.output else { return Ok(Self::Standard) };
        let path = app.environment.absolute(path);
        let file = AtomicFile::create(&path).map_err(|error| cannot_write(error, &path))?;
        Ok(Self::File(file, path))
    }
}

fn cannot_write(error: io::Error, path: &Path) -> Failure {
    let failure = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            error.into()
        }
        _ => Failure::new(Exit::Failed, error)
            .hint("check that its folder exists, that you may write there, and that the disk is not full"),
    };
    failure.context(format!("cannot write {}", path.display()))
}

/// What a listing that could not be written has not spoilt.
fn kept(failure: Failure) -> Failure {
    failure.hint(
        "what was read is in the store: with --stored, the tenant is not read again; what the file held is kept",
    )
}

/// Writes what was asked for, page by page.
pub async fn write(
    what: What,
    format: Format,
    to: Destination,
    source: &Source,
    store: &SourceStore,
    app: &App,
) -> Result<(), Failure> {
    let view = View::new(store.clone(), connect::context(source).into());
    match to {
        Destination::Standard => rows(what, format, source, &view, &mut app.console.stdout()).await,
        Destination::File(mut file, path) => {
            rows(what, format, source, &view, &mut file)
                .await
                .map_err(|failure| kept(failure.context(format!("cannot write {}", path.display()))))?;
            file.commit().map_err(|error| kept(cannot_write(error, &path)))
        }
    }
}

async fn rows(
    what: What,
    format: Format,
    source: &Source,
    view: &View,
    sink: &mut dyn Sink,
) -> Result<(), Failure> {
    let accounts = &source.account_schema;
    let groups = &source.group_schema;
    match what {
        What::Accounts => {
            let mut listing = Listing::new(sink, format, account_headings(accounts));
            each(view.accounts(), |account| listing.row(&AccountRow { account, schema: accounts })).await?;
            Ok(listing.finish()?)
        }
        What::Groups => {
            let mut listing = Listing::new(sink, format, group_headings(groups));
            each(view.groups(), |group| listing.row(&GroupRow { group, schema: groups })).await?;
            Ok(listing.finish()?)
        }
        What::Entitlements => {
            let mut listing = Listing::new(sink, format, entitlement_headings());
            each(view.entitlements(), |entitlement| listing.row(&EntitlementRow(entitlement))).await?;
            Ok(listing.finish()?)
        }
        What::All => {
            let mut listing = Listing::new(sink, Format::Jsonl, Headings::default());
            each(view.accounts(), |account| {
                listing.row(&Tagged("account", &AccountRow { account, schema: accounts }))
            })
            .await?;
            each(view.groups(), |group| listing.row(&Tagged("group", &GroupRow { group, schema: groups })))
                .await?;
            each(view.entitlements(), |entitlement| {
                listing.row(&Tagged("entitlement", &EntitlementRow(entitlement)))
            })
            .await?;
            Ok(listing.finish()?)
        }
    }
}

async fn each<T>(
    items: impl Stream<Item = Result<T, ViewError>>,
    mut take: impl FnMut(T) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut items = pin!(items);
    while let Some(item) = items.try_next().await.map_err(connect::from_view)? {
        take(item)?;
    }
    Ok(())
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn field(attributes: &Attributes, name: &str) -> String {
    match attributes.get(name) {
        None => String::new(),
        Some(AttributeValue::Boolean(flag)) => flag.to_string(),
        Some(AttributeValue::Integer(number)) => number.to_string(),
        Some(AttributeValue::Text(text)) => text.clone(),
        Some(AttributeValue::Many(values)) => join_values(values.iter().map(String::as_str)),
    }
}

fn count(attributes: &Attributes, name: &str) -> usize {
    match attributes.get(name) {
        Some(AttributeValue::Many(values)) => values.len(),
        Some(_) => 1,
        None => 0,
    }
}

fn account_headings(schema: &Schema) -> Headings {
    let names = schema.attributes().iter().map(|attribute| attribute.name.clone());
    Headings {
        table: owned(&["NAME", "DISPLAY NAME", "DISABLED", "GROUPS", "SHARED MAILBOXES"]),
        csv: owned(&["id", "name", "disabled"]).into_iter().chain(names).collect(),
    }
}

struct AccountRow<'a> {
    account: Account,
    schema: &'a Schema,
}

impl Row for AccountRow<'_> {
    fn table(&self) -> Vec<String> {
        let Account { name, disabled, attributes, .. } = &self.account;
        let rights = match attributes.get(SHARED_MAILBOX) {
            Some(AttributeValue::Many(values)) => values.join(", "),
            _ => String::new(),
        };
        vec![
            name.clone(),
            field(attributes, "displayName"),
            if *disabled { "disabled" } else { "" }.to_owned(),
            count(attributes, GROUPS).to_string(),
            rights,
        ]
    }

    fn csv(&self) -> Vec<String> {
        let Account { id, name, disabled, attributes } = &self.account;
        let values = self.schema.attributes().iter().map(|attribute| field(attributes, &attribute.name));
        [id.clone(), name.clone(), disabled.to_string()].into_iter().chain(values).collect()
    }

    fn json(&self) -> Value {
        let Account { id, name, disabled, attributes } = &self.account;
        json!({"id": id, "name": name, "disabled": disabled, "attributes": attributes})
    }
}

fn group_headings(schema: &Schema) -> Headings {
    let names = schema.attributes().iter().map(|attribute| attribute.name.clone());
    Headings {
        table: owned(&["NAME", "KIND", "MAIL", "MEMBERS", "OWNERS", "ID"]),
        csv: owned(&["id", "name", "kind", "members", "owners"]).into_iter().chain(names).collect(),
    }
}

struct GroupRow<'a> {
    group: Group,
    schema: &'a Schema,
}

impl Row for GroupRow<'_> {
    fn table(&self) -> Vec<String> {
        let group = &self.group;
        vec![
            group.name.clone(),
            group.kind.to_string(),
            field(&group.attributes, "mail"),
            group.members.len().to_string(),
            group.owners.len().to_string(),
            group.id.clone(),
        ]
    }

    fn csv(&self) -> Vec<String> {
        let group = &self.group;
        let ids = |members: &[Member]| join_values(members.iter().map(|member| member.id.as_str()));
        let values =
            self.schema.attributes().iter().map(|attribute| field(&group.attributes, &attribute.name));
        [
            group.id.clone(),
            group.name.clone(),
            group.kind.to_string(),
            ids(&group.members),
            ids(&group.owners),
        ]
        .into_iter()
        .chain(values)
        .collect()
    }

    fn json(&self) -> Value {
        let Group { id, name, kind, attributes, members, owners } = &self.group;
        json!({
            "id": id, "name": name, "kind": kind, "attributes": attributes, "members": members, "owners": owners,
        })
    }
}

fn entitlement_headings() -> Headings {
    Headings::same(&["value", "mailbox", "address", "right", "holders"])
}

struct EntitlementRow(Entitlement);

impl Row for EntitlementRow {
    fn table(&self) -> Vec<String> {
        let Entitlement { value, mailbox, address, right, holders } = &self.0;
        vec![value.clone(), mailbox.clone(), address.clone(), right.to_string(), holders.to_string()]
    }

    fn json(&self) -> Value {
        let Entitlement { value, mailbox, address, right, holders } = &self.0;
        json!({"value": value, "mailbox": mailbox, "address": address, "right": right, "holders": holders})
    }
}

/// A row that says what it is, for listings of several kinds.
struct Tagged<'a>(&'static str, &'a dyn Row);

impl Row for Tagged<'_> {
    fn table(&self) -> Vec<String> {
        self.1.table()
    }

    fn json(&self) -> Value {
        let mut tagged = serde_json::Map::new();
        tagged.insert("object".to_owned(), self.0.into());
        if let Value::Object(fields) = self.1.json() {
            tagged.extend(fields);
        }
        Value::Object(tagged)
    }
}
