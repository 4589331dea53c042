//! Provisioning policies: which attributes a source may set, per kind of object.
//!
//! Checked when the configuration is read: an attribute must be in the schema and be one that
//! Exchange lets anybody set, so that a change never fails for a reason known beforehand.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::EXCHANGE_PREFIX;
use crate::catalogue::{self, ExchangeAttribute, ExchangeObject, Setter};
use crate::group::GroupKind;
use crate::nearest;
use crate::plan::PlanValue;
use crate::schema::{AttributeDefinition, AttributeSource, Schema};
use crate::value::{self, AttributeType};

/// The kinds of object that a policy knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// Mailboxes of accounts: user, shared, room and equipment.
    Account,
    /// Distribution lists.
    DistributionList,
    /// Mail-enabled security groups.
    MailEnabledSecurityGroup,
    /// Microsoft 365 groups.
    Microsoft365Group,
}

impl PolicyKind {
    /// The policy that governs a group of this kind, if its attributes can be set at all.
    pub fn of_group(kind: GroupKind) -> Option<Self> {
        match kind {
            GroupKind::DistributionList => Some(Self::DistributionList),
            GroupKind::MailEnabledSecurity => Some(Self::MailEnabledSecurityGroup),
            GroupKind::Microsoft365 => Some(Self::Microsoft365Group),
            GroupKind::Security | GroupKind::DynamicDistribution => None,
        }
    }

    /// The Exchange objects whose attributes it may name.
    fn objects(self) -> &'static [ExchangeObject] {
        match self {
            Self::Account => &[ExchangeObject::Mailbox, ExchangeObject::CasMailbox],
            Self::DistributionList | Self::MailEnabledSecurityGroup => &[ExchangeObject::DistributionGroup],
            Self::Microsoft365Group => &[ExchangeObject::UnifiedGroup],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::DistributionList => "distribution_list",
            Self::MailEnabledSecurityGroup => "mail_enabled_security_group",
            Self::Microsoft365Group => "microsoft_365_group",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One attribute of a policy, as a configuration writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyAttribute {
    /// The attribute, with its `EXO_` prefix.
    pub name: String,
    /// Its type; must be that of the schema.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AttributeType>,
    /// Its multiplicity; must be that of the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_valued: Option<bool>,
    /// Must be given when a group is made.
    #[serde(default)]
    pub required: bool,
    /// What a new group gets if nothing is given.
    #[serde(default)]
    pub default: PlanValue,
    /// A person confirms before it is carried out.
    #[serde(default)]
    pub review_required: bool,
}

/// A policy as a configuration writes it.
pub type PolicyRequest = BTreeMap<PolicyKind, Vec<PolicyAttribute>>;

/// An attribute that may be set, with the parameter that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettableAttribute {
    /// The attribute as the schema defines it.
    pub definition: AttributeDefinition,
    /// The parameter that sets it.
    pub setter: Setter,
    /// Must be given when a group is made.
    pub required: bool,
    /// What a new group gets if nothing is given.
    pub default: PlanValue,
    /// A person confirms before it is carried out.
    pub review_required: bool,
}

/// A policy that has been checked against the schema and the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvisioningPolicy {
    attributes: BTreeMap<PolicyKind, Vec<SettableAttribute>>,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Not in the schema.
    #[error("policy {kind}: attribute {name:?} is not in the schema{hint}; add it there first")]
    NotInSchema {
        /// The kind of object.
        kind: PolicyKind,
        /// The attribute.
        name: String,
        /// The nearest name, ready to print.
        hint: String,
    },
    /// Not an Exchange attribute of that kind of object.
    #[error("policy {kind}: attribute {name:?} is not one of Exchange's for this kind of object")]
    WrongObject {
        /// The kind of object.
        kind: PolicyKind,
        /// The attribute.
        name: String,
    },
    /// Nobody can set it.
    #[error("policy {kind}: attribute {name:?} is read-only{why}")]
    ReadOnly {
        /// The kind of object.
        kind: PolicyKind,
        /// The attribute.
        name: String,
        /// The reason where it is known, ready to print.
        why: String,
    },
    /// Declared type or multiplicity, or the default, does not fit the schema.
    #[error("policy {kind}: attribute {name:?} {problem}")]
    WrongType {
        /// The kind of object.
        kind: PolicyKind,
        /// The attribute.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// Named twice.
    #[error("policy {kind}: attribute {name:?} is named twice")]
    Twice {
        /// The kind of object.
        kind: PolicyKind,
        /// The attribute.
        name: String,
    },
}

impl ProvisioningPolicy {
    /// Checks a policy against the schemas and the catalogue. Reports every problem at once.
    pub fn check(
        request: &PolicyRequest,
        account: &Schema,
        group: &Schema,
    ) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        let mut checked = BTreeMap::new();
        for (kind, attributes) in request {
            let schema = if *kind == PolicyKind::Account { account } else { group };
            let mut settable: Vec<SettableAttribute> = Vec::new();
            for attribute in attributes {
                match check_attribute(*kind, attribute, schema) {
                    Ok(found) if settable.iter().any(|s| s.definition.name == found.definition.name) => {
                        errors.push(PolicyError::Twice { kind: *kind, name: attribute.name.clone() });
                    }
                    Ok(found) => settable.push(found),
                    Err(error) => errors.push(error),
                }
            }
            checked.insert(*kind, settable);
        }
        if errors.is_empty() { Ok(Self { attributes: checked }) } else { Err(errors) }
    }

