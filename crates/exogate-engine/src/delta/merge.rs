//! A delta shows of an object what may be different: what it leaves out stays as it was, what it
//! shows as null is cleared. Pure.

use exogate_microsoft::record::Record;
use exogate_model::group::GroupKind;
use exogate_store::{GroupRow, UserRow};
use serde_json::{Value, json};

use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::{Unreadable, groups, users};

/// A relation of users that comes as its own list of differences.
const MANAGER: &str = "manager";

/// The manager in the form in which a listing shows it.
pub(super) fn with_manager(record: Record) -> Record {
    if !record.has("manager@delta") {
        return record;
    }
    let managers = record.children("manager@delta");
    let now = managers.iter().rev().find(|manager| !manager.is_removed()).and_then(Record::id);
    let value = now.map_or(Value::Null, |id| json!({ "id": id }));
    record.with(MANAGER, &value)
}

/// A user as the delta and the store together know it; `None` where that is not enough.
pub(super) fn user(
    record: Record,
    stored: Option<&UserRow>,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Result<Option<UserRow>, Unreadable> {
    let record = with_manager(record);
    if stored.is_none() && !record.has("userPrincipalName") {
        return Ok(None);
    }
    let mut padded = record.clone();
    if let Some(stored) = stored
        && !record.has("userPrincipalName")
    {
        padded = padded.with("userPrincipalName", &json!(stored.upn));
    }
    let Some(mut row) = users::users(std::slice::from_ref(&padded), reader, misfits)?.pop() else {
        return Ok(None);
    };
    let Some(stored) = stored else { return Ok(Some(row)) };
    let keep = |property: &str| !record.has(property);
    if keep("displayName") {
        row.display_name.clone_from(&stored.display_name);
    }
    if keep("mail") {
        row.mail.clone_from(&stored.mail);
    }
    if keep("accountEnabled") {
        row.disabled = stored.disabled;
    }
    if keep("securityIdentifier") {
        row.sid.clone_from(&stored.sid);
    }
    for attribute in reader.not_shown(&record) {
        if let Some(value) = stored.attributes.get(attribute) {
            row.attributes.insert(attribute.to_owned(), value.clone());
        }
    }
    Ok(Some(row))
}

/// A group likewise. `Ok(None)`: the record shows nothing of the group itself but its members.
pub(super) fn group(
    record: &Record,
    shown: Option<GroupRow>,
    stored: Option<&GroupRow>,
    reader: &AttributeReader,
    misfits: &mut Misfits,
) -> Option<GroupRow> {
    let Some(stored) = stored else { return shown };
    let keep = |property: &str| !record.has(property);
    let says_something =
        groups::PROPERTIES.iter().filter(|p| **p != "id").any(|p| record.has(p)) || reader.shows_any(record);
    if !says_something {
        return None;
    }
    let mut row = shown.unwrap_or_else(|| GroupRow {
        id: stored.id.clone(),
        kind: stored.kind,
        display_name: record.text("displayName").unwrap_or(&stored.display_name).to_owned(),
        mail: record.text("mail").map(str::to_owned),
        sid: record.text("securityIdentifier").map(str::to_owned),
        attributes: reader.read(record, misfits),
    });
    if keep("displayName") {
        row.display_name.clone_from(&stored.display_name);
    }
    if keep("mail") {
        row.mail.clone_from(&stored.mail);
    }
    if keep("securityIdentifier") {
        row.sid.clone_from(&stored.sid);
    }
    if ["groupTypes", "mailEnabled", "securityEnabled"].iter().any(|p| keep(p)) {
        row.kind = kind(record, stored.kind);
    }
    for attribute in reader.not_shown(record) {
        if let Some(value) = stored.attributes.get(attribute) {
            row.attributes.insert(attribute.to_owned(), value.clone());
        }
    }
    Some(row)
}

/// The kind of a group of which only some of the deciding properties are shown.
fn kind(record: &Record, stored: GroupKind) -> GroupKind {
    let unified = match record.get("groupTypes") {
        Some(_) => record.texts("groupTypes").iter().any(|t| t.eq_ignore_ascii_case("Unified")),
        None => stored == GroupKind::Microsoft365,
    };
    let mail = record.flag("mailEnabled").unwrap_or(matches!(
        stored,
        GroupKind::MailEnabledSecurity | GroupKind::DistributionList | GroupKind::Microsoft365
    ));
    let security = record
        .flag("securityEnabled")
        .unwrap_or(matches!(stored, GroupKind::Security | GroupKind::MailEnabledSecurity));
    GroupKind::classify(unified, mail, security)
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::Schema;
    use exogate_model::value::AttributeValue;

    use super::*;

    fn record(value: &serde_json::Value) -> Record {
        Record::from_value(value).unwrap()
    }

    fn reader() -> AttributeReader {
        AttributeReader::entra(&Schema::account(&[], false).unwrap())
    }

    fn full() -> UserRow {
        let shown = record(&json!({"id": "u", "userPrincipalName": "u@contoso.com", "displayName": "U",
            "mail": "u@contoso.com", "accountEnabled": false, "department": "Sales",
            "manager@delta": [{"id": "m"}]}));
        user(shown, None, &reader(), &mut Misfits::default()).unwrap().unwrap()
    }

    #[test]
    fn what_is_left_out_stays_and_what_is_null_is_cleared() {
        let before = full();
        assert_eq!(before.attributes["manager"], AttributeValue::Text("m".into()));
        let some = record(&json!({"id": "u", "displayName": "New", "mail": null}));
        let after = user(some, Some(&before), &reader(), &mut Misfits::default()).unwrap().unwrap();
        assert_eq!(after.display_name.as_deref(), Some("New"));
        assert_eq!(after.mail, None);
        assert!(after.disabled);
        assert_eq!(after.upn, "u@contoso.com");
        assert_eq!(after.attributes["department"], AttributeValue::Text("Sales".into()));
        assert_eq!(after.attributes["manager"], AttributeValue::Text("m".into()));
        assert_eq!(after.attributes["displayName"], AttributeValue::Text("New".into()));
    }

    #[test]
    fn a_manager_comes_and_goes_as_a_list_of_differences() {
        let before = full();
        let left =
            record(&json!({"id": "u", "manager@delta": [{"id": "m", "@removed": {"reason": "deleted"}}]}));
        let after = user(left, Some(&before), &reader(), &mut Misfits::default()).unwrap().unwrap();
        assert!(!after.attributes.contains_key("manager"));
        let other = record(&json!({"id": "u", "manager@delta": [
            {"id": "m", "@removed": {"reason": "deleted"}}, {"id": "n"}]}));
        let after = user(other, Some(&before), &reader(), &mut Misfits::default()).unwrap().unwrap();
        assert_eq!(after.attributes["manager"], AttributeValue::Text("n".into()));
    }

    #[test]
    fn too_little_of_an_unknown_user_is_not_taken_for_a_user() {
        let some = record(&json!({"id": "u", "displayName": "New"}));
        assert_eq!(user(some, None, &reader(), &mut Misfits::default()), Ok(None));
    }

    #[test]
    fn members_alone_say_nothing_of_the_group_and_part_of_the_kind_is_completed() {
        let reader = AttributeReader::entra(&Schema::group(&[]).unwrap());
        let stored = GroupRow {
            id: "g".into(),
            kind: GroupKind::MailEnabledSecurity,
            display_name: "G".into(),
            mail: Some("g@contoso.com".into()),
            sid: None,
            attributes: exogate_model::account::Attributes::new(),
        };
        let merge = |value| group(&record(&value), None, Some(&stored), &reader, &mut Misfits::default());
        assert_eq!(merge(json!({"id": "g", "members@delta": [{"id": "u"}]})), None);
        let renamed = merge(json!({"id": "g", "displayName": "H"})).unwrap();
        assert_eq!((renamed.display_name.as_str(), renamed.kind), ("H", GroupKind::MailEnabledSecurity));
        assert_eq!(renamed.mail.as_deref(), Some("g@contoso.com"));
        let list = merge(json!({"id": "g", "securityEnabled": false})).unwrap();
        assert_eq!(list.kind, GroupKind::DistributionList);
    }
}
