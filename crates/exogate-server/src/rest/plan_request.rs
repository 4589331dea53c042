//! Plans as callers write them, read into the model's.

use exogate_model::plan as model;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Object;
use super::groups::GroupKind;
use super::problem::Problem;

/// What is to be changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    /// Idempotency key, where it is not in the header `Idempotency-Key`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    pub key: Option<String>,
    /// On whose behalf, for the journal.
    #[serde(default, alias = "requested_by")]
    pub requested_by: Option<String>,
    /// Whether somebody has confirmed what the policy wants reviewed.
    #[serde(default)]
    pub reviewed: bool,
    /// Changes to accounts: mailbox attributes, rights on shared mailboxes, groups.
    #[serde(default)]
    #[schema(value_type = Vec<AccountRequest>)]
    pub accounts: Vec<Object<AccountRequest>>,
    /// Changes to groups, and groups to be made or deleted.
    #[serde(default)]
    #[schema(value_type = Vec<GroupRequest>)]
    pub groups: Vec<Object<GroupRequest>>,
    /// Users to be made or deleted, where the source manages users.
    #[serde(default)]
    #[schema(value_type = Vec<UserRequest>)]
    pub users: Vec<Object<UserRequest>>,
}

/// Changes to one account.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// Object id, user principal name or mail address.
    #[schema(example = "kim@contoso.com")]
    pub account: String,
    /// What is to become of its attributes.
    #[schema(value_type = Vec<AttributeRequest>)]
    pub attributes: Vec<Object<AttributeRequest>>,
}

/// Changes to one group.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// Id, mail address or display name; for a group to be made, its name.
    pub group: String,
    /// What is to become of the group.
    #[serde(default)]
    #[schema(default = "modify")]
    pub operation: GroupOperation,
    /// The kind of a group to be made.
    #[serde(default)]
    pub kind: Option<GroupKind>,
    /// What is to become of its attributes, `members`, `owners` and `sharedMailbox` included.
    #[serde(default)]
    #[schema(value_type = Vec<AttributeRequest>)]
    pub attributes: Vec<Object<AttributeRequest>>,
}

/// A user to be made or deleted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// Object id or user principal name; for a user to be made, its principal name.
    pub user: String,
    /// What is to become of the user.
    pub operation: UserOperation,
    /// The attributes of a user to be made.
    #[serde(default)]
    #[schema(value_type = Vec<AttributeRequest>)]
    pub attributes: Vec<Object<AttributeRequest>>,
}

/// What is to become of a user.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserOperation {
    /// Make it, with a password that nobody knows.
    Create,
    /// Delete it.
    Delete,
}

/// What is to become of a group.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttributeRequest {
    /// Set, add or remove.
    #[serde(default)]
    #[schema(default = "set")]
    pub op: Op,
    /// The attribute, as the schema of the source names it.
    #[schema(example = "sharedMailbox")]
    pub name: String,
    /// One value, several, or null to clear it.
    #[serde(default)]
    #[schema(value_type = Option<PlanValue>)]
    pub value: Value,
    /// For `FullAccess`: whether Outlook is to open the mailbox by itself. Exchange's default is yes.
    #[serde(default, alias = "auto_mapping")]
    pub auto_mapping: Option<bool>,
}

/// Set, add or remove.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Replace whatever is there.
    #[default]
    #[serde(alias = "Set")]
    Set,
    /// Add values.
    #[serde(alias = "Add")]
    Add,
    /// Remove values.
    #[serde(alias = "Remove")]
    Remove,
}

/// A value in a plan.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what a value may be; never made")]
pub enum PlanValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    #[schema(example = "O365Support: FullAccess")]
    Text(String),
    /// Several values.
    Many(Vec<PlanScalar>),
}

/// A single value in a plan.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes what a value may be; never made")]
pub enum PlanScalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl PlanRequest {
    /// As the model has it; the key is the caller's to add.
    pub fn read(self) -> Result<model::Plan, Problem> {
        let account = |Object(request): Object<AccountRequest>| {
            Ok(model::AccountRequest {
                account: request.account,
                attributes: attributes(request.attributes)?,
            })
        };
        let group = |Object(request): Object<GroupRequest>| {
            Ok(model::GroupRequest {
                group: request.group,
                operation: match request.operation {
                    GroupOperation::Create => model::GroupOperation::Create,
                    GroupOperation::Modify => model::GroupOperation::Modify,
                    GroupOperation::Delete => model::GroupOperation::Delete,
                },
                kind: request.kind.map(Into::into),
                attributes: attributes(request.attributes)?,
            })
        };
        let user = |Object(request): Object<UserRequest>| {
            Ok(model::UserRequest {
                user: request.user,
                operation: match request.operation {
                    UserOperation::Create => model::UserOperation::Create,
                    UserOperation::Delete => model::UserOperation::Delete,
                },
                attributes: attributes(request.attributes)?,
            })
        };
        let plan = model::Plan {
            key: None,
            requested_by: self.requested_by,
            accounts: self.accounts.into_iter().map(account).collect::<Result<_, Problem>>()?,
            groups: self.groups.into_iter().map(group).collect::<Result<_, Problem>>()?,
            users: self.users.into_iter().map(user).collect::<Result<_, Problem>>()?,
        };
        if plan.is_empty() {
            return Err(Problem::unprocessable(
                "The plan asks for nothing: neither `accounts` nor `groups` nor `users`.",
            ));
        }
        Ok(plan)
    }
}

