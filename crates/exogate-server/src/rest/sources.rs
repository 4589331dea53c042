//! Sources: what each is, how much is stored of it, and its schema.

use axum::Json;
use axum::extract::State;
use exogate_model::account::{GROUPS, SHARED_MAILBOX};
use exogate_model::policy::PolicyKind;
use exogate_model::schema::Schema;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Answer, NoParameters, Query, Reading};
use super::params::OfSource;
use super::refusals::Refusals;
use super::runs::Run;
use crate::caller::Caller;
use crate::gateway::{Gateway, Source as Configured};

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(schema))
}

/// A source, in a list.
#[derive(Serialize, ToSchema)]
struct SourceName {
    /// Its name.
    #[schema(example = "contoso")]
    name: String,
}

/// The sources that the credential reaches.
#[derive(Serialize, ToSchema)]
struct SourceList {
    /// By name.
    items: Vec<SourceName>,
}

/// How much is stored of a source.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Accounts.
    accounts: u64,
    /// Mailboxes of any kind.
    mailboxes: u64,
    /// Groups of any kind.
    groups: u64,
    /// Memberships and ownerships.
    memberships: u64,
    /// Grants, system and inherited ones included.
    grants: u64,
    /// Mailboxes whose rights are governed.
    governed_mailboxes: u64,
}

/// What a source is asked to do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Options {
    /// Whether mailboxes, the rights on them and Exchange attributes are read and changed.
    manage_exchange_online: bool,
    /// Whether distribution lists are aggregated.
    aggregate_all_groups: bool,
    /// Whether Microsoft 365 groups are aggregated.
    #[serde(rename = "manageMicrosoft365Groups")]
    manage_microsoft_365_groups: bool,
    /// Whether `SendOnBehalf` is an entitlement.
    send_on_behalf: bool,
    /// The share of objects that a run may delete without being told to, in percent.
    deletion_guard_percent: u8,
}

/// A source.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Source {
    /// Its name.
    #[schema(example = "contoso")]
    name: String,
    /// How much is stored of it.
    counts: Counts,
    /// What it is asked to do.
    options: Options,
    /// The newest run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_run: Option<Run>,
}

/// An attribute of a schema.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SchemaAttribute {
    /// Its name.
    #[schema(example = "EXO_PrimarySmtpAddress")]
    name: String,
    /// `string`, `int`, `long`, `boolean` or `date`.
    #[serde(rename = "type")]
    kind: String,
    /// Whether it holds several values.
    multi_valued: bool,
    /// Whether its values are entitlements.
    entitlement: bool,
    /// Whether plans may change it.
    writable: bool,
}

/// The attributes that a source aggregates.
#[derive(Serialize, ToSchema)]
struct SourceSchema {
    /// Of accounts.
    account: Vec<SchemaAttribute>,
    /// Of groups.
    group: Vec<SchemaAttribute>,
}

/// List the sources that the credential reaches.
#[utoipa::path(
    get,
    path = "/sources",
    operation_id = "listSources",
    tag = "sources",
    responses((status = 200, description = "The sources", body = SourceList), Refusals)
)]
async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
    Query(NoParameters {}): Query<NoParameters>,
) -> Answer<SourceList> {
    let seen = gateway.sources.keys().filter(|name| gateway.source(Some(name.as_str()), &caller).is_some());
    Ok(Json(SourceList { items: seen.map(|name| SourceName { name: name.clone() }).collect() }))
}

/// Show a source: how much is stored of it, and its newest run.
#[utoipa::path(
    get,
    path = "/sources/{source}",
    operation_id = "getSource",
    tag = "sources",
    params(OfSource),
    responses((status = 200, description = "The source", body = Source), Refusals)
)]
async fn get(Reading(source): Reading, Query(NoParameters {}): Query<NoParameters>) -> Answer<Source> {
    let counts = source.store.counts().await?;
    let options = &source.context.options;
    Ok(Json(Source {
        name: source.name.clone(),
        counts: Counts {
            accounts: counts.users,
            mailboxes: counts.mailboxes,
            groups: counts.groups,
            memberships: counts.memberships,
            grants: counts.grants,
            governed_mailboxes: counts.labelled_mailboxes,
        },
        options: Options {
            manage_exchange_online: options.manage_exchange_online,
            aggregate_all_groups: options.aggregate_all_groups,
            manage_microsoft_365_groups: options.manage_microsoft_365_groups,
            send_on_behalf: options.send_on_behalf,
            deletion_guard_percent: options.deletion_guard_percent,
        },
        last_run: source.store.runs(1).await?.pop().map(Run::from),
    }))
}

/// Show the schema of a source: the attributes that it aggregates, and which of them plans may change.
#[utoipa::path(
    get,
    path = "/sources/{source}/schema",
    operation_id = "getSchema",
    tag = "sources",
    params(OfSource),
    responses((status = 200, description = "The schema", body = SourceSchema), Refusals)
)]
async fn schema(
    Reading(source): Reading,
    Query(NoParameters {}): Query<NoParameters>,
) -> Answer<SourceSchema> {
    const GROUP_POLICIES: [PolicyKind; 3] =
        [PolicyKind::DistributionList, PolicyKind::MailEnabledSecurityGroup, PolicyKind::Microsoft365Group];
    Ok(Json(SourceSchema {
        account: attributes(&source, &source.context.account_schema, &[PolicyKind::Account]),
        group: attributes(&source, &source.context.group_schema, &GROUP_POLICIES),
    }))
}

fn attributes(source: &Configured, schema: &Schema, policies: &[PolicyKind]) -> Vec<SchemaAttribute> {
    schema
        .attributes()
        .iter()
        .map(|attribute| SchemaAttribute {
            name: attribute.name.clone(),
            kind: attribute.kind.name().to_owned(),
            multi_valued: attribute.multi_valued,
            entitlement: attribute.entitlement,
            writable: attribute.name == GROUPS
                || attribute.name == SHARED_MAILBOX
                || policies.iter().any(|kind| source.policy.get(*kind, &attribute.name).is_some()),
        })
        .collect()
}
