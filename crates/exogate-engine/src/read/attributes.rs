//! Attributes of a schema out of a record: taken apart, or rendered as the store keeps them.
//!
//! A value that does not fit its declared type is left out and counted, so that a run can say so.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use exogate_microsoft::record::{Raw, Record};
use exogate_model::account::Attributes;
use exogate_model::catalogue::ExchangeObject;
use exogate_model::schema::{AttributeSource, Schema};
use exogate_model::value::{self, AttributeType, ShownValue, TypeMismatch};
use exogate_store::Rendered;
use serde::Deserialize;

/// The attributes to take from records of one listing.
#[derive(Debug, Clone)]
pub struct AttributeReader {
    /// In the order of the attributes' names.
    wanted: Vec<Wanted>,
    /// What the last records took when rendered: the next one probably takes no more.
    room: Guess,
}

#[derive(Debug, Clone)]
struct Wanted {
    attribute: String,
    property: &'static str,
    kind: AttributeType,
    multi_valued: bool,
    /// Where the last record had it: those of one page are alike.
    place: Guess,
}

/// A number that the last record had. Only a guess, so that threads need not agree on it.
#[derive(Debug, Default)]
struct Guess(AtomicUsize);

impl Guess {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, number: usize) {
        self.0.store(number, Ordering::Relaxed);
    }
}

impl Clone for Guess {
    fn clone(&self) -> Self {
        Self(AtomicUsize::new(self.get()))
    }
}

impl Wanted {
    fn of<'a>(&self, record: &'a Record) -> Option<Raw<'a>> {
        let (place, value) = record.find(self.property, self.place.get())?;
        self.place.set(place);
        Some(value)
    }

    /// Gives a value on, or says what does not fit.
    fn give(
        &self,
        shown: Result<Option<ShownValue<'_>>, TypeMismatch>,
        give: &mut impl FnMut(&str, ShownValue<'_>),
    ) -> Option<TypeMismatch> {
        match shown {
            Ok(None) => {}
            Ok(Some(ShownValue::Text(text))) if text.is_empty() => {}
            Ok(Some(value)) => give(&self.attribute, value),
            Err(misfit) => return Some(misfit),
        }
        None
    }
}

impl AttributeReader {
    /// The Entra attributes of a schema.
    pub fn entra(schema: &Schema) -> Self {
        Self::of(schema, |source| match source {
            AttributeSource::Entra(property) => Some(property),
            _ => None,
        })
    }

    /// The attributes that a schema takes from one of these Exchange objects.
    pub fn exchange(schema: &Schema, objects: &[ExchangeObject]) -> Self {
        Self::of(schema, |source| match source {
            AttributeSource::Exchange(object, property) if objects.contains(&object) => Some(property),
            _ => None,
        })
    }

