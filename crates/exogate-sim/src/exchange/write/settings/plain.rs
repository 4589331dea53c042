//! Settings that are an attribute of the same name: converted to how the attribute is kept.

use crate::exchange::bind::Arg;
use crate::exchange::forms::{parse_size, size_text};
use crate::exchange::schema::{self, WireType};
use crate::state::AttrValue;

use super::super::lists;
use super::{Change, Planner};

impl Planner<'_> {
    /// A parameter that is an attribute of the same name.
    pub(super) fn generic(&self, name: &'static str, value: &Arg) -> Option<Change> {
        let property = schema::find(self.class, name)?;
        let kind = self.session.bound.cmdlet.parameters[name].kind;
        let bag = self.bag;
        let new = match (property.wire, value) {
            (WireType::List, change) => {
                let held = match bag.held(self.object, name) {
                    Some(AttrValue::List(list)) => list,
                    Some(_) => Vec::new(),
                    None => default_list(property),
                };
                AttrValue::from(lists::texts(&held, change))
            }
            (_, Arg::Null) => AttrValue::Null,
            (_, Arg::Bool(value)) => AttrValue::Bool(*value),
            (WireType::Int16 | WireType::Int32, Arg::Int(number)) => AttrValue::Int(*number),
            (_, Arg::Int(number)) => AttrValue::from(number.to_string()),
            (_, Arg::Unlimited) => AttrValue::from("Unlimited"),
            (_, Arg::Text(text)) => AttrValue::from(normal(kind, text)),
            (_, Arg::List(list)) => AttrValue::from(list.join(", ")),
            (_, Arg::Change { .. }) => return None,
        };
        // What equals the default need not be kept, and then compares as unchanged.
        let is_default = new == from_json(&property.default);
        Some(Box::new(move |object| {
            if is_default {
                bag.of(object).unset(name);
            } else {
                bag.of(object).set(name, new);
            }
        }))
    }
}

fn default_list(property: &schema::Property) -> Vec<Box<str>> {
    property
        .default
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(Into::into))
        .collect()
}

fn from_json(json: &serde_json::Value) -> AttrValue {
    match json {
        serde_json::Value::Bool(value) => AttrValue::Bool(*value),
        serde_json::Value::Number(number) => number.as_i64().map_or(AttrValue::Null, AttrValue::Int),
        serde_json::Value::String(text) => AttrValue::from(text.as_str()),
        serde_json::Value::Array(list) => {
            AttrValue::List(list.iter().filter_map(|item| item.as_str().map(Into::into)).collect())
        }
        _ => AttrValue::Null,
    }
}

/// Sizes and time spans as the service prints them.
fn normal(kind: crate::exchange::catalogue::Kind, text: &str) -> String {
    use crate::exchange::catalogue::Kind;
    match kind {
        Kind::Bytesize | Kind::BytesizeOrUnlimited => {
            parse_size(text).map_or_else(|| "Unlimited".to_owned(), size_text)
        }
        Kind::Timespan | Kind::TimespanOrUnlimited => match text.trim().parse::<u32>() {
            Ok(days) => format!("{days}.00:00:00"),
            Err(_) if text.eq_ignore_ascii_case("unlimited") => "Unlimited".to_owned(),
            Err(_) => text.to_owned(),
        },
        _ => text.to_owned(),
    }
}
