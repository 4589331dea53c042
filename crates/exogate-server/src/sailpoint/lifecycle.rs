//! What becomes of users themselves: made, deleted, blocked and let in again, and given passwords, where
//! the source manages users.

use exogate_engine::provision::Secrets;
use exogate_model::account::EXCHANGE_PREFIX;
use exogate_model::plan::{AttributeOperation, Op, Plan, PlanScalar, PlanValue, UserOperation, UserRequest};
use exogate_model::schema::AttributeSource;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::answer::{Out, Stop};
use super::change::{self, Results};
use super::command::{Done, Job};
use super::refusal::Refusal;
use super::request;

/// The Entra attribute that lets somebody sign in.
const ENABLED: &str = "accountEnabled";

/// Makes a user, then gives it what only one that is there can have.
pub(super) async fn create(
    job: &Job,
    name: &str,
    operations: Vec<AttributeOperation>,
    password: Option<SecretString>,
    mut results: Results,
    out: &mut Out,
) -> Result<(), Stop> {
    let schema = job.source.context.account_schema.attributes();
    let entra = |operation: &AttributeOperation| {
        let known = schema.iter().find(|known| known.name.eq_ignore_ascii_case(&operation.name));
        known.is_some_and(|known| matches!(known.source, AttributeSource::Entra(_)))
    };
    let (attributes, after): (Vec<_>, Vec<_>) = operations.into_iter().partition(entra);
    let operation = UserOperation::Create;
    let secrets = password.map(|password| Secrets::password(name, password)).unwrap_or_default();
    user(job, UserRequest { user: name.to_owned(), operation, attributes }, secrets).await?;
    let account = job.source.view.account(name).await?;
    let (mailbox, after): (Vec<_>, Vec<_>) = after.into_iter().partition(|operation| {
        let prefix = operation.name.get(..EXCHANGE_PREFIX.len());
        prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(EXCHANGE_PREFIX))
    });
    for operation in mailbox {
        let text = "the new account has no mailbox yet; set it when the licence has made one";
        results.error(&operation.name, text.to_owned());
    }
    let after = after.into_iter().map(|operation| AttributeOperation { op: Op::Add, ..operation });
    change::carry_out(job, &account.id, after.collect(), &mut results).await?;
    change::answer(job, &account.id, &results, out).await
}

/// `std:account:delete`.
pub(super) async fn delete(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let account = job.source.view.account(request::object(&job.input)?).await?;
    let operation = UserOperation::Delete;
    let request = UserRequest { user: account.id, operation, attributes: Vec::new() };
    user(job, request, Secrets::default()).await?;
    out.output(&Done {}).await
}

/// `std:account:enable` and `std:account:disable`.
pub(super) async fn enable(job: &Job, out: &mut Out, enabled: bool) -> Result<(), Stop> {
    let account = job.source.view.account(request::object(&job.input)?).await?;
    let mut results = Results::default();
    let operation = AttributeOperation {
        op: Op::Set,
        name: ENABLED.to_owned(),
        value: PlanValue::One(PlanScalar::Boolean(enabled)),
        auto_mapping: None,
    };
    change::carry_out(job, &account.id, vec![operation], &mut results).await?;
    match results.refusal() {
        Some(refusal) => Err(refusal.into()),
        None => change::answer(job, &account.id, &Results::default(), out).await,
    }
}

/// `std:change-password`.
pub(super) async fn change_password(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let account = job.source.view.account(request::object(&job.input)?).await?;
    let password: Option<SecretString> = request::part::<String>(&job.input, "password")?
        .filter(|password| !password.is_empty())
        .map(SecretString::from);
    let password = password.ok_or_else(|| Refusal::bad("the input holds no \"password\""))?;
    let secrets = Secrets::password(&account.id, password);
    let operation = UserOperation::SetPassword;
    user(job, UserRequest { user: account.id, operation, attributes: Vec::new() }, secrets).await?;
    out.output(&Done {}).await
}

/// Carries out one request about a user; all of it, or an error.
async fn user(job: &Job, request: UserRequest, secrets: Secrets) -> Result<(), Stop> {
    let plan = Plan { users: vec![request], ..Plan::default() };
    // Not cancelled when the client goes away: what was begun comes to its end.
    let cancel = CancellationToken::new();
    let result = job.source.change_with(plan, secrets, &job.caller.name, cancel).await?;
    let mut results = Results::default();
    change::note(&result, &mut results);
    match results.refusal() {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}
