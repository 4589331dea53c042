//! Faults: rules that say on which requests the tenant misbehaves and how. Deterministic by seed
//! and by the order of requests. Applying an action to a connection is the listener's business.

mod action;
mod rule;

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

pub use action::{FaultAction, transient_type};
pub use rule::{FaultMatch, FaultRule, Probe};
use serde::Serialize;

use crate::server::operation::{Operation, Service};
use crate::server::{Outcome, Reply, Request};

tokio::task_local! {
    /// Rules that acted on items of the request that is being answered.
    static ITEMS: RefCell<Vec<String>>;
}

/// Answers a request, and names the rules that acted on items of it.
pub(crate) async fn noting_items<F: Future>(answering: F) -> (F::Output, Vec<String>) {
    ITEMS
        .scope(RefCell::default(), async {
            let answer = answering.await;
            (answer, ITEMS.with(RefCell::take))
        })
        .await
}

/// A rule with its counters.
#[derive(Clone, Debug, Serialize)]
pub struct FaultState {
    pub rule: FaultRule,
    /// Requests that the rule was compared with and that fit its service, operation and path.
    pub seen: u64,
    /// Times that it acted.
    pub fired: u64,
}

/// What a rule decided for a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// Name of the rule, or its place.
    pub name: String,
    pub action: FaultAction,
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<FaultState>>,
    seed: u64,
}

impl Faults {
    #[must_use]
    pub fn new(rules: &[FaultRule], seed: u64) -> Self {
        let faults = Self { rules: Mutex::default(), seed };
        faults.replace(rules);
        faults
    }

    /// Puts these rules in force. A rule that was in force already keeps its counters.
    pub fn replace(&self, rules: &[FaultRule]) {
        let mut held = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *held);
        for rule in rules {
            let kept = old.iter().position(|state| state.rule == *rule).map(|at| old.remove(at));
            held.push(kept.unwrap_or_else(|| FaultState { rule: rule.clone(), seen: 0, fired: 0 }));
        }
    }

    /// The rules with their counters.
    #[must_use]
    pub fn states(&self) -> Vec<FaultState> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first rule that acts on this request; every rule that fits counts it.
    #[must_use]
    pub fn decide(&self, probe: &Probe<'_>) -> Option<Fired> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fired = None;
        for (place, state) in rules.iter_mut().enumerate() {
            if !state.rule.when.fits(probe) {
                continue;
            }
            state.seen += 1;
            let random = unit_random(state.seen, self.seed ^ (place as u64) << 32);
            if fired.is_none() && state.rule.when.is_due(state.seen, state.fired, random) {
                state.fired += 1;
                let name = state.rule.name.clone().unwrap_or_else(|| format!("fault {}", place + 1));
                fired = Some(Fired { name, action: state.rule.action.clone() });
            }
        }
        fired
    }

    /// The answer that a rule has in place of an item of a batch. A whole connection is not an item's to drop.
    #[must_use]
    pub fn item_reply(&self, service: Service, item: &Request, request_id: &str) -> Option<Reply> {
        if !self.rules.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|state| state.rule.when.item)
        {
            return None;
        }
        let operation = Operation::of(service, item);
        let target = match item.query.raw.as_str() {
            "" => item.path.raw.clone(),
            query => format!("{}?{query}", item.path.raw),
        };
        let fired = self.decide(&Probe { service, operation: &operation, target: &target, item: true })?;
        let reply = fired.action.reply(service, request_id, target.contains("skiptoken"))?;
        if reply.outcome != Outcome::Send {
            return None;
        }
        // Outside a served request (in a test of the service alone) nobody asks.
        let _ = ITEMS.try_with(|items| items.borrow_mut().push(fired.name));
        Some(reply)
    }

    /// The longest time by which a rule makes answers stale, in seconds.
    #[must_use]
    pub fn staleness(rules: &[FaultRule]) -> f64 {
        rules
            .iter()
            .filter_map(|rule| match rule.action {
                FaultAction::Stale { seconds } => Some(seconds),
                _ => None,
            })
            .fold(0.0, f64::max)
    }
}

/// A number in 0..1 that is a pure function of its arguments.
#[must_use]
pub(crate) fn unit_random(n: u64, seed: u64) -> f64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
