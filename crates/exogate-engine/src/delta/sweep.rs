//! The ids of all mailboxes against those that are stored. Absence alone deletes nothing: what is
//! missing or unknown is read by itself.

use std::collections::BTreeSet;

use exogate_microsoft::ErrorKind;
use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::page::PageLink;
use exogate_model::change::Learnt;

use super::found::{Found, Round};
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::read::mailboxes::is_system;

const KIND: StreamKind = StreamKind::Sweep;
const RESTARTS: u32 = 5;

/// Compares.
pub(super) async fn sweep(round: Round<'_>) -> Result<Found, StreamError> {
    round.begin(KIND);
    let mut found = Found::default();
    // Listed first: what is stored meanwhile is not missing.
    let stored: BTreeSet<String> = round.store().mailbox_keys().await?.into_iter().collect();
    let listed = list(round).await?;
    for key in stored.difference(&listed).chain(listed.difference(&stored)) {
        found.mailbox(key, Learnt::Sweep);
    }
    found.advance(feeds::SWEEP, round.now.to_string());
    Ok(found)
}

async fn list(round: Round<'_>) -> Result<BTreeSet<String>, StreamError> {
    let exchange = round.exchange()?;
    let cmdlet = Cmdlet::new("Get-Mailbox").text("ResultSize", "Unlimited").select([
        "ExternalDirectoryObjectId",
        "Guid",
        "Name",
        "RecipientTypeDetails",
    ]);
    for _ in 0..RESTARTS {
        let mut keys = BTreeSet::new();
        let mut at: Option<PageLink> = None;
        loop {
            let page = match round.or_stop(exchange.invoke_page(&cmdlet, at.as_ref())).await? {
                Ok(page) => page,
                Err(error) if error.kind == ErrorKind::PageExpired && at.is_some() => break,
                Err(error) => return Err(error.into()),
            };
            round.read(KIND, 1, page.records.len() as u64);
            for record in &page.records {
                if record.text("RecipientTypeDetails").is_some_and(is_system) {
                    continue;
                }
                if let Some(key) = record.text("ExternalDirectoryObjectId") {
                    keys.insert(key.to_ascii_lowercase());
                }
            }
            match page.next {
                Some(next) => at = Some(next),
                None => return Ok(keys),
            }
        }
    }
    Err(StreamError::NeverEnds { times: RESTARTS })
}
