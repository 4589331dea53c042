//! Settings of the organisation: the configuration itself and the audit log's.

use crate::exchange::bind::Arg;
use crate::exchange::error::ExchangeError;
use crate::exchange::schema::{self, RowClass, WireType};
use crate::state::AttrValue;

use super::lists;
use super::session::Session;

/// Writes every given parameter that the organisation shows into its settings.
pub(super) fn set(session: &mut Session<'_>, class: RowClass) -> Result<(), ExchangeError> {
    session.object = session.state.tenant.initial_domain().to_owned();
    let mut changed = false;
    for (name, value) in session.bound.iter() {
        let Some(property) = schema::find(class, name) else { continue };
        let new = match (property.wire, value) {
            (WireType::List, change) => {
                let held = match session.state.tenant.organization.get(name) {
                    Some(AttrValue::List(list)) => list.clone(),
                    _ => Vec::new(),
                };
                AttrValue::from(lists::texts(&held, change))
            }
            (_, Arg::Null) => AttrValue::Null,
            (_, Arg::Bool(value)) => AttrValue::Bool(*value),
            (WireType::Int16 | WireType::Int32, Arg::Int(number)) => AttrValue::Int(*number),
            (_, Arg::Int(number)) => AttrValue::from(number.to_string()),
            (_, Arg::Unlimited) => AttrValue::from("Unlimited"),
            (_, Arg::Text(text)) => AttrValue::from(text.as_str()),
            (_, Arg::List(list)) => AttrValue::from(list.join(", ")),
            (_, Arg::Change { .. }) => continue,
        };
        if session.state.tenant.organization.get(name) != Some(&new) {
            session.state.tenant.organization.set(name, new);
            changed = true;
        }
    }
    if !changed {
        let name = session.state.tenant.initial_domain().to_owned();
        session.warnings.push(format!(
            "The command completed successfully but no settings of '{name}' have been modified."
        ));
    }
    Ok(())
}
