//! What an action amounts to, against a fresh reading: whether it is so already, what of it is still
//! to be done, whether it took effect, and what undoes it. Pure.

use exogate_model::account::Attributes;
use exogate_model::operation::{Action, Edit, GroupDefinition, Image, Party, ValueChange};
use exogate_model::right::Right;
use exogate_model::value::AttributeValue;
use thiserror::Error;

/// Why something cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Irreversible {
    /// Too little is on record.
    #[error("the journal does not hold what was there before")]
    NoImage,
    /// Entra keeps deleted users.
    #[error("a deleted user is restored in the Entra admin center, within 30 days")]
    DeletedUser,
    /// Passwords are not on record.
    #[error("the password before is not on record")]
    Password,
}

/// Whether what the action asks for is so.
pub fn is_so(action: &Action, image: &Image) -> bool {
    match (action, image) {
        (Action::GrantRights { rights, .. }, Image::Rights { held }) => {
            rights.iter().all(|right| held.contains(right))
        }
        (Action::RevokeRights { rights, .. }, Image::Rights { held }) => {
            !rights.iter().any(|right| held.contains(right))
        }
        (Action::GrantSendAs { .. }, Image::Rights { held }) => held.contains(&Right::SendAs),
        (Action::RevokeSendAs { .. }, Image::Rights { held }) => !held.contains(&Right::SendAs),
        (
            Action::ChangeSendOnBehalf { add, remove } | Action::ChangeOwners { add, remove },
            Image::Parties { present, .. },
        ) => {
            let there = |party: &Party| present.contains(&party.id);
            add.iter().all(there) && !remove.iter().any(there)
        }
        (Action::AddMember { who, .. }, Image::Parties { present, .. }) => present.contains(&who.id),
        (Action::RemoveMember { who, .. }, Image::Parties { present, .. }) => !present.contains(&who.id),
        (Action::SetAttributes { edits, .. }, Image::Attributes { values }) => {
            edits.iter().all(|edit| edit_is_so(edit, values))
        }
        (Action::CreateGroup { .. }, Image::Group { id, .. }) => id.is_some(),
        (Action::DeleteGroup, Image::Group { id, .. }) => id.is_none(),
        (Action::CreateUser { .. }, Image::User { id, .. }) => id.is_some(),
        (Action::DeleteUser, Image::User { id, .. }) => id.is_none(),
        _ => false,
    }
}

/// Whether the action took effect, where the service may show a value in a form of its own: it is as
/// asked, or at least no longer as it was.
pub fn took_effect(action: &Action, before: &Image, now: &Image) -> bool {
    match (action, before, now) {
        (
            Action::SetAttributes { edits, .. },
            Image::Attributes { values: before },
            Image::Attributes { values: now },
        ) => edits
            .iter()
            .all(|edit| edit_is_so(edit, now) || before.get(&edit.attribute) != now.get(&edit.attribute)),
        (
            Action::SetPassword,
            Image::User { password_changed: before, .. },
            Image::User { password_changed: now, .. },
        ) => before != now,
        _ => is_so(action, now),
    }
}

/// The action without what is so already.
pub fn narrowed(action: &Action, image: &Image) -> Action {
    let mut action = action.clone();
    match (&mut action, image) {
        // Rights given together with a wish about Outlook are given as asked.
        (Action::GrantRights { rights, auto_mapping: None, .. }, Image::Rights { held }) => {
            rights.retain(|right| !held.contains(right));
        }
        (Action::RevokeRights { rights, .. }, Image::Rights { held }) => {
            rights.retain(|right| held.contains(right));
        }
        (
            Action::ChangeSendOnBehalf { add, remove } | Action::ChangeOwners { add, remove },
            Image::Parties { present, .. },
        ) => {
            add.retain(|party| !present.contains(&party.id));
            remove.retain(|party| present.contains(&party.id));
        }
        (Action::SetAttributes { edits, .. }, Image::Attributes { values }) => {
            edits.retain(|edit| !edit_is_so(edit, values));
            for edit in edits {
                settle_list(edit, values);
            }
        }
        _ => {}
    }
    action
}

