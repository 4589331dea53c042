//! `$search`: quoted `"property:words"` clauses joined by AND and OR.

/// A search expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Both.
    And(Box<Search>, Box<Search>),
    /// Either.
    Or(Box<Search>, Box<Search>),
    /// One clause: the property and the wanted text.
    Clause(String, String),
}

/// Parses a search.
///
/// # Errors
/// The text of the refusal.
pub fn parse(text: &str) -> Result<Search, String> {
    let mut rest = text.trim();
    let mut left: Option<Search> = None;
    let mut joined_by: Option<bool> = None;
    let mut clauses = 0;
    while !rest.is_empty() {
        let (word, after) = next(rest)?;
        rest = after.trim_start();
        match word {
            Word::Join(and) if left.is_some() && joined_by.is_none() => joined_by = Some(and),
            Word::Join(_) => return Err(syntax(text)),
            Word::Clause(property, wanted) => {
                clauses += 1;
                if clauses > 100 {
                    return Err("The search has too many clauses.".to_owned());
                }
                let clause = Search::Clause(property, wanted);
                left = Some(match (left.take(), joined_by.take()) {
                    (None, _) => clause,
                    (Some(left), Some(false)) => Search::Or(Box::new(left), Box::new(clause)),
                    (Some(left), _) => Search::And(Box::new(left), Box::new(clause)),
                });
            }
        }
    }
    if joined_by.is_some() {
        return Err(syntax(text));
    }
    left.ok_or_else(|| syntax(text))
}

enum Word {
    Join(bool),
    Clause(String, String),
}

fn next(rest: &str) -> Result<(Word, &str), String> {
    if let Some(inner) = rest.strip_prefix('"') {
        let mut content = String::new();
        let mut characters = inner.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => content.extend(characters.next().map(|(_, escaped)| escaped)),
                '"' => {
                    let (property, wanted) = content.split_once(':').unwrap_or(("displayName", &content));
                    let wanted = wanted.trim().trim_matches('\'').to_owned();
                    return Ok((Word::Clause(property.trim().to_owned(), wanted), &inner[at + 1..]));
                }
                other => content.push(other),
            }
        }
        return Err(syntax(rest));
    }
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    match &rest[..end] {
        "AND" => Ok((Word::Join(true), &rest[end..])),
        "OR" => Ok((Word::Join(false), &rest[end..])),
        _ => Err(syntax(rest)),
    }
}

fn syntax(text: &str) -> String {
    let at = text.find(':').unwrap_or(0);
    format!(
        "Syntax error: character '{}' is not valid at position {at} in '{text}'.",
        text[at..].chars().next().unwrap_or(' ')
    )
}

/// Whether `value` matches: names and descriptions by the beginning of any of their words, other properties by their beginning.
#[must_use]
pub fn matches(value: &str, wanted: &str, tokenised: bool) -> bool {
    let value = value.to_lowercase();
    let wanted = wanted.to_lowercase();
    if !tokenised {
        return value.starts_with(&wanted);
    }
    let separators = |character: char| !character.is_alphanumeric();
    wanted
        .split(separators)
        .filter(|word| !word.is_empty())
        .all(|word| value.split(separators).any(|part| part.starts_with(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn searches_and_refusals() {
        let clause = |property: &str, wanted: &str| Box::new(Search::Clause(property.into(), wanted.into()));
        assert_eq!(parse("\"displayName:ada\""), Ok(*clause("displayName", "ada")));
        assert_eq!(
            parse("\"displayName:ada\" OR \"mail:ada\""),
            Ok(Search::Or(clause("displayName", "ada"), clause("mail", "ada")))
        );
        for text in ["displayName:ada", "\"a:b", "\"a:b\" OR", "OR \"a:b\"", "", "\"a:b\" XOR \"c:d\""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_match_by_their_words() {
        assert!(matches("Ada Holm-Berg", "ber", true));
        assert!(matches("Ada Holm", "holm ada", true));
        assert!(!matches("Ada Holm", "olm", true));
        assert!(!matches("Ada Holm", "holm", false));
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
