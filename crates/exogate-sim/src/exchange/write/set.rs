//! The Set cmdlets: find the target, plan its parameters, apply them all or none.

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{
    Accepts, is_distribution_group, is_dynamic_group, is_group, is_mail_user, is_mailbox, is_unified_group,
    is_user,
};
use crate::exchange::schema::RowClass;
use crate::exchange::value::parse_time;
use crate::state::{Idx, Object};

use super::groups::check_manager;
use super::session::Session;
use super::settings::{Bag, plan};

type Done = Result<(), ExchangeError>;

fn apply(session: &mut Session<'_>, idx: Idx, class: RowClass, bag: Bag) -> Done {
    let changes = plan(session, idx, class, bag)?;
    let changed = session.update(idx, |object| {
        for change in changes {
            change(object);
        }
        drop_empty(object);
    })?;
    if !changed {
        session.warn_unchanged(idx);
    }
    Ok(())
}

/// Bags that hold nothing compare like bags that never were.
fn drop_empty(object: &mut Object) {
    if object.extra.as_deref().is_some_and(|extra| *extra == crate::state::Extra::default()) {
        object.extra = None;
    }
}

fn simple(session: &mut Session<'_>, accepts: Accepts, class: RowClass, bag: Bag) -> Done {
    let idx = session.target(accepts)?;
    apply(session, idx, class, bag)
}

pub(super) fn mailbox(session: &mut Session<'_>) -> Done {
    if session.bound.switch("InactiveMailbox") {
        let identity = session.identity()?.to_owned();
        session.object.clone_from(&identity);
        let found: Vec<Idx> = session
            .reader()
            .deleted_named(&identity)
            .into_iter()
            .filter(|(_, object)| object.mailbox().is_some_and(|mailbox| mailbox.litigation_hold))
            .map(|(idx, _)| idx)
            .collect();
        return match found.as_slice() {
            [idx] => apply(session, *idx, RowClass::Mailbox, Bag::Exchange),
            [] => Err(ExchangeError::new(Condition::NotFound, [identity])),
            _ => Err(ExchangeError::new(Condition::Ambiguous, [identity])),
        };
    }
    let accepts = if session.bound.switch("GroupMailbox") { is_unified_group } else { is_mailbox };
    simple(session, accepts, RowClass::Mailbox, Bag::Exchange)
}

pub(super) fn cas_mailbox(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::CasMailbox, Bag::Cas)
}

pub(super) fn user(session: &mut Session<'_>) -> Done {
    simple(session, is_user, RowClass::User, Bag::Directory)
}

pub(super) fn mail_user(session: &mut Session<'_>) -> Done {
    simple(session, is_mail_user, RowClass::MailUser, Bag::Exchange)
}

pub(super) fn distribution_group(session: &mut Session<'_>) -> Done {
    let idx = session.target(is_distribution_group)?;
    check_manager(session, idx)?;
    apply(session, idx, RowClass::DistributionGroup, Bag::Exchange)
}

pub(super) fn dynamic_group(session: &mut Session<'_>) -> Done {
    let idx = session.target(is_dynamic_group)?;
    apply(session, idx, RowClass::DynamicDistributionGroup, Bag::Exchange)?;
    let canned = |name: &str| name == "IncludedRecipients" || name.starts_with("Conditional");
    if session.bound.iter().any(|(name, _)| canned(name)) {
        let filter = canned_filter(session.object(idx)?);
        session.update(idx, |object| {
            if let Some(group) = object.group_mut() {
                group.recipient_filter = Some(filter.into());
            }
            object.extra_mut().exchange.set("RecipientFilterType", "Precanned");
        })?;
    }
    Ok(())
}

/// The filter that the conditions of a dynamic group stand for.
fn canned_filter(object: &Object) -> String {
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

pub(super) fn unified_group(session: &mut Session<'_>) -> Done {
    simple(session, is_unified_group, RowClass::UnifiedGroup, Bag::Exchange)
}

pub(super) fn group(session: &mut Session<'_>) -> Done {
    let idx = session.target(is_group)?;
    check_manager(session, idx)?;
    apply(session, idx, RowClass::Group, Bag::Directory)
}

pub(super) fn auto_reply(session: &mut Session<'_>) -> Done {
    let time = |name: &str| session.bound.text(name).and_then(parse_time);
    if let (Some(start), Some(end)) = (time("StartTime"), time("EndTime"))
        && end <= start
    {
        return Err(ExchangeError::new(
            Condition::Validation,
            ["The start time must be earlier than the end time."],
        ));
    }
    simple(session, is_mailbox, RowClass::AutoReply, Bag::AutoReply)
}

pub(super) fn regional(session: &mut Session<'_>) -> Done {
    simple(session, is_mailbox, RowClass::Regional, Bag::Regional)
}
