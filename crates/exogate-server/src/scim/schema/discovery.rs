//! What a client reads first: the provider's configuration, resource types and schemas.

use serde_json::{Map, Value, json};

use super::{Attribute, Kind, Model, ResourceType, Schema, published};
use crate::scim::limits;
use crate::scim::urn;

/// `/ServiceProviderConfig`.
pub fn provider_config(base: &str) -> Value {
    json!({
        "schemas": [urn::PROVIDER],
        "documentationUri": "https://datatracker.ietf.org/doc/html/rfc7644",
        "patch": {"supported": true},
        "bulk": {
            "supported": true,
            "maxOperations": limits::BULK_OPERATIONS,
            "maxPayloadSize": limits::BODY,
        },
        "filter": {"supported": true, "maxResults": limits::PAGE_MAX},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": limits::PAGE,
            "maxPageSize": limits::PAGE_MAX,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token of the gateway, or of its OpenID provider, in the Authorization header.",
            "specUri": "https://datatracker.ietf.org/doc/html/rfc6750",
            "primary": true,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// One of `/ResourceTypes`.
pub fn resource_type(resource: &ResourceType, base: &str) -> Value {
    let extensions: Vec<Value> =
        resource.extensions.iter().map(|schema| json!({"schema": schema.id, "required": false})).collect();
    let name = resource.kind.name();
    json!({
        "schemas": [urn::RESOURCE_TYPE],
        "id": name,
        "name": name,
        "endpoint": format!("/{}", resource.kind.endpoint()),
        "description": resource.description,
        "schema": resource.core.id,
        "schemaExtensions": extensions,
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}")},
    })
}

/// All of `/ResourceTypes`.
pub fn resource_types(model: &Model, base: &str) -> Vec<Value> {
    model.types().map(|resource| resource_type(resource, base)).collect()
}

/// One of `/Schemas`.
pub fn schema(schema: &Schema, base: &str) -> Value {
    let mut out = Map::new();
    out.insert("schemas".into(), json!([urn::SCHEMA]));
    out.insert("id".into(), json!(schema.id));
    out.insert("name".into(), json!(schema.name));
    out.insert("description".into(), json!(schema.description));
    out.insert("attributes".into(), schema.attributes.iter().map(published).collect());
    out.insert(
        "meta".into(),
        json!({"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.id)}),
    );
    Value::Object(out)
}

/// All of `/Schemas`.
pub fn schemas(model: &Model, base: &str) -> Vec<Value> {
    let resources =
        model.types().flat_map(|resource| std::iter::once(&resource.core).chain(&resource.extensions));
    let of_discovery = of_discovery();
    resources.chain(&of_discovery).map(|one| schema(one, base)).collect()
}

fn flag(name: &str) -> Attribute {
    Attribute::new(name, Kind::Boolean, "Whether it is supported.").required()
}

fn supported(name: &str, more: Vec<Attribute>) -> Attribute {
    let mut sub = vec![flag("supported")];
    sub.extend(more);
    Attribute::complex(name, "What is supported of it.", sub).required()
}

fn number(name: &str, description: &str) -> Attribute {
    Attribute::new(name, Kind::Integer, description).required()
}

fn uri(name: &str, description: &str) -> Attribute {
    Attribute::new(name, Kind::Reference, description)
}

/// The schemas of what a client reads first.
fn of_discovery() -> Vec<Schema> {
    let text = Attribute::text;
    let scheme = Attribute::complex(
        "authenticationSchemes",
        "How to authenticate.",
        vec![
            text("type", "Which scheme.").required(),
            text("name", "What to call it.").required(),
            text("description", "In words.").required(),
            uri("specUri", "Where it is specified."),
            uri("documentationUri", "Where it is described."),
            Attribute::new("primary", Kind::Boolean, "Whether it is preferred."),
        ],
    )
    .many()
    .required();
    let yes_no = |name: &str| Attribute::new(name, Kind::Boolean, "Whether it is supported.");
    let provider = vec![
        uri("documentationUri", "Where to read more."),
        supported("patch", vec![]),
        supported(
            "bulk",
            vec![
                number("maxOperations", "Operations in one request."),
                number("maxPayloadSize", "Bytes in one request."),
            ],
        ),
        supported("filter", vec![number("maxResults", "Resources in one answer.")]),
        supported("changePassword", vec![]),
        supported("sort", vec![]),
        supported("etag", vec![]),
        Attribute::complex(
            "pagination",
            "How to read in pages.",
            vec![
                yes_no("cursor"),
                yes_no("index"),
                text("defaultPaginationMethod", "What is used where nothing is asked for."),
                Attribute::new("defaultPageSize", Kind::Integer, "Resources on a page."),
                Attribute::new("maxPageSize", Kind::Integer, "Resources on a page at most."),
            ],
        ),
        scheme,
    ];
    let resource = vec![
        text("id", "Its id."),
        text("name", "Its name.").required(),
        text("description", "In words."),
        uri("endpoint", "Where its resources are.").required(),
        uri("schema", "Its core schema.").required(),
        Attribute::complex(
            "schemaExtensions",
            "Further schemas of its resources.",
            vec![uri("schema", "The extension.").required(), flag("required")],
        )
        .many(),
    ];
    let described = |deeper: Vec<Attribute>| {
        let mut all = vec![
            text("name", "Its name.").required().exact(),
            text("type", "Its type.").required(),
            Attribute::new("multiValued", Kind::Boolean, "Whether it is a list.").required(),
            text("description", "In words."),
            Attribute::new("required", Kind::Boolean, "Whether it must be there."),
            text("canonicalValues", "Values that are to be expected.").many(),
            Attribute::new("caseExact", Kind::Boolean, "Whether case counts."),
            text("mutability", "Who may set it."),
            text("returned", "When it is shown."),
            text("uniqueness", "Whether no two may be the same."),
            text("referenceTypes", "What it may refer to.").many(),
        ];
        all.extend(deeper);
        all
    };
    let sub = Attribute::complex("subAttributes", "Attributes of its own.", described(vec![])).many();
    let schema = vec![
        text("id", "Its name as a URI.").required(),
        text("name", "Its name.").required(),
        text("description", "In words."),
        Attribute::complex("attributes", "Its attributes.", described(vec![sub])).many().required(),
    ];
    vec![
        Schema {
            id: urn::PROVIDER,
            name: "ServiceProviderConfig",
            description: "What this service supports",
            attributes: provider,
        },
        Schema {
            id: urn::RESOURCE_TYPE,
            name: "ResourceType",
            description: "A kind of resource",
            attributes: resource,
        },
        Schema { id: urn::SCHEMA, name: "Schema", description: "A schema", attributes: schema },
    ]
}
