//! Resources as clients send them whole: with POST and PUT. Pure.

use exogate_model::nearest;
use serde_json::{Map, Value};

use super::check;
use super::error::ScimError;
use super::message::Members;
use super::resource::Resource;
use super::schema::{Attribute, Mutability, ResourceKind, ResourceType, Schema};
use super::urn;

/// Attributes of the standard schemas that this door has no place for. Clients send them anyway.
const ELSEWHERE: [&str; 22] = [
    "password",
    "nickName",
    "profileUrl",
    "locale",
    "timezone",
    "ims",
    "photos",
    "roles",
    "x509Certificates",
    "phoneNumbers",
    "addresses",
    "title",
    "userType",
    "preferredLanguage",
    "entitlements",
    "name",
    "emails",
    "costCenter",
    "division",
    "department",
    "organization",
    "employeeNumber",
];

/// What a client wants a resource to be: attributes that it may set, checked.
pub fn read(body: Value, of: &ResourceType) -> Result<Resource, ScimError> {
    let body = Members::of_body(body, of.core.id)?.into_inner();
    let mut wanted = Resource::new();
    for (name, value) in body {
        if let Some(schema) = of.extension(&name) {
            let Value::Object(own) = value else {
                return Err(ScimError::value(format!("{} takes an object", schema.id)));
            };
            let own = extension(own, schema)?;
            if !own.is_empty() {
                wanted.insert(schema.id.to_owned(), Value::Object(own));
            }
            continue;
        }
        let Some(attribute) = of.top().find(|attribute| attribute.name.eq_ignore_ascii_case(&name)) else {
            let foreign = name.to_ascii_lowercase().starts_with("urn:");
            if foreign || ELSEWHERE.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                continue;
            }
            let names = of.names();
            let hint = nearest::hint(&name, names.iter().map(String::as_str));
            return Err(ScimError::syntax(format!("there is no attribute {name:?}{hint}")));
        };
        take(&mut wanted, attribute, value)?;
    }
    Ok(wanted)
}

fn extension(own: Map<String, Value>, schema: &Schema) -> Result<Resource, ScimError> {
    let mut wanted = Resource::new();
    for (name, value) in own {
        if name == "schemas" {
            continue;
        }
        let Some(attribute) = schema.attribute(&name) else {
            let known = schema.id == urn::ENTERPRISE
                && (name.eq_ignore_ascii_case("manager")
                    || ELSEWHERE.iter().any(|known| known.eq_ignore_ascii_case(&name)));
            if known {
                continue;
            }
            let hint = nearest::hint(&name, schema.attributes.iter().map(|one| one.name.as_str()));
            return Err(ScimError::syntax(format!("{} has no {name:?}{hint}", schema.id)));
        };
        take(&mut wanted, attribute, value)?;
    }
    Ok(wanted)
}

/// Read-only values are passed over, as RFC 7644 §3.5.1 wants it. `Null` stays: it takes away.
fn take(wanted: &mut Resource, attribute: &Attribute, value: Value) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::ReadOnly && attribute.name != "userName" {
        return Ok(());
    }
    if attribute.name == "userName" && !value.is_string() {
        return Err(ScimError::value("userName is a string"));
    }
    wanted.insert(attribute.name.clone(), check::value(value, attribute)?);
    Ok(())
}

/// A resource as it would be after PUT. Attributes that the client does not mention stay as they
/// are: a client that knows nothing of rights must not revoke them all.
pub fn replace(current: &Resource, wanted: Resource, of: &ResourceType) -> Result<Resource, ScimError> {
    let mut after = current.clone();
    for (name, value) in wanted {
        if let (Some(schema), Value::Object(own)) = (of.extension(&name), &value) {
            let mut holder = match after.remove(schema.id) {
                Some(Value::Object(holder)) => holder,
                _ => Map::new(),
            };
            for (name, value) in own.clone() {
                if let Some(attribute) = schema.attribute(&name) {
                    set(&mut holder, attribute, value)?;
                }
            }
            if !holder.is_empty() {
                after.insert(schema.id.to_owned(), Value::Object(holder));
            }
            continue;
        }
        if let Some(attribute) = of.top().find(|attribute| attribute.name == name) {
            // The name of an account is read-only here, but not to be passed over in silence.
            set(&mut after, attribute, value)?;
        }
    }
    Ok(after)
}

fn set(holder: &mut Resource, attribute: &Attribute, value: Value) -> Result<(), ScimError> {
    let name = attribute.name.as_str();
    let before = holder.get(name);
    let fixed = attribute.mutability != Mutability::ReadWrite && before.is_some();
    if fixed && !before.is_some_and(|before| check::same(before, &value, attribute)) {
        return Err(ScimError::mutability(format!("{name} cannot be changed")));
    }
    if value.is_null() {
        if attribute.required {
            return Err(ScimError::value(format!("{name} is required")));
        }
        holder.remove(name);
    } else if !fixed {
        holder.insert(name.to_owned(), value);
    }
    Ok(())
}

/// What a new resource cannot do without.
pub fn required(wanted: &Resource, kind: ResourceKind) -> Result<(), ScimError> {
    let name = match kind {
        ResourceKind::User => "userName",
        ResourceKind::Group => "displayName",
        ResourceKind::Entitlement => return Ok(()),
    };
    let given = wanted.get(name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    if given { Ok(()) } else { Err(ScimError::value(format!("{name} is missing"))) }
}
