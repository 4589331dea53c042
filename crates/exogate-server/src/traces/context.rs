//! The trace that a caller is in: `traceparent` of W3C Trace Context.

use http::HeaderMap;
use tracing::Span;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use super::layer::Open;

/// Where a caller's trace stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Above {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) sampled: bool,
}

impl Above {
    /// From the header, if it is sound.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get("traceparent")?.to_str().ok()?;
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
        };
        let sound = hex(version, 2) && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
        // Later versions may add parts; the first one has none.
        if !sound || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let above = Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1,
        };
        (above.trace != 0 && above.span != 0).then_some(above)
    }
}

/// Puts a new span without spans below it into the trace that the headers tell of, if they do.
pub fn adopt(span: &Span, headers: &HeaderMap) {
    let Some(above) = Above::read(headers) else { return };
    span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>();
        if let Some(span) = registry.and_then(|registry| registry.span(id))
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            open.adopt(above);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Above> {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", text.parse().unwrap());
        Above::read(&headers)
    }

    #[test]
    fn a_sound_header_is_read_and_anything_else_is_none() {
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let above = read(sound).unwrap();
        assert_eq!((above.span, above.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(above.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert!(!read(&sound.replace("-01", "-00")).unwrap().sampled);
        assert!(read(&format!("{}-more", sound.replacen("00", "01", 1))).is_some());
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
