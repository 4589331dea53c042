//! From records, as a tenant showed them, to rows, as the store keeps them.
//!
//! Pure. An object that cannot be read is an error that names it, never an object left out; and a
//! page on which no object at all shows what each of them has is an answer in another language,
//! not a page of nameless objects.

pub mod attributes;
pub mod grants;
pub mod groups;
pub mod mailboxes;
pub mod users;

use exogate_microsoft::record::Record;
use thiserror::Error;

/// An object of a listing that lacks what it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{listing} shows an object without {missing}: {object}")]
pub struct Unreadable {
    /// The listing.
    pub listing: &'static str,
    /// The property it lacks.
    pub missing: &'static str,
    /// What it does show of itself.
    pub object: String,
}

/// The text of a property that every object of the listing has.
fn required<'a>(
    record: &'a Record,
    property: &'static str,
    listing: &'static str,
) -> Result<&'a str, Unreadable> {
    record.text(property).ok_or_else(|| unreadable(record, property, listing))
}

/// An error where not one of these objects shows what each of them should.
fn not_all_without(
    records: &[Record],
    shows: impl Fn(&Record) -> bool,
    property: &'static str,
    listing: &'static str,
) -> Result<(), Unreadable> {
    match records.first() {
        Some(first) if !records.iter().any(shows) => Err(unreadable(first, property, listing)),
        _ => Ok(()),
    }
}

fn unreadable(record: &Record, missing: &'static str, listing: &'static str) -> Unreadable {
    const NAMING: [&str; 6] =
        ["id", "userPrincipalName", "displayName", "PrimarySmtpAddress", "Name", "Identity"];
    let shown: Vec<String> =
        NAMING.iter().filter_map(|name| Some(format!("{name} {:?}", record.text(name)?))).collect();
    let object = if shown.is_empty() { "nothing names it".to_owned() } else { shown.join(", ") };
    Unreadable { listing, missing, object }
}

fn owned(record: &Record, property: &str) -> Option<String> {
    record.text(property).map(str::to_owned)
}
