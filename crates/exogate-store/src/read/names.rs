//! What objects are called: by id, by the nearest name, and how many there are.

use std::collections::HashMap;

use exogate_model::change::ObjectKind;
use exogate_model::nearest;
use rusqlite::{Connection, OptionalExtension};

use super::mailboxes;
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{Counts, GroupRef, MailboxRef, ObjectName};
use crate::write::ids;

/// What to call these objects by; unknown ones are left out.
pub(crate) fn of(
    connection: &Connection,
    source: i64,
    ids: Vec<String>,
) -> Result<HashMap<String, ObjectName>, Fault> {
    by_id(connection, source, ids, name)
}

/// Groups in few words.
pub(crate) fn group_refs(
    connection: &Connection,
    source: i64,
    ids: Vec<String>,
) -> Result<HashMap<String, GroupRef>, Fault> {
    by_id(connection, source, ids, |connection, oid| {
        let mut statement =
            connection.prepare_cached("SELECT id, display_name, kind FROM groups WHERE oid = ?1")?;
        let mut rows = statement.query([oid])?;
        rows.next()?
            .map(|row| {
                let kind = codec::group_kind(&row.get::<_, String>(2)?)?;
                Ok(GroupRef { id: row.get(0)?, name: row.get(1)?, kind })
            })
            .transpose()
    })
}

/// Mailboxes in few words.
pub(crate) fn mailbox_refs(
    connection: &Connection,
    source: i64,
    keys: Vec<String>,
) -> Result<HashMap<String, MailboxRef>, Fault> {
    by_id(connection, source, keys, mailboxes::reference_of)
}

fn by_id<T>(
    connection: &Connection,
    source: i64,
    ids: Vec<String>,
    read: impl Fn(&Connection, i64) -> Result<Option<T>, Fault>,
) -> Result<HashMap<String, T>, Fault> {
    let mut found = HashMap::with_capacity(ids.len());
    for id in ids {
        if let Some(oid) = ids::find(connection, source, &id)?
            && let Some(value) = read(connection, oid)?
        {
            found.insert(id, value);
        }
    }
    Ok(found)
}

fn name(connection: &Connection, oid: i64) -> Result<Option<ObjectName>, Fault> {
    let tables = [
        (ObjectKind::User, "SELECT coalesce(display_name, upn), upn FROM users WHERE oid = ?1"),
        (ObjectKind::Group, "SELECT display_name, mail FROM groups WHERE oid = ?1"),
        (ObjectKind::Mailbox, "SELECT display_name, primary_smtp FROM mailboxes WHERE oid = ?1"),
    ];
    for (kind, sql) in tables {
        let name = connection
            .prepare_cached(sql)?
            .query_row([oid], |row| Ok(ObjectName { kind, display_name: row.get(0)?, address: row.get(1)? }))
            .optional()?;
        if name.is_some() {
            return Ok(name);
        }
    }
    Ok(None)
}

/// The stored name nearest to a mistyped one.
pub(crate) fn nearest(
    connection: &Connection,
    source: i64,
    kind: ObjectKind,
    text: &str,
) -> Result<Option<String>, Fault> {
    const AT_ONCE: usize = 1024;
    let sql = match kind {
        ObjectKind::User => "SELECT upn FROM users WHERE source = ?1",
        ObjectKind::Mailbox => {
            "SELECT primary_smtp FROM mailboxes WHERE source = ?1
             UNION ALL SELECT label FROM labels WHERE source = ?1 AND until_run IS NULL"
        }
        ObjectKind::Group => "SELECT display_name FROM groups WHERE source = ?1",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([source])?;
    let mut candidates: Vec<String> = Vec::with_capacity(AT_ONCE);
    let mut best: Option<String> = None;
    loop {
        let row = rows.next()?;
        let more = row.is_some();
        if let Some(row) = row {
            candidates.push(row.get(0)?);
        }
        if !more || candidates.len() == AT_ONCE {
            let all = best.iter().chain(&candidates).map(String::as_str);
            best = nearest::nearest(text, all).map(str::to_owned);
            candidates.clear();
        }
        if !more {
            return Ok(best);
        }
    }
}

/// How much is stored.
pub(crate) fn counts(connection: &Connection, source: i64) -> Result<Counts, Fault> {
    let count = |sql: &str, number: i64| -> Result<u64, Fault> {
        let count: i64 = connection.prepare_cached(sql)?.query_row((source, number), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    };
    let marks = "SELECT count(*) FROM marks WHERE source = ?1 AND part = ?2";
    Ok(Counts {
        users: count(marks, Part::Users.number())?,
        mailboxes: count(marks, Part::Mailboxes.number())?,
        groups: count(marks, Part::Groups.number())? + count(marks, Part::DynamicGroups.number())?,
        memberships: count("SELECT count(*) FROM memberships WHERE source = ?1 AND ?2 = 0", 0)?,
        grants: count("SELECT count(*) FROM grants WHERE source = ?1 AND gone_run IS NULL AND ?2 = 0", 0)?,
        labelled_mailboxes: count(
            "SELECT count(*) FROM labels WHERE source = ?1 AND until_run IS NULL AND ?2 = 0",
            0,
        )?,
    })
}
