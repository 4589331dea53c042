//! Rights that exogate gave or took.

use exogate_model::change::{Happened, ObjectKind};
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use rusqlite::Connection;

use super::super::{Context, grants, ids, settle_grants};
use super::tell;
use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;

pub(super) type Place<'a> = (&'a str, Facet, &'a Right);

/// The trustees under which somebody holds a right directly.
fn held(
    connection: &Connection,
    mailbox: i64,
    place: Place<'_>,
    principal: i64,
) -> Result<Vec<(i64, String)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT g.trustee, t.text FROM grants g JOIN trustees t ON t.trustee = g.trustee
         WHERE g.mailbox = ?1 AND g.facet = ?2 AND g.right = ?3 AND t.oid = ?4
             AND g.deny = 0 AND g.inherited = 0 AND g.gone_run IS NULL",
    )?;
    let key = (mailbox, codec::facet_number(place.1), place.2.name(), principal);
    Ok(statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

pub(super) fn granted(
    connection: &Connection,
    context: &Context,
    place: Place<'_>,
    trustee: &Trustee,
    principal: &Principal,
) -> Result<(), Fault> {
    let Some(id) = principal.id() else { return Ok(()) };
    let (mailbox, _) = ids::intern(connection, context.source, place.0)?;
    let (oid, _) = ids::intern(connection, context.source, id)?;
    if !held(connection, mailbox, place, oid)?.is_empty() {
        return Ok(());
    }
    let (facet, right) = (place.1, place.2);
    grants::put_one(connection, context, mailbox, facet, right, trustee, (false, false))?;
    settle_grants::resolve(connection, context, trustee, principal)?;
    let settled = context.settled(Coverage::Grants(facet)).unwrap_or(context.run);
    connection
        .prepare_cached(
            "UPDATE grants SET first_run = min(first_run, ?4) WHERE mailbox = ?1 AND facet = ?2 AND right = ?3
                 AND trustee IN (SELECT trustee FROM trustees WHERE source = ?5 AND text = ?6 AND sid = ?7)",
        )?
        .execute((
            mailbox,
            codec::facet_number(facet),
            right.name(),
            settled,
            context.source,
            &trustee.text,
            trustee.sid.as_deref().unwrap_or_default(),
        ))?;
    let happened = Happened::Granted {
        right: right.name().to_owned(),
        trustee: trustee.text.clone(),
        principal: Some(id.to_owned()),
        deny: false,
    };
    tell(connection, context, Part::Mailboxes, ObjectKind::Mailbox, place.0, &happened)
}

pub(super) fn revoked(
    connection: &Connection,
    context: &Context,
    place: Place<'_>,
    principal: &str,
) -> Result<(), Fault> {
    let Some(mailbox) = ids::find(connection, context.source, place.0)? else { return Ok(()) };
    let Some(oid) = ids::find(connection, context.source, principal)? else { return Ok(()) };
    let held = held(connection, mailbox, place, oid)?;
    for (trustee, _) in &held {
        connection
            .prepare_cached(
                "DELETE FROM grants WHERE mailbox = ?1 AND facet = ?2 AND right = ?3 AND trustee = ?4
                     AND deny = 0 AND inherited = 0",
            )?
            .execute((mailbox, codec::facet_number(place.1), place.2.name(), trustee))?;
    }
    let Some((_, text)) = held.into_iter().next() else { return Ok(()) };
    let happened = Happened::Revoked {
        right: place.2.name().to_owned(),
        trustee: text,
        principal: Some(principal.to_owned()),
        deny: false,
    };
    tell(connection, context, Part::Mailboxes, ObjectKind::Mailbox, place.0, &happened)
}
