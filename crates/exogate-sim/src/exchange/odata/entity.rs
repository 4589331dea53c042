//! Rows as entities: the properties, names and types of the entity model, with links, in three levels of metadata.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::exchange::render::{Projection, Row};
use crate::exchange::schema::{self, Property, RowClass, WireType};
use crate::exchange::value::Value;
use crate::json::push_text;

use super::types::{EdmType, model};

/// How much an answer says about types and links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    None,
    /// Context and links.
    Minimal,
    /// Types of every property and navigation links too.
    Full,
}

/// Where rows of a kind live.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The entity set, which bears the name of its type.
    pub set: &'static str,
    /// How much is said.
    pub level: Level,
    /// `https://host/adminapi/beta/{tenant}`.
    pub base: String,
}

/// Characters that a key in a link cannot hold as they are.
const KEY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'\\')
    .add(b'?')
    .add(b'<')
    .add(b'>')
    .add(b'=')
    .add(b'+');

/// `('key')` for a link.
#[must_use]
pub fn key_segment(key: &str) -> String {
    format!("('{}')", utf8_percent_encode(&key.replace('\'', "''"), KEY))
}

/// The text behind a key or argument that came in base64; texts that are none stay as they are.
#[must_use]
pub fn decoded(text: &str) -> String {
    let padded = match text.len() % 4 {
        2 => format!("{text}=="),
        3 => format!("{text}="),
        _ => text.to_owned(),
    };
    let plain = padded.replace('-', "+").replace('_', "/");
    STANDARD
        .decode(plain)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned())
}

#[derive(Debug)]
struct Column {
    /// Annotations and name, up to the value.
    head: Vec<u8>,
    property: &'static Property,
    edm: &'static EdmType,
}

/// A compiled layout of the entities of one set.
#[derive(Debug)]
pub struct Layout {
    shape: Shape,
    identity: Option<&'static Property>,
    columns: Vec<Column>,
}

impl Layout {
    /// Compiles a layout.
    #[must_use]
    pub fn compile(class: RowClass, projection: &Projection, shape: &Shape) -> Self {
        let known = model().entities.get(shape.set).map_or(&[][..], |entity| entity.properties.as_slice());
        let columns = known
            .iter()
            .filter(|(name, _)| name != "ObjectKey")
            .filter_map(|(name, edm)| Some((name, edm, schema::find(class, name)?)))
            .filter(|(_, _, property)| projection.wants(property))
            .map(|(name, edm, property)| Column { head: head(name, edm, shape.level), property, edm })
            .collect();
        Self { shape: shape.clone(), identity: schema::find(class, "Guid"), columns }
    }

    /// Writes one entity.
    pub fn write<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) {
        let key = match self.identity.and_then(|property| row.cell(property)) {
            Some(Value::Guid(guid)) => guid.to_string(),
            Some(Value::Text(text)) => text.into_owned(),
            _ => String::new(),
        };
        links(out, &self.shape, &key);
        out.extend_from_slice(b"\"ObjectKey\":");
        push_text(out, &key);
        for column in &self.columns {
            out.extend_from_slice(&column.head);
            let value =
                row.cell(column.property).unwrap_or_else(|| Value::of_default(&column.property.default));
            write_edm(out, &value, column.edm, column.property.wire);
        }
        out.push(b'}');
    }
}

fn head(name: &str, edm: &EdmType, level: Level) -> Vec<u8> {
    let mut head = Vec::with_capacity(64);
    if let Some(annotation) = edm.annotation().filter(|_| level == Level::Full) {
        head.extend_from_slice(format!(",\"{name}@odata.type\":\"{annotation}\"").as_bytes());
    }
    head.extend_from_slice(format!(",\"{name}\":").as_bytes());
    head
}

/// Opens an entity with what precedes its properties.
fn links(out: &mut Vec<u8>, shape: &Shape, key: &str) {
    out.push(b'{');
    if shape.level == Level::None {
        return;
    }
    if shape.level == Level::Full {
        out.extend_from_slice(format!("\"@odata.type\":\"#Exchange.{}\",", shape.set).as_bytes());
    }
    let place = format!("{}{}", shape.set, key_segment(key));
    out.extend_from_slice(b"\"@odata.id\":");
    push_text(out, &format!("{}/{place}", shape.base));
    out.extend_from_slice(b",\"@odata.editLink\":");
    push_text(out, &place);
    out.push(b',');
    if shape.level == Level::Full {
        for (name, _, _) in
            model().entities.get(shape.set).map_or(&[][..], |entity| entity.navigation.as_slice())
        {
            out.extend_from_slice(format!("\"{name}@odata.associationLink\":").as_bytes());
            push_text(out, &format!("{}/{place}/{name}/$ref", shape.base));
            out.extend_from_slice(format!(",\"{name}@odata.navigationLink\":").as_bytes());
            push_text(out, &format!("{}/{place}/{name}", shape.base));
            out.push(b',');
        }
    }
}

