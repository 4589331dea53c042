//! Passwords on their way to the tenant: never in a plan, never in the journal, gone with the request.

use std::collections::HashMap;

use exogate_model::operation::Operation;
use secrecy::SecretString;
use uuid::Uuid;

/// Passwords by the text that names their user in the plan.
#[derive(Debug, Clone, Default)]
pub struct Secrets(HashMap<String, SecretString>);

impl Secrets {
    /// The password of one user.
    pub fn password(user: &str, password: SecretString) -> Self {
        Self(HashMap::from([(user.to_owned(), password)]))
    }

    /// The password that an operation needs, if it was handed in.
    pub(super) fn of(&self, operation: &Operation) -> Option<&SecretString> {
        operation.serves.iter().find_map(|request| self.0.get(&request.of))
    }
}

/// A password that nobody knows, for a user who gets a first one otherwise.
pub(super) fn unknown() -> SecretString {
    // 122 random bits, and a character of each kind that a policy may ask for.
    format!("aA1!{}", Uuid::new_v4()).into()
}
