//! Which attributes of a resource are shown: `attributes` and `excludedAttributes`.

use serde_json::{Map, Value};

use super::schema::group::{MEMBERS, OWNERS};
use super::schema::{Attribute, Kind, ResourceKind, ResourceType};
use super::urn;

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    include: Option<Vec<String>>,
    exclude: Vec<String>,
}

impl Projection {
    /// From lists of names as they come in a request.
    pub fn new(attributes: &[String], excluded: &[String]) -> Self {
        let names = |lists: &[String]| -> Vec<String> {
            lists
                .iter()
                .flat_map(|list| list.split(','))
                .map(|name| name.trim().to_ascii_lowercase())
                .filter(|name| !name.is_empty())
                .collect()
        };
        let include = names(attributes);
        Self { include: (!include.is_empty()).then_some(include), exclude: names(excluded) }
    }

    /// Whether nothing was asked for.
    pub fn is_usual(&self) -> bool {
        self.include.is_none() && self.exclude.is_empty()
    }

    /// Whether the members or owners of groups are shown.
    pub fn shows_parties(&self, of: &ResourceType) -> bool {
        let shown = |extension: Option<&'static str>, name: &str| {
            of.find(extension, name, None).is_some_and(|place| {
                let all = match extension {
                    Some(extension) => names(Some(extension), name),
                    None => of_core(of, name),
                };
                self.shown(place.attribute, &all)
            })
        };
        of.kind == ResourceKind::Group && (shown(None, MEMBERS) || shown(Some(urn::EXOGATE_GROUP), OWNERS))
    }

    /// Takes out of a resource what is not to be shown.
    pub fn apply(&self, resource: &mut Map<String, Value>, of: &ResourceType) {
        if self.is_usual() {
            return self.usual(resource, of);
        }
        let keys: Vec<String> = resource.keys().cloned().collect();
        for key in keys {
            if let Some(schema) = of.extension(&key) {
                let Some(Value::Object(parts)) = resource.get_mut(&key) else { continue };
                for name in parts.keys().cloned().collect::<Vec<_>>() {
                    match schema.attribute(&name) {
                        Some(attribute) => {
                            self.part(parts, attribute, &names(Some(schema.id), &attribute.name));
                        }
                        None => {
                            parts.shift_remove(&name);
                        }
                    }
                }
                if parts.is_empty() {
                    resource.shift_remove(&key);
                }
                continue;
            }
            let attribute = of.top().find(|attribute| attribute.name == key);
            if let Some(attribute) = attribute {
                self.part(resource, attribute, &of_core(of, &attribute.name));
            }
        }
    }

    /// The same where nothing was asked for: only what is shown on request is taken out.
    fn usual(&self, resource: &mut Map<String, Value>, of: &ResourceType) {
        let asked_for =
            |attribute: &&Attribute| attribute.on_request || attribute.sub.iter().any(|sub| sub.on_request);
        for attribute in of.top().filter(asked_for) {
            self.part(resource, attribute, &[]);
        }
        for extension in &of.extensions {
            if let Some(Value::Object(parts)) = resource.get_mut(extension.id) {
                for attribute in extension.attributes.iter().filter(asked_for) {
                    self.part(parts, attribute, &[]);
                }
                if parts.is_empty() {
                    resource.shift_remove(extension.id);
                }
            }
        }
    }

    /// Whether anything of an attribute is shown that has these names.
    fn shown(&self, attribute: &Attribute, all: &[String]) -> bool {
        match &self.include {
            Some(list) => whole(all, list) || attribute.sub.iter().any(|sub| below(all, list, &sub.name)),
            None => !attribute.on_request && !whole(all, &self.exclude),
        }
    }

    fn part(&self, holder: &mut Map<String, Value>, attribute: &Attribute, all: &[String]) {
        if attribute.always || attribute.name == "id" {
            return;
        }
        if !self.shown(attribute, all) {
            holder.shift_remove(&attribute.name);
            return;
        }
        if attribute.kind != Kind::Complex {
            return;
        }
        let keeps = |sub: &Attribute| match &self.include {
            Some(list) => below(all, list, &sub.name) || (whole(all, list) && !sub.on_request),
            None => !sub.on_request && !below(all, &self.exclude, &sub.name),
        };
        let trim = |value: &mut Value| {
            if let Value::Object(parts) = value {
                parts.retain(|name, _| attribute.sub(name).is_none_or(keeps));
            }
        };
        match holder.get_mut(&attribute.name) {
            Some(Value::Array(items)) => items.iter_mut().for_each(trim),
            Some(one) => trim(one),
            None => {}
        }
    }
}

/// Whether a list names an attribute itself.
fn whole(names: &[String], list: &[String]) -> bool {
    names.iter().any(|name| list.contains(name))
}

/// Whether a list names a part of an attribute.
fn below(names: &[String], list: &[String], sub: &str) -> bool {
    let sub = sub.to_ascii_lowercase();
    names.iter().any(|name| list.contains(&format!("{name}.{sub}")))
}

/// The ways in which an attribute of the core schema may be named.
fn of_core(of: &ResourceType, name: &str) -> Vec<String> {
    let mut all = names(None, name);
    all.extend(names(Some(of.core.id), name));
    all
}

/// The ways in which an attribute may be named: in full, or by all of its schema.
fn names(schema: Option<&str>, name: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    match schema {
        Some(schema) => {
            let schema = schema.to_ascii_lowercase();
            vec![format!("{schema}:{name}"), schema]
        }
        None => vec![name],
    }
}
