//! What attributes exist: those of Exchange by the public cmdlet reference, those of Entra by the
//! published Graph schema. Names, types, multiplicity, and who sets them; no values.

use std::sync::LazyLock;

use crate::value::AttributeType;

/// The Exchange object that an attribute belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExchangeObject {
    /// `Get-Mailbox`.
    Mailbox,
    /// `Get-CASMailbox`.
    CasMailbox,
    /// `Get-User`.
    User,
    /// `Get-DistributionGroup`.
    DistributionGroup,
    /// `Get-UnifiedGroup`.
    UnifiedGroup,
}

/// A cmdlet parameter that sets an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setter {
    /// The cmdlet.
    pub cmdlet: &'static str,
    /// The parameter.
    pub parameter: &'static str,
    /// Whether values can be added and removed singly.
    pub add_remove: bool,
}

/// One Exchange attribute.
#[derive(Debug, Clone)]
pub struct ExchangeAttribute {
    /// The object it belongs to.
    pub object: ExchangeObject,
    /// Its name, without the `EXO_` prefix.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeType,
    /// Whether it holds several values.
    pub multi_valued: bool,
    /// The parameters that set it; empty if it is read-only.
    pub setters: Vec<Setter>,
    /// Whether `-Filter` understands it.
    pub filterable: bool,
    /// A switch that the reading cmdlet needs for it.
    pub needs_switch: Option<&'static str>,
    /// The values it may take, if they are few and known.
    pub values: Vec<&'static str>,
    /// Why it cannot be set, where the reference says so.
    pub read_only_reason: Option<&'static str>,
}

static EXCHANGE: LazyLock<Vec<ExchangeAttribute>> = LazyLock::new(|| {
    include_str!("../data/exchange_attributes.tsv").lines().filter_map(parse_line).collect()
});

fn parse_line(line: &'static str) -> Option<ExchangeAttribute> {
    let mut fields = line.split('\t');
    let object = match fields.next()? {
        "mailbox" => ExchangeObject::Mailbox,
        "cas_mailbox" => ExchangeObject::CasMailbox,
        "user" => ExchangeObject::User,
        "distribution_group" => ExchangeObject::DistributionGroup,
        "unified_group" => ExchangeObject::UnifiedGroup,
        _ => return None,
    };
    let name = fields.next()?;
    let kind = match fields.next()? {
        "boolean" => AttributeType::Boolean,
        "int" => AttributeType::Int,
        "long" => AttributeType::Long,
        "date" => AttributeType::Date,
        _ => AttributeType::String,
    };
    let multi_valued = fields.next()? == "multi";
    let _read_by = fields.next()?;
    let given = |field: &'static str| (field != "-").then_some(field);
    let setters = given(fields.next()?)
        .map(|list| {
            list.split(' ')
                .filter_map(|setter| {
                    let mut parts = setter.split(':');
                    Some(Setter {
                        cmdlet: parts.next()?,
                        parameter: parts.next()?,
                        add_remove: parts.next().is_some(),
                    })
                })
                .collect()
        })
        .unwrap_or_default();
    Some(ExchangeAttribute {
        object,
        name,
        kind,
        multi_valued,
        setters,
        filterable: fields.next()? == "filterable",
        needs_switch: given(fields.next()?),
        values: given(fields.next()?).map(|v| v.split('|').collect()).unwrap_or_default(),
        read_only_reason: given(fields.next()?),
    })
}

/// All attributes of an Exchange object, in the order of the reference.
pub fn exchange_attributes(object: ExchangeObject) -> impl Iterator<Item = &'static ExchangeAttribute> {
    EXCHANGE.iter().filter(move |attribute| attribute.object == object)
}

/// One attribute of an Exchange object by name (without prefix, compared without case).
pub fn exchange_attribute(object: ExchangeObject, name: &str) -> Option<&'static ExchangeAttribute> {
    exchange_attributes(object).find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// One Entra attribute.
#[derive(Debug, Clone, Copy)]
pub struct EntraAttribute {
    /// The Graph property.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeType,
    /// Whether it holds several values.
    pub multi_valued: bool,
    /// Whether it is in the schema unless the configuration says otherwise.
    pub by_default: bool,
}

const fn entra(
    name: &'static str,
    kind: AttributeType,
    multi_valued: bool,
    by_default: bool,
) -> EntraAttribute {
    EntraAttribute { name, kind, multi_valued, by_default }
}

use AttributeType::{Boolean, Date, String as Text};

