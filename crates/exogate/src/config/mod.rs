//! The configuration file: finding it, reading it, and naming every problem at once.
//!
//! Owns the grammar of `exogate.toml`. Opens no certificate and fetches no secret until [`tenant`] is asked to; never
//! changes the file.

mod address;
mod delta;
mod limits;
mod policy;
pub mod problems;
mod secret;
mod section;
pub mod server;
mod sign_in;
pub mod source;
pub mod template;
pub mod tenant;
pub mod time;
pub mod traces;
pub mod webhook;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use exogate_model::nearest;
use toml::de::DeTable;

use crate::environment::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use problems::{Problem, Problems, Severity};
use section::Section;
pub use sign_in::SignIn;
pub use source::Source;

/// The name of the file where none is given.
pub const FILE_NAME: &str = "exogate.toml";

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The file of the store.
    pub store: PathBuf,
    /// The service.
    pub server: server::Server,
    /// The sources, in the order of the file.
    pub sources: Vec<Source>,
}

/// What reading a file came to.
pub struct Reading {
    /// The file.
    pub path: PathBuf,
    /// Its configuration, if there was no error.
    pub config: Option<Config>,
    /// What was found, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Finds and reads the configuration.
pub fn read(given: Option<&Path>, environment: &Environment) -> Result<Reading, Failure> {
    let path = locate(given, environment)?;
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::new(Exit::Usage, error).context(format!("cannot read the configuration {}", path.display()))
    })?;
    Ok(parse(path, &text))
}

/// Reads the configuration, which must be sound; warnings are returned with it.
pub fn load(given: Option<&Path>, environment: &Environment) -> Result<(Config, Vec<Problem>), Failure> {
    let reading = read(given, environment)?;
    match reading.config {
        Some(config) => Ok((config, reading.problems)),
        None => Err(refuse(&reading.path, &reading.problems)),
    }
}

/// The failure that a faulty configuration is.
pub fn refuse(path: &Path, problems: &[Problem]) -> Failure {
    let errors: Vec<&Problem> = problems.iter().filter(|p| p.severity == Severity::Error).collect();
    let count = match errors.len() {
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    Failure::usage(format!("{} has {count}", path.display()))
        .details(errors.iter().map(ToString::to_string))
        .hint("correct the file, then run `exogate config check`")
}

fn locate(given: Option<&Path>, environment: &Environment) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        let path = environment.absolute(given);
        if path.is_file() {
            return Ok(path);
        }
        return Err(Failure::usage(format!("there is no configuration file {}", path.display()))
            .hint("write one with `exogate init`"));
    }
    let here = environment.directory.join(FILE_NAME);
    let home = environment.config_home().map(|home| home.join("exogate").join(FILE_NAME));
    if let Some(found) = [Some(&here), home.as_ref()].into_iter().flatten().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    let looked = [Some(here), home].into_iter().flatten().map(|path| path.display().to_string());
    Err(Failure::usage(format!(
        "there is no configuration; looked for {}",
        looked.collect::<Vec<_>>().join(" and ")
    ))
    .hint("write one with `exogate init`, or name it with --config FILE")
    .hint("`exogate demo` needs no configuration"))
}

/// Reads a configuration from its text.
pub fn parse(path: PathBuf, text: &str) -> Reading {
    let problems = Problems::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map(|span| problems.line(span.start));
        problems.error(line, "", format!("is not TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        // What could be saved of the document is a guess: findings in it would mislead.
        return Reading { path, config: None, problems: problems.into_sorted() };
    }
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut root = Section::root(document.get_ref(), &problems);
    let mut store = root.section("store");
    let store_path = store.file("path", &folder).map_or_else(|| folder.join("exogate.db"), |file| file.value);
    store.finish();
    let named = root.section("sources").named_sections();
    let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
    let server = server::Server::read(root.section("server"), &folder, &names);
    if named.is_empty() {
        root.error(None, "sources", "there is no source; add a table [sources.NAME]");
    }
    let sources =
        named.into_iter().filter_map(|(name, section)| source::read(name, section, &folder)).collect();
    root.finish();
    let problems = problems.into_sorted();
    let sound = problems.iter().all(|problem| problem.severity == Severity::Warning);
    let config = sound.then(|| Config { path: path.clone(), store: store_path, server, sources });
    Reading { path, config, problems }
}

impl Config {
    /// The source of that name; without a name the only one.
    pub fn source(&self, name: Option<&str>) -> Result<&Source, Failure> {
        let names = || self.sources.iter().map(|source| source.name.as_str());
        match name {
            Some(name) => self.sources.iter().find(|source| source.name == name).ok_or_else(|| {
                let hint = nearest::hint(name, names());
                Failure::usage(format!("there is no source {name:?} in {}{hint}", self.path.display()))
                    .hint(format!("sources: {}", names().collect::<Vec<_>>().join(", ")))
            }),
            None => match self.sources.as_slice() {
                [only] => Ok(only),
                _ => Err(Failure::usage("there is more than one source; choose one with --source NAME")
                    .hint(format!("sources: {}", names().collect::<Vec<_>>().join(", ")))),
            },
        }
    }
}
