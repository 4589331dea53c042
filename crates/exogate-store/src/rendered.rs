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
        self.begin(name);
        match value {
            ShownValue::Text(text) => self.write_text(text),
            value => self.write(value),
        }
    }

    fn begin(&mut self, name: &str) {
        self.json.push(if self.json.is_empty() { b'{' } else { b',' });
        self.write_text(name);
        self.json.push(b':');
    }

    fn write_text(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.json.push(b'"');
            self.json.extend_from_slice(text.as_bytes());
            self.json.push(b'"');
        } else {
            self.write(&text);
        }
    }

    fn write(&mut self, value: &impl Serialize) {
        // Neither texts nor the memory that they are written to can fail.
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
            rendered.begin(name);
            rendered.write(value);
        }
        rendered
    }
}

/// Whether a text needs no escapes in JSON: nearly all need none, and this sees it several bytes at a time.
fn is_plain(text: &[u8]) -> bool {
    const WIDE: usize = 16;
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let (wide, rest) = text.as_chunks::<WIDE>();
    let special = |chunk: &[u8; WIDE]| chunk.iter().fold(false, |any, byte| any | is_special(byte));
    !wide.iter().any(special) && !rest.iter().any(is_special)
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
