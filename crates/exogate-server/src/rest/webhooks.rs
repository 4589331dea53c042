//! The webhooks of a source: how they stand, what they could not be given, and sending that again.
//!
//! Who is told of what is configured, not changed here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::change::Change;
use super::extract::{Administering, NoParameters, Path, Query};
use super::params::{OfSource, WebhookPath};
use super::problem::Problem;
use super::refusals::Refusals;
use crate::gateway::{Gateway, Source};
use crate::webhook::{Courier, Resent, Standing};

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(dead_letters)).routes(routes!(resend))
}

/// The webhooks of a source.
#[derive(Serialize, ToSchema)]
struct WebhookList {
    /// In the order of the configuration.
    items: Vec<Standing>,
}

/// List webhooks.
///
/// How each stands: whether it fails and why, how far it is behind, and what it could not be given.
#[utoipa::path(
    get,
    path = "/sources/{source}/webhooks",
    operation_id = "listWebhooks",
    tag = "webhooks",
    params(OfSource),
    responses((status = 200, description = "The webhooks", body = WebhookList), Refusals)
)]
async fn list(
    State(gateway): State<Gateway>,
    Administering { source, .. }: Administering,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<WebhookList>, Problem> {
    let mut items = Vec::new();
    for hook in &source.webhooks {
        let courier = Courier::new(source.store.clone(), Arc::clone(hook), Arc::clone(&gateway.clock));
        items.push(courier.standing().await?);
    }
    Ok(Json(WebhookList { items }))
}

/// A change that a webhook could not be given.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookDeadLetter {
    /// Id of the message that it was part of.
    message: String,
    /// When it was given up.
    at: Timestamp,
    /// How often it was tried.
    attempts: u32,
    /// Why the last attempt failed.
    reason: String,
    /// The change.
    change: Change,
}

/// What a webhook could not be given.
#[derive(Serialize, ToSchema)]
struct DeadLetters {
    /// In the order of the feed.
    items: Vec<WebhookDeadLetter>,
}

/// List the dead letters of a webhook.
///
/// Changes that were tried for as long as the webhook is given, in the order of the feed. They are kept as
/// long as the changes themselves.
#[utoipa::path(
    get,
    path = "/sources/{source}/webhooks/{webhook}/dead-letters",
    operation_id = "listDeadLetters",
    tag = "webhooks",
    params(OfSource, WebhookPath),
    responses((status = 200, description = "The dead letters", body = DeadLetters), Refusals)
)]
async fn dead_letters(
    State(gateway): State<Gateway>,
    Administering { source, .. }: Administering,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<DeadLetters>, Problem> {
    courier(&gateway, &source, &path.webhook)?;
    let letters = source.store.dead_letters(&path.webhook).await?;
    let items = letters
        .into_iter()
        .map(|(letter, change)| WebhookDeadLetter {
            message: letter.message,
            at: letter.at,
            attempts: letter.attempts,
            reason: letter.reason,
            change: change.into(),
        })
        .collect();
    Ok(Json(DeadLetters { items }))
}

/// Send the dead letters of a webhook again.
///
/// Message by message as they were, until the receiver does not take one. What it takes is a dead letter no
/// more.
#[utoipa::path(
    post,
    path = "/sources/{source}/webhooks/{webhook}/resend",
    operation_id = "resendDeadLetters",
    tag = "webhooks",
    params(OfSource, WebhookPath),
    responses((status = 200, description = "What became of them", body = Resent), Refusals)
)]
async fn resend(
    State(gateway): State<Gateway>,
    Administering { source, .. }: Administering,
    Path(path): Path<WebhookPath>,
    Query(NoParameters {}): Query<NoParameters>,
) -> Result<Json<Resent>, Problem> {
    Ok(Json(courier(&gateway, &source, &path.webhook)?.resend().await?))
}

fn courier(gateway: &Gateway, source: &Source, name: &str) -> Result<Courier, Problem> {
    let hook = source.webhooks.iter().find(|hook| hook.name == name);
    let hook = hook.ok_or_else(|| {
        Problem::not_found(format!(
            "There is no webhook {name:?}; GET /sources/{{source}}/webhooks lists them."
        ))
    })?;
    Ok(Courier::new(source.store.clone(), Arc::clone(hook), Arc::clone(&gateway.clock)))
}
