//! Users and mailboxes of which it is known that they are new, several stored with one statement: the rows that
//! identify them, and then their attributes under the places of those.

use rusqlite::Connection;

use super::object::{Object, Prepared};
use super::together::{Together, Values};
use crate::error::Fault;
use crate::rows::{MailboxRow, UserRow};

/// Those that are not stored yet.
#[derive(Default)]
pub(crate) struct News<'b> {
    users: Vec<New<'b, UserRow>>,
    mailboxes: Vec<New<'b, MailboxRow>>,
}

/// The integer of an object, its columns, and its attributes.
type New<'b, R> = (i64, &'b R, &'b str);

impl<'b> News<'b> {
    /// Adds an object of which nothing is stored, if it is of a kind that waits for others; whether it is.
    pub(crate) fn add(&mut self, oid: i64, prepared: &'b Prepared) -> bool {
        match &prepared.object {
            Object::User(user) => self.users.push((oid, user, &prepared.json)),
            Object::Mailbox(mailbox) => self.mailboxes.push((oid, mailbox, &prepared.json)),
            Object::Cas(..) | Object::Group(_) | Object::GroupExchange(_) => return false,
        }
        true
    }

    /// Stores them.
    pub(crate) fn put(&mut self, connection: &Connection, source: i64) -> Result<(), Fault> {
        if !self.users.is_empty() {
            let identities = Together::new(
                connection,
                "INSERT OR FAIL INTO users (oid, source, upn, display_name, mail, disabled, sid) VALUES {rows}",
                "($, ?1, $, $, $, $, $)",
                &[source],
            )?;
            let sql = "INSERT OR REPLACE INTO user_attributes (place, json) VALUES {rows}";
            put_placed(connection, identities, sql, &self.users, |user, values| {
                values.add(&user.upn)?;
                values.add(&user.display_name)?;
                values.add(&user.mail)?;
                values.add(user.disabled)?;
                values.add(&user.sid)
            })?;
            self.users.clear();
        }
        if !self.mailboxes.is_empty() {
            let identities = Together::new(
                connection,
                "INSERT OR FAIL INTO mailboxes (oid, source, kind, display_name, primary_smtp, exchange_guid,
                     name, alias, distinguished_name, legacy_dn, upn)
                 VALUES {rows}",
                "($, ?1, $, $, $, $, $, $, $, $, $)",
                &[source],
            )?;
            let sql = "INSERT OR REPLACE INTO mailbox_attributes (place, json) VALUES {rows}";
            put_placed(connection, identities, sql, &self.mailboxes, |mailbox, values| {
                values.add(mailbox.kind.recipient_type_details())?;
                values.add(&mailbox.display_name)?;
                values.add(&mailbox.primary_smtp)?;
                values.add(&mailbox.exchange_guid)?;
                values.add(&mailbox.name)?;
                values.add(&mailbox.alias)?;
                values.add(&mailbox.distinguished_name)?;
                values.add(&mailbox.legacy_dn)?;
                values.add(&mailbox.upn)
            })?;
            self.mailboxes.clear();
        }
        Ok(())
    }
}

fn put_placed<'c, R>(
    connection: &'c Connection,
    mut identities: Together<'c>,
    attributes: &'static str,
    rows: &[New<'_, R>],
    give: impl Fn(&R, &mut Values<'_, 'c>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut attributes = Together::new(connection, attributes, "($, $)", &[])?;
    for together in rows.chunks(Together::MOST) {
        identities.put(together, |(oid, row, _), values| {
            values.add(oid)?;
            give(row, values)
        })?;
        // New rows are numbered one after the other.
        let first = connection.last_insert_rowid() + 1 - together.len() as i64;
        let placed: Vec<(i64, &str)> = (first..).zip(together.iter().map(|(.., json)| *json)).collect();
        attributes.put(&placed, |(place, json), values| {
            values.add(place)?;
            values.add(json)
        })?;
    }
    Ok(())
}
