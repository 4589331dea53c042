//! What is asked of Graph, and how it reads as an address.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// A listing of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Path below the version: `users`, `groups/{id}/members`.
    pub path: String,
    pub select: Vec<String>,
    pub filter: Option<String>,
    /// As Graph wants it, without the outer quotes: `displayName:ada`.
    pub search: Option<String>,
    /// Related objects to bring along: `manager($select=id)`. Does not go with `advanced`.
    pub expand: Option<String>,
    /// Objects per page; the largest page if none.
    pub top: Option<u16>,
    /// Asks the index that knows more operators but lags behind writes.
    pub advanced: bool,
}

/// The largest page of users and groups.
const LARGEST_PAGE: u16 = 999;

impl ListQuery {
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    #[must_use]
    pub fn select<S: Into<String>>(mut self, properties: impl IntoIterator<Item = S>) -> Self {
        self.select = properties.into_iter().map(Into::into).collect();
        self
    }

    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    #[must_use]
    pub fn search(mut self, search: impl Into<String>) -> Self {
        self.search = Some(search.into());
        self
    }

    #[must_use]
    pub fn expand(mut self, expand: impl Into<String>) -> Self {
        self.expand = Some(expand.into());
        self
    }

    #[must_use]
    pub fn top(mut self, top: u16) -> Self {
        self.top = Some(top);
        self
    }

    #[must_use]
    pub fn advanced(mut self) -> Self {
        self.advanced = true;
        self
    }

    /// Whether the answer comes from the lagging index.
    pub(super) fn is_eventual(&self) -> bool {
        self.advanced || self.search.is_some()
    }

    pub(super) fn query(&self) -> String {
        let mut query = Query::default();
        query.select(&self.select);
        if let Some(filter) = &self.filter {
            query.add("$filter", filter);
        }
        if let Some(search) = &self.search {
            // Inside the quotes, a quote and a backslash are escaped.
            let escaped = search.replace('\\', "\\\\").replace('"', "\\\"");
            query.add("$search", &format!("\"{escaped}\""));
        }
        if let Some(expand) = &self.expand {
            query.add("$expand", expand);
        }
        let top = self.top.unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE);
        query.add("$top", &top.to_string());
        if self.advanced {
            query.add("$count", "true");
        }
        query.0
    }
}

/// A round of changes since a link, or from the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeltaQuery {
    /// `users/delta` or `groups/delta`.
    pub path: String,
    /// The tracked properties; for groups name `members` and `owners` to get memberships.
    pub select: Vec<String>,
    /// Begins with the state of now instead of showing it: the answer holds nothing but a link.
    pub latest: bool,
}

impl DeltaQuery {
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), select: Vec::new(), latest: false }
    }

    #[must_use]
    pub fn latest(mut self) -> Self {
        self.latest = true;
        self
    }

    #[must_use]
    pub fn select<S: Into<String>>(mut self, properties: impl IntoIterator<Item = S>) -> Self {
        self.select = properties.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn query(&self) -> String {
        let mut query = Query::default();
        query.select(&self.select);
        if self.latest {
            query.add("$deltatoken", "latest");
        }
        query.0
    }
}

/// What must not stand in the value of a query: more than the URL rules ask for, since a bare `+`
/// would be read as a blank and `&` as the next option.
const VALUE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|')
    .add(b';');

/// What must not stand in one segment of a path. `#` is common: guests have it in their names.
const SEGMENT: &AsciiSet = &VALUE.add(b'/').add(b'\'');

/// One id or user principal name as a path segment.
pub(super) fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

/// The options of an address, in order.
#[derive(Default)]
pub(super) struct Query(pub(super) String);

impl Query {
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, VALUE));
    }

    pub(super) fn select(&mut self, properties: &[String]) {
        if !properties.is_empty() {
            self.add("$select", &properties.join(","));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_in_order_and_encoded() {
        let query = ListQuery::new("users")
            .select(["id", "displayName"])
            .filter("mail eq 'o''brien+x@contoso.com' and displayName ne 'A&B'")
            .advanced();
        assert_eq!(
            query.query(),
            "$select=id,displayName&$filter=mail%20eq%20'o''brien%2Bx@contoso.com'%20and%20displayName%20ne%20'A%26B'\
             &$top=999&$count=true"
        );
        assert!(query.is_eventual());
    }

    #[test]
    fn a_search_is_quoted_and_needs_no_count() {
        let query = ListQuery::new("users").search(r#"displayName:a"b\c"#).top(5);
        assert_eq!(query.query(), "$search=%22displayName:a%5C%22b%5C%5Cc%22&$top=5");
        assert!(query.is_eventual());
    }

    #[test]
    fn related_objects_are_brought_along() {
        let query = ListQuery::new("users").select(["id"]).expand("manager($select=id)").top(100);
        assert_eq!(query.query(), "$select=id&$expand=manager($select=id)&$top=100");
    }

    #[test]
    fn the_page_is_never_larger_than_allowed() {
        assert_eq!(ListQuery::new("users").top(1000).query(), "$top=999");
        assert_eq!(ListQuery::new("users").top(0).query(), "$top=1");
    }

    #[test]
    fn a_delta_names_only_what_it_tracks() {
        assert_eq!(DeltaQuery::new("groups/delta").query(), "");
        assert_eq!(DeltaQuery::new("groups/delta").select(["id", "members"]).query(), "$select=id,members");
    }

    #[test]
    fn a_guests_name_stays_one_segment() {
        assert_eq!(segment("bo_ext.com#EXT#@contoso.com"), "bo_ext.com%23EXT%23@contoso.com");
        assert_eq!(segment("a/b?c"), "a%2Fb%3Fc");
    }
}
