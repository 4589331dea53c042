//! `$filter` of the entity interface into the filter language of the cmdlets.
//!
//! It knows the grammar that clients make from `-Filter`: comparisons, `startswith`, `endswith`, `contains`, lambda
//! `any` over a list, `and`, `or`, `not`. Which properties can be filtered on is decided where the result is compiled.

use crate::exchange::error::{Condition, ExchangeError};

/// How deep parentheses may nest.
const DEPTH: usize = 64;

/// Translates a filter. `unfilterable` are properties that the cmdlets filter on and the entity interface does not.
///
/// # Errors
/// Bad syntax, with the place; a property that is not filtered on here.
pub fn to_opath(filter: &str, unfilterable: &[String]) -> Result<String, ExchangeError> {
    let mut parser = Parser { text: filter, at: 0, names: Vec::new() };
    let mut out = String::with_capacity(filter.len() + 16);
    let read = parser.either(&mut out, 0).and_then(|()| {
        parser.blank();
        (parser.at == filter.len()).then_some(())
    });
    let among = |name: &&&str| unfilterable.iter().any(|known| known.eq_ignore_ascii_case(name));
    if let (Some(()), Some(name)) = (read, parser.names.iter().find(among)) {
        return Err(ExchangeError::new(Condition::FilterProperty, [*name, filter]));
    }
    match read {
        Some(()) => Ok(out),
        None => Err(ExchangeError::new(Condition::FilterSyntax, [filter.to_owned(), parser.at.to_string()])),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Every name that was read: properties, functions, variables.
    names: Vec<&'a str>,
}

enum Literal {
    Null,
    Bool(bool),
    Text(String),
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, token: &str) -> bool {
        self.blank();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A word of the grammar, in any casing, that ends where it should.
    fn word(&mut self, word: &str) -> bool {
        self.blank();
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        if found {
            self.at += word.len();
        }
        found
    }

    fn name(&mut self) -> Option<&'a str> {
        self.blank();
        let rest = self.rest();
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let name = &rest[..end];
        self.at += end;
        self.names.push(name);
        (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
    }

    fn either(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.both(out, depth)?;
        while self.word("or") {
            out.push_str(" -or ");
            self.both(out, depth)?;
        }
        Some(())
    }

    fn both(&mut self, out: &mut String, depth: usize) -> Option<()> {
        self.single(out, depth)?;
        while self.word("and") {
            out.push_str(" -and ");
            self.single(out, depth)?;
        }
        Some(())
    }

    fn single(&mut self, out: &mut String, depth: usize) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        if self.word("not") {
            out.push_str("-not (");
            self.single(out, depth + 1)?;
            out.push(')');
            return Some(());
        }
        if self.take("(") {
            out.push('(');
            self.either(out, depth + 1)?;
            out.push(')');
            return self.take(")").then_some(());
        }
        let name = self.name()?;
        let function =
            ["startswith", "endswith", "contains"].iter().find(|known| known.eq_ignore_ascii_case(name));
        if let Some(function) = function
            && self.take("(")
        {
            return self.pattern(out, function);
        }
        if self.take("/any(") || self.take("/any (") {
            return self.lambda(out, name);
        }
        let operator = ["eq", "ne", "gt", "ge", "lt", "le"].into_iter().find(|word| self.word(word))?;
        let literal = self.literal()?;
        comparison(out, name, operator, &literal);
        Some(())
    }

    /// `startswith(Property,'text')`, optionally compared with a truth value.
    fn pattern(&mut self, out: &mut String, function: &str) -> Option<()> {
        let name = self.name()?;
        self.take(",").then_some(())?;
        let Literal::Text(text) = self.literal()? else { return None };
        self.take(")").then_some(())?;
        let mut wanted = true;
        if self.word("eq") {
            let Literal::Bool(value) = self.literal()? else { return None };
            wanted = value;
        }
        let (before, after) = match function {
            "startswith" => ("", "*"),
            "endswith" => ("*", ""),
            _ => ("*", "*"),
        };
        let operator = if wanted { "-like" } else { "-notlike" };
        out.push_str(&format!("({name} {operator} '{before}{}{after}')", text.replace('\'', "''")));
        Some(())
    }

    /// `Property/any(x: x eq 'text')`.
    fn lambda(&mut self, out: &mut String, property: &str) -> Option<()> {
        let variable = self.name()?;
        self.take(":").then_some(())?;
        let name = self.name()?;
        if ["startswith", "endswith", "contains"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.take("(").then_some(())?;
            let mut inner = String::new();
            let start = self.at;
            let shown = self.name()?;
            (shown == variable).then_some(())?;
            self.at = start;
            self.pattern(&mut inner, &name.to_ascii_lowercase())?;
            out.push_str(&inner.replacen(variable, property, 1));
        } else {
            (name == variable).then_some(())?;
            let operator = ["eq", "ne"].into_iter().find(|word| self.word(word))?;
            let literal = self.literal()?;
            comparison(out, property, operator, &literal);
        }
        self.take(")").then_some(())
    }

    fn literal(&mut self) -> Option<Literal> {
        self.blank();
        let rest = self.rest();
        if let Some(inner) = rest.strip_prefix('\'') {
            let mut text = String::new();
            let mut characters = inner.char_indices().peekable();
            while let Some((at, character)) = characters.next() {
                if character != '\'' {
                    text.push(character);
                } else if characters.next_if(|(_, next)| *next == '\'').is_some() {
                    text.push('\'');
                } else {
                    self.at += at + 2;
                    return Some(Literal::Text(text));
                }
            }
            return None;
        }
        let end = rest.find(|c: char| c.is_whitespace() || c == ')' || c == ',').unwrap_or(rest.len());
        let bare = &rest[..end];
        self.at += end;
        Some(match bare.to_ascii_lowercase().as_str() {
            "" => return None,
            "null" => Literal::Null,
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            _ => Literal::Text(enum_value(bare).to_owned()),
        })
    }
}

