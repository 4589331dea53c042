//! The door itself: from HTTP to operations and back. Every answer is in SCIM's form, whatever was
//! asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Query as Parameters};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::context::{Answer, Content, Context};
use super::error::ScimError;
use super::limits;
use super::project::Projection;
use super::query;
use super::remembered::{Memory, Question, Remembered};
use super::schema::{self, Model, ResourceKind};
use super::write::{self, Precondition, matches_version};
use crate::caller::{Caller, Scope};
use crate::gateway::Gateway;
use crate::serve::Asked;

/// Where this door is.
pub const MOUNT: &str = "/scim/v2";
const SCIM: &str = "application/scim+json";
const JSON: &str = "application/json";
/// The first part of a path that names no source.
const ENDPOINTS: [&str; 9] = [
    "Users",
    "Groups",
    "Entitlements",
    "ServiceProviderConfig",
    "ResourceTypes",
    "Schemas",
    "Bulk",
    ".search",
    "Me",
];

struct Door {
    gateway: Gateway,
    sources: BTreeMap<String, Published>,
}

/// What the door knows of a source.
struct Published {
    model: Arc<Model>,
    memory: Memory,
}

/// The door, with paths relative to where it is mounted.
pub fn router(gateway: Gateway) -> Router {
    let published = gateway.sources.iter().map(|(name, source)| {
        let model = Arc::new(Model::of(source));
        (name.clone(), Published { model, memory: Memory::default() })
    });
    let sources = published.collect();
    let door = Arc::new(Door { gateway, sources });
    Router::new().fallback(move |request: Request<Body>| {
        let door = Arc::clone(&door);
        async move { door.answer(request).await }
    })
}

/// An error in the form of this door.
pub fn refusal(status: StatusCode, detail: &str) -> Response {
    render(Err(ScimError::new(status, detail)), &HeaderMap::new())
}

/// What kind of thing a path of this door leads to, without what names one of them.
pub fn described(path: &str) -> String {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
    let mut route = MOUNT.to_owned();
    if segments.next_if(|first| !ENDPOINTS.contains(first)).is_some() {
        route.push_str("/{source}");
    }
    if let Some(endpoint) = segments.next() {
        route.push('/');
        route.push_str(if ENDPOINTS.contains(&endpoint) { endpoint } else { "{endpoint}" });
    }
    if let Some(one) = segments.next() {
        route.push_str(if one == ".search" { "/.search" } else { "/{id}" });
    }
    if segments.next().is_some() {
        route.push_str("/{more}");
    }
    route
}

/// Whether a request asks for a change.
pub(crate) fn changes(asked: &Asked<'_>) -> bool {
    let Ok(segments) = segments(asked.path) else { return false };
    let source = segments.first().is_some_and(|first| !ENDPOINTS.contains(&first.as_str()));
    let rest: Vec<&str> = segments.iter().skip(usize::from(source)).map(String::as_str).collect();
    match rest[..] {
        ["Bulk"] => true,
        [endpoint] | [endpoint, _] if ResourceKind::of_endpoint(endpoint).is_none() => false,
        [_] => true,
        [_, one] => one != ".search",
        _ => false,
    }
}

impl Door {
    async fn answer(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let outcome = self.dispatch(&parts, body).await;
        let not_modified =
            outcome.as_ref().ok().and_then(|answer| answer.version.as_deref()).is_some_and(|now| {
                let reads = parts.method == Method::GET || parts.method == Method::HEAD;
                let known = versions(&parts.headers, header::IF_NONE_MATCH);
                reads && known.is_some_and(|known| matches_version(&known, now))
            });
        match outcome {
            Ok(answer) if not_modified => {
                let answer =
                    Answer { status: StatusCode::NOT_MODIFIED, body: None, location: None, ..answer };
                render(Ok(answer), &parts.headers)
            }
            outcome => render(outcome, &parts.headers),
        }
    }

