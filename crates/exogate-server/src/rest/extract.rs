//! What handlers take from a request, and what is refused before they are asked: sources that are not
//! the caller's, parameters that do not exist, bodies that are not as described.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::problem::Problem;
use crate::caller::{Caller, Scope};
use crate::gateway::{Gateway, Source};

/// What most handlers give: JSON, or a problem.
pub type Answer<T> = Result<axum::Json<T>, Problem>;

/// A source that the caller may read.
pub struct Reading(pub Arc<Source>);

/// A source that the caller may change.
pub struct Provisioning {
    /// The source.
    pub source: Arc<Source>,
    /// Who asks.
    pub caller: Caller,
}

/// A source whose runs the caller may start and stop.
pub struct Administering {
    /// The source.
    pub source: Arc<Source>,
    /// Who asks.
    pub caller: Caller,
}

impl FromRequestParts<Gateway> for Reading {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        Ok(Self(source(parts, gateway, Scope::Read).await?.0))
    }
}

impl FromRequestParts<Gateway> for Provisioning {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let (source, caller) = source(parts, gateway, Scope::Provision).await?;
        Ok(Self { source, caller })
    }
}

impl FromRequestParts<Gateway> for Administering {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let (source, caller) = source(parts, gateway, Scope::Admin).await?;
        Ok(Self { source, caller })
    }
}

impl FromRequestParts<Gateway> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Problem> {
        caller(parts)
    }
}

fn caller(parts: &Parts) -> Result<Caller, Problem> {
    let found = parts.extensions.get::<Caller>().cloned();
    found.ok_or_else(|| Problem::of_status(StatusCode::UNAUTHORIZED, "Send a bearer token."))
}

/// The source of the path, if the caller may do this to it.
async fn source(
    parts: &mut Parts,
    gateway: &Gateway,
    scope: Scope,
) -> Result<(Arc<Source>, Caller), Problem> {
    let caller = caller(parts)?;
    let params = RawPathParams::from_request_parts(parts, gateway)
        .await
        .map_err(|error| Problem::malformed(error.body_text()))?;
    let name = params.iter().find(|(key, _)| *key == "source").map(|(_, name)| name.to_owned());
    let name = name.unwrap_or_default();
    // One that the caller may not touch is told like one that does not exist.
    let found = gateway.source(Some(&name), &caller).cloned();
    let source = found.ok_or_else(|| {
        Problem::not_found(format!("There is no source {name:?}; GET /sources lists them."))
    })?;
    if caller.may(scope, &source.name) {
        return Ok((source, caller));
    }
    let needed = match scope {
        Scope::Read => "read",
        Scope::Provision => "provision",
        Scope::Admin => "admin",
    };
    Err(Problem::of_status(
        StatusCode::FORBIDDEN,
        format!("This needs a credential with the scope `{needed}`."),
    ))
}

/// The parameters of the path.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Gateway> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, gateway).await;
        path.map(|path| Self(path.0)).map_err(|error: PathRejection| Problem::malformed(error.body_text()))
    }
}

/// The parameters of the query; types that deny unknown fields refuse unknown parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Gateway> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, gateway).await;
        query
            .map(|query| Self(query.0))
            .map_err(|error: QueryRejection| Problem::malformed(error.body_text()))
    }
}

/// A query without parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// A body of JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequest<Gateway> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Problem> {
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = media.and_then(|media| media.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::of_status(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send JSON, and say so: Content-Type: application/json.",
            ));
        }
        let body = Bytes::from_request(request, gateway).await.map_err(unread)?;
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let value = Object::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        value
            .map(|Object(value)| Self(value))
            .map_err(|error| Problem::malformed(format!("The body is not as described: {error}.")))
    }
}

/// What is written as an object: serde would take a list of its members as well, which no document says.
#[derive(Debug, Clone)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

fn unread(error: BytesRejection) -> Problem {
    let status = error.into_response().status();
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::of_status(status, format!("Send at most {} bytes.", super::BODY_LIMIT))
        }
        _ => Problem::malformed("The body could not be read to its end."),
    }
}
