//! The ids of all mailboxes against those that are stored. Absence alone deletes nothing: what is
//! missing or unknown is read by itself.

use std::collections::{BTreeMap, BTreeSet};

use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::Learnt;
use exogate_model::mailbox::MailboxKind;
use exogate_store::{Batch, Facet, GrantSet};

use super::aspects::Aspects;
use super::change_time::{pages, wants};
use super::found::{Found, Round};
use super::plan::Plan;
use super::reread::{Taken, take_client_access, take_mailbox};
use crate::aggregate::streams::send_as::{self, Governed, Permissions};
use crate::aggregate::streams::{cas_mailboxes, mailboxes};
use crate::aggregate::sweep::Listing;
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::read::attributes::Misfits;
use crate::read::mailboxes::is_system;

const KIND: StreamKind = StreamKind::Sweep;
const LEARNT: Learnt = Learnt::Sweep;

/// Compares.
pub(super) async fn sweep(round: Round<'_>, plan: &Plan) -> Result<Found, StreamError> {
    round.begin(KIND);
    let mut found = Found::default();
    // Listed first: what is stored meanwhile is not missing.
    let stored: BTreeSet<String> = round.store().mailbox_keys().await?.into_iter().collect();
    let listed = list(round).await?;
    for key in stored.difference(&listed).chain(listed.difference(&stored)) {
        found.mailbox(key, LEARNT, Aspects::ALL);
    }
    governed(round, &mut found).await?;
    if wants(round, StreamKind::CasMailboxes) {
        client_access(round, &mut found).await?;
    }
    if plan.send_as {
        senders(round, &mut found).await?;
    }
    found.advance(feeds::SWEEP, round.now.to_string());
    Ok(found)
}

/// Lists the governed mailboxes with all that they say of themselves: what moves the time of change
/// is nowhere promised. Those that came to be governed, or are not any more, are read by themselves.
async fn governed(round: Round<'_>, found: &mut Found) -> Result<(), StreamError> {
    let context = &round.aggregation.context;
    let kinds = context.governed_kinds();
    let mut missing: BTreeSet<String> = round
        .store()
        .oldest(kinds.clone(), usize::MAX)
        .await?
        .into_iter()
        .map(|mailbox| mailbox.key.to_ascii_lowercase())
        .collect();
    let mut misfits = Misfits::default();
    let (cmdlet, reader) = mailboxes::question(context);
    let names = kinds.iter().map(MailboxKind::recipient_type_details);
    let cmdlet = cmdlet.text("ResultSize", "Unlimited").texts("RecipientTypeDetails", names);
    pages(round, KIND, &cmdlet, async |records| {
        let mut batch = Batch::default();
        for record in &records {
            let reading = (&reader, &mut misfits);
            let taken = take_mailbox(round, record, reading, LEARNT, &mut batch, found).await?;
            if let Some(Taken { key, governed: true }) = taken
                && !missing.remove(&key)
            {
                found.mailbox(&key, LEARNT, Aspects::RIGHTS);
            }
        }
        round.write(KIND, LEARNT, batch).await
    })
    .await?;
    for key in missing {
        found.listed.remove(&key);
        found.mailbox(&key, LEARNT, Aspects::ALL);
    }
    misfits.notes().for_each(|note| round.note(KIND, note));
    Ok(())
}

/// Lists the client access settings of the governed mailboxes.
async fn client_access(round: Round<'_>, found: &mut Found) -> Result<(), StreamError> {
    let context = &round.aggregation.context;
    let kinds = context.governed_kinds();
    let mut misfits = Misfits::default();
    let (cmdlet, reader) = cas_mailboxes::question(context);
    let names = kinds.iter().map(MailboxKind::recipient_type_details);
    let cmdlet = cmdlet.text("ResultSize", "Unlimited").texts("RecipientTypeDetails", names);
    pages(round, KIND, &cmdlet, async |records| {
        take_client_access(round, KIND, &records, (&reader, &mut misfits), LEARNT, found).await
    })
    .await?;
    misfits.notes().for_each(|note| round.note(KIND, note));
    Ok(())
}

/// Lists who may send as the governed mailboxes, in place of a question for each of them. Where the
/// tenant refuses, they are asked one by one, and from then on when their turn comes.
async fn senders(round: Round<'_>, found: &mut Found) -> Result<(), StreamError> {
    let kinds = round.aggregation.context.governed_kinds();
    let mut governed = Vec::new();
    for reference in round.store().oldest(kinds.clone(), usize::MAX).await? {
        governed.extend(Governed::of(round.store(), reference).await?);
    }
    let mut listing = Permissions::new(&governed);
    let mut sets: BTreeMap<String, Vec<_>> = BTreeMap::new();
    let listed = pages(round, KIND, &send_as::question(), async |records| {
        let mut batch = Batch::default();
        listing.take(records, &mut batch)?;
        for row in batch.grants {
            sets.entry(row.mailbox).or_default().push((row.right, row.trustee, row.deny, row.inherited));
        }
        Ok(())
    })
    .await;
    let refused = match listed {
        Ok(()) => None,
        Err(StreamError::Wire(error)) if send_as::refuses_listing(&error) => Some(error.to_string()),
        Err(StreamError::NeverEnds { .. }) => Some("it never came to its end".to_owned()),
        Err(error) => return Err(error),
    };
    if let Some(why) = refused {
        let why = format!("the tenant does not list who may send as whom ({why})");
        round.note(KIND, format!("{why}: each governed mailbox is asked"));
        round.store().queue_all(kinds, &why, Aspects::SEND_AS.to_parts()).await?;
        found.advance(feeds::SEND_AS, "refused");
        return Ok(());
    }
    let mut batch = Batch::default();
    for Governed { reference, .. } in &governed {
        let mailbox = reference.key.to_ascii_lowercase();
        if !listing.speaks_for(&reference.key) {
            found.mailbox(&mailbox, LEARNT, Aspects::SEND_AS);
            continue;
        }
        let mut grants = sets.remove(&reference.key).unwrap_or_default();
        // A listing that had to begin again showed some twice.
        grants.sort_unstable();
        grants.dedup();
        found.settlement.facets.push((mailbox.clone(), Facet::SendAs, LEARNT));
        batch.grant_sets.push(GrantSet { mailbox, facet: Facet::SendAs, grants });
    }
    found.advance(feeds::SEND_AS, round.now.to_string());
    round.write(KIND, LEARNT, batch).await
}

async fn list(round: Round<'_>) -> Result<BTreeSet<String>, StreamError> {
    let cmdlet = Cmdlet::new("Get-Mailbox").text("ResultSize", "Unlimited").select([
        "ExternalDirectoryObjectId",
        "Guid",
        "Name",
        "RecipientTypeDetails",
    ]);
    let mut keys = BTreeSet::new();
    pages(round, KIND, &cmdlet, async |records| {
        for record in &records {
            if record.text("RecipientTypeDetails").is_some_and(is_system) {
                continue;
            }
            if let Some(key) = record.text("ExternalDirectoryObjectId") {
                keys.insert(key.to_ascii_lowercase());
            }
        }
        Ok(())
    })
    .await?;
    Ok(keys)
}
