//! One object as the tenant showed it: an ordered list of named JSON values, with accessors that
//! forgive the spellings in which the two services are known to disagree with themselves.
//!
//! Owns the reading of property annotations (the type companions of a property are dropped, the
//! object's own `@odata.type`, `@removed` and `…@delta` are kept). Knows no attribute by meaning
//! beyond the identifiers, and converts nothing into accounts, groups or rights.

mod raw;
pub(crate) mod reading;

pub use self::raw::Raw;
use self::reading::{RecordSeed, read_body, read_list};
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One object, its properties in the order of the answer. Nothing is copied out of the answer, which
/// all objects of it hold together.
#[derive(Clone, Default)]
pub struct Record {
    sheet: Arc<Sheet>,
    /// From where to where the sheet has its properties.
    first: usize,
    end: usize,
}

/// An answer, and where in it all properties of its objects are.
#[derive(Default)]
pub(crate) struct Sheet {
    text: Box<str>,
    fields: Vec<Field>,
}

/// Where in the sheet a property is.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name: Span,
    value: Span,
    /// The value is this very text, and not JSON.
    is_text: bool,
}

/// From where to where. Four GiB are enough for a page.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(self, sheet: &str) -> &str {
        sheet.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    fn new(start: usize, length: usize) -> Self {
        // What is read is short enough, and what is written here is shorter.
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: place(start), end: place(start + length) }
    }
}

impl Record {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn fields(&self) -> &[Field] {
        self.sheet.fields.get(self.first..self.end).unwrap_or_default()
    }

    fn name(&self, field: &Field) -> &str {
        field.name.of(&self.sheet.text)
    }

    /// Looks at the name only if it is as long: most are told apart by that.
    fn is_named(&self, field: &Field, name: &str, same: fn(&[u8], &[u8]) -> bool) -> bool {
        field.name.len() == name.len() && same(self.name(field).as_bytes(), name.as_bytes())
    }

