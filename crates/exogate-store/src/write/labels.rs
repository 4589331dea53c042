//! The labels of governed mailboxes in entitlement values, today's and former ones.

use std::collections::HashMap;

use exogate_model::entitlement::mailbox_label;
use exogate_model::mailbox::MailboxKind;
use rusqlite::{Connection, Row};

use super::Context;
use crate::codec::{self, Part};
use crate::error::Fault;

/// Which mailboxes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Those that the run has seen: it lists all that are there.
    Seen,
    /// All that are stored: what is gone was deleted already.
    All,
}

/// Gives the mailboxes of these kinds their labels, and takes today's label from all others.
/// Returns how many labels came or went.
pub(crate) fn relabel(
    connection: &Connection,
    context: &Context,
    kinds: &[MailboxKind],
    of: Of,
) -> Result<u64, Fault> {
    let seen_from = if of == Of::Seen { context.run } else { 0 };
    let kinds: Vec<&str> = kinds.iter().map(MailboxKind::recipient_type_details).collect();
    let kinds = codec::to_json("kinds of mailboxes", &kinds)?;
    let mut bearers: HashMap<String, u32> = HashMap::new();
    each_governed(connection, context, (&kinds, seen_from), |row| {
        *bearers.entry(text(row, 1)?.to_lowercase()).or_default() += 1;
        Ok(())
    })?;
    let mut renamed: Vec<(i64, String)> = Vec::new();
    each_governed(connection, context, (&kinds, seen_from), |row| {
        let name = text(row, 1)?;
        let unique = bearers.get(&name.to_lowercase()).is_none_or(|count| *count == 1);
        let label = mailbox_label(name, text(row, 2)?, unique);
        let today = row.get_ref(3)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        if today != Some(&label) {
            renamed.push((row.get(0)?, label));
        }
        Ok(())
    })?;
    drop(bearers);
    let mut changed = connection.execute(
        "UPDATE labels SET until_run = ?2 WHERE source = ?1 AND until_run IS NULL
             AND NOT EXISTS (
                 SELECT 1 FROM mailboxes m JOIN marks k ON k.part = ?3 AND k.source = ?1 AND k.oid = m.oid
                 WHERE m.oid = labels.mailbox AND k.seen_run >= ?5
                     AND m.kind IN (SELECT value FROM json_each(?4)))",
        (context.source, context.run, Part::Mailboxes.number(), &kinds, seen_from),
    )? as u64;
    for (mailbox, label) in renamed {
        connection
            .prepare_cached("UPDATE labels SET until_run = ?2 WHERE mailbox = ?1 AND until_run IS NULL")?
            .execute((mailbox, context.run))?;
        connection
            .prepare_cached(
                "INSERT INTO labels (mailbox, label, folded, source, since_run) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (mailbox, label) DO UPDATE SET since_run = excluded.since_run, until_run = NULL",
            )?
            .execute((mailbox, &label, label.to_lowercase(), context.source, context.run))?;
        changed += 1;
    }
    Ok(changed)
}

fn each_governed(
    connection: &Connection,
    context: &Context,
    (kinds, seen_from): (&str, i64),
    mut visit: impl FnMut(&Row<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT m.oid, m.display_name, m.primary_smtp,
             (SELECT label FROM labels l WHERE l.mailbox = m.oid AND l.until_run IS NULL)
         FROM mailboxes m NOT INDEXED CROSS JOIN marks k ON k.part = ?2 AND k.source = ?1 AND k.oid = m.oid
         WHERE k.seen_run >= ?3 AND m.kind IN (SELECT value FROM json_each(?4))
         ORDER BY m.rowid",
    )?;
    let mut rows = statement.query((context.source, Part::Mailboxes.number(), seen_from, kinds))?;
    while let Some(row) = rows.next()? {
        visit(row)?;
    }
    Ok(())
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, Fault> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}
