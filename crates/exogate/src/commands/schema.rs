//! `exogate schema`: the attributes configured, or all that are known, with type and who sets them.

use exogate_model::account::EXCHANGE_PREFIX;
use exogate_model::catalogue::{
    self, ENTRA_GROUP, ENTRA_USER, EntraAttribute, ExchangeAttribute, ExchangeObject,
};
use exogate_model::schema::{AttributeDefinition, AttributeSource, Schema};
use exogate_model::value::AttributeType;
use serde_json::{Value, json};

use super::App;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{Format, Headings, Listing, Row, join_values};

/// Show the attributes known, configured and writable.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --all, the attributes that the configured source aggregates. With --all, every attribute that can be named
in account_attributes and group_attributes; that needs no configuration.")]
pub struct Args {
    /// Only attributes of accounts or of groups.
    #[arg(value_parser = ["account", "group"])]
    object: Option<String>,
    /// Every attribute that is known.
    #[arg(long)]
    all: bool,
    /// Only attributes whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
    /// How to write it.
    #[arg(long, value_enum, conflicts_with = "json")]
    format: Option<Format>,
}

/// Runs the command.
pub fn run(args: &Args, app: &App) -> Outcome {
    let configured = match (args.all, app.config()) {
        (_, Ok(config)) => match config.source(app.global.source.as_deref()) {
            Ok(source) => Some((source.account_schema.clone(), source.group_schema.clone())),
            Err(failure) if args.all && app.global.source.is_none() => {
                drop(failure);
                None
            }
            Err(failure) => return Err(failure),
        },
        (true, Err(_)) if app.global.config.is_none() => None,
        (_, Err(failure)) => return Err(failure),
    };
    let wanted = |object: &str| args.object.as_deref().is_none_or(|only| only == object);
    let mut rows = Vec::new();
    if wanted("account") {
        let schema = configured.as_ref().map(|(accounts, _)| accounts);
        let exchange = [ExchangeObject::Mailbox, ExchangeObject::CasMailbox];
        rows.extend(attributes("account", schema, args.all, ENTRA_USER, &exchange));
    }
    if wanted("group") {
        let schema = configured.as_ref().map(|(_, groups)| groups);
        let exchange = [ExchangeObject::DistributionGroup, ExchangeObject::UnifiedGroup];
        rows.extend(attributes("group", schema, args.all, ENTRA_GROUP, &exchange));
    }
    if let Some(text) = &args.find {
        let text = text.to_lowercase();
        rows.retain(|row| row.name.to_lowercase().contains(&text));
    }
    let format = args.format.unwrap_or_else(|| app.view_format());
    let headings =
        Headings::same(&["object", "attribute", "type", "values", "configured", "read from", "set by"]);
    app.list(|sink| {
        let mut listing = Listing::new(sink, format, headings);
        for row in &rows {
            listing.row(row)?;
        }
        listing.finish()
    })?;
    Ok(Exit::Done)
}

struct Attribute {
    object: &'static str,
    name: String,
    kind: AttributeType,
    multi_valued: bool,
    entitlement: bool,
    configured: bool,
    origin: &'static str,
    setters: Vec<String>,
}

impl Row for Attribute {
    fn table(&self) -> Vec<String> {
        vec![
            self.object.to_owned(),
            self.name.clone(),
            self.kind.name().to_owned(),
            if self.multi_valued { "many" } else { "one" }.to_owned(),
            match (self.configured, self.entitlement) {
                (true, true) => "entitlement",
                (true, false) => "yes",
                (false, _) => "",
            }
            .to_owned(),
            self.origin.to_owned(),
            self.setters.join(", "),
        ]
    }

    fn csv(&self) -> Vec<String> {
        let mut fields = self.table();
        if let Some(last) = fields.last_mut() {
            *last = join_values(self.setters.iter().map(String::as_str));
        }
        fields
    }

    fn json(&self) -> Value {
        json!({
            "object": self.object, "name": self.name, "type": self.kind.name(), "multiValued": self.multi_valued,
            "entitlement": self.entitlement, "configured": self.configured, "readFrom": self.origin,
            "setBy": self.setters, "writable": !self.setters.is_empty(),
        })
    }
}

/// Configured attributes first, in their order; then, if all are wanted, the others.
fn attributes(
    object: &'static str,
    schema: Option<&Schema>,
    all: bool,
    entra: &'static [EntraAttribute],
    exchange: &[ExchangeObject],
) -> Vec<Attribute> {
    let mut rows: Vec<Attribute> =
        schema.into_iter().flat_map(Schema::attributes).map(|a| configured(object, a)).collect();
    if !all {
        return rows;
    }
    let known = |rows: &[Attribute], name: &str| rows.iter().any(|row| row.name == name);
    for attribute in entra {
        if !known(&rows, attribute.name) {
            rows.push(Attribute {
                object,
                name: attribute.name.to_owned(),
                kind: attribute.kind,
                multi_valued: attribute.multi_valued,
                entitlement: false,
                configured: false,
                origin: "Graph",
                setters: Vec::new(),
            });
        }
    }
    for attribute in exchange.iter().flat_map(|object| catalogue::exchange_attributes(*object)) {
        let name = format!("{EXCHANGE_PREFIX}{}", attribute.name);
        if !known(&rows, &name) {
            rows.push(Attribute {
                object,
                name,
                kind: attribute.kind,
                multi_valued: attribute.multi_valued,
                entitlement: false,
                configured: false,
                origin: cmdlet(attribute.object),
                setters: setters(attribute),
            });
        }
    }
    rows
}

fn configured(object: &'static str, attribute: &AttributeDefinition) -> Attribute {
    let (origin, setters) = match &attribute.source {
        AttributeSource::Entra(_) => ("Graph", Vec::new()),
        AttributeSource::Exchange(of, name) => {
            (cmdlet(*of), catalogue::exchange_attribute(*of, name).map(setters).unwrap_or_default())
        }
        AttributeSource::SharedMailboxes => ("mailbox permissions", Vec::new()),
        AttributeSource::Groups => ("memberships", Vec::new()),
    };
    Attribute {
        object,
        name: attribute.name.clone(),
        kind: attribute.kind,
        multi_valued: attribute.multi_valued,
        entitlement: attribute.entitlement,
        configured: true,
        origin,
        setters,
    }
}

fn cmdlet(object: ExchangeObject) -> &'static str {
    match object {
        ExchangeObject::Mailbox => "Get-Mailbox",
        ExchangeObject::CasMailbox => "Get-CASMailbox",
        ExchangeObject::User => "Get-User",
        ExchangeObject::DistributionGroup => "Get-DistributionGroup",
        ExchangeObject::UnifiedGroup => "Get-UnifiedGroup",
    }
}

fn setters(attribute: &ExchangeAttribute) -> Vec<String> {
    attribute.setters.iter().map(|setter| format!("{} -{}", setter.cmdlet, setter.parameter)).collect()
}
