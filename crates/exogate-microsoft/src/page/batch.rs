//! The JSON batch that both services speak: several requests in one, answered in any order.
//!
//! Owns the envelope and the matching by id. What an item's answer means is left to the service's
//! own judge, which sees it as if it had come alone.

use crate::page::trim;
use crate::transport::WireResponse;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    responses: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    id: Value,
    status: u16,
    #[serde(default)]
    headers: Value,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The answers by the number of their request (ids are those numbers, from 1). What was not
/// answered is `None`; an answer nobody asked for is dropped.
pub(crate) fn answers(body: &[u8], asked: usize) -> Result<Vec<Option<WireResponse>>, String> {
    let batch: Answer<'_> = serde_json::from_slice(trim(body)).map_err(|error| error.to_string())?;
    let mut answers = vec![None; asked];
    for item in batch.responses {
        let number = match &item.id {
            Value::String(text) => text.parse::<usize>().ok(),
            Value::Number(number) => number.as_u64().and_then(|n| usize::try_from(n).ok()),
            _ => None,
        };
        let Some(slot) =
            number.and_then(|number| number.checked_sub(1)).and_then(|index| answers.get_mut(index))
        else {
            continue;
        };
        if slot.is_none() {
            *slot = response(&item);
        }
    }
    Ok(answers)
}

fn response(item: &Item<'_>) -> Option<WireResponse> {
    let mut headers = HeaderMap::new();
    for (name, value) in item.headers.as_object().into_iter().flatten() {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(text)) {
            headers.insert(name, value);
        }
    }
    let body = match item.body.map(RawValue::get) {
        None | Some("null") => Bytes::new(),
        // A body that is no JSON travels as a JSON string.
        Some(raw) if raw.starts_with('"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => Bytes::from(text),
            Err(_) => return None,
        },
        Some(raw) => Bytes::copy_from_slice(raw.as_bytes()),
    };
    Some(WireResponse { status: StatusCode::from_u16(item.status).ok()?, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_matched_by_id_in_any_order() {
        let body = br#"{"responses":[
            {"id":"2","status":429,"headers":{"Retry-After":7},"body":{"error":{}}},
            {"id":1,"status":204,"body":null},
            {"id":"9","status":200,"body":{}},
            {"id":"x","status":200,"body":{}},
            {"id":"2","status":200,"body":{}},
            {"id":"4","status":200,"body":"You have reached the maximum"}]}"#;
        let found = answers(body, 4).expect("a batch");
        let status = |n: usize| found[n].as_ref().map(|answer| answer.status.as_u16());
        assert_eq!([status(0), status(1), status(2), status(3)], [Some(204), Some(429), None, Some(200)]);
        let throttled = found[1].as_ref().expect("answered");
        assert_eq!(throttled.header("retry-after"), Some("7"));
        assert_eq!(found[3].as_ref().expect("answered").body, "You have reached the maximum");
    }

    #[test]
    fn what_is_no_batch_is_said_to_be_none() {
        for body in [&b""[..], b"{}", b"[]", b"{\"responses\":{}}", b"{\"responses\":[{}]}"] {
            assert!(answers(body, 1).is_err());
        }
        assert!(answers(b"{\"responses\":[]}", 2).is_ok_and(|found| found.iter().all(Option::is_none)));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body in "[\\PC]{0,160}", asked in 0usize..4) {
            let _ = answers(body.as_bytes(), asked);
            let _ = answers(format!("{{\"responses\":[{body}]}}").as_bytes(), asked);
        }
    }
}
