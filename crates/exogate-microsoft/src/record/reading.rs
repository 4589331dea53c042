//! Reading records out of a body as it streams by: of every property, only where it stands is noted.

use super::{Field, Record, Sheet, Span, is_type_companion};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Reads a body by what `read` makes of it. That the body is text at all is seen once for the whole,
/// instead of once for each text in it. The objects become whole by the sheet that comes with them.
pub(crate) fn read_body<T>(
    body: &[u8],
    read: impl FnOnce(&mut Json<'_>, &Reading<'_>) -> Result<T, serde_json::Error>,
) -> Result<(T, Arc<Sheet>), serde_json::Error> {
    let body = std::str::from_utf8(body).map_err(serde_json::Error::custom)?;
    if u32::try_from(body.len()).is_err() {
        return Err(serde_json::Error::custom("an answer of more than 4 GiB"));
    }
    let reading = Reading { body, spill: RefCell::default(), fields: RefCell::default() };
    let mut json = serde_json::Deserializer::from_str(body);
    let value = read(&mut json, &reading)?;
    json.end()?;
    let (spill, fields) = (reading.spill.into_inner(), reading.fields.into_inner());
    let text = if spill.is_empty() { body.into() } else { [body, &spill].concat().into() };
    Ok((value, Arc::new(Sheet { text, fields })))
}

/// Reads the objects of a list, or a single one; what else is in it is skipped.
pub(crate) fn read_list(json: &str) -> Result<Vec<Record>, serde_json::Error> {
    let mut objects = Vec::new();
    let ((), sheet) = read_body(json.as_bytes(), |json, reading| {
        let records = RecordSeed::new(None, reading);
        ListSeed { records, scalars: false, objects: &mut objects }.deserialize(json)
    })?;
    Ok(whole(objects, &sheet))
}

/// The records of a sheet.
pub(crate) fn whole(objects: Vec<Object>, sheet: &Arc<Sheet>) -> Vec<Record> {
    objects.into_iter().map(|object| object.on(sheet)).collect()
}

/// A body that is being read.
pub(crate) type Json<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

/// From where to where the sheet has the properties of one object.
#[derive(Clone, Copy)]
pub(crate) struct Object {
    first: usize,
    end: usize,
}

impl Object {
    pub(crate) fn on(self, sheet: &Arc<Sheet>) -> Record {
        Record { sheet: Arc::clone(sheet), first: self.first, end: self.end }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first == self.end
    }
}

/// What the reading of one body keeps beside what it reads.
pub(crate) struct Reading<'b> {
    body: &'b str,
    /// Texts that do not stand in the body as they are, because they have escapes there.
    spill: RefCell<String>,
    fields: RefCell<Vec<Field>>,
}

impl Reading<'_> {
    /// Where a part of the body stands; what is no part of it is written behind it.
    fn place(&self, text: &str) -> Span {
        let offset = (text.as_ptr() as usize).wrapping_sub(self.body.as_ptr() as usize);
        if offset.checked_add(text.len()).is_some_and(|end| end <= self.body.len()) {
            return Span::new(offset, text.len());
        }
        let mut spill = self.spill.borrow_mut();
        let start = self.body.len() + spill.len();
        spill.push_str(text);
        Span::new(start, text.len())
    }

    /// An object that begins here, and has no property yet.
    pub(crate) fn begin(&self) -> Object {
        let here = self.fields.borrow().len();
        Object { first: here, end: here }
    }

    /// Adds a property to the object that began last.
    pub(crate) fn add<E: serde::de::Error>(
        &self,
        object: &mut Object,
        name: &str,
        value: &RawValue,
    ) -> Result<(), E> {
        let field = self.field(name, value)?;
        self.push(object, field);
        Ok(())
    }

    fn push(&self, object: &mut Object, field: Field) {
        let mut fields = self.fields.borrow_mut();
        fields.push(field);
        object.end = fields.len();
    }

    fn field<E: serde::de::Error>(&self, name: &str, value: &RawValue) -> Result<Field, E> {
        let json = value.get();
        let name = self.place(name);
        let Some(text) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Ok(Field { name, value: self.place(json), is_text: false });
        };
        let value = if memchr::memchr(b'\\', text.as_bytes()).is_none() {
            self.place(text)
        } else {
            self.place(&serde_json::from_str::<String>(json).map_err(E::custom)?)
        };
        Ok(Field { name, value, is_text: true })
    }

    /// A scalar result, as a few functions and cmdlets give, becomes an object with one `value`.
    fn scalar(&self, value: &str, is_text: bool) -> Object {
        let mut object = self.begin();
        self.push(&mut object, Field { name: self.place("value"), value: self.place(value), is_text });
        object
    }
}

