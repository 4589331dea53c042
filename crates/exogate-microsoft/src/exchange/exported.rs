//! The cmdlets that the signed-in identity may run, as the service itself lists them.

use std::collections::BTreeMap;

/// Names of cmdlets, found without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportedCmdlets(BTreeMap<String, String>);

impl ExportedCmdlets {
    #[must_use]
    pub fn contains(&self, cmdlet: &str) -> bool {
        self.0.contains_key(&cmdlet.to_ascii_lowercase())
    }

    /// The names in alphabetical order, spelled as the service spells them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for ExportedCmdlets {
    /// Each item may be one name or several, separated by commas.
    fn from_iter<I: IntoIterator<Item = S>>(lists: I) -> Self {
        let mut names = BTreeMap::new();
        for list in lists {
            for name in list.as_ref().split([',', ' ', '\r', '\n']) {
                if !name.is_empty() {
                    names.insert(name.to_ascii_lowercase(), name.to_owned());
                }
            }
        }
        Self(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_and_found_in_any_case() {
        let cmdlets: ExportedCmdlets = ["Get-Mailbox, Set-Mailbox,", "Get-User"].into_iter().collect();
        assert_eq!(cmdlets.len(), 3);
        assert!(cmdlets.contains("get-mailbox") && !cmdlets.contains("Get-"));
        assert_eq!(cmdlets.iter().collect::<Vec<_>>(), ["Get-Mailbox", "Get-User", "Set-Mailbox"]);
    }
}
