//! Changes to one account: each attribute on its own, so that one that cannot be set does not keep
//! the others from it, and a result for each that was not.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use exogate_engine::provision::PlanResult;
use exogate_model::account::Account;
use exogate_model::operation::{Fault, Outcome};
use exogate_model::plan::{AccountRequest, AttributeOperation, Op, Plan, PlanScalar, PlanValue};
use exogate_model::schema::Schema;
use exogate_model::value::AttributeValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::account::AccountOut;
use super::answer::{Out, Stop};
use super::command::Job;
use super::refusal::Refusal;
use super::request;
use crate::change::ChangeError;

/// How an attribute fared, where there is something to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct AttributeResult {
    attribute: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    messages: Vec<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Message {
    level: &'static str,
    message: String,
}

/// How all attributes of a request fared.
#[derive(Debug, Default)]
pub(super) struct Results {
    by_attribute: BTreeMap<String, AttributeResult>,
    /// Attributes that are as asked.
    well: usize,
    /// Somebody other than the caller is to blame for a failure.
    elsewhere: bool,
}

impl Results {
    pub(super) fn error(&mut self, attribute: &str, message: String) {
        let result = self.say(attribute, "ERROR", message);
        result.status = Some("error");
    }

    fn warn(&mut self, attribute: &str, message: &str) {
        self.say(attribute, "WARN", message.to_owned());
    }

    fn say(&mut self, attribute: &str, level: &'static str, message: String) -> &mut AttributeResult {
        let result = self.by_attribute.entry(attribute.to_owned()).or_insert_with(|| AttributeResult {
            attribute: attribute.to_owned(),
            status: None,
            messages: Vec::new(),
        });
        let message = Message { level, message };
        if !result.messages.contains(&message) {
            result.messages.push(message);
        }
        result
    }

    pub(super) fn list(&self) -> Vec<AttributeResult> {
        self.by_attribute.values().cloned().collect()
    }

    /// The refusal, if nothing at all came of a request.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        if self.well > 0 || self.by_attribute.values().all(|result| result.status.is_none()) {
            return None;
        }
        let texts: Vec<String> = self
            .by_attribute
            .values()
            .flat_map(|result| result.messages.iter().map(|m| format!("{}: {}", result.attribute, m.message)))
            .collect();
        let status = if self.elsewhere { StatusCode::BAD_GATEWAY } else { StatusCode::BAD_REQUEST };
        Some(Refusal::new(status, texts.join("; ")))
    }
}

/// One change, as a client writes it.
#[derive(Debug, Deserialize)]
struct Change {
    op: String,
    attribute: String,
    #[serde(default)]
    value: Value,
}

/// `std:account:update`.
pub(super) async fn update(job: &Job, out: &mut Out) -> Result<(), Stop> {
    let id = request::object(&job.input)?;
    let changes: Vec<Change> = request::part(&job.input, "changes")?
        .ok_or_else(|| Refusal::bad("the input holds no \"changes\""))?;
    let account = job.source.view.account(id).await?;
    let schema = &job.source.context.account_schema;
    let mut results = Results::default();
    let mut operations = Vec::new();
    for change in changes {
        let op = match change.op.to_ascii_lowercase().as_str() {
            "set" => Op::Set,
            "add" => Op::Add,
            "remove" => Op::Remove,
            _ => {
                return Err(
                    Refusal::bad(format!("there is no op {:?}; use Add, Set or Remove", change.op)).into()
                );
            }
        };
        match value(&change.value) {
            Ok(value) => operations.extend(operation(op, &change.attribute, value, &account, schema)),
            Err(problem) => results.error(&change.attribute, problem),
        }
    }
    let asked = !operations.is_empty() || results.refusal().is_some();
    carry_out(job, &account.id, operations, &mut results).await?;
    if let (true, Some(refusal)) = (asked, results.refusal()) {
        return Err(refusal.into());
    }
    answer(job, &account.id, &results, out).await
}

