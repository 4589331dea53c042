//! What Exchange remarks on a call that succeeded. Several failures are told in no other way:
//! removing a right that is not there answers 200 with a warning.

/// One remark, by what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The right to be removed is not there (or is inherited, or a deny without `-Deny`).
    AceAbsent,
    /// The right to be added is there already.
    AceAlreadyPresent,
    /// The object already was as asked.
    NothingChanged,
    /// The result was cut off at `ResultSize`.
    MoreResults,
    /// Anything else, in the service's words.
    Other(String),
}

impl Warning {
    #[must_use]
    pub fn read(text: &str) -> Warning {
        let plain = text.replace('\u{2019}', "'").to_ascii_lowercase();
        let says = |part: &str| plain.contains(part);
        if says("ace doesn't exist on the object") || says("ace isn't present") {
            Warning::AceAbsent
        } else if says("already present on the object") || says("ace is already present") {
            Warning::AceAlreadyPresent
        } else if says("no settings of") && says("have been modified") {
            Warning::NothingChanged
        } else if says("there are more results available") {
            Warning::MoreResults
        } else {
            Warning::Other(text.to_owned())
        }
    }

    pub(crate) fn read_all(texts: &[String]) -> Vec<Warning> {
        texts.iter().map(|text| Warning::read(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_text_has_its_meaning() {
        let table = [
            (
                r#"Can't remove the access control entry on the object "CN=shared" for the user account "kim" because the ACE doesn't exist on the object."#,
                Warning::AceAbsent,
            ),
            (
                "Can\u{2019}t remove the access control entry \u{2026} because the ACE doesn\u{2019}t exist on the object.",
                Warning::AceAbsent,
            ),
            ("The right wasn't removed because the ACE isn't present.", Warning::AceAbsent),
            (
                r#"The appropriate access control entry is already present on the object "CN=shared" for account "kim"."#,
                Warning::AceAlreadyPresent,
            ),
            (
                "The command completed successfully but no settings of 'shared' have been modified.",
                Warning::NothingChanged,
            ),
            (
                "There are more results available than are currently displayed. To view them, increase the value for the ResultSize parameter.",
                Warning::MoreResults,
            ),
        ];
        for (text, meaning) in table {
            assert_eq!(Warning::read(text), meaning, "{text}");
        }
        let other = "The group was created with a new name.";
        assert_eq!(Warning::read(other), Warning::Other(other.into()));
    }
}
