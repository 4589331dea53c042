//! Whether an object matches a filter or a search. Filters have been judged before they come here.

use std::cmp::Ordering;

use super::odata::filter::{Expr, Func, Literal, Op, Path, read_time};
use super::odata::search::{self, Search};
use super::rules::FieldPath;
use super::schema::Type;
use super::value::{Source, Value, value};
use crate::state::Object;

/// The type of an object.
#[must_use]
pub fn type_of(object: &Object) -> Type {
    if object.user().is_some() {
        Type::User
    } else if object.group().is_some() {
        Type::Group
    } else if object.principal().is_some() {
        Type::Principal
    } else {
        Type::Contact
    }
}

/// Whether `object` matches.
#[must_use]
pub fn holds(expr: &Expr<FieldPath>, source: &Source<'_>, object: &Object) -> bool {
    match expr {
        Expr::And(left, right) => holds(left, source, object) && holds(right, source, object),
        Expr::Or(left, right) => holds(left, source, object) || holds(right, source, object),
        Expr::Not(inner) => !holds(inner, source, object),
        Expr::Compare(path, op, literal) => read(path, source, object).compares(*op, literal),
        Expr::In(path, literals) => {
            let item = read(path, source, object);
            literals.iter().any(|literal| item.compares(Op::Eq, literal))
        }
        Expr::Text(func, path, wanted) => {
            read(path, source, object).text().is_some_and(|text| applies(*func, &text, wanted))
        }
        Expr::Any(path, body) => {
            let list = list(path, source, object);
            match body {
                Some(body) => list.iter().any(|item| inside(body, item)),
                None => !list.is_empty(),
            }
        }
        Expr::All(path, body) => list(path, source, object).iter().all(|item| inside(body, item)),
        Expr::Count(path, op, number) => {
            let count = i64::try_from(list(path, source, object).len()).unwrap_or(i64::MAX);
            ordered(*op, count.cmp(number))
        }
        Expr::IsOf(kind) => {
            let wanted = kind.rsplit('.').next().unwrap_or(kind);
            wanted.eq_ignore_ascii_case(type_of(object).name())
        }
    }
}

/// A value as filters see it.
enum Item<'a> {
    Value(Value<'a>),
    Text(&'a str),
    Json(serde_json::Value),
}

fn read<'a>(path: &FieldPath, source: &Source<'a>, object: &'a Object) -> Item<'a> {
    let Some(property) = path.property else { return Item::Value(Value::Null) };
    let value = value(source, object, property);
    if path.rest.is_empty() {
        Item::Value(value)
    } else {
        value.inside(&path.rest).map_or(Item::Value(Value::Null), Item::Json)
    }
}

fn list<'a>(path: &FieldPath, source: &Source<'a>, object: &'a Object) -> Vec<Item<'a>> {
    match read(path, source, object) {
        Item::Value(Value::Texts(texts)) => texts.iter().map(|text| Item::Text(text)).collect(),
        Item::Value(Value::Few(texts)) => texts.into_iter().map(Item::Text).collect(),
        Item::Value(other) => other.elements(source.tenant).into_iter().map(Item::Json).collect(),
        Item::Json(serde_json::Value::Array(items)) => items.into_iter().map(Item::Json).collect(),
        _ => Vec::new(),
    }
}

/// Evaluates a lambda's body over one element.
fn inside(body: &Expr<Path>, item: &Item<'_>) -> bool {
    match body {
        Expr::And(left, right) => inside(left, item) && inside(right, item),
        Expr::Or(left, right) => inside(left, item) || inside(right, item),
        Expr::Not(inner) => !inside(inner, item),
        Expr::Compare(path, op, literal) => item.at(path).compares(*op, literal),
        Expr::In(path, literals) => literals.iter().any(|literal| item.at(path).compares(Op::Eq, literal)),
        Expr::Text(func, path, wanted) => {
            item.at(path).text().is_some_and(|text| applies(*func, &text, wanted))
        }
        _ => false,
    }
}

impl Item<'_> {
    fn at(&self, path: &[String]) -> Item<'_> {
        match self {
            Self::Json(value) => {
                let mut at = value;
                for segment in path {
                    let found = at.as_object().and_then(|object| {
                        object.iter().find(|(name, _)| name.eq_ignore_ascii_case(segment))
                    });
                    match found {
                        Some((_, value)) => at = value,
                        None => return Item::Value(Value::Null),
                    }
                }
                Item::Json(at.clone())
            }
            Self::Text(text) if path.is_empty() => Item::Text(text),
            _ => Item::Value(Value::Null),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Value(Value::Text(text)) => Some((*text).to_owned()),
            Self::Value(Value::Made(text)) | Self::Json(serde_json::Value::String(text)) => {
                Some(text.clone())
            }
            Self::Value(Value::Id(id)) => Some(id.to_string()),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Value(Value::Null) | Self::Json(serde_json::Value::Null))
    }

    fn compares(&self, op: Op, literal: &Literal) -> bool {
        if *literal == Literal::Null {
            return match op {
                Op::Eq => self.is_null(),
                Op::Ne => !self.is_null(),
                _ => false,
            };
        }
        match self.order(literal) {
            Some(ordering) => ordered(op, ordering),
            // Null, or a value of another type: differs from every literal.
            None => op == Op::Ne,
        }
    }

    fn order(&self, literal: &Literal) -> Option<Ordering> {
        match (self, literal) {
            (
                Self::Value(Value::Bool(value)) | Self::Json(serde_json::Value::Bool(value)),
                Literal::Bool(wanted),
            ) => Some(value.cmp(wanted)),
            (Self::Value(Value::Int(value)), Literal::Int(wanted)) => Some(value.cmp(wanted)),
            (Self::Json(serde_json::Value::Number(value)), Literal::Int(wanted)) => {
                value.as_i64().map(|v| v.cmp(wanted))
            }
            (Self::Value(Value::Time(value)), Literal::Time(wanted)) => Some(value.seconds().cmp(wanted)),
            (Self::Value(Value::Text(text)) | Self::Text(text), Literal::Text(wanted)) => {
                Some(fold(text, wanted))
            }
            (_, Literal::Guid(wanted)) => {
                let id: uuid::Uuid = self.text()?.parse().ok()?;
                Some(id.cmp(wanted))
            }
            (Self::Json(serde_json::Value::String(text)), Literal::Time(wanted)) => {
                read_time(text).map(|value| value.cmp(wanted))
            }
            (_, Literal::Text(wanted)) => Some(fold(&self.text()?, wanted)),
            _ => None,
        }
    }
}

