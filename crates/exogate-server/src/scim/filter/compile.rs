//! From text to a checked tree.

use exogate_model::nearest;
use jiff::Timestamp;
use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ParseError, ValFilter};

use super::{Expr, Literal, Op, Path};
use crate::scim::error::ScimError;
use crate::scim::limits;
use crate::scim::schema::{Attribute, Kind, Model, Place, ResourceType};

/// Reads a filter over one kind of resource. With `others`, a name that only another kind knows is
/// a name without a value here.
pub fn compile(text: &str, resource: &ResourceType, others: Option<&Model>) -> Result<Expr, ScimError> {
    if text.len() > limits::FILTER {
        return Err(ScimError::filter(format!("a filter has at most {} bytes", limits::FILTER)));
    }
    let parsed: Filter =
        text.parse().map_err(|error: ParseError| ScimError::filter(explained(&error, text)))?;
    Compiler { resource, others }.filter(&parsed)
}

/// What is wrong, without the parser's list of everything that would have been right.
fn explained(error: &ParseError, text: &str) -> String {
    let error = error.to_string();
    let first = error.lines().next().unwrap_or("it cannot be read");
    let text: String = text.chars().take(200).collect();
    format!("the filter {text:?} cannot be read: {first}")
}

/// Checks a filter over the elements of a list.
pub fn inner(filter: &ValFilter, list: &Attribute) -> Result<Expr, ScimError> {
    let each = |all: &[ValFilter]| all.iter().map(|one| inner(one, list)).collect::<Result<_, _>>();
    Ok(match filter {
        ValFilter::And(all) => Expr::All(each(all)?),
        ValFilter::Or(all) => Expr::Any(each(all)?),
        ValFilter::Not(one) => Expr::Not(Box::new(inner(one, list)?)),
        ValFilter::Attr(AttrExp::Present(path)) => Expr::Present(part(path, list)?),
        ValFilter::Attr(AttrExp::Comparison(path, op, value)) => compare(part(path, list)?, path, op, value)?,
    })
}

struct Compiler<'a> {
    resource: &'a ResourceType,
    others: Option<&'a Model>,
}

impl<'a> Compiler<'a> {
    fn filter(&self, filter: &Filter) -> Result<Expr, ScimError> {
        let each = |all: &[Filter]| all.iter().map(|one| self.filter(one)).collect::<Result<_, _>>();
        Ok(match filter {
            Filter::And(all) => Expr::All(each(all)?),
            Filter::Or(all) => Expr::Any(each(all)?),
            Filter::Not(one) => Expr::Not(Box::new(self.filter(one)?)),
            Filter::Attr(AttrExp::Present(path)) => match self.place(path)? {
                Some(place) => {
                    let sub = place.sub.map(|sub| sub.name.clone());
                    // Without a part named, anything in it counts.
                    Expr::Present(Path { sub, ..Path::of(&place) })
                }
                None => Expr::Never,
            },
            Filter::Attr(AttrExp::Comparison(path, op, value)) => match self.place(path)? {
                Some(place) => compare(Path::of(&place), path, op, value)?,
                // Nothing is equal to null, and unequal to everything else.
                None if (*op == CompareOp::Ne) != (*value == CompValue::Null) => {
                    Expr::Not(Box::new(Expr::Never))
                }
                None => Expr::Never,
            },
            Filter::ValuePath(path) => match self.place(&path.attr)? {
                Some(place) if place.sub.is_none() && place.attribute.kind == Kind::Complex => {
                    let at = Path { sub: None, ..Path::of(&place) };
                    Expr::Element(at, Box::new(inner(&path.filter, place.attribute)?))
                }
                Some(_) => {
                    return Err(ScimError::filter(format!("{} has no parts to filter by", path.attr)));
                }
                None => Expr::Never,
            },
        })
    }