/// Entra attributes of accounts.
///
/// `manager` is the object id of the manager; `assignedLicenses` holds the SKU ids.
pub const ENTRA_USER: &[EntraAttribute] = &[
    entra("userPrincipalName", Text, false, true),
    entra("displayName", Text, false, true),
    entra("givenName", Text, false, true),
    entra("surname", Text, false, true),
    entra("mail", Text, false, true),
    entra("mailNickname", Text, false, true),
    entra("otherMails", Text, true, false),
    entra("proxyAddresses", Text, true, true),
    entra("accountEnabled", Boolean, false, true),
    entra("userType", Text, false, true),
    entra("jobTitle", Text, false, true),
    entra("department", Text, false, true),
    entra("companyName", Text, false, true),
    entra("officeLocation", Text, false, true),
    entra("employeeId", Text, false, true),
    entra("employeeType", Text, false, true),
    entra("employeeHireDate", Date, false, false),
    entra("manager", Text, false, true),
    entra("usageLocation", Text, false, true),
    entra("assignedLicenses", Text, true, true),
    entra("createdDateTime", Date, false, true),
    entra("lastPasswordChangeDateTime", Date, false, false),
    entra("externalUserState", Text, false, false),
    entra("creationType", Text, false, false),
    entra("ageGroup", Text, false, false),
    entra("isResourceAccount", Boolean, false, false),
    entra("showInAddressList", Boolean, false, false),
    entra("streetAddress", Text, false, false),
    entra("city", Text, false, false),
    entra("state", Text, false, false),
    entra("postalCode", Text, false, false),
    entra("country", Text, false, false),
    entra("businessPhones", Text, true, false),
    entra("mobilePhone", Text, false, false),
    entra("faxNumber", Text, false, false),
    entra("imAddresses", Text, true, false),
    entra("preferredLanguage", Text, false, false),
    entra("preferredDataLocation", Text, false, false),
    entra("passwordPolicies", Text, false, false),
    entra("securityIdentifier", Text, false, true),
    entra("onPremisesSyncEnabled", Boolean, false, true),
    entra("onPremisesImmutableId", Text, false, false),
    entra("onPremisesSamAccountName", Text, false, false),
    entra("onPremisesDistinguishedName", Text, false, false),
    entra("onPremisesDomainName", Text, false, false),
    entra("onPremisesSecurityIdentifier", Text, false, false),
    entra("onPremisesUserPrincipalName", Text, false, false),
    entra("onPremisesLastSyncDateTime", Date, false, false),
];

/// Entra attributes of groups.
pub const ENTRA_GROUP: &[EntraAttribute] = &[
    entra("displayName", Text, false, true),
    entra("description", Text, false, true),
    entra("mail", Text, false, true),
    entra("mailNickname", Text, false, true),
    entra("mailEnabled", Boolean, false, true),
    entra("securityEnabled", Boolean, false, true),
    entra("groupTypes", Text, true, true),
    entra("proxyAddresses", Text, true, true),
    entra("visibility", Text, false, true),
    entra("membershipRule", Text, false, true),
    entra("membershipRuleProcessingState", Text, false, false),
    entra("isAssignableToRole", Boolean, false, true),
    entra("createdDateTime", Date, false, true),
    entra("expirationDateTime", Date, false, false),
    entra("renewedDateTime", Date, false, false),
    entra("classification", Text, false, false),
    entra("theme", Text, false, false),
    entra("preferredLanguage", Text, false, false),
    entra("preferredDataLocation", Text, false, false),
    entra("resourceProvisioningOptions", Text, true, false),
    entra("securityIdentifier", Text, false, true),
    entra("onPremisesSyncEnabled", Boolean, false, true),
    entra("onPremisesSamAccountName", Text, false, false),
    entra("onPremisesDomainName", Text, false, false),
    entra("onPremisesNetBiosName", Text, false, false),
    entra("onPremisesSecurityIdentifier", Text, false, false),
    entra("onPremisesLastSyncDateTime", Date, false, false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines =
            include_str!("../data/exchange_attributes.tsv").lines().filter(|l| !l.starts_with('#')).count();
        assert_eq!(EXCHANGE.len(), lines);
        assert!(exchange_attributes(ExchangeObject::Mailbox).count() > 200);
    }

    #[test]
    fn knows_types_multiplicity_and_setters() {
        let addresses = exchange_attribute(ExchangeObject::Mailbox, "emailaddresses").unwrap();
        assert!(addresses.multi_valued);
        assert_eq!(
            addresses.setters[0],
            Setter { cmdlet: "Set-Mailbox", parameter: "EmailAddresses", add_remove: true }
        );
        let imap = exchange_attribute(ExchangeObject::CasMailbox, "ImapEnabled").unwrap();
        assert_eq!(imap.kind, AttributeType::Boolean);
        assert!(
            exchange_attribute(ExchangeObject::Mailbox, "ExternalDirectoryObjectId")
                .unwrap()
                .setters
                .is_empty()
        );
    }
}
