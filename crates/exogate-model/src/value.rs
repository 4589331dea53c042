//! Attribute values and their types, and the tolerant reading of what a tenant sends.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// The type of an attribute in a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeType {
    /// Text; also sizes, quotas and time spans, which Exchange renders as text.
    String,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// True or false.
    Boolean,
    /// An instant, rendered in UTC.
    Date,
}

impl AttributeType {
    /// The name used in schemas and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Long => "long",
            Self::Boolean => "boolean",
            Self::Date => "date",
        }
    }
}

/// One attribute value. Serializes to plain JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text or an instant.
    Text(String),
    /// A multi-valued attribute; sorted where the order has no meaning.
    Many(Vec<String>),
}

impl fmt::Display for AttributeValue {
    /// In words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Many(values) => f.write_str(&values.join(", ")),
        }
    }
}

/// The same, as far as it can be shown without a copy. Serializes to the same JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ShownValue<'a> {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text or an instant.
    Text(Cow<'a, str>),
    /// A multi-valued attribute; sorted where the order has no meaning.
    Many(Vec<Cow<'a, str>>),
}

impl From<ShownValue<'_>> for AttributeValue {
    fn from(shown: ShownValue<'_>) -> Self {
        match shown {
            ShownValue::Boolean(flag) => Self::Boolean(flag),
            ShownValue::Integer(number) => Self::Integer(number),
            ShownValue::Text(text) => Self::Text(text.into_owned()),
            ShownValue::Many(many) => Self::Many(many.into_iter().map(Cow::into_owned).collect()),
        }
    }
}

/// A value that does not fit the type its schema declares.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected {expected}, got {got}")]
pub struct TypeMismatch {
    /// What the schema declares.
    pub expected: &'static str,
    /// What came, shortened.
    pub got: String,
}

/// Reads a JSON value as the declared type and multiplicity.
///
/// `null`, an empty collection and an absent value are the same fact: `None`. A scalar where a
/// collection is declared becomes a collection of one; booleans and numbers sent as text are
/// understood, because the service is known to do that.
pub fn read(
    value: &Value,
    kind: AttributeType,
    multi_valued: bool,
) -> Result<Option<AttributeValue>, TypeMismatch> {
    Ok(show(value, kind, multi_valued)?.map(AttributeValue::from))
}

/// The same without a copy of what can be borrowed.
pub fn show(
    value: &Value,
    kind: AttributeType,
    multi_valued: bool,
) -> Result<Option<ShownValue<'_>>, TypeMismatch> {
    match value {
        Value::Null => Ok(None),
        Value::Array(items) if multi_valued => {
            let mut many = Vec::with_capacity(items.len());
            for item in items {
                if !item.is_null() {
                    many.push(scalar_text(item).ok_or_else(|| mismatch("a list of plain values", item))?);
                }
            }
            Ok(show_texts(many))
        }
        Value::Array(items) => match items.as_slice() {
            [] => Ok(None),
            [one] => show(one, kind, false),
            _ => Err(mismatch("a single value", value)),
        },
        Value::String(text) => show_text(text, kind, multi_valued),
        single if multi_valued => match scalar_text(single) {
            Some(text) => Ok(Some(ShownValue::Many(vec![text]))),
            None => Err(mismatch("a list of plain values", single)),
        },
        single => show_single(single, kind).map(Some),
    }
}

/// The same of a text.
pub fn show_text(
    text: &str,
    kind: AttributeType,
    multi_valued: bool,
) -> Result<Option<ShownValue<'_>>, TypeMismatch> {
    if multi_valued {
        return Ok((!text.is_empty()).then(|| ShownValue::Many(vec![text.into()])));
    }
    let shown = match kind {
        AttributeType::String => Some(ShownValue::Text(text.into())),
        AttributeType::Boolean if text.eq_ignore_ascii_case("true") => Some(ShownValue::Boolean(true)),
        AttributeType::Boolean if text.eq_ignore_ascii_case("false") => Some(ShownValue::Boolean(false)),
        AttributeType::Boolean => None,
        AttributeType::Int | AttributeType::Long => text.trim().parse().map(ShownValue::Integer).ok(),
        AttributeType::Date => normal_instant(text).map(|instant| ShownValue::Text(instant.into())),
    };
    shown.map(Some).ok_or_else(|| mismatch(kind.name(), &Value::from(text)))
}