    fn place(&self, path: &AttrPath) -> Result<Option<Place<'a>>, ScimError> {
        let find = |resource: &'a ResourceType| {
            resource.find(path.uri.as_deref(), &path.name, path.sub_attr.as_deref())
        };
        let found = find(self.resource);
        let elsewhere = || self.others.is_some_and(|model| model.types().any(|other| find(other).is_some()));
        if found.is_none() && !elsewhere() {
            let name = path.to_string();
            let names = self.resource.names();
            let hint = nearest::hint(&name, names.iter().map(String::as_str));
            return Err(ScimError::filter(format!("there is no attribute {name:?}{hint}")));
        }
        Ok(found)
    }
}

fn part(path: &AttrPath, list: &Attribute) -> Result<Path, ScimError> {
    let known = list.sub(&path.name).filter(|_| path.uri.is_none() && path.sub_attr.is_none());
    let Some(sub) = known else {
        let hint = nearest::hint(&path.name, list.sub.iter().map(|sub| sub.name.as_str()));
        return Err(ScimError::filter(format!("{} has no {:?}{hint}", list.name, path.to_string())));
    };
    let case_exact = sub.case_exact || sub.kind == Kind::Reference;
    Ok(Path { extension: None, name: sub.name.clone(), sub: None, kind: sub.kind, case_exact })
}

fn compare(at: Path, path: &AttrPath, op: &CompareOp, value: &CompValue) -> Result<Expr, ScimError> {
    let not = |expr| Expr::Not(Box::new(expr));
    if *value == CompValue::Null {
        return match op {
            CompareOp::Eq => Ok(not(Expr::Present(at))),
            CompareOp::Ne => Ok(Expr::Present(at)),
            _ => Err(ScimError::filter(format!("{path} can only be equal to null, or not"))),
        };
    }
    let literal = literal(&at, path, value)?;
    let op = match op {
        CompareOp::Eq => Op::Eq,
        CompareOp::Ne => return Ok(not(Expr::Compare(at, Op::Eq, literal))),
        CompareOp::Co => Op::Co,
        CompareOp::Sw => Op::Sw,
        CompareOp::Ew => Op::Ew,
        CompareOp::Gt => Op::Gt,
        CompareOp::Ge => Op::Ge,
        CompareOp::Lt => Op::Lt,
        CompareOp::Le => Op::Le,
    };
    let fits = match literal {
        Literal::Text(_) => true,
        Literal::Boolean(_) => op == Op::Eq,
        Literal::Number(_) | Literal::Instant(_) => !matches!(op, Op::Co | Op::Sw | Op::Ew),
    };
    if !fits {
        let kind = at.kind.name();
        return Err(ScimError::filter(format!("{path} is a {kind}, which cannot be compared so")));
    }
    Ok(Expr::Compare(at, op, literal))
}

fn literal(at: &Path, path: &AttrPath, value: &CompValue) -> Result<Literal, ScimError> {
    let kind = at.kind.name();
    let wrong = || ScimError::filter(format!("{path} is a {kind}; it cannot be compared with {value}"));
    match (at.kind, value) {
        (Kind::String | Kind::Reference, CompValue::Str(text)) => Ok(Literal::Text(text.clone())),
        (Kind::Boolean, CompValue::True) => Ok(Literal::Boolean(true)),
        (Kind::Boolean, CompValue::False) => Ok(Literal::Boolean(false)),
        (Kind::Boolean, CompValue::Str(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Literal::Boolean(true))
        }
        (Kind::Boolean, CompValue::Str(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Literal::Boolean(false))
        }
        (Kind::Integer, CompValue::Number(number)) => {
            number.as_f64().filter(|number| number.is_finite()).map(Literal::Number).ok_or_else(wrong)
        }
        (Kind::DateTime, CompValue::Str(text)) => {
            text.parse::<Timestamp>().map(Literal::Instant).map_err(|_| {
                ScimError::filter(format!("{path}: {text:?} is no instant such as \"2026-05-01T09:30:00Z\""))
            })
        }
        _ => Err(wrong()),
    }
}
