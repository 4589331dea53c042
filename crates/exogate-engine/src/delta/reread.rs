//! Single mailboxes read again: attributes, client access settings and all three places of rights.
//!
//! In batches: few objects, no listing to hold up, and an answer that may wait for its slowest part.

use std::collections::{BTreeMap, BTreeSet};

use exogate_microsoft::exchange::{Answer, Cmdlet};
use exogate_microsoft::record::Record;
use exogate_microsoft::{ErrorKind, Service, WireError};
use exogate_model::change::{Learnt, ObjectKind};
use exogate_model::count::counted;
use exogate_store::{Batch, Coverage, Facet, GrantSet, Waiting};

use super::aspects::Aspects;
use super::change_time::wants;
use super::found::{Found, Round, Wanted};
use crate::aggregate::streams::{cas_mailboxes, mailboxes as all_mailboxes};
use crate::aggregate::{StreamError, StreamKind};
use crate::read::attributes::{AttributeReader, Misfits};
use crate::read::mailboxes::{self, Listed};
use crate::read::{Unreadable, grants};

const KIND: StreamKind = StreamKind::Reread;
/// Mailboxes asked about at once.
const TOGETHER: usize = 100;
/// Items in one batch, for counting calls.
const ITEMS: usize = 10;

/// A mailbox that was taken in, by its key in lower case, and whether its rights are governed.
pub(super) struct Taken {
    pub key: String,
    pub governed: bool,
}

/// Takes in what a mailbox says of itself. Its rights are no part of that.
pub(super) async fn take_mailbox(
    round: Round<'_>,
    record: &Record,
    (reader, misfits): (&AttributeReader, &mut Misfits),
    learnt: Learnt,
    batch: &mut Batch,
    found: &mut Found,
) -> Result<Option<Taken>, StreamError> {
    let options = &round.aggregation.context.options;
    let Listed::Mailbox(row) = mailboxes::mailbox(record, reader, misfits)? else { return Ok(None) };
    let row = *row;
    let key = row.key.to_ascii_lowercase();
    let set = |facet, grants| GrantSet { mailbox: key.clone(), facet, grants };
    let governed = options.governs(&row.kind);
    if governed {
        if options.send_on_behalf {
            batch.grant_sets.push(set(Facet::SendOnBehalf, grants::send_on_behalf(record)));
            found.settlement.facets.push((key.clone(), Facet::SendOnBehalf, learnt));
        }
    } else if !round.store().grants_of_mailbox(&key).await?.is_empty() {
        // It was governed before; what is not governed has no rights here.
        for facet in Facet::ALL {
            batch.grant_sets.push(set(facet, Vec::new()));
            found.settlement.facets.push((key.clone(), facet, learnt));
        }
    }
    found.seen(Coverage::Mailboxes, &key, learnt);
    found.listed.insert(key.clone());
    batch.mailboxes.push(row);
    Ok(Some(Taken { key, governed }))
}

/// Takes in client access settings of mailboxes.
pub(super) async fn take_client_access(
    round: Round<'_>,
    kind: StreamKind,
    records: &[Record],
    (reader, misfits): (&AttributeReader, &mut Misfits),
    learnt: Learnt,
    found: &mut Found,
) -> Result<(), StreamError> {
    let mut batch = Batch::default();
    for record in records {
        if let Some(key) = record.text("ExternalDirectoryObjectId") {
            found.seen(Coverage::CasAttributes, key, learnt);
            batch.cas.push((key.to_owned(), reader.read(record, misfits)));
        }
    }
    round.write(kind, learnt, batch).await
}

/// One question about one mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Mailbox,
    Cas,
    Permissions,
    SendAs,
}

struct Reading<'a> {
    round: Round<'a>,
    found: Found,
    misfits: Misfits,
    /// Mailboxes that turned out to be governed.
    governed: BTreeSet<String>,
    /// Mailboxes whose rights were not found: are they there at all?
    doubtful: BTreeSet<String>,
    /// The role does not show rights of deleted accounts.
    hidden: bool,
    failures: Vec<(String, StreamError)>,
}

