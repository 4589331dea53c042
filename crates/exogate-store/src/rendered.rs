//! Attributes as the store keeps them: JSON, written without taking them apart first. Of the many that
//! are read and never looked at again, that is all there has to be.

use exogate_model::account::Attributes;
use exogate_model::value::ShownValue;
use serde::Serialize;

/// Attributes, rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Without the brace that ends it; empty as long as there is none.
    json: Vec<u8>,
}

impl Rendered {
    /// None yet, with room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Self { json: Vec::with_capacity(bytes) }
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.json.len() + 1
    }

    /// Adds one. They have to come in the order of their names, each once.
    pub fn push(&mut self, name: &str, value: &ShownValue<'_>) {
        self.add(name, value);
    }

    fn add(&mut self, name: &str, value: &impl Serialize) {
        self.json.push(if self.json.is_empty() { b'{' } else { b',' });
        // Neither texts nor the memory that they are written to can fail.
        let _ = serde_json::to_writer(&mut self.json, name);
        self.json.push(b':');
        let _ = serde_json::to_writer(&mut self.json, value);
    }

    /// The JSON.
    pub(crate) fn into_json(mut self) -> String {
        if self.json.is_empty() {
            self.json.push(b'{');
        }
        self.json.push(b'}');
        String::from_utf8(self.json)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

impl From<&Attributes> for Rendered {
    fn from(attributes: &Attributes) -> Self {
        let mut rendered = Self::default();
        for (name, value) in attributes {
            rendered.add(name, value);
        }
        rendered
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::value::AttributeValue;
    use proptest::prelude::*;

    use super::*;
    use crate::codec;

    proptest! {
        #[test]
        fn it_is_what_serde_makes_of_the_attributes(
            texts in proptest::collection::btree_map(".{0,8}", ".{0,12}", 0..4),
            many in proptest::collection::vec(".{0,6}", 1..4),
            flag: bool,
            number: i64,
        ) {
            let mut all: Attributes =
                texts.into_iter().map(|(name, text)| (name, AttributeValue::Text(text))).collect();
            prop_assert_eq!(Rendered::from(&all).into_json(), codec::to_json("attributes", &all).unwrap());
            all.insert("flag".into(), AttributeValue::Boolean(flag));
            all.insert("many".into(), AttributeValue::Many(many));
            all.insert("number".into(), AttributeValue::Integer(number));
            prop_assert_eq!(Rendered::from(&all).into_json(), codec::to_json("attributes", &all).unwrap());
        }
    }
}