    fn value(&self, field: &Field) -> Raw<'_> {
        let value = field.value.of(&self.sheet.text);
        if field.is_text { Raw::Text(value) } else { Raw::of_json(value) }
    }

    /// The value as it stands there; `Some(Raw::Null)` for a property that is present and null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Raw<'_>> {
        self.find(name, 0).map(|(_, value)| value)
    }

    /// The same with its place in the record. `guess`: where it probably is, for those who read
    /// many records that are alike.
    #[must_use]
    pub fn find(&self, name: &str, guess: usize) -> Option<(usize, Raw<'_>)> {
        let fields = self.fields();
        let place = match fields.get(guess) {
            Some(field) if self.is_named(field, name, <[u8]>::eq) => Some(guess),
            _ => fields.iter().position(|field| self.is_named(field, name, <[u8]>::eq)),
        };
        let like = |field: &Field| self.is_named(field, name, <[u8]>::eq_ignore_ascii_case);
        let place = place.or_else(|| fields.iter().position(like))?;
        fields.get(place).map(|field| (place, self.value(field)))
    }

    /// Whether the answer carried the property at all. In a delta an absent property means
    /// "unchanged" and a null one "cleared", so the difference matters.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A non-empty string. Unset strings come as null, as absence or as `""`: all are `None`.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Any scalar as text: numbers and booleans are rendered, `""` and null are `None`.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Raw::words)
    }

    /// A multi-valued property. Null, absent and `[]` are empty; a bare scalar is one value.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Some(list @ Raw::List(_)) => list.many_words(),
            Some(value) => value.words().into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// A boolean, written as one or as the text `True` or `False`.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Raw::Bool(flag) => Some(flag),
            Raw::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Raw::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A whole number, written as one or as text. Numbers beyond `i64` are kept as text and are
    /// reached through [`Record::scalar`].
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            number @ Raw::Number(_) => number.to_value().as_i64(),
            Raw::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The objects of a collection of objects, such as `members@delta` or `assignedLicenses`.
    #[must_use]
    pub fn children(&self, name: &str) -> Vec<Record> {
        match self.get(name) {
            Some(Raw::List("[]")) | None => Vec::new(),
            Some(Raw::List(json) | Raw::Object(json)) => read_list(json).unwrap_or_default(),
            Some(_) => Vec::new(),
        }
    }

    /// The directory object id: Graph's `id`, or what Exchange calls `ExternalDirectoryObjectId`.
    /// This is the key that joins the two services. Exchange's own `Id` is a name, which may look
    /// like a GUID, and is never taken for it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        let graph = self.fields().iter().find(|field| self.is_named(field, "id", <[u8]>::eq));
        let graph = graph.and_then(|id| self.value(id).as_str());
        graph.filter(|id| !id.is_empty()).or_else(|| self.text("ExternalDirectoryObjectId"))
    }

    /// Exchange's own object id, which stays when the directory id is missing.
    #[must_use]
    pub fn exchange_guid(&self) -> Option<&str> {
        self.text("Guid").or_else(|| self.text("ExchangeObjectId"))
    }

    /// `user` for `#microsoft.graph.user`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.text("@odata.type").map(|kind| kind.rsplit(['.', '#']).next().unwrap_or(kind))
    }

    /// Why a delta says that the object is gone: `changed` (may be restored) or `deleted`.
    #[must_use]
    pub fn removed(&self) -> Option<&str> {
        #[derive(Deserialize)]
        struct Removed<'a> {
            reason: Option<&'a str>,
        }
        const DELETED: &str = "deleted";
        match self.get("@removed")? {
            Raw::Object(json) => {
                let removed: Option<Removed<'_>> = serde_json::from_str(json).ok();
                Some(removed.and_then(|removed| removed.reason).unwrap_or(DELETED))
            }
            Raw::Null => None,
            _ => Some(DELETED),
        }
    }

    /// Whether a delta says that the object is gone, or no longer referred to.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.get("@removed").is_some_and(|removed| removed != Raw::Null)
    }

    /// Every property with its value, in the order of the answer.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Raw<'_>)> {
        self.fields().iter().map(|field| (self.name(field), self.value(field)))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.first
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same object with this property: at the end, or in the place of the one of that name.
    #[must_use]
    pub fn with(&self, name: &str, value: &Value) -> Record {
        let mut all: Vec<(&str, Cow<'_, Value>)> =
            self.iter().map(|(name, value)| (name, Cow::Owned(value.to_value()))).collect();
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = Cow::Borrowed(value),
            None => all.push((name, Cow::Borrowed(value))),
        }
        Self::of(all)
    }

    /// An object out of a parsed JSON value; anything but an object is `None`.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Record> {
        let properties = value.as_object()?.iter().filter(|(name, _)| !is_type_companion(name));
        Some(Self::of(properties.map(|(name, value)| (name.as_str(), Cow::Borrowed(value)))))
    }

    /// Reads one JSON object.
    ///
    /// # Errors
    /// When the bytes are not one well-formed JSON object.
    pub fn from_slice(body: &[u8]) -> Result<Record, serde_json::Error> {
        let (object, sheet) =
            read_body(body, |json, reading| RecordSeed::new(None, reading).deserialize(json))?;
        Ok(object.on(&sheet))
    }

    fn of<'a>(properties: impl IntoIterator<Item = (&'a str, Cow<'a, Value>)>) -> Record {
        let mut text = String::new();
        let mut write = |part: &str| {
            text.push_str(part);
            Span::new(text.len() - part.len(), part.len())
        };
        let field = |(name, value): (&str, Cow<'_, Value>)| {
            let name = write(name);
            match &*value {
                Value::String(text) => Field { name, value: write(text), is_text: true },
                value => Field { name, value: write(&value.to_string()), is_text: false },
            }
        };
        let fields: Vec<Field> = properties.into_iter().map(field).collect();
        Record { first: 0, end: fields.len(), sheet: Arc::new(Sheet { text: text.into(), fields }) }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        fn all(record: &Record) -> impl Iterator<Item = (&str, Value)> {
            record.iter().map(|(name, value)| (name, value.to_value()))
        }
        all(self).eq(all(other))
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, &value.to_value())?;
        }
        map.end()
    }
}

/// Whether the text is a GUID in its usual form (with or without braces).
#[must_use]
pub fn is_guid(text: &str) -> bool {
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    bare.len() == 36 && uuid::Uuid::try_parse(bare).is_ok()
}