/// Reads mailboxes again. What could not be read waits for the next run; the error tells of it.
pub(super) async fn read(
    round: Round<'_>,
    wanted: &BTreeMap<String, Wanted>,
    listed: &BTreeSet<String>,
) -> Result<(Found, Option<StreamError>), StreamError> {
    round.begin(KIND);
    let mut reading = Reading {
        round,
        found: Found::default(),
        misfits: Misfits::default(),
        governed: BTreeSet::new(),
        doubtful: BTreeSet::new(),
        hidden: false,
        failures: Vec::new(),
    };
    let keys: Vec<(&String, Wanted)> = wanted.iter().map(|(key, wanted)| (key, *wanted)).collect();
    let mut ended = None;
    for some in keys.chunks(TOGETHER) {
        if ended.is_none() {
            match reading.some(some, listed).await {
                Ok(()) => continue,
                Err(StreamError::Store(error)) => return Err(StreamError::Store(error)),
                Err(StreamError::Stopped) => return Err(StreamError::Stopped),
                Err(error) => ended = Some(error),
            }
        }
        for (key, _) in some {
            reading.wait(key, "could not be read".to_owned());
        }
    }
    reading.misfits.notes().for_each(|note| round.note(KIND, note));
    if reading.hidden {
        round.note(
            KIND,
            "the role does not include -IncludeUnresolvedPermissions: rights of deleted accounts may be hidden",
        );
    }
    let failed = reading.failures.len();
    if let Some((key, error)) = reading.failures.into_iter().next() {
        round.note(
            KIND,
            format!(
                "{} could not be read, to be tried by the next run; the first is {key}",
                counted(failed, "mailbox")
            ),
        );
        ended.get_or_insert(error);
    }
    Ok((reading.found, ended))
}

