//! From two states of a resource to a plan, and from what came of a plan to an answer.

use exogate_engine::provision::{PlanError, PlanResult, Problem, ProvisionError};
use exogate_model::account::{GROUPS, SHARED_MAILBOX};
use exogate_model::entitlement;
use exogate_model::group::GroupKind;
use exogate_model::operation::{Fault, Outcome};
use exogate_model::plan::{
    AccountRequest, AttributeOperation, GroupOperation, GroupRequest, Op, Plan, PlanScalar, PlanValue,
    UserOperation, UserRequest,
};
use exogate_store::Found;
use http::StatusCode;
use serde_json::Value;

use super::error::ScimError;
use super::resource::{Resource, id_of};
use super::schema::{Attribute, ResourceKind, ResourceType};
use super::urn;
use crate::change::ChangeError;
use crate::gateway::Source;

/// Where the standard schemas show what Graph sets of a user, and what Graph calls it.
const OF_USERS: [(&str, &str); 7] = [
    ("/displayName", "displayName"),
    ("/name/givenName", "givenName"),
    ("/name/familyName", "surname"),
    ("/title", "jobTitle"),
    ("/active", "accountEnabled"),
    ("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department", "department"),
    ("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/organization", "companyName"),
];

/// The attributes that Graph sets, where they differ.
fn of_user(before: &Resource, after: &Resource) -> Vec<AttributeOperation> {
    let (before, after) = (Value::Object(before.clone()), Value::Object(after.clone()));
    OF_USERS
        .into_iter()
        .filter(|(place, _)| before.pointer(place) != after.pointer(place))
        .map(|(place, name)| operation(Op::Set, name, plan_value(after.pointer(place))))
        .collect()
}

/// What makes a new user.
pub fn new_user(name: &str, wanted: &Resource) -> Plan {
    let attributes = of_user(&Resource::new(), wanted);
    user(name, UserOperation::Create, attributes)
}

/// What deletes a user.
pub fn user_deletion(resource: &Resource) -> Plan {
    user(id_of(resource), UserOperation::Delete, Vec::new())
}

fn user(user: &str, operation: UserOperation, attributes: Vec<AttributeOperation>) -> Plan {
    let request = UserRequest { user: user.to_owned(), operation, attributes };
    Plan { users: vec![request], ..Plan::default() }
}

fn operation(op: Op, name: &str, value: PlanValue) -> AttributeOperation {
    AttributeOperation { op, name: name.to_owned(), value, auto_mapping: None }
}

/// A value as plans have it.
fn plan_value(value: Option<&Value>) -> PlanValue {
    let scalar = |value: &Value| match value {
        Value::Bool(flag) => Some(PlanScalar::Boolean(*flag)),
        Value::Number(number) => number.as_i64().map(PlanScalar::Integer),
        Value::String(text) => Some(PlanScalar::Text(text.clone())),
        _ => None,
    };
    match value {
        Some(Value::Array(items)) => PlanValue::Many(items.iter().filter_map(scalar).collect()),
        Some(one) => scalar(one).map_or(PlanValue::None, PlanValue::One),
        None => PlanValue::None,
    }
}

fn many(values: Vec<String>) -> PlanValue {
    PlanValue::Many(values.into_iter().map(PlanScalar::Text).collect())
}

fn at<'a>(resource: &'a Resource, extension: &str, name: &str) -> Option<&'a Value> {
    resource.get(extension)?.as_object()?.get(name)
}

/// The values of a list of objects, or of texts.
fn values(list: Option<&Value>) -> Vec<String> {
    let Some(Value::Array(items)) = list else { return Vec::new() };
    items.iter().filter_map(|item| item.get("value").unwrap_or(item).as_str().map(str::to_owned)).collect()
}

/// What is to be added and what to be removed, as operations on an attribute of a plan.
fn difference(name: &str, before: &[String], after: &[String]) -> Vec<AttributeOperation> {
    let lacks = |list: &[String], value: &String| !list.iter().any(|other| other.eq_ignore_ascii_case(value));
    let added: Vec<String> = after.iter().filter(|value| lacks(before, value)).cloned().collect();
    let removed: Vec<String> = before.iter().filter(|value| lacks(after, value)).cloned().collect();
    let mut operations = Vec::new();
    if !added.is_empty() {
        operations.push(operation(Op::Add, name, many(added)));
    }
    if !removed.is_empty() {
        operations.push(operation(Op::Remove, name, many(removed)));
    }
    operations
}

