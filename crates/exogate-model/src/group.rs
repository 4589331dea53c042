//! Groups of every kind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::account::Attributes;

/// What kind of group it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupKind {
    /// A security group of Entra.
    Security,
    /// A mail-enabled security group, mastered by Exchange.
    MailEnabledSecurity,
    /// A distribution list, mastered by Exchange.
    DistributionList,
    /// A Microsoft 365 group.
    Microsoft365,
    /// A dynamic distribution group: Exchange alone knows it, and computes its members.
    DynamicDistribution,
}

impl GroupKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Security,
        Self::MailEnabledSecurity,
        Self::DistributionList,
        Self::Microsoft365,
        Self::DynamicDistribution,
    ];

    /// The kind that Entra's three facts about a group amount to.
    pub fn classify(unified: bool, mail_enabled: bool, security_enabled: bool) -> Self {
        match (unified, mail_enabled, security_enabled) {
            (true, _, _) => Self::Microsoft365,
            (false, true, true) => Self::MailEnabledSecurity,
            (false, true, false) => Self::DistributionList,
            (false, false, _) => Self::Security,
        }
    }

    /// The name used in output and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::MailEnabledSecurity => "mailEnabledSecurity",
            Self::DistributionList => "distributionList",
            Self::Microsoft365 => "microsoft365",
            Self::DynamicDistribution => "dynamicDistribution",
        }
    }

    /// Whether Exchange, not Entra, masters it.
    pub fn is_exchange(self) -> bool {
        matches!(self, Self::MailEnabledSecurity | Self::DistributionList | Self::DynamicDistribution)
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for GroupKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is not a kind of group"))
    }
}

/// What kind of object a member or owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemberKind {
    /// A user (mail users included).
    User,
    /// Another group.
    Group,
    /// A mail contact.
    Contact,
    /// A device.
    Device,
    /// A service principal.
    ServicePrincipal,
    /// Something this version does not know.
    Other,
}

impl MemberKind {
    /// The name used in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Contact => "contact",
            Self::Device => "device",
            Self::ServicePrincipal => "servicePrincipal",
            Self::Other => "other",
        }
    }
}

/// Whether somebody belongs to a group or answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MembershipRole {
    /// A member.
    Member,
    /// An owner.
    Owner,
}

/// A member or owner of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Entra object id.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MemberKind,
}

/// One group as governance sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Entra object id (of a dynamic distribution group: its Exchange GUID).
    pub id: String,
    /// Display name.
    pub name: String,
    /// What kind it is.
    pub kind: GroupKind,
    /// Attributes of the group schema that have a value.
    pub attributes: Attributes,
    /// Direct members, sorted.
    pub members: Vec<Member>,
    /// Owners, sorted.
    pub owners: Vec<Member>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entra_facts_make_the_kind() {
        assert_eq!(GroupKind::classify(true, true, true), GroupKind::Microsoft365);
        assert_eq!(GroupKind::classify(false, true, true), GroupKind::MailEnabledSecurity);
        assert_eq!(GroupKind::classify(false, true, false), GroupKind::DistributionList);
        assert_eq!(GroupKind::classify(false, false, true), GroupKind::Security);
    }

    #[test]
    fn names_read_back() {
        for kind in
            ["security", "mailEnabledSecurity", "distributionList", "microsoft365", "dynamicDistribution"]
        {
            assert_eq!(kind.parse::<GroupKind>().map(GroupKind::name), Ok(kind));
        }
    }
}
