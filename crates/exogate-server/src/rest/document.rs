//! The OpenAPI document, and a page that people can read, made from it.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Answer, NoParameters, Query};
use super::problem::Problem;
use super::refusals::Refusals;
use crate::gateway::Gateway;

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new().routes(routes!(openapi)).routes(routes!(docs))
}

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(super::openapi()).unwrap_or_default());
static PAGE: LazyLock<String> = LazyLock::new(|| page(&DOCUMENT));

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "document",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object), Refusals)
)]
async fn openapi(Query(NoParameters {}): Query<NoParameters>) -> Answer<&'static Value> {
    Ok(axum::Json(&DOCUMENT))
}

/// This document as a page for people.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getDocs",
    tag = "document",
    responses((status = 200, description = "A page", content_type = "text/html", body = String), Refusals)
)]
async fn docs(Query(NoParameters {}): Query<NoParameters>) -> Result<Response, Problem> {
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, PAGE.as_str()).into_response())
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem 1.5rem;color:#1a1a1a;\
background:#fff}h1{margin-bottom:0}h2{border-bottom:1px solid #ccc;margin-top:2.5rem}h3{margin:2rem 0 .2rem}\
code{font:14px ui-monospace,monospace}table{border-collapse:collapse;width:100%;margin:.5rem 0}\
td,th{border-top:1px solid #ddd;padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top}th{font-weight:600}\
.m{display:inline-block;min-width:3.5rem;font-weight:700}nav a{margin-right:1rem}p{margin:.4rem 0}.r{color:#a00}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}a{color:#8ab4f8}td,th{border-color:#444}}";

fn page(document: &Value) -> String {
    let info = &document["info"];
    let mut out = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>Version {version} · base path \
         <code>{base}</code> · <a href='openapi.json'>OpenAPI 3.1</a></p>{description}",
        title = escape(text(&info["title"])),
        version = escape(text(&info["version"])),
        base = escape(text(&document["servers"][0]["url"])),
        description = paragraphs(text(&info["description"])),
    );
    out.push_str(
        "<p>Send <code>Authorization: Bearer TOKEN</code> with each request; \
         <code>exogate token create</code> makes one.</p><nav>",
    );
    let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().collect();
    for tag in &tags {
        out.push_str(&format!("<a href='#{0}'>{0}</a>", escape(text(&tag["name"]))));
    }
    out.push_str("<a href='#schemas'>schemas</a></nav>");
    for tag in tags {
        let name = text(&tag["name"]);
        let about = escape(text(&tag["description"]));
        out.push_str(&format!("<h2 id='{0}'>{0}</h2><p>{about}</p>", escape(name)));
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                if operation["tags"][0] == name {
                    operation_of(&mut out, path, method, operation);
                }
            }
        }
    }
    out.push_str("<h2 id=schemas>schemas</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        schema_of(&mut out, name, schema);
    }
    out
}

fn operation_of(out: &mut String, path: &str, method: &str, operation: &Value) {
    out.push_str(&format!(
        "<h3 id='{}'><span class=m>{}</span> <code>{}</code></h3><p><strong>{}</strong></p>{}",
        escape(text(&operation["operationId"])),
        escape(&method.to_uppercase()),
        escape(path),
        escape(text(&operation["summary"])),
        paragraphs(text(&operation["description"])),
    ));
    let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        out.push_str("<table><tr><th>Parameter<th>In<th>Type<th>");
        for parameter in parameters {
            let needed = if parameter["required"] == true { " <span class=r>required</span>" } else { "" };
            out.push_str(&format!(
                "<tr><td><code>{}</code>{needed}<td>{}<td>{}<td>{}",
                escape(text(&parameter["name"])),
                escape(text(&parameter["in"])),
                kind(&parameter["schema"]),
                escape(text(&parameter["description"])),
            ));
        }
        out.push_str("</table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        out.push_str(&format!("<p>Body: {}</p>", kind(body)));
    }
    out.push_str("<table><tr><th>Status<th>Body<th>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let contents = response["content"].as_object();
        let bodies: Vec<String> = contents
            .into_iter()
            .flatten()
            .map(|(media, content)| format!("{} <code>{}</code>", kind(&content["schema"]), escape(media)))
            .collect();
        out.push_str(&format!(
            "<tr><td>{}<td>{}<td>{}",
            escape(status),
            bodies.join("<br>"),
            escape(text(&response["description"]))
        ));
    }
    out.push_str("</table>");
}

fn schema_of(out: &mut String, name: &str, schema: &Value) {
    out.push_str(&format!(
        "<h3 id='schema-{0}'>{0}</h3>{1}",
        escape(name),
        paragraphs(text(&schema["description"]))
    ));
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().map(text).collect();
    match schema["properties"].as_object() {
        Some(properties) => {
            out.push_str("<table><tr><th>Member<th>Type<th>");
            for (name, property) in properties {
                let needed = if required.contains(&name.as_str()) { "" } else { " (optional)" };
                out.push_str(&format!(
                    "<tr><td><code>{}</code>{needed}<td>{}<td>{}",
                    escape(name),
                    kind(property),
                    escape(text(&property["description"]))
                ));
            }
            out.push_str("</table>");
        }
        None => out.push_str(&format!("<p>{}</p>", kind(schema))),
    }
}

/// A type in few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href='#schema-{0}'>{0}</a>", escape(name));
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[key].as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().map(|value| format!("<code>{}</code>", escape(&value.to_string())));
        return values.collect::<Vec<_>>().join(" | ");
    }
    let names = match &schema["type"] {
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        name => text(name).to_owned(),
    };
    let mut told = match names.as_str() {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        _ => escape(&names),
    };
    for (key, what) in [("format", ""), ("minimum", "≥ "), ("maximum", "≤ "), ("default", "default ")] {
        match &schema[key] {
            Value::Null => {}
            Value::String(value) => told.push_str(&format!(" ({what}{})", escape(value))),
            value => told.push_str(&format!(" ({what}{})", escape(&value.to_string()))),
        }
    }
    told
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn paragraphs(text: &str) -> String {
    text.split("\n\n")
        .filter(|part| !part.is_empty())
        .map(|part| format!("<p>{}</p>", escape(part)))
        .collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_operation_and_schema_and_loads_nothing() {
        let page = page(&DOCUMENT);
        for (path, methods) in DOCUMENT["paths"].as_object().into_iter().flatten() {
            assert!(page.contains(&format!("<code>{}</code>", escape(path))), "{path}");
            for operation in methods.as_object().into_iter().flatten().map(|(_, operation)| operation) {
                assert!(page.contains(&format!("id='{}'", text(&operation["operationId"]))), "{path}");
            }
        }
        for (name, _) in DOCUMENT["components"]["schemas"].as_object().into_iter().flatten() {
            assert!(page.contains(&format!("id='schema-{name}'")), "{name}");
        }
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("http"));
        assert_eq!(escape("<a href='x'>&"), "&lt;a href=&#39;x&#39;&gt;&amp;");
    }
}
