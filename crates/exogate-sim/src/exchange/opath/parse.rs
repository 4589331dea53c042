//! The grammar of OPATH: comparisons joined by `-and`, `-or` and `-not`.
//!
//! Nesting is bounded so that no input can exhaust the stack.

use winnow::ascii::multispace0;
use winnow::combinator::alt;
use winnow::error::{ContextError, ErrMode};
use winnow::prelude::*;
use winnow::token::{take_till, take_while};

/// An expression over property names.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All must hold.
    And(Vec<Expr>),
    /// One must hold.
    Or(Vec<Expr>),
    /// Must not hold.
    Not(Box<Expr>),
    /// `Property -op operand`.
    Compare(Comparison),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The property as written.
    pub property: String,
    /// The operator.
    pub operator: Operator,
    /// The right side.
    pub operand: Operand,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `-eq`
    Eq,
    /// `-ne`
    Ne,
    /// `-lt`
    Lt,
    /// `-gt`
    Gt,
    /// `-le`
    Le,
    /// `-ge`
    Ge,
    /// `-like`
    Like,
    /// `-notlike`
    NotLike,
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `$null`
    Null,
    /// `$true` and `$false`
    Bool(bool),
    /// Quoted text, or a bare word or number.
    Text(String),
}

/// Why a filter cannot be read, and where (counted from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The place.
    pub position: usize,
}

const DEEPEST: usize = 64;

type In<'i> = &'i str;
type Outcome<T> = Result<T, ErrMode<ContextError>>;

/// Reads a filter.
///
/// # Errors
/// [`ParseError`] with the place at which it stopped making sense.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut inner = text.trim();
    // PowerShell script blocks reach the service with their braces.
    if let Some(bare) = inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        inner = bare.trim();
    }
    let mut input = inner;
    let expr = any_of(&mut input, 0);
    let _ = blanks(&mut input);
    match expr {
        Ok(expr) if input.is_empty() => Ok(expr),
        _ => Err(ParseError { position: text.chars().count().saturating_sub(input.chars().count()) + 1 }),
    }
}

fn blanks(input: &mut In<'_>) -> Outcome<()> {
    multispace0.void().parse_next(input)
}

fn backtrack<T>() -> Outcome<T> {
    Err(ErrMode::Backtrack(ContextError::new()))
}

/// `-word`, in any casing, followed by no further letter.
fn dashed<'i>(input: &mut In<'i>) -> Outcome<&'i str> {
    blanks(input)?;
    ('-', take_while(1.., |c: char| c.is_ascii_alphabetic())).map(|(_, word)| word).parse_next(input)
}

fn joined(input: &mut In<'_>, word: &str) -> bool {
    let before = *input;
    match dashed(input) {
        Ok(found) if found.eq_ignore_ascii_case(word) => true,
        _ => {
            *input = before;
            false
        }
    }
}

fn any_of(input: &mut In<'_>, depth: usize) -> Outcome<Expr> {
    let mut parts = vec![all_of(input, depth)?];
    while joined(input, "or") {
        parts.push(all_of(input, depth)?);
    }
    Ok(single(parts, Expr::Or))
}

fn all_of(input: &mut In<'_>, depth: usize) -> Outcome<Expr> {
    let mut parts = vec![unary(input, depth)?];
    while joined(input, "and") {
        parts.push(unary(input, depth)?);
    }
    Ok(single(parts, Expr::And))
}

