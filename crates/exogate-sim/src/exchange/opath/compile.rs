//! Ties a filter to the filterable properties of one cmdlet and converts its operands once.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::value::{Value, parse_time};

use super::eval::{Typed, holds};
use super::parse::{Comparison, Expr, Operand, Operator, parse};

/// A filter that is ready to run over rows.
#[derive(Debug)]
pub struct Compiled {
    root: Node,
}

#[derive(Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test { property: &'static str, operator: Operator, operand: Typed },
}

/// What a filter can be asked about.
pub trait FilterRow {
    /// The value that a filter compares for the property (documented name). For properties that hold references it is
    /// the distinguished name.
    fn filter_value(&self, property: &'static str) -> Value<'_>;
}

#[derive(Debug, Deserialize)]
struct Filterable {
    cmdlets: Vec<String>,
    value: String,
    #[serde(default)]
    wildcards: bool,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    #[serde(skip)]
    name: String,
}

#[derive(Deserialize)]
struct File {
    filter: HashMap<String, Filterable>,
}

static FILTERABLE: LazyLock<HashMap<String, Filterable>> = LazyLock::new(|| {
    let file: File = serde_json::from_str(include_str!("../../../data/attributes.json"))
        .expect("the attribute table is part of the program and checked by a test");
    file.filter
        .into_iter()
        .map(|(name, mut spec)| {
            let key = name.to_ascii_lowercase();
            spec.name = name;
            (key, spec)
        })
        .collect()
});

/// Reads a filter for one cmdlet.
///
/// # Errors
/// The service's own errors: bad syntax, a property that cannot be filtered on, an operand of the wrong kind.
pub fn compile(filter: &str, cmdlet: &str) -> Result<Compiled, ExchangeError> {
    let expr = parse(filter).map_err(|error| {
        ExchangeError::new(Condition::FilterSyntax, [filter.to_owned(), error.position.to_string()])
    })?;
    Ok(Compiled { root: node(&expr, filter, cmdlet)? })
}

fn node(expr: &Expr, filter: &str, cmdlet: &str) -> Result<Node, ExchangeError> {
    Ok(match expr {
        Expr::And(parts) => {
            Node::All(parts.iter().map(|part| node(part, filter, cmdlet)).collect::<Result<_, _>>()?)
        }
        Expr::Or(parts) => {
            Node::Any(parts.iter().map(|part| node(part, filter, cmdlet)).collect::<Result<_, _>>()?)
        }
        Expr::Not(inner) => Node::Not(Box::new(node(inner, filter, cmdlet)?)),
        Expr::Compare(comparison) => test(comparison, filter, cmdlet)?,
    })
}

fn test(comparison: &Comparison, filter: &str, cmdlet: &str) -> Result<Node, ExchangeError> {
    let Some(spec) = FILTERABLE
        .get(&comparison.property.to_ascii_lowercase())
        .filter(|spec| spec.cmdlets.iter().any(|name| name.eq_ignore_ascii_case(cmdlet)))
    else {
        return Err(ExchangeError::new(
            Condition::FilterProperty,
            [comparison.property.clone(), filter.to_owned()],
        ));
    };
    let bad = || {
        let operand = match &comparison.operand {
            Operand::Null => "$null".to_owned(),
            Operand::Bool(value) => value.to_string(),
            Operand::Text(text) => text.clone(),
        };
        ExchangeError::new(
            Condition::FilterOperand,
            [operand, spec.value.clone(), spec.name.clone(), filter.to_owned()],
        )
    };
    let operand = match (&comparison.operand, comparison.operator) {
        (Operand::Null, _) => Typed::Null,
        (Operand::Text(text), Operator::Like | Operator::NotLike) => {
            pattern(text, spec.wildcards).ok_or_else(bad)?
        }
        (Operand::Bool(value), _) => match spec.value.as_str() {
            "bool" | "string" => Typed::Bool(*value),
            "int" | "int_0_1_or_null" => Typed::Int(i64::from(*value)),
            _ => return Err(bad()),
        },
        (Operand::Text(text), _) => typed(text, spec).ok_or_else(bad)?,
    };
    let ordering = matches!(comparison.operator, Operator::Lt | Operator::Gt | Operator::Le | Operator::Ge);
    if ordering && matches!(spec.value.as_str(), "bool" | "dn" | "dn_or_null") {
        return Err(bad());
    }
    Ok(Node::Test { property: spec.name.as_str(), operator: comparison.operator, operand })
}

/// A wildcard is understood at the ends only.
fn pattern(text: &str, wildcards: bool) -> Option<Typed> {
    let open_start = text.len() > 1 && text.starts_with('*');
    let open_end = text.ends_with('*');
    let inner = text.trim_start_matches('*').trim_end_matches('*');
    if inner.contains('*') || ((open_start || open_end) && !wildcards) {
        return None;
    }
    Some(Typed::Pattern { text: inner.to_lowercase(), open_start, open_end })
}

fn typed(text: &str, spec: &Filterable) -> Option<Typed> {
    Some(match spec.value.as_str() {
        "bool" => match text.to_ascii_lowercase().as_str() {
            "true" | "$true" => Typed::Bool(true),
            "false" | "$false" => Typed::Bool(false),
            _ => return None,
        },
        "int" | "int_0_1_or_null" => Typed::Int(text.trim().parse().ok()?),
        "bytesize" => Typed::Int(bytes(text)?),
        "datetime" => Typed::Time(parse_time(text)?),
        "enum" if !spec.values.is_empty() && spec.value == "enum" => {
            // Values that the reference does not list are let through: the lists are not complete.
            let canonical = spec.values.iter().find(|value| value.eq_ignore_ascii_case(text));
            Typed::Text(canonical.cloned().unwrap_or_else(|| text.to_owned()))
        }
        _ => Typed::Text(text.to_owned()),
    })
}

fn bytes(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_uppercase();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().ok()?;
    let unit = match text[digits.len()..].trim() {
        "" | "B" => 1,
        "KB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

impl Compiled {
    /// Whether the row passes.
    pub fn matches<R: FilterRow + ?Sized>(&self, row: &R) -> bool {
        matches(&self.root, row)
    }
}

fn matches<R: FilterRow + ?Sized>(node: &Node, row: &R) -> bool {
    match node {
        Node::All(parts) => parts.iter().all(|part| matches(part, row)),
        Node::Any(parts) => parts.iter().any(|part| matches(part, row)),
        Node::Not(inner) => !matches(inner, row),
        Node::Test { property, operator, operand } => holds(&row.filter_value(property), *operator, operand),
    }
}
