//! Who has rights on a mailbox, and on which mailboxes somebody has rights: as granted, or in effect
//! through nested groups.

use axum::Json;
use exogate_engine::access::{self, WhatRow, WhoRow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Answer, Path, Query, Reading};
use super::params::OfSource;
use super::refusals::Refusals;
use crate::gateway::Gateway;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(who)).routes(routes!(what))
}

/// A group on the way from a grant to somebody.
#[derive(Serialize, ToSchema)]
pub struct Via {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
}

fn way(via: Vec<access::Via>) -> Vec<Via> {
    via.into_iter().map(|group| Via { id: group.id, name: group.name }).collect()
}

/// Somebody or something that holds a right.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// `user`, `group`, `orphan`, `ambiguous` or `unknown`.
    kind: String,
    /// Object id of a user or group.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Display name, or the trustee as Exchange renders it.
    name: String,
    /// User principal name, or mail address of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// One right of one holder.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RightOnMailbox {
    /// The right.
    #[schema(example = "FullAccess")]
    right: String,
    /// Who holds it.
    holder: Holder,
    /// The trustee of the grant, as Exchange renders it.
    trustee: String,
    /// The groups that it comes through, the one that holds the grant first.
    via: Vec<Via>,
    /// Whether the right is denied.
    deny: bool,
    /// Whether the grant is inherited.
    inherited: bool,
    /// Anything else worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When the grant was last seen.
    read_at: Timestamp,
}

impl From<WhoRow> for RightOnMailbox {
    fn from(row: WhoRow) -> Self {
        let access::Holder { kind, id, name, address } = row.holder;
        Self {
            right: row.right.to_string(),
            holder: Holder { kind: kind.to_owned(), id, name, address },
            trustee: row.trustee,
            via: way(row.via),
            deny: row.deny,
            inherited: row.inherited,
            note: row.note,
            read_at: row.read_at,
        }
    }
}

/// Who has rights on one mailbox.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Who {
    /// Id of the mailbox.
    mailbox: String,
    /// Its label in entitlements, or its display name.
    label: String,
    /// Its primary address.
    address: String,
    /// Whether groups are expanded and denials applied.
    effective: bool,
    /// The rights, by right and holder.
    rights: Vec<RightOnMailbox>,
}

impl From<access::Who> for Who {
    fn from(found: access::Who) -> Self {
        let access::Who { mailbox, label, address, effective, rows } = found;
        let rights = rows.into_iter().map(RightOnMailbox::from).collect();
        Self { mailbox, label, address, effective, rights }
    }
}

/// One right on one mailbox.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RightOfHolder {
    /// Id of the mailbox.
    mailbox: String,
    /// Its label in entitlements, or its display name.
    label: String,
    /// Its primary address.
    address: String,
    /// The right.
    #[schema(example = "FullAccess")]
    right: String,
    /// The groups that it comes through, the one that holds the grant first.
    via: Vec<Via>,
    /// Whether the right is denied.
    deny: bool,
    /// Whether the grant is inherited.
    inherited: bool,
    /// Anything else worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When the grant was last seen.
    read_at: Timestamp,
}

impl From<WhatRow> for RightOfHolder {
    fn from(row: WhatRow) -> Self {
        Self {
            mailbox: row.mailbox,
            label: row.label,
            address: row.address,
            right: row.right.to_string(),
            via: way(row.via),
            deny: row.deny,
            inherited: row.inherited,
            note: row.note,
            read_at: row.read_at,
        }
    }
}

/// On which mailboxes somebody has rights.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct What {
    /// Object id of the user or group.
    id: String,
    /// What it is called.
    name: String,
    /// Whether rights of groups are included and denials applied.
    effective: bool,
    /// The rights, by mailbox and right.
    rights: Vec<RightOfHolder>,
}

impl From<access::What> for What {
    fn from(found: access::What) -> Self {
        let access::What { id, name, effective, rows } = found;
        Self { id, name, effective, rights: rows.into_iter().map(RightOfHolder::from).collect() }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AccessQuery {
    /// In effect, through nested groups and with denials applied, instead of as granted.
    #[serde(default)]
    #[param(value_type = Option<bool>, default = false)]
    effective: bool,
}

/// One mailbox.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct WhoPath {
    /// Id, address, label or name of the mailbox
    mailbox: String,
}

/// Who has rights on a mailbox.
///
/// As granted, or in effect: then members of groups are listed with the groups that they have a right
/// through. The mailbox's own rights and those of the system are left out.
#[utoipa::path(
    get,
    path = "/sources/{source}/who/{mailbox}",
    operation_id = "whoHasRights",
    tag = "access",
    params(OfSource, WhoPath, AccessQuery),
    responses((status = 200, description = "The rights on the mailbox", body = Who), Refusals)
)]
async fn who(
    Reading(source): Reading,
    Path(path): Path<WhoPath>,
    Query(query): Query<AccessQuery>,
) -> Answer<Who> {
    Ok(Json(source.view.who(&path.mailbox, query.effective).await?.into()))
}

/// One who may hold rights.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct WhatPath {
    /// Id or address of an account; or id, address or name of a group
    holder: String,
}

/// On which mailboxes an account or group has rights.
///
/// Its own, or in effect: then those of every group that it is in, directly or through others, are
/// listed with the way they take.
#[utoipa::path(
    get,
    path = "/sources/{source}/what/{holder}",
    operation_id = "whatIsHeld",
    tag = "access",
    params(OfSource, WhatPath, AccessQuery),
    responses((status = 200, description = "The rights that it has", body = What), Refusals)
)]
async fn what(
    Reading(source): Reading,
    Path(path): Path<WhatPath>,
    Query(query): Query<AccessQuery>,
) -> Answer<What> {
    Ok(Json(source.view.what(&path.holder, query.effective).await?.into()))
}
