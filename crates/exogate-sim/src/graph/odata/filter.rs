//! `$filter`: the expression tree, its parser, and its evaluation over any object that can show values.

use super::lexer::{Located, Token, words};
use uuid::Uuid;

/// How deep parentheses, `not` and lambdas may nest.
const MAX_DEPTH: usize = 40;
/// How many values an `in` list may hold.
const MAX_IN: usize = 15;

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
}

/// A text function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Func {
    /// `startsWith`
    StartsWith,
    /// `endsWith`
    EndsWith,
    /// `contains`
    Contains,
}

impl Func {
    /// The function's name as error texts spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Contains => "contains",
        }
    }
}

/// A value written in the expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A GUID without quotes.
    Guid(Uuid),
    /// A time, in seconds since the epoch.
    Time(i64),
    /// A quoted string.
    Text(String),
}

/// A property path: `onPremisesExtensionAttributes/extensionAttribute1`.
pub type Path = Vec<String>;

/// The expression tree over paths of kind `P`.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr<P> {
    /// Both.
    And(Box<Expr<P>>, Box<Expr<P>>),
    /// Either.
    Or(Box<Expr<P>>, Box<Expr<P>>),
    /// Negation.
    Not(Box<Expr<P>>),
    /// `path op literal`
    Compare(P, Op, Literal),
    /// `path in (…)`
    In(P, Vec<Literal>),
    /// `startsWith(path,'x')`
    Text(Func, P, String),
    /// `path/any(x:…)`; the lambda's own paths are relative to its variable.
    Any(P, Option<Box<Expr<Path>>>),
    /// `path/all(x:…)`
    All(P, Box<Expr<Path>>),
    /// `path/$count op n`
    Count(P, Op, i64),
    /// `isof('microsoft.graph.user')`
    IsOf(String),
}

/// A filter that is not an expression: where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Byte position in the text.
    pub position: usize,
    /// What was wrong.
    pub what: String,
}

