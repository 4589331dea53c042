//! What the documentation shows of changes is what a run prints: each command of `docs/changes.md` and
//! of the README's part on changing, in their order, against a fresh simulated tenant.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use common::Sandbox;

const CHANGES: &str = include_str!("../../../docs/changes.md");
const README: &str = include_str!("../../../README.md");

/// A tenant of its own, in the folder in which commands run; stopped in the end.
struct Simulated(Child);

impl Simulated {
    fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command(&["sim", "--listen", "127.0.0.1:0", "--state", "."]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Ctrl-C stops it")), "it did not start");
        Self(child)
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // Gone already where it failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A fenced block: its language and lines.
fn blocks(text: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), false) => {
                blocks.push((language.to_owned(), Vec::new()));
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => blocks.last_mut().unwrap().1.push(line.to_owned()),
            (None, false) => {}
        }
    }
    blocks
}

/// Words of a command line, with single quotes and without a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for (at, character) in line.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '#' if !quoted && line[..at].ends_with(' ') => break,
            ' ' if !quoted => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            other => word.push(other),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn is_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | ':')
}

fn parts(text: &str) -> Vec<&str> {
    let parts = text.split(|character| !is_part(character)).map(|part| part.trim_end_matches(':'));
    parts.filter(|part| !part.is_empty()).collect()
}

fn is_plan(part: &str) -> bool {
    part.len() == 10 && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What differs from run to run stands for its kind.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let part = rest[..end].trim_end_matches(':');
        let dated = part.len() >= 9 && part.bytes().all(|b| b.is_ascii_digit() || b"-:TZ".contains(&b));
        masked.push_str(match part {
            part if is_plan(part) => "PLAN",
            part if part.len() == 64 => "HASH",
            part if uuid::Uuid::try_parse(part).is_ok() => "ID",
            _ if dated => "TIME",
            part => part,
        });
        rest = &rest[part.len()..];
        if let Some(character) = rest.chars().next() {
            masked.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    masked.trim_end().to_owned()
}

/// Runs the commands of a block and compares what they print with what stands there.
fn check(sandbox: &Sandbox, lines: &[String], plans: &mut HashMap<String, String>) {
    let mut shown: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        match line.strip_prefix("$ ") {
            Some(command) => shown.push((command, Vec::new())),
            None => shown.last_mut().unwrap().1.push(line),
        }
    }
    for (command, output) in shown {
        let Some(arguments) = command.strip_prefix("exogate ") else { continue };
        let arguments: Vec<String> = words(arguments)
            .into_iter()
            .map(|word| match word.split_once('.') {
                Some((plan, number)) if plans.contains_key(plan) => format!("{}.{number}", plans[plan]),
                _ => plans.get(&word).cloned().unwrap_or(word),
            })
            .collect();
        if arguments[0] == "sim" {
            continue;
        }
        let ran = sandbox.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let refused = output.iter().any(|line| line.starts_with("error:"));
        assert_eq!(ran.code == 0, !refused, "{command}\n{}", ran.all());
        if output.is_empty() {
            continue;
        }
        let (said, wanted) = (format!("{}{}", ran.stdout, ran.stderr), output.join("\n"));
        assert_eq!(masked(&said), masked(&wanted), "{command} prints\n{said}");
        // Later commands name plans as they are shown.
        for (theirs, ours) in parts(&wanted).into_iter().zip(parts(&said)) {
            if is_plan(theirs) {
                plans.insert(theirs.to_owned(), ours.to_owned());
            }
        }
    }
}

#[test]
fn what_is_documented_of_changes_is_what_a_run_prints() {
    let changing = README.split("## Changing").nth(1).unwrap().split("\n## ").next().unwrap();
    for text in [CHANGES, changing] {
        let sandbox = Sandbox::new();
        let _tenant = Simulated::start(&sandbox);
        sandbox.run(&["aggregate", "all", "-o", "all.jsonl"]).ok();
        let mut plans = HashMap::new();
        let (mut files, mut consoles) = (0, 0);
        // The README's plan is the one of the longer text.
        for (language, lines) in
            blocks(CHANGES).into_iter().filter(|(language, _)| language == "yaml").take(1)
        {
            sandbox.write("joiner.yaml", &lines.join("\n"));
            files += usize::from(language == "yaml");
        }
        for (language, lines) in blocks(text) {
            if language == "console" {
                check(&sandbox, &lines, &mut plans);
                consoles += 1;
            }
        }
        assert!(files == 1 && consoles > 0, "nothing was found to check");
    }
}
