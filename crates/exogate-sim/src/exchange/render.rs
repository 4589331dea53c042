//! Rows into JSON text: per kind of row and choice of properties a template is compiled once, whose constant parts are
//! copied and whose holes are filled from the row.
//!
//! It knows types and annotations; where values come from is the rows' business.

use super::schema::{Property, RowClass, WireType, properties};
use super::value::Value;

/// A row that can be written.
pub trait Row {
    /// The value of a property; `None` leaves it at its default.
    fn cell(&self, property: &'static Property) -> Option<Value<'_>>;

    /// Whether the row has values for properties that are constant on most rows.
    fn has_overrides(&self) -> bool {
        true
    }
}

/// What of a row is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Projection {
    /// Names in lower case; `None` = everything.
    pub select: Option<Vec<String>>,
    /// No `@odata.type` and `@data.type` companions.
    pub lean: bool,
    /// Switches that were given (`Include…WithDisplayNames`).
    pub switches: Vec<&'static str>,
}

impl Projection {
    /// Reads `$select`.
    #[must_use]
    pub fn new(select: Option<&str>, lean: bool) -> Self {
        let select = select.map(str::trim).filter(|list| !list.is_empty() && *list != "*").map(|list| {
            let mut names: Vec<_> = list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
            names.sort_unstable();
            names.dedup();
            names
        });
        Self { select, lean, switches: Vec::new() }
    }

    /// Whether the property is written.
    pub(super) fn wants(&self, property: &Property) -> bool {
        let selected = self
            .select
            .as_ref()
            .is_none_or(|names| names.binary_search(&property.name.to_ascii_lowercase()).is_ok());
        // Display-name companions that rows carry anyway stay; the others need their switch.
        selected && (property.switch.is_none_or(|switch| self.switches.contains(&switch)) || always(property))
    }
}

/// Companions that were seen in full rows without their switch.
fn always(property: &Property) -> bool {
    property.name.starts_with("AcceptMessagesOnlyFrom")
}

#[derive(Debug)]
struct Cell {
    property: &'static Property,
    /// Separator, annotations and name, up to the value.
    head: Vec<u8>,
    /// The default as JSON.
    default: Vec<u8>,
    /// Whether rows without overrides may differ from the default.
    varies: bool,
}

#[derive(Debug)]
struct Segment {
    constant: Vec<u8>,
    hole: Option<&'static Property>,
    default: Vec<u8>,
}

/// A compiled row layout.
#[derive(Debug)]
pub struct Template {
    cells: Vec<Cell>,
    segments: Vec<Segment>,
}

impl Template {
    /// Compiles a layout; `varies` tells which properties differ from row to row even without overrides.
    pub fn compile(class: RowClass, projection: &Projection, varies: impl Fn(&Property) -> bool) -> Self {
        let mut cells = Vec::new();
        for property in properties(class).iter().filter(|property| projection.wants(property)) {
            let mut head = Vec::with_capacity(96);
            head.extend_from_slice(if cells.is_empty() { b"{" } else { b"," });
            annotations(&mut head, property, projection.lean, &property.default);
            head.push(b'"');
            head.extend_from_slice(property.name.as_bytes());
            head.extend_from_slice(b"\":");
            let default = serde_json::to_vec(&property.default).unwrap_or_else(|_| b"null".to_vec());
            cells.push(Cell { property, head, default, varies: varies(property) });
        }
        let mut segments = Vec::new();
        let mut constant = Vec::new();
        for cell in &cells {
            constant.extend_from_slice(&cell.head);
            if cell.varies {
                segments.push(Segment {
                    constant: std::mem::take(&mut constant),
                    hole: Some(cell.property),
                    default: cell.default.clone(),
                });
            } else {
                constant.extend_from_slice(&cell.default);
            }
        }
        constant.extend_from_slice(if cells.is_empty() { b"{}" } else { b"}" });
        segments.push(Segment { constant, hole: None, default: Vec::new() });
        Self { cells, segments }
    }

    /// Writes one row.
    pub fn write<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) {
        if row.has_overrides() {
            for cell in &self.cells {
                out.extend_from_slice(&cell.head);
                match row.cell(cell.property) {
                    Some(value) => write_value(out, &value, cell.property.wire),
                    None => out.extend_from_slice(&cell.default),
                }
            }
            out.extend_from_slice(if self.cells.is_empty() { b"{}" } else { b"}" });
            return;
        }
        for segment in &self.segments {
            out.extend_from_slice(&segment.constant);
            if let Some(property) = segment.hole {
                match row.cell(property) {
                    Some(value) => write_value(out, &value, property.wire),
                    None => out.extend_from_slice(&segment.default),
                }
            }
        }
    }
}

