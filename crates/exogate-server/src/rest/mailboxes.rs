//! Mailboxes with the rights on them, and putting those rights back as they were.

use axum::Json;
use exogate_engine::view;
use exogate_model::account::Attributes;
use exogate_model::mailbox::MailboxKind as ModelKind;
use exogate_store::{Cursor, MailboxFilter};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::RightOnMailbox;
use super::extract::{Answer, Path, Query, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::page::Text;
use super::params::{FieldsQuery, MailboxPath, OfSource};
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

type MailboxPage = Page<Mailbox>;

impl Listed for Mailbox {
    const PAGE: &'static str = "MailboxPage";
    const ABOUT: &'static str = "A page of mailboxes, in the order of their addresses.";
    const ITEMS: &'static str = "The mailboxes.";
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
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
    params(OfSource, Paging, ListQuery),
    responses((status = 200, description = "A page of mailboxes", body = MailboxPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { filter: query, after, limit }: Listing<ListQuery, Cursor>,
) -> Answer<MailboxPage> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    let filter = MailboxFilter {
        text: query.search.map(|text| text.0),
        kind: query.kind.map(ModelKind::from),
        governed: query.governed,
    };
    let found = source.view.mailboxes_where(filter, after, limit).await?;
    Page::of(found.items.into_iter().map(|mailbox| Mailbox::of(mailbox, &fields).0), found.next.as_ref())
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
) -> Answer<MailboxWithRights> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    let (mailbox, rights) = Mailbox::of(source.view.mailbox(&path.mailbox).await?, &fields);
    Ok(Json(MailboxWithRights { mailbox, rights }))
}
