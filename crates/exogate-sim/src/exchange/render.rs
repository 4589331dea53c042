//! Rows into JSON text. The first rows of an answer are written property by property; after that a form is compiled for
//! each shape that occurs, whose constant parts are copied and whose holes are filled from the row.
//!
//! Where values come from, and which rows share a shape, is the rows' business; the constant parts of properties are in
//! `fragment`.

use crate::json::{push_id, push_text, push_texts};

use super::schema::{Property, RowClass, WireType, properties};
use super::value::Value;

/// A row that can be written.
pub trait Row {
    /// The value of a property; `None` leaves it at its default.
    fn cell(&self, property: &'static Property) -> Option<Value<'_>>;

    /// What rows of one listing have in common when they differ in nothing but in what is their [own](Row::is_own);
    /// `None` when nothing of the kind can be said of this row.
    fn shape(&self) -> Option<u64> {
        None
    }

    /// Whether rows of one shape may differ in this property.
    fn is_own(&self, _property: &'static Property) -> bool {
        true
    }

    /// Writes the value as JSON without making it first; false leaves that to [`Row::cell`].
    fn write(&self, _property: &'static Property, _out: &mut Vec<u8>) -> bool {
        false
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

/// Rows of an answer that are written property by property before shapes are compiled, which pays for many rows only.
const PLAIN_ROWS: u32 = 8;
/// Shapes that one answer keeps compiled.
const MOST_SHAPES: usize = 48;

/// A property whose value differs between rows of one shape, and the text since the one before.
#[derive(Debug)]
struct Hole {
    before: Vec<u8>,
    property: &'static Property,
}

/// What rows of one shape have in common.
#[derive(Debug)]
struct Form {
    holes: Vec<Hole>,
    end: Vec<u8>,
}

/// A layout of one kind of row, which learns the shapes of the rows that it writes.
#[derive(Debug)]
pub struct Template {
    columns: Vec<&'static Property>,
    lean: bool,
    written: u32,
    shapes: Vec<u64>,
    forms: Vec<Form>,
}

impl Template {
    /// Compiles a layout.
    #[must_use]
    pub fn compile(class: RowClass, projection: &Projection) -> Self {
        Self {
            columns: properties(class).iter().filter(|property| projection.wants(property)).collect(),
            lean: projection.lean,
            written: 0,
            shapes: Vec::new(),
            forms: Vec::new(),
        }
    }

    /// Writes one row.
    pub fn write<R: Row + ?Sized>(&mut self, row: &R, out: &mut Vec<u8>) {
        self.written = self.written.saturating_add(1);
        let shape = if self.written > PLAIN_ROWS { row.shape() } else { None };
        match shape.and_then(|shape| self.form(shape, row)) {
            Some(form) => form.write(row, out),
            None => self.write_plain(row, out),
        }
    }

    /// Writes one row property by property.
    pub(super) fn write_plain<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, property) in self.columns.iter().enumerate() {
            // The first one has no comma before it.
            out.extend_from_slice(&property.fragment.head(self.lean)[usize::from(at == 0)..]);
            write_cell(row, property, out);
        }
        out.push(b'}');
    }

    fn form<R: Row + ?Sized>(&mut self, shape: u64, row: &R) -> Option<&Form> {
        if let Some(at) = self.shapes.iter().position(|known| *known == shape) {
            return self.forms.get(at);
        }
        if self.shapes.len() == MOST_SHAPES {
            return None;
        }
        self.shapes.push(shape);
        self.forms.push(Form::compile(&self.columns, self.lean, row));
        self.forms.last()
    }
}

impl Form {
    fn compile<R: Row + ?Sized>(columns: &[&'static Property], lean: bool, row: &R) -> Self {
        let mut holes = Vec::new();
        let mut constant = vec![b'{'];
        for (at, property) in columns.iter().enumerate() {
            constant.extend_from_slice(&property.fragment.head(lean)[usize::from(at == 0)..]);
            if row.is_own(property) {
                holes.push(Hole { before: std::mem::take(&mut constant), property });
            } else {
                write_cell(row, property, &mut constant);
            }
        }
        constant.push(b'}');
        Self { holes, end: constant }
    }

    fn write<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) {
        for Hole { before, property } in &self.holes {
            out.extend_from_slice(before);
            if !row.write(property, out) {
                write_cell(row, property, out);
            }
        }
        out.extend_from_slice(&self.end);
    }
}

fn write_cell<R: Row + ?Sized>(row: &R, property: &'static Property, out: &mut Vec<u8>) {
    match row.cell(property) {
        Some(value) => write_value(out, &value, property.wire),
        None => out.extend_from_slice(&property.fragment.default),
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
                push_text(out, &number.to_string());
            } else {
                out.extend_from_slice(number.to_string().as_bytes());
            }
        }
        Value::Text(text) if wire == WireType::List => {
            out.push(b'[');
            push_text(out, text);
            out.push(b']');
        }
        Value::Text(text) => push_text(out, text),
        Value::Guid(guid) => push_id(out, *guid),
        Value::Time(time) => {
            out.push(b'"');
            if wire == WireType::TimeUtc {
                time.write_exchange_utc(out);
            } else {
                time.write_exchange_local(out);
            }
            out.push(b'"');
        }
        Value::List(list) => push_texts(out, list.iter().map(|text| &**text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

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

        fn shape(&self) -> Option<u64> {
            Some(0)
        }

        fn is_own(&self, property: &'static Property) -> bool {
            property.name == "Identity"
        }
    }

    fn rows(projection: &Projection) -> Vec<String> {
        let mut template = Template::compile(RowClass::Mailbox, projection);
        let mut row = || {
            let mut out = Vec::new();
            template.write(&Fixed, &mut out);
            String::from_utf8(out).unwrap()
        };
        (0..PLAIN_ROWS + 2).map(|_| row()).collect()
    }

    #[test]
    fn later_rows_are_written_as_the_first_ones() {
        for select in [
            None,
            Some("Identity,WhenCreatedUTC"),
            Some("exchangeguid"),
            Some("Nothing"),
            Some("PitrState, Alias"),
        ] {
            let rows = rows(&Projection::new(select, false));
            assert!(rows.iter().all(|row| *row == rows[0]), "{rows:?}");
            serde_json::from_str::<serde_json::Value>(&rows[0]).unwrap();
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
        assert_eq!(
            rows(&projection)[0],
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
}
