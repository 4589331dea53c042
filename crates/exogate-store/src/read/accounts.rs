//! Accounts: users with their mailboxes, groups and grants.

use exogate_model::change::ObjectKind;
use exogate_model::group::MembershipRole;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};

use super::selection::{Dated, Exactly};
use super::{found, grants, load, names, one_more, page, says};
use crate::codec;
use crate::error::Fault;
use crate::rows::{AccountRecord, Cursor, Found, GroupRef, Page};
use crate::write::ids;

/// Accounts in the order of UPN, then id.
pub(crate) fn list(
    connection: &Connection,
    source: i64,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<AccountRecord>, Fault> {
    // Everybody who shares the last UPN is read again and cut off here: the index does not hold
    // ids, and the same UPN twice is rare.
    let (upn, id) = after.map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
    let mut statement = connection.prepare_cached(
        "SELECT u.oid FROM users u JOIN ids i ON i.oid = u.oid
         WHERE u.source = ?1 AND u.upn >= ?2 AND (u.upn > ?2 OR i.id > ?3)
         ORDER BY u.upn, i.id LIMIT ?4",
    )?;
    let oids = statement
        .query_map((source, upn, id, one_more(limit)), |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut items = Vec::with_capacity(oids.len());
    for oid in oids {
        items.extend(record(connection, source, oid)?);
    }
    Ok(page(items, limit, |account: &AccountRecord| Cursor {
        key: account.user.upn.clone(),
        id: account.user.id.clone(),
    }))
}

/// One account by id, UPN or mail address.
pub(crate) fn find(connection: &Connection, source: i64, who: &str) -> Result<Found<AccountRecord>, Fault> {
    let mut items = Vec::new();
    for oid in oids(connection, source, who)? {
        items.extend(record(connection, source, oid)?);
    }
    items.sort_by(|a, b| (&a.user.upn, &a.user.id).cmp(&(&b.user.upn, &b.user.id)));
    found(items, || names::nearest(connection, source, ObjectKind::User, who))
}

fn oids(connection: &Connection, source: i64, who: &str) -> Result<Vec<i64>, Fault> {
    if let Some(oid) = ids::find(connection, source, who)? {
        let is_user = connection.prepare_cached("SELECT 1 FROM users WHERE oid = ?1")?.exists([oid])?;
        if is_user {
            return Ok(vec![oid]);
        }
    }
    let quick = [
        "SELECT u.oid FROM users u JOIN ids i ON i.oid = u.oid WHERE u.source = ?1 AND u.upn = ?2 ORDER BY i.id",
        "SELECT m.oid FROM mailboxes m JOIN users u ON u.oid = m.oid JOIN ids i ON i.oid = m.oid
         WHERE m.source = ?1 AND m.primary_smtp = ?2 ORDER BY i.id",
    ];
    for sql in quick {
        let mut statement = connection.prepare_cached(sql)?;
        let oids = statement.query_map((source, who), |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        if !oids.is_empty() {
            return Ok(oids);
        }
    }
    // Mail addresses have no index: they are rarely asked for, and it would cost every run.
    let mut oids = Vec::new();
    if who.contains('@') {
        let folded = who.to_lowercase();
        let mut statement = connection.prepare_cached(
            "SELECT oid, mail FROM users NOT INDEXED WHERE source = ?1 AND mail IS NOT NULL ORDER BY oid",
        )?;
        let mut rows = statement.query([source])?;
        while let Some(row) = rows.next()? {
            if says(row, 1, &folded)? {
                oids.push(row.get(0)?);
            }
        }
    }
    Ok(oids)
}

/// A user with its mailbox, in one statement: what a single read costs is mostly the number of statements. The
/// tables are joined in this order, whatever else there might be an index for.
macro_rules! account {
    ($columns:expr, $joins:expr, $which:literal) => {
        concat!(
            "SELECT i.id, u.upn, u.display_name, u.mail, u.disabled, u.sid, a.json, f.read_at,
                 m.kind, m.display_name, m.primary_smtp, m.exchange_guid, m.name, m.alias,
                 m.distinguished_name, m.legacy_dn, m.upn, b.json, c.json, u.oid",
            $columns,
            " FROM users u CROSS JOIN ids i ON i.oid = u.oid CROSS JOIN user_attributes a ON a.place = u.place
                 CROSS JOIN marks f ON f.part = 1 AND f.source = ?2 AND f.oid = u.oid
                 LEFT JOIN mailboxes m ON m.oid = u.oid LEFT JOIN mailbox_attributes b ON b.place = m.place
                 LEFT JOIN cas_attributes c ON c.oid = u.oid",
            $joins,
            $which
        )
    };
}

/// The same, with what tells when it came and changed; see [`super::selection::Moment`].
macro_rules! dated {
    ($baseline:literal, $which:literal) => {
        account!(
            concat!(
                ", r.started, coalesce(r.finished, r.started), max(coalesce(f.changed_at, 0),
                     coalesce((SELECT changed_at FROM marks WHERE part = 2 AND source = ?2 AND oid = u.oid), 0),
                     coalesce((SELECT changed_at FROM marks WHERE part = 3 AND source = ?2 AND oid = u.oid), 0)),
                 x.value, x.at, ",
                $baseline
            ),
            " LEFT JOIN runs r ON r.run = f.first_run LEFT JOIN external_ids x ON x.oid = u.oid",
            $which
        )
    };
}

const RECORD: &str = account!("", "", " WHERE u.oid = ?1");
const RECORD_OF_ID: &str =
    account!("", "", " WHERE u.oid = (SELECT oid FROM ids WHERE source = ?2 AND id = ?1)");
const DATED: &str = dated!("?3", " WHERE u.oid = ?1");
const DATED_OF_ID: &str = dated!(
    "(SELECT min(finished) FROM runs WHERE source = ?2 AND state = 'completed')",
    " WHERE u.oid = (SELECT oid FROM ids WHERE source = ?2 AND id = ?1)"
);
const DATED_OF_NAME: &str = dated!(
    "(SELECT min(finished) FROM runs WHERE source = ?2 AND state = 'completed')",
    " WHERE u.source = ?2 AND u.upn = ?1 ORDER BY u.rowid"
);

pub(super) fn record(connection: &Connection, source: i64, oid: i64) -> Result<Option<AccountRecord>, Fault> {
    Ok(read(connection, RECORD, (oid, source), |record, _| Ok(record))?.pop())
}

/// One account by its id. See [`exactly`] for the transaction.
pub(crate) fn by_id(connection: &Connection, source: i64, id: &str) -> Result<Option<AccountRecord>, Fault> {
    Ok(read(connection, RECORD_OF_ID, (codec::id(id), source), |record, _| Ok(record))?.pop())
}

/// An account with what is known of its life, where the first complete run ended at `baseline`.
pub(super) fn dated(
    connection: &Connection,
    source: i64,
    oid: i64,
    baseline: Option<i64>,
) -> Result<Option<Dated<AccountRecord>>, Fault> {
    Ok(read(connection, DATED, (oid, source, baseline), with_dates)?.pop())
}

/// The accounts with this id or this name, in the order in which they were first read. Needs no transaction
/// around it: the statement is open until the last of what belongs to an account was read, and as long as it is,
/// everything is of one state.
pub(crate) fn exactly(
    connection: &Connection,
    source: i64,
    what: Exactly<'_>,
) -> Result<Vec<Dated<AccountRecord>>, Fault> {
    match what {
        Exactly::Id(id) => read(connection, DATED_OF_ID, (codec::id(id), source), with_dates),
        Exactly::Name(name) => read(connection, DATED_OF_NAME, (name, source), with_dates),
    }
}

fn with_dates(record: AccountRecord, row: &Row<'_>) -> Result<Dated<AccountRecord>, Fault> {
    let at = |column| Ok::<i64, Fault>(row.get::<_, Option<i64>>(column)?.unwrap_or_default());
    let changed = at(21)?.max(at(22)?).max(at(24)?).max(at(25)?);
    Ok(Dated {
        record,
        created: codec::instant(at(20)?)?,
        changed: codec::instant(changed)?,
        external_id: row.get(23)?,
        parties: 0,
    })
}

fn read<T>(
    connection: &Connection,
    sql: &str,
    which: impl Params,
    make: impl Fn(AccountRecord, &Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(which)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let oid = row.get(19)?;
        let user = load::user_in(row)?;
        // One that is half there, a kind without attributes, is none.
        let is_mailbox = row.get_ref(8)? != ValueRef::Null && row.get_ref(17)? != ValueRef::Null;
        let mailbox = is_mailbox.then(|| load::mailbox_in(row, user.id.clone(), 8)).transpose()?;
        let cas = if is_mailbox { load::optional_attributes(row, 18)? } else { None };
        let record = AccountRecord {
            user,
            read_at: codec::instant(row.get(7)?)?,
            mailbox,
            cas,
            groups: groups_of(connection, oid)?,
            grants: grants::held(connection, oid)?,
        };
        all.push(make(record, row)?);
    }
    Ok(all)
}

fn groups_of(connection: &Connection, member: i64) -> Result<Vec<GroupRef>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT g.id, g.display_name, g.kind FROM memberships m JOIN groups g ON g.oid = m.grp
         WHERE m.member = ?1 AND m.role = ?2",
    )?;
    let mut rows = statement.query((member, codec::role_number(MembershipRole::Member)))?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        groups.push(GroupRef {
            id: row.get(0)?,
            name: row.get(1)?,
            kind: codec::group_kind(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
        });
    }
    // They are few: cheaper here than by the database.
    groups.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(groups)
}
