//! One JSON object a line.

use std::io::{self, Write};

use serde_json::Value;

/// Writes one object and the line end.
pub fn write<W: Write + ?Sized>(value: &Value, to: &mut W) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value).map_err(io::Error::from)?;
    to.write_all(b"\n")
}
