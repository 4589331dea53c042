//! Operations: the steps of a compiled plan, what they found, and how they ended.
//!
//! Everything here is written to the journal, so every type reads back what it wrote. An action says
//! what is to become so of one object; which call makes it so is the engine's part.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::Attributes;
use crate::group::{GroupKind, MemberKind, MembershipRole};
use crate::plan::Plan;
use crate::right::Right;
use crate::value::{AttributeType, AttributeValue};

/// Somebody that a change names: fixed to an immutable id, with the names a tenant may show it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// Entra object id; empty for a trustee that stands for nobody any more.
    pub id: String,
    /// User or group.
    pub kind: MemberKind,
    /// What people call it: UPN of a user, display name of a group.
    pub name: String,
    /// What Exchange is told: UPN of a user, mail address of a group.
    pub address: String,
    /// Further names under which Exchange may render it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<String>,
    /// Security identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// What kind of object is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetKind {
    /// A mailbox of any kind.
    Mailbox,
    /// A group of this kind.
    Group(GroupKind),
    /// A user of Entra.
    User,
}

/// The object that an operation changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// What it is.
    pub kind: TargetKind,
    /// Its immutable id; empty for a group that an earlier operation of the plan makes.
    pub id: String,
    /// What people call it.
    pub name: String,
}

impl Target {
    /// What serialises operations: the id, or the name of what is still to be made.
    pub fn lock(&self) -> String {
        if self.id.is_empty() { format!("new:{}", self.name.to_lowercase()) } else { self.id.to_lowercase() }
    }
}

/// What is to become of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// The attribute, as the schema names it.
    pub attribute: String,
    /// The parameter (or Graph property) that sets it.
    pub parameter: String,
    /// The property that shows it.
    pub property: String,
    /// The cmdlet that shows it; none for a Graph property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_by: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Whether it holds several values.
    pub multi_valued: bool,
    /// Whether values can be added and removed singly.
    pub add_remove: bool,
    /// The change.
    pub change: ValueChange,
}

/// The change of one attribute's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueChange {
    /// Replace whatever is there.
    Set(AttributeValue),
    /// Have no value.
    Clear,
    /// Change single values and leave the others.
    AddRemove {
        /// Values to add.
        #[serde(default)]
        add: Vec<String>,
        /// Values to remove.
        #[serde(default)]
        remove: Vec<String>,
    },
}

/// A group to be made, or one that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupDefinition {
    /// Its kind.
    pub kind: GroupKind,
    /// Its name and display name.
    pub name: String,
    /// Its alias (mail nickname).
    pub alias: String,
    /// Its primary address; the service chooses one where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its owners.
    #[serde(default)]
    pub owners: Vec<Party>,
    /// Its members.
    #[serde(default)]
    pub members: Vec<Party>,
    /// Attributes it is made with.
    #[serde(default)]
    pub edits: Vec<Edit>,
}

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserDefinition {
    /// Its principal name.
    pub name: String,
    /// Its display name.
    pub display_name: String,
    /// Its mail nickname.
    pub nickname: String,
    /// Whether it may sign in.
    pub enabled: bool,
    /// Further attributes it is made with.
    #[serde(default)]
    pub edits: Vec<Edit>,
}

/// What one operation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Give rights on a mailbox that its own permissions hold.
    GrantRights {
        /// Who gets them.
        trustee: Party,
        /// The rights.
        rights: Vec<Right>,
        /// Whether Outlook opens the mailbox by itself; Exchange's default is yes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        auto_mapping: Option<bool>,
    },
    /// Take rights on a mailbox that its own permissions hold.
    RevokeRights {
        /// Who loses them.
        trustee: Party,
        /// The rights.
        rights: Vec<Right>,
    },
    /// Let somebody send as the mailbox.
    GrantSendAs {
        /// Who.
        trustee: Party,
    },
    /// No longer let somebody send as the mailbox.
    RevokeSendAs {
        /// Who.
        trustee: Party,
    },
    /// Change who may send on behalf of the mailbox.
    ChangeSendOnBehalf {
        /// Who may from now on.
        add: Vec<Party>,
        /// Who may no longer.
        remove: Vec<Party>,
    },
    /// Change attributes.
    SetAttributes {
        /// The cmdlet; none where Graph masters the object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cmdlet: Option<String>,
        /// The changes.
        edits: Vec<Edit>,
    },
    /// Make a group.
    CreateGroup {
        /// What it is to be.
        definition: GroupDefinition,
    },
    /// Delete the group.
    DeleteGroup,
    /// Change the owners of a group that Exchange masters.
    ChangeOwners {
        /// Who becomes one.
        add: Vec<Party>,
        /// Who is one no longer.
        remove: Vec<Party>,
    },
    /// Put somebody into the group.
    AddMember {
        /// As what.
        role: MembershipRole,
        /// Who.
        who: Party,
    },
    /// Take somebody out of the group.
    RemoveMember {
        /// As what.
        role: MembershipRole,
        /// Who.
        who: Party,
    },
    /// Make a user.
    CreateUser {
        /// What it is to be.
        definition: UserDefinition,
    },
    /// Delete the user.
    DeleteUser,
    /// Give the user another password, which is not on record.
    SetPassword,
}