    /// The attributes that may be set on objects of this kind.
    pub fn attributes(&self, kind: PolicyKind) -> &[SettableAttribute] {
        self.attributes.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// One attribute that may be set, by name without regard to case.
    pub fn get(&self, kind: PolicyKind, name: &str) -> Option<&SettableAttribute> {
        self.attributes(kind).iter().find(|attribute| attribute.definition.name.eq_ignore_ascii_case(name))
    }
}

fn check_attribute(
    kind: PolicyKind,
    attribute: &PolicyAttribute,
    schema: &Schema,
) -> Result<SettableAttribute, PolicyError> {
    let name = attribute.name.clone();
    let Some(definition) = schema.attributes().iter().find(|a| a.name.eq_ignore_ascii_case(&name)) else {
        let hint = nearest::hint(&name, schema.attributes().iter().map(|a| a.name.as_str()));
        return Err(PolicyError::NotInSchema { kind, name, hint });
    };
    // A group attribute may be defined for lists and for Microsoft 365 groups alike: ask the catalogue of this kind.
    let AttributeSource::Exchange(_, property) = definition.source else {
        return Err(PolicyError::WrongObject { kind, name });
    };
    let Some(known) =
        kind.objects().iter().find_map(|object| catalogue::exchange_attribute(*object, property))
    else {
        return Err(PolicyError::WrongObject { kind, name });
    };
    let Some(setter) = preferred_setter(known) else {
        let why = known.read_only_reason.map_or_else(String::new, |reason| format!(": {reason}"));
        return Err(PolicyError::ReadOnly { kind, name, why });
    };
    if let Some(problem) = type_problem(attribute, definition) {
        return Err(PolicyError::WrongType { kind, name, problem });
    }
    Ok(SettableAttribute {
        definition: definition.clone(),
        setter,
        required: attribute.required,
        default: attribute.default.clone(),
        review_required: attribute.review_required,
    })
}

/// The parameter of the attribute's own name wins; the primary address is set by the parameter that
/// sets it alone, so that the other addresses stay.
fn preferred_setter(attribute: &ExchangeAttribute) -> Option<Setter> {
    let own = attribute.setters.iter().find(|setter| setter.parameter.eq_ignore_ascii_case(attribute.name));
    let alone = attribute.setters.iter().find(|setter| setter.parameter != "EmailAddresses");
    own.or(alone).or(attribute.setters.first()).copied()
}

fn type_problem(attribute: &PolicyAttribute, definition: &AttributeDefinition) -> Option<String> {
    if let Some(kind) = attribute.kind
        && kind != definition.kind
    {
        return Some(format!("is a {} in the schema, not a {}", definition.kind.name(), kind.name()));
    }
    if let Some(multi_valued) = attribute.multi_valued
        && multi_valued != definition.multi_valued
    {
        let actual = if definition.multi_valued { "multi-valued" } else { "single-valued" };
        return Some(format!("is {actual} in the schema"));
    }
    value::read(&attribute.default.to_json(), definition.kind, definition.multi_valued)
        .err()
        .map(|error| format!("has a default that does not fit: {error}"))
}

/// Whether a name is that of an Exchange attribute.
pub fn is_exchange_name(name: &str) -> bool {
    name.get(..EXCHANGE_PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(EXCHANGE_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanScalar;
    use crate::schema::AttributeRequest;

    fn schemas() -> (Schema, Schema) {
        let names =
            |names: &[&str]| names.iter().map(|n| AttributeRequest::Name((*n).into())).collect::<Vec<_>>();
        let account = Schema::account(
            &names(&[
                "EXO_EmailAddresses",
                "EXO_Alias",
                "EXO_Guid",
                "EXO_ImapEnabled",
                "EXO_PrimarySmtpAddress",
            ]),
            true,
        );
        let group = Schema::group(&names(&["EXO_ManagedBy", "EXO_ConnectorsEnabled"]));
        (account.unwrap(), group.unwrap())
    }

    fn attribute(name: &str) -> PolicyAttribute {
        PolicyAttribute {
            name: name.into(),
            kind: None,
            multi_valued: None,
            required: false,
            default: PlanValue::None,
            review_required: false,
        }
    }

    #[test]
    fn finds_the_parameter_that_sets_each_attribute() {
        let (account, group) = schemas();
        let request = PolicyRequest::from([(
            PolicyKind::Account,
            ["EXO_EmailAddresses", "exo_imapenabled", "EXO_PrimarySmtpAddress"].map(attribute).to_vec(),
        )]);
        let policy = ProvisioningPolicy::check(&request, &account, &group).unwrap();
        let setter =
            |name| policy.get(PolicyKind::Account, name).map(|a| (a.setter.cmdlet, a.setter.parameter));
        assert_eq!(setter("EXO_EmailAddresses"), Some(("Set-Mailbox", "EmailAddresses")));
        assert_eq!(setter("EXO_ImapEnabled"), Some(("Set-CASMailbox", "ImapEnabled")));
        assert_eq!(setter("EXO_PrimarySmtpAddress"), Some(("Set-Mailbox", "WindowsEmailAddress")));
        assert_eq!(setter("EXO_Alias"), None);
    }

    #[test]
    fn refuses_what_could_never_succeed_and_says_all_of_it() {
        let (account, group) = schemas();
        let request = PolicyRequest::from([
            (
                PolicyKind::Account,
                vec![
                    attribute("EXO_Guid"),
                    attribute("EXO_Aliass"),
                    attribute("displayName"),
                    PolicyAttribute { kind: Some(AttributeType::Boolean), ..attribute("EXO_Alias") },
                    PolicyAttribute {
                        default: PlanValue::One(PlanScalar::Text("maybe".into())),
                        ..attribute("EXO_ImapEnabled")
                    },
                ],
            ),
            (
                PolicyKind::DistributionList,
                vec![
                    attribute("EXO_ConnectorsEnabled"),
                    attribute("EXO_ManagedBy"),
                    attribute("EXO_ManagedBy"),
                ],
            ),
        ]);
        let errors = ProvisioningPolicy::check(&request, &account, &group).unwrap_err();
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "policy account: attribute \"EXO_Guid\" is read-only",
                "policy account: attribute \"EXO_Aliass\" is not in the schema; did you mean \"EXO_Alias\"?; add it there first",
                "policy account: attribute \"displayName\" is not one of Exchange's for this kind of object",
                "policy account: attribute \"EXO_Alias\" is a string in the schema, not a boolean",
                "policy account: attribute \"EXO_ImapEnabled\" has a default that does not fit: expected boolean, got \"maybe\"",
                "policy distribution_list: attribute \"EXO_ConnectorsEnabled\" is not one of Exchange's for this kind of object",
                "policy distribution_list: attribute \"EXO_ManagedBy\" is named twice",
            ]
        );
    }
}
