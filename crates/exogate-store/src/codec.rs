//! How the model's words are put into columns, and read back.

use std::fmt;

use exogate_model::account::Attributes;
use exogate_model::change::ObjectKind;
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::trustee::Principal;
use exogate_model::value::AttributeValue;
use jiff::Timestamp;
use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::batch::{Coverage, Facet};
use crate::error::Fault;
use crate::run::RunState;

/// A part of the state that is marked object by object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Users,
    Mailboxes,
    Cas,
    Groups,
    GroupExchange,
    DynamicGroups,
}

impl Part {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    /// All of them.
    pub(crate) const ALL: [Self; Self::COUNT] =
        [Self::Users, Self::Mailboxes, Self::Cas, Self::Groups, Self::GroupExchange, Self::DynamicGroups];

    /// Its place among them.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The number in `marks.part`.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Users => 1,
            Self::Mailboxes => 2,
            Self::Cas => 3,
            Self::Groups => 4,
            Self::GroupExchange => 5,
            Self::DynamicGroups => 6,
        }
    }

    /// Which part a group of this kind belongs to.
    pub(crate) fn of_group(kind: GroupKind) -> Self {
        if kind == GroupKind::DynamicDistribution { Self::DynamicGroups } else { Self::Groups }
    }

    /// The coverage that speaks for it.
    pub(crate) fn coverage(self) -> Coverage {
        match self {
            Self::Users => Coverage::Users,
            Self::Mailboxes => Coverage::Mailboxes,
            Self::Cas => Coverage::CasAttributes,
            Self::Groups => Coverage::Groups,
            Self::GroupExchange => Coverage::GroupExchange,
            Self::DynamicGroups => Coverage::DynamicGroups,
        }
    }

    /// The part that a coverage speaks for, if it is marked object by object.
    pub(crate) fn covered_by(coverage: Coverage) -> Option<Self> {
        Some(match coverage {
            Coverage::Users => Self::Users,
            Coverage::Mailboxes => Self::Mailboxes,
            Coverage::CasAttributes => Self::Cas,
            Coverage::Groups => Self::Groups,
            Coverage::DynamicGroups => Self::DynamicGroups,
            Coverage::GroupExchange => Self::GroupExchange,
            Coverage::Memberships | Coverage::Grants(_) => return None,
        })
    }

    /// The kind of object that its changes belong to.
    pub(crate) fn object(self) -> ObjectKind {
        match self {
            Self::Users => ObjectKind::User,
            Self::Mailboxes | Self::Cas => ObjectKind::Mailbox,
            Self::Groups | Self::GroupExchange | Self::DynamicGroups => ObjectKind::Group,
        }
    }

    /// The table of what look-ups and scans need, if it has one.
    pub(crate) fn identity_table(self) -> Option<&'static str> {
        match self {
            Self::Users => Some("users"),
            Self::Mailboxes => Some("mailboxes"),
            Self::Cas => None,
            Self::Groups | Self::DynamicGroups => Some("groups"),
            Self::GroupExchange => Some("group_exchange"),
        }
    }

    /// Whether its attributes are found by the place of the row that identifies the object. Others have the
    /// object's integer with them.
    pub(crate) fn is_placed(self) -> bool {
        matches!(self, Self::Users | Self::Mailboxes)
    }

    /// What deletes the attributes of the objects whose integers are in `oids`, before the rows go that
    /// identify them; and then those.
    pub(crate) fn deletions(self, oids: &str) -> impl Iterator<Item = String> {
        let (identity, attributes) = (self.identity_table(), self.attribute_table());
        let which = match identity.filter(|_| self.is_placed()) {
            Some(identity) => format!("place IN (SELECT place FROM {identity} WHERE oid IN {oids})"),
            None => format!("oid IN {oids}"),
        };
        std::iter::once(format!("DELETE FROM {attributes} WHERE {which}"))
            .chain(identity.map(|identity| format!("DELETE FROM {identity} WHERE oid IN {oids}")))
    }

    /// The table of its attributes.
    pub(crate) fn attribute_table(self) -> &'static str {
        match self {
            Self::Users => "user_attributes",
            Self::Mailboxes => "mailbox_attributes",
            Self::Cas => "cas_attributes",
            Self::Groups | Self::DynamicGroups => "group_attributes",
            Self::GroupExchange => "group_exchange_attributes",
        }
    }
}

/// The name of a coverage in `settled.part`.
pub(crate) fn coverage_name(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Users => "users",
        Coverage::Mailboxes => "mailboxes",
        Coverage::CasAttributes => "casAttributes",
        Coverage::Groups => "groups",
        Coverage::DynamicGroups => "dynamicGroups",
        Coverage::GroupExchange => "groupExchange",
        Coverage::Memberships => "memberships",
        Coverage::Grants(facet) => facet.name(),
    }
}

pub(crate) fn facet_number(facet: Facet) -> i64 {
    match facet {
        Facet::MailboxPermission => 1,
        Facet::SendAs => 2,
        Facet::SendOnBehalf => 3,
    }
}