/// The value of `Exchange.RecipientAccessRight'SendAs'`; other texts are their own value.
fn enum_value(text: &str) -> &str {
    text.strip_suffix('\'').and_then(|start| start.split_once('\'')).map_or(text, |(_, value)| value)
}

fn comparison(out: &mut String, name: &str, operator: &str, literal: &Literal) {
    let value = match literal {
        Literal::Null => "$null".to_owned(),
        Literal::Bool(true) => "$true".to_owned(),
        Literal::Bool(false) => "$false".to_owned(),
        Literal::Text(text) => format!("'{}'", text.replace('\'', "''")),
    };
    out.push_str(&format!("({name} -{operator} {value})"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn filters_are_translated() {
        for (given, made) in [
            ("RecipientType eq 'UserMailbox'", "(RecipientType -eq 'UserMailbox')"),
            ("DisplayName eq 'O''Neill'", "(DisplayName -eq 'O''Neill')"),
            (
                "startswith(DisplayName,'a') and not endswith(Alias, 'b')",
                "(DisplayName -like 'a*') -and -not ((Alias -like '*b'))",
            ),
            ("contains(Name,'x') eq false", "(Name -notlike '*x*')"),
            ("(A eq null or B ne true) and C gt 5", "((A -eq $null) -or (B -ne $true)) -and (C -gt '5')"),
            ("EmailAddresses/any(x: x eq 'smtp:a@b')", "(EmailAddresses -eq 'smtp:a@b')"),
            ("EmailAddresses/any(e:startswith(e,'a'))", "(EmailAddresses -like 'a*')"),
            ("WhenChangedUTC ge 2026-01-01T00:00:00Z", "(WhenChangedUTC -ge '2026-01-01T00:00:00Z')"),
        ] {
            assert_eq!(to_opath(given, &[]).unwrap(), made, "{given}");
        }
    }

    #[test]
    fn bad_filters_are_refused() {
        for text in
            ["", "A", "A eq", "A eq 'x", "A like 'x'", "(A eq 1", "A eq 1)", "startswith(A)", "1 eq 1"]
        {
            assert!(to_opath(text, &[]).is_err(), "{text}");
        }
        assert!(to_opath(&"(".repeat(10_000), &[]).is_err());
        assert!(to_opath(&"not ".repeat(10_000), &[]).is_err());
    }

    #[test]
    fn some_properties_are_not_filtered_on_here() {
        let names = ["MemberOfGroup".to_owned()];
        for text in ["MemberOfGroup eq 'x'", "A eq 'MemberOfGroup' or startswith(memberofgroup,'x')"] {
            assert_eq!(to_opath(text, &names).unwrap_err().condition, Condition::FilterProperty, "{text}");
        }
        assert!(to_opath("A eq 'MemberOfGroup'", &names).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fall_over(text in "(A|eq|'|\\(|\\)| |not|and|any|/|:|,|é|x){0,24}") {
            let _ = to_opath(&text, &[]);
        }
    }
}
