//! The lines of an answer: `{"data":…,"type":…}`, none longer than clients take.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

/// The type of an answer.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// No line may be longer, its end included.
pub(super) const LONGEST: usize = 256 * 1024;
/// The line that says that the command is still at work.
pub(super) const KEEP_ALIVE: &[u8] = b"{\"data\":{},\"type\":\"keepAlive\"}\n";

/// What a line carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Type {
    Output,
    State,
}

#[derive(Serialize)]
struct Line<'a, T> {
    data: &'a T,
    r#type: Type,
}

/// Adds a line; leaves out attributes of an object that would not fit, the largest first, and says
/// so: `incomplete` keeps a client from taking them for gone.
pub(super) fn put(buffer: &mut BytesMut, data: &impl Serialize, of: Type) -> serde_json::Result<()> {
    let begin = buffer.len();
    write(buffer, data, of)?;
    if buffer.len() - begin > LONGEST {
        let mut value = serde_json::to_value(data)?;
        let mut left_out = BTreeSet::new();
        loop {
            buffer.truncate(begin);
            write(buffer, &value, of)?;
            if buffer.len() - begin <= LONGEST {
                break;
            }
            let Some(name) = drop_largest(&mut value) else { break };
            left_out.insert(name);
        }
        tracing::warn!(?left_out, "an object was too long for one line; clients take it as incomplete");
    }
    Ok(())
}

fn write(buffer: &mut BytesMut, data: &impl Serialize, of: Type) -> serde_json::Result<()> {
    serde_json::to_writer(buffer.writer(), &Line { data, r#type: of })?;
    buffer.put_u8(b'\n');
    Ok(())
}

fn drop_largest(value: &mut Value) -> Option<String> {
    let size = |value: &Value| value.to_string().len();
    let permissions = value.get("permissions").map_or(0, size);
    let attributes = value.get_mut("attributes")?.as_object_mut()?;
    let (name, largest) =
        attributes.iter().map(|(name, value)| (name.clone(), size(value))).max_by_key(|(_, size)| *size)?;
    if permissions > largest {
        value.as_object_mut()?.remove("permissions");
        return Some("permissions".to_owned());
    }
    attributes.remove(&name);
    if let Some(object) = value.as_object_mut() {
        object.insert("incomplete".to_owned(), json!(true));
    }
    Some(name)
}

/// A whole line on its own.
#[cfg(test)]
fn line(data: &impl Serialize, of: Type) -> String {
    let mut buffer = BytesMut::new();
    put(&mut buffer, data, of).unwrap();
    String::from_utf8(buffer.to_vec()).unwrap()
}

/// The keep-alive line as a chunk.
pub(super) fn keep_alive() -> Bytes {
    Bytes::from_static(KEEP_ALIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_framed_as_the_runner_does() {
        assert_eq!(line(&json!({}), Type::Output), "{\"data\":{},\"type\":\"output\"}\n");
        assert_eq!(
            line(&json!({"cursor": "c1"}), Type::State),
            "{\"data\":{\"cursor\":\"c1\"},\"type\":\"state\"}\n"
        );
    }

    #[test]
    fn what_is_too_long_is_left_out_and_told() {
        let many: Vec<String> = (0..20_000).map(|n| format!("Shared mailbox {n}: FullAccess")).collect();
        let fits: Vec<String> = (0..100).map(|n| format!("group {n}")).collect();
        let account = json!({"identity": "a", "attributes": {"sharedMailbox": many, "groups": fits}});
        let text = line(&account, Type::Output);
        assert!(text.len() <= LONGEST, "{}", text.len());
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["data"]["incomplete"], json!(true));
        assert_eq!(read["data"]["attributes"]["groups"].as_array().unwrap().len(), 100);
        assert!(read["data"]["attributes"].get("sharedMailbox").is_none());
    }

    #[test]
    fn what_fits_stays_whole() {
        let most = LONGEST - line(&json!({"attributes": {"a": ""}}), Type::Output).len();
        let text = line(&json!({"attributes": {"a": "x".repeat(most)}}), Type::Output);
        assert_eq!(text.len(), LONGEST);
        assert!(!text.contains("incomplete"));
    }
}
