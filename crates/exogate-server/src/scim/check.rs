//! Values that clients send, brought into the form of the schema or refused.

use exogate_model::nearest;
use serde_json::{Map, Value};

use super::error::ScimError;
use super::schema::{Attribute, Kind, Mutability};

/// A value of one attribute: `Null` where there is none. Parts that nobody may set are left out.
pub fn value(value: Value, attribute: &Attribute) -> Result<Value, ScimError> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::Array(items) if attribute.multi_valued => {
            let mut all = Vec::with_capacity(items.len());
            for item in items {
                if !item.is_null() {
                    all.push(single(item, attribute)?);
                }
            }
            one_primary(&mut all)?;
            Ok(if all.is_empty() { Value::Null } else { Value::Array(all) })
        }
        // Some clients send a list for what is single.
        Value::Array(mut items) if items.len() == 1 => single(items.remove(0), attribute),
        Value::Array(items) if items.is_empty() => Ok(Value::Null),
        Value::Array(_) => Err(wrong(attribute, "holds one value")),
        one if attribute.multi_valued => Ok(Value::Array(vec![single(one, attribute)?])),
        one => single(one, attribute),
    }
}

/// A single value, or an element of a list.
pub fn single(value: Value, attribute: &Attribute) -> Result<Value, ScimError> {
    match (attribute.kind, value) {
        (Kind::Complex, Value::Object(parts)) => complex(parts, attribute),
        // Lists of values are often sent without the object around each of them.
        (Kind::Complex, Value::String(text)) if attribute.sub("value").is_some() => {
            let mut parts = Map::new();
            parts.insert("value".into(), Value::String(text));
            complex(parts, attribute)
        }
        (Kind::Boolean, Value::Bool(flag)) => Ok(Value::Bool(flag)),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        (Kind::Integer, Value::Number(number)) if number.is_i64() => Ok(Value::Number(number)),
        (Kind::Integer, Value::String(text)) if text.parse::<i64>().is_ok() => {
            Ok(text.parse::<i64>().map_or(Value::Null, Value::from))
        }
        (Kind::DateTime, Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => {
            Ok(Value::String(text))
        }
        (Kind::String | Kind::Reference, Value::String(text)) => Ok(Value::String(text)),
        _ => Err(wrong(attribute, &format!("is a {}", attribute.kind.name()))),
    }
}

fn complex(parts: Map<String, Value>, attribute: &Attribute) -> Result<Value, ScimError> {
    let mut out = Map::new();
    for (name, part) in parts {
        let Some(sub) = attribute.sub(&name) else {
            // Standard parts that are not kept here say nothing wrong.
            if [
                "display",
                "primary",
                "type",
                "$ref",
                "formatted",
                "honorificPrefix",
                "honorificSuffix",
                "middleName",
            ]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&name))
            {
                continue;
            }
            let hint = nearest::hint(&name, attribute.sub.iter().map(|sub| sub.name.as_str()));
            return Err(ScimError::syntax(format!("{} has no {name:?}{hint}", attribute.name)));
        };
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        let part = value(part, sub)?;
        if !part.is_null() {
            out.insert(sub.name.clone(), part);
        }
    }
    let nameless = attribute.multi_valued && attribute.sub("value").is_some() && !out.contains_key("value");
    if nameless {
        return Err(wrong(attribute, "needs a \"value\" in each element"));
    }
    Ok(Value::Object(out))
}

fn one_primary(items: &mut [Value]) -> Result<(), ScimError> {
    let primary = items.iter().filter(|item| item.get("primary") == Some(&Value::Bool(true))).count();
    if primary > 1 {
        return Err(ScimError::value("only one element of a list can be primary"));
    }
    Ok(())
}

fn wrong(attribute: &Attribute, what: &str) -> ScimError {
    ScimError::value(format!("{} {what}", attribute.name))
}

/// Whether two values of an attribute are the same: elements of a list by their `value`, texts
/// without case unless it counts.
pub fn same(a: &Value, b: &Value, attribute: &Attribute) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            match (a.get("value"), b.get("value"), attribute.sub("value")) {
                (Some(a), Some(b), Some(sub)) => same(a, b, sub),
                _ => a == b,
            }
        }
        (Value::String(a), Value::String(b)) if !attribute.case_exact => {
            super::filter::fold(a) == super::filter::fold(b)
        }
        (a, b) => a == b,
    }
}