/// Parses a filter.
///
/// # Errors
/// [`Malformed`] with position and reason.
pub fn parse(text: &str) -> Result<Expr<Path>, Malformed> {
    let tokens = words(text).map_err(|position| Malformed {
        position,
        what: format!("Syntax error at position {position} in '{text}'."),
    })?;
    let mut parser = Parser { text, tokens, at: 0, variables: Vec::new(), depth: 0 };
    let expr = parser.or()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.error());
    }
    Ok(expr)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Located>,
    at: usize,
    variables: Vec<String>,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self) -> Malformed {
        let position = self.tokens.get(self.at).map_or(self.text.len(), |(position, _)| *position);
        Malformed { position, what: format!("Syntax error at position {position} in '{}'.", self.text) }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn keyword(&self, name: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(name))
    }

    fn eat(&mut self, token: &Token) -> Result<(), Malformed> {
        if self.peek() == Some(token) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error())
        }
    }

    fn word(&mut self) -> Result<String, Malformed> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.error()),
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        if self.depth >= MAX_DEPTH {
            return Err(Malformed {
                position: self.tokens.get(self.at).map_or(0, |(position, _)| *position),
                what: "The expression is nested too deeply.".to_owned(),
            });
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn or(&mut self) -> Result<Expr<Path>, Malformed> {
        let mut left = self.and()?;
        let mut terms = 0;
        while self.keyword("or") {
            self.at += 1;
            terms += 1;
            self.limit(terms)?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr<Path>, Malformed> {
        let mut left = self.unary()?;
        let mut terms = 0;
        while self.keyword("and") {
            self.at += 1;
            terms += 1;
            self.limit(terms)?;
            left = Expr::And(Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    /// A chain is a left-leaning tree: bounding its length bounds the depth of every later walk.
    fn limit(&self, terms: usize) -> Result<(), Malformed> {
        if terms > 500 {
            return Err(Malformed { position: 0, what: "The query filter has too many clauses.".to_owned() });
        }
        self.tokens.get(self.at).map(|_| ()).ok_or_else(|| self.error())
    }

    fn unary(&mut self) -> Result<Expr<Path>, Malformed> {
        if self.keyword("not") {
            self.at += 1;
            return Ok(Expr::Not(Box::new(self.deeper(Self::unary)?)));
        }
        if self.peek() == Some(&Token::Open) {
            self.at += 1;
            let inner = self.deeper(Self::or)?;
            self.eat(&Token::Close)?;
            return Ok(inner);
        }
        self.clause()
    }

    fn clause(&mut self) -> Result<Expr<Path>, Malformed> {
        if let (Some(Token::Word(word)), Some((_, Token::Open))) = (self.peek(), self.tokens.get(self.at + 1))
        {
            let name = word.to_ascii_lowercase();
            return self.function(&name);
        }
        let mut path = vec![self.word()?];
        loop {
            if self.peek() != Some(&Token::Slash) {
                break;
            }
            self.at += 1;
            let segment = self.word()?;
            let lower = segment.to_ascii_lowercase();
            if self.peek() == Some(&Token::Open) && (lower == "any" || lower == "all") {
                return self.lambda(path, lower == "all");
            }
            path.push(segment);
        }
        let path = self.relative(path);
        if self.keyword("in") {
            self.at += 1;
            return self.list(path);
        }
        let op = self.operator()?;
        let value = self.literal()?;
        if path.last().is_some_and(|last| last.eq_ignore_ascii_case("$count")) {
            let Literal::Int(number) = value else { return Err(self.error()) };
            let mut path = path;
            path.pop();
            return Ok(Expr::Count(path, op, number));
        }
        Ok(Expr::Compare(path, op, value))
    }

    /// Inside a lambda the variable is the object itself.
    fn relative(&self, mut path: Path) -> Path {
        if self.variables.last().is_some_and(|variable| path.first() == Some(variable)) {
            path.remove(0);
        }
        path
    }

    fn function(&mut self, name: &str) -> Result<Expr<Path>, Malformed> {
        let func = match name {
            "startswith" => Func::StartsWith,
            "endswith" => Func::EndsWith,
            "contains" => Func::Contains,
            "isof" => {
                self.at += 2;
                let kind = match self.peek() {
                    Some(Token::Text(text) | Token::Word(text)) => text.clone(),
                    _ => return Err(self.error()),
                };
                self.at += 1;
                self.eat(&Token::Close)?;
                return Ok(Expr::IsOf(kind));
            }
            other => {
                return Err(Malformed {
                    position: self.tokens.get(self.at).map_or(0, |(position, _)| *position),
                    what: format!(
                        "An unknown function with name '{other}' was found. This may also be a function import or a key lookup on a navigation property, which is not allowed."
                    ),
                });
            }
        };
        self.at += 2;
        let mut path = vec![self.word()?];
        while self.peek() == Some(&Token::Slash) {
            self.at += 1;
            path.push(self.word()?);
        }
        let path = self.relative(path);
        self.eat(&Token::Comma)?;
        let Some(Token::Text(text)) = self.peek().cloned() else { return Err(self.error()) };
        self.at += 1;
        self.eat(&Token::Close)?;
        let call = Expr::Text(func, path, text);
        // `startswith(a,'x') eq true` is the long spelling.
        if self.keyword("eq") {
            self.at += 1;
            return match self.literal()? {
                Literal::Bool(true) => Ok(call),
                Literal::Bool(false) => Ok(Expr::Not(Box::new(call))),
                _ => Err(self.error()),
            };
        }
        Ok(call)
    }

    fn lambda(&mut self, path: Path, all: bool) -> Result<Expr<Path>, Malformed> {
        let path = self.relative(path);
        self.eat(&Token::Open)?;
        if !all && self.peek() == Some(&Token::Close) {
            self.at += 1;
            return Ok(Expr::Any(path, None));
        }
        let variable = self.word()?;
        self.eat(&Token::Colon)?;
        self.variables.push(variable);
        let body = self.deeper(Self::or);
        self.variables.pop();
        let body = Box::new(body?);
        self.eat(&Token::Close)?;
        Ok(if all { Expr::All(path, body) } else { Expr::Any(path, Some(body)) })
    }

    fn operator(&mut self) -> Result<Op, Malformed> {
        let at = self.at;
        let op = match self.word()?.to_ascii_lowercase().as_str() {
            "eq" => Op::Eq,
            "ne" => Op::Ne,
            "gt" => Op::Gt,
            "ge" => Op::Ge,
            "lt" => Op::Lt,
            "le" => Op::Le,
            _ => {
                self.at = at;
                return Err(self.error());
            }
        };
        Ok(op)
    }

    fn list(&mut self, path: Path) -> Result<Expr<Path>, Malformed> {
        self.eat(&Token::Open)?;
        let mut values = vec![self.literal()?];
        while self.peek() == Some(&Token::Comma) {
            self.at += 1;
            values.push(self.literal()?);
        }
        self.eat(&Token::Close)?;
        if values.len() > MAX_IN {
            return Err(Malformed {
                position: 0,
                what: format!(
                    "Too many child clauses specified in search filter expression containing 'OR' operators: {}. Max allowed: {MAX_IN}.",
                    values.len()
                ),
            });
        }
        Ok(Expr::In(path, values))
    }

    fn literal(&mut self) -> Result<Literal, Malformed> {
        let value = match self.peek() {
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) => read_word(word).ok_or_else(|| self.error())?,
            _ => return Err(self.error()),
        };
        self.at += 1;
        Ok(value)
    }
}

fn read_word(word: &str) -> Option<Literal> {
    match word {
        "true" | "True" | "TRUE" => return Some(Literal::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Literal::Bool(false)),
        "null" | "Null" | "NULL" => return Some(Literal::Null),
        _ => {}
    }
    if let Ok(number) = word.parse::<i64>() {
        return Some(Literal::Int(number));
    }
    if let Ok(guid) = Uuid::try_parse(word) {
        return Some(Literal::Guid(guid));
    }
    read_time(word).map(Literal::Time)
}

/// Seconds of an OData time or date.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_second());
    }
    let date = text.parse::<jiff::civil::Date>().ok()?;
    date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_second())
}

impl<P> Expr<P> {
    /// The same tree over other paths.
    ///
    /// # Errors
    /// The first error of `map`.
    pub fn map_paths<Q, E>(self, map: &mut impl FnMut(P) -> Result<Q, E>) -> Result<Expr<Q>, E> {
        Ok(match self {
            Self::And(left, right) => {
                Expr::And(Box::new(left.map_paths(map)?), Box::new(right.map_paths(map)?))
            }
            Self::Or(left, right) => {
                Expr::Or(Box::new(left.map_paths(map)?), Box::new(right.map_paths(map)?))
            }
            Self::Not(inner) => Expr::Not(Box::new(inner.map_paths(map)?)),
            Self::Compare(path, op, value) => Expr::Compare(map(path)?, op, value),
            Self::In(path, values) => Expr::In(map(path)?, values),
            Self::Text(func, path, text) => Expr::Text(func, map(path)?, text),
            Self::Any(path, body) => Expr::Any(map(path)?, body),
            Self::All(path, body) => Expr::All(map(path)?, body),
            Self::Count(path, op, number) => Expr::Count(map(path)?, op, number),
            Self::IsOf(kind) => Expr::IsOf(kind),
        })
    }

    /// Visits every node, outermost first.
    pub fn walk<'e>(&'e self, visit: &mut impl FnMut(&'e Self)) {
        visit(self);
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Self::Not(inner) => inner.walk(visit),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