/// Changes of the attributes that an extension shows under their own names.
fn own(before: &Resource, after: &Resource, extension: &str, of: &ResourceType) -> Vec<AttributeOperation> {
    let Some(schema) = of.extension(extension) else { return Vec::new() };
    let listed = |attribute: &&Attribute| attribute.name != "kind" && attribute.name != "owners";
    let mut operations = Vec::new();
    for attribute in schema.attributes.iter().filter(listed) {
        let name = attribute.name.as_str();
        let (old, new) = (at(before, extension, name), at(after, extension, name));
        if old == new {
            continue;
        }
        if attribute.multi_valued {
            operations.extend(difference(name, &values(old), &values(new)));
        } else {
            operations.push(operation(Op::Set, name, plan_value(new)));
        }
    }
    operations
}

/// The entitlements in the form in which they are shown, where they are known at all.
pub async fn canonical_entitlements(source: &Source, resource: &mut Resource) -> Result<(), ScimError> {
    let Some(Value::Array(items)) = resource.get_mut("entitlements") else { return Ok(()) };
    for item in items {
        let Some(text) = item.get("value").and_then(Value::as_str) else { continue };
        let Ok((mailbox, right)) = entitlement::parse(text) else { continue };
        if let Found::One(mailbox) = source.store.find_mailbox(mailbox).await?
            && let Some(label) = &mailbox.label
        {
            item["value"] = Value::String(entitlement::value(label, &right));
        }
    }
    Ok(())
}

/// What turns one state of a resource into the other.
pub fn plan(before: &Resource, after: &Resource, of: &ResourceType) -> Plan {
    let id = id_of(before).to_owned();
    let mut plan = Plan::default();
    match of.kind {
        ResourceKind::User => {
            let mut attributes = of_user(before, after);
            let rights = |resource: &Resource| values(resource.get("entitlements"));
            attributes.extend(difference(SHARED_MAILBOX, &rights(before), &rights(after)));
            attributes.extend(own(before, after, urn::EXOGATE_USER, of));
            if !attributes.is_empty() {
                plan.accounts.push(AccountRequest { account: id, attributes });
            }
        }
        ResourceKind::Group => {
            let attributes = group_operations(before, after, of);
            if !attributes.is_empty() {
                let operation = GroupOperation::Modify;
                plan.groups.push(GroupRequest { group: id, operation, kind: None, attributes });
            }
        }
        ResourceKind::Entitlement => {}
    }
    plan
}

fn group_operations(before: &Resource, after: &Resource, of: &ResourceType) -> Vec<AttributeOperation> {
    let mut attributes = Vec::new();
    if before.get("displayName") != after.get("displayName") {
        let exchange = kind_of(before).is_some_and(GroupKind::is_exchange);
        let name = if exchange { "EXO_DisplayName" } else { "displayName" };
        attributes.push(operation(Op::Set, name, plan_value(after.get("displayName"))));
    }
    let members = |resource: &Resource| values(resource.get("members"));
    attributes.extend(difference("members", &members(before), &members(after)));
    let owners = |resource: &Resource| values(at(resource, urn::EXOGATE_GROUP, "owners"));
    attributes.extend(difference("owners", &owners(before), &owners(after)));
    attributes.extend(own(before, after, urn::EXOGATE_GROUP, of));
    attributes
}

fn kind_of(group: &Resource) -> Option<GroupKind> {
    at(group, urn::EXOGATE_GROUP, "kind")?.as_str()?.parse().ok()
}

/// What makes a new group.
pub fn new_group(wanted: &Resource, of: &ResourceType, creatable: &[GroupKind]) -> Result<Plan, ScimError> {
    let name = wanted.get("displayName").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let kind = match at(wanted, urn::EXOGATE_GROUP, "kind").and_then(Value::as_str) {
        None => GroupKind::Security,
        Some(text) => text.parse().ok().filter(|kind| creatable.contains(kind)).ok_or_else(|| {
            let known: Vec<&str> = creatable.iter().map(|kind| kind.name()).collect();
            ScimError::value(format!("a group can be made as {}, not as {text:?}", known.join(", ")))
        })?,
    };
    let mut attributes = group_operations(&Resource::new(), wanted, of);
    attributes.retain(|operation| operation.name != "displayName" && operation.name != "EXO_DisplayName");
    let request =
        GroupRequest { group: name, operation: GroupOperation::Create, kind: Some(kind), attributes };
    Ok(Plan { groups: vec![request], ..Plan::default() })
}

/// What deletes a group.
pub fn group_deletion(group: &Resource) -> Plan {
    let group = id_of(group).to_owned();
    let request =
        GroupRequest { group, operation: GroupOperation::Delete, kind: None, attributes: Vec::new() };
    Plan { groups: vec![request], ..Plan::default() }
}

