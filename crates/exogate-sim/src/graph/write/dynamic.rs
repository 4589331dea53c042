//! Dynamic membership: rules such as `user.department -eq "IT"` and the members that follow from them. A rule beyond
//! this grammar leaves its group's members as they are.

use super::super::eval::type_of;
use super::super::schema::Type;
use super::super::value::{Source, Value, value};
use crate::state::{Class, Edit, Face, Idx, Object, State};

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Both.
    And(Box<Rule>, Box<Rule>),
    /// Either.
    Or(Box<Rule>, Box<Rule>),
    /// `-not`
    Not(Box<Rule>),
    /// Property, operator, wanted values.
    Clause(String, Operator, Vec<String>),
}

/// How a clause compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `-eq`
    Eq,
    /// `-ne`
    Ne,
    /// `-startsWith`
    StartsWith,
    /// `-contains`
    Contains,
    /// `-in`
    In,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Text(String),
    Word(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = match first {
            '(' | '[' => {
                all.push(Token::Open);
                &rest[1..]
            }
            ')' | ']' => {
                all.push(Token::Close);
                &rest[1..]
            }
            ',' => &rest[1..],
            '"' | '\'' => {
                let end = rest[1..].find(first)?;
                all.push(Token::Text(rest[1..=end].to_owned()));
                &rest[end + 2..]
            }
            _ => {
                let end = rest
                    .find(|character: char| character.is_whitespace() || "()[],\"'".contains(character))
                    .unwrap_or(rest.len());
                all.push(Token::Word(rest[..end].to_owned()));
                &rest[end..]
            }
        };
        rest = after.trim_start();
    }
    Some(all)
}

/// Reads a rule; `None` when it is beyond this grammar.
#[must_use]
pub fn parse(text: &str) -> Option<Rule> {
    let tokens = tokens(text)?;
    let mut at = 0;
    let rule = or(&tokens, &mut at, 0)?;
    (at == tokens.len()).then_some(rule)
}

fn keyword(tokens: &[Token], at: usize, name: &str) -> bool {
    matches!(tokens.get(at), Some(Token::Word(word)) if word.trim_start_matches('-').eq_ignore_ascii_case(name))
}

fn or(tokens: &[Token], at: &mut usize, depth: usize) -> Option<Rule> {
    let mut left = and(tokens, at, depth)?;
    while keyword(tokens, *at, "or") {
        *at += 1;
        left = Rule::Or(Box::new(left), Box::new(and(tokens, at, depth)?));
    }
    Some(left)
}

fn and(tokens: &[Token], at: &mut usize, depth: usize) -> Option<Rule> {
    let mut left = unary(tokens, at, depth)?;
    while keyword(tokens, *at, "and") {
        *at += 1;
        left = Rule::And(Box::new(left), Box::new(unary(tokens, at, depth)?));
    }
    Some(left)
}

fn unary(tokens: &[Token], at: &mut usize, depth: usize) -> Option<Rule> {
    // A rule has at most 3,072 characters in the service; nesting beyond this is no rule.
    if depth > 30 {
        return None;
    }
    if keyword(tokens, *at, "not") {
        *at += 1;
        return Some(Rule::Not(Box::new(unary(tokens, at, depth + 1)?)));
    }
    if tokens.get(*at) == Some(&Token::Open) {
        *at += 1;
        let inner = or(tokens, at, depth + 1)?;
        return if tokens.get(*at) == Some(&Token::Close) {
            *at += 1;
            Some(inner)
        } else {
            None
        };
    }
    clause(tokens, at)
}

fn clause(tokens: &[Token], at: &mut usize) -> Option<Rule> {
    let (Some(Token::Word(property)), Some(Token::Word(operator))) = (tokens.get(*at), tokens.get(*at + 1))
    else {
        return None;
    };
    let name = property.to_ascii_lowercase();
    let name = name.strip_prefix("user.")?.to_owned();
    let operator = match operator.trim_start_matches('-').to_ascii_lowercase().as_str() {
        "eq" => Operator::Eq,
        "ne" => Operator::Ne,
        "startswith" => Operator::StartsWith,
        "contains" => Operator::Contains,
        "in" => Operator::In,
        _ => return None,
    };
    *at += 2;
    let mut wanted = Vec::new();
    match tokens.get(*at)? {
        Token::Text(text) | Token::Word(text) => {
            wanted.push(text.clone());
            *at += 1;
        }
        Token::Open if operator == Operator::In => {
            *at += 1;
            while let Some(Token::Text(text)) = tokens.get(*at) {
                wanted.push(text.clone());
                *at += 1;
            }
            if tokens.get(*at) != Some(&Token::Close) {
                return None;
            }
            *at += 1;
        }
        _ => return None,
    }
    Some(Rule::Clause(name, operator, wanted))
}