/// `X@odata.type` and `X@data.type` say how `X` was typed on the server; they carry no data.
fn is_type_companion(key: &str) -> bool {
    key.strip_suffix("@odata.type")
        .or_else(|| key.strip_suffix("@data.type"))
        .is_some_and(|property| !property.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Record {
        Record::from_slice(json.as_bytes()).expect("well-formed")
    }

    #[test]
    fn drops_type_companions_and_keeps_the_objects_own_annotations() {
        let record = read(
            r##"{"@odata.type":"#microsoft.graph.group","ExchangeGuid@data.type":"System.Guid",
            "ExchangeGuid@odata.type":"#Guid","ExchangeGuid":"5f0e","members@delta":[],
            "owners@delta":[],"manager@delta":[],"@removed":{"reason":"changed"}}"##,
        );
        let names: Vec<_> = record.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["@odata.type", "ExchangeGuid", "members@delta", "owners@delta", "manager@delta", "@removed"]
        );
        assert_eq!(record.kind(), Some("group"));
        assert_eq!(record.removed(), Some("changed"));
    }

    #[test]
    fn texts_forgives_every_shape_of_a_list() {
        let record = read(r#"{"a":null,"b":[],"c":"x","d":["x","",null,"y"],"e":""}"#);
        for name in ["a", "b", "e", "missing"] {
            assert!(record.texts(name).is_empty(), "{name}");
        }
        assert_eq!(record.texts("c"), ["x"]);
        assert_eq!(record.texts("d"), ["x", "y"]);
    }

    #[test]
    fn comma_joined_rights_stay_one_element() {
        let record = read(r#"{"AccessRights":["FullAccess, ReadPermission"]}"#);
        assert_eq!(record.texts("AccessRights"), ["FullAccess, ReadPermission"]);
    }

    #[test]
    fn flags_and_numbers_are_read_from_text_too() {
        let record = read(
            r#"{"t":true,"f":"False","T":"TRUE","x":"maybe","n":7,"s":" 42 ","big":18446744073709551616123,"neg":-99999999999999999999}"#,
        );
        assert_eq!(record.flag("t"), Some(true));
        assert_eq!(record.flag("f"), Some(false));
        assert_eq!(record.flag("T"), Some(true));
        assert_eq!(record.flag("x"), None);
        assert_eq!(record.integer("n"), Some(7));
        assert_eq!(record.integer("s"), Some(42));
        assert_eq!(record.integer("big"), None);
        assert_eq!(record.scalar("big").as_deref(), Some("18446744073709551616123"));
        assert_eq!(record.scalar("neg").as_deref(), Some("-99999999999999999999"));
    }

    #[test]
    fn children_are_the_objects_of_a_collection() {
        let record = read(
            r##"{"members":[{"@odata.type":"#microsoft.graph.user","id":"u"},null,7,
            {"id":"g","@removed":{"reason":"deleted"}},{"id":"","@removed":null}],"manager":{"id":"m"}}"##,
        );
        let members = record.children("members");
        let members: Vec<_> = members.iter().map(|m| (m.text("id"), m.kind(), m.is_removed())).collect();
        assert_eq!(members, [(Some("u"), Some("user"), false), (Some("g"), None, true), (None, None, false)]);
        assert_eq!(record.children("manager").len(), 1);
        assert_eq!(record.children("owners").len(), 0);
    }

    #[test]
    fn a_guess_finds_no_other_property_than_none_does() {
        let record = read(r#"{"a":1,"B":2,"b":3}"#);
        for guess in 0..5 {
            assert_eq!(record.find("b", guess), Some((2, Raw::Number("3"))));
            assert_eq!(record.find("A", guess), Some((0, Raw::Number("1"))));
            assert_eq!(record.find("c", guess), None);
        }
    }

    #[test]
    fn null_and_absent_differ_only_for_has() {
        let record = read(r#"{"a":null}"#);
        assert!(record.has("a") && !record.has("b"));
        assert_eq!(record.text("a"), None);
    }

    #[test]
    fn the_directory_id_is_found_under_either_name() {
        let graph = read(r#"{"id":"3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a01"}"#);
        assert_eq!(graph.id(), Some("3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a01"));
        let exchange = read(
            r#"{"Id":"3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a01","ExternalDirectoryObjectId":"3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a02"}"#,
        );
        assert_eq!(exchange.id(), Some("3c7b9a10-52f4-4d8e-9b6e-0f2c1d3e4a02"));
        assert_eq!(read(r#"{"Id":"kim","Identity":"kim"}"#).id(), None);
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_is_read_back_whole(pairs in prop::collection::btree_map("[a-zA-Z]{1,6}", json_value(), 0..8)) {
            let object: Value = pairs.clone().into_iter().collect();
            let record = Record::from_slice(object.to_string().as_bytes()).expect("valid json");
            prop_assert_eq!(record.len(), pairs.len());
            for name in pairs.keys() {
                prop_assert!(record.has(name));
                let _ = (record.text(name), record.texts(name), record.flag(name),
                    record.integer(name), record.scalar(name), record.children(name));
            }
            let again = Record::from_slice(&serde_json::to_vec(&record).expect("serializes")).expect("valid");
            prop_assert_eq!(again.len(), record.len());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::from_slice(&bytes);
        }
    }
}