/// A list that the service only replaces as a whole is replaced by what it is to become.
fn settle_list(edit: &mut Edit, values: &Attributes) {
    let ValueChange::AddRemove { add, remove } = &edit.change else { return };
    if edit.add_remove {
        return;
    }
    let mut list = many(values.get(&edit.attribute));
    list.retain(|value| !remove.iter().any(|gone| same_text(gone, value)));
    for value in add {
        if !list.iter().any(|there| same_text(there, value)) {
            list.push(value.clone());
        }
    }
    edit.change =
        if list.is_empty() { ValueChange::Clear } else { ValueChange::Set(AttributeValue::Many(list)) };
}

fn edit_is_so(edit: &Edit, values: &Attributes) -> bool {
    let value = values.get(&edit.attribute);
    match &edit.change {
        ValueChange::Set(wanted) => value.is_some_and(|value| same_value(wanted, value)),
        ValueChange::Clear => value.is_none(),
        ValueChange::AddRemove { add, remove } => {
            let there = |wanted: &String| many(value).iter().any(|value| same_text(value, wanted));
            let gone = if names_recipients(edit) { remove.is_empty() || value.is_none() } else { true };
            add.iter().all(there) && !remove.iter().any(there) && gone
        }
    }
}

/// Whether the attribute lists recipients: those are written by their addresses and shown by their
/// names, so that nobody can tell from the list who is not on it.
fn names_recipients(edit: &Edit) -> bool {
    const LISTS: [&str; 6] = [
        "AcceptMessagesOnlyFrom",
        "RejectMessagesFrom",
        "BypassModerationFrom",
        "ModeratedBy",
        "ManagedBy",
        "GrantSendOnBehalfTo",
    ];
    LISTS.iter().any(|list| edit.property.starts_with(list))
}

fn many(value: Option<&AttributeValue>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(AttributeValue::Many(values)) => values.clone(),
        Some(AttributeValue::Text(text)) => vec![text.clone()],
        Some(AttributeValue::Integer(number)) => vec![number.to_string()],
        Some(AttributeValue::Boolean(flag)) => vec![flag.to_string()],
    }
}

/// Whether two values are the same fact.
pub fn same_value(a: &AttributeValue, b: &AttributeValue) -> bool {
    match (a, b) {
        (AttributeValue::Many(a), AttributeValue::Many(b)) => {
            let within = |a: &[String], b: &[String]| a.iter().all(|x| b.iter().any(|y| same_text(x, y)));
            within(a, b) && within(b, a)
        }
        (AttributeValue::Text(a), AttributeValue::Text(b)) => {
            a == b || matches!((bytes(a), bytes(b)), (Some(a), Some(b)) if a == b)
        }
        _ => a == b,
    }
}

/// Whether two elements of a list are the same. Case matters only in the tag of an address, where it
/// tells the primary one.
fn same_text(a: &str, b: &str) -> bool {
    let tag = |text: &str| text.split_once(':').map(|(tag, _)| tag.to_owned());
    a.eq_ignore_ascii_case(b)
        && (tag(a) == tag(b) || !tag(a).is_some_and(|tag| tag.eq_ignore_ascii_case("smtp")))
}

