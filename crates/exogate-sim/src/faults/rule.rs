//! A fault rule: what it fits and when it is due.

use serde::{Deserialize, Serialize};

use super::FaultAction;
use crate::server::operation::{Operation, Service};

/// What rules are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    pub service: Service,
    pub operation: &'a Operation,
    /// Path as it came, with query.
    pub target: &'a str,
    /// An item of a batch, not a request of its own.
    pub item: bool,
}

/// On which requests a rule acts. Everything that is given must fit; what is absent fits all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultMatch {
    pub service: Option<Service>,
    /// Cmdlet, also inside a batch; `*` at the end stands for any rest.
    #[serde(alias = "operation")]
    pub cmdlet: Option<String>,
    /// A part of path and query, without regard to case.
    pub path: Option<String>,
    /// Reads (`false`) or writes (`true`) only.
    pub write: Option<bool>,
    /// Single items of batches instead of whole requests; for actions that are an answer.
    pub item: bool,
    /// Only the n-th fitting request, counted from 1.
    pub nth: Option<u64>,
    /// Every n-th fitting request.
    pub every: Option<u64>,
    /// With this probability, by the seed.
    pub probability: Option<f64>,
    /// Not before this many fitting requests have passed.
    pub after: u64,
    /// At most this many times.
    pub times: Option<u64>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Shown in the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, rename = "match")]
    pub when: FaultMatch,
    pub action: FaultAction,
}

impl FaultMatch {
    pub(super) fn fits(&self, probe: &Probe<'_>) -> bool {
        let operation = probe.operation;
        self.item == probe.item
            && self.service.is_none_or(|service| service == probe.service)
            && self.write.is_none_or(|write| write == operation.write)
            && self.cmdlet.as_deref().is_none_or(|pattern| {
                named(pattern, &operation.name)
                    || operation.items.iter().any(|item| named(pattern, &item.name))
            })
            && self
                .path
                .as_deref()
                .is_none_or(|part| probe.target.to_lowercase().contains(&part.to_lowercase()))
    }

    /// Whether the rule acts on the `seen`-th fitting request, having acted `fired` times.
    pub(super) fn is_due(&self, seen: u64, fired: u64, random: f64) -> bool {
        if self.times.is_some_and(|times| fired >= times) || seen <= self.after {
            return false;
        }
        let counted = seen - self.after;
        self.nth.is_none_or(|nth| counted == nth)
            && self.every.is_none_or(|every| every > 0 && counted.is_multiple_of(every))
            && self.probability.is_none_or(|probability| random < probability)
    }
}

fn named(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(head) => name.get(..head.len()).is_some_and(|start| start.eq_ignore_ascii_case(head)),
        None => name.eq_ignore_ascii_case(pattern),
    }
}