fn annotations(out: &mut Vec<u8>, property: &Property, lean: bool, default: &serde_json::Value) {
    if lean {
        return;
    }
    let mut annotate = |kind: &str, value: &str| {
        out.extend_from_slice(format!("\"{}@{kind}\":\"{value}\",", property.name).as_bytes());
    };
    match property.wire {
        WireType::Guid => {
            annotate("data.type", "System.Guid");
            annotate("odata.type", "#Guid");
        }
        WireType::Int16 => {
            annotate("data.type", "System.Int16");
            annotate("odata.type", "#Int16");
        }
        WireType::Int32 if !default.is_null() => annotate("data.type", "System.Int32"),
        WireType::Time | WireType::TimeUtc => annotate("data.type", "System.DateTime"),
        WireType::List => annotate("odata.type", "#Collection(String)"),
        WireType::Int32 | WireType::Text | WireType::Bool => {}
    }
}

/// Writes a value as its property's type wants it.
pub fn write_value(out: &mut Vec<u8>, value: &Value<'_>, wire: WireType) {
    match value {
        Value::Null => out.extend_from_slice(if wire == WireType::List { b"[]" } else { b"null" }),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => {
            if wire == WireType::Text {
                write_string(out, &number.to_string());
            } else {
                out.extend_from_slice(number.to_string().as_bytes());
            }
        }
        Value::Text(text) if wire == WireType::List => {
            out.push(b'[');
            write_string(out, text);
            out.push(b']');
        }
        Value::Text(text) => write_string(out, text),
        Value::Guid(guid) => {
            let mut buffer = uuid::Uuid::encode_buffer();
            out.push(b'"');
            out.extend_from_slice(guid.hyphenated().encode_lower(&mut buffer).as_bytes());
            out.push(b'"');
        }
        Value::Time(time) => {
            out.push(b'"');
            if wire == WireType::TimeUtc {
                time.write_exchange_utc(out);
            } else {
                time.write_exchange_local(out);
            }
            out.push(b'"');
        }
        Value::List(list) => {
            out.push(b'[');
            for (at, text) in list.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(out, text);
            }
            out.push(b']');
        }
    }
}

/// Writes a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1F => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Fixed(bool);

    impl Row for Fixed {
        fn cell(&self, property: &'static Property) -> Option<Value<'_>> {
            match property.name {
                "Identity" => Some(Value::text("a\"b")),
                "ExchangeGuid" => Some(Value::Guid(uuid::Uuid::from_u128(1))),
                "WhenCreatedUTC" => Some(Value::Time(crate::clock::Time::from_seconds(0))),
                "GrantSendOnBehalfTo" => Some(Value::List(vec!["x".into(), "y".into()])),
                _ => None,
            }
        }

        fn has_overrides(&self) -> bool {
            self.0
        }
    }

    fn varies(property: &Property) -> bool {
        ["Identity", "ExchangeGuid", "WhenCreatedUTC", "GrantSendOnBehalfTo"].contains(&property.name)
    }

    #[test]
    fn both_paths_write_the_same_valid_row() {
        for select in [
            None,
            Some("Identity,WhenCreatedUTC"),
            Some("exchangeguid"),
            Some("Nothing"),
            Some("PitrState, Alias"),
        ] {
            let template = Template::compile(RowClass::Mailbox, &Projection::new(select, false), varies);
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            template.write(&Fixed(false), &mut fast);
            template.write(&Fixed(true), &mut slow);
            assert_eq!(fast, slow);
            serde_json::from_slice::<serde_json::Value>(&fast).unwrap();
        }
    }

    #[test]
    fn annotations_come_before_their_property() {
        let projection = Projection::new(
            Some(
                "GrantSendOnBehalfTo,ExchangeGuid,PitrCopyIntervalInSeconds,RecipientSoftDeletedStatus,WhenCreatedUTC,Identity",
            ),
            false,
        );
        let mut out = Vec::new();
        Template::compile(RowClass::Mailbox, &projection, varies).write(&Fixed(false), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r##"{"PitrCopyIntervalInSeconds@data.type":"System.Int16","PitrCopyIntervalInSeconds@odata.type":"#Int16","PitrCopyIntervalInSeconds":0,"##,
                r##""ExchangeGuid@data.type":"System.Guid","ExchangeGuid@odata.type":"#Guid","ExchangeGuid":"00000000-0000-0000-0000-000000000001","##,
                r#""RecipientSoftDeletedStatus@data.type":"System.Int32","RecipientSoftDeletedStatus":0,"#,
                r##""GrantSendOnBehalfTo@odata.type":"#Collection(String)","GrantSendOnBehalfTo":["x","y"],"##,
                r#""Identity":"a\"b","#,
                r#""WhenCreatedUTC@data.type":"System.DateTime","WhenCreatedUTC":"1970-01-01T00:00:00.0000000Z"}"#
            )
        );
    }

    proptest! {
        #[test]
        fn strings_are_valid_json(text in ".*") {
            let mut out = Vec::new();
            write_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
