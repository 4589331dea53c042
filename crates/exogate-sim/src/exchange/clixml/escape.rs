//! Texts inside serialized objects: XML's own escapes, and `_xHHHH_` for what XML cannot carry.

use std::fmt::Write as _;

/// Appends a text. Control characters become `_xHHHH_`, and an underscore that would be read as the beginning of such
/// an escape becomes `_x005F_`.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let plain = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'_' if matches!(bytes.get(at + 1), Some(b'x' | b'X')) => "_x005F_",
            0..=0x1F | 0x7F => "",
            // U+FFFE and U+FFFF are no XML characters.
            0xEF if bytes[at..].starts_with(b"\xEF\xBF\xBE") || bytes[at..].starts_with(b"\xEF\xBF\xBF") => {
                out.push_str(&text[from..at]);
                out.push_str(if bytes[at + 2] == 0xBE { "_xFFFE_" } else { "_xFFFF_" });
                from = at + 3;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[from..at]);
        if plain.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "_x{byte:04X}_");
        } else {
            out.push_str(plain);
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What PowerShell reads: XML entities first, `_xHHHH_` then.
    fn read_back(text: &str) -> String {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("_x") {
            out.push_str(&rest[..at]);
            let code = rest.get(at + 2..at + 6).filter(|_| rest.as_bytes().get(at + 6) == Some(&b'_'));
            match code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
                Some(character) => {
                    out.push(character);
                    rest = &rest[at + 7..];
                }
                None => {
                    out.push_str("_x");
                    rest = &rest[at + 2..];
                }
            }
        }
        out.push_str(rest);
        out
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in "([a-f0-9_x<>&'\"\u{0}-\u{1f}\u{fffe}\u{ffff}é]|.){0,40}") {
            let mut out = String::new();
            push_escaped(&mut out, &text);
            prop_assert!(out.bytes().all(|byte| byte >= 0x20 && byte != 0x7f));
            prop_assert_eq!(read_back(&out), text);
        }
    }
}
