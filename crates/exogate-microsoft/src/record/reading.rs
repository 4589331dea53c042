//! Reading records out of a body as it streams by: names shared within the body, values built once.
//!
//! Owns what is lost and what is not: no digit of a number is. Knows no envelope.

use super::{Record, is_type_companion};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

/// Reads a body by what `read` makes of it; once more, and exactly, where a number lost digits. That the
/// body is text at all is seen once for the whole, instead of once for each text in it.
pub(crate) fn read_body<T>(
    body: &[u8],
    mut read: impl FnMut(&mut Json<'_>, &Reading) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    let body = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
    let mut once = |reading: &Reading| {
        let mut json = serde_json::Deserializer::from_str(body);
        let value = read(&mut json, reading)?;
        json.end()?;
        Ok(value)
    };
    let quick = Reading::default();
    let value = once(&quick)?;
    if !quick.inexact.get() {
        return Ok(value);
    }
    once(&Reading { exact: true, ..Reading::default() })
}

/// A body that is being read.
pub(crate) type Json<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

/// What the reading of one body keeps beside what it reads.
#[derive(Default)]
pub(crate) struct Reading {
    /// The names of properties met so far, each once, in the order in which the first objects have
    /// them; and the place of the name that comes next if an object is like the one before.
    names: RefCell<Vec<Arc<str>>>,
    next: Cell<usize>,
    /// A number was met that may have lost digits.
    inexact: Cell<bool>,
    /// Every value is read out of its own text, which is slower and loses nothing.
    exact: bool,
}

impl Reading {
    /// Names beyond these are not shared: they are not properties of a listing.
    const NAMES: usize = 512;

    fn name(&self, name: &str) -> Arc<str> {
        let mut names = self.names.borrow_mut();
        let next = self.next.get();
        let like = |known: &Arc<str>| **known == *name;
        let place = if names.get(next).is_some_and(like) {
            next
        } else if let Some(place) = names.iter().position(like) {
            place
        } else if names.len() < Self::NAMES {
            names.push(name.into());
            names.len() - 1
        } else {
            return name.into();
        };
        self.next.set(place + 1);
        names.get(place).map_or_else(|| name.into(), Arc::clone)
    }

    /// An object begins.
    fn record(&self) -> Record {
        self.next.set(0);
        Record { fields: Vec::with_capacity(self.names.borrow().len().min(64)) }
    }
}

/// Reads one object in a stream, keeping either every property or only the named ones; the rest
/// is skipped without being built.
#[derive(Clone, Copy)]
pub(crate) struct RecordSeed<'a> {
    keep: Option<&'a [&'a str]>,
    reading: &'a Reading,
}

impl<'a> RecordSeed<'a> {
    pub(crate) fn new(keep: Option<&'a [&'a str]>, reading: &'a Reading) -> Self {
        Self { keep, reading }
    }

    fn wants(&self, key: &str) -> bool {
        !is_type_companion(key) && self.keep.is_none_or(|keep| keep.contains(&key))
    }
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Record;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Record, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Record;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let mut record = self.reading.record();
        while let Some(Key(key)) = map.next_key()? {
            if self.wants(&key) {
                let name = self.reading.name(&key);
                let value = if self.reading.exact {
                    let raw: &RawValue = map.next_value()?;
                    value_of(raw).map_err(A::Error::custom)?
                } else {
                    map.next_value_seed(PlainSeed(&self.reading.inexact))?
                };
                record.fields.push((name, value));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(record)
    }
}

/// A value as [`value_of`] gives it, read where it stands. Tells of numbers that it cannot read so.
struct PlainSeed<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for PlainSeed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PlainSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Value::String(number.to_string()), Value::from))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        /// No whole number below it is read as a floating-point one.
        const WHOLE: f64 = 1e18;
        if number.abs() >= WHOLE {
            self.0.set(true);
        }
        Ok(Value::from(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = map.next_entry()? {
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// A property name, borrowed from the page unless it holds an escape.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// A value out of its own text. An integer that no 64-bit type holds would lose digits as a
/// floating-point number (Exchange rule identities are such), so it is kept as text.
pub(crate) fn value_of(raw: &RawValue) -> Result<Value, serde_json::Error> {
    let text = raw.get();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 18 && digits.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<i64>().is_err() {
        return Ok(Value::String(text.to_owned()));
    }
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_reading_gives_what_the_exact_one_gives() {
        for value in [
            "0",
            "-0",
            "-1",
            "7",
            "1.5",
            "1e3",
            "999999999999999999",
            "1000000000000000000",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "1e18",
            "1e300",
            "1E400",
            "123456789012345678.5",
            "\"a\\u00e9\\n\"",
            "\"\"",
            "null",
            "true",
            "[]",
            "[1,[2,\"x\"],{\"y\":18446744073709551616}]",
            "{\"a\":{\"b\":null},\"c\":18446744073709551615}",
        ] {
            let body = format!("{{\"x\":{value}}}");
            let exact = serde_json::from_str::<&RawValue>(value).and_then(value_of).ok();
            let read = Record::from_slice(body.as_bytes()).ok();
            assert_eq!(read.as_ref().and_then(|record| record.get("x")), exact.as_ref(), "{value}");
        }
    }

    #[test]
    fn objects_of_one_body_share_names_and_keep_their_own_order() {
        let body = br#"[{"a":1,"b":2,"c":3},{"a":4,"c":5},{"c":6,"d":7,"a":8},{}]"#;
        let records = read_body(body, |json, reading| {
            struct All<'a>(&'a Reading);
            impl<'de> Visitor<'de> for All<'_> {
                type Value = Vec<Record>;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("objects")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                    let mut all = Vec::new();
                    while let Some(one) = seq.next_element_seed(RecordSeed::new(None, self.0))? {
                        all.push(one);
                    }
                    Ok(all)
                }
            }
            json.deserialize_seq(All(reading))
        })
        .expect("well-formed");
        let shown: Vec<String> =
            records.iter().map(|r| serde_json::to_string(r).expect("serializes")).collect();
        assert_eq!(shown, [r#"{"a":1,"b":2,"c":3}"#, r#"{"a":4,"c":5}"#, r#"{"c":6,"d":7,"a":8}"#, "{}"]);
        assert!(Arc::ptr_eq(&records[0].fields[2].0, &records[2].fields[0].0));
    }

    #[test]
    fn only_the_named_properties_are_built() {
        let body = br#"{"a":1,"b":{"c":[1,2]},"d":"x"}"#;
        let only_d =
            |json: &mut Json<'_>, reading: &Reading| RecordSeed::new(Some(&["d"]), reading).deserialize(json);
        let record = read_body(body, only_d).expect("ok");
        assert_eq!(record.len(), 1);
        assert_eq!(record.text("d"), Some("x"));
    }
}
