//! The ids of all mailboxes against those that are stored. Absence alone deletes nothing: what is
//! missing or unknown is read by itself.

use std::collections::BTreeSet;

use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::Learnt;
use exogate_model::mailbox::MailboxKind;
use exogate_store::Batch;

use super::aspects::Aspects;
use super::change_time::pages;
use super::found::{Found, Round};
use super::reread::{Taken, take_mailbox};
use crate::aggregate::streams::mailboxes;
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::read::attributes::Misfits;
use crate::read::mailboxes::is_system;

const KIND: StreamKind = StreamKind::Sweep;
const LEARNT: Learnt = Learnt::Sweep;

/// Compares.
pub(super) async fn sweep(round: Round<'_>) -> Result<Found, StreamError> {
    round.begin(KIND);
    let mut found = Found::default();
    // Listed first: what is stored meanwhile is not missing.
    let stored: BTreeSet<String> = round.store().mailbox_keys().await?.into_iter().collect();
    let listed = list(round).await?;
    for key in stored.difference(&listed).chain(listed.difference(&stored)) {
        found.mailbox(key, LEARNT, Aspects::ALL);
    }
    governed(round, &mut found).await?;
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
