//! Objects as JSON, straight from the state into the answer's bytes.

use super::eval::type_of;
use super::query::{Column, Plan, slot};
use super::schema::Type;
use super::value::{Source, value};
use crate::graph::nav;
use crate::json::{push_id, push_text};
use crate::state::{Idx, Object, View};
use crate::token::Principal;

/// The members of an object after the opening brace; `first` tells whether none was written yet.
fn push_columns(
    out: &mut Vec<u8>,
    source: &Source<'_>,
    object: &Object,
    columns: &[Column],
    mut first: bool,
) -> bool {
    for column in columns {
        let extension = match column.property {
            Some(_) => None,
            // Extensions that are not set are left out altogether.
            None => match object.extra().and_then(|extra| extra.graph.get(&column.extension)) {
                Some(held) => Some(held),
                None => continue,
            },
        };
        if !first {
            out.push(b',');
        }
        first = false;
        out.extend_from_slice(&column.key);
        match (column.property, extension) {
            (Some(property), _) => value(source, object, property).write(out, property.kind, source.tenant),
            (None, Some(held)) => {
                let json = serde_json::to_vec(held).unwrap_or_else(|_| b"null".to_vec());
                out.extend_from_slice(&json);
            }
            (None, None) => {}
        }
    }
    first
}

/// An object of a listing of its own type, with the braces left open for more when `open`.
pub fn push_object(out: &mut Vec<u8>, source: &Source<'_>, object: &Object, columns: &[Column]) {
    out.push(b'{');
    push_columns(out, source, object, columns, true);
    out.push(b'}');
}

/// `"@odata.type":"#microsoft.graph.user"`
pub fn push_type(out: &mut Vec<u8>, kind: Type) {
    out.extend_from_slice(match kind {
        Type::User => b"\"@odata.type\":\"#microsoft.graph.user\"",
        Type::Group => b"\"@odata.type\":\"#microsoft.graph.group\"",
        Type::Contact => b"\"@odata.type\":\"#microsoft.graph.orgContact\"",
        Type::Principal => b"\"@odata.type\":\"#microsoft.graph.servicePrincipal\"",
    });
}

/// `{"@odata.type":"#microsoft.graph.user","id":"…"}`, open at its end.
pub fn push_reference(out: &mut Vec<u8>, kind: Type, id: uuid::Uuid) {
    out.push(b'{');
    push_type(out, kind);
    out.extend_from_slice(b",\"id\":");
    push_id(out, id);
}

/// An object among others of any type. A caller who may not read its type sees the id, and nulls for the rest.
pub fn push_mixed(
    out: &mut Vec<u8>,
    source: &Source<'_>,
    object: &Object,
    columns: &[Vec<Column>; 4],
    principal: &Principal,
) {
    let kind = type_of(object);
    let columns = &columns[slot(kind)];
    out.push(b'{');
    push_type(out, kind);
    if super::permission::sees(principal, kind) {
        push_columns(out, source, object, columns, false);
    } else {
        out.extend_from_slice(b",\"id\":");
        push_id(out, object.id);
        for property in columns.iter().filter_map(|column| column.property) {
            if property.name != "id" {
                out.push(b',');
                push_text(out, property.name);
                out.extend_from_slice(if property.kind.is_collection() { b":[]" } else { b":null" });
            }
        }
    }
    out.push(b'}');
}

/// An object as a plan wants it, expansion included.
pub fn push_planned(
    out: &mut Vec<u8>,
    source: &Source<'_>,
    view: &View<'_>,
    plan: &Plan,
    principal: &Principal,
    idx: Idx,
    object: &Object,
) {
    match plan.set {
        super::query::Set::One(kind) => push_object(out, source, object, &plan.columns[slot(kind)]),
        super::query::Set::Mixed => push_mixed(out, source, object, &plan.columns, principal),
    }
    let Some(expansion) = &plan.expand else { return };
    // Reopen the object for the navigation.
    out.pop();
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    if expansion.name == "manager" {
        let manager = object.user().and_then(|user| user.manager).and_then(|manager| view.live(manager));
        match manager {
            Some(manager) => {
                out.extend_from_slice(b"\"manager\":");
                push_mixed(out, source, manager, &expansion.columns, principal);
            }
            None => {
                if out.last() == Some(&b',') {
                    out.pop();
                }
            }
        }
        out.push(b'}');
        return;
    }
    push_text(out, &expansion.name);
    out.extend_from_slice(b":[");
    // No more than twenty, and no link to the rest.
    for (at, (_, object)) in nav::related(view, idx, object, &expansion.name).into_iter().take(20).enumerate()
    {
        if at > 0 {
            out.push(b',');
        }
        push_mixed(out, source, object, &expansion.columns, principal);
    }
    out.extend_from_slice(b"]}");
}

/// The beginning of a collection: context and, when wanted, the count.
#[must_use]
pub fn begin(context: &str, count: Option<usize>, capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity + context.len() + 64);
    out.extend_from_slice(b"{\"@odata.context\":");
    push_text(&mut out, context);
    if let Some(count) = count {
        out.extend_from_slice(format!(",\"@odata.count\":{count}").as_bytes());
    }
    out.extend_from_slice(b",\"value\":[");
    out
}

/// The end of a collection, and its link if there is one: links stand before the values.
pub fn finish(out: &mut Vec<u8>, link: Option<(&str, &str)>) {
    out.extend_from_slice(b"]}");
    let Some((name, link)) = link else { return };
    // Quotes inside a text are escaped, so this is the collection's own key.
    let Some(at) = memchr::memmem::find(out, b",\"value\":[") else { return };
    let mut before = Vec::with_capacity(name.len() + link.len() + 8);
    before.push(b',');
    push_text(&mut before, name);
    before.push(b':');
    push_text(&mut before, link);
    out.splice(at..at, before);
}
