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
    let governed = governed(connection, context, (&kinds, seen_from))?;
    let mut bearers: HashMap<String, u32> = HashMap::new();
    for one in &governed {
        *bearers.entry(one.name.to_lowercase()).or_default() += 1;
    }
    let mut renamed: Vec<(i64, String)> = Vec::new();
    for Governed { oid, name, address, today } in governed {
        let unique = bearers.get(&name.to_lowercase()).is_none_or(|count| *count == 1);
        let label = mailbox_label(&name, &address, unique);
        if today.as_ref() != Some(&label) {
            renamed.push((oid, label));
        }
    }
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

/// A mailbox with what its label is made of, and the label that it has.
struct Governed {
    oid: i64,
    name: String,
    address: String,
    today: Option<String>,
}

fn governed(
    connection: &Connection,
    context: &Context,
    (kinds, seen_from): (&str, i64),
) -> Result<Vec<Governed>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT m.oid, m.display_name, m.primary_smtp,
             (SELECT label FROM labels l WHERE l.mailbox = m.oid AND l.until_run IS NULL)
         FROM mailboxes m NOT INDEXED CROSS JOIN marks k ON k.part = ?2 AND k.source = ?1 AND k.oid = m.oid
         WHERE k.seen_run >= ?3 AND m.kind IN (SELECT value FROM json_each(?4))
         ORDER BY m.rowid",
    )?;
    let governed = |row: &Row<'_>| {
        Ok(Governed { oid: row.get(0)?, name: row.get(1)?, address: row.get(2)?, today: row.get(3)? })
    };
    let number = Part::Mailboxes.number();
    Ok(statement
        .query_map((context.source, number, seen_from, kinds), governed)?
        .collect::<Result<_, _>>()?)
}
