//! The properties that each kind of row has: order, wire type and default, read once from `data/attributes.json`.
//!
//! Where a property's value comes from is the business of the rows.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::fragment::Fragment;
use super::rows::Field;

/// Kinds of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowClass {
    Mailbox,
    CasMailbox,
    MailboxStatistics,
    User,
    DistributionGroup,
    UnifiedGroup,
    Recipient,
    MailUser,
    MailContact,
    DynamicDistributionGroup,
    Group,
    AutoReply,
    Regional,
    MailboxPermission,
    MailboxOwner,
    RecipientPermission,
    MailboxFolderPermission,
    AcceptedDomain,
    OrganizationConfig,
    MailboxPlan,
    RoleAssignmentPolicy,
    OwaMailboxPolicy,
    AuditLog,
    MailboxFolderStatistics,
    CalendarProcessing,
    MailboxCalendar,
    MailboxMessage,
    MailboxJunk,
    Contact,
    RoleGroup,
    ManagementRole,
    ManagementRoleAssignment,
    ExchangePrincipal,
    AdminAuditLogConfig,
    RetentionPolicy,
    SharingPolicy,
    CasMailboxPlan,
}

impl RowClass {
    /// Every kind.
    pub const ALL: [Self; 37] = [
        Self::Mailbox,
        Self::CasMailbox,
        Self::MailboxStatistics,
        Self::User,
        Self::DistributionGroup,
        Self::UnifiedGroup,
        Self::Recipient,
        Self::MailUser,
        Self::MailContact,
        Self::DynamicDistributionGroup,
        Self::Group,
        Self::AutoReply,
        Self::Regional,
        Self::MailboxPermission,
        Self::MailboxOwner,
        Self::RecipientPermission,
        Self::MailboxFolderPermission,
        Self::AcceptedDomain,
        Self::OrganizationConfig,
        Self::MailboxPlan,
        Self::RoleAssignmentPolicy,
        Self::OwaMailboxPolicy,
        Self::AuditLog,
        Self::MailboxFolderStatistics,
        Self::CalendarProcessing,
        Self::MailboxCalendar,
        Self::MailboxMessage,
        Self::MailboxJunk,
        Self::Contact,
        Self::RoleGroup,
        Self::ManagementRole,
        Self::ManagementRoleAssignment,
        Self::ExchangePrincipal,
        Self::AdminAuditLogConfig,
        Self::RetentionPolicy,
        Self::SharingPolicy,
        Self::CasMailboxPlan,
    ];

    const fn key(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::CasMailbox => "cas_mailbox",
            Self::MailboxStatistics => "mailbox_statistics",
            Self::User => "user",
            Self::DistributionGroup => "distribution_group",
            Self::UnifiedGroup => "unified_group",
            Self::Recipient => "recipient",
            Self::MailUser => "mail_user",
            Self::MailContact => "mail_contact",
            Self::DynamicDistributionGroup => "dynamic_distribution_group",
            Self::Group => "group",
            Self::AutoReply => "auto_reply",
            Self::Regional => "regional",
            Self::MailboxPermission => "mailbox_permission",
            Self::MailboxOwner => "mailbox_owner",
            Self::RecipientPermission => "recipient_permission",
            Self::MailboxFolderPermission => "mailbox_folder_permission",
            Self::AcceptedDomain => "accepted_domain",
            Self::OrganizationConfig => "organization_config",
            Self::MailboxPlan => "mailbox_plan",
            Self::RoleAssignmentPolicy => "role_assignment_policy",
            Self::OwaMailboxPolicy => "owa_mailbox_policy",
            Self::AuditLog => "audit_log",
            Self::MailboxFolderStatistics => "mailbox_folder_statistics",
            Self::CalendarProcessing => "calendar_processing",
            Self::MailboxCalendar => "mailbox_calendar",
            Self::MailboxMessage => "mailbox_message",
            Self::MailboxJunk => "mailbox_junk",
            Self::Contact => "contact",
            Self::RoleGroup => "role_group",
            Self::ManagementRole => "management_role",
            Self::ManagementRoleAssignment => "management_role_assignment",
            Self::ExchangePrincipal => "exchange_principal",
            Self::AdminAuditLogConfig => "admin_audit_log_config",
            Self::RetentionPolicy => "retention_policy",
            Self::SharingPolicy => "sharing_policy",
            Self::CasMailboxPlan => "cas_mailbox_plan",
        }
    }
}

/// The type of a property on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    /// Text (enumerations, sizes, time spans and identities too).
    Text,
    /// A GUID, annotated twice.
    Guid,
    /// A local time.
    Time,
    /// A time in UTC.
    TimeUtc,
    /// A 16-bit number, annotated twice.
    Int16,
    /// A 32-bit number.
    Int32,
    /// A collection of texts.
    List,
    /// True or false.
    Bool,
}

/// One property of a kind of row.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub wire: WireType,
    /// What it is when nothing else is known.
    pub default: Json,
    /// The switch without which it stays empty.
    pub switch: Option<&'static str>,
    /// What of the state it shows; properties without one are constant or sparse.
    pub field: Option<Field>,
    /// Its constant parts.
    pub fragment: Fragment,
}

