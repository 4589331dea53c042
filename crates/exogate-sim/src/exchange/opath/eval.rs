//! Comparison of one value with one operand, by the rules of the property's kind.

use crate::clock::Time;
use crate::exchange::value::{Value, parse_time};

use super::parse::Operator;

/// An operand in the form in which its property compares.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    Null,
    Bool(bool),
    Int(i64),
    Time(Time),
    Text(String),
    /// A text with a wildcard at its start, its end or both.
    Pattern {
        text: String,
        open_start: bool,
        open_end: bool,
    },
}

pub(super) fn holds(value: &Value<'_>, operator: Operator, operand: &Typed) -> bool {
    match operator {
        Operator::Ne => !holds(value, Operator::Eq, operand),
        Operator::NotLike => !holds(value, Operator::Like, operand),
        _ => match (value, operand) {
            (_, Typed::Null) => operator == Operator::Eq && value.is_null(),
            (Value::List(list), _) => list.iter().any(|text| text_holds(text, operator, operand)),
            (Value::Bool(have), Typed::Bool(want)) => operator == Operator::Eq && have == want,
            // A property that was never set filters like its default.
            (Value::Null, Typed::Bool(want)) => operator == Operator::Eq && !want,
            (Value::Int(have), Typed::Int(want)) => ordered(operator, have.cmp(want)),
            (Value::Time(have), Typed::Time(want)) => ordered(operator, have.cmp(want)),
            (Value::Guid(have), _) => text_holds(&have.hyphenated().to_string(), operator, operand),
            (Value::Text(text), _) => text_holds(text, operator, operand),
            (Value::Bool(have), _) => text_holds(if *have { "True" } else { "False" }, operator, operand),
            (Value::Int(have), _) => text_holds(&have.to_string(), operator, operand),
            _ => false,
        },
    }
}

fn ordered(operator: Operator, ordering: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Eq | Operator::Like => ordering.is_eq(),
        Operator::Lt => ordering.is_lt(),
        Operator::Gt => ordering.is_gt(),
        Operator::Le => ordering.is_le(),
        Operator::Ge => ordering.is_ge(),
        Operator::Ne | Operator::NotLike => !ordering.is_eq(),
    }
}

fn text_holds(text: &str, operator: Operator, operand: &Typed) -> bool {
    match operand {
        Typed::Pattern { text: want, open_start, open_end } => {
            matches_pattern(text, want, *open_start, *open_end)
        }
        Typed::Text(want) => ordered(operator, folded(text, want)),
        Typed::Bool(want) => {
            operator == Operator::Eq && text.eq_ignore_ascii_case(if *want { "true" } else { "false" })
        }
        Typed::Int(want) => size_or_number(text).is_some_and(|have| ordered(operator, have.cmp(want))),
        Typed::Time(want) => parse_time(text).is_some_and(|have| ordered(operator, have.cmp(want))),
        Typed::Null => text.is_empty(),
    }
}

/// `99 GB (106,300,440,576 bytes)` counts as its bytes.
fn size_or_number(text: &str) -> Option<i64> {
    let digits = match text.split_once('(') {
        Some((_, bytes)) => bytes.split_ascii_whitespace().next()?.replace(',', ""),
        None => text.to_owned(),
    };
    digits.parse().ok()
}

pub(super) fn folded(a: &str, b: &str) -> std::cmp::Ordering {
    if a.is_ascii() && b.is_ascii() {
        let lower = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
        if a.len() == b.len() && a.eq_ignore_ascii_case(b) {
            return std::cmp::Ordering::Equal;
        }
        return lower(a).cmp(&lower(b));
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}

fn matches_pattern(text: &str, want: &str, open_start: bool, open_end: bool) -> bool {
    let text = text.to_lowercase();
    match (open_start, open_end) {
        (false, false) => text == want,
        (false, true) => text.starts_with(want),
        (true, false) => text.ends_with(want),
        (true, true) => text.contains(want),
    }
}
