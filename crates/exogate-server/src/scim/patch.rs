//! PATCH (RFC 7644 §3.5.2): what a resource would be after it. Pure.

use exogate_model::nearest;
use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, ValFilter};
use serde_json::{Map, Value};

use super::check;
use super::error::ScimError;
use super::filter::{self, Expr};
use super::limits;
use super::message::Members;
use super::resource::Resource;
use super::schema::{Attribute, Kind, Mutability, Place, ResourceType};
use super::urn;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Replace,
    Remove,
}

/// One operation of a patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub op: Op,
    pub path: Option<String>,
    pub value: Option<Value>,
}

/// Reads the body of a PATCH.
pub fn read(body: Value) -> Result<Vec<Operation>, ScimError> {
    let operations = Members::of_body(body, urn::PATCH)?.operations()?;
    if operations.is_empty() {
        return Err(ScimError::syntax("\"Operations\" is empty"));
    }
    if operations.len() > limits::PATCH_OPERATIONS {
        return Err(ScimError::new(
            http::StatusCode::PAYLOAD_TOO_LARGE,
            format!("a patch has at most {} operations", limits::PATCH_OPERATIONS),
        ));
    }
    operations.into_iter().map(operation).collect()
}

fn operation(operation: Value) -> Result<Operation, ScimError> {
    let mut members = Members::of_operation(operation)?;
    let mut take = |name: &str| members.take(name);
    let op = match take("op") {
        Some(Value::String(op)) if op.eq_ignore_ascii_case("add") => Op::Add,
        Some(Value::String(op)) if op.eq_ignore_ascii_case("replace") => Op::Replace,
        Some(Value::String(op)) if op.eq_ignore_ascii_case("remove") => Op::Remove,
        Some(other) => {
            return Err(ScimError::syntax(format!("\"op\" is add, replace or remove, not {other}")));
        }
        None => return Err(ScimError::syntax("an operation has no \"op\"")),
    };
    let path = match take("path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.trim().is_empty() => None,
        Some(Value::String(path)) => Some(path),
        Some(_) => return Err(ScimError::path("\"path\" is no text")),
    };
    let value = take("value");
    if op != Op::Remove && value.is_none() {
        return Err(ScimError::value("an operation that adds or replaces needs a \"value\""));
    }
    if op == Op::Remove && path.is_none() {
        return Err(ScimError::bad("noTarget", "a removal needs a \"path\""));
    }
    Ok(Operation { op, path, value })
}

/// Applies operations one after the other; all of them or none.
pub fn apply(
    resource: &Resource,
    operations: &[Operation],
    of: &ResourceType,
) -> Result<Resource, ScimError> {
    let mut changed = resource.clone();
    for operation in operations {
        match &operation.path {
            Some(path) => at_path(&mut changed, operation.op, path, operation.value.as_ref(), of)?,
            None => {
                let Some(Value::Object(parts)) = &operation.value else {
                    return Err(ScimError::value(
                        "an operation without a path needs an object of attributes",
                    ));
                };
                whole(&mut changed, operation.op, parts, of)?;
            }
        }
    }
    Ok(changed)
}

/// An operation without a path: each member of the value is a target.
fn whole(
    resource: &mut Resource,
    op: Op,
    parts: &Map<String, Value>,
    of: &ResourceType,
) -> Result<(), ScimError> {
    for (name, value) in parts {
        if ["schemas", "id", "meta"].iter().any(|fixed| fixed.eq_ignore_ascii_case(name)) {
            continue;
        }
        if let Some(schema) = of.extension(name) {
            at_path(resource, op, schema.id, Some(value), of)?;
            continue;
        }
        at_path(resource, op, name, Some(value), of)?;
    }
    Ok(())
}