struct Tables {
    classes: HashMap<RowClass, Vec<Property>>,
    by_name: HashMap<RowClass, HashMap<String, usize>>,
    property_sets: HashMap<String, HashMap<String, Vec<String>>>,
    unfilterable: HashMap<String, Vec<String>>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    // The tables live as long as the program does.
    let file: &'static Json = Box::leak(Box::new(
        serde_json::from_str(include_str!("../../data/attributes.json"))
            .expect("the attribute table is part of the program and checked by a test"),
    ));
    let mut classes = HashMap::new();
    for class in RowClass::ALL {
        let rows = file["classes"][class.key()].as_array().map_or(&[][..], Vec::as_slice);
        let switches = &file["switches"][class.key()];
        let mut properties: Vec<Property> = rows.iter().filter_map(|row| property(row, switches)).collect();
        // Properties that exist only when their switch is given come last.
        for (name, switch) in switches.as_object().into_iter().flatten() {
            if !properties.iter().any(|known| known.name == name) {
                let default = Json::Array(Vec::new());
                properties.push(Property {
                    name,
                    wire: WireType::List,
                    switch: switch.as_str(),
                    field: Field::named(name),
                    fragment: Fragment::new(name, WireType::List, &default),
                    default,
                });
            }
        }
        classes.insert(class, properties);
    }
    let property_sets = serde_json::from_value(file["property_sets"].clone()).unwrap_or_default();
    let unfilterable = serde_json::from_value(file["exo_unfilterable"].clone()).unwrap_or_default();
    let index = |properties: &Vec<Property>| {
        properties.iter().enumerate().map(|(at, property)| (property.name.to_ascii_lowercase(), at)).collect()
    };
    let by_name = classes.iter().map(|(class, properties)| (*class, index(properties))).collect();
    Tables { classes, by_name, property_sets, unfilterable }
});

fn property(row: &'static Json, switches: &'static Json) -> Option<Property> {
    let name = row.get(0)?.as_str()?;
    let wire = match row.get(1)?.as_str()? {
        "G" => WireType::Guid,
        "D" => WireType::Time,
        "U" => WireType::TimeUtc,
        "H" => WireType::Int16,
        "I" => WireType::Int32,
        "L" => WireType::List,
        "B" => WireType::Bool,
        _ => WireType::Text,
    };
    let default = row.get(2)?.clone();
    Some(Property {
        name,
        wire,
        switch: switches[name].as_str(),
        field: Field::named(name),
        fragment: Fragment::new(name, wire, &default),
        default,
    })
}

/// The properties of a kind of row, in the order in which they are written.
#[must_use]
pub fn properties(class: RowClass) -> &'static [Property] {
    TABLES.classes.get(&class).map_or(&[], Vec::as_slice)
}

/// One property of a kind of row, by name in any casing.
#[must_use]
pub fn find(class: RowClass, name: &str) -> Option<&'static Property> {
    let at = TABLES.by_name.get(&class)?.get(&name.to_ascii_lowercase())?;
    properties(class).get(*at)
}

/// The members of a property set of a `Get-EXO*` cmdlet.
#[must_use]
pub fn property_set(cmdlet: &str, set: &str) -> Option<&'static [String]> {
    let sets = TABLES.property_sets.get(cmdlet)?;
    sets.iter().find(|(name, _)| name.eq_ignore_ascii_case(set)).map(|(_, members)| members.as_slice())
}

/// Properties that a `Get-EXO*` cmdlet does not filter on, though its elder does.
#[must_use]
pub fn unfilterable(cmdlet: &str) -> &'static [String] {
    TABLES.unfilterable.get(cmdlet).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_row_has_properties_and_defaults_of_their_type() {
        for class in RowClass::ALL {
            assert!(!properties(class).is_empty(), "{class:?}");
            for property in properties(class) {
                let fits = matches!(
                    (property.wire, &property.default),
                    (WireType::List, Json::Array(_))
                        | (WireType::Text, Json::Null | Json::String(_))
                        | (WireType::Bool, Json::Null | Json::Bool(_))
                        | (WireType::Guid, Json::String(_))
                        | (WireType::Time | WireType::TimeUtc, Json::Null)
                        | (WireType::Int16 | WireType::Int32, Json::Number(_) | Json::Null)
                );
                assert!(fits, "{class:?} {property:?}");
            }
        }
    }

    #[test]
    fn no_kind_of_row_has_a_property_twice() {
        for class in RowClass::ALL {
            let mut names: Vec<_> = properties(class).iter().map(|property| property.name).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{class:?}");
        }
    }

    #[test]
    fn a_mailbox_has_its_recorded_order() {
        let names: Vec<_> = properties(RowClass::Mailbox).iter().map(|property| property.name).collect();
        assert_eq!(names[0], "AcceptMessagesOnlyFromWithDisplayNames");
        let at = |name: &str| names.iter().position(|known| *known == name).unwrap();
        assert!(
            at("CustomAttribute1") < at("CustomAttribute10")
                && at("CustomAttribute15") < at("CustomAttribute2")
        );
        assert!(at("Identity") < at("Id") && at("Guid") < at("OriginatingServer"));
        assert!(names.len() > 200);
    }
}
