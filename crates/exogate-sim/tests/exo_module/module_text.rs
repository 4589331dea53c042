//! The module text by its words: nothing is left open, every function, parameter and argument is what it says.
//!
//! There may be no PowerShell where tests run, so its grammar is checked here as far as this text uses it.

use std::collections::{BTreeMap, BTreeSet};

use exogate_sim::exchange::catalogue::{CmdletSpec, catalogue, is_common_parameter};
use exogate_sim::exchange::module::text::{module_text, type_name};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Variable(String),
    Text(String),
    Open(char),
    Close(char),
    Mark(char),
    Line,
}

/// Cuts the text into words; panics where a quote, comment or bracket stays open.
fn tokens(text: &str) -> Vec<Token> {
    let characters: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut open: Vec<(char, usize)> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(&character) = characters.get(at) {
        let next = characters.get(at + 1).copied();
        match character {
            '\n' => {
                line += 1;
                out.push(Token::Line);
            }
            _ if character.is_whitespace() => {}
            '#' => {
                while characters.get(at).is_some_and(|c| *c != '\n') {
                    at += 1;
                }
                continue;
            }
            '\'' => {
                assert_ne!(characters.get(at.wrapping_sub(1)), Some(&'@'), "line {line}: a here-string");
                let mut inner = String::new();
                loop {
                    at += 1;
                    match (characters.get(at), characters.get(at + 1)) {
                        (Some('\''), Some('\'')) => {
                            inner.push('\'');
                            at += 1;
                        }
                        (Some('\''), _) => break,
                        (Some('\n') | None, _) => panic!("line {line}: a text stays open"),
                        (Some(other), _) => inner.push(*other),
                    }
                }
                out.push(Token::Text(inner));
            }
            '"' => panic!("line {line}: double quotes, which would be expanded"),
            '`' => panic!("line {line}: a backtick"),
            '$' if next == Some('{') => {
                let end = characters[at..].iter().position(|c| *c == '}').unwrap();
                out.push(Token::Variable(characters[at + 2..at + end].iter().collect()));
                at += end;
            }
            '$' | '@' if matches!(next, Some('(' | '{')) => out.push(Token::Mark(character)),
            '$' => {
                let end = characters[at + 1..]
                    .iter()
                    .position(|c| !(c.is_alphanumeric() || matches!(c, '_' | ':')))
                    .unwrap();
                assert!(end > 0, "line {line}: a bare dollar");
                out.push(Token::Variable(characters[at + 1..=at + end].iter().collect()));
                at += end;
            }
            '(' | '[' | '{' => {
                open.push((character, line));
                out.push(Token::Open(character));
            }
            ')' | ']' | '}' => {
                let (before, from) =
                    open.pop().unwrap_or_else(|| panic!("line {line}: {character} closes nothing"));
                let pair = matches!((before, character), ('(', ')') | ('[', ']') | ('{', '}'));
                assert!(pair, "line {line}: {character} closes {before} of line {from}");
                out.push(Token::Close(character));
            }
            _ if character.is_alphanumeric() || matches!(character, '_' | '-') => {
                let end = characters[at..]
                    .iter()
                    .position(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
                    .unwrap();
                out.push(Token::Word(characters[at..at + end].iter().collect()));
                at += end - 1;
            }
            _ => out.push(Token::Mark(character)),
        }
        at += 1;
    }
    assert!(open.is_empty(), "left open: {open:?}");
    out
}

/// Functions by name, each with the tokens of its body.
fn functions(tokens: &[Token]) -> BTreeMap<String, Vec<Token>> {
    let mut found = BTreeMap::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [Token::Word(keyword), Token::Word(name)] = pair else { continue };
        if keyword != "function" {
            continue;
        }
        let start = at + 2 + tokens[at + 2..].iter().position(|token| *token == Token::Open('{')).unwrap();
        let end = closing(tokens, start);
        assert!(found.insert(name.clone(), tokens[start + 1..end].to_vec()).is_none(), "{name} twice");
    }
    found
}

fn closing(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close(_) => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    panic!("nothing closes token {start}");
}

/// The tokens of the `param(…)` block.
fn parameters(body: &[Token]) -> &[Token] {
    let Some(at) = body.iter().position(|token| *token == Token::Word("param".into())) else { return &[] };
    &body[at + 2..closing(body, at + 1)]
}

/// Variables of a parameter block that stand at its own level.
fn names(block: &[Token]) -> Vec<String> {
    let mut depth = 0;
    let mut found = Vec::new();
    let mut expecting = true;
    for token in block {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close(_) => depth -= 1,
            Token::Mark(',') if depth == 0 => expecting = true,
            Token::Variable(name) if depth == 0 && expecting => {
                found.push(name.clone());
                expecting = false;
            }
            _ => {}
        }
    }
    found
}

fn everything() -> (Vec<&'static CmdletSpec>, String) {
    let served = catalogue().served();
    let text = module_text(&served, &[], &["AQAB".to_owned(), "AQAB".to_owned()]);
    (served, text)
}

#[test]
fn every_cmdlet_is_a_function_with_the_parameters_of_the_catalogue() {
    let (served, text) = everything();
    let tokens = tokens(&text);
    let functions = functions(&tokens);
    assert!(served.len() > 50);
    for cmdlet in &served {
        let body = functions.get(&cmdlet.name).unwrap_or_else(|| panic!("{} is missing", cmdlet.name));
        let names = names(parameters(body));
        let unique: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        assert_eq!(unique.len(), names.len(), "{}", cmdlet.name);
        let declared: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let known: BTreeSet<&str> = cmdlet
            .parameters
            .keys()
            .map(String::as_str)
            .filter(|name| !matches!(*name, "Confirm" | "WhatIf"))
            .collect();
        assert_eq!(declared, known, "{}", cmdlet.name);
        // PowerShell itself adds these and would refuse the function.
        assert!(names.iter().all(|name| !is_common_parameter(name)), "{}", cmdlet.name);
        let confirms = cmdlet.parameters.contains_key("Confirm");
        assert_eq!(body.contains(&Token::Word("SupportsShouldProcess".into())), confirms, "{}", cmdlet.name);
    }
}

