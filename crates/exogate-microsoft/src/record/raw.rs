//! A value as it stands in an answer, not taken apart before somebody asks.
//!
//! Owns what is lost and what is not: no digit of a number is.

use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// A value of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    Null,
    Bool(bool),
    /// Free of quotes and escapes.
    Text(&'a str),
    /// JSON of a number.
    Number(&'a str),
    /// JSON of a list.
    List(&'a str),
    /// JSON of an object.
    Object(&'a str),
}

impl<'a> Raw<'a> {
    /// A value that is well-formed JSON, and no text.
    pub(super) fn of_json(json: &'a str) -> Self {
        match json.as_bytes().first() {
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'[') => Self::List(json),
            Some(b'{') => Self::Object(json),
            Some(b'-' | b'0'..=b'9') => Self::Number(json),
            _ => Self::Null,
        }
    }

    /// The text, if it is one, whether or not it is empty.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Taken apart. An integer that no 64-bit type holds would lose digits as a floating-point number
    /// (Exchange rule identities are such), so it is text.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Text(text) => Value::from(text),
            Self::Number(json) if is_too_large(json) => Value::from(json),
            Self::Number(json) | Self::List(json) | Self::Object(json) => {
                serde_json::from_str(json).unwrap_or_default()
            }
        }
    }

    /// The texts of a list that holds nothing else.
    #[must_use]
    pub fn plain_texts(self) -> Option<Vec<Cow<'a, str>>> {
        #[derive(Deserialize)]
        struct Plain<'a>(#[serde(borrow)] Cow<'a, str>);
        let Self::List(json) = self else { return None };
        let texts: Vec<Plain<'a>> = serde_json::from_str(json).ok()?;
        Some(texts.into_iter().map(|Plain(text)| text).collect())
    }

    /// Any value in words; `""` and null have none.
    pub(super) fn words(self) -> Option<String> {
        match self {
            Self::Text("") | Self::Null => None,
            Self::Text(text) => Some(text.to_owned()),
            Self::Bool(flag) => Some(flag.to_string()),
            other => words(&other.to_value()),
        }
    }

    /// The same of each value of a list.
    pub(super) fn many_words(self) -> Vec<String> {
        if let Some(texts) = self.plain_texts() {
            return texts.into_iter().filter(|text| !text.is_empty()).map(Cow::into_owned).collect();
        }
        match self.to_value() {
            Value::Array(items) => items.iter().filter_map(words).collect(),
            _ => Vec::new(),
        }
    }
}

/// Any value in words, but for `""` and null.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => None,
        Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    }
}

fn is_too_large(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.len() > 18 && digits.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<i64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_integer_loses_a_digit() {
        for (json, whole) in [
            ("0", Value::from(0)),
            ("-7", Value::from(-7)),
            ("1.5", Value::from(1.5)),
            ("1e3", Value::from(1000.0)),
            ("999999999999999999", Value::from(999_999_999_999_999_999_i64)),
            ("9223372036854775807", Value::from(i64::MAX)),
            ("9223372036854775808", Value::from("9223372036854775808")),
            ("-9223372036854775808", Value::from(i64::MIN)),
            ("-9223372036854775809", Value::from("-9223372036854775809")),
            ("18446744073709551616123", Value::from("18446744073709551616123")),
        ] {
            assert_eq!(Raw::of_json(json).to_value(), whole, "{json}");
        }
    }

    #[test]
    fn only_a_list_of_texts_has_plain_texts() {
        let texts = |json| Raw::of_json(json).plain_texts();
        assert_eq!(texts(r#"["a","b\n",""]"#), Some(vec!["a".into(), "b\n".into(), "".into()]));
        assert_eq!(texts("[]"), Some(Vec::new()));
        for json in [r#"["a",null]"#, "[1]", "{}", "7", "null"] {
            assert_eq!(texts(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn a_value_is_what_its_json_says(number: i64, eighths: i32, flag: bool, many in prop::collection::vec(".*", 0..4)) {
            for value in [Value::from(number), Value::from(f64::from(eighths) / 8.0), Value::from(flag), Value::from(many), Value::Null] {
                let json = value.to_string();
                prop_assert_eq!(Raw::of_json(&json).to_value(), value);
            }
        }
    }
}
