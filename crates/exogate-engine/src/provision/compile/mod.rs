//! From a plan to operations: pure, over what the store knows, the schemas and the policy.
//!
//! Leaves no choice to whoever executes: one operation is one call on one object, in the order in
//! which they must happen. Everything that can be known to fail is refused here, all of it at once.

mod attributes;
mod create;
mod groups;
mod memberships;
mod rights;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;

use exogate_model::account::{GROUPS, SHARED_MAILBOX};
use exogate_model::operation::{Action, Operation, Request, Shown, Target};
use exogate_model::plan::{AccountRequest, Plan};
use exogate_model::policy::ProvisioningPolicy;
use exogate_model::schema::Schema;
use exogate_model::source::SourceOptions;

use super::error::{PlanError, Problem};
use super::snapshot::{AccountState, GroupState, Lookup, Snapshot};

/// What a source allows.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The attributes of accounts.
    pub account_schema: &'a Schema,
    /// The attributes of groups.
    pub group_schema: &'a Schema,
    /// Those that may be set.
    pub policy: &'a ProvisioningPolicy,
    /// The source's options.
    pub options: &'a SourceOptions,
}

/// Compiles a plan, or says everything that is wrong with it.
pub fn compile(plan: &Plan, snapshot: &Snapshot, rules: Rules<'_>) -> Result<Vec<Operation>, Vec<PlanError>> {
    let mut compiler = Compiler {
        snapshot,
        rules,
        errors: Vec::new(),
        steps: Vec::new(),
        rights: BTreeMap::new(),
        edits: BTreeMap::new(),
        memberships: BTreeMap::new(),
    };
    for request in &plan.accounts {
        compiler.account(request);
    }
    for request in &plan.groups {
        compiler.group(request);
    }
    for request in &plan.users {
        compiler.user(request);
    }
    compiler.finish()
}

/// When an operation on an object comes, relative to the others on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Create,
    // Before rights are given: a mailbox has room for 500 entries.
    Revoke,
    Edit,
    Grant,
    // A new owner before the old one goes.
    Add,
    Remove,
    Delete,
}

struct Step {
    phase: Phase,
    target: Target,
    action: Action,
    serves: Vec<Request>,
    shown: Vec<Shown>,
    already: bool,
    review: bool,
}

struct Compiler<'a> {
    snapshot: &'a Snapshot,
    rules: Rules<'a>,
    errors: Vec<PlanError>,
    steps: Vec<Step>,
    rights: BTreeMap<(String, String), rights::Wanted>,
    edits: BTreeMap<(String, String), attributes::Wanted>,
    memberships: BTreeMap<String, memberships::Wanted>,
}

/// What of an object does not depend on the plan.
fn at(of: &str, attribute: &str) -> String {
    if attribute.is_empty() { of.to_owned() } else { format!("{of}, {attribute}") }
}

impl<'a> Compiler<'a> {
    fn refuse(&mut self, of: &str, attribute: &str, problem: Problem) {
        let error = PlanError { of: at(of, attribute), problem };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    fn account(&mut self, request: &AccountRequest) {
        let of = request.account.as_str();
        let snapshot = self.snapshot;
        let Some(account) = self.found("account", of, snapshot.accounts.get(of), (of, "")) else { return };
        for operation in &request.attributes {
            let serves = Request { of: of.to_owned(), attribute: operation.name.clone() };
            if operation.name.eq_ignore_ascii_case(SHARED_MAILBOX) {
                self.rights(&serves, operation, &account.party, &account.held, useless_account(&account));
            } else if operation.name.eq_ignore_ascii_case(GROUPS) {
                self.groups_of(&serves, operation, &account);
            } else {
                self.account_attribute(&serves, operation, &account);
            }
        }
    }

    /// What a look-up found, or the error that it did not.
    fn found<T>(
        &mut self,
        what: &'static str,
        name: &str,
        lookup: Option<&Lookup<T>>,
        (of, attribute): (&str, &str),
    ) -> Option<Arc<T>> {
        let problem = match lookup {
            Some(Lookup::Found(found)) => return Some(Arc::clone(found)),
            Some(Lookup::Ambiguous { candidates }) => {
                Problem::Ambiguous { what, name: name.to_owned(), candidates: candidates.clone() }
            }
            Some(Lookup::Missing { nearest }) => Problem::Unknown {
                what,
                name: name.to_owned(),
                near: nearest.clone(),
                more: self.unread(what),
            },
            None => Problem::Unknown { what, name: name.to_owned(), near: None, more: "" },
        };
        self.refuse(of, attribute, problem);
        None
    }

    /// Whether an earlier run of this plan has deleted it, which is told then.
    fn deleted_before(&mut self, of: &str, action: Action) -> bool {
        let Some(target) = self.snapshot.earlier.deleted.get(of) else { return false };
        self.steps.push(Step {
            phase: Phase::Delete,
            target: target.clone(),
            action,
            serves: vec![Request { of: of.to_owned(), attribute: String::new() }],
            shown: vec![shown(target.name.as_str(), "deleted", "deleted")],
            already: true,
            review: false,
        });
        true
    }

    /// Why something that exists may not be known.
    fn unread(&self, what: &str) -> &'static str {
        match what {
            "group" if !self.rules.options.aggregate_all_groups => {
                "; distribution lists are not read (options.aggregate_all_groups is false)"
            }
            _ => "",
        }
    }

    fn finish(mut self) -> Result<Vec<Operation>, Vec<PlanError>> {
        self.finish_rights();
        self.finish_edits();
        self.finish_memberships();
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        // Objects in the order in which the plan first came to them.
        let mut order: BTreeMap<String, usize> = BTreeMap::new();
        for step in &self.steps {
            let next = order.len();
            order.entry(step.target.lock()).or_insert(next);
        }
        self.steps.sort_by_cached_key(|step| (order.get(&step.target.lock()).copied(), step.phase));
        Ok(self
            .steps
            .into_iter()
            .zip(1u32..)
            .map(|(step, number)| Operation {
                number,
                target: step.target,
                action: step.action,
                serves: step.serves,
                shown: step.shown,
                already: step.already,
                review: step.review,
            })
            .collect())
    }
}

/// Why an account cannot make use of a right, if so.
fn useless_account(account: &AccountState) -> Option<&'static str> {
    (!account.has_mailbox && !account.has_mail)
        .then_some("the account has neither a mailbox nor a mail address")
}

/// Why a group cannot make use of a right, if so.
fn useless_group(group: &GroupState) -> Option<&'static str> {
    use exogate_model::group::GroupKind;
    match group.kind {
        GroupKind::MailEnabledSecurity => None,
        GroupKind::Security => Some(
            "Exchange accepts a security group that is not mail-enabled, but the right does not work; use a \
             mail-enabled security group",
        ),
        GroupKind::DistributionList | GroupKind::DynamicDistribution => {
            Some("a distribution list is no security principal; use a mail-enabled security group")
        }
        GroupKind::Microsoft365 => {
            Some("a Microsoft 365 group is no security principal; use a mail-enabled security group")
        }
    }
}

fn shown(what: impl Into<String>, before: impl Into<String>, after: impl Into<String>) -> Shown {
    Shown { what: what.into(), before: before.into(), after: after.into() }
}

#[cfg(test)]
mod tests;
