//! Accounts, groups and mailboxes that answer to a few plain conditions, page by page.
//!
//! Goes through the index that a listing is ordered by and stops when the page is full. What is
//! compared as text is compared here, because SQLite folds the case of ASCII alone.

use rusqlite::{Connection, Row, types::ValueRef};

use super::selection::Parties;
use super::{accounts, groups, mailboxes, one_more, page};
use crate::codec;
use crate::error::Fault;
use crate::rows::{
    AccountFilter, AccountRecord, Cursor, GroupFilter, GroupRecord, MailboxFilter, MailboxRecord, Page,
};
use crate::write::ids;

/// Accounts in the order of UPN, then id.
pub(crate) fn accounts(
    connection: &Connection,
    source: i64,
    filter: &AccountFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AccountRecord>, Fault> {
    let Some(group) = place(connection, source, filter.group.as_deref())? else { return Ok(nothing()) };
    let mut sql = "SELECT u.oid, u.upn, u.display_name, u.mail
         FROM users u JOIN ids i ON i.oid = u.oid
         WHERE u.source = ?1 AND u.upn >= ?2 AND (u.upn > ?2 OR i.id > ?3) AND (?4 IS NULL OR u.disabled = ?4)"
        .to_owned();
    sql.push_str(match group {
        Some(_) => {
            " AND EXISTS (SELECT 1 FROM memberships k WHERE k.grp = ?5 AND k.role = 0 AND k.member = u.oid)"
        }
        None => " AND ?5 IS NULL",
    });
    sql.push_str(match filter.has_mailbox {
        Some(true) => " AND EXISTS (SELECT 1 FROM mailboxes m WHERE m.oid = u.oid)",
        Some(false) => " AND NOT EXISTS (SELECT 1 FROM mailboxes m WHERE m.oid = u.oid)",
        None => "",
    });
    sql.push_str(" ORDER BY u.upn, i.id");
    let (upn, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((source, upn, id, filter.disabled, group))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        if holds(row, &[1, 2, 3], filter.text.as_deref()) {
            items.extend(accounts::record(connection, source, row.get(0)?)?);
        }
        if items.len() as i64 == one_more(limit) {
            break;
        }
    }
    Ok(page(items, limit, |account: &AccountRecord| Cursor {
        key: account.user.upn.clone(),
        id: account.user.id.clone(),
    }))
}

/// Groups in the order of display name, then id.
pub(crate) fn groups(
    connection: &Connection,
    source: i64,
    filter: &GroupFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<GroupRecord>, Fault> {
    let Some(member) = place(connection, source, filter.member.as_deref())? else { return Ok(nothing()) };
    let mut sql = "SELECT g.oid, g.display_name, g.mail, g.kind FROM groups g
         WHERE g.source = ?1 AND (g.display_name, g.id) > (?2, ?3)"
        .to_owned();
    sql.push_str(match member {
        Some(_) => {
            " AND EXISTS (SELECT 1 FROM memberships k WHERE k.grp = g.oid AND k.role = 0 AND k.member = ?4)"
        }
        None => " AND ?4 IS NULL",
    });
    sql.push_str(" ORDER BY g.display_name, g.id");
    let (name, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((source, name, id, member))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let kind = codec::group_kind(&row.get::<_, String>(3)?)?;
        if filter.kinds.contains(&kind) && holds(row, &[1, 2], filter.text.as_deref()) {
            items.extend(groups::record(connection, source, row.get(0)?, Parties::Read)?);
        }
        if items.len() as i64 == one_more(limit) {
            break;
        }
    }
    Ok(page(items, limit, |group: &GroupRecord| Cursor {
        key: group.group.display_name.clone(),
        id: group.group.id.clone(),
    }))
}

/// Mailboxes in the order of primary address, then key.
pub(crate) fn mailboxes(
    connection: &Connection,
    source: i64,
    filter: &MailboxFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<MailboxRecord>, Fault> {
    let mut sql = "SELECT i.id, m.primary_smtp, m.display_name, m.alias
         FROM mailboxes m JOIN ids i ON i.oid = m.oid
         WHERE m.source = ?1 AND m.primary_smtp >= ?2 AND (m.primary_smtp > ?2 OR i.id > ?3)
             AND (?4 IS NULL OR m.kind = ?4)"
        .to_owned();
    sql.push_str(match filter.governed {
        Some(true) => " AND EXISTS (SELECT 1 FROM labels l WHERE l.mailbox = m.oid AND l.until_run IS NULL)",
        Some(false) => {
            " AND NOT EXISTS (SELECT 1 FROM labels l WHERE l.mailbox = m.oid AND l.until_run IS NULL)"
        }
        None => "",
    });
    sql.push_str(" ORDER BY m.primary_smtp, i.id");
    let (address, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let kind = filter.kind.as_ref().map(|kind| kind.recipient_type_details().to_owned());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((source, address, id, kind))?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        if holds(row, &[1, 2, 3], filter.text.as_deref()) {
            let key: String = row.get(0)?;
            items.extend(mailboxes::by_key(connection, source, &key)?);
        }
        if items.len() as i64 == one_more(limit) {
            break;
        }
    }
    Ok(page(items, limit, |record: &MailboxRecord| Cursor {
        key: record.mailbox.primary_smtp.clone(),
        id: record.mailbox.key.clone(),
    }))
}

/// The integer of an object that a filter names: `None` if there is no such object, `Some(None)` if
/// the filter names none.
fn place(connection: &Connection, source: i64, id: Option<&str>) -> Result<Option<Option<i64>>, Fault> {
    Ok(match id {
        Some(id) => ids::find(connection, source, id)?.map(Some),
        None => Some(None),
    })
}

fn nothing<T>() -> Page<T> {
    Page { items: Vec::new(), next: None }
}

/// Whether one of these columns contains a text, without regard to case. No text is in all of them.
fn holds(row: &Row<'_>, columns: &[usize], text: Option<&str>) -> bool {
    let Some(text) = text else { return true };
    let wanted = text.to_lowercase();
    columns.iter().any(|column| match row.get_ref(*column) {
        Ok(ValueRef::Text(bytes)) => {
            std::str::from_utf8(bytes).is_ok_and(|found| found.to_lowercase().contains(&wanted))
        }
        _ => false,
    })
}
