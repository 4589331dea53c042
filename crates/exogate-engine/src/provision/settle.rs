//! After the sending: looks until what was asked for is seen, tells the stored state, and gives the
//! operation its end. What an interrupted process had begun is settled by the same looks.

use std::time::Duration;

use exogate_microsoft::WireError;
use exogate_model::change::Author;
use exogate_model::operation::{Action, Entry, Image, Operation, Outcome, Target};
use exogate_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::chain::Chain;
use super::effect::took_effect;
use super::judge::{creates, is_no_op, never_sent, no_effect, replaces, there};
use super::observe::{Seen, observe};
use super::provisioner::{Inner, Observer, Step};
use super::send::failure;
use super::state;

/// An operation that was sent, and waits to be seen.
pub(super) struct Waiting {
    pub(super) operation: Operation,
    pub(super) action: Action,
    pub(super) target: Target,
    pub(super) before: Image,
    pub(super) answered: Answered,
    /// The id of what was made.
    pub(super) made: Option<String>,
}

/// What is known of a sending.
pub(super) enum Answered {
    /// The service took it.
    Taken { remarks: Vec<String> },
    /// It was so already.
    AlreadySo,
    /// Nobody knows.
    Unclear(WireError),
}

/// How a sending ended.
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    /// The id of what was made.
    pub(super) made: Option<String>,
}

/// An operation that an interrupted process had begun.
pub(super) struct Begun {
    pub(super) operation: Operation,
    pub(super) target: Target,
    pub(super) before: Image,
    pub(super) said: Option<String>,
    pub(super) lost: WireError,
}

/// Gives an operation that was never begun its end.
pub(super) async fn forget(
    inner: &Inner,
    plan: &str,
    operation: &Operation,
    observer: &dyn Observer,
) -> Result<(), StoreError> {
    let cancel = CancellationToken::new();
    Chain::new(inner, plan, observer, &cancel).finish(operation, never_sent(), None).await
}

/// Settles begun operations on one object by reading, for as long as their effect may still be on
/// its way.
pub(super) async fn recover(
    inner: &Inner,
    plan: &str,
    begun: Vec<Begun>,
    left: Duration,
    observer: &dyn Observer,
) -> Result<(), StoreError> {
    let cancel = CancellationToken::new();
    let chain = Chain::new(inner, plan, observer, &cancel);
    let waiting = begun.into_iter().map(|one| Waiting {
        action: one.operation.action.clone(),
        operation: one.operation,
        target: one.target,
        before: one.before,
        answered: match one.said.as_deref() {
            Some(said) if said.starts_with(super::send::ACCEPTED) => Answered::Taken { remarks: Vec::new() },
            Some(said) if said.starts_with(super::send::ALREADY_SO) => Answered::AlreadySo,
            _ => Answered::Unclear(one.lost),
        },
        made: None,
    });
    chain.settle_within(waiting.collect(), left).await.map(drop)
}

