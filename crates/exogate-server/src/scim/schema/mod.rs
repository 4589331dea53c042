//! What a resource may hold: attributes with type, multiplicity and mutability, as they are
//! published under `/Schemas` and as everything else here is checked against.

mod discovery;
mod entitlement;
pub mod group;
mod own;
mod user;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use discovery::{provider_config, resource_types, schemas};

use crate::gateway::Source;

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    String,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// An instant.
    DateTime,
    /// An address of something.
    Reference,
    /// Attributes of its own.
    Complex,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may set an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// Nobody here.
    ReadOnly,
    /// A client, at any time.
    ReadWrite,
    /// A client, once.
    Immutable,
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    pub kind: Kind,
    pub multi_valued: bool,
    pub description: String,
    pub required: bool,
    pub case_exact: bool,
    pub mutability: Mutability,
    /// Shown only where it is asked for.
    pub on_request: bool,
    /// Shown whatever is asked for.
    pub always: bool,
    pub unique: bool,
    pub canonical: Vec<String>,
    pub references: &'static [&'static str],
    pub sub: Vec<Attribute>,
}

impl Attribute {
    /// A text that nobody sets.
    pub fn new(name: impl Into<String>, kind: Kind, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            multi_valued: false,
            description: description.into(),
            required: false,
            case_exact: false,
            mutability: Mutability::ReadOnly,
            on_request: false,
            always: false,
            unique: false,
            canonical: Vec::new(),
            references: &[],
            sub: Vec::new(),
        }
    }

    pub fn text(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self::new(name, Kind::String, description)
    }

    pub fn complex(name: &str, description: &str, sub: Vec<Attribute>) -> Self {
        Self { sub, ..Self::new(name, Kind::Complex, description) }
    }

    pub fn many(self) -> Self {
        Self { multi_valued: true, ..self }
    }

    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    pub fn on_request(self) -> Self {
        Self { on_request: true, ..self }
    }

    pub fn always(self) -> Self {
        Self { always: true, ..self }
    }

    pub fn one_of(self, values: impl IntoIterator<Item = &'static str>) -> Self {
        Self { canonical: values.into_iter().map(str::to_owned).collect(), ..self }
    }

    pub fn refers_to(self, references: &'static [&'static str]) -> Self {
        Self { references, ..self }
    }

    pub fn mutability(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }

    /// Settable if so.
    pub fn writable(self, writable: bool) -> Self {
        self.mutability(if writable { Mutability::ReadWrite } else { Mutability::ReadOnly })
    }

    /// The sub-attribute of that name, without case.
    pub fn sub(&self, name: &str) -> Option<&Attribute> {
        self.sub.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }
}

/// A schema: attributes under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub id: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of that name, without case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// The kinds of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// An account.
    User,
    /// A group.
    Group,
    /// A right on a mailbox.
    Entitlement,
}

impl ResourceKind {
    pub const ALL: [Self; 3] = [Self::User, Self::Group, Self::Entitlement];

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
            Self::Entitlement => "Entitlement",
        }
    }

    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
            Self::Entitlement => "Entitlements",
        }
    }

    pub fn of_endpoint(endpoint: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.endpoint() == endpoint)
    }
}

/// A kind of resource with its schemas.
#[derive(Debug, Clone)]
pub struct ResourceType {
    pub kind: ResourceKind,
    pub description: &'static str,
    pub core: Schema,
    pub extensions: Vec<Schema>,
    common: Schema,
}

/// Where in a resource an attribute stands.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The name of the extension that holds it.
    pub extension: Option<&'static str>,
    pub attribute: &'a Attribute,
    pub sub: Option<&'a Attribute>,
}

impl ResourceType {
    pub(super) fn new(
        kind: ResourceKind,
        description: &'static str,
        core: Schema,
        extensions: Vec<Schema>,
    ) -> Self {
        let mut common = vec![
            Attribute::text("schemas", "The schemas that the resource follows.")
                .many()
                .exact()
                .required()
                .always(),
            Attribute::text("id", "The id that exogate gives it.").unique().exact().always(),
        ];
        if kind != ResourceKind::Entitlement {
            common.push(
                Attribute::text("externalId", "The id by which the client knows it.")
                    .exact()
                    .mutability(Mutability::ReadWrite),
            );
        }
        let meta = vec![
            Attribute::text("resourceType", "The kind of resource.").exact(),
            Attribute::new("created", Kind::DateTime, "When it was first read."),
            Attribute::new("lastModified", Kind::DateTime, "When it last changed."),
            Attribute::new("location", Kind::Reference, "Its address.").exact(),
            Attribute::text("version", "Changes whenever the resource does.").exact(),
        ];
        common.push(Attribute::complex("meta", "What is known about the resource itself.", meta));
        let common = Schema { id: "", name: "", description: "", attributes: common };
        Self { kind, description, core, extensions, common }
    }

