//! Reading one table of the configuration: typed values, every problem noted, unknown keys named with the nearest.
//!
//! The keys that were asked for are the keys that are known, so a reader cannot forget to declare one. Knows nothing
//! of what the keys mean.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use exogate_model::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::problems::Problems;

/// One table, and where its problems go.
pub struct Section<'a> {
    path: String,
    line: usize,
    table: Option<&'a DeTable<'a>>,
    known: Vec<&'static str>,
    problems: &'a Problems,
}

/// A value and the line it is on.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its line.
    pub line: usize,
}

impl<'a> Section<'a> {
    /// The whole document.
    pub fn root(table: &'a DeTable<'a>, problems: &'a Problems) -> Self {
        Self { path: String::new(), line: 1, table: Some(table), known: Vec::new(), problems }
    }

    /// The key of `name` in this table, in dotted form; without a name that of the table itself.
    pub fn key(&self, name: &str) -> String {
        match (self.path.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{name}", self.path),
        }
    }

    /// The line on which the table begins.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Notes an error about a key of this table.
    pub fn error(&self, line: impl Into<Option<usize>>, name: &str, message: impl Into<String>) {
        self.problems.error(line, self.key(name), message);
    }

    /// Notes a warning about a key of this table.
    pub fn warning(&self, line: impl Into<Option<usize>>, name: &str, message: impl Into<String>) {
        self.problems.warning(line, self.key(name), message);
    }

    fn find(&mut self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(name);
        self.table?.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }

    fn line_of(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.problems.line(value.span().start)
    }

    fn wrong_type(&self, name: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.error(self.line_of(value), name, format!("must be {wanted}, not {} {found}", article(found)));
    }

    /// Whether the key is there.
    pub fn line_of_key(&self, name: &str) -> Option<usize> {
        let (key, _) = self.table?.iter().find(|(key, _)| key.get_ref() == name)?;
        Some(self.problems.line(key.span().start))
    }

