//! One object by its integer: its columns and attributes put together again.

use exogate_model::account::Attributes;
use exogate_model::mailbox::MailboxKind;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{GroupExchangeRow, GroupRow, MailboxRow, UserRow};

fn one<T>(
    connection: &Connection,
    sql: &str,
    oid: i64,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([oid])?;
    rows.next()?.map(read).transpose()
}

/// The attributes in a column.
pub(super) fn attributes(row: &Row<'_>, column: usize) -> Result<Attributes, Fault> {
    codec::attributes(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

/// The attributes in a column, if there are any.
pub(super) fn optional_attributes(row: &Row<'_>, column: usize) -> Result<Option<Attributes>, Fault> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    text.map(codec::attributes).transpose()
}

/// When an object of this part was read; `None` if there is none.
pub(crate) fn read_at(
    connection: &Connection,
    part: Part,
    source: i64,
    oid: i64,
) -> Result<Option<Timestamp>, Fault> {
    let at: Option<i64> = connection
        .prepare_cached("SELECT read_at FROM marks WHERE part = ?1 AND source = ?2 AND oid = ?3")?
        .query_row((part.number(), source, oid), |row| row.get(0))
        .optional()?;
    at.map(codec::instant).transpose()
}

/// What the first seven columns say of a user, its attributes last.
pub(super) fn user_in(row: &Row<'_>) -> Result<UserRow, Fault> {
    Ok(UserRow {
        id: row.get(0)?,
        upn: row.get(1)?,
        display_name: row.get(2)?,
        mail: row.get(3)?,
        disabled: row.get(4)?,
        sid: row.get(5)?,
        attributes: attributes(row, 6)?,
    })
}

/// What ten columns say of a mailbox with this key, its attributes last.
pub(super) fn mailbox_in(row: &Row<'_>, key: String, first: usize) -> Result<MailboxRow, Fault> {
    Ok(MailboxRow {
        key,
        kind: MailboxKind::from(row.get::<_, String>(first)?),
        display_name: row.get(first + 1)?,
        primary_smtp: row.get(first + 2)?,
        exchange_guid: row.get(first + 3)?,
        name: row.get(first + 4)?,
        alias: row.get(first + 5)?,
        distinguished_name: row.get(first + 6)?,
        legacy_dn: row.get(first + 7)?,
        upn: row.get(first + 8)?,
        attributes: attributes(row, first + 9)?,
    })
}

/// A user and its source.
pub(crate) fn user(connection: &Connection, oid: i64) -> Result<Option<(UserRow, i64)>, Fault> {
    let sql = "SELECT i.id, u.upn, u.display_name, u.mail, u.disabled, u.sid, a.json, u.source
               FROM users u JOIN ids i ON i.oid = u.oid JOIN user_attributes a ON a.place = u.place
               WHERE u.oid = ?1";
    one(connection, sql, oid, |row| Ok((user_in(row)?, row.get(7)?)))
}

/// A mailbox and its source.
pub(crate) fn mailbox(connection: &Connection, oid: i64) -> Result<Option<(MailboxRow, i64)>, Fault> {
    let sql = "SELECT i.id, m.kind, m.display_name, m.primary_smtp, m.exchange_guid, m.name, m.alias,
                   m.distinguished_name, m.legacy_dn, m.upn, a.json, m.source
               FROM mailboxes m JOIN ids i ON i.oid = m.oid JOIN mailbox_attributes a ON a.place = m.place
               WHERE m.oid = ?1";
    one(connection, sql, oid, |row| Ok((mailbox_in(row, row.get(0)?, 1)?, row.get(11)?)))
}

/// Client access attributes.
pub(crate) fn cas(connection: &Connection, oid: i64) -> Result<Option<Attributes>, Fault> {
    one(connection, "SELECT json FROM cas_attributes WHERE oid = ?1", oid, |row| attributes(row, 0))
}

/// A group and its source.
pub(crate) fn group(connection: &Connection, oid: i64) -> Result<Option<(GroupRow, i64)>, Fault> {
    let sql = "SELECT g.id, g.kind, g.display_name, g.mail, g.sid, a.json, g.source
               FROM groups g JOIN group_attributes a ON a.oid = g.oid WHERE g.oid = ?1";
    one(connection, sql, oid, |row| {
        let group = GroupRow {
            id: row.get(0)?,
            kind: codec::group_kind(&row.get::<_, String>(1)?)?,
            display_name: row.get(2)?,
            mail: row.get(3)?,
            sid: row.get(4)?,
            attributes: attributes(row, 5)?,
        };
        Ok((group, row.get(6)?))
    })
}

/// What Exchange adds to a group.
pub(crate) fn group_exchange(connection: &Connection, oid: i64) -> Result<Option<GroupExchangeRow>, Fault> {
    let sql = "SELECT i.id, e.exchange_guid, e.name, e.alias, e.distinguished_name, a.json
               FROM group_exchange e JOIN ids i ON i.oid = e.oid
                   JOIN group_exchange_attributes a ON a.oid = e.oid
               WHERE e.oid = ?1";
    one(connection, sql, oid, |row| {
        Ok(GroupExchangeRow {
            id: row.get(0)?,
            exchange_guid: row.get(1)?,
            name: row.get(2)?,
            alias: row.get(3)?,
            distinguished_name: row.get(4)?,
            attributes: attributes(row, 5)?,
        })
    })
}
