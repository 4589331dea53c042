//! The state that a client keeps between two listings: how far it has heard, and in what shape.

use axum::http::StatusCode;
use exogate_engine::SourceContext;
use exogate_store::FeedPosition;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What a client hands in next time. Clients keep texts only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The last change it has heard of.
    cursor: String,
    /// The last complete run it has heard of: labels change with runs.
    run: String,
    /// What was read, and how. In another shape objects differ although nothing changed.
    shape: String,
}

/// From where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Since {
    pub(super) cursor: i64,
    pub(super) run: i64,
    /// Everything is to be listed: the feed does not tell a change of shape.
    pub(super) reshaped: bool,
}

impl State {
    /// The state of a client that has heard of everything up to here.
    pub(super) fn at(position: &FeedPosition, context: &SourceContext) -> Self {
        Self {
            cursor: position.head.to_string(),
            run: position.run.to_string(),
            shape: format!("{}/{}", context.fingerprint(), position.shape),
        }
    }

    /// What the input of a command holds; none for a client that begins.
    pub(super) fn of(input: &Map<String, Value>) -> Result<Option<Self>, Refusal> {
        match input.get("state") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(state)) if state.is_empty() => Ok(None),
            Some(state) => Self::deserialize(state).map(Some).map_err(|_| foreign()),
        }
    }

    /// From where this client goes on.
    pub(super) fn since(&self, position: &FeedPosition, context: &SourceContext) -> Result<Since, Refusal> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        let (Some(cursor), Some(run)) = (number(&self.cursor), number(&self.run)) else {
            return Err(foreign());
        };
        if cursor > position.head || run > position.run {
            return Err(foreign());
        }
        let reshaped = self.shape != Self::at(position, context).shape;
        Ok(Since { cursor, run, reshaped })
    }
}

fn foreign() -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        "the state was not given out by this gateway for this source, or its store was made anew since; \
         run an unoptimized aggregation, which begins a new state",
    )
}

#[cfg(test)]
mod tests {
    use exogate_model::schema::{AttributeRequest, Schema};
    use exogate_model::source::SourceOptions;
    use serde_json::json;

    use super::*;

    fn context(attributes: &[&str]) -> SourceContext {
        let names: Vec<_> = attributes.iter().map(|n| AttributeRequest::Name((*n).to_owned())).collect();
        SourceContext {
            options: SourceOptions::default(),
            account_schema: Schema::account(&names, true).unwrap(),
            group_schema: Schema::group(&[]).unwrap(),
        }
    }

    fn position(head: i64, run: i64, shape: &str) -> FeedPosition {
        FeedPosition { head, run, shape: shape.to_owned(), complete: true }
    }

    fn input(state: Value) -> Map<String, Value> {
        Map::from_iter([("state".to_owned(), state)])
    }

    #[test]
    fn a_state_comes_back_as_it_went() {
        let (context, begin) = (context(&[]), position(7, 2, "a"));
        let state = State::at(&begin, &context);
        let value = serde_json::to_value(&state).unwrap();
        assert!(value.as_object().unwrap().values().all(Value::is_string), "{value}");
        let back = State::of(&input(value)).unwrap().unwrap();
        let since = back.since(&position(9, 3, "a"), &context).unwrap();
        assert_eq!(since, Since { cursor: 7, run: 2, reshaped: false });
        assert!(back.since(&position(9, 3, "b"), &context).unwrap().reshaped);
        assert!(back.since(&begin, &self::context(&["EXO_Alias"])).unwrap().reshaped);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let context = context(&[]);
        let ahead = State::at(&position(7, 2, "a"), &context);
        assert!(ahead.since(&position(3, 2, "a"), &context).is_err());
        assert!(State::of(&input(json!({"lastRun": "yesterday"}))).is_err());
        assert!(State::of(&input(json!("x"))).is_err());
        let strange = json!({"cursor": "-1", "run": "0", "shape": ""});
        let strange = State::of(&input(strange)).unwrap().unwrap();
        assert!(strange.since(&position(7, 2, "a"), &context).is_err());
        assert_eq!(State::of(&input(json!({}))).unwrap(), None);
        assert_eq!(State::of(&Map::new()).unwrap(), None);
    }
}
