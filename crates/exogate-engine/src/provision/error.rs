//! What a plan cannot be compiled for, each with what to do about it.

use exogate_model::entitlement::LabelError;
use exogate_model::group::GroupKind;
use exogate_model::value::TypeMismatch;
use serde::Serialize;
use thiserror::Error;

/// One request of a plan that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{of}: {problem}")]
pub struct PlanError {
    /// The account or group, and the attribute.
    pub of: String,
    /// What is wrong.
    pub problem: Problem,
}

impl Serialize for PlanError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("PlanError", 2)?;
        out.serialize_field("of", &self.of)?;
        out.serialize_field("problem", &self.problem.to_string())?;
        out.end()
    }
}

fn nearest(name: &Option<String>) -> String {
    name.as_ref().map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// What is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// Nothing is known by that name.
    #[error("{what} {name:?} is not known{}{more}", nearest(.near))]
    Unknown {
        /// `account`, `mailbox`, `group` …
        what: &'static str,
        /// The name.
        name: String,
        /// What may have been meant.
        near: Option<String>,
        /// A further explanation, ready to print.
        more: &'static str,
    },
    /// Several bear the name.
    #[error("{what} {name:?} is ambiguous; it may be {}: name one by its address or id", candidates.join(", "))]
    Ambiguous {
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// Each that bears it.
        candidates: Vec<String>,
    },
    /// Not an entitlement.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Rights on that kind of mailbox are not governed.
    #[error(
        "rights on {kind} mailboxes such as {mailbox:?} are not governed; add the kind to options.entitlement_mailboxes \
         and aggregate"
    )]
    NotGoverned {
        /// The mailbox.
        mailbox: String,
        /// Its kind.
        kind: String,
    },
    /// The trustee could be named to Exchange, but the right would not work.
    #[error("{name} cannot hold rights on mailboxes: {why}")]
    UselessTrustee {
        /// Who.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// No such attribute.
    #[error("there is no attribute {name:?}{hint}")]
    NoAttribute {
        /// The attribute.
        name: String,
        /// The nearest, ready to print.
        hint: String,
    },
    /// The policy does not name it.
    #[error("the provisioning policy does not name {name}; add it under policy.{policy} of the source")]
    NotInPolicy {
        /// The attribute.
        name: String,
        /// The kind of object.
        policy: String,
    },
    /// Nobody can set it.
    #[error("{name} is read-only{why}")]
    ReadOnly {
        /// The attribute.
        name: String,
        /// Why, ready to print.
        why: String,
    },
    /// The value does not fit.
    #[error("{name}: {mismatch}")]
    WrongType {
        /// The attribute.
        name: String,
        /// How.
        mismatch: TypeMismatch,
    },
    /// One value only.
    #[error("{name} holds one value: set it, instead of adding or removing")]
    SingleValued {
        /// The attribute.
        name: String,
    },
    /// Only certain values are possible.
    #[error("{name} cannot be {value:?}; it is one of {allowed}")]
    NotAllowed {
        /// The attribute.
        name: String,
        /// The value.
        value: String,
        /// Those possible.
        allowed: String,
    },
    /// Nothing was given to add or remove.
    #[error("{name}: no value to add or remove")]
    NoValue {
        /// The attribute.
        name: String,
    },
    /// Not mastered here.
    #[error(
        "{name} is synchronised from the on-premises directory; change it in Active Directory, from where it comes"
    )]
    Synced {
        /// The object.
        name: String,
    },
    /// Two requests that cannot both be.
    #[error("another request of the plan contradicts this one: {what}")]
    Contradiction {
        /// What.
        what: String,
    },
    /// Somebody must own it.
    #[error("{group:?} would have no owner left; add another owner first")]
    LastOwner {
        /// The group.
        group: String,
    },
    /// A new Exchange group needs one.
    #[error("a new {kind} group needs an owner: an application cannot own what it makes")]
    NeedsOwner {
        /// The kind.
        kind: GroupKind,
    },
    /// The kind of a new group must be said.
    #[error(
        "the kind of the new group is missing: distributionList, mailEnabledSecurity, microsoft365 or security"
    )]
    NeedsKind,
    /// Nobody can make one of this kind here.
    #[error("groups of kind {kind} cannot be changed here{why}")]
    WrongKind {
        /// The kind.
        kind: GroupKind,
        /// Why, ready to print.
        why: &'static str,
    },
    /// A group of that name is there.
    #[error("a group {name:?} exists already; modify it, or choose another name")]
    Exists {
        /// The name.
        name: String,
    },
    /// The policy requires it.
    #[error("the provisioning policy requires {name} for a new group")]
    Required {
        /// The attribute.
        name: String,
    },
    /// It has none.
    #[error("{name} has no mailbox, so {attribute} cannot be set")]
    NoMailbox {
        /// The account.
        name: String,
        /// The attribute.
        attribute: String,
    },
    /// The source does not manage users.
    #[error("this source does not make or change users in Entra (options.manage_users is false)")]
    UsersNotManaged,
    /// The source does not delete users.
    #[error("this source does not delete users in Entra (options.delete_users is false)")]
    UsersNotDeleted,
    /// A user of that name is there.
    #[error("a user {name:?} exists already; change it, or choose another name")]
    UserExists {
        /// The name.
        name: String,
    },
    /// Not a name that a user can bear.
    #[error("{name:?} is no user principal name; write it as kim@contoso.com, without blanks")]
    UserName {
        /// The name.
        name: String,
    },
    /// The source does not manage Exchange.
    #[error(
        "this needs Exchange, which the source does not manage (options.manage_exchange_online is false)"
    )]
    NoExchange,
    /// A member of that kind is not possible.
    #[error("{who} cannot be a member of {group:?}: {why}")]
    WrongMember {
        /// Who.
        who: String,
        /// The group.
        group: String,
        /// Why.
        why: &'static str,
    },
}