/// Strings compare without regard to case.
fn fold(left: &str, right: &str) -> Ordering {
    if left.eq_ignore_ascii_case(right) {
        return Ordering::Equal;
    }
    left.to_lowercase().cmp(&right.to_lowercase())
}

fn ordered(op: Op, ordering: Ordering) -> bool {
    match op {
        Op::Eq => ordering == Ordering::Equal,
        Op::Ne => ordering != Ordering::Equal,
        Op::Gt => ordering == Ordering::Greater,
        Op::Ge => ordering != Ordering::Less,
        Op::Lt => ordering == Ordering::Less,
        Op::Le => ordering != Ordering::Greater,
    }
}

fn applies(func: Func, text: &str, wanted: &str) -> bool {
    let text = text.to_lowercase();
    let wanted = wanted.to_lowercase();
    match func {
        Func::StartsWith => text.starts_with(&wanted),
        Func::EndsWith => text.ends_with(&wanted),
        Func::Contains => text.contains(&wanted),
    }
}

/// Whether `object` matches a search.
#[must_use]
pub fn found(search: &Search, source: &Source<'_>, object: &Object) -> bool {
    match search {
        Search::And(left, right) => found(left, source, object) && found(right, source, object),
        Search::Or(left, right) => found(left, source, object) || found(right, source, object),
        Search::Clause(name, wanted) => {
            let Some(property) = type_of(object).property(name) else { return false };
            let tokenised = matches!(property.name, "displayName" | "description");
            let item = Item::Value(value(source, object, property));
            match item {
                Item::Value(Value::Texts(texts)) => texts.iter().any(|text| {
                    search::matches(text, wanted, false)
                        || text.split_once(':').is_some_and(|(_, rest)| search::matches(rest, wanted, false))
                }),
                item => item.text().is_some_and(|text| search::matches(&text, wanted, tokenised)),
            }
        }
    }
}

/// The order of two objects by a property; nulls first.
#[must_use]
pub fn by_property(
    property: &super::schema::Property,
    source: &Source<'_>,
    left: &Object,
    right: &Object,
) -> Ordering {
    let key = |object| match value(source, object, property) {
        Value::Text(text) => (1, text.to_lowercase(), 0),
        Value::Made(text) => (1, text.to_lowercase(), 0),
        Value::Id(id) => (1, id.to_string(), 0),
        Value::Time(time) => (1, String::new(), time.millis()),
        Value::Int(number) => (1, String::new(), number),
        Value::Bool(truth) => (1, String::new(), i64::from(truth)),
        _ => (0, String::new(), 0),
    };
    key(left).cmp(&key(right))
}