/// Whether a user fits a rule.
fn fits(rule: &Rule, source: &Source<'_>, user: &Object) -> bool {
    match rule {
        Rule::And(left, right) => fits(left, source, user) && fits(right, source, user),
        Rule::Or(left, right) => fits(left, source, user) || fits(right, source, user),
        Rule::Not(inner) => !fits(inner, source, user),
        Rule::Clause(name, operator, wanted) => {
            let Some(property) = Type::User.property(name) else { return false };
            let held = match value(source, user, property) {
                Value::Null => "null".to_owned(),
                Value::Bool(truth) => truth.to_string(),
                Value::Text(text) => text.to_lowercase(),
                Value::Made(text) => text.to_lowercase(),
                Value::Id(id) => id.to_string(),
                _ => return false,
            };
            let any = |test: &dyn Fn(&str) -> bool| wanted.iter().any(|text| test(&text.to_lowercase()));
            match operator {
                Operator::Eq | Operator::In => any(&|text| held == text),
                Operator::Ne => !any(&|text| held == text),
                Operator::StartsWith => any(&|text| held.starts_with(text)),
                Operator::Contains => any(&|text| held.contains(text)),
            }
        }
    }
}

/// The rule of a group that is at work.
fn rule_of(object: &Object) -> Option<Rule> {
    let rule = object.group()?.rule.as_deref()?;
    if rule.paused { None } else { parse(&rule.rule) }
}

fn groups(state: &State, edit_at: crate::clock::Time) -> Vec<(Idx, Rule)> {
    state
        .view(Face::Graph, edit_at)
        .list(Class::Groups, Idx::FIRST)
        .filter_map(|(idx, _)| Some((idx, rule_of(state.get(idx)?)?)))
        .collect()
}

/// Puts a user into the dynamic groups that fit and takes it out of the others.
pub fn settle_user(edit: &mut Edit<'_>, user: Idx) {
    let at = edit.at();
    let mut moves = Vec::new();
    {
        let state = &*edit.state;
        let Some(object) = state.get(user) else { return };
        let source = Source { tenant: &state.tenant, premium: false };
        for (group, rule) in groups(state, at) {
            let held = state.get(group).and_then(Object::group).is_some_and(|group| group.has_member(user));
            let fits = object.is_live() && fits(&rule, &source, object);
            if held != fits {
                moves.push((group, fits));
            }
        }
    }
    for (group, fits) in moves {
        // Both were looked at a moment ago under the same lock; a refusal would mean that nothing is to be done.
        let _ = if fits { edit.add_member(group, user) } else { edit.remove_member(group, user) };
    }
}

/// Computes the members of one group anew.
pub fn settle_group(edit: &mut Edit<'_>, group: Idx) {
    let at = edit.at();
    let (add, remove) = {
        let state = &*edit.state;
        let Some(object) = state.get(group) else { return };
        let (Some(rule), Some(held)) = (rule_of(object), object.group()) else { return };
        let source = Source { tenant: &state.tenant, premium: false };
        let view = state.view(Face::Graph, at);
        let wanted: Vec<Idx> = view
            .list(Class::Users, Idx::FIRST)
            .filter(|(_, user)| type_of(user) == Type::User && fits(&rule, &source, user))
            .map(|(idx, _)| idx)
            .collect();
        let add: Vec<Idx> = wanted.iter().copied().filter(|idx| !held.has_member(*idx)).collect();
        let remove: Vec<Idx> =
            held.members.iter().copied().filter(|idx| wanted.binary_search(idx).is_err()).collect();
        (add, remove)
    };
    for user in add {
        let _ = edit.add_member(group, user);
    }
    for user in remove {
        let _ = edit.remove_member(group, user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules_that_tenants_have() {
        for rule in [
            "user.department -eq \"IT\"",
            "(user.department -eq \"IT\") -and (user.accountEnabled -eq true)",
            "user.country -in [\"DE\", \"AT\"] -or -not (user.jobTitle -startsWith \"Intern\")",
            "user.userType -ne 'Guest' and user.mail -contains \"@contoso\"",
        ] {
            assert!(parse(rule).is_some(), "{rule}");
        }
        for rule in [
            "",
            "user.department",
            "user.department -match \"x\"",
            "device.x -eq \"y\"",
            "(user.a -eq \"b\"",
            "user.a -eq \"b",
        ] {
            assert_eq!(parse(rule), None, "{rule}");
        }
        assert_eq!(parse(&"(".repeat(5000)), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