#[test]
fn parameter_sets_and_types_are_those_of_the_catalogue() {
    let (served, text) = everything();
    let functions = functions(&tokens(&text));
    for cmdlet in served {
        let usable: BTreeSet<&str> =
            cmdlet.sets.iter().filter(|set| set.usable).map(|set| set.name.as_str()).collect();
        let body = &functions[&cmdlet.name];
        for (at, token) in body.iter().enumerate() {
            let set = matches!(token, Token::Word(word) if word == "ParameterSetName" || word == "DefaultParameterSetName");
            if set {
                let Some(Token::Text(name)) = body.get(at + 2) else { panic!("{} {at}", cmdlet.name) };
                assert!(usable.contains(name.as_str()), "{}: {name}", cmdlet.name);
            }
        }
        let block = parameters(body);
        for (at, token) in block.iter().enumerate() {
            let Token::Variable(name) = token else { continue };
            let Some(spec) = cmdlet.parameters.get(name) else { continue };
            // Its type stands on the line before, in brackets.
            let before: String = block[..at]
                .iter()
                .rev()
                .skip_while(|token| **token == Token::Line)
                .take_while(|token| **token != Token::Line)
                .map(|token| match token {
                    Token::Word(word) => word.as_str(),
                    Token::Open(_) => "[",
                    Token::Close(_) => "]",
                    _ => "?",
                })
                .collect();
            let wanted = type_name(spec);
            let wanted = match wanted.strip_suffix("[]") {
                Some(single) => format!("]][{single}["),
                None => format!("]{wanted}["),
            };
            assert_eq!(before, wanted, "{} -{name}", cmdlet.name);
        }
    }
}

#[test]
fn exactly_the_cmdlets_are_exported() {
    let (served, text) = everything();
    let tokens = tokens(&text);
    let at = tokens.iter().position(|token| *token == Token::Word("Export-ModuleMember".into())).unwrap();
    let exported: Vec<&str> = tokens[at..]
        .iter()
        .filter_map(|token| match token {
            Token::Text(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let known: Vec<&str> = served.iter().map(|cmdlet| cmdlet.name.as_str()).collect();
    assert_eq!(exported, known);
}

#[test]
fn functions_are_called_with_arguments_that_they_have() {
    const BUILT_IN: [&str; 12] = [
        "Add-Type",
        "ConvertFrom-Json",
        "ConvertTo-Json",
        "Export-ModuleMember",
        "Get-Module",
        "New-Object",
        "Select-Object",
        "Set-StrictMode",
        "Start-Sleep",
        "Where-Object",
        "Write-Debug",
        "Write-Verbose",
    ];
    let (_, text) = everything();
    let tokens = tokens(&text);
    let functions = functions(&tokens);
    let mut calls = 0;
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(name) = token else { continue };
        let is_command = name.split_once('-').is_some_and(|(verb, noun)| {
            verb.starts_with(|c: char| c.is_uppercase()) && noun.starts_with(|c: char| c.is_uppercase())
        });
        let defined_here =
            matches!(tokens.get(at.wrapping_sub(1)), Some(Token::Word(word)) if word == "function");
        if !is_command || defined_here {
            continue;
        }
        let Some(body) = functions.get(name) else {
            assert!(BUILT_IN.contains(&name.as_str()), "{name} is not known");
            continue;
        };
        calls += 1;
        let known = names(parameters(body));
        let mut depth = 0;
        for token in &tokens[at + 1..] {
            match token {
                Token::Open(_) => depth += 1,
                Token::Close(_) | Token::Line | Token::Mark(';' | '|') if depth == 0 => break,
                Token::Close(_) => depth -= 1,
                Token::Word(word) if depth == 0 && word.starts_with('-') => {
                    let argument = word.trim_start_matches('-');
                    assert!(
                        known.iter().any(|name| name == argument),
                        "{name} has no -{argument}: {known:?}"
                    );
                }
                _ => {}
            }
        }
    }
    assert!(calls > 60);
}

#[test]
fn variables_are_set_before_they_are_read() {
    // What PowerShell, the client and the pipeline provide.
    const GIVEN: [&str; 17] = [
        "null",
        "true",
        "false",
        "_",
        "Matches",
        "PSCmdlet",
        "PSBoundParameters",
        "PSUICulture",
        "ConfirmPreference",
        "WhatIfPreference",
        "script:ConnectionContextObjectId",
        "global:EXO_LastExecutionStatus",
        "command",
        "parameter",
        "word",
        "value",
        "Value",
    ];
    let (_, text) = everything();
    let all = tokens(&text);
    let is_set = |tokens: &[Token], name: &str| {
        tokens.windows(2).any(|pair| {
            matches!(pair, [Token::Variable(known), Token::Mark('=' | '+')] if known == name)
                || matches!(pair, [Token::Variable(known), Token::Word(word)] if known == name && word == "in")
        })
    };
    for (function, body) in functions(&all) {
        let parameters = names(parameters(&body));
        for token in &body {
            let Token::Variable(name) = token else { continue };
            let known = GIVEN.contains(&name.as_str())
                || parameters.contains(name)
                || is_set(&body, name)
                || (name.starts_with("script:") && is_set(&all, name));
            assert!(known, "{function}: ${name}");
        }
    }
}
