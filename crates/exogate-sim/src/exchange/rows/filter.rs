//! What a filter sees of a recipient: mostly what its row shows, with the exceptions of the filter language.

use std::borrow::Cow;

use super::RecipientRow;
use crate::exchange::opath::FilterRow;
use crate::exchange::render::Row;
use crate::exchange::schema;
use crate::exchange::value::Value;

impl FilterRow for RecipientRow<'_> {
    fn filter_value(&self, property: &'static str) -> Value<'_> {
        match property {
            // The whole address is compared bare or with its prefix, and the primary one among all the others.
            "EmailAddresses" | "PrimarySmtpAddress" | "WindowsEmailAddress" => {
                let mut list: Vec<Cow<'_, str>> = Vec::with_capacity(self.object.addresses.len() * 2);
                for address in &self.object.addresses {
                    if let Some((_, bare)) = address.split_once(':') {
                        list.push(Cow::Borrowed(bare));
                    }
                    list.push(Cow::Borrowed(address));
                }
                Value::List(list)
            }
            "ExternalDirectoryObjectId" => Value::Guid(self.object.id),
            // `Universal,SecurityEnabled` is written with and without the blank.
            "GroupType" => match self.object.group() {
                Some(group) => {
                    let shown = super::people::group_type(group.kind);
                    Value::List(vec![Cow::Borrowed(shown), Cow::Owned(shown.replace(", ", ","))])
                }
                None => Value::Null,
            },
            _ => match self.referenced_by(property) {
                Some(list) => self.reference_dns(list.into_iter()),
                None => self.plain(property),
            },
        }
    }
}

impl RecipientRow<'_> {
    fn plain(&self, name: &str) -> Value<'_> {
        let Some(property) =
            schema::find(self.class, name).or_else(|| schema::find(schema::RowClass::Mailbox, name))
        else {
            return Value::Null;
        };
        if let Some(value) = self.cell(property) {
            return value;
        }
        match &property.default {
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => number.as_i64().map_or(Value::Null, Value::Int),
            serde_json::Value::String(text) => Value::text(text),
            serde_json::Value::Array(list) => {
                Value::List(list.iter().filter_map(|item| item.as_str().map(Cow::Borrowed)).collect())
            }
            _ => Value::Null,
        }
    }
}