    fn of(schema: &Schema, property: impl Fn(AttributeSource) -> Option<&'static str>) -> Self {
        let mut wanted: Vec<_> = schema
            .attributes()
            .iter()
            .filter_map(|definition| {
                Some(Wanted {
                    attribute: definition.name.clone(),
                    property: property(definition.source)?,
                    kind: definition.kind,
                    multi_valued: definition.multi_valued,
                    place: Guess::default(),
                })
            })
            .collect();
        wanted.sort_by(|a: &Wanted, b| a.attribute.cmp(&b.attribute));
        Self { wanted, room: Guess::default() }
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The properties that the records must show.
    pub fn properties(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.wanted.iter().map(|wanted| wanted.property)
    }

    /// The attributes of whose properties a record shows nothing, not even null.
    pub fn not_shown(&self, record: &Record) -> impl Iterator<Item = &str> {
        self.wanted
            .iter()
            .filter(|wanted| !record.has(wanted.property))
            .map(|wanted| wanted.attribute.as_str())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Whether a record shows any of the properties.
    pub fn shows_any(&self, record: &Record) -> bool {
        self.wanted.iter().any(|wanted| record.has(wanted.property))
    }

    /// Reads one record.
    pub fn read(&self, record: &Record, misfits: &mut Misfits) -> Attributes {
        let mut attributes = Attributes::new();
        self.each(record, misfits, |attribute, value| {
            attributes.insert(attribute.to_owned(), value.into());
        });
        attributes
    }

    /// Reads one record that goes straight into the store.
    pub fn render(&self, record: &Record, misfits: &mut Misfits) -> Rendered {
        const MORE: usize = 32;
        let mut rendered = Rendered::with_room(self.room.get() + MORE);
        self.each(record, misfits, |attribute, value| rendered.push(attribute, &value));
        let room = self.room.get();
        self.room.set(rendered.bytes().max(room - room / 8));
        rendered
    }

    /// Gives the attributes that have a value, in the order of their names.
    fn each(&self, record: &Record, misfits: &mut Misfits, mut give: impl FnMut(&str, ShownValue<'_>)) {
        for wanted in &self.wanted {
            let Some(raw) = wanted.of(record) else { continue };
            let misfit = match raw {
                // Exchange writes many an unset string as an empty one, and so an unset number, date or switch.
                Raw::Null | Raw::Text("") | Raw::List("[]") => None,
                Raw::Text(text) => {
                    wanted.give(value::show_text(text, wanted.kind, wanted.multi_valued), &mut give)
                }
                _ => match texts(wanted.property, raw) {
                    Some(texts) if wanted.multi_valued => {
                        wanted.give(Ok(value::show_texts(texts)), &mut give)
                    }
                    Some(texts) if texts.is_empty() => None,
                    Some(texts) if texts.len() == 1 => {
                        wanted.give(value::show_text(&texts[0], wanted.kind, false), &mut give)
                    }
                    _ => {
                        wanted.give(value::show(&raw.to_value(), wanted.kind, wanted.multi_valued), &mut give)
                    }
                },
            };
            if let Some(misfit) = misfit {
                misfits.add(&wanted.attribute, misfit.to_string());
            }
        }
    }
}

/// The texts of a list of nothing else, and the plain form of the few properties that Graph shows as objects.
fn texts<'a>(property: &str, raw: Raw<'a>) -> Option<Vec<Cow<'a, str>>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Licence<'a> {
        #[serde(borrow, default)]
        sku_id: Option<Cow<'a, str>>,
    }
    #[derive(Deserialize)]
    struct Manager<'a> {
        #[serde(borrow, default)]
        id: Option<Cow<'a, str>>,
    }
    match (property, raw) {
        ("assignedLicenses", Raw::List(json)) => {
            let licences: Vec<Licence<'a>> = serde_json::from_str(json).ok()?;
            Some(licences.into_iter().filter_map(|licence| licence.sku_id).collect())
        }
        ("manager", Raw::Object(json)) => {
            let manager: Manager<'a> = serde_json::from_str(json).ok()?;
            Some(manager.id.into_iter().collect())
        }
        _ => raw.plain_texts(),
    }
}

/// Values that did not fit, counted by attribute.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Misfits {
    by_attribute: BTreeMap<String, (u64, String)>,
}

impl Misfits {
    fn add(&mut self, attribute: &str, why: String) {
        match self.by_attribute.get_mut(attribute) {
            Some((count, _)) => *count += 1,
            None => {
                self.by_attribute.insert(attribute.to_owned(), (1, why));
            }
        }
    }

