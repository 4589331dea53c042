//! The operations on one object, one after the other: read, journal, send, and look whether they
//! took effect.

use std::time::Duration;

use exogate_microsoft::exchange::Cmdlet;
use exogate_microsoft::{ErrorKind, WireError};
use exogate_model::change::Author;
use exogate_model::operation::{Action, Entry, Fault, Image, Operation, Outcome, Target, TargetKind};
use exogate_model::right::Right;
use exogate_store::StoreError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::call;
use super::effect::{is_so, narrowed, took_effect};
use super::observe::{Seen, check_target, exchange, observe};
use super::provisioner::{Inner, Observer, Step, With};
use super::secrets::Secrets;
use super::send::{Sent, failure, send};
use super::state;

/// How often a call is sent, where the one before was certainly without effect.
const ATTEMPTS: u32 = 3;

/// An operation that was sent, and waits to be seen.
struct Waiting {
    operation: Operation,
    action: Action,
    target: Target,
    before: Image,
    answered: Answered,
    made: Option<String>,
}

/// What is known of a sending.
enum Answered {
    /// The service took it.
    Taken { remarks: Vec<String> },
    /// It was so already.
    AlreadySo,
    /// Nobody knows.
    Unclear(WireError),
}

struct Chain<'a> {
    inner: &'a Inner,
    plan: &'a str,
    secrets: &'a Secrets,
    observer: &'a dyn Observer,
}