/// Writes a value as the entity model types it; what cannot be expressed so is null.
pub fn write_edm(out: &mut Vec<u8>, value: &Value<'_>, edm: &EdmType, wire: WireType) {
    if edm.is_collection() {
        out.push(b'[');
        match (value, edm) {
            (Value::List(list), EdmType::Texts) => {
                for (at, text) in list.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    push_text(out, text);
                }
            }
            (Value::Text(text), EdmType::Texts) if !text.is_empty() => push_text(out, text),
            _ => {}
        }
        out.push(b']');
        return;
    }
    let written = match edm {
        EdmType::Text => text_of(value, wire).map(|text| push_text(out, &text)),
        EdmType::Bool => match value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
        .map(|value| out.extend_from_slice(if value { b"true" } else { b"false" })),
        EdmType::Guid => match value {
            Value::Guid(guid) => Some(*guid),
            Value::Text(text) => uuid::Uuid::try_parse(text).ok(),
            _ => None,
        }
        .map(|guid| push_text(out, &guid.to_string())),
        EdmType::Int16 | EdmType::Int32 | EdmType::Int64 => {
            let number = match value {
                Value::Int(number) => Some(*number),
                Value::Text(text) => bytes_in(text),
                _ => None,
            };
            let fits = |number: &i64| match edm {
                EdmType::Int16 => i16::try_from(*number).is_ok(),
                EdmType::Int32 => i32::try_from(*number).is_ok(),
                _ => true,
            };
            number.filter(fits).map(|number| out.extend_from_slice(number.to_string().as_bytes()))
        }
        EdmType::Texts | EdmType::Other(_) => None,
    };
    if written.is_none() {
        out.extend_from_slice(b"null");
    }
}

fn text_of(value: &Value<'_>, wire: WireType) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Guid(guid) => guid.to_string(),
        Value::Time(time) => {
            let mut text = Vec::with_capacity(33);
            if wire == WireType::TimeUtc {
                time.write_exchange_utc(&mut text);
            } else {
                time.write_exchange_local(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        }
        Value::List(list) => list.join(","),
    })
}

/// The bytes of `1.2 GB (1,288,490,188 bytes)`, or a plain number.
fn bytes_in(text: &str) -> Option<i64> {
    let digits = match text.split_once('(') {
        Some((_, inner)) => inner.split(' ').next().unwrap_or_default().replace(',', ""),
        None => text.trim().to_owned(),
    };
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_in_base64_or_not() {
        for (given, read) in [
            ("a2ltQGNvbnRvc28uY29t", "kim@contoso.com"),
            ("YQ==", "a"),
            ("YQ", "a"),
            ("YWI", "ab"),
            ("kim@contoso.com", "kim@contoso.com"),
            ("XENhbGVuZGFy", "\\Calendar"),
        ] {
            assert_eq!(decoded(given), read);
        }
        assert_eq!(key_segment("O'Neill/x="), "('O''Neill%2Fx%3D')");
    }

    #[test]
    fn values_take_the_type_of_the_model() {
        let write = |value: Value<'_>, edm: EdmType, wire| {
            let mut out = Vec::new();
            write_edm(&mut out, &value, &edm, wire);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            write(Value::text("1.2 GB (1,288,490,188 bytes)"), EdmType::Int64, WireType::Text),
            "1288490188"
        );
        assert_eq!(write(Value::text("Unlimited"), EdmType::Int64, WireType::Text), "null");
        assert_eq!(write(Value::Bool(true), EdmType::Text, WireType::Bool), "\"True\"");
        assert_eq!(write(Value::text("x"), EdmType::Texts, WireType::Text), "[\"x\"]");
        assert_eq!(write(Value::Null, EdmType::Texts, WireType::List), "[]");
        assert_eq!(write(Value::Null, EdmType::Bool, WireType::Bool), "null");
        assert_eq!(
            write(Value::Guid(uuid::Uuid::nil()), EdmType::Text, WireType::Guid),
            "\"00000000-0000-0000-0000-000000000000\""
        );
    }

    #[test]
    fn the_model_names_every_key_and_knows_its_rows() {
        for (set, class) in [
            ("Mailbox", RowClass::Mailbox),
            ("Recipient", RowClass::Recipient),
            ("CasMailbox", RowClass::CasMailbox),
        ] {
            let entity = &model().entities[set];
            assert_eq!(entity.key, "ObjectKey");
            for (name, edm) in &entity.properties {
                assert!(name == "ObjectKey" || schema::find(class, name).is_some(), "{set}.{name}");
                assert!(
                    !matches!(edm, EdmType::Other(other) if !other.starts_with("Collection(")),
                    "{set}.{name} has parts"
                );
            }
            assert!(schema::find(class, "Guid").is_some());
        }
    }
}
