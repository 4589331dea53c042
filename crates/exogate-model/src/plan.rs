//! Plans: what a caller wants changed, in the shape of account requests and group requests.
//!
//! A plan says what is to be so, not how; compiling it into operations is the engine's part.

use serde::{Deserialize, Serialize};

use crate::group::GroupKind;

/// What a caller wants changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Idempotency key, chosen by the caller: the same key is the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who asks, for the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Changes to accounts: their mailbox attributes, rights on shared mailboxes, groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountRequest>,
    /// Changes to groups, and groups to be made or deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupRequest>,
    /// Users to be made or deleted, and passwords to be set, where the source manages users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserRequest>,
}

impl Plan {
    /// Whether another plan asks for the very same, whoever asks and under whatever key.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        (&self.accounts, &self.groups, &self.users) == (&other.accounts, &other.groups, &other.users)
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.groups.is_empty() && self.users.is_empty()
    }
}

/// Changes to one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// Object id, user principal name or mail address.
    pub account: String,
    /// What is to become of its attributes.
    pub attributes: Vec<AttributeOperation>,
}

/// Changes to one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// Object id, mail address or display name; for a group to be made, its name.
    pub group: String,
    /// What is to become of the group.
    #[serde(default)]
    pub operation: GroupOperation,
    /// The kind of a group to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<GroupKind>,
    /// What is to become of its attributes, `members`, `owners` and `sharedMailbox` included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeOperation>,
}

/// What is to become of a user itself. Attributes of one that is there are changed by account requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// Object id or user principal name; for a user to be made, its principal name.
    pub user: String,
    /// What is to become of the user.
    pub operation: UserOperation,
    /// The attributes of a user to be made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeOperation>,
}

/// What is to become of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UserOperation {
    /// Make it.
    Create,
    /// Delete it.
    Delete,
    /// Give it another password. The password never stands in a plan: whoever hands the plan in hands
    /// it in beside.
    SetPassword,
}

/// What is to become of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupOperation {
    /// Make it.
    Create,
    /// Change it.
    #[default]
    Modify,
    /// Delete it.
    Delete,
}

/// What is to become of one attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeOperation {
    /// Set, add or remove.
    #[serde(default)]
    pub op: Op,
    /// The attribute, as the schema names it.
    pub name: String,
    /// One value, several, or none (to clear it).
    #[serde(default)]
    pub value: PlanValue,
    /// For `FullAccess`: whether Outlook is to open the mailbox by itself. Exchange's default is yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_mapping: Option<bool>,
}

/// Set, add or remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Replace whatever is there.
    #[default]
    #[serde(alias = "Set")]
    Set,
    /// Add values to a multi-valued attribute.
    #[serde(alias = "Add")]
    Add,
    /// Remove values from a multi-valued attribute.
    #[serde(alias = "Remove")]
    Remove,
}

/// The value in an attribute operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PlanValue {
    /// No value: clears a single-valued attribute, empties a multi-valued one.
    #[default]
    None,
    /// One value.
    One(PlanScalar),
    /// Several values.
    Many(Vec<PlanScalar>),
}

/// A plain value as JSON and YAML write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PlanScalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl PlanScalar {
    /// The value as text.
    pub fn to_text(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

impl PlanValue {
    /// The values, none to many.
    pub fn scalars(&self) -> &[PlanScalar] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// As the JSON value that attribute types are read from.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_shape_a_governance_platform_sends() {
        let plan: Plan = serde_json::from_str(
            r#"{"key":"joiner-1","accounts":[{"account":"kim@contoso.com","attributes":[
                {"op":"add","name":"sharedMailbox","value":"O365Support: FullAccess","auto_mapping":false},
                {"op":"Set","name":"EXO_HiddenFromAddressListsEnabled","value":true},
                {"name":"EXO_CustomAttribute1","value":null},
                {"op":"remove","name":"EXO_EmailAddresses","value":["smtp:old@contoso.com"]}]}],
              "groups":[{"group":"Sales","operation":"create","kind":"distributionList"}]}"#,
        )
        .unwrap();
        let attributes = &plan.accounts[0].attributes;
        assert_eq!(attributes[0].auto_mapping, Some(false));
        assert_eq!(attributes[1].value, PlanValue::One(PlanScalar::Boolean(true)));
        assert_eq!(attributes[2].value.scalars(), []);
        assert_eq!(attributes[3].value.scalars().len(), 1);
        assert_eq!(plan.groups[0].kind, Some(GroupKind::DistributionList));
        let again: Plan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
        assert_eq!(again, plan);
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(serde_json::from_str::<Plan>(r#"{"acounts":[]}"#).is_err());
    }
}
