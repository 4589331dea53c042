//! The operations on one object, one after the other: make sure of the object, read, journal, send.
//!
//! What was sent is settled in [`super::settle`]; what is decided without asking, in [`super::judge`].

use std::collections::HashSet;
use std::time::Duration;

use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_model::operation::{Action, Entry, Image, Operation, Outcome, Target, TargetKind};
use exogate_store::StoreError;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::call::call;
use super::effect::{is_so, narrowed, took_effect};
use super::judge::{self, depends, never_sent, replaces, twice_is_once};
use super::observe::{Seen, check_target, exchange, observe};
use super::parties::Parties;
use super::patience::Waits;
use super::provisioner::{Inner, Observer, Step};
use super::secrets::Secrets;
use super::send::{Sent, failure, send};
use super::settle::{Answered, Settled, Waiting};

/// How often a call is sent, where the one before was certainly without effect.
const ATTEMPTS: u32 = 3;

/// The part of the whole patience after which something that is not seen is taken not to have
/// happened, and is sent again where that does no harm.
const DOUBT: u32 = 4;

pub(super) struct Chain<'a> {
    pub(super) inner: &'a Inner,
    pub(super) plan: &'a str,
    pub(super) observer: &'a dyn Observer,
    pub(super) cancel: &'a CancellationToken,
}

/// What the whole plan knows and each object's operations use.
pub(super) struct Shared<'a> {
    /// Those whom the plan names, as they are today.
    pub(super) parties: &'a Parties,
    /// Passwords that the plan must not hold.
    pub(super) secrets: &'a Secrets,
    /// Names of groups and users that an earlier run of the plan may have made without learning of it.
    pub(super) perhaps_made: &'a HashSet<String>,
}

/// Runs the operations of one object.
pub(super) async fn run(
    chain: &Chain<'_>,
    operations: Vec<Operation>,
    shared: &Shared<'_>,
) -> Result<(), StoreError> {
    let mut seen = Seen::default();
    let mut made: Option<String> = None;
    let mut checked = false;
    let mut broken: Option<Outcome> = None;
    let mut waiting: Vec<Waiting> = Vec::new();
    for operation in operations {
        if let Some(outcome) = &broken {
            chain.finish(&operation, outcome.clone(), None).await?;
            continue;
        }
        if chain.cancel.is_cancelled() {
            chain.finish(&operation, never_sent(), None).await?;
            continue;
        }
        let creates = judge::creates(&operation.action);
        let mut target = operation.target.clone();
        if let (true, Some(id)) = (target.id.is_empty(), &made) {
            target.id.clone_from(id);
        }
        if !creates && !checked {
            match chain.check(&target, made.is_some()).await {
                Ok(fresh) => (seen, checked) = (fresh, true),
                Err(error) if error.is_not_found() && judge::deletes(&operation.action) => {
                    chain.so_already(&operation, &target, &operation.action, &seen).await?;
                    continue;
                }
                Err(error) => {
                    let outcome = failure(&error);
                    chain.finish(&operation, outcome.clone(), None).await?;
                    broken = Some(outcome);
                    continue;
                }
            }
        }
        let (action, gone) = shared.parties.in_action(&operation.action);
        let about = About {
            password: shared.secrets.of(&operation),
            gone,
            again: waiting.iter().any(|earlier| replaces(&action, &earlier.action)),
            new: made.is_some(),
            perhaps_made: shared.perhaps_made.contains(&operation.target.name.to_lowercase()),
        };
        let span = tracing::debug_span!("operation", operation = operation.number);
        match chain.one(&operation, &target, action, about, &mut seen).instrument(span).await? {
            One::Ended(outcome) => {
                if creates && !outcome.is_success() {
                    broken = Some(depends(&operation));
                }
            }
            One::Sent(sent) if creates => {
                // What follows needs the id, so this one is awaited here.
                let settled = chain.settle(vec![*sent]).await?;
                made = settled.iter().find_map(|one| one.made.clone());
                if made.is_none() || !settled.iter().all(|Settled { outcome, .. }| outcome.is_success()) {
                    broken = Some(depends(&operation));
                }
            }
            One::Sent(sent) => waiting.push(*sent),
        }
    }
    chain.settle(waiting).await?;
    Ok(())
}

/// What else is known of an operation before it is begun.
struct About<'a> {
    /// The password that it needs.
    password: Option<&'a SecretString>,
    /// Whom it names that is no longer there.
    gone: Vec<String>,
    /// It gives again what an earlier operation takes.
    again: bool,
    /// The object was made a moment ago.
    new: bool,
    /// An earlier run may have made it already.
    perhaps_made: bool,
}

