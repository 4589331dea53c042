//! Rights that exogate gave or took.

use exogate_model::change::{Happened, ObjectKind};
use exogate_model::right::Right;
use exogate_model::trustee::{Principal, Trustee};
use rusqlite::Connection;

use super::super::{Context, grants, ids, settle_grants};
use super::{is_untold, tell};
use crate::batch::{Coverage, Facet};
use crate::codec::{self, Part};
use crate::error::Fault;

pub(super) type Place<'a> = (&'a str, Facet, &'a Right);

/// The trustees under which somebody holds a right directly, each with the run that first saw it so.
fn held(
    connection: &Connection,
    mailbox: i64,
    place: Place<'_>,
    principal: i64,
) -> Result<Vec<(i64, String, i64)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT g.trustee, t.text, g.first_run FROM grants g JOIN trustees t ON t.trustee = g.trustee
         WHERE g.mailbox = ?1 AND g.facet = ?2 AND g.right = ?3 AND t.oid = ?4
             AND g.deny = 0 AND g.inherited = 0 AND g.gone_run IS NULL",
    )?;
    let key = (mailbox, codec::facet_number(place.1), place.2.name(), principal);
    let rows = statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
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
    settle_grants::announce_returned(connection, context, mailbox, facet, |grant| {
        grants::is_of(grant, right, trustee, (false, false))
    })?;
    grants::put_one(connection, context, mailbox, facet, right, trustee, (false, false))?;
    settle_grants::resolve(connection, context, &[(trustee.clone(), principal.clone())])?;
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
    for (trustee, ..) in &held {
        connection
            .prepare_cached(
                "DELETE FROM grants WHERE mailbox = ?1 AND facet = ?2 AND right = ?3 AND trustee = ?4
                     AND deny = 0 AND inherited = 0",
            )?
            .execute((mailbox, codec::facet_number(place.1), place.2.name(), trustee))?;
    }
    let Some((_, text, _)) = held.first() else { return Ok(()) };
    let (right, trustee, principal) = (place.2.name().to_owned(), text.clone(), Some(principal.to_owned()));
    let tell = |happened| tell(connection, context, Part::Mailboxes, ObjectKind::Mailbox, place.0, &happened);
    if held.iter().all(|(.., first_run)| is_untold(context, Coverage::Grants(place.1), *first_run)) {
        let (right, trustee, principal) = (right.clone(), trustee.clone(), principal.clone());
        tell(Happened::Granted { right, trustee, principal, deny: false })?;
    }
    tell(Happened::Revoked { right, trustee, principal, deny: false })
}
