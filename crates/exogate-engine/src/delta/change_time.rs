//! Mailboxes and groups whose time of change is new, with some overlap: clocks differ, and writes
//! are seen late. What moves that time is nowhere promised, so it only adds to the other means.

use std::collections::BTreeSet;

use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::page::PageLink;
use exogate_microsoft::record::Record;
use exogate_model::change::Learnt;
use exogate_store::{Batch, Coverage};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::aspects::Aspects;
use super::found::{Found, Round};
use super::plan::later;
use super::reread::{self, Taken, take_client_access};
use crate::aggregate::streams::exchange_groups::{self, Kind};
use crate::aggregate::streams::{cas_mailboxes, mailboxes};
use crate::aggregate::{StreamError, StreamKind, feeds};
use crate::read::attributes::Misfits;
use crate::read::groups;

const LEARNT: Learnt = Learnt::ChangeTime;

/// The time of change is only documented to be compared in this form.
pub(super) fn filter(since: Timestamp) -> String {
    let since = since.to_zoned(TimeZone::UTC);
    format!("WhenChangedUTC -gt '{}'", since.strftime("%-m/%-d/%Y %-I:%M:%S %p"))
}

/// Asks page by page, and begins again where the service forgot the page.
pub(super) async fn pages(
    round: Round<'_>,
    kind: StreamKind,
    cmdlet: &Cmdlet,
    mut take: impl AsyncFnMut(Vec<Record>) -> Result<(), StreamError>,
) -> Result<(), StreamError> {
    const RESTARTS: u32 = 5;
    let exchange = round.exchange()?;
    for _ in 0..RESTARTS {
        let mut at: Option<PageLink> = None;
        loop {
            let page = match round.or_stop(exchange.invoke_page(cmdlet, at.as_ref())).await? {
                Ok(page) => page,
                Err(error) if error.kind == exogate_microsoft::ErrorKind::PageExpired && at.is_some() => {
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            round.read(kind, 1, page.records.len() as u64);
            take(page.records).await?;
            match page.next {
                Some(next) => at = Some(next),
                None => return Ok(()),
            }
        }
    }
    Err(StreamError::NeverEnds { times: RESTARTS })
}

/// What tells when an object changed.
const WHEN: &str = "WhenChangedUTC";

/// Mailboxes, with what they say themselves: attributes, and who may send on behalf. Their rights
/// are read again as well, unless they were after the change: it may be they that changed, and a
/// rename may hide from the audit log whose rights it means.
pub(super) async fn changed_mailboxes(round: Round<'_>, since: Timestamp) -> Result<Found, StreamError> {
    const KIND: StreamKind = StreamKind::MailboxChanges;
    round.begin(KIND);
    let context = &round.aggregation.context;
    let mut found = Found::default();
    let mut misfits = Misfits::default();
    let (cmdlet, reader) = mailboxes::question(context);
    let shown: BTreeSet<String> = cmdlet.selected().iter().cloned().chain([WHEN.to_owned()]).collect();
    let cmdlet = cmdlet.text("ResultSize", "Unlimited").text("Filter", filter(since)).select(shown);
    pages(round, KIND, &cmdlet, async |records| {
        let mut batch = Batch::default();
        let mut governed = Vec::new();
        for record in &records {
            let reading = (&reader, &mut misfits);
            let taken = reread::take_mailbox(round, record, reading, LEARNT, &mut batch, &mut found).await?;
            if let Some(Taken { key, governed: true }) = taken {
                governed.push((key, record.text(WHEN).and_then(|when| when.parse::<Timestamp>().ok())));
            }
        }
        let keys = governed.iter().map(|(key, _)| key.clone()).collect();
        let reads = round.store().mailbox_reads(keys).await?;
        for (key, changed) in governed {
            let reads = reads.get(&key).copied().unwrap_or_default();
            let aspects = changed.map_or(Aspects::RIGHTS, |changed| {
                Aspects::RIGHTS.unless_read_since(later(changed, round.options.settling), reads)
            });
            if !aspects.is_none() {
                found.mailbox(&key, LEARNT, aspects);
            }
        }
        round.write(KIND, LEARNT, batch).await
    })
    .await?;
    let (cmdlet, reader) = cas_mailboxes::question(context);
    if wants(round, StreamKind::CasMailboxes) {
        let cmdlet = cmdlet.text("ResultSize", "Unlimited").text("Filter", filter(since));
        pages(round, KIND, &cmdlet, async |records| {
            take_client_access(round, KIND, &records, (&reader, &mut misfits), LEARNT, &mut found).await
        })
        .await?;
    }
    misfits.notes().for_each(|note| round.note(KIND, note));
    found.advance(feeds::MAILBOXES, round.now.to_string());
    Ok(found)
}

/// What Exchange knows about groups.
pub(super) async fn changed_groups(round: Round<'_>, since: Timestamp) -> Result<Found, StreamError> {
    const KIND: StreamKind = StreamKind::ExchangeGroupChanges;
    round.begin(KIND);
    let mut found = Found::default();
    let mut misfits = Misfits::default();
    let kinds = [
        (StreamKind::DistributionGroups, Kind::Distribution),
        (StreamKind::Microsoft365Groups, Kind::Microsoft365),
        (StreamKind::DynamicGroups, Kind::Dynamic),
    ];
    for (stream, kind) in kinds {
        if !wants(round, stream) {
            continue;
        }
        let (cmdlet, reader) = exchange_groups::question(&round.aggregation.context, kind);
        let cmdlet = cmdlet.text("ResultSize", "Unlimited").text("Filter", filter(since));
        pages(round, KIND, &cmdlet, async |records| {
            let mut batch = Batch::default();
            for record in &records {
                if kind == Kind::Dynamic {
                    let (group, row) = groups::dynamic(record, &reader, &mut misfits)?;
                    found.seen(Coverage::DynamicGroups, &group.id, LEARNT);
                    found.seen(Coverage::GroupExchange, &row.id, LEARNT);
                    batch.groups.push(group);
                    batch.group_exchange.push(row);
                } else if let Some(row) = groups::exchange(record, &reader, &mut misfits) {
                    found.seen(Coverage::GroupExchange, &row.id, LEARNT);
                    batch.group_exchange.push(row);
                }
            }
            round.write(KIND, LEARNT, batch).await
        })
        .await?;
    }
    misfits.notes().for_each(|note| round.note(KIND, note));
    found.advance(feeds::EXCHANGE_GROUPS, round.now.to_string());
    Ok(found)
}

/// Whether a full run of this scope reads that stream.
pub(super) fn wants(round: Round<'_>, kind: StreamKind) -> bool {
    let aggregation = round.aggregation;
    let exchange = aggregation.tenant.exchange.is_some();
    aggregation.scope.streams(&aggregation.context, exchange).contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_compared_in_the_documented_form() {
        let at: Timestamp = "2026-08-01T14:05:09Z".parse().unwrap();
        assert_eq!(filter(at), "WhenChangedUTC -gt '8/1/2026 2:05:09 PM'");
        let midnight: Timestamp = "2026-12-31T00:00:00Z".parse().unwrap();
        assert_eq!(filter(midnight), "WhenChangedUTC -gt '12/31/2026 12:00:00 AM'");
    }
}
