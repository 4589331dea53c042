//! What records mean: mailboxes to be read again, and who did what.

use std::collections::HashMap;

use exogate_microsoft::ErrorKind;
use exogate_microsoft::activity::{AuditRecord, Read};
use exogate_microsoft::exchange::Cmdlet;
use exogate_model::change::{Learnt, ObjectKind};
use exogate_model::count::counted;
use exogate_store::{AuditNote, Waiting};

use super::names::Names;
use super::{KIND, widen};
use crate::aggregate::StreamError;
use crate::delta::aspects::Aspects;
use crate::delta::found::{Found, Round};
use crate::delta::plan::later;
use crate::delta::touched::{self, Touch};

/// What records mean: mailboxes to be read again, and who did what.
pub(super) async fn digest(round: Round<'_>, read: Read, found: &mut Found) -> Result<(), StreamError> {
    if read.unreadable > 0 {
        widen(round, found, format!("{} could not be read", counted(read.unreadable, "audit record")));
    }
    let mut records: HashMap<String, AuditRecord> =
        read.records.into_iter().map(|record| (record.id.clone(), record)).collect();
    let unseen = round.store().unseen_records(records.keys().cloned().collect()).await?;
    let mut new: Vec<AuditRecord> = unseen.iter().filter_map(|id| records.remove(id)).collect();
    new.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    round.read(KIND, 0, new.len() as u64);
    let touches: Vec<(AuditRecord, Touch)> = new
        .into_iter()
        .filter(|record| record.succeeded)
        .map(|record| {
            let touch = touched::touch(&record);
            (record, touch)
        })
        .filter(|(_, touch)| *touch != Touch::Nothing)
        .collect();
    let names = Names::of(round, &touches).await?;
    let mut asked: HashMap<String, Vec<String>> = HashMap::new();
    for (record, touch) in &touches {
        let (objects, trustee) = match touch {
            Touch::Mailbox { texts, trustee } => {
                let mut keys = names.mailboxes(texts);
                if keys.is_empty() {
                    keys = elsewhere(round, record, texts, (&names, &mut asked), found).await?;
                }
                let touched = Aspects::touched_by(&record.operation);
                let seen = later(record.at, round.options.settling);
                let reads = round.store().mailbox_reads(keys.clone()).await?;
                for key in &keys {
                    let reads = reads.get(key).copied().unwrap_or_default();
                    let aspects = touched.unless_read_since(seen, reads);
                    if !aspects.is_none() {
                        found.mailbox(key, Learnt::Activity, aspects);
                        soon(round, record, (key, aspects), found);
                    }
                }
                (keys, trustee)
            }
            Touch::Group { texts, member } => (names.groups(texts), member),
            Touch::Nothing => continue,
        };
        let known = trustee.as_deref().and_then(|text| names.principal(text));
        found.settlement.records.push(AuditNote {
            id: record.id.clone(),
            at: record.at,
            operation: record.operation.clone(),
            objects,
            named: trustee.clone().filter(|_| known.is_none()),
            trustee: known,
            about: touched::about(record),
            deny: touched::denies(record),
            author: touched::author(record),
        });
    }
    Ok(())
}

/// What was done only now may not be seen by every reader yet.
fn soon(round: Round<'_>, record: &AuditRecord, (key, aspects): (&str, Aspects), found: &mut Found) {
    let due = later(record.at, round.options.settling);
    if due > round.now {
        let reason = format!("{} a moment ago", record.operation);
        found.settlement.queued.push(Waiting {
            object: ObjectKind::Mailbox,
            id: key.to_owned(),
            parts: aspects.to_parts(),
            reason,
            due,
        });
    }
}

/// A mailbox that the store knows by none of these texts: Exchange may.
async fn elsewhere(
    round: Round<'_>,
    record: &AuditRecord,
    texts: &[String],
    (names, asked): (&Names, &mut HashMap<String, Vec<String>>),
    found: &mut Found,
) -> Result<Vec<String>, StreamError> {
    let exchange = round.exchange()?;
    let coming_or_going = ["New-", "Remove-Mailbox", "Disable-", "Remove-User"];
    if coming_or_going
        .iter()
        .any(|verb| record.operation.starts_with(verb) && !record.operation.contains("Permission"))
    {
        // Other means find what came and went.
        return Ok(Vec::new());
    }
    for text in texts {
        if names.is_removed(text) {
            return Ok(Vec::new());
        }
        let folded = text.to_lowercase();
        if let Some(known) = asked.get(&folded) {
            if known.is_empty() {
                continue;
            }
            return Ok(known.clone());
        }
        let cmdlet = Cmdlet::new("Get-Mailbox").text("Identity", text).select(["ExternalDirectoryObjectId"]);
        let answer = round.or_stop(exchange.invoke(&cmdlet)).await?;
        round.read(KIND, 1, 0);
        let keys: Vec<String> = match answer {
            Ok(answer) => answer
                .records
                .iter()
                .filter_map(|r| r.text("ExternalDirectoryObjectId"))
                .map(str::to_ascii_lowercase)
                .collect(),
            Err(error) if error.kind == ErrorKind::Throttled || error.is_retryable() => {
                return Err(error.into());
            }
            Err(_) => Vec::new(),
        };
        asked.insert(folded, keys.clone());
        if !keys.is_empty() {
            return Ok(keys);
        }
    }
    let what = texts.first().map_or("nothing at all", String::as_str);
    widen(round, found, format!("{} names {what:?}, which cannot be found", record.operation));
    Ok(Vec::new())
}
