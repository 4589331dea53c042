//! `/Bulk` (RFC 7644 §3.7): many operations in one request. An operation that refers to another by
//! its bulkId waits for it, wherever in the request it stands.

use std::collections::HashMap;

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::context::{Answer, Context};
use super::error::ScimError;
use super::limits;
use super::message::Members;
use super::schema::ResourceKind;
use super::urn;
use super::write::Precondition;

struct Operation {
    method: Method,
    method_name: String,
    path: String,
    bulk_id: Option<String>,
    version: Option<String>,
    data: Value,
}

impl Context {
    /// Carries all of it out, one after the other.
    pub async fn bulk(&self, body: Value) -> Result<Answer, ScimError> {
        let (operations, fail_on) = read(body)?;
        let mut results: Vec<Option<Value>> = vec![None; operations.len()];
        let mut made: HashMap<String, Option<String>> = HashMap::new();
        for bulk_id in operations.iter().filter_map(|operation| operation.bulk_id.clone()) {
            if made.insert(bulk_id.clone(), None).is_some() {
                return Err(ScimError::value(format!("two operations have the bulkId {bulk_id:?}")));
            }
        }
        let mut failed = 0;
        'all: loop {
            let mut progress = false;
            for (index, operation) in operations.iter().enumerate() {
                if results[index].is_some() || !ready(operation, &made) {
                    continue;
                }
                progress = true;
                let outcome = self.one(operation, &made).await;
                if outcome.is_err() {
                    failed += 1;
                }
                if let (Some(bulk_id), Ok(answer)) = (&operation.bulk_id, &outcome) {
                    made.insert(bulk_id.clone(), answer.id().map(str::to_owned));
                }
                if outcome.is_err()
                    && let Some(bulk_id) = &operation.bulk_id
                {
                    // Whoever waits for it does so in vain, and is told below.
                    made.insert(bulk_id.clone(), None);
                }
                results[index] = Some(self.result(operation, outcome));
                if fail_on.is_some_and(|limit| failed >= limit) {
                    break 'all;
                }
            }
            if !progress {
                break;
            }
        }
        let stopped = fail_on.is_some_and(|limit| failed >= limit);
        let mut all = Vec::with_capacity(operations.len());
        for (operation, result) in operations.iter().zip(results) {
            match result {
                Some(result) => all.push(result),
                None if stopped => {}
                None => {
                    let why = "it refers to a bulkId that nothing was made for";
                    let error = ScimError::typed(StatusCode::CONFLICT, "invalidValue", why);
                    all.push(self.result(operation, Err(error)));
                }
            }
        }
        Ok(Answer::json(json!({"schemas": [urn::BULK_RESPONSE], "Operations": all})))
    }

    async fn one(
        &self,
        operation: &Operation,
        made: &HashMap<String, Option<String>>,
    ) -> Result<Answer, ScimError> {
        let path = resolve_text(operation.path.trim_start_matches('/'), made);
        let (endpoint, id) = match path.split_once('/') {
            Some((endpoint, id)) => (endpoint, Some(id)),
            None => (path.as_str(), None),
        };
        let Some(kind) = ResourceKind::of_endpoint(endpoint) else {
            return Err(ScimError::path(format!("no operation can be made on {:?}", operation.path)));
        };
        let mut data = operation.data.clone();
        resolve(&mut data, made);
        let precondition = Precondition { if_match: operation.version.clone() };
        match (&operation.method, id.filter(|id| !id.is_empty())) {
            (&Method::POST, None) => self.create(kind, data).await,
            (&Method::PUT, Some(id)) => self.replace(kind, id, data, &precondition).await,
            (&Method::PATCH, Some(id)) => self.patch(kind, id, data, &precondition).await,
            (&Method::DELETE, Some(id)) => self.delete(kind, id, &precondition).await,
            _ => Err(ScimError::path(format!("{} does not go with {:?}", operation.method, operation.path))),
        }
    }

    fn result(&self, operation: &Operation, outcome: Result<Answer, ScimError>) -> Value {
        let mut out = Map::new();
        out.insert("method".into(), json!(operation.method_name));
        if let Some(bulk_id) = &operation.bulk_id {
            out.insert("bulkId".into(), json!(bulk_id));
        }
        match outcome {
            Ok(answer) => {
                let at = format!("{}/{}", self.base, operation.path.trim_start_matches('/'));
                out.insert("location".into(), json!(answer.location.unwrap_or(at)));
                if let Some(version) = answer.version {
                    out.insert("version".into(), json!(version));
                }
                out.insert("status".into(), json!(answer.status.as_u16().to_string()));
            }
            Err(error) => {
                if operation.method != Method::POST {
                    let at = format!("{}/{}", self.base, operation.path.trim_start_matches('/'));
                    out.insert("location".into(), json!(at));
                }
                out.insert("status".into(), json!(error.status.as_u16().to_string()));
                out.insert("response".into(), error.to_json());
            }
        }
        Value::Object(out)
    }
}

