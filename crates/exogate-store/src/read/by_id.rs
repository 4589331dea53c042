//! Objects by nothing but their ids: what a caller knows exactly is never searched for.

use rusqlite::Connection;

use super::selection::Parties;
use super::{accounts, groups};
use crate::error::Fault;
use crate::rows::{AccountRecord, GroupRecord};
use crate::write::ids;

/// The accounts of these ids, in their order; those that are not there are left out.
pub(crate) fn accounts(
    connection: &Connection,
    source: i64,
    ids: &[String],
) -> Result<Vec<AccountRecord>, Fault> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(oid) = ids::find(connection, source, id)? {
            found.extend(accounts::record(connection, source, oid)?);
        }
    }
    Ok(found)
}

/// The group of this id.
pub(crate) fn group(connection: &Connection, source: i64, id: &str) -> Result<Option<GroupRecord>, Fault> {
    match ids::find(connection, source, id)? {
        Some(oid) => groups::record(connection, source, oid, Parties::Read),
        None => Ok(None),
    }
}
