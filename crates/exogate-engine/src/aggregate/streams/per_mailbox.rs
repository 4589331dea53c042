//! One question for each of many mailboxes, as many at once as the tenant allows.
//!
//! Single calls, not batches: the tenant's limit is on calls under way, and nothing is known of
//! whether the items of a batch run side by side or count one by one, so a batch promises no gain
//! while it delays every answer in it to its slowest and mixes throttling into items. Only so many
//! calls wait at the gate that listings on their way page by page are not held up behind them.

use exogate_model::count::counted;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use exogate_microsoft::caller::carried;
use exogate_microsoft::exchange::{Cmdlet, ExchangeClient};
use exogate_microsoft::{ErrorKind, Resource, WireError};
use exogate_store::{Batch, Checkpoint, Facet, GrantSet, MailboxRef};
use futures::future::BoxFuture;
use tokio::task::{JoinError, JoinSet};

use super::super::error::StreamError;
use super::super::work::{UnderWay, Work};
use crate::read::grants::Fact;

/// Asks one mailbox.
pub(super) type Ask =
    Arc<dyn Fn(MailboxRef) -> BoxFuture<'static, Result<Vec<Fact>, StreamError>> + Send + Sync>;

/// Calls that wait at the gate beside those under way, so that it is never idle.
const AHEAD: usize = 3;
/// Answers stored at once at most, where they come faster than they are stored.
const TOGETHER: usize = 256;
/// After so many mailboxes that could not be read, the tenant is not asked on.
const PATIENCE: usize = 20;

type Answered = (MailboxRef, Result<Vec<Fact>, StreamError>);

/// Answers that are not stored yet.
#[must_use]
pub(super) struct Answers(Vec<Result<Answered, JoinError>>);

/// Mailboxes waiting for their turn, questions under way, and what became of them.
pub(super) struct Asking<'a> {
    work: &'a Work,
    facet: Facet,
    ask: Ask,
    queue: VecDeque<MailboxRef>,
    /// Hashes of the keys taken so far, so that none is asked twice.
    taken: HashSet<u64>,
    hasher: RandomState,
    under_way: JoinSet<Answered>,
    position: Checkpoint,
    /// Answers that wait until the store has come to those before them: many are stored with less effort
    /// together. Whoever breaks off asks for them again.
    waiting: Vec<GrantSet>,
    storing: UnderWay,
    gone: u64,
    failures: Vec<(String, StreamError)>,
}

impl<'a> Asking<'a> {
    /// Nothing asked yet; counts go on from the stream's checkpoint.
    pub fn new(work: &'a Work, facet: Facet, position: Checkpoint, ask: Ask) -> Self {
        Self {
            work,
            facet,
            ask,
            queue: VecDeque::new(),
            taken: HashSet::new(),
            hasher: RandomState::new(),
            under_way: JoinSet::new(),
            position,
            waiting: Vec::new(),
            storing: UnderWay::default(),
            gone: 0,
            failures: Vec::new(),
        }
    }

    /// Queues a mailbox, unless it was queued before.
    pub fn add(&mut self, mailbox: MailboxRef) -> bool {
        let new = self.taken.insert(self.hasher.hash_one(mailbox.key.to_lowercase()));
        if new {
            self.queue.push_back(mailbox);
        }
        new
    }

