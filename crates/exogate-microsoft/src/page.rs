//! One page of a listing, and the link to the one after it.
//!
//! Owns the envelope that both services share (`value`, `@odata.nextLink`, `@odata.deltaLink`,
//! `@adminapi.warnings`), read in one pass without building a document. Does not decide when a
//! listing ends, does not follow links and does not read errors: it only hands them on.

pub(crate) mod batch;

use crate::record::Record;
use crate::record::reading::{Key, ListSeed, Object, RecordSeed, read_body, whole};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// One page as read.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub records: Vec<Record>,
    /// Where the listing goes on; `None` ends it.
    pub next: Option<PageLink>,
    /// Where the next round of a delta begins; only on the last page of a round.
    pub delta: Option<PageLink>,
    /// What the service remarked, in its own words.
    pub warnings: Vec<String>,
    /// Size of the answer.
    pub bytes: usize,
    /// The listing goes on by sorted key ranges, because the service refused its own page links.
    /// Such a listing begins anew, so earlier objects come again.
    pub used_fallback: bool,
}

/// Where a listing goes on. Opaque to callers, who may store it and hand it back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLink {
    pub(crate) place: Place,
    /// How many pages lie before it.
    #[serde(default)]
    pub(crate) pages: u32,
    /// How many objects those pages held.
    #[serde(default)]
    pub(crate) taken: u64,
    /// The id under which the service knows this invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    /// Fingerprints of the links before it, to notice a listing that runs in a circle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trail: Vec<u64>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// A link of the service, used as it is.
    Link(String),
    /// Everything from this key on, save the objects of that very key that were already seen.
    From { key: String, seen: Vec<String> },
}

/// How many earlier links a link remembers.
const TRAIL: usize = 16;

impl PageLink {
    pub(crate) fn new(place: Place) -> Self {
        Self { place, pages: 0, taken: 0, request: None, trail: Vec::new() }
    }

    /// The link that follows `at`; `None` when it leads back to a page already read.
    pub(crate) fn after(at: Option<&PageLink>, place: Place, received: usize) -> Option<Self> {
        let mut link = Self::new(place);
        link.pages = at.map_or(0, |at| at.pages) + 1;
        link.taken = at.map_or(0, |at| at.taken) + received as u64;
        if let Some(at) = at {
            link.request.clone_from(&at.request);
            link.trail.clone_from(&at.trail);
            link.trail.push(at.fingerprint());
            if link.trail.len() > TRAIL {
                link.trail.remove(0);
            }
            if link.trail.contains(&link.fingerprint()) {
                return None;
            }
        }
        Some(link)
    }

    pub(crate) fn url(&self) -> Option<&str> {
        match &self.place {
            Place::Link(url) => Some(url),
            Place::From { .. } => None,
        }
    }

    fn fingerprint(&self) -> u64 {
        match &self.place {
            Place::Link(url) => fnv(0, url.as_bytes()),
            Place::From { key, seen } => {
                seen.iter().fold(fnv(1, key.as_bytes()), |hash, id| fnv(hash, id.as_bytes()))
            }
        }
    }
}

/// Page links carry tokens of the service and names of people, so only a fingerprint is shown.
impl fmt::Debug for PageLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageLink(page {}, {:016x})", self.pages + 1, self.fingerprint())
    }
}

/// FNV-1a: links are stored and compared by later processes, so the hash must stay the same.
fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The envelope of an answer, before anybody judged it.
#[derive(Default)]
pub(crate) struct Envelope {
    pub(crate) records: Vec<Record>,
    pub(crate) next: Option<String>,
    pub(crate) delta: Option<String>,
    pub(crate) warnings: Vec<String>,
    /// `error` of an answer whose status said success.
    pub(crate) error: Option<Box<RawValue>>,
    /// The cmdlet asked for a confirmation instead of running.
    pub(crate) confirmation: Option<String>,
}

/// A body that is not a JSON object.
#[derive(Debug)]
pub(crate) struct NotJson(pub(crate) String);

