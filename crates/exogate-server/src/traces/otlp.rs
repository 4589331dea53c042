//! Spans as the protobuf message `ExportTraceServiceRequest` of OTLP 1. Writes; reads nothing.

use bytes::{BufMut, BytesMut};
use jiff::Timestamp;

use super::span::{Finished, Kind, Value};

/// The attributes of whoever tells the spans.
pub(super) type Resource = Vec<(&'static str, Value)>;

/// The two ways in which the fields used here are laid out, beside fixed eight bytes.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;

/// A message under construction.
#[derive(Default)]
struct Message(BytesMut);

impl Message {
    fn raw(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.put_u8((number as u8) | 0x80);
            number >>= 7;
        }
        self.0.put_u8(number as u8);
    }

    fn key(&mut self, field: u64, layout: u64) {
        self.raw((field << 3) | layout);
    }

    fn varint(&mut self, field: u64, number: u64) {
        self.key(field, VARINT);
        self.raw(number);
    }

    fn fixed64(&mut self, field: u64, number: u64) {
        self.key(field, FIXED64);
        self.0.put_u64_le(number);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, LENGTH);
        self.raw(bytes.len() as u64);
        self.0.put_slice(bytes);
    }

    fn message(&mut self, field: u64, inner: &Message) {
        self.bytes(field, &inner.0);
    }

    fn attribute(&mut self, field: u64, name: &str, value: &Value) {
        let mut any = Self::default();
        match value {
            Value::Text(text) => any.bytes(1, text.as_bytes()),
            Value::Flag(flag) => any.varint(2, u64::from(*flag)),
            Value::Whole(number) => any.varint(3, number.cast_unsigned()),
            Value::Number(number) => any.fixed64(4, number.to_bits()),
        }
        let mut pair = Self::default();
        pair.bytes(1, name.as_bytes());
        pair.message(2, &any);
        self.message(field, &pair);
    }
}

/// The request that delivers spans.
pub(super) fn request(resource: &Resource, spans: &[Finished]) -> BytesMut {
    let mut whose = Message::default();
    for (name, value) in resource {
        whose.attribute(1, name, value);
    }
    let mut scope = Message::default();
    scope.bytes(1, b"exogate");
    scope.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
    let mut scoped = Message::default();
    scoped.message(1, &scope);
    for finished in spans {
        scoped.message(2, &span(finished));
    }
    let mut all = Message::default();
    all.message(1, &whose);
    all.message(2, &scoped);
    let mut request = Message::default();
    request.message(1, &all);
    request.0
}

fn span(finished: &Finished) -> Message {
    let mut span = Message::default();
    span.bytes(1, &finished.trace.to_be_bytes());
    span.bytes(2, &finished.id.to_be_bytes());
    if let Some(parent) = finished.parent {
        span.bytes(4, &parent.to_be_bytes());
    }
    span.bytes(5, finished.name.as_bytes());
    let kind = match finished.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
    };
    span.varint(6, kind);
    span.fixed64(7, nanoseconds(finished.began));
    span.fixed64(8, nanoseconds(finished.ended));
    for (name, value) in &finished.attributes {
        span.attribute(9, name, value);
    }
    if let Some(error) = &finished.error {
        const ERROR: u64 = 2;
        let mut status = Message::default();
        status.bytes(2, error.as_bytes());
        status.varint(3, ERROR);
        span.message(15, &status);
    }
    span
}

fn nanoseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a message: number, and what it holds.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn raw(message: &mut &[u8]) -> u64 {
            let mut number = 0;
            for shift in (0..).step_by(7) {
                let (first, rest) = message.split_first().unwrap();
                *message = rest;
                number |= u64::from(first & 0x7f) << shift;
                if first & 0x80 == 0 {
                    break;
                }
            }
            number
        }
        let mut found = Vec::new();
        while !message.is_empty() {
            let key = raw(&mut message);
            let value = match key & 7 {
                VARINT => raw(&mut message).to_be_bytes().to_vec(),
                FIXED64 => {
                    let (value, rest) = message.split_at(8);
                    message = rest;
                    value.to_vec()
                }
                LENGTH => {
                    let length = usize::try_from(raw(&mut message)).unwrap();
                    let (value, rest) = message.split_at(length);
                    message = rest;
                    value.to_vec()
                }
                other => panic!("layout {other}"),
            };
            found.push((key >> 3, value));
        }
        found
    }

    fn one(message: &[u8], field: u64) -> Vec<u8> {
        let mut found: Vec<_> = fields(message).into_iter().filter(|(number, _)| *number == field).collect();
        assert_eq!(found.len(), 1, "field {field}");
        found.remove(0).1
    }

    #[test]
    fn what_is_written_can_be_read_by_the_rules_of_the_format() {
        let began: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let finished = Finished {
            trace: 7,
            id: 8,
            parent: Some(9),
            name: "x".repeat(300),
            kind: Kind::Client,
            began,
            ended: began,
            attributes: vec![("a".into(), Value::Whole(-1)), ("b".into(), Value::Number(0.5))],
            error: Some("lost".to_owned()),
        };
        let request = request(&vec![("service.name", Value::Text("exogate".to_owned()))], &[finished]);
        let all = one(&request, 1);
        let pair = one(&one(&all, 1), 1);
        assert_eq!((one(&pair, 1), one(&one(&pair, 2), 1)), (b"service.name".to_vec(), b"exogate".to_vec()));
        let span = one(&one(&all, 2), 2);
        assert_eq!(one(&span, 1), 7_u128.to_be_bytes());
        assert_eq!((one(&span, 2), one(&span, 4)), (8_u64.to_be_bytes().into(), 9_u64.to_be_bytes().into()));
        assert_eq!((one(&span, 5).len(), one(&span, 6)), (300, 3_u64.to_be_bytes().into()));
        assert_eq!(one(&span, 7), u64::try_from(began.as_nanosecond()).unwrap().to_le_bytes());
        let attributes: Vec<_> = fields(&span).into_iter().filter(|(number, _)| *number == 9).collect();
        assert_eq!(one(&one(&attributes[0].1, 2), 3), u64::MAX.to_be_bytes(), "minus one");
        assert_eq!(one(&one(&attributes[1].1, 2), 4), 0.5_f64.to_le_bytes());
        let status = one(&span, 15);
        assert_eq!((one(&status, 2), one(&status, 3)), (b"lost".to_vec(), 2_u64.to_be_bytes().into()));
    }
}