    async fn dispatch(&self, parts: &Parts, body: Body) -> Result<Answer, ScimError> {
        let Some(caller) = parts.extensions.get::<Caller>() else {
            return Err(ScimError::new(StatusCode::UNAUTHORIZED, "who calls is not known"));
        };
        let segments = segments(parts.uri.path())?;
        let named = segments.first().filter(|first| !ENDPOINTS.contains(&first.as_str()));
        let rest: Vec<&str> =
            segments.iter().skip(usize::from(named.is_some())).map(String::as_str).collect();
        let source = self.gateway.source(named.map(String::as_str), caller);
        let Some((source, published)) =
            source.and_then(|source| Some((source, self.sources.get(&source.name)?)))
        else {
            let several = named.is_none() && self.gateway.sources.len() > 1;
            return Err(match named {
                Some(name) => ScimError::not_found("source", name),
                None if several => ScimError::new(
                    StatusCode::NOT_FOUND,
                    "there are several sources; name one: /scim/v2/{source}/…",
                ),
                None => ScimError::no_resource(),
            });
        };
        let context = Context {
            source: Arc::clone(source),
            model: Arc::clone(&published.model),
            caller: caller.clone(),
            base: base(parts, named.map(String::as_str)),
            // A change that was begun is finished, whether or not somebody still listens.
            cancel: CancellationToken::new(),
        };
        context.need(Scope::Read)?;
        if parts.method == Method::GET || parts.method == Method::HEAD {
            reading(context, parts, &rest, body, &published.memory).await
        } else {
            route(context, parts, &rest, body).await
        }
    }
}

/// Answers a question, from memory if it was asked before and nothing was written since.
async fn reading(
    context: Context,
    parts: &Parts,
    rest: &[&str],
    body: Body,
    memory: &Memory,
) -> Result<Answer, ScimError> {
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let question = Question { base: context.base.clone(), path };
    // Taken before anything is read: what is read is at least as young.
    let Some(state) = context.source.store.state() else { return route(context, parts, rest, body).await };
    if let Some(known) = memory.recall(&question, state) {
        return Ok(Answer {
            status: StatusCode::OK,
            body: Some(Content::Written(known.body.clone())),
            location: known.location.clone(),
            version: known.version.clone(),
        });
    }
    let mut answer = route(context, parts, rest, body).await?;
    if answer.status == StatusCode::OK {
        let (location, version) = (answer.location.clone(), answer.version.clone());
        memory.keep(question, state, Remembered { body: answer.written(), location, version });
    }
    Ok(answer)
}

async fn route(context: Context, parts: &Parts, rest: &[&str], body: Body) -> Result<Answer, ScimError> {
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    let base = context.base.as_str();
    let only = |allowed: &[Method]| {
        if allowed.contains(&method) { Ok(()) } else { Err(ScimError::not_allowed(&method, allowed)) }
    };
    match rest {
        [] => {
            only(&[Method::GET])?;
            context.list_all(&query::of_parameters(&parameters(parts)?)?).await
        }
        [".search"] => {
            only(&[Method::POST])?;
            context.list_all(&query::of_search(json_body(parts, body).await?)?).await
        }
        ["ServiceProviderConfig"] => {
            only(&[Method::GET])?;
            Ok(Answer::json(schema::provider_config(base)))
        }
        ["ResourceTypes"] => {
            only(&[Method::GET])?;
            discovery_list(parts, schema::resource_types(&context.model, base))
        }
        ["ResourceTypes", id] => {
            only(&[Method::GET])?;
            let all = schema::resource_types(&context.model, base);
            discovered("resource type", id, all)
        }
        ["Schemas"] => {
            only(&[Method::GET])?;
            discovery_list(parts, schema::schemas(&context.model, base))
        }
        ["Schemas", id] => {
            only(&[Method::GET])?;
            discovered("schema", id, schema::schemas(&context.model, base))
        }
        ["Bulk"] => {
            only(&[Method::POST])?;
            context.need(Scope::Provision)?;
            let body = json_body(parts, body).await?;
            finish(context, |context| async move { context.bulk(body).await }).await
        }
        ["Me", ..] => Err(ScimError::new(
            StatusCode::NOT_IMPLEMENTED,
            "callers of the gateway are no users of the tenant, so there is no /Me",
        )),
        [endpoint, more @ ..] => {
            let Some(kind) = ResourceKind::of_endpoint(endpoint) else {
                return Err(ScimError::no_resource());
            };
            context.of(kind)?;
            if kind == ResourceKind::Entitlement && method != Method::GET && more != [".search"] {
                return Err(write::fixed());
            }
            match more {
                [] => collection(context, kind, &method, parts, body).await,
                [".search"] => {
                    only(&[Method::POST])?;
                    context.list(kind, &query::of_search(json_body(parts, body).await?)?).await
                }
                [id] => one(context, kind, id, &method, parts, body).await,
                _ => Err(ScimError::no_resource()),
            }
        }
    }
}

