//! Sorting by what the store has no column for. A key is a part of the value: enough to tell, and
//! small enough to keep one for each of a hundred thousand resources.

use serde_json::Value;

use exogate_model::nearest;

use super::error::ScimError;
use super::filter::{Path, fold};
use super::resource::Resource;
use super::schema::{Kind, Model, ResourceType};

const CHARACTERS: usize = 64;

/// Where a resource comes in an order; one without a value comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    Flag(bool),
    Number(i64),
    Text(String),
    None,
}

impl SortKey {
    pub fn of(path: &Path, resource: &Resource) -> Self {
        let holder = match path.extension {
            Some(extension) => resource.get(extension).and_then(Value::as_object),
            None => Some(resource),
        };
        let value = holder.and_then(|holder| holder.get(&path.name));
        // Of a list, the primary element counts, or the first.
        let value = match value {
            Some(Value::Array(items)) => {
                items.iter().find(|item| item.get("primary") == Some(&Value::Bool(true))).or(items.first())
            }
            other => other,
        };
        let value = match &path.sub {
            Some(sub) => value.and_then(|value| value.get(sub)),
            None => value,
        };
        match value {
            Some(Value::Bool(flag)) => Self::Flag(*flag),
            Some(Value::Number(number)) => number.as_i64().map_or(Self::None, Self::Number),
            Some(Value::String(text)) => {
                let text: String = text.chars().take(CHARACTERS).collect();
                Self::Text(if path.case_exact { text } else { fold(&text) })
            }
            _ => Self::None,
        }
    }
}

/// What a query sorts by. With `others`, a name that only another kind knows sorts nothing here.
pub fn path(text: &str, of: &ResourceType, others: Option<&Model>) -> Result<Option<Path>, ScimError> {
    let text = text.trim();
    let (uri, rest) = match text.rsplit_once(':') {
        Some((uri, rest)) => (Some(uri), rest),
        None => (None, text),
    };
    let (name, sub) = match rest.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (rest, None),
    };
    let find = |of: &ResourceType| of.find(uri, name, sub).map(|place| Path::of(&place));
    let Some(path) = find(of) else {
        if others.is_some_and(|model| model.types().any(|other| find(other).is_some())) {
            return Ok(None);
        }
        let names = of.names();
        let text: String = text.chars().take(200).collect();
        let hint = nearest::hint(&text, names.iter().map(String::as_str));
        return Err(ScimError::path(format!("sortBy: there is no attribute {text:?}{hint}")));
    };
    if path.kind == Kind::Complex {
        return Err(ScimError::path(format!("sortBy: {text} has no order; name one of its parts")));
    }
    Ok(Some(path))
}
