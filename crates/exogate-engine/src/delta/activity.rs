//! What the audit log says was done: by the activity feed, or by a search where the feed cannot be
//! had. Records only name mailboxes to be read again, and tell who did it; a doubt names more, never
//! fewer.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use exogate_microsoft::activity::{
    self, ActivityClient, AuditRecord, Content, Read, Subscription, is_expired_content, is_unsubscribed,
};
use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_model::change::{Learnt, ObjectKind};
use exogate_store::{AuditNote, Candidate, CandidateKind, Waiting};
use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::found::{Found, Round};
use super::plan::{earlier, later, since};
use super::touched::{self, Touch};
use crate::aggregate::{StreamError, StreamKind, feeds};

const KIND: StreamKind = StreamKind::Activity;
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The feed gives windows of at most a day, and content of at most seven.
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60 - 10 * 60);
/// Content that is listed late, or by a clock that is not ours.
const LATE: Duration = HOUR;
/// Records reach the search up to a day late.
const SEARCH_LATE: Duration = WINDOW;
/// Pieces of content read side by side; the governor allows fewer where it must.
const ABREAST: usize = 8;

/// What was done since the last look.
pub(super) async fn read(
    round: Round<'_>,
    feed: Option<Timestamp>,
    search: Option<Timestamp>,
) -> Result<Found, StreamError> {
    round.begin(KIND);
    let refused = match ActivityClient::new(round.aggregation.tenant.caller.clone()) {
        None => "this cloud has no activity feed".to_owned(),
        Some(client) => match by_feed(round, &client, feed).await {
            Err(StreamError::Wire(error)) if is_out_of_reach(&error) => error.to_string(),
            done => return done,
        },
    };
    match by_search(round, search).await {
        Err(StreamError::Wire(error)) if is_out_of_reach(&error) || error.is_not_found() => {
            round.note(
                KIND,
                format!(
                    "neither the activity feed ({refused}) nor the audit log ({error}) can be read: changes of \
                     rights are found by reading mailboxes again, and who made them is not known"
                ),
            );
            Ok(Found::default())
        }
        Ok(found) => {
            round.note(KIND, format!("{refused}: the audit log is searched instead"));
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

/// Whether a failure will not pass by itself: somebody has to grant something first.
fn is_out_of_reach(error: &WireError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Forbidden
            | ErrorKind::Unauthorized
            | ErrorKind::SignIn(_)
            | ErrorKind::InvalidRequest
            | ErrorKind::NotTrusted
            | ErrorKind::NotMicrosoft
            | ErrorKind::Unreachable
    )
}

async fn by_feed(
    round: Round<'_>,
    client: &ActivityClient,
    cursor: Option<Timestamp>,
) -> Result<Found, StreamError> {
    let mut found = Found::default();
    let listed = match list(round, client, cursor, &mut found).await {
        Err(StreamError::Wire(error)) if is_unsubscribed(&error) => {
            subscribe(round, client, cursor, &mut found).await?;
            return Ok(found);
        }
        done => done?,
    };
    let ids = listed.iter().map(|content| content.id.clone()).collect();
    let unread: BTreeSet<String> = round.store().unread_content(ids).await?.into_iter().collect();
    let mut pieces: Vec<Content> =
        listed.into_iter().filter(|content| unread.contains(&content.id)).collect();
    pieces.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    pieces.dedup_by(|a, b| a.id == b.id);
    let mut read = Read::default();
    let mut lost = 0;
    let mut answers = stream::iter(pieces)
        .map(|content| async move {
            let answer = client.content(&content).await;
            (content, answer)
        })
        .buffered(ABREAST);
    while let Some((content, answer)) = round.or_stop(answers.next()).await? {
        round.read(KIND, 1, 0);
        match answer {
            Ok(some) => {
                read.records.extend(some.records);
                read.unreadable += some.unreadable;
            }
            Err(error) if is_expired_content(&error) => lost += 1,
            Err(error) => return Err(error.into()),
        }
        found.settlement.content.push(content.id);
    }
    drop(answers);
    if lost > 0 {
        widen(round, &mut found, format!("{lost} pieces of the activity feed were no longer kept"));
    }
    digest(round, read, &mut found).await?;
    found.advance(feeds::ACTIVITY, round.now.to_string());
    found.advance(feeds::AUDIT, round.now.to_string());
    Ok(found)
}

/// The content since the last look, window by window.
async fn list(
    round: Round<'_>,
    client: &ActivityClient,
    cursor: Option<Timestamp>,
    found: &mut Found,
) -> Result<Vec<Content>, StreamError> {
    const PAGES: u32 = 100_000;
    let oldest = earlier(round.now, KEPT);
    let from = match cursor {
        Some(cursor) if cursor < oldest => {
            let days = since(cursor, round.now).as_secs() / 86_400;
            widen(
                round,
                found,
                format!("the activity feed was last read {days} days ago and keeps only seven"),
            );
            oldest
        }
        Some(cursor) => earlier(cursor, LATE).max(oldest),
        None => earlier(round.now, WINDOW),
    };
    let mut listed = Vec::new();
    let mut begin = from;
    // What the feed cuts off by counting whole seconds, the next look finds: it begins earlier.
    while begin < round.now {
        let end = later(begin, WINDOW).min(round.now);
        let mut at: Option<String> = None;
        let mut restarted = false;
        for _ in 0..PAGES {
            let page = match round.or_stop(client.content_page(begin, end, at.as_deref())).await? {
                Ok(page) => page,
                Err(error) if error.kind == ErrorKind::PageExpired && !restarted => {
                    (restarted, at) = (true, None);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            round.read(KIND, 1, 0);
            listed.extend(page.items);
            at = page.next;
            if at.is_none() {
                break;
            }
        }
        if at.is_some() {
            return Err(StreamError::NeverEnds { times: PAGES });
        }
        begin = end;
    }
    Ok(listed)
}

async fn subscribe(
    round: Round<'_>,
    client: &ActivityClient,
    cursor: Option<Timestamp>,
    found: &mut Found,
) -> Result<(), StreamError> {
    let before = round.or_stop(client.subscription()).await??;
    round.or_stop(client.start()).await??;
    round.read(KIND, 2, 0);
    round.note(
        KIND,
        match before {
            Subscription::Disabled => {
                "the subscription to the activity feed had been ended and was started again; first content can take \
                 12 hours"
            }
            _ => "subscribed to the activity feed; first content can take 12 hours",
        },
    );
    // What was done before may never come.
    widen(round, found, "the activity feed was not subscribed to".to_owned());
    let cursor = cursor.unwrap_or(round.now);
    found.advance(feeds::ACTIVITY, cursor.to_string());
    Ok(())
}

async fn by_search(round: Round<'_>, cursor: Option<Timestamp>) -> Result<Found, StreamError> {
    let mut found = Found::default();
    let from = earlier(cursor.unwrap_or(round.now), SEARCH_LATE).max(earlier(round.now, KEPT));
    let to = later(round.now, Duration::from_secs(60));
    let session = format!("exogate {}", round.run.id());
    let exchange = round.exchange()?;
    let (read, whole) = round.or_stop(activity::search(exchange, &session, from, to)).await??;
    round.read(KIND, 1, 0);
    if cursor.is_some_and(|cursor| cursor < earlier(round.now, KEPT)) {
        widen(round, &mut found, "the audit log was last searched more than a week ago".to_owned());
    }
    if !whole {
        widen(round, &mut found, "the audit log holds more records than one search gives".to_owned());
    }
    digest(round, read, &mut found).await?;
    found.advance(feeds::AUDIT, round.now.to_string());
    Ok(found)
}

fn widen(round: Round<'_>, found: &mut Found, why: String) {
    round.note(KIND, format!("{why}: all governed mailboxes are read again"));
    found.everything.get_or_insert(why);
}

/// What records mean: mailboxes to be read again, and who did what.
async fn digest(round: Round<'_>, read: Read, found: &mut Found) -> Result<(), StreamError> {
    if read.unreadable > 0 {
        widen(round, found, format!("{} audit records could not be read", read.unreadable));
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
                for key in &keys {
                    found.mailbox(key, Learnt::Activity);
                    soon(round, record, key, found);
                }
                (keys, trustee)
            }
            Touch::Group { texts, member } => (names.groups(texts), member),
            Touch::Nothing => continue,
        };
        found.settlement.records.push(AuditNote {
            id: record.id.clone(),
            at: record.at,
            operation: record.operation.clone(),
            objects,
            trustee: trustee.as_deref().and_then(|text| names.principal(text)),
            author: touched::author(record),
        });
    }
    Ok(())
}

/// What was done only now may not be seen by every reader yet.
fn soon(round: Round<'_>, record: &AuditRecord, key: &str, found: &mut Found) {
    let due = later(record.at, round.options.settling);
    if due > round.now {
        let reason = format!("{} a moment ago", record.operation);
        found.settlement.queued.push(Waiting {
            object: ObjectKind::Mailbox,
            id: key.to_owned(),
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

/// Who and what bears the texts of the records.
struct Names {
    by_text: HashMap<String, Vec<Candidate>>,
    /// Texts that a record of the same look says were removed.
    removed: BTreeSet<String>,
}

impl Names {
    async fn of(round: Round<'_>, touches: &[(AuditRecord, Touch)]) -> Result<Self, StreamError> {
        let mut wanted = BTreeSet::new();
        let mut removed = BTreeSet::new();
        for (record, touch) in touches {
            let (texts, who) = match touch {
                Touch::Mailbox { texts, trustee } => (texts, trustee),
                Touch::Group { texts, member } => (texts, member),
                Touch::Nothing => continue,
            };
            wanted.extend(texts.iter().chain(who).cloned());
            if ["Remove-Mailbox", "Disable-Mailbox", "Remove-User"]
                .iter()
                .any(|gone| record.operation.eq_ignore_ascii_case(gone))
            {
                removed.extend(texts.iter().map(|text| text.to_lowercase()));
            }
        }
        let mut by_text: HashMap<String, Vec<Candidate>> = HashMap::new();
        for candidate in round.run.principal_index(wanted.into_iter().collect()).await? {
            by_text.entry(candidate.key.to_lowercase()).or_default().push(candidate);
        }
        Ok(Self { by_text, removed })
    }

    fn is_removed(&self, text: &str) -> bool {
        self.removed.contains(&text.to_lowercase())
    }

    fn bearers(&self, texts: &[String], kind: CandidateKind) -> Vec<String> {
        let of = |text: &String| self.by_text.get(&text.to_lowercase()).into_iter().flatten();
        let found: BTreeSet<String> = texts
            .iter()
            .flat_map(of)
            .filter(|candidate| candidate.kind == kind)
            .map(|candidate| candidate.id.clone())
            .collect();
        found.into_iter().collect()
    }

    fn mailboxes(&self, texts: &[String]) -> Vec<String> {
        self.bearers(texts, CandidateKind::Mailbox)
    }

    fn groups(&self, texts: &[String]) -> Vec<String> {
        self.bearers(texts, CandidateKind::Group)
    }

    /// The one user or group that a text means, if it is one.
    fn principal(&self, text: &str) -> Option<String> {
        let bearers: BTreeSet<&str> =
            self.by_text.get(&text.to_lowercase())?.iter().map(|candidate| candidate.id.as_str()).collect();
        let mut bearers = bearers.into_iter();
        bearers.next().filter(|_| bearers.next().is_none()).map(str::to_owned)
    }
}
