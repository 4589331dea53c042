//! Accounts as users.

use exogate_engine::view::View;
use exogate_model::value::AttributeValue;
use exogate_store::{AccountRecord, Dated};
use serde_json::{Map, Value, json};

use super::{Resource, begin, end, location, own, put, put_list, put_object, version};
use crate::scim::schema::{ResourceKind, ResourceType};
use crate::scim::urn;

/// An account as a user.
pub fn user(dated: Dated<AccountRecord>, view: &View, of: &ResourceType, base: &str) -> Resource {
    let Dated { record, created, changed, external_id, .. } = dated;
    let address = match &record.mailbox {
        Some(mailbox) => Some(mailbox.primary_smtp.clone()),
        None => record.user.mail.clone(),
    };
    let display_name = record.user.display_name.clone();
    let account = view.account_of(record);
    let all = &account.attributes;
    let mut user = begin(&account.id, external_id);
    user.insert("userName".into(), json!(account.name));
    let mut name = Map::new();
    put(&mut name, "familyName", all.get("surname"));
    put(&mut name, "givenName", all.get("givenName"));
    put_object(&mut user, "name", name);
    if let Some(display_name) = display_name {
        user.insert("displayName".into(), json!(display_name));
    }
    put(&mut user, "title", all.get("jobTitle"));
    put(&mut user, "userType", all.get("userType"));
    put(&mut user, "preferredLanguage", all.get("preferredLanguage"));
    user.insert("active".into(), json!(!account.disabled));
    let emails = address.into_iter().map(|value| json!({"value": value, "type": "work", "primary": true}));
    put_list(&mut user, "emails", emails.collect());
    let mut numbers = Vec::new();
    for (from, kind) in [("businessPhones", "work"), ("mobilePhone", "mobile"), ("faxNumber", "fax")] {
        numbers.extend(texts(all.get(from)).into_iter().map(|value| json!({"value": value, "type": kind})));
    }
    put_list(&mut user, "phoneNumbers", numbers);
    let mut address = Map::new();
    for (name, from) in [
        ("streetAddress", "streetAddress"),
        ("locality", "city"),
        ("region", "state"),
        ("postalCode", "postalCode"),
        ("country", "country"),
    ] {
        put(&mut address, name, all.get(from));
    }
    if !address.is_empty() {
        address.insert("type".into(), json!("work"));
        put_list(&mut user, "addresses", vec![Value::Object(address)]);
    }
    let groups = texts(all.get("groups"))
        .into_iter()
        .map(|id| json!({"value": id, "$ref": location(base, ResourceKind::Group, id), "type": "direct"}));
    put_list(&mut user, "groups", groups.collect());
    let rights = texts(all.get("sharedMailbox")).into_iter().map(|value| {
        let right = value.rsplit_once(':').map_or("", |(_, right)| right.trim());
        json!({"value": value, "type": right, "display": value})
    });
    put_list(&mut user, "entitlements", rights.collect());
    let mut enterprise = Map::new();
    put(&mut enterprise, "employeeNumber", all.get("employeeId"));
    put(&mut enterprise, "organization", all.get("companyName"));
    put(&mut enterprise, "department", all.get("department"));
    if let Some(AttributeValue::Text(manager)) = all.get("manager") {
        let address = location(base, ResourceKind::User, manager);
        enterprise.insert("manager".into(), json!({"value": manager, "$ref": address}));
    }
    put_object(&mut user, urn::ENTERPRISE, enterprise);
    let own = own(of, urn::EXOGATE_USER, all);
    put_object(&mut user, urn::EXOGATE_USER, own);
    let version = version(&user);
    end(user, of, base, Some((created, changed)), &version)
}

fn texts(value: Option<&AttributeValue>) -> Vec<&str> {
    match value {
        Some(AttributeValue::Many(texts)) => texts.iter().map(String::as_str).collect(),
        Some(AttributeValue::Text(text)) => vec![text],
        _ => Vec::new(),
    }
}