fn at_path(
    resource: &mut Resource,
    op: Op,
    path: &str,
    value: Option<&Value>,
    of: &ResourceType,
) -> Result<(), ScimError> {
    if path.len() > limits::FILTER {
        return Err(ScimError::path(format!("a path has at most {} bytes", limits::FILTER)));
    }
    if let Some(schema) = of.extension(path.trim()) {
        let id = schema.id;
        return match (op, value) {
            (Op::Remove, _) => {
                let names: Vec<String> = schema
                    .attributes
                    .iter()
                    .filter(|attribute| attribute.mutability == Mutability::ReadWrite)
                    .map(|attribute| attribute.name.clone())
                    .collect();
                if let Some(Value::Object(own)) = resource.get_mut(id) {
                    own.retain(|name, _| !names.contains(name));
                }
                Ok(())
            }
            // Some clients repeat the names of schemas inside an extension.
            (_, Some(Value::Object(own))) => {
                own.iter().filter(|(name, _)| *name != "schemas").try_for_each(|(name, value)| {
                    at_path(resource, op, &format!("{id}:{name}"), Some(value), of)
                })
            }
            _ => Err(ScimError::value(format!("{id} takes an object of attributes"))),
        };
    }
    let parsed: PatchPath = path.parse().map_err(|error: scim_v2::filter::ParseError| {
        let error = error.to_string();
        let path: String = path.chars().take(200).collect();
        ScimError::path(format!("{path:?} is no path: {}", error.lines().next().unwrap_or_default()))
    })?;
    let find = |attr: &scim_v2::filter::AttrPath, sub: Option<&str>| {
        of.find(attr.uri.as_deref(), &attr.name, sub).ok_or_else(|| {
            let names = of.names();
            let hint = nearest::hint(&attr.to_string(), names.iter().map(String::as_str));
            ScimError::path(format!("there is no attribute {:?}{hint}", attr.to_string()))
        })
    };
    match &parsed {
        PatchPath::Attr(attr) => {
            let place = find(attr, attr.sub_attr.as_deref())?;
            let holder = holder(resource, &place);
            attribute(holder, op, &place, value)?;
        }
        PatchPath::Value(path) => {
            let place = find(&path.attr, None)?;
            if !place.attribute.multi_valued || place.attribute.kind != Kind::Complex {
                return Err(ScimError::path(format!("{} is no list of objects", path.attr)));
            }
            let inner = filter::inner(&path.filter, place.attribute)?;
            let sub = match &path.sub_attr {
                None => None,
                Some(name) => Some(find(&path.attr, Some(name))?.sub).flatten(),
            };
            let holder = holder(resource, &place);
            elements(holder, op, place.attribute, (&path.filter, &inner), sub, value)?;
        }
    }
    let extension = match &parsed {
        PatchPath::Attr(attr) => attr.uri.as_deref(),
        PatchPath::Value(path) => path.attr.uri.as_deref(),
    };
    // An extension without attributes is not there.
    if let Some(schema) = extension.and_then(|uri| of.extension(uri))
        && resource.get(schema.id).and_then(Value::as_object).is_some_and(Map::is_empty)
    {
        resource.remove(schema.id);
    }
    Ok(())
}

/// The object that holds an attribute.
fn holder<'a>(resource: &'a mut Resource, place: &Place<'_>) -> &'a mut Map<String, Value> {
    let Some(extension) = place.extension else { return resource };
    let value = resource.entry(extension).or_insert_with(|| Value::Object(Map::new()));
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made an object just now")
}

fn settable(attribute: &Attribute, sub: Option<&Attribute>) -> Result<(), ScimError> {
    for part in std::iter::once(attribute).chain(sub) {
        if part.mutability == Mutability::ReadOnly {
            return Err(ScimError::mutability(format!("{} is read-only", part.name)));
        }
    }
    Ok(())
}