/// What takes every right and every place in a group from an account.
pub fn deprovisioning(user: &Resource) -> Plan {
    let mut attributes = Vec::new();
    for (name, list) in [(SHARED_MAILBOX, "entitlements"), (GROUPS, "groups")] {
        let held = values(user.get(list));
        if !held.is_empty() {
            attributes.push(operation(Op::Remove, name, many(held)));
        }
    }
    if attributes.is_empty() {
        return Plan::default();
    }
    Plan { accounts: vec![AccountRequest { account: id_of(user).to_owned(), attributes }], ..Plan::default() }
}

/// Why a plan was not carried out.
pub fn refused(error: ChangeError) -> ScimError {
    match error {
        ChangeError::Refused(errors) => of_problems(&errors),
        ChangeError::Review(operations) => {
            let reviewed: Vec<String> = operations
                .iter()
                .filter(|operation| operation.review)
                .flat_map(|operation| &operation.shown)
                .map(|shown| shown.what.clone())
                .collect();
            ScimError::new(
                StatusCode::FORBIDDEN,
                format!(
                    "the policy wants a person to confirm this: {}. Use a plan of the REST interface, or exogate apply",
                    reviewed.join(", ")
                ),
            )
        }
        ChangeError::Provision(ProvisionError::Tenant(error)) => {
            tracing::warn!(%error, "the tenant could not be read; nothing was changed");
            ScimError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "nothing was changed, because the tenant could not be read; try again later",
            )
        }
        ChangeError::Provision(
            error @ (ProvisionError::KeyReused { .. } | ProvisionError::UnderWay { .. }),
        ) => ScimError::new(StatusCode::CONFLICT, error.to_string()),
        ChangeError::Stopping => {
            ScimError::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping; nothing was changed")
        }
        ChangeError::Unsettled(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "earlier changes are not settled");
            ScimError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "nothing was changed, because what was changed before is not settled yet; try again later",
            )
        }
        ChangeError::Provision(error) => ScimError::internal(&error),
        error @ (ChangeError::Broken | ChangeError::Store(_)) => ScimError::internal(&error),
    }
}

fn of_problems(errors: &[PlanError]) -> ScimError {
    let detail = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let all =
        |test: fn(&Problem) -> bool| !errors.is_empty() && errors.iter().all(|error| test(&error.problem));
    if all(|problem| matches!(problem, Problem::Exists { .. } | Problem::UserExists { .. })) {
        return ScimError::conflict(detail);
    }
    let fixed = |problem: &Problem| {
        matches!(
            problem,
            Problem::ReadOnly { .. }
                | Problem::NotInPolicy { .. }
                | Problem::Synced { .. }
                | Problem::WrongKind { .. }
                | Problem::NoExchange
        )
    };
    if all(fixed) { ScimError::mutability(detail) } else { ScimError::value(detail) }
}

/// What came of a plan, where not all of it came to pass.
pub fn failed(result: &PlanResult) -> Option<ScimError> {
    if result.is_success() {
        return None;
    }
    let mut status = StatusCode::BAD_REQUEST;
    let mut scim_type = Some("invalidValue");
    let mut why = Vec::new();
    let mut done = Vec::new();
    for one in &result.results {
        let what = || {
            let shown: Vec<String> =
                one.operation.shown.iter().map(|shown| format!("{} → {}", shown.what, shown.after)).collect();
            format!("{}: {}", one.operation.target.name, shown.join(", "))
        };
        match &one.outcome {
            Some(outcome) if outcome.is_success() => done.push(what()),
            Some(outcome) => {
                let worse = match outcome {
                    Outcome::Failed { fault: Fault::Request, .. } => StatusCode::BAD_REQUEST,
                    Outcome::Failed { fault: Fault::Tenant, .. } => StatusCode::FORBIDDEN,
                    Outcome::Unknown { .. } => StatusCode::GATEWAY_TIMEOUT,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                if worse > status {
                    status = worse;
                    scim_type = None;
                }
                why.push(format!("{} ({})", outcome.why().unwrap_or_default(), what()));
            }
            None => {
                status = status.max(StatusCode::SERVICE_UNAVAILABLE);
                scim_type = None;
                why.push(format!("not carried out ({})", what()));
            }
        }
    }
    let mut detail = format!("plan {}: {}", result.plan, why.join("; "));
    if !done.is_empty() {
        detail.push_str(&format!(". Done all the same: {}", done.join("; ")));
    }
    Some(ScimError { scim_type, ..ScimError::new(status, detail) })
}
