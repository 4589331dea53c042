//! Collections of few objects: filtered and selected as far as clients do it on such sets, without pages.

use serde_json::{Value, json};

use super::call::{Answer, Body, Call};

/// A collection of few objects, filtered and selected as far as clients do it here.
pub(super) fn collection(call: &Call, set: &str, items: Vec<Value>) -> Answer {
    let items: Vec<Value> =
        items.into_iter().filter(|item| wanted(call, item)).map(|item| select(call, item)).collect();
    let mut answer = json!({"@odata.context": format!("{}/$metadata#{set}", call.base)});
    if call.options.count && call.eventual() {
        answer["@odata.count"] = items.len().into();
    }
    answer["value"] = Value::Array(items);
    Answer::value(&answer)
}

pub(super) fn entity(call: &Call, set: &str, item: Value) -> Answer {
    let mut answer = serde_json::Map::new();
    answer.insert("@odata.context".into(), format!("{}/$metadata#{set}/$entity", call.base).into());
    if let Value::Object(members) = select(call, item) {
        answer.extend(members);
    }
    Answer::value(&Value::Object(answer))
}

pub(super) fn select(call: &Call, item: Value) -> Value {
    let (Some(names), Value::Object(members)) = (&call.options.select, &item) else { return item };
    if names.is_empty() {
        return item;
    }
    let kept = members
        .iter()
        .filter(|(name, _)| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}

/// `property eq 'value'` (joined by `and`/`or`) over the item's own members.
pub(super) fn wanted(call: &Call, item: &Value) -> bool {
    use super::odata::filter::{Expr, Literal, Op, Path, parse};
    fn holds(expr: &Expr<Path>, item: &Value) -> bool {
        match expr {
            Expr::And(left, right) => holds(left, item) && holds(right, item),
            Expr::Or(left, right) => holds(left, item) || holds(right, item),
            Expr::Not(inner) => !holds(inner, item),
            Expr::Compare(path, op, literal) => {
                let held = member(item, path);
                let same = match literal {
                    Literal::Text(text) => {
                        held.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
                    }
                    Literal::Bool(truth) => held.as_bool() == Some(*truth),
                    Literal::Guid(id) => held.as_str().and_then(|text| text.parse().ok()) == Some(*id),
                    Literal::Int(number) => held.as_i64() == Some(*number),
                    Literal::Null => held.is_null(),
                    Literal::Time(_) => false,
                };
                if *op == Op::Ne { !same } else { same }
            }
            Expr::In(path, literals) => {
                let held = member(item, path);
                literals.iter().any(|literal| match literal {
                    Literal::Text(text) => {
                        held.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text))
                    }
                    _ => false,
                })
            }
            Expr::Text(_, path, text) => member(item, path)
                .as_str()
                .is_some_and(|value| value.to_lowercase().starts_with(&text.to_lowercase())),
            Expr::Any(path, Some(body)) => {
                member(item, path).as_array().is_some_and(|items| items.iter().any(|item| holds(body, item)))
            }
            _ => true,
        }
    }
    fn member<'v>(item: &'v Value, path: &[String]) -> &'v Value {
        path.iter().fold(item, |at, name| at.get(name).unwrap_or(&Value::Null))
    }
    call.options.filter.as_deref().is_none_or(|text| parse(text).is_ok_and(|expr| holds(&expr, item)))
}

/// Appends few objects to the last page of a listing of any type.
pub(super) fn with_more(call: &Call, answer: Answer, more: Vec<Value>) -> Answer {
    let Body::Json(bytes) = &answer.body else { return answer };
    let more: Vec<Value> =
        more.into_iter().filter(|item| wanted(call, item)).map(|item| select_typed(call, item)).collect();
    if more.is_empty() {
        return answer;
    }
    let Ok(mut page) = serde_json::from_slice::<Value>(bytes) else { return answer };
    if page.get("@odata.nextLink").is_some() {
        return answer;
    }
    if let Some(count) = page.get("@odata.count").and_then(Value::as_u64) {
        page["@odata.count"] = (count + more.len() as u64).into();
    }
    if let Some(items) = page.get_mut("value").and_then(Value::as_array_mut) {
        items.extend(more);
    }
    Answer::value(&page)
}

/// As [`select`], keeping the type that lists of any type must name.
fn select_typed(call: &Call, item: Value) -> Value {
    let kind = item["@odata.type"].clone();
    let mut chosen = serde_json::Map::new();
    chosen.insert("@odata.type".into(), kind);
    if let Value::Object(members) = select(call, item) {
        chosen.extend(members);
    }
    Value::Object(chosen)
}