/// An operation on an attribute, or on a part of it.
fn attribute(
    holder: &mut Map<String, Value>,
    op: Op,
    place: &Place<'_>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let attribute = place.attribute;
    settable(attribute, place.sub)?;
    let name = attribute.name.as_str();
    if let Some(sub) = place.sub {
        return part(holder, op, attribute, sub, value);
    }
    let before = holder.get(name).cloned();
    let checked = match (op, value) {
        // A list of what to remove is not in the standard, and sent by many.
        (Op::Remove, Some(value)) if attribute.multi_valued && !value.is_null() => {
            let gone = check::value(value.clone(), attribute)?;
            if let (Some(Value::Array(there)), Value::Array(gone)) = (holder.get_mut(name), &gone) {
                there.retain(|item| !gone.iter().any(|gone| check::same(item, gone, attribute)));
                if there.is_empty() {
                    holder.remove(name);
                }
            }
            return Ok(());
        }
        (Op::Remove, _) => Value::Null,
        (_, Some(value)) => check::value(value.clone(), attribute)?,
        (_, None) => return Err(ScimError::value(format!("{name} needs a \"value\""))),
    };
    if checked.is_null() && op != Op::Add {
        if attribute.required {
            return Err(ScimError::mutability(format!("{name} is required")));
        }
        if attribute.mutability == Mutability::Immutable && before.is_some() {
            return Err(ScimError::mutability(format!("{name} cannot be changed once it is set")));
        }
        holder.remove(name);
        return Ok(());
    }
    if attribute.mutability == Mutability::Immutable
        && before.as_ref().is_some_and(|before| !check::same(before, &checked, attribute))
    {
        return Err(ScimError::mutability(format!("{name} cannot be changed once it is set")));
    }
    match (op, before, checked) {
        (_, _, Value::Null) => {}
        (Op::Add, Some(Value::Array(mut there)), Value::Array(more)) => {
            for item in more {
                add_element(&mut there, item, attribute);
            }
            holder.insert(name.to_owned(), Value::Array(there));
        }
        (_, Some(Value::Object(mut there)), Value::Object(parts)) => {
            there.extend(parts);
            holder.insert(name.to_owned(), Value::Object(there));
        }
        (_, _, Value::Array(items)) => {
            let mut all = Vec::with_capacity(items.len());
            for item in items {
                add_element(&mut all, item, attribute);
            }
            holder.insert(name.to_owned(), Value::Array(all));
        }
        (_, _, one) => {
            holder.insert(name.to_owned(), one);
        }
    }
    Ok(())
}

/// Adds an element that is not there yet.
fn add_element(there: &mut Vec<Value>, item: Value, attribute: &Attribute) {
    if there.iter().any(|known| check::same(known, &item, attribute)) {
        return;
    }
    if item.get("primary") == Some(&Value::Bool(true)) {
        for other in there.iter_mut() {
            if let Some(primary) = other.get_mut("primary") {
                *primary = Value::Bool(false);
            }
        }
    }
    there.push(item);
}

/// An operation on a part of an attribute: of a list, of each element.
fn part(
    holder: &mut Map<String, Value>,
    op: Op,
    attribute: &Attribute,
    sub: &Attribute,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    let name = attribute.name.as_str();
    let checked = match (op, value) {
        (Op::Remove, _) => Value::Null,
        (_, Some(value)) => check::value(value.clone(), sub)?,
        (_, None) => return Err(ScimError::value(format!("{name}.{} needs a \"value\"", sub.name))),
    };
    if holder.get(name).is_none() && !checked.is_null() {
        let mut parts = Map::new();
        parts.insert(sub.name.clone(), checked);
        let fresh = check::value(Value::Object(parts), attribute)?;
        holder.insert(name.to_owned(), fresh);
        return Ok(());
    }
    let emptied = match holder.get_mut(name) {
        Some(Value::Array(items)) => {
            for item in items.iter_mut() {
                set_part(item, sub, &checked)?;
            }
            items.retain(|item| item.as_object().is_none_or(|parts| !parts.is_empty()));
            items.is_empty()
        }
        Some(one) => {
            set_part(one, sub, &checked)?;
            one.as_object().is_some_and(Map::is_empty)
        }
        None => false,
    };
    if emptied {
        holder.remove(name);
    }
    Ok(())
}