/// What a fresh reading showed of that which an action changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "image", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Image {
    /// The rights in question that the trustee holds directly.
    Rights {
        /// Sorted.
        held: Vec<Right>,
    },
    /// Those in question who are on the list (of members, owners, senders on behalf).
    Parties {
        /// Their ids, sorted.
        present: Vec<String>,
        /// How many others are on it, where that matters.
        #[serde(default)]
        others: u64,
    },
    /// The attributes in question that have a value.
    Attributes {
        /// By name.
        values: Attributes,
    },
    /// The group itself.
    Group {
        /// Its id, if it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What it is, where it is about to be deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<GroupDefinition>,
    },
    /// The user itself.
    User {
        /// Its id, if it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// When its password was last changed, where that is asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_changed: Option<String>,
    },
}

/// Which request of the plan an operation serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The account or group, as the plan named it.
    pub of: String,
    /// The attribute.
    pub attribute: String,
}

/// One line of "before → after".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// What changes.
    pub what: String,
    /// As the store knows it.
    pub before: String,
    /// As it is to be.
    pub after: String,
}

/// One step of a compiled plan: one call on one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its place in the plan, from 1.
    pub number: u32,
    /// The object.
    pub target: Target,
    /// What to do.
    pub action: Action,
    /// The requests it serves.
    pub serves: Vec<Request>,
    /// What changes.
    pub shown: Vec<Shown>,
    /// Whether the store knows it to be so already.
    pub already: bool,
    /// Whether a person must confirm it.
    pub review: bool,
}

/// Who can do something about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fault {
    /// Whoever asked: the request itself cannot be carried out.
    Request,
    /// An administrator of the tenant: a permission, a role, an object mastered elsewhere.
    Tenant,
    /// The service, for now.
    Service,
    /// exogate: it was stopped before it could.
    Interrupted,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "the request",
            Self::Tenant => "the tenant",
            Self::Service => "the service",
            Self::Interrupted => "an interruption",
        })
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Done, and read back.
    Done,
    /// It was so before.
    AlreadySo,
    /// The service took it; readers did not see it within the time given.
    DoneNotYetVisible,
    /// It did not happen.
    Failed {
        /// Why.
        why: String,
        /// Who can do something about it.
        fault: Fault,
        /// Whether asking again may help.
        retry: bool,
        /// What to do.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        remedy: String,
    },
    /// It may have happened, and could not be settled by reading.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Outcome {
    /// Whether what was asked for is so, as far as the service says.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Done | Self::AlreadySo | Self::DoneNotYetVisible)
    }

    /// The state in words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadySo => "already so",
            Self::DoneNotYetVisible => "done, not yet visible",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Why it is no success, and what to do.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Failed { why, remedy, .. } if remedy.is_empty() => Some(why.clone()),
            Self::Failed { why, remedy, .. } => Some(format!("{}. {remedy}", why.trim_end_matches('.'))),
            Self::Unknown { why } => Some(why.clone()),
            _ => None,
        }
    }
}

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Entry {
    /// A plan was accepted: from here on each of its operations has an end.
    Accepted {
        /// The plan as it was asked for.
        plan: Plan,
        /// Who asked.
        by: String,
        /// Its operations.
        operations: Vec<Operation>,
        /// The operation or plan that it undoes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<String>,
    },
    /// An operation is about to be sent.
    Begun {
        /// Which attempt, from 1.
        attempt: u32,
        /// The object's id, where the plan could not know it yet.
        target: String,
        /// What was there before.
        before: Image,
    },
    /// What the service said, as far as it was heard.
    Answered {
        /// In words.
        said: String,
    },
    /// An operation ended.
    Finished {
        /// How.
        outcome: Outcome,
        /// The id of a group that was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made: Option<String>,
    },
}

impl Entry {
    /// The name used in listings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Begun { .. } => "begun",
            Self::Answered { .. } => "answered",
            Self::Finished { .. } => "finished",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_writes_it_reads_back() {
        let party = Party {
            id: "7".into(),
            kind: MemberKind::User,
            name: "kim@contoso.com".into(),
            address: "kim@contoso.com".into(),
            known_as: vec!["Kim".into()],
            sid: None,
        };
        let edit = Edit {
            attribute: "EXO_EmailAddresses".into(),
            parameter: "EmailAddresses".into(),
            property: "EmailAddresses".into(),
            read_by: Some("Get-Mailbox".into()),
            kind: AttributeType::String,
            multi_valued: true,
            add_remove: true,
            change: ValueChange::AddRemove { add: vec!["smtp:a@x".into()], remove: vec![] },
        };
        let target =
            Target { kind: TargetKind::Group(GroupKind::Security), id: String::new(), name: "S".into() };
        let actions = [
            Action::GrantRights {
                trustee: party.clone(),
                rights: vec![Right::FullAccess],
                auto_mapping: Some(false),
            },
            Action::SetAttributes { cmdlet: Some("Set-Mailbox".into()), edits: vec![edit] },
            Action::DeleteGroup,
            Action::AddMember { role: MembershipRole::Owner, who: party },
        ];
        for action in actions {
            let operation = Operation {
                number: 1,
                target: target.clone(),
                action,
                serves: vec![],
                shown: vec![],
                already: false,
                review: false,
            };
            let entry = Entry::Accepted {
                plan: Plan::default(),
                by: "kim".into(),
                operations: vec![operation],
                undoes: None,
            };
            let text = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry, "{text}");
        }
        let entry = Entry::Finished {
            outcome: Outcome::Failed {
                why: "no".into(),
                fault: Fault::Tenant,
                retry: false,
                remedy: "x".into(),
            },
            made: None,
        };
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry, "{text}");
    }
}
