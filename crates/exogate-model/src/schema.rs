//! Account and group schemas: which attributes a source aggregates, and of what type.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::{EXCHANGE_PREFIX, GROUPS, SHARED_MAILBOX};
use crate::catalogue::{self, EntraAttribute, ExchangeObject};
use crate::nearest;
use crate::value::AttributeType;

/// Where the value of an attribute comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeSource {
    /// A Graph property of the same name.
    Entra(&'static str),
    /// A property of an Exchange object.
    Exchange(ExchangeObject, &'static str),
    /// Rights on shared mailboxes.
    SharedMailboxes,
    /// Group memberships.
    Groups,
}

/// One attribute of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeDefinition {
    /// Its name, `EXO_` prefix included.
    pub name: String,
    /// Its type.
    pub kind: AttributeType,
    /// Whether it holds several values.
    pub multi_valued: bool,
    /// Whether its values are entitlements.
    pub entitlement: bool,
    /// Whether governance manages its values.
    pub managed: bool,
    /// Where the value comes from.
    pub source: AttributeSource,
}

/// An attribute as a configuration asks for it: a name, or a name with type and multiplicity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeRequest {
    /// The name alone; type and multiplicity come from the catalogue.
    Name(String),
    /// Spelt out, as a governance platform's schema does; must agree with the catalogue.
    Declared(DeclaredAttribute),
}

/// An attribute with its declared type and multiplicity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredAttribute {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: Option<AttributeType>,
    /// Whether it holds several values.
    #[serde(default)]
    pub multi_valued: Option<bool>,
}

impl AttributeRequest {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Declared(declared) => &declared.name,
        }
    }
}

/// What is wrong with a requested attribute.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// No such attribute.
    #[error("there is no attribute {name:?} of {object}{hint}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// `an account` or `a group`.
        object: &'static str,
        /// The nearest name, ready to print.
        hint: String,
    },
    /// The declared type or multiplicity is not that of the catalogue.
    #[error("attribute {name:?} is {actual}, not {declared}")]
    WrongType {
        /// The attribute.
        name: String,
        /// What the catalogue says.
        actual: String,
        /// What was declared.
        declared: String,
    },
    /// Named twice.
    #[error("attribute {0:?} is named twice")]
    Twice(String),
}

/// The attributes that a source aggregates of one kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    attributes: Vec<AttributeDefinition>,
}

impl Schema {
    /// The account schema: the Entra defaults, `groups`, `sharedMailbox` where Exchange is
    /// managed, and what was asked for. Reports every problem at once.
    pub fn account(requested: &[AttributeRequest], exchange: bool) -> Result<Self, Vec<SchemaError>> {
        let mut schema = Self::defaults(catalogue::ENTRA_USER);
        schema.attributes.push(AttributeDefinition {
            name: GROUPS.into(),
            kind: AttributeType::String,
            multi_valued: true,
            entitlement: true,
            managed: true,
            source: AttributeSource::Groups,
        });
        if exchange {
            schema.attributes.push(AttributeDefinition {
                name: SHARED_MAILBOX.into(),
                kind: AttributeType::String,
                multi_valued: true,
                entitlement: true,
                managed: true,
                source: AttributeSource::SharedMailboxes,
            });
        }
        schema.extend(
            requested,
            "an account",
            catalogue::ENTRA_USER,
            &[ExchangeObject::Mailbox, ExchangeObject::CasMailbox],
        )
    }

    /// The group schema: the Entra defaults and what was asked for.
    pub fn group(requested: &[AttributeRequest]) -> Result<Self, Vec<SchemaError>> {
        Self::defaults(catalogue::ENTRA_GROUP).extend(
            requested,
            "a group",
            catalogue::ENTRA_GROUP,
            &[ExchangeObject::DistributionGroup, ExchangeObject::UnifiedGroup],
        )
    }

    fn defaults(known: &'static [EntraAttribute]) -> Self {
        let attributes = known.iter().filter(|a| a.by_default).map(entra_definition).collect();
        Self { attributes }
    }

    fn extend(
        mut self,
        requested: &[AttributeRequest],
        object: &'static str,
        entra: &'static [EntraAttribute],
        exchange: &[ExchangeObject],
    ) -> Result<Self, Vec<SchemaError>> {
        let mut errors = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for request in requested {
            let name = request.name();
            if seen.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                errors.push(SchemaError::Twice(name.to_owned()));
                continue;
            }
            seen.push(name.to_owned());
            let already = self.attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name)).cloned();
            let is_default = already.is_some();
            let Some(definition) = already.or_else(|| define(name, entra, exchange)) else {
                let names = known_names(entra, exchange);
                let hint = nearest::hint(name, names.iter().map(String::as_str));
                errors.push(SchemaError::Unknown { name: name.to_owned(), object, hint });
                continue;
            };
            if let AttributeRequest::Declared(declared) = request
                && let Some(error) = disagreement(declared, &definition)
            {
                errors.push(error);
                continue;
            }
            if !is_default {
                self.attributes.push(definition);
            }
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    /// Every attribute, defaults first, then in the order asked for.
    pub fn attributes(&self) -> &[AttributeDefinition] {
        &self.attributes
    }

    /// One attribute by its name.
    pub fn get(&self, name: &str) -> Option<&AttributeDefinition> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The Graph properties that the schema needs.
    pub fn entra_properties(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.attributes.iter().filter_map(|a| match a.source {
            AttributeSource::Entra(property) => Some(property),
            _ => None,
        })
    }

    /// The properties of an Exchange object that the schema needs.
    pub fn exchange_properties(&self, object: ExchangeObject) -> impl Iterator<Item = &'static str> + '_ {
        self.attributes.iter().filter_map(move |a| match a.source {
            AttributeSource::Exchange(of, property) if of == object => Some(property),
            _ => None,
        })
    }
}