/// Runs the operations of one object.
pub(super) async fn run(
    inner: &Inner,
    plan: &str,
    operations: Vec<Operation>,
    with: &With,
    observer: &dyn Observer,
    cancel: &CancellationToken,
) -> Result<(), StoreError> {
    let chain = Chain { inner, plan, secrets: &with.secrets, observer };
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
        if cancel.is_cancelled() {
            chain.finish(&operation, never_sent(), None).await?;
            continue;
        }
        let creates = creates(&operation.action);
        let mut target = operation.target.clone();
        if let (true, Some(id)) = (target.id.is_empty(), &made) {
            target.id.clone_from(id);
        }
        if !creates && !checked {
            match chain.check(&target, made.is_some()).await {
                Ok(fresh) => (seen, checked) = (fresh, true),
                Err(error) if error.is_not_found() && deletes(&operation.action) => {
                    chain.finish(&operation, Outcome::AlreadySo, None).await?;
                    chain
                        .store(&operation, &target, &operation.action, &Outcome::AlreadySo, None, &seen)
                        .await?;
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
        let (action, gone) = with.parties.in_action(&operation.action);
        let again = waiting.iter().any(|earlier| replaces(&action, &earlier.action));
        let about = About { gone, again, new: made.is_some() };
        match chain.one(&operation, &target, action, about, &mut seen).await? {
            One::Ended(outcome) => {
                if creates && !outcome.is_success() {
                    broken = Some(depends(&operation));
                }
            }
            One::Sent(mut sent) if creates => {
                // What follows needs the id, so this one is awaited here.
                sent.made = chain.made(&sent).await;
                made.clone_from(&sent.made);
                let outcome = chain.settle(vec![*sent]).await?;
                if made.is_none() || !outcome.iter().all(Outcome::is_success) {
                    broken = Some(depends(&operation));
                }
            }
            One::Sent(sent) => waiting.push(*sent),
        }
    }
    chain.settle(waiting).await?;
    Ok(())
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
    let secrets = &Secrets::default();
    Chain { inner, plan, secrets, observer }.finish(operation, never_sent(), None).await
}

/// Settles begun operations on one object by reading.
pub(super) async fn recover(
    inner: &Inner,
    plan: &str,
    begun: Vec<Begun>,
    observer: &dyn Observer,
) -> Result<(), StoreError> {
    let secrets = &Secrets::default();
    let chain = Chain { inner, plan, secrets, observer };
    let mut waiting = Vec::new();
    for one in begun {
        let answered = match one.said.as_deref() {
            Some(said) if said.starts_with(super::send::ACCEPTED) => Answered::Taken { remarks: Vec::new() },
            Some(said) if said.starts_with(super::send::ALREADY_SO) => Answered::AlreadySo,
            _ => Answered::Unclear(one.lost),
        };
        let mut sent = Waiting {
            action: one.operation.action.clone(),
            operation: one.operation,
            target: one.target,
            before: one.before,
            answered,
            made: None,
        };
        if creates(&sent.action) {
            sent.made = chain.made(&sent).await;
        }
        waiting.push(sent);
    }
    chain.settle(waiting).await?;
    Ok(())
}

/// What else is known of an operation before it is begun.
struct About {
    /// Whom it names that is no longer there.
    gone: Vec<String>,
    /// It gives again what an earlier operation takes.
    again: bool,
    /// The object was made a moment ago.
    new: bool,
}

enum One {
    Ended(Outcome),
    Sent(Box<Waiting>),
}

fn never_sent() -> Outcome {
    Outcome::Failed {
        why: "it was interrupted before it was sent".to_owned(),
        fault: Fault::Interrupted,
        retry: true,
        remedy: "Apply the plan again: only what is missing is done.".to_owned(),
    }
}

fn depends(operation: &Operation) -> Outcome {
    Outcome::Failed {
        why: format!("operation {}, which makes it, did not succeed", operation.number),
        fault: Fault::Request,
        retry: true,
        remedy: "See to that one first, then apply the plan again.".to_owned(),
    }
}

/// Whether an action makes an object.
fn creates(action: &Action) -> bool {
    matches!(action, Action::CreateGroup { .. } | Action::CreateUser { .. })
}

/// Whether an action deletes an object.
fn deletes(action: &Action) -> bool {
    matches!(action, Action::DeleteGroup | Action::DeleteUser)
}

/// Whether a later action gives again what an earlier one of the same plan takes.
fn replaces(later: &Action, earlier: &Action) -> bool {
    match (later, earlier) {
        (
            Action::GrantRights { trustee, rights, .. },
            Action::RevokeRights { trustee: from, rights: taken },
        ) => trustee.id == from.id && rights.iter().any(|right| taken.contains(right)),
        _ => false,
    }
}

impl Chain<'_> {
    /// Makes sure of the object; a group made a moment ago may take a while to be seen.
    async fn check(&self, target: &Target, new: bool) -> Result<Seen, WireError> {
        let patience = self.inner.patience;
        let deadline = Instant::now() + if new { patience.deadline } else { Duration::ZERO };
        let mut wait = patience.first;
        loop {
            let mut seen = Seen::default();
            match check_target(&self.inner.tenant, target, &mut seen).await {
                Ok(()) => return Ok(seen),
                Err(error) if error.is_not_found() && Instant::now() + wait < deadline => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(patience.longest);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads, journals and sends one operation.
    async fn one(
        &self,
        operation: &Operation,
        target: &Target,
        action: Action,
        about: About,
        seen: &mut Seen,
    ) -> Result<One, StoreError> {
        let number = operation.number;
        let About { gone, again, new } = about;
        let before = match self.look(target, &action, new, seen).await {
            Ok(image) => image,
            Err(error) => return self.end(operation, failure(&error)).await,
        };
        self.observer.reached(Step::Observed(number)).await;
        if let (Action::CreateGroup { definition }, Image::Group { id: Some(id), .. }) = (&action, &before) {
            let outcome = Outcome::Failed {
                why: format!("a group with the alias {:?} exists already ({id})", definition.alias),
                fault: Fault::Request,
                retry: false,
                remedy: "Choose another name or alias, or modify the group that is there.".to_owned(),
            };
            return self.end(operation, outcome).await;
        }
        if let (Action::CreateUser { definition }, Image::User { id: Some(id), .. }) = (&action, &before) {
            let outcome = Outcome::Failed {
                why: format!("a user {} exists already ({id})", definition.name),
                fault: Fault::Request,
                retry: false,
                remedy: "Choose another name, or change the user that is there.".to_owned(),
            };
            return self.end(operation, outcome).await;
        }
        if is_so(&action, &before) && !again {
            self.finish(operation, Outcome::AlreadySo, None).await?;
            self.store(operation, target, &action, &Outcome::AlreadySo, None, seen).await?;
            return Ok(One::Ended(Outcome::AlreadySo));
        }
        if let Some(outcome) = refused(&action, &before, &gone, target) {
            return self.end(operation, outcome).await;
        }
        let asked = narrowed(&action, &before);
        let call = call(target, &asked, self.inner.bypass());
        let mut attempt = 1;
        let answered = loop {
            let begun = Entry::Begun { attempt, target: target.id.clone(), before: before.clone() };
            self.inner.note(self.plan, number, begun).await?;
            self.observer.reached(Step::Begun(number)).await;
            let password = self.secrets.of(operation);
            let sent = send(&self.inner.tenant, target, &asked, &call, password).await;
            self.observer.reached(Step::Sent(number)).await;
            self.inner.note(self.plan, number, Entry::Answered { said: sent.said() }).await?;
            self.observer.reached(Step::Answered(number)).await;
            match sent {
                Sent::Taken { remarks, made } => {
                    break (Answered::Taken { remarks }, made);
                }
                Sent::AlreadySo(_) => break (Answered::AlreadySo, None),
                Sent::NotDone(_) if attempt < ATTEMPTS => self.pause(attempt).await,
                Sent::Unclear(error) => {
                    // Never sent again on a guess: only a reading that shows no effect allows it, and
                    // only where doing it twice is doing it once.
                    let twice_is_once = !creates(&action);
                    if !twice_is_once || attempt >= ATTEMPTS {
                        break (Answered::Unclear(error), None);
                    }
                    if self.shows(target, &action, &before).await == Some(true) {
                        break (Answered::Unclear(error), None);
                    }
                    self.pause(attempt).await;
                }
                Sent::NotDone(error) => return self.end(operation, failure(&error)).await,
                Sent::Refused(error) => {
                    let outcome = self.explained(target, &error).await;
                    return self.end(operation, outcome).await;
                }
            }
            attempt += 1;
        };
        let (answered, made) = answered;
        Ok(One::Sent(Box::new(Waiting {
            operation: operation.clone(),
            action,
            target: target.clone(),
            before,
            answered,
            made,
        })))
    }

    /// Reads what is there; an object made a moment ago may take a while to be seen.
    async fn look(
        &self,
        target: &Target,
        action: &Action,
        new: bool,
        seen: &mut Seen,
    ) -> Result<Image, WireError> {
        let patience = self.inner.patience;
        let deadline = Instant::now() + if new { patience.deadline } else { Duration::ZERO };
        let mut wait = patience.first;
        loop {
            match observe(&self.inner.tenant, target, action, seen).await {
                Err(error) if error.is_not_found() && Instant::now() + wait < deadline => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(patience.longest);
                }
                image => return image,
            }
        }
    }

    async fn pause(&self, attempt: u32) {
        tokio::time::sleep(self.inner.patience.first * attempt).await;
    }

    /// Whether a fresh reading shows the effect; `None` if it could not be read.
    async fn shows(&self, target: &Target, action: &Action, before: &Image) -> Option<bool> {
        let now = observe(&self.inner.tenant, target, action, &mut Seen::default()).await.ok()?;
        Some(took_effect(action, before, &now))
    }

    /// The id of a group that was just made.
    async fn made(&self, sent: &Waiting) -> Option<String> {
        if sent.made.is_some() {
            return sent.made.clone();
        }
        let patience = self.inner.patience;
        let deadline = Instant::now() + patience.deadline;
        let mut wait = patience.first;
        loop {
            let look = observe(&self.inner.tenant, &sent.target, &sent.action, &mut Seen::default()).await;
            if let Ok(Image::Group { id: Some(id), .. } | Image::User { id: Some(id), .. }) = look {
                return Some(id);
            }
            if Instant::now() + wait > deadline {
                return None;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(patience.longest);
        }
    }

    /// Looks until everything that was sent is seen, or patience ends.
    async fn settle(&self, mut waiting: Vec<Waiting>) -> Result<Vec<Outcome>, StoreError> {
        let patience = self.inner.patience;
        let deadline = Instant::now() + patience.deadline;
        let mut wait = patience.first;
        let mut outcomes = Vec::new();
        // What a later operation gives again cannot be seen to be gone.
        let actions: Vec<Action> = waiting.iter().map(|one| one.action.clone()).collect();
        while !waiting.is_empty() {
            let last = Instant::now() + wait > deadline;
            let mut seen = Seen::default();
            let mut still = Vec::new();
            for one in waiting {
                self.observer.reached(Step::Verifying(one.operation.number)).await;
                let replaced = actions.iter().any(|later| replaces(later, &one.action));
                let look = match replaced {
                    true => Ok(true),
                    false => observe(&self.inner.tenant, &one.target, &one.action, &mut seen)
                        .await
                        .map(|now| took_effect(&one.action, &one.before, &now)),
                };
                let outcome = match (look, &one.answered) {
                    (Ok(true), Answered::AlreadySo) => Outcome::AlreadySo,
                    (Ok(true), _) => Outcome::Done,
                    (_, _) if !last => {
                        still.push(one);
                        continue;
                    }
                    (Ok(false), Answered::Taken { remarks }) if is_no_op(remarks) => no_effect(remarks),
                    (_, Answered::Taken { .. } | Answered::AlreadySo) => Outcome::DoneNotYetVisible,
                    (Ok(false), Answered::Unclear(error)) => failure(error),
                    (Err(_), Answered::Unclear(error)) => {
                        Outcome::Unknown { why: format!("{error}; the object could not be read either") }
                    }
                };
                self.finish(&one.operation, outcome.clone(), one.made.clone()).await?;
                self.store(&one.operation, &one.target, &one.action, &outcome, one.made.as_deref(), &seen)
                    .await?;
                outcomes.push(outcome);
            }
            waiting = still;
            if !waiting.is_empty() {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(patience.longest);
            }
        }
        Ok(outcomes)
    }

    async fn end(&self, operation: &Operation, outcome: Outcome) -> Result<One, StoreError> {
        self.finish(operation, outcome.clone(), None).await?;
        Ok(One::Ended(outcome))
    }

    async fn finish(
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

    /// Lets the stored state and the feed know.
    async fn store(
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
        state::store(self.inner, target, action, made, seen, author).await?;
        self.observer.reached(Step::Stored(operation.number)).await;
        Ok(())
    }

    /// A refusal, with what the tenant shows of its reason.
    async fn explained(&self, target: &Target, error: &WireError) -> Outcome {
        let outcome = failure(error);
        if error.kind != ErrorKind::NotGroupManager || !matches!(target.kind, TargetKind::Group(_)) {
            return outcome;
        }
        let Outcome::Failed { fault, retry, .. } = outcome else { return outcome };
        let who = self.inner.tenant.caller.username().unwrap_or("the application").to_owned();
        let owners = match owners(self, target).await {
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
}

async fn owners(chain: &Chain<'_>, target: &Target) -> Option<Vec<String>> {
    let cmdlet = Cmdlet::new("Get-DistributionGroup")
        .text("Identity", &target.id)
        .number("ResultSize", 2)
        .select(["ManagedBy", "ExternalDirectoryObjectId", "Guid"]);
    let answer = exchange(&chain.inner.tenant).ok()?.invoke(&cmdlet).await.ok()?;
    answer.records.first().map(|record| record.texts("ManagedBy"))
}

/// Whether the service says that it did nothing.
fn is_no_op(remarks: &[String]) -> bool {
    remarks.iter().any(|remark| remark == "the right was not there" || remark == "nothing had to be changed")
}

fn no_effect(remarks: &[String]) -> Outcome {
    Outcome::Failed {
        why: format!("the service changed nothing: {}", remarks.join("; ")),
        fault: Fault::Request,
        retry: false,
        remedy: "The right may be inherited or denied; look at it in the Exchange admin center.".to_owned(),
    }
}

/// What must not be sent, by what the fresh reading shows.
fn refused(action: &Action, before: &Image, gone: &[String], target: &Target) -> Option<Outcome> {
    let gives = matches!(
        action,
        Action::GrantRights { .. }
            | Action::GrantSendAs { .. }
            | Action::AddMember { .. }
            | Action::CreateGroup { .. }
            | Action::ChangeOwners { .. }
            | Action::ChangeSendOnBehalf { .. }
    );
    let refuse = |why: String, remedy: &str| {
        Some(Outcome::Failed { why, fault: Fault::Request, retry: false, remedy: remedy.to_owned() })
    };
    if gives && !gone.is_empty() {
        let why = format!("{} is no longer in the directory", gone.join(", "));
        return refuse(why, "Aggregate again, and name somebody who is there.");
    }
    let left = match (action, before) {
        (Action::ChangeOwners { add, remove }, Image::Parties { present, others }) => {
            let there = |id: &String| present.contains(id);
            let staying = present.iter().filter(|id| !remove.iter().any(|party| party.id == **id)).count();
            let joining = add.iter().filter(|party| !there(&party.id)).count();
            *others + staying as u64 + joining as u64
        }
        (
            Action::RemoveMember { role: exogate_model::group::MembershipRole::Owner, .. },
            Image::Parties { others, .. },
        ) => *others,
        _ => 1,
    };
    if left == 0 {
        return refuse(format!("{:?} would have no owner left", target.name), "Add another owner first.");
    }
    None
}

/// The rights that an action is about.
pub(super) fn rights_of(action: &Action) -> Vec<Right> {
    match action {
        Action::GrantRights { rights, .. } | Action::RevokeRights { rights, .. } => rights.clone(),
        Action::GrantSendAs { .. } | Action::RevokeSendAs { .. } => vec![Right::SendAs],
        Action::ChangeSendOnBehalf { .. } => vec![Right::SendOnBehalf],
        _ => Vec::new(),
    }
}