    /// One sentence for each attribute.
    pub fn notes(&self) -> impl Iterator<Item = String> + '_ {
        self.by_attribute.iter().map(|(attribute, (count, first))| {
            format!(
                "{attribute}: {count} values left out because they do not fit the schema (first: {first})"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::AttributeRequest;
    use exogate_model::value::AttributeValue;
    use proptest::prelude::*;

    use super::*;

    fn record(json: &str) -> Record {
        Record::from_slice(json.as_bytes()).unwrap()
    }

    proptest! {
        /// What is rendered is what would be stored of the attributes taken apart.
        #[test]
        fn both_ways_store_the_same(
            name in ".{0,12}", license in ".{0,6}", many in proptest::collection::vec(".{0,6}", 0..4),
            enabled: bool, department in proptest::option::of(".{0,9}")
        ) {
            let record = record(&serde_json::json!({
                "displayName": name, "accountEnabled": enabled, "proxyAddresses": many, "department": department,
                "assignedLicenses": [{"skuId": license}], "CustomAttribute1": name, "EmailAddresses": many,
            }).to_string());
            let schema = schema(&["EXO_EmailAddresses", "EXO_CustomAttribute1"]);
            for reader in
                [AttributeReader::entra(&schema), AttributeReader::exchange(&schema, &[ExchangeObject::Mailbox])]
            {
                let mut misfits = [Misfits::default(), Misfits::default()];
                let apart = Rendered::from(&reader.read(&record, &mut misfits[0]));
                prop_assert_eq!(reader.render(&record, &mut misfits[1]), apart);
                prop_assert_eq!(&misfits[0], &misfits[1]);
            }
        }
    }

    fn schema(names: &[&str]) -> Schema {
        let requests: Vec<_> = names.iter().map(|n| AttributeRequest::Name((*n).to_owned())).collect();
        Schema::account(&requests, true).unwrap()
    }

    #[test]
    fn entra_objects_become_plain_values() {
        let reader = AttributeReader::entra(&schema(&[]));
        let attributes = reader.read(
            &record(
                r#"{"id":"u","displayName":"Ada","accountEnabled":true,"manager":{"id":"m"},"department":null,
                "assignedLicenses":[{"skuId":"b","disabledPlans":[]},{"skuId":"a"}],"proxyAddresses":[]}"#,
            ),
            &mut Misfits::default(),
        );
        let text = |s: &str| AttributeValue::Text(s.into());
        assert_eq!(
            attributes.into_iter().collect::<Vec<_>>(),
            [
                ("accountEnabled".to_owned(), AttributeValue::Boolean(true)),
                ("assignedLicenses".to_owned(), AttributeValue::Many(vec!["a".into(), "b".into()])),
                ("displayName".to_owned(), text("Ada")),
                ("manager".to_owned(), text("m")),
            ]
        );
    }

    #[test]
    fn exchange_values_take_type_and_prefix_of_the_schema() {
        let schema =
            schema(&["EXO_EmailAddresses", "EXO_LitigationHoldEnabled", "EXO_WhenCreated", "EXO_Office"]);
        let reader = AttributeReader::exchange(&schema, &[ExchangeObject::Mailbox]);
        let mut misfits = Misfits::default();
        let attributes = reader.read(
            &record(
                r#"{"EmailAddresses":"SMTP:a@b","LitigationHoldEnabled":"False","Office":"",
                "WhenCreated":"2025-06-29T17:57:03.0000000+00:00"}"#,
            ),
            &mut misfits,
        );
        assert_eq!(
            attributes.into_iter().collect::<Vec<_>>(),
            [
                ("EXO_EmailAddresses".to_owned(), AttributeValue::Many(vec!["SMTP:a@b".into()])),
                ("EXO_LitigationHoldEnabled".to_owned(), AttributeValue::Boolean(false)),
                ("EXO_WhenCreated".to_owned(), AttributeValue::Text("2025-06-29T17:57:03Z".into())),
            ]
        );
        assert_eq!(misfits, Misfits::default());
        let wrong = record(r#"{"LitigationHoldEnabled":"perhaps"}"#);
        assert!(reader.read(&wrong, &mut misfits).is_empty());
        reader.read(&wrong, &mut misfits);
        let notes: Vec<_> = misfits.notes().collect();
        assert_eq!(notes.len(), 1);
        assert!(notes[0].starts_with("EXO_LitigationHoldEnabled: 2 values left out"), "{notes:?}");
    }
}
