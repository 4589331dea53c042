//! The words of a filter expression. Positions are kept for error texts.

use winnow::ascii::multispace0;
use winnow::combinator::{alt, delimited, preceded, repeat};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location as _};
use winnow::token::{one_of, take_while};

/// One word of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `:` of a lambda.
    Colon,
    /// `/`
    Slash,
    /// A quoted string, unescaped.
    Text(String),
    /// Anything else: names, operators, numbers, GUIDs, times.
    Word(String),
}

/// A word and where it began.
pub type Located = (usize, Token);

type Input<'i> = LocatingSlice<&'i str>;
type Error = winnow::error::ErrMode<ContextError>;

/// Splits `text` into words.
///
/// # Errors
/// The position of the first character that begins no word.
pub fn words(text: &str) -> Result<Vec<Located>, usize> {
    let mut input = LocatingSlice::new(text);
    let parsed: Result<Vec<Located>, Error> = repeat(0.., preceded(multispace0, word)).parse_next(&mut input);
    let found = parsed.map_err(|_| input.current_token_start())?;
    let _: Result<&str, Error> = multispace0.parse_next(&mut input);
    if input.is_empty() { Ok(found) } else { Err(input.current_token_start()) }
}

fn word(input: &mut Input<'_>) -> Result<Located, Error> {
    let at = input.current_token_start();
    let token = alt((
        '('.value(Token::Open),
        ')'.value(Token::Close),
        ','.value(Token::Comma),
        ':'.value(Token::Colon),
        '/'.value(Token::Slash),
        quoted.map(Token::Text),
        literal,
        name,
    ))
    .parse_next(input)?;
    Ok((at, token))
}

fn quoted(input: &mut Input<'_>) -> Result<String, Error> {
    delimited(
        '\'',
        repeat(0.., alt(("''".value("'"), take_while(1.., |c| c != '\'')))).fold(
            String::new,
            |mut all, part: &str| {
                all.push_str(part);
                all
            },
        ),
        '\'',
    )
    .parse_next(input)
}

/// Numbers, times and GUIDs that begin with a digit: these may hold colons.
fn literal(input: &mut Input<'_>) -> Result<Token, Error> {
    (
        one_of(|c: char| c.is_ascii_digit() || c == '-' || c == '+'),
        take_while(0.., |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+' | '_')),
    )
        .take()
        .map(|text: &str| Token::Word(text.to_owned()))
        .parse_next(input)
}

fn name(input: &mut Input<'_>) -> Result<Token, Error> {
    take_while(1.., |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@' | '.' | '-' | '#'))
        .map(|text: &str| Token::Word(text.to_owned()))
        .parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<Token> {
        words(text).unwrap().into_iter().map(|(_, token)| token).collect()
    }

    #[test]
    fn words_of_a_filter() {
        use Token::{Close, Colon, Open, Slash, Text, Word};
        let word = |text: &str| Word(text.to_owned());
        assert_eq!(
            plain("groupTypes/any(c:c eq 'Uni''fied')"),
            [
                word("groupTypes"),
                Slash,
                word("any"),
                Open,
                word("c"),
                Colon,
                word("c"),
                word("eq"),
                Text("Uni'fied".into()),
                Close
            ]
        );
        assert_eq!(plain("a ge 2026-01-01T00:00:00Z"), [word("a"), word("ge"), word("2026-01-01T00:00:00Z")]);
        assert_eq!(words("a eq \"x\""), Err(5));
        assert_eq!(words("a eq 'x"), Err(5));
    }
}