/// Reads one object in a stream, keeping either every property or only the named ones.
#[derive(Clone, Copy)]
pub(crate) struct RecordSeed<'a> {
    keep: Option<&'a [&'a str]>,
    pub(crate) reading: &'a Reading<'a>,
}

impl<'a> RecordSeed<'a> {
    pub(crate) fn new(keep: Option<&'a [&'a str]>, reading: &'a Reading<'a>) -> Self {
        Self { keep, reading }
    }

    fn wants(&self, key: &str) -> bool {
        !is_type_companion(key) && self.keep.is_none_or(|keep| keep.contains(&key))
    }
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Object;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = self.reading.begin();
        while let Some(Key(key)) = map.next_key()? {
            if self.wants(&key) {
                self.reading.add(&mut object, &key, map.next_value()?)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(object)
    }
}

/// Reads a list of objects, null, one bare object or a bare scalar.
pub(crate) struct ListSeed<'a> {
    pub(crate) records: RecordSeed<'a>,
    /// Scalars become objects; otherwise they are skipped.
    pub(crate) scalars: bool,
    pub(crate) objects: &'a mut Vec<Object>,
}

impl ListSeed<'_> {
    fn scalar(self, value: &str, is_text: bool) {
        if self.scalars {
            self.objects.push(self.records.reading.scalar(value, is_text));
        }
    }
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { records, scalars, objects } = self;
        // An element that is null is nothing.
        while seq.next_element_seed(ListSeed { records, scalars, objects: &mut *objects })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.objects.push(self.records.visit_map(map)?);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.scalar(text, true);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.scalar(if flag { "true" } else { "false" }, false);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.scalar(&number.to_string(), false);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.scalar(&number.to_string(), false);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.scalar(&serde_json::Value::from(number).to_string(), false);
        Ok(())
    }
}

/// A property name, borrowed from the page unless it holds an escape.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_one_body_share_a_sheet_and_keep_their_own_order() {
        let records = read_list(r#"[{"a":1,"b":2,"c":3},{"a":4,"c":5},null,7,{"c":6,"d":7,"a":8},{}]"#)
            .expect("well-formed");
        let shown: Vec<String> =
            records.iter().map(|r| serde_json::to_string(r).expect("serializes")).collect();
        assert_eq!(shown, [r#"{"a":1,"b":2,"c":3}"#, r#"{"a":4,"c":5}"#, r#"{"c":6,"d":7,"a":8}"#, "{}"]);
        assert!(records.iter().all(|record| Arc::ptr_eq(&record.sheet, &records[0].sheet)));
    }

    #[test]
    fn escapes_are_read_in_names_and_in_values() {
        let body = r#"{"n\u0061me":"caf\u00e9 \"x\"","plain":"café","\t":["\n"],"z":"\\"}"#;
        let record = Record::from_slice(body.as_bytes()).expect("well-formed");
        assert_eq!(record.text("name"), Some("café \"x\""));
        assert_eq!(record.text("plain"), Some("café"));
        assert_eq!(record.texts("\t"), ["\n"]);
        assert_eq!(record.text("z"), Some("\\"));
        assert!(Record::from_slice(br#"{"a":"\ud800"}"#).is_err(), "half a character");
        assert!(Record::from_slice(b"{\"a\":\"\xff\"}").is_err(), "no text");
    }

    #[test]
    fn only_the_named_properties_are_noted() {
        let body = br#"{"a":1,"b":{"c":[1,2]},"d":"x"}"#;
        let (object, sheet) =
            read_body(body, |json, reading| RecordSeed::new(Some(&["d"]), reading).deserialize(json))
                .expect("ok");
        let record = object.on(&sheet);
        assert_eq!(record.len(), 1);
        assert_eq!(record.text("d"), Some("x"));
    }
}
