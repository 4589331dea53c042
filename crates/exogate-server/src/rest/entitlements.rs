//! What governance can give and take: rights on governed mailboxes.

use exogate_engine::view;
use exogate_model::right::Right as ModelRight;
use exogate_store::Cursor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Answer, Reading};
use super::listing::{Listed, Listing, Page, Paging};
use super::page::{Text, Within};
use super::params::OfSource;
use super::refusals::Refusals;
use crate::gateway::Gateway;

/// Mailboxes looked through for one page. Each makes up to eight entitlements.
const MAILBOXES: usize = 128;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A right that can be given and taken.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
enum KnownRight {
    /// Change the owner of the mailbox object.
    ChangeOwner,
    /// Change the permissions of the mailbox.
    ChangePermission,
    /// Delete the mailbox.
    DeleteItem,
    /// The trustee is outside the domain.
    ExternalAccount,
    /// Open the mailbox and use what is in it.
    FullAccess,
    /// Read the permissions of the mailbox.
    ReadPermission,
    /// Send as the mailbox.
    SendAs,
    /// Send on behalf of the mailbox.
    SendOnBehalf,
}

impl KnownRight {
    fn is(self, right: &ModelRight) -> bool {
        let wanted = match self {
            Self::ChangeOwner => ModelRight::ChangeOwner,
            Self::ChangePermission => ModelRight::ChangePermission,
            Self::DeleteItem => ModelRight::DeleteItem,
            Self::ExternalAccount => ModelRight::ExternalAccount,
            Self::FullAccess => ModelRight::FullAccess,
            Self::ReadPermission => ModelRight::ReadPermission,
            Self::SendAs => ModelRight::SendAs,
            Self::SendOnBehalf => ModelRight::SendOnBehalf,
        };
        wanted == *right
    }
}

/// A right on a governed mailbox.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Entitlement {
    /// The value of the account attribute `sharedMailbox`.
    #[schema(example = "O365Support: SendAs")]
    value: String,
    /// Id of the mailbox. With the right it is the stable key: the value follows the mailbox's name.
    mailbox: String,
    /// Primary address of the mailbox.
    address: String,
    /// The right.
    #[schema(example = "SendAs")]
    right: String,
    /// How many hold it.
    holders: u64,
}

impl From<view::Entitlement> for Entitlement {
    fn from(entitlement: view::Entitlement) -> Self {
        let view::Entitlement { value, mailbox, address, right, holders } = entitlement;
        Self { value, mailbox, address, right: right.to_string(), holders }
    }
}

type EntitlementPage = Page<Entitlement>;

impl Listed for Entitlement {
    const PAGE: &'static str = "EntitlementPage";
    const ABOUT: &'static str = "A page of entitlements, in the order of the mailboxes' labels.";
    const ITEMS: &'static str =
        "The entitlements. A page may hold fewer than asked for and still not be the last one.";
}

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Part of the value or of the mailbox's address, without regard to case.
    #[param(value_type = Option<String>, min_length = 1)]
    search: Option<Text>,
    /// Only this right.
    #[param(inline)]
    right: Option<KnownRight>,
    /// Only those that somebody holds, or that nobody holds.
    held: Option<bool>,
}

/// List entitlements.
///
/// Every right on every governed mailbox, whether somebody holds it or not: all of them can be given.
#[utoipa::path(
    get,
    path = "/sources/{source}/entitlements",
    operation_id = "listEntitlements",
    tag = "entitlements",
    params(OfSource, Paging, ListQuery),
    responses((status = 200, description = "A page of entitlements", body = EntitlementPage), Refusals)
)]
async fn list(
    Reading(source): Reading,
    Listing { filter: query, after, limit }: Listing<ListQuery, Within<Cursor>>,
) -> Answer<EntitlementPage> {
    let place = after.unwrap_or_default();
    let found = source.view.entitlements_page(place.after.clone(), MAILBOXES).await?;
    let search = query.search.map(|text| text.0.to_lowercase());
    let wanted = |entitlement: &view::Entitlement| {
        query.right.is_none_or(|right| right.is(&entitlement.right))
            && query.held.is_none_or(|held| held == (entitlement.holders > 0))
            && search.as_ref().is_none_or(|text| {
                entitlement.value.to_lowercase().contains(text)
                    || entitlement.address.to_lowercase().contains(text)
            })
    };
    let items: Vec<view::Entitlement> = found.items.into_iter().filter(wanted).collect();
    let (items, next) = place.cut(items, found.next, limit);
    Page::of(items.into_iter().map(Entitlement::from), next.as_ref())
}
