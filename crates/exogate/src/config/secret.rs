//! Secrets: where one is kept, and fetching it when it is needed.
//!
//! A secret is named in the configuration, not written there; one that is written there works, with a warning.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use toml::de::DeValue;

use super::section::Section;
use crate::environment::Environment;

/// Where a secret is.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// In an environment variable.
    Variable(String),
    /// In a file, without the line end.
    File(PathBuf),
    /// In the configuration itself.
    Inline(SecretString),
}

impl Section<'_> {
    /// Reads `{ env = "…" }`, `{ file = "…" }` or, with a warning, a plain text.
    pub fn secret(&mut self, name: &'static str, folder: &Path) -> Option<SecretSource> {
        let found = self.any(name)?;
        match found.value {
            DeValue::String(text) => {
                self.warning(
                    found.line,
                    name,
                    "the secret is written in the file itself; better keep it elsewhere: \
                     { env = \"NAME\" } or { file = \"path\" }",
                );
                Some(SecretSource::Inline(SecretString::from(text.to_string())))
            }
            DeValue::Table(_) => {
                let mut inner = self.section(name);
                let variable = inner.text("env");
                let file = inner.file("file", folder);
                inner.finish();
                match (variable, file) {
                    (Some(variable), None) => Some(SecretSource::Variable(variable.value)),
                    (None, Some(file)) => Some(SecretSource::File(file.value)),
                    (Some(_), Some(_)) => {
                        self.error(
                            found.line,
                            name,
                            "names both an environment variable and a file; choose one",
                        );
                        None
                    }
                    (None, None) => {
                        self.error(found.line, name, "must be { env = \"NAME\" } or { file = \"path\" }");
                        None
                    }
                }
            }
            _ => {
                self.error(found.line, name, "must be { env = \"NAME\" } or { file = \"path\" }");
                None
            }
        }
    }
}

/// A secret that is not where it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set (or empty)")]
    NotSet(String),
    /// The file cannot be read.
    #[error("the secret file {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is nothing in it.
    #[error("the secret file {0} is empty")]
    Empty(PathBuf),
}

impl SecretSource {
    /// Fetches the secret.
    pub fn fetch(&self, environment: &Environment) -> Result<SecretString, SecretError> {
        match self {
            Self::Inline(secret) => Ok(secret.clone()),
            Self::Variable(name) => environment
                .variable(name)
                .map(SecretString::from)
                .ok_or_else(|| SecretError::NotSet(name.clone())),
            Self::File(path) => {
                let text = fs::read_to_string(path).map(zeroizing).map_err(|error| {
                    SecretError::Unreadable { path: path.clone(), reason: error.to_string() }
                })?;
                let line = text.trim_end_matches(['\r', '\n']);
                if line.is_empty() {
                    return Err(SecretError::Empty(path.clone()));
                }
                Ok(SecretString::from(line))
            }
        }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(out, "environment variable {name}"),
            Self::File(path) => write!(out, "file {}", path.display()),
            Self::Inline(_) => out.write_str("the configuration file"),
        }
    }
}

fn zeroizing(text: String) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(text)
}
