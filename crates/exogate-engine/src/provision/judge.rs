//! What is decided about an operation without asking anybody: whether it may be sent at all, what a
//! remark of the service means, and how it ends when it never came to it. Pure.

use exogate_model::group::MembershipRole;
use exogate_model::operation::{Action, Fault, Image, Operation, Outcome, Target};
use exogate_model::right::Right;

/// The end of an operation that was not sent.
pub(super) fn never_sent() -> Outcome {
    Outcome::Failed {
        why: "it was interrupted before it was sent".to_owned(),
        fault: Fault::Interrupted,
        retry: true,
        remedy: "Apply the plan again: only what is missing is done.".to_owned(),
    }
}

/// The end of an operation on something that was not made.
pub(super) fn depends(operation: &Operation) -> Outcome {
    Outcome::Failed {
        why: format!("operation {}, which makes it, did not succeed", operation.number),
        fault: Fault::Request,
        retry: true,
        remedy: "See to that one first, then apply the plan again.".to_owned(),
    }
}

/// The end of an operation that would make something a second time.
pub(super) fn exists(action: &Action, id: &str) -> Outcome {
    let (why, remedy) = match action {
        Action::CreateUser { definition } => (
            format!("a user {} exists already ({id})", definition.name),
            "Choose another name, or change the user that is there.",
        ),
        Action::CreateGroup { definition } => (
            format!("a group with the alias {:?} exists already ({id})", definition.alias),
            "Choose another name or alias, or modify the group that is there.",
        ),
        _ => (format!("it exists already ({id})"), "Change what is there."),
    };
    Outcome::Failed { why, fault: Fault::Request, retry: false, remedy: remedy.to_owned() }
}

/// Whether an action makes an object.
pub(super) fn creates(action: &Action) -> bool {
    matches!(action, Action::CreateGroup { .. } | Action::CreateUser { .. })
}

/// Whether an action deletes an object.
pub(super) fn deletes(action: &Action) -> bool {
    matches!(action, Action::DeleteGroup | Action::DeleteUser)
}

/// The id of an object that an action would make, where it is there.
pub(super) fn there(action: &Action, image: &Image) -> Option<String> {
    match image {
        Image::Group { id, .. } | Image::User { id, .. } if creates(action) => id.clone(),
        _ => None,
    }
}

/// Whether a later action gives again what an earlier one of the same plan takes.
pub(super) fn replaces(later: &Action, earlier: &Action) -> bool {
    match (later, earlier) {
        (
            Action::GrantRights { trustee, rights, .. },
            Action::RevokeRights { trustee: from, rights: taken },
        ) => trustee.id == from.id && rights.iter().any(|right| taken.contains(right)),
        _ => false,
    }
}

/// Whether sending an action twice comes to the same as sending it once.
pub(super) fn twice_is_once(action: &Action) -> bool {
    !creates(action)
}

/// Whether the service says that it did nothing.
pub(super) fn is_no_op(remarks: &[String]) -> bool {
    remarks.iter().any(|remark| remark == "the right was not there" || remark == "nothing had to be changed")
}

/// The end of an operation that the service took and did not carry out.
pub(super) fn no_effect(remarks: &[String]) -> Outcome {
    Outcome::Failed {
        why: format!("the service changed nothing: {}", remarks.join("; ")),
        fault: Fault::Request,
        retry: false,
        remedy: "The right may be inherited or denied; look at it in the Exchange admin center.".to_owned(),
    }
}

/// What must not be sent, by what the fresh reading shows.
pub(super) fn refused(action: &Action, before: &Image, gone: &[String], target: &Target) -> Option<Outcome> {
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
        (Action::RemoveMember { role: MembershipRole::Owner, .. }, Image::Parties { others, .. }) => *others,
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
