//! JSON as it is sent, written member by member: nothing is built in between.

use exogate_model::value::AttributeValue;
use serde::Serialize;

/// An object or list in the making.
pub struct Json {
    out: Vec<u8>,
}

impl Json {
    /// Begins an object of about so many bytes.
    pub fn object(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes);
        out.push(b'{');
        Self { out }
    }

    /// All that was written.
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Ends the object.
    pub fn end(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    /// A member.
    pub fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        self.write(value);
    }

    /// A member, if there is a value.
    pub fn put_some(&mut self, name: &str, value: Option<&(impl Serialize + ?Sized)>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// A member, if there is a value.
    pub fn put_value(&mut self, name: &str, value: Option<&AttributeValue>) {
        match value {
            Some(AttributeValue::Boolean(flag)) => self.put(name, flag),
            Some(AttributeValue::Integer(number)) => self.put(name, number),
            Some(AttributeValue::Text(text)) => self.put(name, text),
            Some(AttributeValue::Many(texts)) => self.put(name, texts),
            None => {}
        }
    }

    /// A member that is an object, unless nothing comes to be in it.
    pub fn put_object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.put_within(name, b'{', b'}', fill);
    }

    /// A member that is a list, unless nothing comes to be in it.
    pub fn put_list(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.put_within(name, b'[', b']', fill);
    }

    /// An element of a list that is an object.
    pub fn item(&mut self, fill: impl FnOnce(&mut Self)) {
        self.separate();
        self.out.push(b'{');
        fill(self);
        self.out.push(b'}');
    }

    /// An element of a list that was written already.
    pub fn item_written(&mut self, written: &[u8]) {
        self.separate();
        self.out.extend_from_slice(written);
    }

    fn put_within(&mut self, name: &str, open: u8, close: u8, fill: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        self.name(name);
        self.out.push(open);
        let inside = self.out.len();
        fill(self);
        if self.out.len() == inside {
            self.out.truncate(before);
        } else {
            self.out.push(close);
        }
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.write(name);
        self.out.push(b':');
    }

    /// What stands before is the beginning of something, or the end of a value.
    fn separate(&mut self) {
        if !matches!(self.out.last(), Some(b'{' | b'[')) {
            self.out.push(b',');
        }
    }

    fn write(&mut self, value: &(impl Serialize + ?Sized)) {
        serde_json::to_writer(&mut self.out, value).expect("texts, numbers and lists of them have a form");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_and_leaves_out_what_is_empty() {
        let mut json = Json::object(0);
        json.put_object("nothing", |_| {});
        json.put("a\"{", "x[");
        json.put_list("none", |_| {});
        json.put_list("list", |list| {
            list.item(|item| item.put("n", &1));
            list.item(|_| {});
            list.item_written(b"{\"w\":[]}");
        });
        json.put_object("object", |object| {
            object.put_some("left out", None::<&str>);
            object.put_value("many", Some(&AttributeValue::Many(vec!["{".into(), "]".into()])));
            object.put_value("flag", Some(&AttributeValue::Boolean(true)));
        });
        let text = String::from_utf8(json.end()).unwrap_or_default();
        let wanted = r#"{"a\"{":"x[","list":[{"n":1},{},{"w":[]}],"object":{"many":["{","]"],"flag":true}}"#;
        assert_eq!(text, wanted);
    }
}
