//! Reading the state: what a caller gets to see of it, in stable order.

pub(crate) mod accounts;
pub(crate) mod by_id;
pub(crate) mod counted;
pub(crate) mod feed;
pub(crate) mod grants;
pub(crate) mod groups;
pub(crate) mod load;
pub(crate) mod mailboxes;
pub(crate) mod names;
pub(crate) mod position;
pub(crate) mod query;
pub(crate) mod search;
pub(crate) mod selection;

use rusqlite::{Row, types::ValueRef};

use crate::error::Fault;
use crate::rows::{Cursor, Found, Page};

/// A page from one row more than fits on it.
fn page<T>(mut items: Vec<T>, limit: usize, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}

/// How many rows to ask for, to know whether there is more.
pub(crate) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Whether a column says `folded`, which is in lower case already.
fn says(row: &Row<'_>, column: usize, folded: &str) -> Result<bool, Fault> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => text.eq_ignore_ascii_case(folded),
            Ok(text) => text.to_lowercase() == folded,
            Err(_) => false,
        },
        _ => false,
    })
}

/// One, several, or none with the nearest name.
fn found<T>(
    mut items: Vec<T>,
    nearest: impl FnOnce() -> Result<Option<String>, Fault>,
) -> Result<Found<T>, Fault> {
    Ok(match items.len() {
        0 => Found::Nothing { nearest: nearest()? },
        1 => Found::One(items.swap_remove(0)),
        _ => Found::Many(items),
    })
}
