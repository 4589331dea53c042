//! What of a filter the store can test itself, by its indices and columns.

use exogate_store::{Column, Comparison, Moment, OrderBy, Test};

use super::{Expr, Literal, Op, Path};
use crate::scim::schema::ResourceKind;

/// A filter in two: what the store tests, and what is left to test on what it finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Pushed {
    pub test: Option<Test>,
    pub rest: Option<Expr>,
}

/// Splits a filter. What passes the test and the rest is exactly what passes the filter.
pub fn push(expr: &Expr, kind: ResourceKind) -> Pushed {
    if let Some(test) = exactly(expr, kind) {
        return Pushed { test: Some(test), rest: None };
    }
    if let Expr::All(all) = expr {
        let mut tests = Vec::new();
        let mut rest = Vec::new();
        for one in all {
            let pushed = push(one, kind);
            tests.extend(pushed.test);
            rest.extend(pushed.rest);
        }
        let test = (!tests.is_empty()).then_some(Test::All(tests));
        return Pushed { test, rest: Some(Expr::All(rest)) };
    }
    Pushed { test: at_least(expr, kind), rest: Some(expr.clone()) }
}

/// The test that says the same.
fn exactly(expr: &Expr, kind: ResourceKind) -> Option<Test> {
    match expr {
        Expr::All(all) => all.iter().map(|one| exactly(one, kind)).collect::<Option<_>>().map(Test::All),
        Expr::Any(all) => all.iter().map(|one| exactly(one, kind)).collect::<Option<_>>().map(Test::Any),
        Expr::Not(one) => exactly(one, kind).map(|test| Test::Not(Box::new(test))),
        Expr::Never => Some(Test::Any(Vec::new())),
        Expr::Present(path) => column(path, kind).map(Test::Present),
        Expr::Compare(path, op, literal) => comparison(path, *op, literal, kind),
        Expr::Element(..) => None,
    }
}

/// A test that passes at least what the filter passes: `emails[type eq "work" and value eq "x"]`
/// is no more than `emails.value eq "x"`.
fn at_least(expr: &Expr, kind: ResourceKind) -> Option<Test> {
    let Expr::Element(list, inner) = expr else { return None };
    let inner = match &**inner {
        Expr::All(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let tests: Vec<Test> = inner
        .iter()
        .filter_map(|one| match one {
            Expr::Compare(part, op, literal) if part.name == "value" => {
                let (name, sub) = (list.name.clone(), Some(part.name.clone()));
                let whole = Path { extension: list.extension, name, sub, ..part.clone() };
                comparison(&whole, *op, literal, kind)
            }
            _ => None,
        })
        .collect();
    (!tests.is_empty()).then_some(Test::All(tests))
}

fn comparison(path: &Path, op: Op, literal: &Literal, kind: ResourceKind) -> Option<Test> {
    let comparison = match op {
        Op::Eq => Comparison::Equal,
        Op::Co => Comparison::Contains,
        Op::Sw => Comparison::Begins,
        Op::Ew => Comparison::Ends,
        Op::Gt => Comparison::Greater,
        Op::Ge => Comparison::GreaterOrEqual,
        Op::Lt => Comparison::Less,
        Op::Le => Comparison::LessOrEqual,
    };
    match literal {
        Literal::Instant(at) => moment(path).map(|moment| Test::When(moment, comparison, *at)),
        Literal::Boolean(active) if path.is("active", None) && kind == ResourceKind::User => {
            Some(Test::Disabled(!active))
        }
        Literal::Text(text) => {
            // Case counts in ids, and the store has them in lower case; it would take any.
            let as_stored = *text == text.to_ascii_lowercase();
            let of_groups = path.is("groups", Some("value")) && kind == ResourceKind::User;
            let of_members = path.is("members", Some("value")) && kind == ResourceKind::Group;
            if of_groups || of_members {
                return (op == Op::Eq && as_stored).then(|| Test::Member(text.clone()));
            }
            let column = column(path, kind)?;
            if column == Column::Id && !(as_stored && op == Op::Eq) {
                return None;
            }
            // The store folds ASCII alone, and to SQL a NUL ends a text.
            let foreign = column != Column::ExternalId && !text.is_ascii();
            if foreign || text.is_empty() || text.contains('\0') {
                return None;
            }
            Some(Test::Text(column, comparison, text.clone()))
        }
        _ => None,
    }
}

fn moment(path: &Path) -> Option<Moment> {
    if path.is("meta", Some("lastModified")) {
        Some(Moment::Changed)
    } else if path.is("meta", Some("created")) {
        Some(Moment::Created)
    } else {
        None
    }
}

fn column(path: &Path, kind: ResourceKind) -> Option<Column> {
    let is = |name, sub| path.is(name, sub);
    if is("id", None) {
        return Some(Column::Id);
    }
    if is("externalId", None) {
        return Some(Column::ExternalId);
    }
    match kind {
        ResourceKind::User if is("userName", None) => Some(Column::Name),
        ResourceKind::User if is("displayName", None) => Some(Column::DisplayName),
        ResourceKind::User if is("emails", Some("value")) || is("emails", None) => Some(Column::Address),
        ResourceKind::Group if is("displayName", None) => Some(Column::Name),
        _ => None,
    }
}

/// What the store can sort by.
pub fn sort_column(path: &Path, kind: ResourceKind) -> Option<OrderBy> {
    moment(path).map(OrderBy::When).or_else(|| column(path, kind).map(OrderBy::Text))
}
