//! `std:account:create`.
//!
//! Where the source does not manage users, accounts come from Entra alone: creating one means taking
//! on the one that is there, with the entitlements and attributes that the request names. Where it
//! does, a new user is made, and a name that is taken is an error: it may be somebody else's.

use axum::http::StatusCode;
use exogate_engine::view::ViewError;
use exogate_model::plan::{AttributeOperation, Op};
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::answer::{Out, Stop};
use super::change::{self, Results};
use super::command::Job;
use super::lifecycle;
use super::refusal::Refusal;
use super::request;
use super::schema::{IDENTITY, NAME};

/// The attribute that carries a password; never stored, never shown.
const PASSWORD: &str = "password";

pub(super) async fn create(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let mut attributes: Map<String, Value> = request::part(&job.input, "attributes")?.unwrap_or_default();
    let password = match attributes.remove(PASSWORD) {
        Some(Value::String(password)) if !password.is_empty() => Some(SecretString::from(password)),
        None | Some(Value::Null | Value::String(_)) => None,
        Some(_) => return Err(Refusal::bad("the password is no text").into()),
    };
    attributes.remove(IDENTITY);
    let name = match attributes.remove(NAME) {
        Some(Value::String(name)) => name,
        None => request::part(&job.input, "identity")?.unwrap_or_default(),
        Some(_) => return Err(Refusal::bad("userPrincipalName is no text").into()),
    };
    if name.trim().is_empty() {
        return Err(Refusal::bad("a new account needs userPrincipalName").into());
    }
    let name = job.source.context.options.principal_name(name.trim());
    let mut results = Results::default();
    let mut operations = Vec::new();
    for (name, given) in attributes {
        match change::value(&given) {
            Ok(value) if value.scalars().is_empty() => {}
            Ok(value) => {
                operations.push(AttributeOperation { op: Op::Set, name, value, auto_mapping: None });
            }
            Err(problem) => results.error(&name, problem),
        }
    }
    let manages = job.source.context.options.manage_users;
    match job.source.view.account(&name).await {
        Ok(account) if manages => {
            let text = format!("there is an account {} already ({})", account.name, account.id);
            Err(Refusal::new(StatusCode::CONFLICT, text).into())
        }
        Ok(account) => {
            let schema = &job.source.context.account_schema;
            // What the account has beside is left: the request names what it needs, not all.
            let needed = operations.into_iter().filter_map(|operation| {
                let multi = schema
                    .attributes()
                    .iter()
                    .any(|known| known.multi_valued && known.name.eq_ignore_ascii_case(&operation.name));
                let op = if multi { Op::Add } else { Op::Set };
                let missing = change::is_missing(&operation, &account);
                missing.then_some(AttributeOperation { op, ..operation })
            });
            change::carry_out(job, &account.id, needed.collect(), &mut results).await?;
            change::answer(job, &account.id, &results, out).await
        }
        Err(ViewError::NotFound { .. }) if manages => {
            lifecycle::create(job, &name, operations, password, results, out).await
        }
        Err(ViewError::NotFound { .. }) => {
            let text = format!(
                "there is no account {name:?}, and this source does not make users (options.manage_users is \
                 false): make it in Entra and aggregate, or switch the option on"
            );
            Err(Refusal::bad(text).into())
        }
        Err(other) => Err(other.into()),
    }
}
