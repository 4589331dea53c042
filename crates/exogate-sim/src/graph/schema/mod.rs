//! The properties of users, groups and contacts: kind, rules and where the value comes from.
//! Declares; reading values is [`super::value`]'s, judging queries [`super::rules`]'s.

mod contact;
mod group;
mod principal;
mod user;

/// The directory types that carry a property table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// `microsoft.graph.user`
    User,
    /// `microsoft.graph.group`
    Group,
    /// `microsoft.graph.orgContact`
    Contact,
    /// `microsoft.graph.servicePrincipal`
    Principal,
}

impl Type {
    /// `user`, `group`, `orgContact`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Contact => "orgContact",
            Self::Principal => "servicePrincipal",
        }
    }

    /// The type as error texts of queries name it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Contact => "OrgContact",
            Self::Principal => "ServicePrincipal",
        }
    }

    /// The entity set.
    #[must_use]
    pub const fn set(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Group => "groups",
            Self::Contact => "contacts",
            Self::Principal => "servicePrincipals",
        }
    }

    /// Every property of the type.
    #[must_use]
    pub fn properties(self) -> &'static [Property] {
        match self {
            Self::User => &user::USER,
            Self::Group => &group::GROUP,
            Self::Contact => &contact::CONTACT,
            Self::Principal => &principal::PRINCIPAL,
        }
    }

    /// The property of this name, without regard to case.
    #[must_use]
    pub fn property(self, name: &str) -> Option<&'static Property> {
        self.properties().iter().find(|property| property.name.eq_ignore_ascii_case(name))
    }

    /// What is returned without `$select`.
    pub fn defaults(self) -> impl Iterator<Item = &'static Property> {
        self.properties().iter().filter(|property| property.has(DEFAULT))
    }
}

/// What kind of value a property has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A truth value.
    Bool,
    /// A 32-bit number.
    Int,
    /// A time.
    Time,
    /// A collection of strings.
    Texts,
    /// A structured value.
    Complex,
    /// A collection of structured values.
    List,
}

impl Kind {
    /// Collections are never null.
    #[must_use]
    pub const fn is_collection(self) -> bool {
        matches!(self, Self::Texts | Self::List)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Id,
    Deleted,
    Enabled,
    Licences,
    Plans,
    ProvisionedPlans,
    LicenceStates,
    BusinessPhones,
    City,
    Company,
    Country,
    Created,
    CreationType,
    Department,
    DisplayName,
    EmployeeId,
    ExternalState,
    ExternalStateChanged,
    GivenName,
    Identities,
    JobTitle,
    PasswordChanged,
    Mail,
    MailboxSettings,
    Alias,
    MobilePhone,
    Office,
    OnPremisesDn,
    OnPremisesDomain,
    ExtensionAttributes,
    ImmutableId,
    LastSync,
    SamAccountName,
    OnPremisesSid,
    SyncEnabled,
    OnPremisesUpn,
    Language,
    Addresses,
    CloudSid,
    SessionsFrom,
    ShowInAddressList,
    SignInActivity,
    Surname,
    UsageLocation,
    Upn,
    UserType,
    Description,
    GroupTypes,
    HiddenFromLists,
    Assignable,
    MailEnabled,
    Rule,
    RuleState,
    NetBios,
    Renewed,
    TeamOption,
    SecurityEnabled,
    Visibility,
    Organization,
    Phones,
    AppId,
    PrincipalType,
    PrincipalNames,
    /// Written, never shown.
    Hidden,
    /// Shared with the Exchange face under this name.
    Directory(&'static str),
    /// Kept under the property's own name.
    Stored,
}

/// One property.
#[derive(Debug)]
pub struct Property {
    /// The name on the wire.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// Where the value comes from.
    pub field: Field,
    flags: u8,
    ops: u16,
    /// Most characters that may be written; 0 = no limit known.
    pub max: u16,
}

impl Property {
    /// Whether a flag is set.
    #[must_use]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether a filter operator is supported.
    #[must_use]
    pub const fn allows(&self, op: u16) -> bool {
        self.ops & op != 0
    }
}

const fn p(name: &'static str, kind: Kind, field: Field, flags: u8, ops: u16, max: u16) -> Property {
    Property { name, kind, field, flags, ops, max }
}

/// Returned without `$select`.
pub const DEFAULT: u8 = 1;
/// Only on a single object; 501 in collections.
pub const SINGLE: u8 = 2;
/// Cannot be written.
pub const READ_ONLY: u8 = 4;
/// `$search` finds it.
pub const SEARCH: u8 = 8;
/// Never null.
pub const REQUIRED: u8 = 16;

/// `eq`
pub const EQ: u16 = 1;
/// `ne`
pub const NE: u16 = 2;
/// `not`
pub const NOT: u16 = 4;
/// `ge`, `le`
pub const RANGE: u16 = 8;
/// `in`
pub const IN: u16 = 16;
/// `startsWith`
pub const STARTS: u16 = 32;
/// `endsWith`
pub const ENDS: u16 = 64;
/// `eq null`
pub const NULL: u16 = 128;
/// `/$count eq 0`
pub const COUNT: u16 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sets() {
        let names = |kind: Type| kind.defaults().map(|property| property.name).collect::<Vec<_>>();
        assert_eq!(names(Type::User).len(), 11);
        assert!(names(Type::Group).contains(&"resourceProvisioningOptions"));
        assert!(!names(Type::User).contains(&"accountEnabled"));
    }
}
