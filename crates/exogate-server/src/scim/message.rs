//! Messages as clients send them: a kind that `schemas` names, and members whose case is forgiven. What
//! the members mean is for whoever reads them. Pure.

use serde_json::{Map, Value};

use super::error::ScimError;

/// The members of a message, or of a part of one.
pub struct Members(Map<String, Value>);

impl Members {
    /// The body of a request, if it is a message of this kind.
    pub fn of_body(body: Value, kind: &str) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::syntax("the body is no object"));
        };
        if !names(&body, kind) {
            return Err(ScimError::syntax(format!("\"schemas\" does not name {kind}")));
        }
        Ok(Self(body))
    }

    /// One operation of a message.
    pub fn of_operation(operation: Value) -> Result<Self, ScimError> {
        match operation {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(ScimError::syntax("an operation is no object")),
        }
    }

    /// Takes the value of a member out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let key = self.0.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()?;
        self.0.remove(&key)
    }

    /// Takes the operations of a message out.
    pub fn operations(&mut self) -> Result<Vec<Value>, ScimError> {
        match self.take("Operations") {
            Some(Value::Array(operations)) => Ok(operations),
            _ => Err(ScimError::syntax("\"Operations\" is missing")),
        }
    }

    /// What is left.
    pub fn into_inner(self) -> Map<String, Value> {
        self.0
    }
}

/// Whether `schemas` names this one.
fn names(body: &Map<String, Value>, schema: &str) -> bool {
    let schemas = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas"));
    schemas.and_then(|(_, schemas)| schemas.as_array()).is_some_and(|schemas| {
        schemas.iter().filter_map(Value::as_str).any(|named| named.eq_ignore_ascii_case(schema))
    })
}
