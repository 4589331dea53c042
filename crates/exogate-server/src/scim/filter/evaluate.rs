//! Whether a resource passes a filter. Texts are compared without case unless the schema says that
//! case counts.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Expr, Literal, Op, Path};

/// Whether a resource passes.
pub fn matches(expr: &Expr, resource: &Map<String, Value>) -> bool {
    match expr {
        Expr::All(all) => all.iter().all(|one| matches(one, resource)),
        Expr::Any(all) => all.iter().any(|one| matches(one, resource)),
        Expr::Not(one) => !matches(one, resource),
        Expr::Never => false,
        Expr::Present(path) => any(path, resource, &is_present),
        Expr::Compare(path, op, literal) => {
            any(path, resource, &|value| compares(value, path.case_exact, *op, literal))
        }
        Expr::Element(path, inner) => any(path, resource, &|value| matches_element(inner, value)),
    }
}

/// Whether an element of a list passes.
pub fn matches_element(expr: &Expr, element: &Value) -> bool {
    element.as_object().is_some_and(|element| matches(expr, element))
}

/// Whether any value at a path passes.
fn any(path: &Path, resource: &Map<String, Value>, test: &dyn Fn(&Value) -> bool) -> bool {
    let holder = match path.extension {
        Some(extension) => resource.get(extension).and_then(Value::as_object),
        None => Some(resource),
    };
    let Some(value) = holder.and_then(|holder| holder.get(&path.name)) else { return false };
    let below = |value: &Value| match &path.sub {
        Some(sub) => value.get(sub).is_some_and(test),
        None => test(value),
    };
    match value {
        Value::Array(items) => items.iter().any(below),
        one => below(one),
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(parts) => parts.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compares(value: &Value, case_exact: bool, op: Op, literal: &Literal) -> bool {
    let ordering = match (value, literal) {
        (Value::String(value), Literal::Text(text)) => {
            return if case_exact { texts(value, op, text) } else { texts(&fold(value), op, &fold(text)) };
        }
        (Value::Bool(value), Literal::Boolean(flag)) => Some(value.cmp(flag)),
        (Value::Number(value), Literal::Number(number)) => {
            value.as_f64().and_then(|value| value.partial_cmp(number))
        }
        (Value::String(value), Literal::Instant(at)) => {
            value.parse().ok().map(|value: Timestamp| value.as_millisecond().cmp(&at.as_millisecond()))
        }
        _ => None,
    };
    match op {
        Op::Eq => ordering == Some(Ordering::Equal),
        Op::Gt => ordering == Some(Ordering::Greater),
        Op::Ge => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        Op::Lt => ordering == Some(Ordering::Less),
        Op::Le => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Op::Co | Op::Sw | Op::Ew => false,
    }
}

fn texts(value: &str, op: Op, text: &str) -> bool {
    match op {
        Op::Eq => value == text,
        Op::Co => value.contains(text),
        Op::Sw => value.starts_with(text),
        Op::Ew => value.ends_with(text),
        Op::Gt => value > text,
        Op::Ge => value >= text,
        Op::Lt => value < text,
        Op::Le => value <= text,
    }
}

/// A text without case. What is not ASCII stays so, as it does in the store, which knows no other
/// letters: a text in ASCII finds the same in both.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            folded.push(letter.to_ascii_lowercase());
        } else if letter.to_lowercase().any(|lower| lower.is_ascii()) {
            folded.push(letter);
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}