    /// Finds an attribute: its full name, or its short one where it is of the core schema.
    pub fn find(&self, uri: Option<&str>, name: &str, sub: Option<&str>) -> Option<Place<'_>> {
        let (extension, attribute) = match uri {
            None => (None, self.core.attribute(name).or_else(|| self.common.attribute(name))?),
            Some(uri) if uri.eq_ignore_ascii_case(self.core.id) => {
                (None, self.core.attribute(name).or_else(|| self.common.attribute(name))?)
            }
            Some(uri) => {
                let schema = self.extension(uri)?;
                (Some(schema.id), schema.attribute(name)?)
            }
        };
        let sub = match sub {
            None => None,
            Some(sub) => Some(attribute.sub(sub)?),
        };
        Some(Place { extension, attribute, sub })
    }

    /// The extension of that name.
    pub fn extension(&self, uri: &str) -> Option<&Schema> {
        self.extensions.iter().find(|schema| schema.id.eq_ignore_ascii_case(uri))
    }

    /// Attributes at the top of a resource, the common ones first.
    pub fn top(&self) -> impl Iterator<Item = &Attribute> {
        self.common.attributes.iter().chain(&self.core.attributes)
    }

    /// Every name that can be asked for, for hints.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.top().map(|attribute| attribute.name.clone()).collect();
        for schema in &self.extensions {
            names.extend(
                schema.attributes.iter().map(|attribute| format!("{}:{}", schema.id, attribute.name)),
            );
        }
        names
    }
}

/// Everything that one source publishes.
#[derive(Debug, Clone)]
pub struct Model {
    types: BTreeMap<ResourceKind, ResourceType>,
}

impl Model {
    /// What a source publishes.
    pub fn of(source: &Source) -> Self {
        let mut types = vec![user::resource_type(source), group::resource_type(source)];
        if source.context.options.manage_exchange_online {
            types.push(entitlement::resource_type());
        }
        Self { types: types.into_iter().map(|one| (one.kind, one)).collect() }
    }

    /// A kind of resource, if the source has it.
    pub fn get(&self, kind: ResourceKind) -> Option<&ResourceType> {
        self.types.get(&kind)
    }

    /// Every kind of resource.
    pub fn types(&self) -> impl Iterator<Item = &ResourceType> {
        self.types.values()
    }
}

/// An attribute as it is published.
fn published(attribute: &Attribute) -> Value {
    let mut out = Map::new();
    out.insert("name".into(), json!(attribute.name));
    out.insert("type".into(), json!(attribute.kind.name()));
    out.insert("multiValued".into(), json!(attribute.multi_valued));
    out.insert("description".into(), json!(attribute.description));
    out.insert("required".into(), json!(attribute.required));
    if attribute.kind != Kind::Complex {
        out.insert("caseExact".into(), json!(attribute.case_exact || attribute.kind == Kind::Reference));
    }
    let mutability = match attribute.mutability {
        Mutability::ReadOnly => "readOnly",
        Mutability::ReadWrite => "readWrite",
        Mutability::Immutable => "immutable",
    };
    out.insert("mutability".into(), json!(mutability));
    let returned = if attribute.always {
        "always"
    } else if attribute.on_request {
        "request"
    } else {
        "default"
    };
    out.insert("returned".into(), json!(returned));
    out.insert("uniqueness".into(), json!(if attribute.unique { "server" } else { "none" }));
    if !attribute.canonical.is_empty() {
        out.insert("canonicalValues".into(), json!(attribute.canonical));
    }
    if attribute.kind == Kind::Reference {
        let external = ["uri"];
        let types: &[&str] = if attribute.references.is_empty() { &external } else { attribute.references };
        out.insert("referenceTypes".into(), json!(types));
    }
    if attribute.kind == Kind::Complex {
        out.insert("subAttributes".into(), attribute.sub.iter().map(published).collect());
    }
    Value::Object(out)
}
