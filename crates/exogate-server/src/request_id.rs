//! The id of a request: taken from the caller or made, in every log line and answer.

use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header it travels in.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// A longer one is not taken over.
const LONGEST: usize = 128;

/// A new one. It has to differ from others and is no secret: the system is not asked for each.
fn made() -> HeaderValue {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string();
    HeaderValue::try_from(id).expect("a UUID is a header")
}

/// Id of a request; an extension of each. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's id where it is sound, else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let sound = |text: &&str| {
            (1..=LONGEST).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
        };
        let given = headers.get(HEADER).filter(|value| value.to_str().is_ok_and(|text| sound(&text)));
        Self(given.map_or_else(made, HeaderValue::clone))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("only letters, digits and four signs were let in")
    }

    /// As what Microsoft takes for a request's id: itself where it is a UUID, else one that follows
    /// from it.
    pub fn correlation(&self) -> Uuid {
        Uuid::try_parse(self.as_str())
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, self.0.as_bytes()))
    }

    /// As a header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(text).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_sound_id_is_kept_and_anything_else_replaced() {
        assert_eq!(of("abc-1.2:3_4").as_str(), "abc-1.2:3_4");
        for bad in ["", "a b", "<script>", "ä", &"x".repeat(129)] {
            let made = of(bad);
            assert!(Uuid::try_parse(made.as_str()).is_ok(), "{bad:?} became {made:?}");
        }
        let uuid = "0d9b51d5-5a0c-4b29-9f4f-7f4c1c1f6d05";
        assert_eq!(of(uuid).correlation().to_string(), uuid);
        assert_eq!(of("abc").correlation(), of("abc").correlation());
    }
}