const MARK: &str = "bulkId:";

/// The bulkIds that a text refers to.
fn referred(text: &str) -> Option<&str> {
    let start = text.find(MARK)? + MARK.len();
    let rest = &text[start..];
    Some(rest.split(['/', '"', '\'', ']']).next().unwrap_or(rest))
}

fn ready(operation: &Operation, made: &HashMap<String, Option<String>>) -> bool {
    let there = |text: &str| referred(text).is_none_or(|id| made.get(id).is_some_and(Option::is_some));
    there(&operation.path) && all_texts(&operation.data, &there)
}

fn all_texts(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(items) => items.iter().all(|item| all_texts(item, test)),
        Value::Object(parts) => parts.values().all(|part| all_texts(part, test)),
        _ => true,
    }
}

fn resolve_text(text: &str, made: &HashMap<String, Option<String>>) -> String {
    match referred(text) {
        Some(id) => match made.get(id) {
            Some(Some(real)) => text.replace(&format!("{MARK}{id}"), real),
            _ => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

fn resolve(value: &mut Value, made: &HashMap<String, Option<String>>) {
    match value {
        Value::String(text) => *text = resolve_text(text, made),
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, made)),
        Value::Object(parts) => parts.values_mut().for_each(|part| resolve(part, made)),
        _ => {}
    }
}

fn read(body: Value) -> Result<(Vec<Operation>, Option<usize>), ScimError> {
    let mut body = Members::of_body(body, urn::BULK)?;
    let fail_on = match body.take("failOnErrors") {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64().and_then(|limit| usize::try_from(limit).ok()) {
            Some(limit) if limit > 0 => Some(limit),
            _ => return Err(ScimError::value("failOnErrors is a whole number from 1")),
        },
    };
    let operations = body.operations()?;
    if operations.len() > limits::BULK_OPERATIONS {
        return Err(ScimError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a bulk request has at most {} operations", limits::BULK_OPERATIONS),
        ));
    }
    let operations = operations.into_iter().map(operation).collect::<Result<_, _>>()?;
    Ok((operations, fail_on))
}

fn operation(value: Value) -> Result<Operation, ScimError> {
    let mut members = Members::of_operation(value)?;
    let mut take = |name: &str| members.take(name).filter(|value| !value.is_null());
    let mut text = |name: &str| match take(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ScimError::syntax(format!("{name:?} is no text"))),
    };
    let method_name = text("method")?.ok_or_else(|| ScimError::syntax("an operation has no \"method\""))?;
    let method = match method_name.to_ascii_uppercase().as_str() {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => return Err(ScimError::syntax(format!("{method_name:?} is no method of a bulk operation"))),
    };
    let path = text("path")?.ok_or_else(|| ScimError::syntax("an operation has no \"path\""))?;
    let (bulk_id, version) = (text("bulkId")?, text("version")?);
    if method == Method::POST && bulk_id.is_none() {
        return Err(ScimError::syntax("an operation that makes something needs a \"bulkId\""));
    }
    let data = take("data").unwrap_or(Value::Null);
    Ok(Operation { method, method_name, path, bulk_id, version, data })
}
