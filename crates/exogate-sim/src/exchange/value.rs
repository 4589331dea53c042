//! One value of one property of a row, borrowed from the state where it can be.
//!
//! How a value looks as JSON is `render`'s business, how it compares is `opath`'s.

use std::borrow::Cow;

use uuid::Uuid;

use crate::clock::Time;

/// A value as the directory holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// A GUID.
    Guid(Uuid),
    /// A point in time.
    Time(Time),
    /// Several texts.
    List(Vec<Cow<'a, str>>),
}

impl<'a> Value<'a> {
    /// A borrowed text.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// An owned text.
    #[must_use]
    pub fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    /// A text that may be missing.
    #[must_use]
    pub fn optional(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    /// A default of the property table.
    #[must_use]
    pub fn of_default(default: &'a serde_json::Value) -> Self {
        match default {
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => number.as_i64().map_or(Self::Null, Self::Int),
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(list) => {
                Self::List(list.iter().filter_map(|item| item.as_str().map(Cow::Borrowed)).collect())
            }
            _ => Self::Null,
        }
    }

    /// Whether a filter would call it `$null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Guid(guid) => guid.is_nil(),
            _ => false,
        }
    }
}

/// A point in time from the notations in use: ISO 8601 with or without zone, and the US short form.
#[must_use]
pub fn parse_time(text: &str) -> Option<Time> {
    Time::parse(text).or_else(|| us_time(text.trim()))
}

fn us_time(text: &str) -> Option<Time> {
    let mut words = text.split_ascii_whitespace();
    let mut date = words.next()?.split('/');
    let month: i8 = date.next()?.parse().ok()?;
    let day: i8 = date.next()?.parse().ok()?;
    let year: i16 = date.next()?.parse().ok()?;
    if date.next().is_some() {
        return None;
    }
    let (mut hour, mut minute, mut second) = (0_i8, 0_i8, 0_i8);
    if let Some(clock) = words.next() {
        let mut parts = clock.split(':');
        hour = parts.next()?.parse().ok()?;
        minute = parts.next()?.parse().ok()?;
        second = parts.next().map_or(Ok(0), str::parse).ok()?;
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("AM") => hour = if hour == 12 { 0 } else { hour },
            Some("PM") => hour = if hour == 12 { 12 } else { hour.checked_add(12)? },
            None => {}
            Some(_) => return None,
        }
    }
    if words.next().is_some() {
        return None;
    }
    let civil = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| Time::from_seconds(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_notation() {
        for text in [
            "2017-08-01T14:00:00Z",
            "2017-08-01T14:00:00.0000000Z",
            "2017-08-01T16:00:00+02:00",
            "2017-08-01T14:00:00",
            "2017-08-01 14:00:00",
            "8/1/2017 2:00:00 PM",
            "08/01/2017 14:00:00",
            "8/1/2017 2:00 PM",
        ] {
            assert_eq!(parse_time(text), Some(Time::from_seconds(1_501_596_000)), "{text}");
        }
        assert_eq!(parse_time("2017-08-01"), Some(Time::from_seconds(1_501_545_600)));
        assert_eq!(parse_time("8/1/2017"), Some(Time::from_seconds(1_501_545_600)));
        for text in ["", "yesterday", "13/40/2017", "8/1/2017 2:00 XM", "8/1/2017/9", "8/1/2017 127:00 PM"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