impl Chain<'_> {
    /// Looks until everything that was sent is seen, or patience ends.
    pub(super) async fn settle(&self, waiting: Vec<Waiting>) -> Result<Vec<Settled>, StoreError> {
        self.settle_within(waiting, self.inner.patience.deadline).await
    }

    async fn settle_within(
        &self,
        mut waiting: Vec<Waiting>,
        within: Duration,
    ) -> Result<Vec<Settled>, StoreError> {
        let mut waits = self.inner.patience.waits(within);
        let mut settled = Vec::new();
        // What a later operation gives again cannot be seen to be gone.
        let actions: Vec<Action> = waiting.iter().map(|one| one.action.clone()).collect();
        while !waiting.is_empty() {
            let stopping = self.cancel.is_cancelled();
            let wait = waits.next();
            let mut seen = Seen::default();
            let mut still = Vec::new();
            for mut one in waiting {
                self.observer.reached(Step::Verifying(one.operation.number)).await;
                let replaced = actions.iter().any(|later| replaces(later, &one.action));
                let look = match replaced {
                    true => Ok(true),
                    false => self.look_at(&mut one, &mut seen).await,
                };
                // Who wants to stop does not wait for what the service has taken.
                let last = wait.is_none() || (stopping && !matches!(one.answered, Answered::Unclear(_)));
                let Some(outcome) = verdict(look, &one, last) else {
                    still.push(one);
                    continue;
                };
                self.store(&one.operation, &one.target, &one.action, &outcome, one.made.as_deref(), &seen)
                    .await?;
                self.finish(&one.operation, outcome.clone(), one.made.clone()).await?;
                settled.push(Settled { outcome, made: one.made });
            }
            waiting = still;
            if let Some(wait) = wait.filter(|_| !waiting.is_empty()) {
                self.rest(wait).await;
            }
        }
        Ok(settled)
    }

    /// Whether a fresh reading shows the effect.
    async fn look_at(&self, one: &mut Waiting, seen: &mut Seen) -> Result<bool, WireError> {
        let now = observe(&self.inner.tenant, &one.target, &one.action, seen).await?;
        if let Some(id) = there(&one.action, &now) {
            one.made.get_or_insert(id);
        }
        Ok(took_effect(&one.action, &one.before, &now))
    }

    /// Waits, unless somebody wants to stop.
    pub(super) async fn rest(&self, wait: Duration) {
        if self.cancel.is_cancelled() {
            return tokio::time::sleep(wait).await;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.cancel.cancelled() => {}
        }
    }

    /// Gives an operation its end.
    pub(super) async fn finish(
        &self,
        operation: &Operation,
        outcome: Outcome,
        made: Option<String>,
    ) -> Result<(), StoreError> {
        let entry = Entry::Finished { outcome: outcome.clone(), made };
        self.inner.note(self.plan, operation.number, entry).await?;
        self.observer.ended(operation.number, &outcome);
        self.observer.reached(Step::Finished(operation.number)).await;
        Ok(())
    }

    /// Lets the stored state and the feed know. Comes before the end is in the journal: whoever is
    /// killed in between settles it once more, and storing it twice is storing it once.
    pub(super) async fn store(
        &self,
        operation: &Operation,
        target: &Target,
        action: &Action,
        outcome: &Outcome,
        made: Option<&str>,
        seen: &Seen,
    ) -> Result<(), StoreError> {
        if !outcome.is_success() {
            return Ok(());
        }
        // What was so already was somebody else's doing.
        let author = match outcome {
            Outcome::AlreadySo => Author::Unknown,
            _ => Author::Ours { plan: self.plan.to_owned(), operation: operation.number },
        };
        let seen = (*outcome != Outcome::DoneNotYetVisible).then_some(seen);
        state::store(self.inner, target, action, made, seen, author).await?;
        self.observer.reached(Step::Stored(operation.number)).await;
        Ok(())
    }
}

/// How a sending ends by this look; not yet, where there is time for another one.
fn verdict(look: Result<bool, WireError>, one: &Waiting, last: bool) -> Option<Outcome> {
    Some(match (look, &one.answered) {
        (Ok(true), Answered::AlreadySo) => Outcome::AlreadySo,
        (Ok(true), _) => Outcome::Done,
        // The service knows better than the list that it shows in words of its own.
        (Ok(false), Answered::Taken { remarks })
            if matches!(one.action, Action::SetAttributes { .. }) && is_no_op(remarks) =>
        {
            Outcome::AlreadySo
        }
        _ if !last => return None,
        (Ok(false), Answered::Taken { remarks }) if is_no_op(remarks) => no_effect(remarks),
        (_, Answered::Taken { .. } | Answered::AlreadySo) => Outcome::DoneNotYetVisible,
        // What is not seen yet must not be made twice: whoever applies again looks first.
        (Ok(false), Answered::Unclear(error)) if creates(&one.action) => {
            Outcome::Unknown { why: format!("{error}; it is not seen, but may come to be") }
        }
        (Ok(false), Answered::Unclear(error)) => failure(error),
        (Err(_), Answered::Unclear(error)) => {
            Outcome::Unknown { why: format!("{error}; the object could not be read either") }
        }
    })
}
