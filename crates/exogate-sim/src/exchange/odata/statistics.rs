//! Sizes and counts of a mailbox, as the entity model types them.

use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::{is_mailbox, is_unified_group};
use crate::exchange::reader::Reader;
use crate::exchange::render::Row;
use crate::exchange::rows::RecipientRow;
use crate::exchange::schema::{self, RowClass};
use crate::exchange::value::Value;

use super::Call;
use super::entity::{Level, write_edm};
use super::reply::Answer;
use super::types::model;

/// `Mailbox('…')/Exchange.GetMailboxStatistics()`
pub(super) fn mailbox(call: &Call<'_>, reader: &Reader<'_>, identity: &str) -> Result<Answer, ExchangeError> {
    if identity.is_empty() {
        return Err(ExchangeError::new(Condition::NullParameter, ["Identity"]));
    }
    let (idx, object) = reader.target(identity, |object| is_mailbox(object) || is_unified_group(object))?;
    let class = RowClass::MailboxStatistics;
    let row = RecipientRow::new(reader, class, idx, object);
    let wanted = wanted(call);
    let mut out = vec![b'{'];
    if call.level() == Level::Full {
        out.extend_from_slice(b"\"@odata.type\":\"#Exchange.MailboxStatistics\"");
    }
    let properties =
        model().complex.get("MailboxStatistics").map_or(&[][..], |kind| kind.properties.as_slice());
    for (name, edm) in properties {
        let known = schema::find(class, name);
        if wanted.as_ref().is_some_and(|names| !names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)))
        {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        if let Some(annotation) = edm.annotation().filter(|_| call.level() == Level::Full) {
            out.extend_from_slice(format!("\"{name}@odata.type\":\"{annotation}\",").as_bytes());
        }
        out.extend_from_slice(format!("\"{name}\":").as_bytes());
        match known {
            Some(property) => {
                let value = row.cell(property).unwrap_or_else(|| Value::of_default(&property.default));
                write_edm(&mut out, &value, edm, property.wire);
            }
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
    Ok(Answer::One { context: "Exchange.MailboxStatistics".to_owned(), row: out })
}

/// The properties asked for; `None` = all.
fn wanted(call: &Call<'_>) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let sets = call.option("PropertySet").unwrap_or_default();
    for set in sets.split(',').map(str::trim).filter(|set| !set.is_empty()) {
        if set.eq_ignore_ascii_case("All") {
            return None;
        }
        names.extend_from_slice(schema::property_set("Get-EXOMailboxStatistics", set).unwrap_or_default());
    }
    let chosen = call.option("$select").unwrap_or_default();
    names.extend(chosen.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
    (!names.is_empty()).then_some(names)
}
