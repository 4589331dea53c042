//! Accounts: Entra users with their mailbox attributes and entitlements.

use axum::Json;
use exogate_model::account::{self, Attributes};
use exogate_store::AccountFilter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, Query, Reading};
use super::page::{self, Limit, Text};
use super::params::{FieldsQuery, OfSource};
use super::problem::Problem;
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

/// A page of accounts, in the order of their names.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountPage {
    /// The accounts.
    items: Vec<Account>,
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
    params(OfSource, ListQuery),
    responses((status = 200, description = "A page of accounts", body = AccountPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Query(query): Query<ListQuery>,
) -> Result<Json<AccountPage>, Problem> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    let filter = AccountFilter {
        text: query.search.map(|text| text.0),
        disabled: query.disabled,
        has_mailbox: query.has_mailbox,
        group: query.group.map(|text| text.0),
    };
    let after = page::decode(query.cursor.as_ref())?;
    let found = source.view.accounts_where(filter, after, query.limit.0).await?;
    Ok(Json(AccountPage {
        items: found.items.into_iter().map(|account| Account::of(account, &fields)).collect(),
        next: found.next.as_ref().map(page::encode).transpose()?,
    }))
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
) -> Result<Json<Account>, Problem> {
    let fields = Fields::of(query.fields.as_ref(), &source.context.account_schema, &[])?;
    Ok(Json(Account::of(source.view.account(&path.account).await?, &fields)))
}