    /// How many wait for their turn.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.under_way.is_empty() && self.waiting.is_empty()
    }

    /// Sends as many questions as make sense, waits for an answer and takes all that came; nothing
    /// where the store can take those that came before. May be dropped while it waits.
    pub async fn answers(&mut self) -> Result<Answers, StreamError> {
        self.send();
        let mut answers = Vec::new();
        let (are_waiting, are_asked) = (!self.waiting.is_empty(), !self.under_way.is_empty());
        let first = async {
            tokio::select! {
                first = self.under_way.join_next(), if are_asked => first,
                () = self.storing.caught_up(), if are_waiting => None,
                else => None,
            }
        };
        let Some(first) = self.work.or_stop(first).await? else {
            return Ok(Answers(answers));
        };
        answers.push(first);
        while answers.len() < TOGETHER
            && let Some(next) = self.under_way.try_join_next()
        {
            answers.push(next);
        }
        Ok(Answers(answers))
    }

    /// Stores answers, with those that come while the store is behind. Not to be dropped half-way.
    pub async fn store(&mut self, answers: Answers) -> Result<(), StreamError> {
        // The gate has room again: fill it before the answers are stored.
        self.send();
        let taken = self.take(answers);
        self.work.progress().set(self.position.pages, self.position.objects);
        if taken.is_ok() && self.storing.is_behind() && self.waiting.len() < TOGETHER {
            return Ok(());
        }
        let grant_sets = std::mem::take(&mut self.waiting);
        let (stream, checkpoint) = (self.work.stream().to_owned(), Some(self.position.clone()));
        let batch = Batch { stream, checkpoint, grant_sets, ..Batch::default() };
        let submitted = self.work.submit(batch, Vec::new()).await?;
        self.storing.add(submitted).await?;
        taken
    }

    fn take(&mut self, answers: Answers) -> Result<(), StreamError> {
        for done in answers.0 {
            let (mailbox, answer) = done.map_err(|fault| StreamError::Broken(fault.to_string()))?;
            self.position.pages += 1;
            match answer {
                Ok(grants) => {
                    self.position.objects += 1;
                    let (mailbox, facet) = (mailbox.key, self.facet);
                    self.waiting.push(GrantSet { mailbox, facet, grants });
                }
                Err(error) => self.failed(mailbox, error)?,
            }
        }
        Ok(())
    }

    /// What became of it all.
    pub async fn end(mut self) -> Result<Checkpoint, StreamError> {
        self.storing.settle().await?;
        if self.gone > 0 {
            self.work.note(format!("{} removed while they were read", counted(self.gone, "mailbox")));
        }
        let failed = self.failures.len();
        match self.failures.into_iter().next() {
            None => Ok(self.position),
            Some((address, error)) => {
                self.work.note(format!(
                    "{} could not be read, the first is {address}",
                    counted(failed, "mailbox")
                ));
                Err(error)
            }
        }
    }

    fn send(&mut self) {
        let allowed = self.work.tenant.caller.snapshot(Resource::Exchange).limit as usize + AHEAD;
        while self.under_way.len() < allowed
            && let Some(mailbox) = self.queue.pop_front()
        {
            let answer = (self.ask)(mailbox.clone());
            self.under_way.spawn(carried(async move { (mailbox, answer.await) }));
        }
    }

    fn failed(&mut self, mailbox: MailboxRef, error: StreamError) -> Result<(), StreamError> {
        match &error {
            // Found neither here nor by its own cmdlet: it is gone, and its rights with it.
            StreamError::Wire(wire) if wire.is_not_found() => {
                self.gone += 1;
                let (mailbox, facet) = (mailbox.key, self.facet);
                self.waiting.push(GrantSet { mailbox, facet, grants: Vec::new() });
                return Ok(());
            }
            StreamError::Wire(wire) if !ends_all(wire) => {}
            StreamError::Unreadable(_) | StreamError::Contradiction { .. } => {}
            _ => return Err(error),
        }
        self.failures.push((mailbox.primary_smtp, error));
        if self.failures.len() > PATIENCE {
            return Err(self.failures.swap_remove(0).1);
        }
        Ok(())
    }
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

/// Turns "not found" into a fact: a mailbox that its own cmdlet does not find either is gone; one
/// that it does find is a contradiction.
pub(super) async fn settle(exchange: &ExchangeClient, mailbox: &MailboxRef, error: WireError) -> StreamError {
    if !error.is_not_found() {
        return error.into();
    }
    let cmdlet =
        Cmdlet::new("Get-Mailbox").text("Identity", &mailbox.key).select(["ExternalDirectoryObjectId"]);
    match exchange.invoke(&cmdlet).await {
        Err(again) if again.is_not_found() => error.into(),
        Err(other) => other.into(),
        Ok(_) => StreamError::Contradiction { address: mailbox.primary_smtp.clone() },
    }
}