impl Envelope {
    /// Reads a page. An empty body is an empty page: several writes answer nothing at all.
    /// With `keep`, only those properties of each object are built.
    pub(crate) fn parse(body: &[u8], keep: Option<&[&str]>) -> Result<Envelope, NotJson> {
        let body = trim(body);
        if body.is_empty() {
            return Ok(Envelope::default());
        }
        let read =
            read_body(body, |json, reading| EnvelopeSeed(RecordSeed::new(keep, reading)).deserialize(json));
        let ((objects, envelope), sheet) = read.map_err(|error| NotJson(error.to_string()))?;
        Ok(Envelope { records: whole(objects, &sheet), ..envelope })
    }
}

/// Without the NUL bytes, byte-order mark and blanks that some answers begin or end with.
pub(crate) fn trim(body: &[u8]) -> &[u8] {
    let blank = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let mut body = body;
    loop {
        let start = body.iter().position(|byte| !blank(byte));
        body = &body[start.unwrap_or(body.len())..];
        match body.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => body = rest,
            None => break,
        }
    }
    let end = body.iter().rposition(|byte| !blank(byte));
    &body[..end.map_or(0, |end| end + 1)]
}

struct EnvelopeSeed<'a>(RecordSeed<'a>);

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_> {
    type Value = (Vec<Object>, Envelope);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_> {
    type Value = (Vec<Object>, Envelope);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OData answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        // Single objects sometimes come without the `value` around them.
        let mut bare = self.0.reading.begin();
        let mut objects = Vec::new();
        let mut listed = false;
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "value" => {
                    objects.clear();
                    map.next_value_seed(ListSeed { records: self.0, scalars: true, objects: &mut objects })?;
                    listed = true;
                }
                "@odata.nextLink" => envelope.next = link(map.next_value()?),
                "@odata.deltaLink" => envelope.delta = link(map.next_value()?),
                "@adminapi.warnings" => envelope.warnings = lines(map.next_value()?),
                "@adminapi.confirmationmessage" => {
                    envelope.confirmation = lines(map.next_value()?).into_iter().next();
                }
                "error" => {
                    let raw: &RawValue = map.next_value()?;
                    envelope.error = (raw.get() != "null").then(|| raw.to_owned());
                }
                "@adminapi.errors" => {
                    let raw: &RawValue = map.next_value()?;
                    if !matches!(raw.get(), "null" | "[]") && envelope.error.is_none() {
                        envelope.error = Some(raw.to_owned());
                    }
                }
                name if name.contains('@') || listed => {
                    map.next_value::<IgnoredAny>()?;
                }
                name => {
                    self.0.reading.add(&mut bare, name, map.next_value()?)?;
                }
            }
        }
        if !listed && !bare.is_empty() {
            objects.push(bare);
        }
        Ok((objects, envelope))
    }
}

fn link(value: Option<String>) -> Option<String> {
    value.filter(|link| !link.is_empty())
}