/// A size in bytes: `50GB`, `49.5 GB (53,150,220,288 bytes)`.
fn bytes(text: &str) -> Option<u64> {
    if let Some((_, rest)) = text.split_once('(')
        && let Some((number, _)) = rest.split_once(" bytes")
    {
        return number.replace(',', "").parse().ok();
    }
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..end)?.parse().ok()?;
    let factor: u64 = match text.get(end..)?.trim().to_ascii_uppercase().as_str() {
        "B" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// What puts things back as they were before the action; nothing where it changed nothing.
pub fn inverse(action: &Action, before: &Image) -> Result<Vec<Action>, Irreversible> {
    Ok(match (action, before) {
        (Action::GrantRights { trustee, rights, .. }, Image::Rights { held }) => {
            let rights: Vec<_> = rights.iter().filter(|right| !held.contains(right)).cloned().collect();
            let trustee = trustee.clone();
            if rights.is_empty() { vec![] } else { vec![Action::RevokeRights { trustee, rights }] }
        }
        (Action::RevokeRights { trustee, rights }, Image::Rights { held }) => {
            let rights: Vec<_> = rights.iter().filter(|right| held.contains(right)).cloned().collect();
            let trustee = trustee.clone();
            let back = Action::GrantRights { trustee, rights: rights.clone(), auto_mapping: None };
            if rights.is_empty() { vec![] } else { vec![back] }
        }
        (Action::GrantSendAs { trustee }, Image::Rights { held }) => match held.contains(&Right::SendAs) {
            true => vec![],
            false => vec![Action::RevokeSendAs { trustee: trustee.clone() }],
        },
        (Action::RevokeSendAs { trustee }, Image::Rights { held }) => match held.contains(&Right::SendAs) {
            true => vec![Action::GrantSendAs { trustee: trustee.clone() }],
            false => vec![],
        },
        (Action::ChangeSendOnBehalf { add, remove }, Image::Parties { present, .. }) => {
            let (add, remove) = swapped(add, remove, present);
            if add.is_empty() && remove.is_empty() {
                vec![]
            } else {
                vec![Action::ChangeSendOnBehalf { add, remove }]
            }
        }
        (Action::ChangeOwners { add, remove }, Image::Parties { present, .. }) => {
            let (add, remove) = swapped(add, remove, present);
            if add.is_empty() && remove.is_empty() {
                vec![]
            } else {
                vec![Action::ChangeOwners { add, remove }]
            }
        }
        (Action::AddMember { role, who }, Image::Parties { present, .. }) => {
            match present.contains(&who.id) {
                true => vec![],
                false => vec![Action::RemoveMember { role: *role, who: who.clone() }],
            }
        }
        (Action::RemoveMember { role, who }, Image::Parties { present, .. }) => {
            match present.contains(&who.id) {
                true => vec![Action::AddMember { role: *role, who: who.clone() }],
                false => vec![],
            }
        }
        (Action::SetAttributes { cmdlet, edits }, Image::Attributes { values }) => {
            let edits: Vec<Edit> = edits.iter().filter_map(|edit| edit_back(edit, values)).collect();
            let back = Action::SetAttributes { cmdlet: cmdlet.clone(), edits: edits.clone() };
            if edits.is_empty() { vec![] } else { vec![back] }
        }
        (Action::CreateGroup { .. }, Image::Group { .. }) => vec![Action::DeleteGroup],
        (Action::DeleteGroup, Image::Group { definition: Some(definition), .. }) => made_again(definition),
        (Action::DeleteGroup, Image::Group { id: None, .. }) => vec![],
        (Action::CreateUser { .. }, Image::User { .. }) => vec![Action::DeleteUser],
        (Action::DeleteUser, Image::User { id: None, .. }) => vec![],
        (Action::DeleteUser, _) => return Err(Irreversible::DeletedUser),
        (Action::SetPassword, _) => return Err(Irreversible::Password),
        _ => return Err(Irreversible::NoImage),
    })
}

/// Of those added, who was not there; of those removed, who was.
fn swapped(add: &[Party], remove: &[Party], present: &[String]) -> (Vec<Party>, Vec<Party>) {
    let there = |party: &&Party| present.contains(&party.id);
    let back = remove.iter().filter(there).cloned().collect();
    let gone = add.iter().filter(|party| !there(party)).cloned().collect();
    (back, gone)
}

fn edit_back(edit: &Edit, before: &Attributes) -> Option<Edit> {
    if edit_is_so(edit, before) {
        return None;
    }
    let value = before.get(&edit.attribute);
    let change = match &edit.change {
        ValueChange::Set(_) | ValueChange::Clear => match value {
            Some(value) => ValueChange::Set(value.clone()),
            None => ValueChange::Clear,
        },
        ValueChange::AddRemove { add, remove } => {
            let there = |wanted: &&String| many(value).iter().any(|value| same_text(value, wanted));
            ValueChange::AddRemove {
                add: remove.iter().filter(there).cloned().collect(),
                remove: add.iter().filter(|value| !there(value)).cloned().collect(),
            }
        }
    };
    Some(Edit { change, ..edit.clone() })
}

/// A deleted group again: what can be given at its making, then the rest.
fn made_again(definition: &GroupDefinition) -> Vec<Action> {
    let mut definition = definition.clone();
    let (with, after): (Vec<Edit>, Vec<Edit>) = std::mem::take(&mut definition.edits)
        .into_iter()
        .partition(|edit| crate::provision::call::goes_with_creation(definition.kind, &edit.parameter));
    definition.edits = with;
    let cmdlet = definition.kind.is_exchange().then(|| "Set-DistributionGroup".to_owned());
    let mut actions = vec![Action::CreateGroup { definition }];
    if !after.is_empty() {
        actions.push(Action::SetAttributes { cmdlet, edits: after });
    }
    actions
}

#[cfg(test)]
mod tests;
