//! The schemas of a source in SailPoint's words, and whether the source can be reached at all.

use axum::http::StatusCode;
use exogate_engine::connection::{self, Check, Verdict};
use exogate_model::account::{GROUPS, SHARED_MAILBOX};
use exogate_model::schema::{AttributeDefinition, AttributeSource};
use serde::Serialize;

use super::answer::{Out, Stop};
use super::command::{Done, Job};
use super::entitlement::{KIND, OWNERS, Type};
use super::refusal::Refusal;
use crate::gateway::Source;

/// The attribute that identifies an object.
pub(super) const IDENTITY: &str = "id";
/// The attribute by which people know an account.
pub(super) const NAME: &str = "userPrincipalName";

/// One attribute.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attribute {
    name: String,
    r#type: &'static str,
    description: String,
    multi: bool,
    entitlement: bool,
    managed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_object_type: Option<&'static str>,
}

impl Attribute {
    fn text(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            r#type: "string",
            description: description.to_owned(),
            multi: false,
            entitlement: false,
            managed: false,
            schema_object_type: None,
        }
    }

    fn of(definition: &AttributeDefinition) -> Self {
        let (description, schema_object_type) = match definition.source {
            AttributeSource::Entra(property) => (format!("Property {property} in Microsoft Entra ID"), None),
            AttributeSource::Exchange(_, property) => {
                (format!("Property {property} in Exchange Online"), None)
            }
            AttributeSource::SharedMailboxes => {
                ("Rights on shared mailboxes".to_owned(), Some(Type::SharedMailbox.name()))
            }
            AttributeSource::Groups => ("Groups, as direct member".to_owned(), Some(Type::Group.name())),
        };
        Self {
            name: definition.name.clone(),
            r#type: definition.kind.name(),
            description,
            multi: definition.multi_valued,
            entitlement: definition.entitlement,
            managed: definition.managed,
            schema_object_type,
        }
    }
}

/// The schema of accounts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountSchema {
    display_attribute: &'static str,
    identity_attribute: &'static str,
    group_attribute: &'static str,
    attributes: Vec<Attribute>,
}

/// The schema of one type of entitlement.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntitlementSchema {
    r#type: &'static str,
    display_attribute: &'static str,
    identity_attribute: &'static str,
    attributes: Vec<Attribute>,
}

/// `std:account:discover-schema`.
pub(super) fn account(source: &Source) -> AccountSchema {
    let mut attributes = vec![Attribute::text(IDENTITY, "Object id in Microsoft Entra ID")];
    attributes.extend(source.context.account_schema.attributes().iter().map(Attribute::of));
    AccountSchema {
        display_attribute: NAME,
        identity_attribute: IDENTITY,
        group_attribute: GROUPS,
        attributes,
    }
}

/// The schemas of entitlements.
pub(super) fn entitlements(source: &Source) -> Vec<EntitlementSchema> {
    let mut attributes = vec![
        Attribute::text(IDENTITY, "Object id in Microsoft Entra ID"),
        Attribute::text(
            KIND,
            "security, mailEnabledSecurity, distributionList, microsoft365 or dynamicDistribution",
        ),
        Attribute { multi: true, ..Attribute::text(OWNERS, "Object ids of the owners") },
    ];
    attributes.extend(source.context.group_schema.attributes().iter().map(Attribute::of));
    let mut schemas = vec![EntitlementSchema {
        r#type: Type::Group.name(),
        display_attribute: "displayName",
        identity_attribute: IDENTITY,
        attributes,
    }];
    if source.context.account_schema.get(SHARED_MAILBOX).is_some() {
        schemas.push(EntitlementSchema {
            r#type: Type::SharedMailbox.name(),
            display_attribute: "name",
            identity_attribute: IDENTITY,
            attributes: vec![
                Attribute::text(IDENTITY, "The value of the entitlement, as in O365Support: SendAs"),
                Attribute::text("name", "The same, to be shown"),
                Attribute::text("description", "What the right allows"),
                Attribute::text("mailbox", "Label of the mailbox"),
                Attribute::text("mailboxId", "Object id of the mailbox"),
                Attribute::text("address", "Primary address of the mailbox"),
                Attribute::text("right", "The right"),
            ],
        });
    }
    schemas
}

/// `std:test-connection`: succeeds if the tenant lets the source do all that it is configured for.
pub(super) async fn test_connection(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let source = &job.source;
    let checks = connection::test(&source.tenant, &source.context, &mut |_| {}).await;
    let failures: Vec<String> = checks.iter().filter_map(failure).collect();
    if failures.is_empty() {
        return out.output(&Done {}).await;
    }
    Err(Refusal::new(StatusCode::BAD_GATEWAY, failures.join("; ")).into())
}

fn failure(check: &Check) -> Option<String> {
    let Verdict::Failed { remedy, .. } = &check.verdict else { return None };
    let detail = check.detail.as_deref().unwrap_or("failed");
    Some(format!("{}: {detail}. {remedy}", check.what))
}
