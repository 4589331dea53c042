//! Resource paths of the entity interface: names, keys in quotes, functions with arguments.
//!
//! Keys may hold slashes, so the raw path is read with an eye on quotes.

use percent_encoding::percent_decode_str;

/// A path behind `/adminapi/{version}/{tenant}/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// As it came, for links.
    pub raw: String,
    /// Its parts.
    pub steps: Vec<Step>,
}

/// One part of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// `Mailbox`, `Exchange.GetMailboxStatistics`, `$metadata`.
    pub name: String,
    /// The single value in the parentheses.
    pub key: Option<String>,
    /// Named values in the parentheses.
    pub arguments: Vec<(String, String)>,
    /// Whether there were parentheses at all.
    pub called: bool,
}

impl Resource {
    /// Reads the raw path of a request; `None` when it is not one of the admin API.
    #[must_use]
    pub fn of(raw_path: &str) -> Option<Self> {
        let mut rest = raw_path;
        for _ in 0..3 {
            rest = rest.trim_start_matches('/');
            rest = &rest[rest.find('/')?..];
        }
        let raw = rest.trim_matches('/');
        let decoded = percent_decode_str(raw).decode_utf8_lossy();
        let steps: Option<Vec<Step>> = split_outside_quotes(&decoded, '/')
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(step)
            .collect();
        Some(Self { raw: raw.to_owned(), steps: steps? }).filter(|resource| !resource.steps.is_empty())
    }
}

impl Step {
    /// The argument of that name, in any casing.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether it is called so, in any casing.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut quoted) = (0, false);
    for (at, character) in text.char_indices() {
        if character == '\'' {
            quoted = !quoted;
        } else if character == separator && !quoted {
            parts.push(&text[from..at]);
            from = at + separator.len_utf8();
        }
    }
    parts.push(&text[from..]);
    parts
}

fn step(text: &str) -> Option<Step> {
    let Some(open) = text.find('(') else {
        return Some(Step { name: text.to_owned(), ..Step::default() });
    };
    let name = text[..open].to_owned();
    let inner = text[open + 1..].strip_suffix(')')?.trim();
    let mut step = Step { name, called: true, ..Step::default() };
    if inner.is_empty() {
        return Some(step);
    }
    for part in split_outside_quotes(inner, ',') {
        match named(part) {
            Some((name, value)) => step.arguments.push((name.to_owned(), literal(value))),
            None if step.key.is_none() && step.arguments.is_empty() => step.key = Some(literal(part)),
            // Lists such as `accessRights=["SendAs","x"]` were cut at their commas.
            None => {
                let list = &mut step.arguments.last_mut()?.1;
                list.push(',');
                list.push_str(part);
            }
        }
    }
    if step.key.is_none() && step.arguments.len() == 1 && !step.name.contains('.') {
        step.key = step.arguments.first().map(|(_, value)| value.clone());
    }
    Some(step)
}

/// `name=value`, the equals sign standing outside quotes and behind a plain name.
fn named(part: &str) -> Option<(&str, &str)> {
    let (name, value) = part.split_once('=')?;
    let name = name.trim();
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then_some((name, value.trim()))
}

fn literal(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(path: &str) -> Vec<Step> {
        Resource::of(path).unwrap().steps
    }

    #[test]
    fn keys_may_hold_anything() {
        for (path, key) in [
            ("/adminapi/beta/t/Mailbox('a2ltQGNvbnRvc28uY29t')", "a2ltQGNvbnRvc28uY29t"),
            ("/AdminApi/beta/t/Mailbox('YQ==')", "YQ=="),
            ("/AdminApi/beta/t/Mailbox('YQ%3D%3D')", "YQ=="),
            ("//adminapi/beta/t//Mailbox('a/b+c')", "a/b+c"),
            ("/adminapi/beta/t/Mailbox('a%2Fb')", "a/b"),
            ("/adminapi/beta/t/Mailbox('O''Neill (x)')", "O'Neill (x)"),
            ("/adminapi/beta/t/Mailbox(Identity='kim')", "kim"),
            ("/adminapi/beta/t/basicinfo('AdminApiState')", "AdminApiState"),
        ] {
            let steps = steps(path);
            assert_eq!(steps.len(), 1, "{path}");
            assert_eq!(steps[0].key.as_deref(), Some(key), "{path}");
        }
    }

    #[test]
    fn functions_have_arguments() {
        let found = steps(
            "/adminapi/beta/t/Mailbox('YQ==')/MailboxFolder/Exchange.GetMailboxFolderStatistics(folderscope=Exchange.ElcFolderType'All')",
        );
        assert_eq!(found.len(), 3);
        assert_eq!(found[2].argument("FolderScope"), Some("Exchange.ElcFolderType'All'"));
        let found = steps(
            "/adminapi/beta/t/Recipient/Exchange.GetRecipientPermissionByFilters(identity='YQ==',trustee='Yg==',accessRights=[%22SendAs%22])",
        );
        assert_eq!(found[1].argument("trustee"), Some("Yg=="));
        assert_eq!(found[1].argument("accessRights"), Some("[\"SendAs\"]"));
        let found =
            steps("/adminapi/beta/t/Mailbox('YQ==')/MobileDevice/Exchange.GetMobileDeviceStatistics()/");
        assert_eq!(found.len(), 3);
        assert!(found[2].called && found[2].key.is_none());
    }

    #[test]
    fn other_paths_are_left_alone() {
        assert_eq!(Resource::of("/adminapi/beta/t"), None);
        assert_eq!(Resource::of("/adminapi/beta/t/"), None);
        assert_eq!(Resource::of("/adminapi/beta/t/Mailbox('x"), None);
        assert_eq!(Resource::of(""), None);
    }
}
