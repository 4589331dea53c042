//! The entity model that Microsoft's client is compiled against: sets, keys, properties and their types, read once from
//! `types.json`. A property that is not in it, or has another type, would stop that client.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The type of a property.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum EdmType {
    /// `Edm.String`
    Text,
    /// `Edm.Boolean`
    Bool,
    /// `Edm.Guid`
    Guid,
    /// `Edm.Int16`
    Int16,
    /// `Edm.Int32`
    Int32,
    /// `Edm.Int64`
    Int64,
    /// A collection of texts.
    Texts,
    /// Any other collection or type, by its full name.
    Other(String),
}

impl From<String> for EdmType {
    fn from(code: String) -> Self {
        match code.as_str() {
            "S" => Self::Text,
            "B" => Self::Bool,
            "G" => Self::Guid,
            "H" => Self::Int16,
            "I" => Self::Int32,
            "J" => Self::Int64,
            "L" => Self::Texts,
            "LG" => Self::Other("Collection(Edm.Guid)".into()),
            "LX" => Self::Other("Collection(Exchange.ByteArrayType)".into()),
            _ => Self::Other(code),
        }
    }
}

impl EdmType {
    /// The full name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Text => "Edm.String",
            Self::Bool => "Edm.Boolean",
            Self::Guid => "Edm.Guid",
            Self::Int16 => "Edm.Int16",
            Self::Int32 => "Edm.Int32",
            Self::Int64 => "Edm.Int64",
            Self::Texts => "Collection(Edm.String)",
            Self::Other(name) => name,
        }
    }

    /// Whether it holds several values.
    #[must_use]
    pub fn is_collection(&self) -> bool {
        self.name().starts_with("Collection(")
    }

    /// `#Guid` and the like, where full metadata names the type.
    #[must_use]
    pub fn annotation(&self) -> Option<String> {
        match self {
            Self::Text | Self::Bool => None,
            _ => Some(format!("#{}", self.name().replace("Edm.", ""))),
        }
    }
}

/// A kind of entity.
#[derive(Debug, Deserialize)]
pub struct EntityType {
    /// The property that names an entity.
    pub key: String,
    /// Properties in their order.
    pub properties: Vec<(String, EdmType)>,
    /// Navigation properties: name, type, whether the target lives inside.
    pub navigation: Vec<(String, String, bool)>,
}

/// A kind of value with parts.
#[derive(Debug, Deserialize)]
pub struct ComplexType {
    /// Properties in their order.
    pub properties: Vec<(String, EdmType)>,
}

/// The whole model.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// Kinds of entities.
    pub entities: HashMap<String, EntityType>,
    /// Kinds of values.
    pub complex: HashMap<String, ComplexType>,
    /// Enumerations.
    pub enums: HashMap<String, Vec<(String, i64)>>,
}

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    serde_json::from_str(include_str!("types.json"))
        .expect("the model is part of the program and checked by a test")
});

/// The model.
#[must_use]
pub fn model() -> &'static Model {
    &MODEL
}