    /// A text that is not blank.
    pub fn text(&mut self, name: &'static str) -> Option<At<String>> {
        let value = self.find(name)?;
        let line = self.line_of(value);
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.error(line, name, "must not be empty");
                None
            }
            DeValue::String(text) => Some(At { value: text.trim().to_owned(), line }),
            _ => {
                self.wrong_type(name, value, "a text in quotes");
                None
            }
        }
    }

    /// A text that must be there; its absence is a problem, for which `purpose` says what belongs there.
    pub fn required_text(&mut self, name: &'static str, purpose: &str) -> Option<At<String>> {
        let found = self.text(name);
        if found.is_none() && self.line_of_key(name).is_none() {
            self.error(self.line, name, format!("is missing; {purpose}"));
        }
        found
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.find(name)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.wrong_type(name, value, "true or false (without quotes)");
        None
    }

    /// A whole number within a range.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.find(name)?;
        let wanted = || format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = value.get_ref() else {
            self.wrong_type(name, value, &wanted());
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.error(self.line_of(value), name, format!("must be {}, not {integer}", wanted()));
                None
            }
        }
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)]) -> Option<At<T>> {
        let text = self.text(name)?;
        let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text.value));
        if let Some((_, value)) = chosen {
            return Some(At { value: *value, line: text.line });
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let hint = nearest::hint(&text.value, choices.iter().map(|(word, _)| *word));
        self.error(text.line, name, format!("{:?} is not one of {}{hint}", text.value, words.join(", ")));
        None
    }

    /// Some of a few words; none where the key is absent.
    pub fn some_of<T: Copy + PartialEq>(
        &mut self,
        name: &'static str,
        choices: &[(&'static str, T)],
    ) -> Vec<T> {
        let mut chosen = Vec::new();
        for item in self.list(name).unwrap_or_default() {
            let word = item.value.as_str();
            match word.and_then(|word| choices.iter().find(|(known, _)| known.eq_ignore_ascii_case(word))) {
                Some((_, value)) if !chosen.contains(value) => chosen.push(*value),
                Some((known, _)) => self.error(item.line, name, format!("{known:?} is named twice")),
                None => {
                    let shown =
                        word.map_or_else(|| item.value.type_str().to_owned(), |word| format!("{word:?}"));
                    let words: Vec<String> = choices.iter().map(|(known, _)| format!("{known:?}")).collect();
                    self.error(item.line, name, format!("{shown} is not one of {}", words.join(", ")));
                }
            }
        }
        chosen
    }

    /// A file, seen from the folder of the configuration.
    pub fn file(&mut self, name: &'static str, folder: &Path) -> Option<At<PathBuf>> {
        self.text(name).map(|text| At { value: folder.join(text.value), line: text.line })
    }

    /// An address.
    pub fn url(&mut self, name: &'static str) -> Option<At<Url>> {
        let text = self.text(name)?;
        match Url::parse(&text.value) {
            Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => {
                Some(At { value: url, line: text.line })
            }
            _ => {
                self.error(
                    text.line,
                    name,
                    format!("{:?} is not an address such as \"https://host.example\"", text.value),
                );
                None
            }
        }
    }

    /// A list; each element with its line.
    pub fn list(&mut self, name: &'static str) -> Option<Vec<At<&'a DeValue<'a>>>> {
        let value = self.find(name)?;
        if let DeValue::Array(items) = value.get_ref() {
            let items = items.iter().map(|item| At { value: item.get_ref(), line: self.line_of(item) });
            return Some(items.collect());
        }
        self.wrong_type(name, value, "a list in brackets");
        None
    }

    /// Any value at all, with its line; its reader does the rest.
    pub fn any(&mut self, name: &'static str) -> Option<At<&'a DeValue<'a>>> {
        let value = self.find(name)?;
        Some(At { value: value.get_ref(), line: self.line_of(value) })
    }

    /// A table in this table; an absent one reads as empty.
    pub fn section(&mut self, name: &'static str) -> Section<'a> {
        let value = self.find(name);
        let (line, table) = match value.map(|value| (self.line_of(value), value.get_ref())) {
            Some((line, DeValue::Table(table))) => (self.line_of_key(name).unwrap_or(line), Some(table)),
            Some(_) => {
                if let Some(value) = value {
                    self.wrong_type(name, value, "a table");
                }
                (self.line, None)
            }
            None => (self.line, None),
        };
        Section { path: self.key(name), line, table, known: Vec::new(), problems: self.problems }
    }

    /// A table that is an element of a list in this table.
    pub fn element(&self, name: &str, line: usize, table: &'a DeTable<'a>) -> Section<'a> {
        Section { path: self.key(name), line, table: Some(table), known: Vec::new(), problems: self.problems }
    }

    /// Every table in this table, under names that the user chose, in the order of the file.
    pub fn named_sections(mut self) -> Vec<(String, Section<'a>)> {
        let Some(table) = self.table.take() else { return Vec::new() };
        let mut found = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let line = self.problems.line(key.span().start);
            match value.get_ref() {
                DeValue::Table(inner) => found.push((
                    name.clone(),
                    Section {
                        path: self.key(&name),
                        line,
                        table: Some(inner),
                        known: Vec::new(),
                        problems: self.problems,
                    },
                )),
                other => self.error(
                    line,
                    &name,
                    format!("must be a table, not {} {}", article(other.type_str()), other.type_str()),
                ),
            }
        }
        found.sort_by_key(|(_, section)| section.line);
        found
    }

    /// Names every key that nobody asked for.
    pub fn finish(self) {
        for (key, value) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) {
                // A header such as [sources.a.optoins] spans its own line; so does a plain key.
                let line = self.problems.line(key.span().start.min(value.span().start));
                let hint = nearest::hint(name, self.known.iter().copied());
                self.error(line, name, format!("is not a known key{hint}"));
            }
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}