enum One {
    Ended(Outcome),
    Sent(Box<Waiting>),
}

impl<'a> Chain<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        plan: &'a str,
        observer: &'a dyn Observer,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self { inner, plan, observer, cancel }
    }

    /// Makes sure of the object; a group made a moment ago may take a while to be seen.
    async fn check(&self, target: &Target, new: bool) -> Result<Seen, WireError> {
        let mut waits = self.until_found(new);
        loop {
            let mut seen = Seen::default();
            match check_target(&self.inner.tenant, target, &mut seen).await {
                Ok(()) => return Ok(seen),
                Err(error) => match waits.next().filter(|_| error.is_not_found()) {
                    Some(wait) => self.rest(wait).await,
                    None => return Err(error),
                },
            }
        }
    }

    /// Reads what is there; an object made a moment ago may take a while to be seen.
    async fn look(
        &self,
        target: &Target,
        action: &Action,
        new: bool,
        seen: &mut Seen,
    ) -> Result<Image, WireError> {
        let mut waits = self.until_found(new);
        loop {
            match observe(&self.inner.tenant, target, action, seen).await {
                Ok(image) => return Ok(image),
                Err(error) => match waits.next().filter(|_| error.is_not_found()) {
                    Some(wait) => self.rest(wait).await,
                    None => return Err(error),
                },
            }
        }
    }

    fn until_found(&self, new: bool) -> Waits {
        let patience = self.inner.patience;
        patience.waits(if new { patience.deadline } else { Duration::ZERO })
    }

    /// Reads, journals and sends one operation.
    async fn one(
        &self,
        operation: &Operation,
        target: &Target,
        action: Action,
        about: About<'_>,
        seen: &mut Seen,
    ) -> Result<One, StoreError> {
        let before = match self.look(target, &action, about.new, seen).await {
            Ok(image) => image,
            Err(error) => return self.end(operation, failure(&error)).await,
        };
        self.observer.reached(Step::Observed(operation.number)).await;
        if let Some(id) = judge::there(&action, &before) {
            if !about.perhaps_made {
                return self.end(operation, judge::exists(&action, &id)).await;
            }
            return self.adopt(operation, target, (action, before), id).await;
        }
        if is_so(&action, &before) && !about.again {
            return self.so_already(operation, target, &action, seen).await;
        }
        if let Some(outcome) = judge::refused(&action, &before, &about.gone, target) {
            return self.end(operation, outcome).await;
        }
        let asked = narrowed(&action, &before);
        let (answered, made) = match self.send(operation, target, &asked, &before, &about).await? {
            Ok(answered) => answered,
            Err(outcome) => return self.end(operation, outcome).await,
        };
        seen.taken(&action);
        let (operation, target) = (operation.clone(), target.clone());
        Ok(One::Sent(Box::new(Waiting { operation, action, target, before, answered, made })))
    }

    /// Journals and sends, again only where that is safe; gives what is known of it, or its end.
    async fn send(
        &self,
        operation: &Operation,
        target: &Target,
        action: &Action,
        before: &Image,
        about: &About<'_>,
    ) -> Result<Result<(Answered, Option<String>), Outcome>, StoreError> {
        let number = operation.number;
        let call = call(target, action, self.inner.bypass());
        let mut attempt = 1;
        let mut doubtful = false;
        loop {
            let begun = Entry::Begun { attempt, target: target.id.clone(), before: before.clone() };
            self.inner.note(self.plan, number, begun).await?;
            self.observer.reached(Step::Begun(number)).await;
            let sent = send(&self.inner.tenant, target, action, &call, about.password).await;
            self.observer.reached(Step::Sent(number)).await;
            self.inner.note(self.plan, number, Entry::Answered { said: sent.said() }).await?;
            self.observer.reached(Step::Answered(number)).await;
            let more = attempt < ATTEMPTS && !self.cancel.is_cancelled();
            match sent {
                Sent::Taken { remarks, made } => return Ok(Ok((Answered::Taken { remarks }, made))),
                // It was not so before: the attempt whose answer was lost has done it.
                Sent::AlreadySo(why) if doubtful => {
                    return Ok(Ok((Answered::Taken { remarks: vec![why] }, None)));
                }
                Sent::AlreadySo(_) => return Ok(Ok((Answered::AlreadySo, None))),
                Sent::NotDone(_) if more => self.rest(self.inner.patience.first * attempt).await,
                Sent::Unclear(error) => {
                    // Never sent again on a guess: only looks that show no effect allow it, and only
                    // where doing it twice is doing it once.
                    doubtful = true;
                    let resend = more
                        && twice_is_once(action)
                        && (about.again || self.shows(target, action, before).await == Some(false));
                    if !resend {
                        return Ok(Ok((Answered::Unclear(error), None)));
                    }
                }
                // What an attempt before may have done, reading must tell.
                Sent::NotDone(error) | Sent::Refused(error) if doubtful => {
                    return Ok(Ok((Answered::Unclear(error), None)));
                }
                Sent::NotDone(error) => return Ok(Err(failure(&error))),
                Sent::Refused(error) => return Ok(Err(self.explained(target, &error).await)),
            }
            attempt += 1;
        }
    }

    /// Whether looks show the effect, before what is not seen counts as not done; `None` if it could
    /// not be read.
    async fn shows(&self, target: &Target, action: &Action, before: &Image) -> Option<bool> {
        let patience = self.inner.patience;
        let mut waits = patience.waits(patience.deadline / DOUBT);
        loop {
            let look = observe(&self.inner.tenant, target, action, &mut Seen::default()).await;
            let shown = look.ok().map(|now| took_effect(action, before, &now));
            match waits.next() {
                Some(wait) if shown != Some(true) && !self.cancel.is_cancelled() => self.rest(wait).await,
                _ => return shown,
            }
        }
    }

    /// It is there because an earlier run sent the call and lost the answer.
    async fn adopt(
        &self,
        operation: &Operation,
        target: &Target,
        (action, mut before): (Action, Image),
        id: String,
    ) -> Result<One, StoreError> {
        let number = operation.number;
        if let Image::Group { id, .. } | Image::User { id, .. } = &mut before {
            *id = None;
        }
        let begun = Entry::Begun { attempt: 1, target: String::new(), before: before.clone() };
        self.inner.note(self.plan, number, begun).await?;
        let said = format!("{}: an earlier run of the plan has made it", super::send::ACCEPTED);
        self.inner.note(self.plan, number, Entry::Answered { said }).await?;
        Ok(One::Sent(Box::new(Waiting {
            operation: operation.clone(),
            action,
            target: target.clone(),
            before,
            answered: Answered::Taken { remarks: Vec::new() },
            made: Some(id),
        })))
    }

    async fn so_already(
        &self,
        operation: &Operation,
        target: &Target,
        action: &Action,
        seen: &Seen,
    ) -> Result<One, StoreError> {
        self.store(operation, target, action, &Outcome::AlreadySo, None, seen).await?;
        self.end(operation, Outcome::AlreadySo).await
    }

    async fn end(&self, operation: &Operation, outcome: Outcome) -> Result<One, StoreError> {
        self.finish(operation, outcome.clone(), None).await?;
        Ok(One::Ended(outcome))
    }

    /// A refusal, with what the tenant shows of its reason.
    async fn explained(&self, target: &Target, error: &WireError) -> Outcome {
        let outcome = failure(error);
        if error.kind != ErrorKind::NotGroupManager || !matches!(target.kind, TargetKind::Group(_)) {
            return outcome;
        }
        let Outcome::Failed { fault, retry, .. } = outcome else { return outcome };
        let who = self.inner.tenant.caller.username().unwrap_or("the application").to_owned();
        let owners = match self.owners(target).await {
            Some(owners) if !owners.is_empty() => format!("; owners are {}", owners.join(", ")),
            _ => String::new(),
        };
        Outcome::Failed {
            why: format!("{who} is not an owner of {}{owners}", target.name),
            fault,
            retry,
            remedy: "Make it an owner, or set options.bypass_security_group_manager_check to true and give \
                     the application the role Security Group Creation and Membership."
                .to_owned(),
        }
    }

    async fn owners(&self, target: &Target) -> Option<Vec<String>> {
        let cmdlet = Cmdlet::new("Get-DistributionGroup")
            .text("Identity", &target.id)
            .number("ResultSize", 2)
            .select(["ManagedBy", "ExternalDirectoryObjectId", "Guid"]);
        let answer = exchange(&self.inner.tenant).ok()?.invoke(&cmdlet).await.ok()?;
        answer.records.first().map(|record| record.texts("ManagedBy"))
    }
}
