//! Filters: read by the grammar of RFC 7644 §3.4.2.2, checked against what the resource holds, and
//! then a tree that says where each value stands.

mod compile;
mod evaluate;
mod push;

pub use compile::{compile, inner};
pub use evaluate::{fold, matches, matches_element};
pub use push::{Pushed, push, sort_column};

use jiff::Timestamp;

use super::schema::group::{MEMBERS, OWNERS};
use super::schema::{Kind, Place};
use super::urn;

/// A checked filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Present(Path),
    Compare(Path, Op, Literal),
    /// One element of a list passes all of the inner filter, whose paths begin at the element.
    Element(Path, Box<Expr>),
    /// Of another kind of resource: there is no value.
    Never,
}

/// Where a value stands, and how it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub extension: Option<&'static str>,
    pub name: String,
    pub sub: Option<String>,
    pub kind: Kind,
    pub case_exact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Text(String),
    Boolean(bool),
    Number(f64),
    Instant(Timestamp),
}

impl Expr {
    /// Whether a value that passes this test is looked at. What the filters of lists look at is told by the
    /// list alone.
    pub fn mentions(&self, test: &dyn Fn(&Path) -> bool) -> bool {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().any(|one| one.mentions(test)),
            Self::Not(one) => one.mentions(test),
            Self::Present(path) | Self::Compare(path, ..) | Self::Element(path, _) => test(path),
            Self::Never => false,
        }
    }
}

impl Path {
    /// Whether it leads to the members or owners of a group.
    pub fn is_of_parties(&self) -> bool {
        match self.extension {
            None => self.name == MEMBERS,
            Some(extension) => extension == urn::EXOGATE_GROUP && self.name == OWNERS,
        }
    }

    /// The path to a place; a complex attribute stands for its `value`.
    pub fn of(place: &Place<'_>) -> Self {
        let sub = place
            .sub
            .or_else(|| place.attribute.sub("value").filter(|_| place.attribute.kind == Kind::Complex));
        let leaf = sub.unwrap_or(place.attribute);
        Self {
            extension: place.extension,
            name: place.attribute.name.clone(),
            sub: sub.map(|sub| sub.name.clone()),
            kind: leaf.kind,
            case_exact: leaf.case_exact || leaf.kind == Kind::Reference,
        }
    }

    /// Whether it is this one of the standard schemas.
    pub fn is(&self, name: &str, sub: Option<&str>) -> bool {
        self.extension.is_none() && self.name == name && self.sub.as_deref() == sub
    }
}
