//! What a query asks for, from the parameters of a GET or the body of a `.search`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::ScimError;
use super::limits;
use super::message::Members;
use super::project::Projection;
use super::urn;

/// A query over resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub filter: Option<String>,
    pub sort_by: Option<String>,
    pub descending: bool,
    pub paging: Paging,
    pub projection: Projection,
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// By number, from 1.
    Index { start: u64, count: usize },
    /// By cursor (RFC 9865).
    Cursor { cursor: Option<String>, count: usize },
}

impl Default for Paging {
    fn default() -> Self {
        Self::Index { start: 1, count: limits::PAGE }
    }
}

#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start: Option<i64>,
    count: Option<i64>,
    cursor: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

/// From the parameters of an address.
pub fn of_parameters(parameters: &[(String, String)]) -> Result<Query, ScimError> {
    let mut raw = Raw::default();
    for (name, value) in parameters {
        let number = || {
            value
                .trim()
                .parse::<i64>()
                .map_err(|_| ScimError::value(format!("{name} is a whole number, not {value:?}")))
        };
        match name.to_ascii_lowercase().as_str() {
            "filter" => raw.filter = Some(value.clone()),
            "sortby" => raw.sort_by = Some(value.clone()),
            "sortorder" => raw.sort_order = Some(value.clone()),
            "startindex" => raw.start = Some(number()?),
            "count" => raw.count = Some(number()?),
            "cursor" => raw.cursor = Some(value.clone()),
            "attributes" => raw.attributes.push(value.clone()),
            "excludedattributes" => raw.excluded.push(value.clone()),
            // Parameters of others are theirs.
            _ => {}
        }
    }
    raw.query()
}

/// From the body of a `.search`.
pub fn of_search(body: Value) -> Result<Query, ScimError> {
    let body = Members::of_body(body, urn::SEARCH)?.into_inner();
    let mut raw = Raw::default();
    for (name, value) in body {
        let wrong = |what: &str| ScimError::value(format!("{name} is {what}"));
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| wrong("a text"));
        let number = || value.as_i64().ok_or_else(|| wrong("a whole number"));
        let list = || match &value {
            Value::String(text) => Ok(vec![text.clone()]),
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| wrong("a list of texts")))
                .collect(),
            _ => Err(wrong("a list of texts")),
        };
        if value.is_null() {
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "filter" => raw.filter = Some(text()?),
            "sortby" => raw.sort_by = Some(text()?),
            "sortorder" => raw.sort_order = Some(text()?),
            "startindex" => raw.start = Some(number()?),
            "count" => raw.count = Some(number()?),
            "cursor" => raw.cursor = Some(text()?),
            "attributes" => raw.attributes = list()?,
            "excludedattributes" => raw.excluded = list()?,
            _ => {}
        }
    }
    raw.query()
}

impl Raw {
    fn query(self) -> Result<Query, ScimError> {
        let descending = match self.sort_order.as_deref() {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(order) => {
                return Err(ScimError::value(format!("sortOrder is ascending or descending, not {order:?}")));
            }
        };
        // RFC 7644 §3.4.2.4: less than none is none.
        let count = match self.count {
            None => limits::PAGE,
            Some(count) => usize::try_from(count).unwrap_or(0).min(limits::PAGE_MAX),
        };
        let paging = match self.cursor {
            Some(_) if self.start.is_some() => {
                return Err(ScimError::value("startIndex and cursor exclude each other"));
            }
            Some(_) if self.count.is_some_and(|count| count < 0) => {
                return Err(ScimError::bad("invalidCount", "count is not negative"));
            }
            Some(cursor) => {
                Paging::Cursor { cursor: Some(cursor).filter(|cursor| !cursor.is_empty()), count }
            }
            None => Paging::Index { start: self.start.unwrap_or(1).max(1).unsigned_abs(), count },
        };
        Ok(Query {
            filter: self.filter.filter(|filter| !filter.trim().is_empty()),
            sort_by: self.sort_by.filter(|by| !by.trim().is_empty()),
            descending,
            paging,
            projection: Projection::new(&self.attributes, &self.excluded),
        })
    }
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// Behind the object with this name and id.
    Behind(String, String),
    /// After so many.
    Skip(u64),
}

#[derive(Serialize, Deserialize)]
struct Token {
    q: String,
    p: Position,
}

impl Query {
    /// Tells queries apart: a cursor belongs to one.
    fn fingerprint(&self, scope: &str) -> String {
        let text = format!("{scope}\n{:?}\n{:?}\n{}", self.filter, self.sort_by, self.descending);
        URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..6])
    }

    /// A cursor for a position in this query.
    pub fn cursor(&self, scope: &str, position: Position) -> String {
        let token = Token { q: self.fingerprint(scope), p: position };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).unwrap_or_default())
    }

    /// The position that a cursor of this query stands for.
    pub fn position(&self, scope: &str, cursor: &str) -> Result<Position, ScimError> {
        let token: Option<Token> =
            URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match token {
            Some(token) if token.q == self.fingerprint(scope) => Ok(token.p),
            Some(_) => Err(ScimError::bad(
                "invalidCursor",
                "the cursor is of another query; keep filter, sortBy and sortOrder from page to page",
            )),
            None => Err(ScimError::bad("invalidCursor", "the cursor is not one of ours")),
        }
    }
}
