//! The query options of one request, read but not yet judged.

/// What stands behind the `?`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `$select`, split and trimmed.
    pub select: Option<Vec<String>>,
    /// `$filter`
    pub filter: Option<String>,
    /// `$search`
    pub search: Option<String>,
    /// `$orderby`
    pub orderby: Option<String>,
    /// `$expand`
    pub expand: Option<String>,
    /// `$count`
    pub count: bool,
    /// `$top`, as text: the refusal repeats it.
    pub top: Option<String>,
    /// `$skip`
    pub skip: Option<String>,
    /// `$skiptoken`
    pub skiptoken: Option<String>,
    /// `$deltatoken`
    pub deltatoken: Option<String>,
    /// An option that begins with `$` and is none of the above.
    pub unknown: Option<String>,
}

impl Options {
    /// Reads decoded pairs. Option names are case-insensitive; a repeated option keeps its first value.
    #[must_use]
    pub fn read<'p>(pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Self {
        let mut options = Self::default();
        for (name, value) in pairs {
            let Some(name) = name.trim().strip_prefix('$') else { continue };
            let text = || Some(value.to_owned());
            match name.to_ascii_lowercase().as_str() {
                "select" => {
                    options.select.get_or_insert_with(|| {
                        value
                            .split(',')
                            .map(|part| part.trim().to_owned())
                            .filter(|part| !part.is_empty())
                            .collect()
                    });
                }
                "filter" => options.filter = options.filter.or_else(text),
                "search" => options.search = options.search.or_else(text),
                "orderby" => options.orderby = options.orderby.or_else(text),
                "expand" => options.expand = options.expand.or_else(text),
                "count" => options.count = value.trim().eq_ignore_ascii_case("true"),
                "top" => options.top = options.top.or_else(text),
                "skip" => options.skip = options.skip.or_else(text),
                "skiptoken" => options.skiptoken = options.skiptoken.or_else(text),
                "deltatoken" => options.deltatoken = options.deltatoken.or_else(text),
                "format" => {}
                _ => options.unknown = options.unknown.or_else(|| Some(format!("${name}"))),
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_case_insensitive_and_others_are_left_alone() {
        let options = Options::read([
            ("$Select", "id, mail"),
            ("$deltaToken", "x"),
            ("top", "5"),
            ("$top", "7"),
            ("$foo", ""),
        ]);
        assert_eq!(options.select.as_deref(), Some(&["id".to_owned(), "mail".to_owned()][..]));
        assert_eq!(options.deltatoken.as_deref(), Some("x"));
        assert_eq!(options.top.as_deref(), Some("7"));
        assert_eq!(options.unknown.as_deref(), Some("$foo"));
    }
}
