//! Accounts, groups and entitlements as resources.

mod entitlement;
mod group;
mod json;
mod user;

pub use entitlement::{entitlement, entitlement_id, split_entitlement_id};
pub use group::group;
pub use json::Json;
pub use user::{USUAL, user, user_text};

use exogate_model::account::Attributes;
use exogate_model::value::AttributeValue;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::schema::{ResourceKind, ResourceType};

/// A resource as a client sees all of it.
pub type Resource = Map<String, Value>;

/// A resource as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub id: String,
    /// What it is called, and listed by.
    pub name: String,
    pub location: String,
    pub version: String,
    pub bytes: Vec<u8>,
}

impl Text {
    /// The same as it is tested and changed.
    pub fn resource(&self) -> Resource {
        serde_json::from_slice(&self.bytes).expect("it was written as an object")
    }
}

/// Begins a resource.
fn begin(id: &str, external_id: Option<String>) -> Resource {
    let mut resource = Map::new();
    resource.insert("schemas".into(), Value::Null);
    resource.insert("id".into(), json!(id));
    if let Some(external_id) = external_id {
        resource.insert("externalId".into(), json!(external_id));
    }
    resource
}

/// Ends a resource: its schemas, and what is known about itself, its version among it.
fn end(
    mut resource: Resource,
    of: &ResourceType,
    base: &str,
    life: Option<(Timestamp, Timestamp)>,
    version: &str,
) -> Resource {
    let mut schemas = vec![of.core.id];
    schemas.extend(of.extensions.iter().map(|one| one.id).filter(|id| resource.contains_key(*id)));
    resource.insert("schemas".into(), json!(schemas));
    let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
    let location = location(base, of.kind, id);
    let mut meta = Map::new();
    meta.insert("resourceType".into(), json!(of.kind.name()));
    if let Some((created, changed)) = life {
        meta.insert("created".into(), json!(instant(created)));
        meta.insert("lastModified".into(), json!(instant(changed.max(created))));
    }
    meta.insert("location".into(), json!(location));
    meta.insert("version".into(), json!(version));
    resource.insert("meta".into(), Value::Object(meta));
    resource
}

/// The address of a resource.
pub fn location(base: &str, kind: ResourceKind, id: &str) -> String {
    // Ids of entitlements hold colons and names of rights, which a path takes as they are.
    format!("{base}/{}/{id}", kind.endpoint())
}

/// An instant to the millisecond, as the store keeps it and filters compare it.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Changes whenever what is shown does.
fn version(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    let number = digest[..12].iter().fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("W/\"{number:024x}\"")
}

/// The same of a resource that is no text yet.
fn version_of_all(resource: &Resource) -> String {
    version(&serde_json::to_vec(resource).unwrap_or_default())
}

/// The version of a resource that was rendered.
pub fn version_of(resource: &Resource) -> Option<&str> {
    resource.get("meta")?.get("version")?.as_str()
}

/// The id of a resource that was rendered.
pub fn id_of(resource: &Resource) -> &str {
    resource.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Boolean(flag) => json!(flag),
        AttributeValue::Integer(number) => json!(number),
        AttributeValue::Text(text) => json!(text),
        AttributeValue::Many(texts) => json!(texts),
    }
}

fn put(to: &mut Resource, name: &str, from: Option<&AttributeValue>) {
    if let Some(found) = from {
        to.insert(name.to_owned(), value(found));
    }
}

fn put_object(to: &mut Resource, name: &str, object: Resource) {
    if !object.is_empty() {
        to.insert(name.to_owned(), Value::Object(object));
    }
}

fn put_list(to: &mut Resource, name: &str, items: Vec<Value>) {
    if !items.is_empty() {
        to.insert(name.to_owned(), Value::Array(items));
    }
}

/// What an extension shows: those of its attributes that have a value.
fn own(of: &ResourceType, extension: &str, attributes: &Attributes) -> Resource {
    let mut out = Map::new();
    if let Some(schema) = of.extension(extension) {
        for attribute in &schema.attributes {
            put(&mut out, &attribute.name, attributes.get(&attribute.name));
        }
    }
    out
}
