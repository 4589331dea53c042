//! What of a property is the same in every row, as JSON: its annotations, its name, its default. Made once per program.
//!
//! Which properties a row has is the table's business, their values are the rows'.

use serde_json::Value as Json;

use super::schema::WireType;

/// The constant parts of a property.
#[derive(Debug)]
pub struct Fragment {
    /// `,"Name@odata.type":"…","Name":`
    annotated: Box<[u8]>,
    /// `,"Name":`
    bare: Box<[u8]>,
    /// The default.
    pub default: Box<[u8]>,
}

impl Fragment {
    /// The parts of a property of that name, type and default.
    #[must_use]
    pub fn new(name: &str, wire: WireType, default: &Json) -> Self {
        let bare = format!(",\"{name}\":");
        let mut annotated = String::with_capacity(96);
        for (kind, value) in annotations(wire, default) {
            annotated.push_str(&format!(",\"{name}@{kind}\":\"{value}\""));
        }
        annotated.push_str(&bare);
        Self {
            annotated: annotated.into_bytes().into(),
            bare: bare.into_bytes().into(),
            default: default.to_string().into_bytes().into(),
        }
    }

    /// What stands before the value, beginning with the comma after the property before.
    #[must_use]
    pub fn head(&self, lean: bool) -> &[u8] {
        if lean { &self.bare } else { &self.annotated }
    }
}

fn annotations(wire: WireType, default: &Json) -> &'static [(&'static str, &'static str)] {
    match wire {
        WireType::Guid => &[("data.type", "System.Guid"), ("odata.type", "#Guid")],
        WireType::Int16 => &[("data.type", "System.Int16"), ("odata.type", "#Int16")],
        WireType::Int32 if !default.is_null() => &[("data.type", "System.Int32")],
        WireType::Time | WireType::TimeUtc => &[("data.type", "System.DateTime")],
        WireType::List => &[("odata.type", "#Collection(String)")],
        WireType::Int32 | WireType::Text | WireType::Bool => &[],
    }
}
