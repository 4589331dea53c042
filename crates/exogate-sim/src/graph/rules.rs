//! Which queries the directory answers: known properties, operators per property, what needs the advanced index.
//! Judges; evaluates nothing.

use super::error::GraphError;
use super::odata::filter::{Expr, Func, Literal, Op, Path};
use super::schema::{COUNT, ENDS, EQ, IN, Kind, NE, NULL, Property, RANGE, STARTS, Type};

/// A property with the path into its structured value.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    /// The property; `None` where the type has none of that name (mixed listings).
    pub property: Option<&'static Property>,
    /// The rest of the path.
    pub rest: Vec<String>,
}

impl PartialEq for Property {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// 400: the type has no such property.
#[must_use]
pub fn unknown_property(name: &str, kind: &str) -> GraphError {
    GraphError::unreadable(format!(
        "Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."
    ))
}

fn unsupported(name: &str, kind: Type) -> GraphError {
    GraphError::unsupported_query(format!(
        "Unsupported or invalid query filter clause specified for property '{name}' of resource '{}'.",
        kind.title()
    ))
}

fn advanced_only(operator: &str) -> GraphError {
    GraphError::unsupported_query(format!(
        "Operator '{operator}' is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information."
    ))
}

/// Properties whose `startsWith` only the advanced index answers.
const STARTS_ADVANCED: [&str; 9] = [
    "businessPhones",
    "companyName",
    "employeeType",
    "faxNumber",
    "mobilePhone",
    "officeLocation",
    "otherMails",
    "postalCode",
    "streetAddress",
];

/// Checks a filter for `kind` and resolves its paths. With `mixed`, properties of other types are let pass.
///
/// # Errors
/// The refusal that the service would give.
pub fn resolve(
    expr: Expr<Path>,
    kind: Type,
    mixed: bool,
    advanced: bool,
) -> Result<Expr<FieldPath>, GraphError> {
    let expr = expr.map_paths(&mut |mut path: Path| {
        let name = if path.is_empty() { String::new() } else { path.remove(0) };
        match kind.property(&name) {
            Some(property) => Ok(FieldPath { property: Some(property), rest: path }),
            None if mixed || name.starts_with("extension_") => Ok(FieldPath { property: None, rest: path }),
            None => Err(unknown_property(&name, kind.name())),
        }
    })?;
    let mut refusal = None;
    expr.walk(&mut |node| {
        if refusal.is_none() {
            refusal = judge(node, kind, advanced).err();
        }
    });
    refusal.map_or(Ok(expr), Err)
}

fn judge(node: &Expr<FieldPath>, kind: Type, advanced: bool) -> Result<(), GraphError> {
    let name = |path: &FieldPath| path.property.map_or("", |property| property.name);
    let allow = |path: &FieldPath, op: u16| match path.property {
        Some(property) if !property.allows(op) => Err(unsupported(property.name, kind)),
        _ => Ok(()),
    };
    let needs = |operator: &str| if advanced { Ok(()) } else { Err(advanced_only(operator)) };
    match node {
        Expr::Not(_) => needs("Not"),
        Expr::Compare(path, op, literal) => {
            check_types(path, *op, literal)?;
            if *literal == Literal::Null {
                let nullable = path
                    .property
                    .is_none_or(|property| property.allows(NULL) || !property.kind.is_collection());
                if !nullable {
                    return Err(unsupported(name(path), kind));
                }
                return needs(if *op == Op::Ne { "ne" } else { "eq" });
            }
            match op {
                Op::Eq => allow(path, EQ),
                Op::Ne => allow(path, NE).and_then(|()| needs("ne")),
                _ => allow(path, RANGE),
            }
        }
        Expr::In(path, _) => allow(path, IN),
        Expr::Text(Func::Contains, path, _) | Expr::All(path, _) => Err(unsupported(name(path), kind)),
        Expr::Text(Func::EndsWith, path, _) => allow(path, ENDS).and_then(|()| needs("endsWith")),
        Expr::Text(Func::StartsWith, path, _) => {
            allow(path, STARTS)?;
            if STARTS_ADVANCED.contains(&name(path)) { needs("startsWith") } else { Ok(()) }
        }
        Expr::Any(path, body) => {
            if path.property.is_some_and(|property| !property.kind.is_collection()) {
                return Err(unsupported(name(path), kind));
            }
            let Some(body) = body else { return needs("any") };
            let mut result = Ok(());
            body.walk(&mut |inner| {
                if result.is_ok() {
                    result = match inner {
                        Expr::Compare(_, Op::Eq, _) | Expr::And(..) | Expr::Or(..) => allow(path, EQ),
                        Expr::Compare(_, Op::Ne, _) => needs("ne"),
                        Expr::Compare(..) => allow(path, RANGE),
                        Expr::Text(Func::StartsWith, ..) => allow(path, STARTS),
                        Expr::Text(Func::EndsWith, ..) => allow(path, ENDS).and_then(|()| needs("endsWith")),
                        Expr::Not(_) => needs("Not"),
                        _ => Err(unsupported(name(path), kind)),
                    };
                }
            });
            result
        }
        Expr::Count(path, op, number) => {
            allow(path, COUNT)?;
            if *number != 0 || !matches!(op, Op::Eq | Op::Ne) {
                return Err(unsupported(name(path), kind));
            }
            needs("$count")
        }
        Expr::And(..) | Expr::Or(..) | Expr::IsOf(_) => Ok(()),
    }
}

fn check_types(path: &FieldPath, op: Op, literal: &Literal) -> Result<(), GraphError> {
    let Some(property) = path.property.filter(|_| path.rest.is_empty()) else { return Ok(()) };
    let fits = match (property.kind, literal) {
        (_, Literal::Null) | (Kind::Complex | Kind::List | Kind::Texts, _) => true,
        (Kind::Bool, literal) => matches!(literal, Literal::Bool(_)),
        (Kind::Int, literal) => matches!(literal, Literal::Int(_)),
        (Kind::Time, literal) => matches!(literal, Literal::Time(_)),
        (Kind::Text, literal) => matches!(literal, Literal::Text(_) | Literal::Guid(_)),
    };
    if fits {
        return Ok(());
    }
    let left = match property.kind {
        Kind::Bool => "Edm.Boolean",
        Kind::Int => "Edm.Int32",
        Kind::Time => "Edm.DateTimeOffset",
        _ => "Edm.String",
    };
    let right = match literal {
        Literal::Bool(_) => "Edm.Boolean",
        Literal::Int(_) => "Edm.Int32",
        Literal::Time(_) => "Edm.DateTimeOffset",
        Literal::Guid(_) => "Edm.Guid",
        _ => "Edm.String",
    };
    let operator = match op {
        Op::Eq => "Equal",
        Op::Ne => "NotEqual",
        Op::Gt => "GreaterThan",
        Op::Ge => "GreaterThanOrEqual",
        Op::Lt => "LessThan",
        Op::Le => "LessThanOrEqual",
    };
    Err(GraphError::unreadable(format!(
        "A binary operator with incompatible types was detected. Found operand types '{left}' and '{right}' for operator kind '{operator}'."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::odata::filter::parse;

    #[test]
    fn operators_per_property_and_index() {
        let judge = |filter: &str, advanced: bool| {
            resolve(parse(filter).unwrap(), Type::User, false, advanced).err().map(|error| error.message)
        };
        for filter in [
            "accountEnabled eq true",
            "userType eq 'Guest'",
            "proxyAddresses/any(p:p eq 'smtp:x@y')",
            "createdDateTime ge 2026-01-01T00:00:00Z",
            "onPremisesSyncEnabled eq true",
            "startsWith(displayName,'a')",
            "assignedLicenses/any(l:l/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)",
            "id in ('a','b')",
        ] {
            assert_eq!(judge(filter, false), None, "{filter}");
        }
        for (filter, operator) in [
            ("endsWith(mail,'@x')", "endsWith"),
            ("accountEnabled ne true", "ne"),
            ("not(userType eq 'Guest')", "Not"),
            ("mail eq null", "eq"),
            ("assignedLicenses/$count eq 0", "$count"),
            ("startsWith(companyName,'a')", "startsWith"),
        ] {
            assert!(
                judge(filter, false).unwrap().starts_with(&format!("Operator '{operator}' is not supported")),
                "{filter}"
            );
            assert_eq!(judge(filter, true), None, "{filter}");
        }
        for (filter, start) in [
            ("nosuch eq 'a'", "Could not find a property named 'nosuch' on type 'microsoft.graph.user'."),
            (
                "aboutMe eq 'a'",
                "Unsupported or invalid query filter clause specified for property 'aboutMe' of resource 'User'.",
            ),
            ("contains(displayName,'a')", "Unsupported or invalid"),
            ("accountEnabled eq 'true'", "A binary operator with incompatible types"),
        ] {
            assert!(judge(filter, true).unwrap().starts_with(start), "{filter}");
        }
    }
}
