//! Accounts: Entra users with their mailbox attributes and entitlements.

use axum::Json;
use exogate_model::account::{self, Attributes};
use exogate_store::{AccountFilter, Cursor};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Answer, Path, Query, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::page::Text;
use super::params::{FieldsQuery, OfSource};
use super::refusals::Refusals;
use super::value::Fields;
use crate::gateway::Gateway;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// An Entra user with its mailbox attributes, groups and rights on shared mailboxes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Account {
    /// Entra object id.
    id: String,
    /// User principal name.
    name: String,
    /// Whether sign-in is blocked.
    disabled: bool,
    /// The attributes of the account schema that have a value; `groups` and `sharedMailbox` are its
    /// entitlements.
    #[schema(value_type = std::collections::BTreeMap<String, super::value::AttributeValue>)]
    attributes: Attributes,
}

impl Account {
    fn of(account: account::Account, fields: &Fields) -> Self {
        let account::Account { id, name, disabled, attributes } = account;
        Self { id, name, disabled, attributes: fields.of_attributes(attributes) }
    }
}

type AccountPage = Page<Account>;

impl Listed for Account {
    const PAGE: &'static str = "AccountPage";
    const ABOUT: &'static str = "A page of accounts, in the order of their names.";
    const ITEMS: &'static str = "The accounts.";
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// The attributes wanted, with commas between them; all where it is left out.
    #[param(value_type = Option<String>, min_length = 1, example = "displayName,sharedMailbox")]
    fields: Option<Text>,
    /// Part of the user principal name, display name or mail address, without regard to case.
    #[param(value_type = Option<String>, min_length = 1)]
    search: Option<Text>,
    /// Only those whose sign-in is blocked, or is not.
    disabled: Option<bool>,
    /// Only those with a mailbox, or without.
    has_mailbox: Option<bool>,
    /// Only direct members of the group with this id.
    #[param(value_type = Option<String>, min_length = 1)]
    group: Option<Text>,
}

/// List accounts.
///
/// In the order of user principal names, page by page. The page may be read again with the same cursor;
/// what changes in between shows where it belongs in that order.
#[utoipa::path(
    get,
    path = "/sources/{source}/accounts",
    operation_id = "listAccounts",
    tag = "accounts",
    params(OfSource, Paging, ListQuery),
    responses((status = 200, description = "A page of accounts", body = AccountPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { filter: query, after, limit }: Listing<ListQuery, Cursor>,
) -> Answer<AccountPage> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    let filter = AccountFilter {
        text: query.search.map(|text| text.0),
        disabled: query.disabled,
        has_mailbox: query.has_mailbox,
        group: query.group.map(|text| text.0),
    };
    let found = source.view.accounts_where(filter, after, limit).await?;
    Page::of(found.items.into_iter().map(|account| Account::of(account, &fields)), found.next.as_ref())
}

/// One account.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct AccountPath {
    /// Object id, user principal name or mail address
    account: String,
}

/// Show an account.
#[utoipa::path(
    get,
    path = "/sources/{source}/accounts/{account}",
    operation_id = "getAccount",
    tag = "accounts",
    params(OfSource, AccountPath, FieldsQuery),
    responses((status = 200, description = "The account", body = Account), Refusals)
)]
async fn get(
    Reading(source): Reading,
    Path(path): Path<AccountPath>,
    Query(query): Query<FieldsQuery>,
) -> Answer<Account> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    Ok(Json(Account::of(source.view.account(&path.account).await?, &fields)))
}