async fn collection(
    context: Context,
    kind: ResourceKind,
    method: &Method,
    parts: &Parts,
    body: Body,
) -> Result<Answer, ScimError> {
    let parameters = parameters(parts)?;
    let query = query::of_parameters(&parameters)?;
    match *method {
        Method::GET => context.list(kind, &query).await,
        Method::POST => {
            context.need(Scope::Provision)?;
            let body = json_body(parts, body).await?;
            let model = Arc::clone(&context.model);
            let answer =
                finish(context, move |context| async move { context.create(kind, body).await }).await?;
            Ok(projected(answer, &query.projection, &model, kind))
        }
        _ => Err(ScimError::not_allowed(method, &[Method::GET, Method::POST])),
    }
}

async fn one(
    context: Context,
    kind: ResourceKind,
    id: &str,
    method: &Method,
    parts: &Parts,
    body: Body,
) -> Result<Answer, ScimError> {
    let query = query::of_parameters(&parameters(parts)?)?;
    let precondition = Precondition { if_match: versions(&parts.headers, header::IF_MATCH) };
    let model = Arc::clone(&context.model);
    let id = id.to_owned();
    let answer = match *method {
        Method::GET => context.read(kind, &id, &query.projection).await?,
        Method::PUT => {
            context.need(Scope::Provision)?;
            let body = json_body(parts, body).await?;
            finish(
                context,
                move |context| async move { context.replace(kind, &id, body, &precondition).await },
            )
            .await?
        }
        Method::PATCH => {
            context.need(Scope::Provision)?;
            let body = json_body(parts, body).await?;
            finish(context, move |context| async move { context.patch(kind, &id, body, &precondition).await })
                .await?
        }
        Method::DELETE => {
            context.need(Scope::Provision)?;
            finish(context, move |context| async move { context.delete(kind, &id, &precondition).await })
                .await?
        }
        _ => {
            let allowed = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
            return Err(ScimError::not_allowed(method, &allowed));
        }
    };
    Ok(projected(answer, &query.projection, &model, kind))
}

/// Does something to its end even if the client goes away in the middle of it.
async fn finish<F, R>(context: Context, work: F) -> Result<Answer, ScimError>
where
    F: FnOnce(Context) -> R + Send + 'static,
    R: Future<Output = Result<Answer, ScimError>> + Send,
{
    let tasks = context.source.life.tasks.clone();
    let task = tasks.spawn(async move { work(context).await });
    task.await.unwrap_or_else(|error| Err(ScimError::internal(&error)))
}

fn projected(mut answer: Answer, projection: &Projection, model: &Model, kind: ResourceKind) -> Answer {
    if let (Some(of), Some(resource)) = (model.get(kind), answer.resource_mut()) {
        projection.apply(resource, of);
    }
    answer
}

/// A list of what is there to be discovered. RFC 7644 §4: filters are refused, paging is ignored.
fn discovery_list(parts: &Parts, all: Vec<Value>) -> Result<Answer, ScimError> {
    if parameters(parts)?.iter().any(|(name, _)| name.eq_ignore_ascii_case("filter")) {
        return Err(ScimError::new(StatusCode::FORBIDDEN, "what is discovered here cannot be filtered"));
    }
    let total = all.len() as u64;
    Ok(Answer::json(Value::Object(super::context::list_response(total, Some(1), all))))
}

