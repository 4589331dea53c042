//! Changes of multi-valued parameters: replace, add, remove, clear.

use crate::exchange::bind::Arg;
use crate::exchange::error::{Condition, ExchangeError};
use crate::exchange::identity::Accepts;
use crate::exchange::reader::Reader;
use crate::state::Idx;

/// Texts after a change.
pub(super) fn texts(held: &[Box<str>], change: &Arg) -> Vec<String> {
    let mut list: Vec<String> = held.iter().map(ToString::to_string).collect();
    match change {
        Arg::List(new) => list.clone_from(new),
        Arg::Text(text) => list = vec![text.clone()],
        Arg::Null => list.clear(),
        Arg::Change { add, remove } => {
            list.retain(|kept| !remove.iter().any(|gone| gone.eq_ignore_ascii_case(kept)));
            for text in add {
                if !list.iter().any(|kept| kept.eq_ignore_ascii_case(text)) {
                    list.push(text.clone());
                }
            }
        }
        _ => {}
    }
    list
}

/// Recipients after a change.
///
/// # Errors
/// Entries that name nobody or several, and entries that appear twice.
pub(super) fn recipients(
    reader: &Reader<'_>,
    name: &str,
    held: &[Idx],
    change: &Arg,
    accepts: Accepts,
) -> Result<Vec<Idx>, ExchangeError> {
    let resolve = |texts: &[String]| -> Result<Vec<Idx>, ExchangeError> {
        let mut list = Vec::with_capacity(texts.len());
        for text in texts {
            let (idx, _) = reader.lookup(text, accepts)?;
            if list.contains(&idx) {
                return Err(ExchangeError::new(Condition::DuplicateEntry, [name, text.as_str()]));
            }
            list.push(idx);
        }
        Ok(list)
    };
    Ok(match change {
        Arg::List(new) => resolve(new)?,
        Arg::Text(text) => resolve(std::slice::from_ref(text))?,
        Arg::Change { add, remove } => {
            let gone = resolve(remove)?;
            let mut list: Vec<Idx> = held.iter().copied().filter(|idx| !gone.contains(idx)).collect();
            for idx in resolve(add)? {
                if !list.contains(&idx) {
                    list.push(idx);
                }
            }
            list
        }
        _ => Vec::new(),
    })
}