fn lines(value: Value) -> Vec<String> {
    match value {
        Value::String(line) if line.is_empty() => Vec::new(),
        Value::String(line) => vec![line],
        Value::Array(items) => items.into_iter().flat_map(lines).collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Raw;
    use proptest::prelude::*;

    fn parse(body: &str) -> Envelope {
        match Envelope::parse(body.as_bytes(), None) {
            Ok(envelope) => envelope,
            Err(NotJson(text)) => panic!("{text}"),
        }
    }

    #[test]
    fn value_may_be_missing_null_empty_or_the_body_absent() {
        for body in [
            "",
            "\0\0\0",
            "{}",
            r#"{"value":null}"#,
            r#"{"value":[]}"#,
            "\u{feff}{\"value\":[null]}",
            r#"{"@odata.context":"c","adminapi.warnings@odata.type":"t","@adminapi.warnings":[]}"#,
        ] {
            let envelope = parse(body);
            assert!(envelope.records.is_empty(), "{body:?}");
            assert!(envelope.next.is_none() && envelope.error.is_none());
        }
    }

    #[test]
    fn leading_nul_and_bom_are_skipped() {
        let envelope = parse("\0\0\u{feff} {\"value\":[{\"Name\":\"a\"}]}\0\0");
        assert_eq!(envelope.records[0].text("Name"), Some("a"));
    }

    #[test]
    fn a_bare_object_is_one_record() {
        let envelope = parse(r#"{"@odata.context":"c","Name":"a","Big":99999999999999999999}"#);
        assert_eq!(envelope.records.len(), 1);
        assert_eq!(envelope.records[0].scalar("Big").as_deref(), Some("99999999999999999999"));
        assert_eq!(parse(r#"{"value":{"Name":"a"}}"#).records.len(), 1);
    }

    #[test]
    fn warnings_are_a_list_or_one_text() {
        assert_eq!(parse(r#"{"@adminapi.warnings":["a","b"],"value":[]}"#).warnings, ["a", "b"]);
        assert_eq!(parse(r#"{"@adminapi.warnings":"a"}"#).warnings, ["a"]);
        assert!(parse(r#"{"@adminapi.warnings":null}"#).warnings.is_empty());
    }

    #[test]
    fn an_error_in_a_success_is_kept_and_is_no_record() {
        let envelope = parse(
            r#"{"error":{"code":"BadRequest"},"adminapi.warnings@odata.type":"t","@adminapi.warnings":[]}"#,
        );
        assert!(envelope.records.is_empty());
        assert_eq!(envelope.error.expect("error").get(), r#"{"code":"BadRequest"}"#);
    }

    #[test]
    fn a_truncated_page_is_no_page() {
        let whole = r#"{"value":[{"Name":"a"},{"Name":"b"}],"@odata.nextLink":"x"}"#;
        for cut in 1..whole.len() {
            assert!(Envelope::parse(&whole.as_bytes()[..cut], None).is_err(), "{cut}");
        }
        assert!(Envelope::parse(b"{} trailing", None).is_err());
        assert!(Envelope::parse(b"[]", None).is_err());
        assert!(Envelope::parse(b"<html>", None).is_err());
    }

    #[test]
    fn links_survive_storage_and_hide_themselves() {
        let link = PageLink::new(Place::Link("https://h/x?$skiptoken=secret".into()));
        let text = serde_json::to_string(&link).expect("serializes");
        assert_eq!(serde_json::from_str::<PageLink>(&text).expect("reads"), link);
        assert!(!format!("{link:?}").contains("secret"));
    }

    #[test]
    fn a_circle_of_links_is_noticed() {
        let place = |n: usize| Place::Link(format!("https://h/{n}"));
        let mut at = PageLink::after(None, place(0), 5).expect("first");
        for n in 1..3 {
            at = PageLink::after(Some(&at), place(n), 5).expect("new");
        }
        assert_eq!((at.pages, at.taken), (3, 15));
        for n in 0..3 {
            assert!(PageLink::after(Some(&at), place(n), 5).is_none(), "back to {n}");
        }
        let mut far = at.clone();
        for n in 3..60 {
            far = PageLink::after(Some(&far), place(n), 1).expect("new");
        }
        assert_eq!(far.trail.len(), TRAIL);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::parse(&bytes, None);
        }

        #[test]
        fn json_like_text_never_panics(text in r#"[\{\}\[\]":,@a-z0-9\\.null]{0,120}"#) {
            let _ = Envelope::parse(text.as_bytes(), None);
            let _ = Envelope::parse(format!("{{\"value\":{text}}}").as_bytes(), Some(&["a"]));
        }

        #[test]
        fn every_record_of_a_page_is_read(names in prop::collection::vec("[^\u{0}]{0,12}", 0..40)) {
            let value: Vec<Value> = names.iter().map(|name| serde_json::json!({
                "Name@odata.type": "t", "Name": name, "Other": {"x": [1, 2]}
            })).collect();
            let body = serde_json::json!({"@odata.context": "c", "value": value}).to_string();
            for keep in [None, Some(&["Name"][..])] {
                let page = Envelope::parse(body.as_bytes(), keep).map_err(|e| TestCaseError::fail(e.0))?;
                prop_assert_eq!(page.records.len(), names.len());
                for (record, name) in page.records.iter().zip(&names) {
                    prop_assert_eq!(record.get("Name").and_then(Raw::as_str), Some(name.as_str()));
                }
            }
        }
    }
}
