//! Dynamic distribution groups: their conditions as a filter, creation and deletion. Only Exchange knows them.

use crate::exchange::emit::Page;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::is_dynamic_group;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::RowClass;
use crate::state::{Body, Group, GroupKind, Object, RecipientTypeDetails};

use super::groups::alias_from;
use super::lists;
use super::session::Session;
use super::settings::may_own;

type Shows = Result<bool, ExchangeError>;

/// Whether a parameter is one of the conditions that make up a filter.
pub(super) fn is_condition(name: &str) -> bool {
    name == "IncludedRecipients" || name.starts_with("Conditional")
}

/// The filter that the conditions of a dynamic group stand for.
pub(super) fn canned_filter(object: &Object) -> String {
    let Some(bag) = object.extra().map(|extra| &extra.exchange) else { return String::new() };
    let mut parts = Vec::new();
    let included =
        bag.get("IncludedRecipients").and_then(crate::state::AttrValue::as_str).unwrap_or("AllRecipients");
    let kinds: Vec<&str> = included
        .split(',')
        .filter_map(|kind| match kind.trim() {
            "MailboxUsers" => Some("RecipientTypeDetails -eq 'UserMailbox'"),
            "Resources" => Some("RecipientTypeDetails -eq 'RoomMailbox' -or RecipientTypeDetails -eq 'EquipmentMailbox'"),
            "MailContacts" => Some("RecipientTypeDetails -eq 'MailContact'"),
            "MailGroups" => Some(
                "RecipientTypeDetails -eq 'MailUniversalDistributionGroup' -or RecipientTypeDetails -eq 'MailUniversalSecurityGroup'",
            ),
            "MailUsers" => Some("RecipientTypeDetails -eq 'MailUser'"),
            _ => None,
        })
        .collect();
    parts.push(if kinds.is_empty() {
        "Alias -ne $null".to_owned()
    } else {
        format!("({})", kinds.join(" -or "))
    });
    for (name, value) in bag.iter() {
        let (Some(property), Some(list)) = (name.strip_prefix("Conditional"), value.as_list()) else {
            continue;
        };
        let tests: Vec<_> =
            list.iter().map(|text| format!("{property} -eq '{}'", text.replace('\'', "''"))).collect();
        if !tests.is_empty() {
            parts.push(format!("({})", tests.join(" -or ")));
        }
    }
    parts.join(" -and ")
}

pub(super) fn create(session: &mut Session<'_>, page: &mut Page) -> Shows {
    let bound = session.bound;
    let name = bound.text("Name").unwrap_or_default().trim().to_owned();
    session.object.clone_from(&name);
    let refused = |text: &str| ExchangeError::new(Condition::RecipientTask, [text]);
    if name.is_empty() {
        return Err(refused("The property 'Name' can't be empty."));
    }
    if !bound.has("RecipientFilter") && !bound.has("IncludedRecipients") {
        return Err(refused("Either RecipientFilter or IncludedRecipients must be given."));
    }
    let alias = match bound.text("Alias") {
        Some(alias) => alias.to_owned(),
        None => session.state.free_alias(&alias_from(&name)),
    };
    let primary = match bound.text("PrimarySmtpAddress").filter(|text| !text.is_empty()) {
        Some(address) => address.to_owned(),
        None => format!("{alias}@{}", session.state.tenant.default_domain()),
    };
    session.accepted(&primary)?;
    let mut body = Group::new(GroupKind::DynamicDistribution);
    if let Some(given) = bound.get("ManagedBy") {
        body.owners = lists::recipients(&session.reader(), "ManagedBy", &[], given, may_own)?;
    }
    body.description = bound.text("Notes").filter(|text| !text.is_empty()).map(Into::into);
    let display = bound.text("DisplayName").unwrap_or(&name).to_owned();
    let at = session.at;
    let mut object = session.state.new_object(&display, &alias, Body::Group(Box::new(body)), at);
    object.addresses = vec![format!("SMTP:{primary}").into()];
    let details = RecipientTypeDetails::DynamicDistributionGroup;
    object.recipient = Some(Box::new(session.state.new_recipient(&name, details, at)));
    let bag = &mut object.extra_mut().exchange;
    for (name, value) in bound.iter().filter(|(name, _)| is_condition(name)) {
        match value {
            crate::exchange::bind::Arg::Text(text) if name == "IncludedRecipients" => {
                bag.set(name, text.as_str());
            }
            list => bag.set(name, lists::texts(&[], list)),
        }
    }
    let (filter, kind) = match bound.text("RecipientFilter") {
        Some(filter) => {
            crate::exchange::opath::compile(filter, "Get-Recipient")?;
            (filter.to_owned(), "Custom")
        }
        None => (canned_filter(&object), "Precanned"),
    };
    object.extra_mut().exchange.set("RecipientFilterType", kind);
    if let Some(group) = object.group_mut() {
        group.recipient_filter = Some(filter.into());
    }
    let outcome = session.edit().insert(object);
    let idx = outcome.map_err(|error| session.refused(error))?;
    session.name_target(idx);
    let reader = session.reader();
    let row = RecipientRow::new(&reader, RowClass::DynamicDistributionGroup, idx, session.object(idx)?);
    page.single(RowClass::DynamicDistributionGroup, &row);
    Ok(true)
}

pub(super) fn remove(session: &mut Session<'_>) -> Shows {
    let idx = session.target(is_dynamic_group)?;
    let outcome = session.edit().purge(idx);
    outcome.map_err(|error| session.refused(error))?;
    Ok(false)
}