impl Reading<'_> {
    async fn some(
        &mut self,
        wanted: &[(&String, Wanted)],
        listed: &BTreeSet<String>,
    ) -> Result<(), StreamError> {
        let round = self.round;
        let context = &round.aggregation.context;
        let keys: Vec<String> = wanted.iter().map(|(key, _)| (*key).clone()).collect();
        let known = round.store().mailbox_refs(keys).await?;
        let governed =
            |key: &str| known.get(key).is_some_and(|mailbox| context.options.governs(&mailbox.kind));
        let mut questions = Vec::new();
        for (key, Wanted { learnt, aspects }) in wanted {
            let ask = |question| ((*key).clone(), *learnt, question);
            if !listed.contains(*key) {
                if aspects.mailbox {
                    questions.push(ask(Question::Mailbox));
                }
                if aspects.cas && wants(round, StreamKind::CasMailboxes) {
                    questions.push(ask(Question::Cas));
                }
            }
            if governed(key) {
                questions.extend(aspects.permissions.then(|| ask(Question::Permissions)));
                questions.extend(aspects.send_as.then(|| ask(Question::SendAs)));
            }
        }
        self.ask(&questions).await?;
        // Mailboxes that turned out to be governed only now, and those that may be gone.
        let mut later = Vec::new();
        for (key, Wanted { learnt, .. }) in wanted {
            let ask = |question| ((*key).clone(), *learnt, question);
            if self.doubtful.contains(*key) {
                let all = [Question::Mailbox, Question::Permissions, Question::SendAs];
                later.extend(all.map(ask));
            } else if self.governed.contains(*key) && !governed(key) {
                later.extend([Question::Permissions, Question::SendAs].map(ask));
            }
        }
        if !later.is_empty() {
            self.ask(&later).await?;
        }
        for (key, Wanted { aspects, .. }) in wanted {
            if !self.failures.iter().any(|(failed, _)| failed == *key) {
                let read = (ObjectKind::Mailbox, (*key).clone(), aspects.to_parts());
                self.found.settlement.read_again.push(read);
            }
        }
        Ok(())
    }

    async fn ask(&mut self, questions: &[(String, Learnt, Question)]) -> Result<(), StreamError> {
        let round = self.round;
        let exchange = round.exchange()?;
        let cmdlets: Vec<Cmdlet> =
            questions.iter().map(|(key, _, question)| self.cmdlet(key, *question)).collect();
        let mut answers = round.or_stop(exchange.batch(&cmdlets)).await?;
        round.read(KIND, cmdlets.len().div_ceil(ITEMS) as u64, 0);
        self.without_switch(questions, &mut answers).await?;
        self.by_filter(questions, &mut answers).await?;
        let asked: BTreeSet<&str> = questions
            .iter()
            .filter(|(_, _, question)| *question == Question::Mailbox)
            .map(|(key, _, _)| key.as_str())
            .collect();
        let gone: BTreeSet<&str> = questions
            .iter()
            .zip(&answers)
            .filter(|((_, _, question), answer)| {
                *question == Question::Mailbox && matches!(answer, Err(error) if error.is_not_found())
            })
            .map(|((key, _, _), _)| key.as_str())
            .collect();
        let mut failed: BTreeMap<String, StreamError> = BTreeMap::new();
        let mut batches: BTreeMap<u8, (Learnt, Batch)> = BTreeMap::new();
        for ((key, learnt, question), answer) in questions.iter().zip(answers) {
            if gone.contains(key.as_str()) {
                if *question == Question::Mailbox {
                    self.gone(key, *learnt);
                }
                continue;
            }
            let (_, batch) = batches.entry(*learnt as u8).or_insert_with(|| (*learnt, Batch::default()));
            let taken = match answer {
                Ok(answer) => self.take(key, *learnt, *question, &answer, batch).await,
                // Only the mailbox's own cmdlet says that it is gone; these lag behind.
                Err(error) if error.is_not_found() && *question == Question::Cas => Ok(()),
                Err(error)
                    if is_right(*question)
                        && (error.is_not_found() || is_stray(&error))
                        && !asked.contains(key.as_str()) =>
                {
                    self.doubtful.insert(key.clone());
                    Ok(())
                }
                Err(error) => Err(error.into()),
            };
            match taken {
                Ok(()) => {}
                Err(StreamError::Wire(error)) if ends_all(&error) => return Err(error.into()),
                Err(StreamError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    failed.entry(key.clone()).or_insert(error);
                }
            }
        }
        for (learnt, batch) in batches.into_values() {
            round.write(KIND, learnt, batch).await?;
        }
        let read: BTreeSet<&String> = questions
            .iter()
            .filter(|(key, _, question)| is_right(*question) && !failed.contains_key(key))
            .map(|(key, _, _)| key)
            .collect();
        round.read(KIND, 0, read.len() as u64);
        for (key, error) in failed {
            self.wait(&key, error.to_string());
            self.failures.push((key, error));
        }
        Ok(())
    }

    fn cmdlet(&self, key: &str, question: Question) -> Cmdlet {
        let context = &self.round.aggregation.context;
        let cmdlet = match question {
            Question::Mailbox => all_mailboxes::question(context).0,
            Question::Cas => cas_mailboxes::question(context).0,
            Question::Permissions | Question::SendAs => {
                let name = if question == Question::SendAs {
                    "Get-RecipientPermission"
                } else {
                    "Get-MailboxPermission"
                };
                let cmdlet = Cmdlet::new(name).text("ResultSize", "Unlimited");
                if question == Question::Permissions && !self.hidden {
                    cmdlet.switch("IncludeUnresolvedPermissions")
                } else {
                    cmdlet
                }
            }
        };
        cmdlet.text("Identity", key)
    }

    /// Asks once more without the switch that shows rights of deleted accounts, where the role does
    /// not know it.
    async fn without_switch(
        &mut self,
        questions: &[(String, Learnt, Question)],
        answers: &mut [Result<Answer, WireError>],
    ) -> Result<(), StreamError> {
        let refused: Vec<usize> = questions
            .iter()
            .zip(answers.iter())
            .enumerate()
            .filter(|(_, ((_, _, question), answer))| {
                *question == Question::Permissions
                    && matches!(answer, Err(error) if error.kind == ErrorKind::InvalidRequest)
            })
            .map(|(index, _)| index)
            .collect();
        if self.hidden || refused.is_empty() {
            return Ok(());
        }
        self.hidden = true;
        let cmdlets: Vec<Cmdlet> =
            refused.iter().map(|index| self.cmdlet(&questions[*index].0, Question::Permissions)).collect();
        let again = self.round.or_stop(self.round.exchange()?.batch(&cmdlets)).await?;
        self.round.read(KIND, cmdlets.len().div_ceil(ITEMS) as u64, 0);
        for (index, answer) in refused.into_iter().zip(again) {
            answers[index] = answer;
        }
        Ok(())
    }

    /// Asks once more by a filter where the service, not knowing the mailbox, showed others instead.
    async fn by_filter(
        &mut self,
        questions: &[(String, Learnt, Question)],
        answers: &mut [Result<Answer, WireError>],
    ) -> Result<(), StreamError> {
        const GET: &str = "Get-Mailbox";
        let strayed: Vec<usize> = questions
            .iter()
            .zip(answers.iter())
            .enumerate()
            .filter(|(_, ((_, _, question), answer))| {
                *question == Question::Mailbox && matches!(answer, Err(error) if is_stray(error))
            })
            .map(|(index, _)| index)
            .collect();
        if strayed.is_empty() {
            return Ok(());
        }
        let context = &self.round.aggregation.context;
        let by_filter = |index: &usize| {
            let key = questions[*index].0.replace('\'', "''");
            all_mailboxes::question(context)
                .0
                .text("Filter", format!("ExternalDirectoryObjectId -eq '{key}'"))
        };
        let cmdlets: Vec<Cmdlet> = strayed.iter().map(by_filter).collect();
        let again = self.round.or_stop(self.round.exchange()?.batch(&cmdlets)).await?;
        self.round.read(KIND, cmdlets.len().div_ceil(ITEMS) as u64, 0);
        for (index, answer) in strayed.into_iter().zip(again) {
            answers[index] = match answer {
                Ok(answer) if answer.records.is_empty() => {
                    Err(WireError::new(ErrorKind::NotFound, Service::Exchange, GET))
                }
                answer => answer,
            };
        }
        Ok(())
    }

    async fn take(
        &mut self,
        key: &str,
        learnt: Learnt,
        question: Question,
        answer: &Answer,
        batch: &mut Batch,
    ) -> Result<(), StreamError> {
        let context = &self.round.aggregation.context;
        let mut set = |facet, grants| {
            batch.grant_sets.push(GrantSet { mailbox: key.to_owned(), facet, grants });
            self.found.settlement.facets.push((key.to_owned(), facet, learnt));
        };
        match question {
            Question::Permissions => {
                set(Facet::MailboxPermission, grants::mailbox_permissions(&answer.records)?);
            }
            Question::SendAs => {
                let mut facts = grants::recipient_permissions(&answer.records)?.concat();
                facts.sort_unstable();
                facts.dedup();
                set(Facet::SendAs, facts);
            }
            Question::Mailbox => {
                let (_, reader) = all_mailboxes::question(context);
                let record = answer.records.first().ok_or_else(|| Unreadable {
                    listing: "Get-Mailbox",
                    missing: "anything at all",
                    object: key.to_owned(),
                })?;
                let (misfits, found) = (&mut self.misfits, &mut self.found);
                let reading = (&reader, misfits);
                let taken = take_mailbox(self.round, record, reading, learnt, batch, found).await?;
                self.governed.extend(taken.filter(|taken| taken.governed).map(|taken| taken.key));
            }
            Question::Cas => {
                let (_, reader) = cas_mailboxes::question(context);
                if let Some(record) = answer.records.first() {
                    self.found.seen(Coverage::CasAttributes, key, learnt);
                    batch.cas.push((key.to_owned(), reader.read(record, &mut self.misfits)));
                }
            }
        }
        Ok(())
    }

    fn gone(&mut self, key: &str, learnt: Learnt) {
        self.found.gone(Coverage::Mailboxes, key, learnt);
    }

    fn wait(&mut self, key: &str, reason: String) {
        let (object, id, due) = (ObjectKind::Mailbox, key.to_owned(), self.round.now);
        let parts = Aspects::ALL.to_parts();
        self.found.settlement.queued.push(Waiting { object, id, parts, reason, due });
    }
}

/// Whether what came back is not what was asked for: so the service may answer when it does not know
/// the mailbox.
fn is_stray(error: &WireError) -> bool {
    error.kind == ErrorKind::Protocol
}

fn is_right(question: Question) -> bool {
    matches!(question, Question::Permissions | Question::SendAs)
}

/// Whether an error says nothing of one mailbox and will meet all the others too.
fn ends_all(error: &WireError) -> bool {
    error.needs_administrator()
        || matches!(
            error.kind,
            ErrorKind::SignIn(_)
                | ErrorKind::Unreachable
                | ErrorKind::NotMicrosoft
                | ErrorKind::WrongHost
                | ErrorKind::InvalidRequest
                | ErrorKind::Throttled
        )
}