fn discovered(what: &str, id: &str, all: Vec<Value>) -> Result<Answer, ScimError> {
    let found = all.into_iter().find(|one| {
        one.get("id").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(id))
    });
    found.map(Answer::json).ok_or_else(|| ScimError::not_found(what, id))
}

/// The versions that a header lists, on one line or several. What cannot be read is a version as well: one
/// that no resource has.
fn versions(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let all: Vec<_> =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!all.is_empty()).then(|| all.join(","))
}

/// The parts of a path, each decoded. An encoded slash stays inside its part.
fn segments(path: &str) -> Result<Vec<String>, ScimError> {
    let parts = path.trim_matches('/').split('/').filter(|_| !path.trim_matches('/').is_empty());
    parts
        .map(|part| {
            let bytes =
                decode(part).ok_or_else(|| ScimError::path("the path is not encoded as it should be"))?;
            let text = String::from_utf8(bytes).map_err(|_| ScimError::path("the path is not UTF-8"))?;
            if text.is_empty() || text == "." || text == ".." || text.contains(['\0', '/']) {
                return Err(ScimError::no_resource());
            }
            Ok(text)
        })
        .collect()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

fn parameters(parts: &Parts) -> Result<Vec<(String, String)>, ScimError> {
    Parameters::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map(|Parameters(all)| all)
        .map_err(|_| ScimError::value("the parameters are not encoded as they should be"))
}

/// The address of the door as the client wrote it.
fn base(parts: &Parts, source: Option<&str>) -> String {
    let header = |name: &str| {
        let text = parts.headers.get(name)?.to_str().ok()?;
        let first = text.split(',').next()?.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
        (!first.is_empty() && first.chars().all(plain)).then(|| first.to_owned())
    };
    let host = header("x-forwarded-host")
        .or_else(|| header("host"))
        .or_else(|| parts.uri.authority().map(ToString::to_string))
        .unwrap_or_else(|| "localhost".to_owned());
    let original = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    let scheme = header("x-forwarded-proto")
        .filter(|scheme| scheme == "https" || scheme == "http")
        .or_else(|| parts.uri.scheme_str().map(str::to_owned))
        .unwrap_or_else(|| if is_loopback(&host) { "http" } else { "https" }.to_owned());
    let mount = original.path().strip_suffix(parts.uri.path()).unwrap_or_default().trim_end_matches('/');
    match source {
        Some(source) => format!("{scheme}://{host}{mount}/{source}"),
        None => format!("{scheme}://{host}{mount}"),
    }
}

/// Without TLS the gateway listens on loopback alone.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_matches(['[', ']']);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn json_body(parts: &Parts, body: Body) -> Result<Value, ScimError> {
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    if let Some(kind) = kind {
        let bare = kind.split(';').next().unwrap_or_default().trim();
        if ![SCIM, JSON].iter().any(|known| bare.eq_ignore_ascii_case(known)) {
            return Err(ScimError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("bodies are {SCIM} or {JSON}, not {bare:?}"),
            ));
        }
    }
    let too_large = || {
        ScimError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {} bytes", limits::BODY))
    };
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<usize>().ok()).is_some_and(|length| length > limits::BODY) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, limits::BODY).await.map_err(|_| too_large())?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ScimError::syntax("the body is missing"));
    }
    serde_json::from_slice(&bytes).map_err(|error| ScimError::syntax(format!("the body is no JSON: {error}")))
}

fn render(outcome: Result<Answer, ScimError>, asked: &HeaderMap) -> Response {
    let (mut answer, allow) = match outcome {
        Ok(answer) => (answer, None),
        Err(error) => {
            let body = Some(Content::Json(error.to_json()));
            (Answer { body, ..Answer::empty(error.status) }, error.allow)
        }
    };
    let body = answer.written();
    let accepts = |kind: &str| {
        asked
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|all| all.contains(kind))
    };
    let plain = accepts(JSON) && !accepts(SCIM);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if answer.body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(if plain { JSON } else { SCIM }));
    }
    let named = [(header::LOCATION, answer.location), (header::ETAG, answer.version), (header::ALLOW, allow)];
    for (name, value) in named {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}
