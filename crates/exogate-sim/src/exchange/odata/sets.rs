//! The entity sets that list recipients and policies, read through the cmdlets that list the same.

use serde_json::{Map, Value as Json};

use crate::exchange::bind::bind;
use crate::exchange::catalogue::catalogue;
use crate::exchange::emit::{Format, Page};
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::read;
use crate::exchange::reader::Reader;
use crate::exchange::render::Projection;
use crate::exchange::schema;

use super::entity::Shape;
use super::reply::Answer;
use super::{Call, filter, permissions};

/// An entity set.
pub(super) struct EntitySet {
    /// Its name, and that of its type.
    pub name: &'static str,
    /// The cmdlet that lists the same.
    pub cmdlet: &'static str,
    /// The cmdlet that has its property sets.
    pub client_cmdlet: &'static str,
    /// Options that are parameters of the cmdlet: name and whether it is a switch.
    options: &'static [(&'static str, bool)],
}

pub(super) const SETS: [EntitySet; 10] = [
    EntitySet {
        name: "Mailbox",
        cmdlet: "Get-Mailbox",
        client_cmdlet: "Get-EXOMailbox",
        options: &[
            ("Anr", false),
            ("RecipientTypeDetails", false),
            ("OrganizationalUnit", false),
            ("MailboxPlan", false),
            ("SoftDeletedMailbox", true),
            ("InactiveMailboxOnly", true),
            ("IncludeInactiveMailbox", true),
            ("Archive", true),
            ("GroupMailbox", true),
            ("PublicFolder", true),
            ("Migration", true),
        ],
    },
    EntitySet {
        name: "Recipient",
        cmdlet: "Get-Recipient",
        client_cmdlet: "Get-EXORecipient",
        options: &[
            ("Anr", false),
            ("RecipientType", false),
            ("RecipientTypeDetails", false),
            ("OrganizationalUnit", false),
            ("IncludeSoftDeletedRecipients", true),
        ],
    },
    EntitySet {
        name: "CasMailbox",
        cmdlet: "Get-CASMailbox",
        client_cmdlet: "Get-EXOCasMailbox",
        options: &[("Anr", false), ("OrganizationalUnit", false)],
    },
    further("User", "Get-User", &[("Anr", false), ("RecipientTypeDetails", false)]),
    further("UnifiedGroup", "Get-UnifiedGroup", &[("Anr", false), ("IncludeSoftDeletedGroups", true)]),
    further("DynamicDistributionGroup", "Get-DynamicDistributionGroup", &[("Anr", false)]),
    further("MailboxPlan", "Get-MailboxPlan", &[]),
    further("RetentionPolicy", "Get-RetentionPolicy", &[]),
    further("RoleAssignmentPolicy", "Get-RoleAssignmentPolicy", &[]),
    further("SharingPolicy", "Get-SharingPolicy", &[]),
];

/// A set that no cmdlet of the client module reads; it has no property sets.
const fn further(
    name: &'static str,
    cmdlet: &'static str,
    options: &'static [(&'static str, bool)],
) -> EntitySet {
    EntitySet { name, cmdlet, client_cmdlet: "", options }
}

/// Lists a set, or reads the one entity that a key names.
pub(super) fn read(
    call: &Call<'_>,
    reader: &Reader<'_>,
    set: &'static EntitySet,
    key: Option<String>,
) -> Result<Answer, ExchangeError> {
    let expands = call.option("$expand").is_some_and(|list| {
        list.split(',').any(|name| name.trim().eq_ignore_ascii_case("RecipientPermission"))
    });
    if set.name == "Recipient" && expands {
        return permissions::recipients(call, reader, key.as_deref());
    }
    let projection = Projection::new(selection(call, set)?.as_deref(), false);
    let mut parameters = options(call, set)?;
    if let Some(filter) = call.option("$filter") {
        let filter = filter::to_opath(filter, schema::unfilterable(set.client_cmdlet))?;
        parameters.insert("Filter".to_owned(), Json::from(filter));
    }
    if let Some(key) = &key {
        parameters.insert("Identity".to_owned(), Json::from(key.as_str()));
    }
    let Some(cmdlet) = catalogue().find(set.cmdlet) else {
        return Err(ExchangeError::new(Condition::UnknownParameter, [set.cmdlet]));
    };
    let bound = bind(cmdlet, &parameters, &[])?;
    let mut page = Page::new(call.window()?, projection, &call.ctx.services.exchange.sheets);
    page.format = Format::Entity(shape(call, set.name));
    if let Some(outcome) = read::run(reader, &bound, &mut page) {
        outcome?;
    }
    if let Some(key) = key {
        return match page.count {
            0 => Err(ExchangeError::new(Condition::NotFound, [key])),
            1 => Ok(Answer::One {
                context: format!("{}/$entity", set.name),
                row: page.rows.into_pieces().concat(),
            }),
            _ => Err(ExchangeError::new(Condition::Ambiguous, [key])),
        };
    }
    // A client that counted its rows itself needs no link behind them.
    let next = page.next.filter(|cursor| !cursor.exhausted);
    Ok(Answer::Many { context: set.name.to_owned(), rows: page.rows.into_pieces(), next })
}

pub(super) fn shape(call: &Call<'_>, set: &'static str) -> Shape {
    Shape { set, level: call.level(), base: call.base.clone() }
}

/// The properties that `PropertySet` and `$select` name together. The smallest set comes with whatever is asked for.
fn selection(call: &Call<'_>, set: &EntitySet) -> Result<Option<String>, ExchangeError> {
    let mut names: Vec<&str> = Vec::new();
    let sets = call.option("PropertySet").or_else(|| call.option("PropertySets"));
    let chosen = call.option("$select");
    if set.client_cmdlet.is_empty() && chosen.is_none() {
        return Ok(None);
    }
    names.extend(
        schema::property_set(set.client_cmdlet, "Minimum").unwrap_or_default().iter().map(String::as_str),
    );
    for name in sets.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name.eq_ignore_ascii_case("All") {
            return Ok(None);
        }
        let Some(members) = schema::property_set(set.client_cmdlet, name) else {
            return Err(ExchangeError::new(
                Condition::BadBody,
                [format!("The property set '{name}' of the query option 'PropertySet' is not valid.")],
            ));
        };
        names.extend(members.iter().map(String::as_str));
    }
    for name in chosen.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name == "*" {
            return Ok(None);
        }
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain {
            return Err(ExchangeError::new(
                Condition::BadBody,
                [format!(
                    "The query specified in the URI is not valid. Term '{name}' is not valid in a $select expression."
                )],
            ));
        }
        names.push(name);
    }
    Ok(Some(names.join(",")))
}

fn options(call: &Call<'_>, set: &EntitySet) -> Result<Map<String, Json>, ExchangeError> {
    let mut parameters = Map::new();
    for (name, is_switch) in set.options {
        let Some(value) = call.option(name) else { continue };
        let json = if *is_switch {
            match value.to_ascii_lowercase().as_str() {
                "true" | "1" => Json::Bool(true),
                "false" | "0" => continue,
                _ => {
                    return Err(ExchangeError::new(
                        Condition::BadBody,
                        [format!("The value '{value}' of the query option '{name}' is not a Boolean.")],
                    ));
                }
            }
        } else if matches!(*name, "RecipientType" | "RecipientTypeDetails") {
            Json::Array(value.split(',').map(|part| Json::from(part.trim())).collect())
        } else {
            Json::from(value)
        };
        parameters.insert((*name).to_owned(), json);
    }
    Ok(parameters)
}