fn attributes(requests: Vec<Object<AttributeRequest>>) -> Result<Vec<model::AttributeOperation>, Problem> {
    let attribute = |Object(request): Object<AttributeRequest>| {
        Ok(model::AttributeOperation {
            op: match request.op {
                Op::Set => model::Op::Set,
                Op::Add => model::Op::Add,
                Op::Remove => model::Op::Remove,
            },
            value: value(&request.name, request.value)?,
            name: request.name,
            auto_mapping: request.auto_mapping,
        })
    };
    requests.into_iter().map(attribute).collect()
}

fn value(name: &str, value: Value) -> Result<model::PlanValue, Problem> {
    Ok(match value {
        Value::Null => model::PlanValue::None,
        Value::Array(values) => model::PlanValue::Many(
            values.into_iter().map(|one| scalar(name, one)).collect::<Result<_, Problem>>()?,
        ),
        one => model::PlanValue::One(scalar(name, one)?),
    })
}

fn scalar(name: &str, value: Value) -> Result<model::PlanScalar, Problem> {
    match value {
        Value::Bool(value) => Ok(model::PlanScalar::Boolean(value)),
        Value::String(value) => Ok(model::PlanScalar::Text(value)),
        Value::Number(number) => {
            // 2.0 and 2 are one number to JSON.
            let whole = |float: f64| (float.fract() == 0.0 && float.abs() < 9.0e15).then_some(float as i64);
            let number = number.as_i64().map(Some).unwrap_or_else(|| number.as_f64().and_then(whole));
            let number = number.ok_or_else(|| {
                Problem::unprocessable(format!("`value` of {name:?} is not a whole number of 64 bits."))
            })?;
            Ok(model::PlanScalar::Integer(number))
        }
        _ => Err(Problem::malformed(format!(
            "`value` of {name:?} is neither a plain value nor a list of them."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::plan::{Op as ModelOp, PlanScalar, PlanValue};
    use serde_json::json;

    use super::*;

    fn read(json: Value) -> Result<model::Plan, Problem> {
        serde_json::from_value::<PlanRequest>(json)
            .map_err(|error| Problem::malformed(error.to_string()))?
            .read()
    }

    #[test]
    fn a_plan_reads_in_both_spellings() {
        let plan = |auto: &str, by: &str| {
            read(json!({ by: "kim", "accounts": [{ "account": "kim", "attributes": [
                { "op": "Add", "name": "sharedMailbox", "value": ["A: SendAs"], auto: false },
                { "name": "EXO_X", "value": 2.0 }, { "name": "EXO_Y" } ] }] }))
            .unwrap_or_else(|problem| panic!("{problem:?}"))
        };
        let read = plan("autoMapping", "requestedBy");
        assert_eq!(read, plan("auto_mapping", "requested_by"));
        let attributes = &read.accounts[0].attributes;
        assert_eq!((attributes[0].op, attributes[0].auto_mapping), (ModelOp::Add, Some(false)));
        assert_eq!(attributes[1].value, PlanValue::One(PlanScalar::Integer(2)));
        assert_eq!(attributes[2].value, PlanValue::None);
    }

    #[test]
    fn what_is_no_plan_is_refused_with_its_reason() {
        let of = |value: Value| {
            let json = json!({ "accounts": [{ "account": "kim", "attributes": [{ "name": "x", "value": value }] }] });
            read(json).err().map(|problem| problem.status)
        };
        assert_eq!(of(json!({ "a": 1 })), Some(400));
        assert_eq!(of(json!([[1]])), Some(400));
        assert_eq!(of(json!(1.5)), Some(422));
        assert_eq!(of(json!(u64::MAX)), Some(422));
        assert_eq!(read(json!({})).err().map(|problem| problem.status), Some(422));
        assert_eq!(read(json!({ "acounts": [] })).err().map(|problem| problem.status), Some(400));
    }
}