/// The account as it is now, with what could not be done.
pub(super) async fn answer(job: &Job, id: &str, results: &Results, out: &mut Out) -> Result<(), Stop> {
    let account = job.source.view.account(id).await?;
    out.output(&AccountOut::of(&account).with_results(&results.list())).await
}

/// Does what can be done, and notes what cannot.
pub(super) async fn carry_out(
    job: &Job,
    account: &str,
    operations: Vec<AttributeOperation>,
    results: &mut Results,
) -> Result<(), Stop> {
    let mut good: Vec<AttributeOperation> = Vec::new();
    for operation in operations {
        let name = operation.name.clone();
        let plan = plan(account, vec![operation.clone()]);
        match job.source.compile(&plan).await {
            Ok(steps) if !job.options.changes_are_reviewed && steps.iter().any(|step| step.review) => {
                results.error(&name, NEEDS_REVIEW.to_owned());
            }
            Ok(_) => good.push(operation),
            Err(ChangeError::Refused(problems)) => {
                for problem in problems {
                    results.error(&name, problem.problem.to_string());
                }
            }
            Err(other) => return Err(other.into()),
        }
    }
    if good.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = good.iter().map(|operation| operation.name.clone()).collect();
    // Not cancelled when the client goes away: what was begun comes to its end.
    let cancel = CancellationToken::new();
    match job.source.change(plan(account, good), &job.caller.name, true, cancel).await {
        Ok(result) => {
            note(&result, results);
            let failed = |name: &&String| {
                results.by_attribute.get(*name).is_some_and(|result| result.status.is_some())
            };
            results.well += names.iter().filter(|name| !failed(name)).count();
            Ok(())
        }
        // Each goes alone, but not all together.
        Err(ChangeError::Refused(problems)) => {
            let text: Vec<String> = problems.iter().map(|problem| problem.problem.to_string()).collect();
            for name in names {
                results.error(&name, text.join("; "));
            }
            Ok(())
        }
        Err(other) => Err(other.into()),
    }
}

const NEEDS_REVIEW: &str = "the provisioning policy wants this attribute reviewed; approve such changes in the \
                            platform and switch on \"Changes are reviewed\" in the source's configuration";

fn plan(account: &str, attributes: Vec<AttributeOperation>) -> Plan {
    let request = AccountRequest { account: account.to_owned(), attributes };
    Plan { accounts: vec![request], ..Plan::default() }
}

/// What the outcome of operations means for the attributes that they serve.
pub(super) fn note(result: &PlanResult, results: &mut Results) {
    for ended in &result.results {
        for served in &ended.operation.serves {
            match &ended.outcome {
                Some(Outcome::Done | Outcome::AlreadySo) => {}
                Some(Outcome::DoneNotYetVisible) => {
                    results.warn(&served.attribute, "done, but the tenant does not show it yet");
                }
                Some(outcome) => {
                    if let Outcome::Failed { fault, .. } = outcome {
                        results.elsewhere |= *fault != Fault::Request;
                    }
                    let why = outcome.why().unwrap_or_else(|| outcome.name().to_owned());
                    results.error(&served.attribute, why);
                }
                None => results.error(&served.attribute, "it has no outcome yet".to_owned()),
            }
        }
    }
}

/// A change as a plan has it. Clients add to attributes of one value, and remove from them.
pub(super) fn operation(
    op: Op,
    name: &str,
    value: PlanValue,
    account: &Account,
    schema: &Schema,
) -> Option<AttributeOperation> {
    let known = schema.attributes().iter().find(|known| known.name.eq_ignore_ascii_case(name));
    let single = known.is_some_and(|known| !known.multi_valued);
    let made = |op, value| Some(AttributeOperation { op, name: name.to_owned(), value, auto_mapping: None });
    match op {
        Op::Add if single => made(Op::Set, value),
        Op::Remove if single => {
            let there = known.and_then(|known| account.attributes.get(&known.name));
            // What is not its value need not be removed.
            let is_it =
                value.scalars().iter().any(|scalar| Some(scalar.to_text()) == there.map(ToString::to_string));
            (value.scalars().is_empty() || is_it).then(|| made(Op::Set, PlanValue::None)).flatten()
        }
        op => made(op, value),
    }
}

