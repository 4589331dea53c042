//! One request on its way: who calls, which source, and the address that clients see.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::error::ScimError;
use super::resource::{Resource, id_of, version_of};
use super::schema::{Model, ResourceKind, ResourceType};
use super::urn;
use crate::caller::{Caller, Scope};
use crate::gateway::Source;

/// What every operation needs to know.
pub struct Context {
    pub source: Arc<Source>,
    pub model: Arc<Model>,
    pub caller: Caller,
    /// The address of the door as the client sees it, without a slash at the end.
    pub base: String,
    pub cancel: CancellationToken,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Still to be written.
    Json(Value),
    /// As it is sent.
    Written(Bytes),
}

/// An answer in the making.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Option<Content>,
    pub location: Option<String>,
    pub version: Option<String>,
}

impl Answer {
    pub fn json(body: Value) -> Self {
        Self { body: Some(Content::Json(body)), ..Self::empty(StatusCode::OK) }
    }

    pub fn empty(status: StatusCode) -> Self {
        Self { status, body: None, location: None, version: None }
    }

    /// A resource, all of it: what is not asked for is taken out at the end.
    pub fn resource(status: StatusCode, resource: Resource) -> Self {
        let version = version_of(&resource).map(str::to_owned);
        let location = resource.get("meta").and_then(|meta| meta.get("location")).and_then(Value::as_str);
        let location = location.map(str::to_owned);
        Self { status, body: Some(Content::Json(Value::Object(resource))), location, version }
    }

    /// The resource in it.
    pub fn resource_mut(&mut self) -> Option<&mut Map<String, Value>> {
        match &mut self.body {
            Some(Content::Json(Value::Object(resource))) => Some(resource),
            _ => None,
        }
    }

    /// The id of the resource in it.
    pub fn id(&self) -> Option<&str> {
        match &self.body {
            Some(Content::Json(Value::Object(resource))) => Some(id_of(resource)).filter(|id| !id.is_empty()),
            _ => None,
        }
    }

    /// Its body as it is sent.
    pub fn written(&mut self) -> Bytes {
        let written = match self.body.take() {
            Some(Content::Json(body)) => Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
            Some(Content::Written(bytes)) => bytes,
            None => return Bytes::new(),
        };
        self.body = Some(Content::Written(written.clone()));
        written
    }
}

impl Context {
    /// Refuses who may not do this to the source.
    pub fn need(&self, scope: Scope) -> Result<(), ScimError> {
        if self.caller.may(scope, &self.source.name) {
            return Ok(());
        }
        let what = if scope == Scope::Read { "read" } else { "change" };
        Err(ScimError::new(StatusCode::FORBIDDEN, format!("this credential may not {what} this source")))
    }

    /// A kind of resource, or that there is nothing here.
    pub fn of(&self, kind: ResourceKind) -> Result<&ResourceType, ScimError> {
        self.model.get(kind).ok_or_else(ScimError::no_resource)
    }
}

/// A list of resources as it is sent.
pub fn list_response(total: u64, start: Option<u64>, resources: Vec<Value>) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("schemas".into(), json!([urn::LIST]));
    out.insert("totalResults".into(), json!(total));
    if let Some(start) = start {
        out.insert("startIndex".into(), json!(start));
    }
    out.insert("itemsPerPage".into(), json!(resources.len()));
    out.insert("Resources".into(), Value::Array(resources));
    out
}