fn entra_definition(attribute: &EntraAttribute) -> AttributeDefinition {
    AttributeDefinition {
        name: attribute.name.to_owned(),
        kind: attribute.kind,
        multi_valued: attribute.multi_valued,
        entitlement: false,
        managed: false,
        source: AttributeSource::Entra(attribute.name),
    }
}

fn define(
    name: &str,
    entra: &'static [EntraAttribute],
    exchange: &[ExchangeObject],
) -> Option<AttributeDefinition> {
    if let Some(bare) = strip_prefix(name) {
        let attribute = exchange.iter().find_map(|object| catalogue::exchange_attribute(*object, bare))?;
        return Some(AttributeDefinition {
            name: format!("{EXCHANGE_PREFIX}{}", attribute.name),
            kind: attribute.kind,
            multi_valued: attribute.multi_valued,
            entitlement: false,
            managed: false,
            source: AttributeSource::Exchange(attribute.object, attribute.name),
        });
    }
    entra.iter().find(|a| a.name.eq_ignore_ascii_case(name)).map(entra_definition)
}

fn strip_prefix(name: &str) -> Option<&str> {
    let (prefix, bare) = name.split_at_checked(EXCHANGE_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(EXCHANGE_PREFIX).then_some(bare)
}

fn known_names(entra: &[EntraAttribute], exchange: &[ExchangeObject]) -> Vec<String> {
    entra
        .iter()
        .map(|a| a.name.to_owned())
        .chain(
            exchange
                .iter()
                .flat_map(|object| catalogue::exchange_attributes(*object))
                .map(|a| format!("{EXCHANGE_PREFIX}{}", a.name)),
        )
        .collect()
}

fn disagreement(declared: &DeclaredAttribute, actual: &AttributeDefinition) -> Option<SchemaError> {
    let describe = |kind: AttributeType, multi: bool| {
        format!("{} {}", if multi { "multi-valued" } else { "single-valued" }, kind.name())
    };
    let kind = declared.kind.unwrap_or(actual.kind);
    let multi = declared.multi_valued.unwrap_or(actual.multi_valued);
    (kind != actual.kind || multi != actual.multi_valued).then(|| SchemaError::WrongType {
        name: actual.name.clone(),
        actual: describe(actual.kind, actual.multi_valued),
        declared: describe(kind, multi),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> AttributeRequest {
        AttributeRequest::Name(name.into())
    }

    #[test]
    fn adds_exchange_attributes_in_their_own_type() {
        let schema =
            Schema::account(&[name("EXO_EmailAddresses"), name("exo_ImapEnabled"), name("city")], true)
                .unwrap();
        let addresses = schema.get("EXO_EmailAddresses").unwrap();
        assert!(addresses.multi_valued);
        assert_eq!(addresses.source, AttributeSource::Exchange(ExchangeObject::Mailbox, "EmailAddresses"));
        assert_eq!(schema.get("EXO_ImapEnabled").unwrap().kind, AttributeType::Boolean);
        assert!(schema.get("city").is_some());
        assert_eq!(
            schema.exchange_properties(ExchangeObject::CasMailbox).collect::<Vec<_>>(),
            ["ImapEnabled"]
        );
        assert!(schema.get(SHARED_MAILBOX).unwrap().entitlement);
        assert!(Schema::account(&[], false).unwrap().get(SHARED_MAILBOX).is_none());
    }

    #[test]
    fn reports_every_problem_at_once() {
        let declared = |n: &str, kind, multi| {
            AttributeRequest::Declared(DeclaredAttribute { name: n.into(), kind, multi_valued: multi })
        };
        let errors = Schema::account(
            &[
                name("EXO_EmailAdresses"),
                declared("EXO_Alias", Some(AttributeType::Boolean), None),
                declared("EXO_EmailAddresses", Some(AttributeType::String), Some(false)),
                name("EXO_Name"),
                name("exo_name"),
            ],
            true,
        )
        .unwrap_err();
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "there is no attribute \"EXO_EmailAdresses\" of an account; did you mean \"EXO_EmailAddresses\"?",
                "attribute \"EXO_Alias\" is single-valued string, not single-valued boolean",
                "attribute \"EXO_EmailAddresses\" is multi-valued string, not single-valued string",
                "attribute \"exo_name\" is named twice",
            ]
        );
    }

    #[test]
    fn naming_a_default_changes_nothing() {
        assert_eq!(Schema::account(&[name("displayName")], true), Schema::account(&[], true));
    }

    #[test]
    fn groups_have_their_own_attributes() {
        let schema = Schema::group(&[name("EXO_ManagedBy"), name("EXO_ConnectorsEnabled")]).unwrap();
        assert!(schema.get("EXO_ManagedBy").unwrap().multi_valued);
        assert_eq!(
            schema.exchange_properties(ExchangeObject::UnifiedGroup).collect::<Vec<_>>(),
            ["ConnectorsEnabled"]
        );
        assert!(Schema::group(&[name("EXO_ImapEnabled")]).is_err());
    }
}
