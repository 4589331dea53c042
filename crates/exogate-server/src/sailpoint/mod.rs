//! SailPoint connector commands as lines of JSON: `POST /{source}` takes one command, as the
//! connector runner of SailPoint does, and answers with one line for each object.
//!
//! Reads from the view and the feed of changes, writes plans; knows nothing of Exchange. How a
//! caller proved who they are is decided before a request comes here.

mod account;
mod answer;
mod change;
mod command;
mod create;
mod delta;
mod entitlement;
mod lifecycle;
mod lines;
mod permission;
mod refusal;
mod request;
mod schema;
mod spec;
mod state;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};

use crate::caller::{Caller, Scope};
use crate::gateway::{Gateway, Source};
use crate::serve::Asked;
use refusal::Refusal;
use request::Body;

pub use refusal::refusal;

/// What can be tuned, by tests above all.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long an answer may be silent before a line says that the command is still at work.
    /// Clients give up after three minutes.
    pub keep_alive: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keep_alive: Duration::from_secs(45) }
    }
}

#[derive(Clone)]
struct Door {
    gateway: Gateway,
    settings: Settings,
}

/// The door, with paths relative to where it is mounted.
pub fn router(gateway: Gateway) -> Router {
    router_with(gateway, Settings::default())
}

/// The same, tuned.
pub fn router_with(gateway: Gateway, settings: Settings) -> Router {
    Router::new()
        .route("/", post(only))
        .route("/{source}", post(named))
        .route("/{source}/", post(named))
        .route("/{source}/connector-spec.json", get(connector_spec).post(deeper))
        .route("/{source}/{*rest}", post(deeper))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Door { gateway, settings })
}

/// Whether a request asks for a change: that is a matter of its command alone.
pub(crate) fn changes(asked: &Asked<'_>) -> bool {
    asked.method == Method::POST
        && request::parse(asked.body).is_ok_and(|body| body.command.scope() != Scope::Read)
}

type Named<T> = Result<Path<T>, PathRejection>;

async fn only(State(door): State<Door>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    door.serve(None, &caller, request).await
}

async fn named(
    State(door): State<Door>,
    source: Named<String>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let Ok(Path(source)) = source else { return Refusal::no_source(None).into_response() };
    door.serve(Some(&source), &caller, request).await
}

/// Runners post to any path; what stands behind the source is theirs.
async fn deeper(
    State(door): State<Door>,
    uri: Uri,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let first = uri.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    door.serve(Some(&first), &caller, request).await
}

async fn connector_spec(
    State(door): State<Door>,
    source: Named<String>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let source = source.ok().map(|Path(source)| source);
    match door.source(source.as_deref(), &caller) {
        Ok(source) if caller.may(Scope::Read, &source.name) => Json(spec::spec(source)).into_response(),
        Ok(_) => Refusal::forbidden(Scope::Read).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn unknown() -> Response {
    Refusal::not_found("there is nothing at this path; commands are posted to /sailpoint/{source}")
        .into_response()
}

/// The router adds which methods there are.
async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "commands are posted; use POST")
}

impl Door {
    fn source(&self, name: Option<&str>, caller: &Caller) -> Result<&Arc<Source>, Refusal> {
        match self.gateway.source(name, caller) {
            Some(source) => Ok(source),
            None => Err(Refusal::no_source(name)),
        }
    }

    async fn serve(&self, name: Option<&str>, caller: &Caller, request: Request) -> Response {
        match self.begin(name, caller, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn begin(
        &self,
        name: Option<&str>,
        caller: &Caller,
        request: Request,
    ) -> Result<Response, Refusal> {
        let source = self.source(name, caller)?;
        let Body { command, input, options } = request::read(request).await?;
        if !caller.may(command.scope(), &source.name) {
            return Err(Refusal::forbidden(command.scope()));
        }
        let job = command::Job { source: Arc::clone(source), caller: caller.clone(), input, options };
        Ok(answer::respond(self.settings.keep_alive, command, job).await)
    }
}