/// The same of several texts.
pub fn show_texts<'a>(texts: Vec<Cow<'a, str>>) -> Option<ShownValue<'a>> {
    let mut many = texts;
    // Addresses, members, holds: sets all of them, and a stable order makes equal sets equal.
    many.sort_unstable();
    (!many.is_empty()).then_some(ShownValue::Many(many))
}

fn show_single(value: &Value, kind: AttributeType) -> Result<ShownValue<'_>, TypeMismatch> {
    let shown = match (kind, value) {
        (AttributeType::Boolean, Value::Bool(flag)) => Some(ShownValue::Boolean(*flag)),
        (AttributeType::Int | AttributeType::Long, Value::Number(number)) => {
            number.as_i64().map(ShownValue::Integer)
        }
        (AttributeType::String, value) => scalar_text(value).map(ShownValue::Text),
        _ => None,
    };
    shown.ok_or_else(|| mismatch(kind.name(), value))
}

/// An instant in UTC with no more digits than it needs, so that the local and the UTC rendering
/// of one instant are equal text.
fn normal_instant(text: &str) -> Option<String> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(instant.to_string())
}

fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(s) => Some(s.as_str().into()),
        Value::Bool(b) => Some(b.to_string().into()),
        Value::Number(n) => Some(n.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn mismatch(expected: &'static str, got: &Value) -> TypeMismatch {
    let mut got = got.to_string();
    if let Some((cut, _)) = got.char_indices().nth(80) {
        got.truncate(cut);
        got.push('…');
    }
    TypeMismatch { expected, got }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn reads_what_the_service_is_known_to_send() {
        let text = |s: &str| Some(AttributeValue::Text(s.into()));
        let cases = [
            (json!("a"), AttributeType::String, false, text("a")),
            (json!(null), AttributeType::String, false, None),
            (json!("False"), AttributeType::Boolean, false, Some(AttributeValue::Boolean(false))),
            (json!(true), AttributeType::Boolean, false, Some(AttributeValue::Boolean(true))),
            (json!("500"), AttributeType::Int, false, Some(AttributeValue::Integer(500))),
            (json!(0), AttributeType::Int, false, Some(AttributeValue::Integer(0))),
            (
                json!("2025-06-29T17:57:03.0000000+00:00"),
                AttributeType::Date,
                false,
                text("2025-06-29T17:57:03Z"),
            ),
            (
                json!(["b", "a"]),
                AttributeType::String,
                true,
                Some(AttributeValue::Many(vec!["a".into(), "b".into()])),
            ),
            (json!([]), AttributeType::String, true, None),
            (json!("x"), AttributeType::String, true, Some(AttributeValue::Many(vec!["x".into()]))),
        ];
        for (value, kind, multi, wanted) in cases {
            assert_eq!(read(&value, kind, multi), Ok(wanted), "{value} as {kind:?}");
        }
    }

    #[test]
    fn says_what_does_not_fit() {
        let error = read(&json!({"a": 1}), AttributeType::String, false).unwrap_err();
        assert_eq!(error.to_string(), "expected string, got {\"a\":1}");
        assert!(read(&json!(["a", "b"]), AttributeType::String, false).is_err());
        assert!(read(&json!("yes"), AttributeType::Boolean, false).is_err());
    }

    proptest! {
        #[test]
        fn never_panics_and_survives_a_round_trip(text in ".{0,200}", many in proptest::collection::vec(".{0,20}", 0..5)) {
            let value = read(&json!(text), AttributeType::String, false).unwrap().unwrap();
            prop_assert_eq!(serde_json::from_str::<AttributeValue>(&serde_json::to_string(&value).unwrap()).unwrap(), value);
            if let Some(value) = read(&json!(many), AttributeType::String, true).unwrap() {
                prop_assert_eq!(serde_json::from_str::<AttributeValue>(&serde_json::to_string(&value).unwrap()).unwrap(), value);
            }
            let _ = read(&json!(text), AttributeType::Date, false);
            let _ = read(&json!(text), AttributeType::Int, false);
        }
    }
}
