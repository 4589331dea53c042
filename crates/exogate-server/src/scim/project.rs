//! Which attributes of a resource are shown: `attributes` and `excludedAttributes`.

use serde_json::{Map, Value};

use super::schema::{Attribute, Kind, ResourceType};

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

    /// Takes out of a resource what is not to be shown.
    pub fn apply(&self, resource: &mut Map<String, Value>, of: &ResourceType) {
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
                let mut all = names(None, &attribute.name);
                all.extend(names(Some(of.core.id), &attribute.name));
                self.part(resource, attribute, &all);
            }
        }
    }

    fn part(&self, holder: &mut Map<String, Value>, attribute: &Attribute, names: &[String]) {
        if attribute.always || attribute.name == "id" {
            return;
        }
        let whole = |list: &[String]| names.iter().any(|name| list.contains(name));
        let below = |list: &[String], sub: &str| {
            let sub = sub.to_ascii_lowercase();
            names.iter().any(|name| list.contains(&format!("{name}.{sub}")))
        };
        let shown = match &self.include {
            Some(list) => whole(list) || attribute.sub.iter().any(|sub| below(list, &sub.name)),
            None => !attribute.on_request && !whole(&self.exclude),
        };
        if !shown {
            holder.shift_remove(&attribute.name);
            return;
        }
        if attribute.kind != Kind::Complex {
            return;
        }
        let keeps = |sub: &Attribute| match &self.include {
            Some(list) => below(list, &sub.name) || (whole(list) && !sub.on_request),
            None => !sub.on_request && !below(&self.exclude, &sub.name),
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
