//! Arithmetic of proxy addresses: one primary, no duplicates, replace, add and remove.
//!
//! Uniqueness across the tenant is the state's business.

use crate::exchange::bind::Arg;
use crate::exchange::error::{Condition, ExchangeError};
use crate::state::Text;

fn refuse(text: String) -> ExchangeError {
    ExchangeError::new(Condition::RecipientTask, [text])
}

fn split(address: &str) -> (&str, &str) {
    address.split_once(':').unwrap_or(("smtp", address))
}

/// With a prefix, whose case says whether it is the primary one.
fn prefixed(entry: &str) -> String {
    match entry.split_once(':') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("smtp") => {
            // Anything but the capital form is a secondary address.
            if prefix == "SMTP" { format!("SMTP:{rest}") } else { format!("smtp:{rest}") }
        }
        Some(_) => entry.to_owned(),
        None => format!("smtp:{entry}"),
    }
}

fn same(a: &str, b: &str) -> bool {
    let ((kind_a, rest_a), (kind_b, rest_b)) = (split(a), split(b));
    kind_a.eq_ignore_ascii_case(kind_b) && rest_a.eq_ignore_ascii_case(rest_b)
}

fn is_smtp(address: &str) -> bool {
    split(address).0.eq_ignore_ascii_case("smtp")
}

fn demote(addresses: &mut [String]) {
    for address in addresses {
        if let Some(rest) = address.strip_prefix("SMTP:") {
            *address = format!("smtp:{rest}");
        }
    }
}

/// The addresses after a change.
///
/// # Errors
/// Two primary addresses, a duplicate in a replacing list, or the primary one removed.
pub(super) fn changed(held: &[Text], change: &Arg) -> Result<Vec<Text>, ExchangeError> {
    let mut addresses: Vec<String> = held.iter().map(ToString::to_string).collect();
    match change {
        Arg::List(list) => addresses = replaced(list)?,
        Arg::Text(text) => addresses = replaced(std::slice::from_ref(text))?,
        Arg::Change { add, remove } => {
            for entry in remove {
                let entry = prefixed(entry);
                if addresses.iter().any(|kept| kept.starts_with("SMTP:") && same(kept, &entry))
                    && !add.iter().any(|added| added.starts_with("SMTP:"))
                {
                    return Err(refuse(format!(
                        "You can't remove the primary SMTP address \"{}\". Set another primary address first.",
                        split(&entry).1
                    )));
                }
                addresses.retain(|kept| !same(kept, &entry));
            }
            for entry in add {
                let entry = prefixed(entry);
                if entry.starts_with("SMTP:") {
                    demote(&mut addresses);
                    addresses.retain(|kept| !same(kept, &entry));
                    addresses.insert(0, entry);
                } else if !addresses.iter().any(|kept| same(kept, &entry)) {
                    addresses.push(entry);
                }
            }
        }
        _ => {}
    }
    Ok(addresses.into_iter().map(String::into_boxed_str).collect())
}

fn replaced(list: &[String]) -> Result<Vec<String>, ExchangeError> {
    let mut addresses: Vec<String> = Vec::with_capacity(list.len());
    for entry in list {
        let entry = prefixed(entry);
        if addresses.iter().any(|kept| same(kept, &entry)) {
            return Err(refuse(format!("The value \"{entry}\" is already present in the collection.")));
        }
        addresses.push(entry);
    }
    if addresses.iter().filter(|address| address.starts_with("SMTP:")).count() > 1 {
        return Err(refuse(
            "The e-mail address collection contains more than one primary address of type SMTP.".to_owned(),
        ));
    }
    if !addresses.iter().any(|address| address.starts_with("SMTP:"))
        && let Some(first) = addresses.iter_mut().find(|address| is_smtp(address))
    {
        *first = format!("SMTP:{}", split(first).1);
    }
    Ok(addresses)
}

/// The addresses with another primary one; the old one stays as a secondary.
pub(super) fn with_primary(held: &[Text], primary: &str) -> Vec<Text> {
    let entry = format!("SMTP:{}", primary.trim());
    if held.iter().any(|kept| **kept == *entry) {
        return held.to_vec();
    }
    let mut addresses: Vec<String> = held.iter().map(ToString::to_string).collect();
    demote(&mut addresses);
    addresses.retain(|kept| !same(kept, &entry));
    addresses.insert(0, entry);
    addresses.into_iter().map(String::into_boxed_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<Text> {
        list.iter().map(|text| (*text).into()).collect()
    }

    fn change(add: &[&str], remove: &[&str]) -> Arg {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Arg::Change { add: own(add), remove: own(remove) }
    }

    #[test]
    fn adding_and_removing() {
        let held = texts(&["SMTP:a@x.com", "smtp:b@x.com", "SIP:a@x.com"]);
        for (arg, expected) in [
            (change(&["c@x.com"], &[]), vec!["SMTP:a@x.com", "smtp:b@x.com", "SIP:a@x.com", "smtp:c@x.com"]),
            (
                change(&["SMTP:c@x.com"], &[]),
                vec!["SMTP:c@x.com", "smtp:a@x.com", "smtp:b@x.com", "SIP:a@x.com"],
            ),
            (change(&["SMTP:B@x.com"], &[]), vec!["SMTP:B@x.com", "smtp:a@x.com", "SIP:a@x.com"]),
            (change(&["smtp:B@X.com"], &[]), vec!["SMTP:a@x.com", "smtp:b@x.com", "SIP:a@x.com"]),
            (change(&[], &["B@x.com", "nobody@x.com"]), vec!["SMTP:a@x.com", "SIP:a@x.com"]),
            (change(&["SMTP:c@x.com"], &["a@x.com"]), vec!["SMTP:c@x.com", "smtp:b@x.com", "SIP:a@x.com"]),
        ] {
            assert_eq!(changed(&held, &arg), Ok(texts(&expected)));
        }
        assert!(changed(&held, &change(&[], &["a@x.com"])).is_err());
    }

    #[test]
    fn replacing() {
        let held = texts(&["SMTP:a@x.com"]);
        let list = |entries: &[&str]| Arg::List(entries.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(
            changed(&held, &list(&["b@x.com", "c@x.com"])),
            Ok(texts(&["SMTP:b@x.com", "smtp:c@x.com"]))
        );
        assert!(changed(&held, &list(&["SMTP:b@x.com", "SMTP:c@x.com"])).is_err());
        assert!(changed(&held, &list(&["SMTP:b@x.com", "smtp:B@x.com"])).is_err());
    }

    #[test]
    fn another_primary_keeps_the_old_one() {
        let held = texts(&["SMTP:a@x.com", "smtp:b@x.com"]);
        assert_eq!(with_primary(&held, "b@x.com"), texts(&["SMTP:b@x.com", "smtp:a@x.com"]));
        assert_eq!(with_primary(&held, "a@x.com"), held);
    }
}
