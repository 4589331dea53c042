//! REST: everything that the gateway knows and does, as resources under `/api/v1`.
//!
//! Each handler is registered once, for the router and for the OpenAPI document alike, so that the
//! document cannot say anything else than the code. Errors are problem details; authentication is done
//! before, and scope and source are checked by the extractors.

mod access;
mod accounts;
mod carry_out;
mod change;
mod changes;
mod document;
mod entitlements;
mod extract;
mod groups;
mod journal;
mod listing;
mod mailboxes;
mod operation;
mod page;
mod params;
mod plan_request;
mod plans;
mod problem;
mod refusals;
mod runs;
mod sources;
mod undo;
mod value;
mod webhooks;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

pub(crate) use self::change::Change;
use self::problem::Problem;
use crate::gateway::Gateway;
use crate::serve::Asked;

/// Where this door is.
pub const MOUNT: &str = "/api/v1";
/// The largest body, in bytes.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// This door, by paths relative to its place.
pub fn router(gateway: Gateway) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(gateway)
}

/// A refusal in the form of this door.
pub fn refusal(status: StatusCode, detail: &str) -> Response {
    Problem::of_status(status, detail).into_response()
}

/// Whether a request asks for a change. Who only wants to see what would be done asks for none.
pub(crate) fn changes(asked: &Asked<'_>) -> bool {
    asked.route.is_some_and(|route| !plans::only_compiles(route) && !undo::only_shows(route, asked.body))
}

/// The OpenAPI document of this door.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::not_found(format!("There is nothing at {:?}; GET /docs lists what there is.", uri.path()))
}

async fn not_so(method: Method) -> Problem {
    Problem::of_status(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{method} cannot be done here; the header Allow says what can."),
    )
}

/// Every handler with what the document says about it.
fn described() -> OpenApiRouter<Gateway> {
    OpenApiRouter::with_openapi(Described::openapi())
        .merge(document::routes())
        .merge(sources::routes())
        .merge(runs::routes())
        .merge(accounts::routes())
        .merge(groups::routes())
        .merge(mailboxes::routes())
        .merge(entitlements::routes())
        .merge(access::routes())
        .merge(changes::routes())
        .merge(plans::routes())
        .merge(journal::routes())
        .merge(undo::routes())
        .merge(webhooks::routes())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "exogate",
        description = "Identity governance for Microsoft Entra ID and Exchange Online: what is there, who has which \
                       right, what changed, and changing it.\n\nA request that is not as described here is answered by \
                       400, unknown parameters and members included; one that is, and yet cannot be carried out, by 422. \
                       Listings go page by page: send `next` as `cursor` until it is absent.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/api/v1")),
    components(schemas(Problem)),
    security(("bearer" = [])),
    modifiers(&Bearer),
    tags(
        (name = "sources", description = "Configured tenants"),
        (name = "runs", description = "Aggregations. Needs the scope `admin` to start and to cancel"),
        (name = "accounts", description = "Entra users with their mailbox attributes and entitlements"),
        (name = "groups", description = "Groups with members and owners"),
        (name = "mailboxes", description = "Mailboxes with the rights on them"),
        (name = "entitlements", description = "Rights on governed mailboxes, which can be given and taken"),
        (name = "access", description = "Who has which right, as granted or in effect"),
        (name = "changes", description = "The feed of changes"),
        (name = "webhooks", description = "Who is told of changes. Needs the scope `admin`"),
        (name = "plans", description = "What is to be changed. Needs the scope `provision`"),
        (name = "operations", description = "The journal of what was done"),
        (name = "document", description = "This document")
    )
)]
struct Described;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        openapi.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}