/// Whether the account is not yet as an operation of a request for an account wants it.
pub(super) fn is_missing(operation: &AttributeOperation, account: &Account) -> bool {
    let there = account.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(&operation.name));
    let wanted = operation.value.scalars();
    match there {
        None => !wanted.is_empty(),
        Some((_, AttributeValue::Many(values))) => {
            !wanted.iter().all(|one| values.iter().any(|value| value.eq_ignore_ascii_case(&one.to_text())))
        }
        Some((_, single)) => !matches!(wanted, [one] if one.to_text() == single.to_string()),
    }
}

/// A value as a plan has it.
pub(super) fn value(value: &Value) -> Result<PlanValue, String> {
    let scalar = |value: &Value| match value {
        Value::Bool(flag) => Ok(PlanScalar::Boolean(*flag)),
        Value::String(text) => Ok(PlanScalar::Text(text.clone())),
        Value::Number(number) => number
            .as_i64()
            .map(PlanScalar::Integer)
            .ok_or_else(|| format!("{number} is no whole number of 64 bits")),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err("a value is text, a whole number, true or false, or a list of these".to_owned())
        }
    };
    match value {
        Value::Null => Ok(PlanValue::None),
        Value::Array(items) => items.iter().map(scalar).collect::<Result<_, _>>().map(PlanValue::Many),
        single => scalar(single).map(PlanValue::One),
    }
}

#[cfg(test)]
mod tests {
    use exogate_model::account::Attributes;
    use exogate_model::schema::AttributeRequest;
    use serde_json::json;

    use super::*;

    fn account() -> Account {
        let alias = ("EXO_Alias".to_owned(), AttributeValue::Text("kim".to_owned()));
        Account {
            id: "u".into(),
            name: "kim@contoso.com".into(),
            disabled: false,
            attributes: Attributes::from([alias]),
        }
    }

    fn asked(op: Op, name: &str, of: &Value) -> Option<(Op, PlanValue)> {
        let schema = Schema::account(&[AttributeRequest::Name("EXO_Alias".into())], true).unwrap();
        operation(op, name, value(of).unwrap(), &account(), &schema).map(|o| (o.op, o.value))
    }

    #[test]
    fn attributes_of_one_value_are_set() {
        let one = |text: &str| PlanValue::One(PlanScalar::Text(text.into()));
        assert_eq!(asked(Op::Add, "exo_alias", &json!("k")), Some((Op::Set, one("k"))));
        assert_eq!(asked(Op::Remove, "EXO_Alias", &json!("kim")), Some((Op::Set, PlanValue::None)));
        assert_eq!(asked(Op::Remove, "EXO_Alias", &json!(null)), Some((Op::Set, PlanValue::None)));
        assert_eq!(asked(Op::Remove, "EXO_Alias", &json!("other")), None);
        assert_eq!(asked(Op::Add, "groups", &json!("g")), Some((Op::Add, one("g"))));
        assert_eq!(asked(Op::Remove, "groups", &json!("g")), Some((Op::Remove, one("g"))));
    }

    #[test]
    fn values_of_no_attribute_are_refused() {
        for strange in [json!({"a": 1}), json!([["a"]]), json!([null]), json!(1.5)] {
            assert!(value(&strange).is_err(), "{strange}");
        }
        assert_eq!(value(&json!([])), Ok(PlanValue::Many(vec![])));
    }

    #[test]
    fn a_request_of_which_nothing_came_is_refused() {
        let mut results = Results::default();
        assert_eq!(results.refusal(), None);
        results.error("EXO_Alias", "no".into());
        results.error("EXO_Alias", "no".into());
        assert_eq!(results.refusal().unwrap().message, "EXO_Alias: no");
        results.well = 1;
        assert_eq!(results.refusal(), None);
        let listed = serde_json::to_value(results.list()).unwrap();
        let wanted = json!([{"attribute": "EXO_Alias", "status": "error",
            "messages": [{"level": "ERROR", "message": "no"}]}]);
        assert_eq!(listed, wanted);
    }
}