pub(crate) fn facet(number: i64) -> Result<Facet, Fault> {
    Facet::ALL
        .into_iter()
        .find(|facet| facet_number(*facet) == number)
        .ok_or_else(|| unknown("a facet", number))
}

pub(crate) fn object_number(object: ObjectKind) -> i64 {
    match object {
        ObjectKind::User => 1,
        ObjectKind::Mailbox => 2,
        ObjectKind::Group => 3,
    }
}

pub(crate) fn object(number: i64) -> Result<ObjectKind, Fault> {
    [ObjectKind::User, ObjectKind::Mailbox, ObjectKind::Group]
        .into_iter()
        .find(|object| object_number(*object) == number)
        .ok_or_else(|| unknown("a kind of object", number))
}

pub(crate) fn role_number(role: MembershipRole) -> i64 {
    match role {
        MembershipRole::Member => 0,
        MembershipRole::Owner => 1,
    }
}

pub(crate) fn role(number: i64) -> Result<MembershipRole, Fault> {
    match number {
        0 => Ok(MembershipRole::Member),
        1 => Ok(MembershipRole::Owner),
        _ => Err(unknown("a role", number)),
    }
}

const MEMBER_KINDS: [MemberKind; 6] = [
    MemberKind::User,
    MemberKind::Group,
    MemberKind::Contact,
    MemberKind::Device,
    MemberKind::ServicePrincipal,
    MemberKind::Other,
];

pub(crate) fn member_kind_number(kind: MemberKind) -> i64 {
    match kind {
        MemberKind::User => 1,
        MemberKind::Group => 2,
        MemberKind::Contact => 3,
        MemberKind::Device => 4,
        MemberKind::ServicePrincipal => 5,
        MemberKind::Other => 6,
    }
}

pub(crate) fn member_kind(number: i64) -> Result<MemberKind, Fault> {
    MEMBER_KINDS
        .into_iter()
        .find(|kind| member_kind_number(*kind) == number)
        .ok_or_else(|| unknown("a kind of member", number))
}

pub(crate) fn group_kind(text: &str) -> Result<GroupKind, Fault> {
    text.parse().map_err(|error: String| Fault::unreadable("a kind of group", error))
}

pub(crate) fn run_state(text: &str) -> Result<RunState, Fault> {
    [RunState::Running, RunState::Completed, RunState::Incomplete, RunState::Failed, RunState::Stopped]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| Fault::unreadable("the state of a run", text))
}

/// Attributes as they were stored. Read by their first byte: trying one type after the other, as
/// an untagged enum does, makes an error and throws it away for nearly every value.
pub(crate) fn attributes(json: &str) -> Result<Attributes, Fault> {
    let Stored(attributes) = from_json("attributes", json)?;
    Ok(attributes)
}

struct Stored(Attributes);

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(StoredVisitor).map(Self)
    }
}

struct StoredVisitor;

impl<'de> Visitor<'de> for StoredVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes::new();
        while let Some((name, StoredValue(value))) = members.next_entry()? {
            attributes.insert(name, value);
        }
        Ok(attributes)
    }
}

struct StoredValue(AttributeValue);

impl<'de> Deserialize<'de> for StoredValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StoredValueVisitor).map(Self)
    }
}

struct StoredValueVisitor;

impl<'de> Visitor<'de> for StoredValueVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, a whole number, a text or a list of texts")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(AttributeValue::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(AttributeValue::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        i64::try_from(value)
            .map(AttributeValue::Integer)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(AttributeValue::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(item) = items.next_element()? {
            many.push(item);
        }
        Ok(AttributeValue::Many(many))
    }
}

pub(crate) fn principal(json: &str) -> Result<Principal, Fault> {
    from_json("a principal", json)
}

pub(crate) fn from_json<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|error| Fault::unreadable(what, error))
}

pub(crate) fn to_json<T: serde::Serialize>(what: &str, value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::unreadable(what, error))
}

pub(crate) fn instant(milliseconds: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(milliseconds).map_err(|error| Fault::unreadable("an instant", error))
}

/// Ids are compared without case; what is stored is in lower case.
pub(crate) fn id(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn unknown(what: &str, number: i64) -> Fault {
    Fault::unreadable(what, number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn attributes_come_back_as_they_went(
            texts in proptest::collection::btree_map(".{0,8}", ".{0,12}", 0..4),
            number: i64,
            many in proptest::collection::vec(".{0,6}", 1..4),
        ) {
            let mut all: Attributes =
                texts.into_iter().map(|(name, text)| (name, AttributeValue::Text(text))).collect();
            all.insert("number".into(), AttributeValue::Integer(number));
            all.insert("many".into(), AttributeValue::Many(many));
            all.insert("true".into(), AttributeValue::Boolean(true));
            prop_assert_eq!(attributes(&to_json("attributes", &all).unwrap()).unwrap(), all);
        }
    }

    #[test]
    fn what_was_changed_by_hand_is_said_to_be_unreadable() {
        for json in ["{\"a\":null}", "{\"a\":1.5}", "{\"a\":[1]}", "{\"a\":18446744073709551615}", "[]"] {
            assert!(matches!(attributes(json), Err(Fault::Store(_))), "{json}");
        }
    }
}
