//! JSON straight into bytes: no tree per object. Writes only; knows no properties.

use uuid::Uuid;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// A bit in each byte of a word that must be escaped inside a JSON string; right up to the lowest such byte.
const fn escapes(word: u64) -> u64 {
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = (word ^ QUOTES).wrapping_sub(ONES) & !(word ^ QUOTES);
    let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES) & !(word ^ BACKSLASHES);
    (control | quote | backslash) & HIGHS
}

/// Where the first byte is that must be escaped.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = escapes(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at * 8 + (found.trailing_zeros() / 8) as usize);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

/// A string's content, escaped, without quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut bytes = text.as_bytes();
    while let Some(at) = first_escape(bytes) {
        out.extend_from_slice(&bytes[..at]);
        push_escape(out, bytes[at]);
        bytes = &bytes[at + 1..];
    }
    out.extend_from_slice(bytes);
}

/// A quoted, escaped string.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        other => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(other >> 4)]);
            out.push(HEX[usize::from(other & 15)]);
        }
    }
}

/// A quoted GUID.
pub fn push_id(out: &mut Vec<u8>, id: Uuid) {
    let mut text = Uuid::encode_buffer();
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
    out.push(b'"');
}

/// A list of quoted strings.
pub fn push_texts<'t>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t str>) {
    out.push(b'[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, text);
    }
    out.push(b']');
}

/// `"name":value` pairs of an object whose values are all strings or null.
pub fn push_members(out: &mut Vec<u8>, members: &[(&str, Option<&str>)]) {
    out.push(b'{');
    for (at, (name, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, name);
        out.push(b':');
        match value {
            Some(value) => push_text(out, value),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_read_back(text in "([ -~]{0,12}[\u{0}-\u{1f}\"\\\\\u{7f}\u{80}é\u{2028}\u{ffff}🦀]{0,3}){0,6}") {
            let mut out = Vec::new();
            push_text(&mut out, &text);
            prop_assert!(!out.iter().any(|byte| *byte < 0x20));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