fn set_part(item: &mut Value, sub: &Attribute, value: &Value) -> Result<(), ScimError> {
    let Value::Object(parts) = item else { return Ok(()) };
    if sub.mutability == Mutability::Immutable
        && parts.get(&sub.name).is_some_and(|before| !check::same(before, value, sub))
    {
        return Err(ScimError::mutability(format!("{} cannot be changed once it is set", sub.name)));
    }
    if value.is_null() {
        parts.remove(&sub.name);
    } else {
        parts.insert(sub.name.clone(), value.clone());
    }
    Ok(())
}

/// An operation on those elements of a list that a filter picks.
fn elements(
    holder: &mut Map<String, Value>,
    op: Op,
    attribute: &Attribute,
    (text, inner): (&ValFilter, &Expr),
    sub: Option<&Attribute>,
    value: Option<&Value>,
) -> Result<(), ScimError> {
    settable(attribute, sub)?;
    let name = attribute.name.as_str();
    let mut items = match holder.get(name) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let picked: Vec<usize> =
        (0..items.len()).filter(|index| filter::matches_element(inner, &items[*index])).collect();
    match (op, sub) {
        (Op::Remove, None) => {
            let mut index = 0;
            items.retain(|_| {
                index += 1;
                !picked.contains(&(index - 1))
            });
        }
        (Op::Remove, Some(sub)) => {
            for index in picked {
                set_part(&mut items[index], sub, &Value::Null)?;
            }
        }
        (_, sub) => {
            let Some(value) = value else {
                return Err(ScimError::value(format!("{name} needs a \"value\"")));
            };
            if picked.is_empty() {
                // What would pass the filter is added; there is nothing to replace.
                let (Op::Add, Some(mut parts)) = (op, implied(text)) else {
                    return Err(ScimError::bad(
                        "noTarget",
                        format!("no element of {name} is meant by [{text}]"),
                    ));
                };
                match (sub, value) {
                    (Some(sub), value) => {
                        parts.insert(sub.name.clone(), value.clone());
                    }
                    (None, Value::Object(more)) => parts.extend(more.clone()),
                    (None, _) => return Err(ScimError::value(format!("{name} takes an object here"))),
                }
                let item = check::single(Value::Object(parts), attribute)?;
                add_element(&mut items, item, attribute);
            } else if let Some(sub) = sub {
                let checked = check::value(value.clone(), sub)?;
                for index in picked {
                    set_part(&mut items[index], sub, &checked)?;
                }
            } else {
                let Value::Object(parts) = value else {
                    return Err(ScimError::value(format!("{name} takes an object here")));
                };
                for index in picked {
                    for (part, value) in parts {
                        let Some(sub) = attribute.sub(part) else {
                            return Err(ScimError::syntax(format!("{name} has no {part:?}")));
                        };
                        if sub.mutability != Mutability::ReadOnly {
                            set_part(&mut items[index], sub, &check::value(value.clone(), sub)?)?;
                        }
                    }
                }
            }
        }
    }
    if items.is_empty() {
        holder.remove(name);
    } else {
        holder.insert(name.to_owned(), Value::Array(items));
    }
    Ok(())
}

/// The parts that an element must have to pass, where the filter is plain equalities.
fn implied(filter: &ValFilter) -> Option<Map<String, Value>> {
    let mut parts = Map::new();
    let all: &[ValFilter] = match filter {
        ValFilter::And(all) => all,
        one => std::slice::from_ref(one),
    };
    for one in all {
        let ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) = one else { return None };
        let value = match value {
            CompValue::Str(text) => Value::String(text.clone()),
            CompValue::True => Value::Bool(true),
            CompValue::False => Value::Bool(false),
            CompValue::Number(number) => Value::Number(number.clone()),
            CompValue::Null => return None,
        };
        parts.insert(path.name.clone(), value);
    }
    Some(parts)
}
