//! Mailboxes with the rights on them, and putting those rights back as they were.

use axum::Json;
use exogate_engine::view;
use exogate_model::account::Attributes;
use exogate_model::mailbox::MailboxKind as ModelKind;
use exogate_store::MailboxFilter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::RightOnMailbox;
use super::extract::{Path, Query, Reading};
use super::page::{self, Limit, Text};
use super::params::{FieldsQuery, MailboxPath, OfSource};
use super::problem::Problem;
use super::refusals::Refusals;
use super::value::Fields;
use crate::gateway::Gateway;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// A kind of mailbox to ask for.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum MailboxKind {
    /// A person's mailbox.
    User,
    /// A mailbox that several people use.
    Shared,
    /// A room.
    Room,
    /// A piece of equipment.
    Equipment,
}

impl From<MailboxKind> for ModelKind {
    fn from(kind: MailboxKind) -> Self {
        match kind {
            MailboxKind::User => Self::User,
            MailboxKind::Shared => Self::Shared,
            MailboxKind::Room => Self::Room,
            MailboxKind::Equipment => Self::Equipment,
        }
    }
}

/// A mailbox.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Mailbox {
    /// Its id, which is also that of its account.
    id: String,
    /// Display name.
    name: String,
    /// `user`, `shared`, `room`, `equipment`, or Exchange's own word for another kind.
    kind: String,
    /// Primary SMTP address.
    address: String,
    /// Its label in entitlements, if the rights on it are governed.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The attributes of the account schema that Exchange knows.
    #[schema(value_type = std::collections::BTreeMap<String, super::value::AttributeValue>)]
    attributes: Attributes,
    /// When it was read.
    read_at: Timestamp,
}

impl Mailbox {
    fn of(mailbox: view::Mailbox, fields: &Fields) -> (Self, Vec<RightOnMailbox>) {
        let view::Mailbox { id, name, kind, address, label, attributes, rights, read_at } = mailbox;
        let attributes = fields.of_attributes(attributes);
        let rights = rights.into_iter().map(RightOnMailbox::from).collect();
        (Self { id, name, kind, address, label, attributes, read_at }, rights)
    }
}

/// A mailbox with the rights on it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MailboxWithRights {
    /// The mailbox.
    mailbox: Mailbox,
    /// Who has which right on it, as granted.
    rights: Vec<RightOnMailbox>,
}

/// A page of mailboxes, in the order of their addresses.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MailboxPage {
    /// The mailboxes.
    items: Vec<Mailbox>,
    /// Send this as `cursor` to get the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Where to go on: `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1)]
    cursor: Option<Text>,
    /// How many at most.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// The attributes wanted, with commas between them; all where it is left out.
    #[param(value_type = Option<String>, min_length = 1, example = "EXO_PrimarySmtpAddress")]
    fields: Option<Text>,
    /// Part of the primary address, display name or alias, without regard to case.
    #[param(value_type = Option<String>, min_length = 1)]
    search: Option<Text>,
    /// Only mailboxes of this kind.
    #[param(inline)]
    kind: Option<MailboxKind>,
    /// Only those whose rights are entitlements, or are not.
    governed: Option<bool>,
}

/// List mailboxes.
///
/// In the order of primary addresses, page by page.
#[utoipa::path(
    get,
    path = "/sources/{source}/mailboxes",
    operation_id = "listMailboxes",
    tag = "mailboxes",
    params(OfSource, ListQuery),
    responses((status = 200, description = "A page of mailboxes", body = MailboxPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Query(query): Query<ListQuery>,
) -> Result<Json<MailboxPage>, Problem> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    let filter = MailboxFilter {
        text: query.search.map(|text| text.0),
        kind: query.kind.map(ModelKind::from),
        governed: query.governed,
    };
    let after = page::decode(query.cursor.as_ref())?;
    let found = source.view.mailboxes_where(filter, after, query.limit.0).await?;
    Ok(Json(MailboxPage {
        items: found.items.into_iter().map(|mailbox| Mailbox::of(mailbox, &fields).0).collect(),
        next: found.next.as_ref().map(page::encode).transpose()?,
    }))
}

/// Show a mailbox, with the rights on it.
#[utoipa::path(
    get,
    path = "/sources/{source}/mailboxes/{mailbox}",
    operation_id = "getMailbox",
    tag = "mailboxes",
    params(OfSource, MailboxPath, FieldsQuery),
    responses((status = 200, description = "The mailbox", body = MailboxWithRights), Refusals)
)]
async fn get(
    Reading(source): Reading,
    Path(path): Path<MailboxPath>,
    Query(query): Query<FieldsQuery>,
) -> Result<Json<MailboxWithRights>, Problem> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    let (mailbox, rights) = Mailbox::of(source.view.mailbox(&path.mailbox).await?, &fields);
    Ok(Json(MailboxWithRights { mailbox, rights }))
}