fn single(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

fn unary(input: &mut In<'_>, depth: usize) -> Outcome<Expr> {
    if depth > DEEPEST {
        return backtrack();
    }
    blanks(input)?;
    let negated = match input.strip_prefix('!') {
        Some(rest) => {
            *input = rest;
            true
        }
        None => joined(input, "not"),
    };
    if negated {
        return Ok(Expr::Not(Box::new(unary(input, depth + 1)?)));
    }
    if let Some(rest) = input.strip_prefix('(') {
        *input = rest;
        let inner = any_of(input, depth + 1)?;
        blanks(input)?;
        let Some(rest) = input.strip_prefix(')') else { return backtrack() };
        *input = rest;
        return Ok(inner);
    }
    comparison(input).map(Expr::Compare)
}

fn comparison(input: &mut In<'_>) -> Outcome<Comparison> {
    let property: &str =
        take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_').parse_next(input)?;
    let before = *input;
    let Some(operator) = operator(dashed(input)?) else {
        *input = before;
        return backtrack();
    };
    blanks(input)?;
    Ok(Comparison { property: property.to_owned(), operator, operand: operand(input)? })
}

fn operator(word: &str) -> Option<Operator> {
    Some(match word.to_ascii_lowercase().as_str() {
        "eq" => Operator::Eq,
        "ne" => Operator::Ne,
        "lt" => Operator::Lt,
        "gt" => Operator::Gt,
        "le" => Operator::Le,
        "ge" => Operator::Ge,
        "like" => Operator::Like,
        "notlike" => Operator::NotLike,
        _ => return None,
    })
}

fn operand(input: &mut In<'_>) -> Outcome<Operand> {
    alt((quoted('\''), quoted('"'), bare)).parse_next(input)
}

fn quoted<'i>(quote: char) -> impl FnMut(&mut In<'i>) -> Outcome<Operand> {
    move |input| {
        let Some(mut rest) = input.strip_prefix(quote) else { return backtrack() };
        let mut text = String::new();
        loop {
            let chunk: &str = take_till(0.., |c| c == quote).parse_next(&mut rest)?;
            text.push_str(chunk);
            let Some(after) = rest.strip_prefix(quote) else { return backtrack() };
            rest = after;
            // A doubled quote is one quote in the text.
            let Some(after) = rest.strip_prefix(quote) else { break };
            text.push(quote);
            rest = after;
        }
        *input = rest;
        Ok(Operand::Text(text))
    }
}

fn bare(input: &mut In<'_>) -> Outcome<Operand> {
    let word: &str =
        take_while(1.., |c: char| !c.is_whitespace() && !"()'\"{}".contains(c)).parse_next(input)?;
    Ok(match word.to_ascii_lowercase().as_str() {
        "$null" => Operand::Null,
        "$true" => Operand::Bool(true),
        "$false" => Operand::Bool(false),
        variable if variable.starts_with('$') => return backtrack(),
        _ => Operand::Text(word.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(property: &str, operator: Operator, operand: Operand) -> Expr {
        Expr::Compare(Comparison { property: property.into(), operator, operand })
    }

    #[test]
    fn comparisons_are_read() {
        let text = |t: &str| Operand::Text(t.into());
        for (filter, expected) in [
            ("Alias -eq 'kim'", compare("Alias", Operator::Eq, text("kim"))),
            ("{Alias -eq 'kim'}", compare("Alias", Operator::Eq, text("kim"))),
            ("Alias -EQ \"kim\"", compare("Alias", Operator::Eq, text("kim"))),
            ("DisplayName -eq 'O''Neill'", compare("DisplayName", Operator::Eq, text("O'Neill"))),
            ("GrantSendOnBehalfTo -ne $null", compare("GrantSendOnBehalfTo", Operator::Ne, Operand::Null)),
            ("IsDirSynced -eq $True", compare("IsDirSynced", Operator::Eq, Operand::Bool(true))),
            ("ResourceCapacity -gt 5", compare("ResourceCapacity", Operator::Gt, text("5"))),
            ("Name -notlike 'a*'", compare("Name", Operator::NotLike, text("a*"))),
        ] {
            assert_eq!(parse(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn precedence_is_not_and_or() {
        let a = || compare("A", Operator::Eq, Operand::Text("1".into()));
        let b = || compare("B", Operator::Eq, Operand::Text("2".into()));
        let c = || compare("C", Operator::Eq, Operand::Text("3".into()));
        assert_eq!(
            parse("A -eq '1' -or B -eq '2' -and C -eq '3'"),
            Ok(Expr::Or(vec![a(), Expr::And(vec![b(), c()])]))
        );
        assert_eq!(
            parse("(A -eq '1' -or B -eq '2') -and -not(C -eq '3')"),
            Ok(Expr::And(vec![Expr::Or(vec![a(), b()]), Expr::Not(Box::new(c()))]))
        );
        assert_eq!(parse("! A -eq '1'"), Ok(Expr::Not(Box::new(a()))));
    }

    #[test]
    fn nonsense_is_refused() {
        for filter in [
            "",
            "   ",
            "Alias",
            "Alias -eq",
            "Alias -match 'x'",
            "Alias -eq 'x",
            "(Alias -eq 'x'",
            "Alias -eq 'x')",
            "Alias -eq 'x' -and",
            "Alias -eq 'x' 'y'",
            "-eq 'x'",
            "Alias -eq $foo",
            "Alias = 'x'",
            "{}",
        ] {
            assert!(parse(filter).is_err(), "{filter}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
        assert!(parse(&"-not ".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_brings_the_parser_down(text in ".{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn filter_like_text_does_not_either(text in "(A|B|-eq|-and|-or|-not|-like|'|\"|\\(|\\)|\\$null|\\$x|5| |!){0,40}") {
            let _ = parse(&text);
        }
    }
}
