//! The rights of a mailbox as they were: the feed of changes read backwards from today's state, as a
//! plan that is compiled like any other.

use std::collections::{BTreeMap, BTreeSet};

use exogate_model::account::SHARED_MAILBOX;
use exogate_model::change::{Happened, ObjectKind};
use exogate_model::entitlement;
use exogate_model::plan::{
    AccountRequest, AttributeOperation, GroupOperation, GroupRequest, Op, Plan, PlanScalar, PlanValue,
};
use exogate_model::right::Right;
use exogate_store::{Found, RunState, SourceStore, StoreError};
use jiff::Timestamp;
use thiserror::Error;

/// Why the rights of a mailbox cannot be put back.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// Not known, or several.
    #[error("mailbox {0:?} is not known, or not alone under that name; give its primary address")]
    Mailbox(String),
    /// Its rights are not governed.
    #[error("the rights of {0:?} are not governed; see options.entitlement_mailboxes")]
    NotGoverned(String),
    /// Before anything was known.
    #[error("nothing is known of {at}: the first complete aggregation ended {first}")]
    TooEarly {
        /// When it was asked for.
        at: Timestamp,
        /// When knowledge begins, in words.
        first: String,
    },
    /// In the future.
    #[error("{0} has not come yet")]
    Future(Timestamp),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Entries of the feed read at once, and runs looked through.
const PAGE: usize = 5000;

/// The plan that puts the rights on a mailbox back as they were at an instant.
pub async fn restore(
    store: &SourceStore,
    mailbox: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<Plan, RestoreError> {
    if at > now {
        return Err(RestoreError::Future(at));
    }
    let Found::One(found) = store.find_mailbox(mailbox).await? else {
        return Err(RestoreError::Mailbox(mailbox.to_owned()));
    };
    let Some(label) = found.label else { return Err(RestoreError::NotGoverned(mailbox.to_owned())) };
    let runs = store.runs(PAGE).await?;
    let complete = runs.iter().filter(|run| run.state == RunState::Completed);
    let first = complete.filter_map(|run| run.finished).min();
    if first.is_none_or(|first| at < first) {
        let first = first.map_or_else(|| "never".to_owned(), |first| format!("at {first}"));
        return Err(RestoreError::TooEarly { at, first });
    }
    let held: BTreeSet<(String, Right)> = store
        .grants_of_mailbox(&found.key)
        .await?
        .into_iter()
        .filter(|stored| stored.grant.is_entitlement())
        .filter_map(|stored| Some((stored.grant.principal.id()?.to_owned(), stored.grant.right)))
        .collect();
    let mut events = Vec::new();
    let mut since = 0;
    loop {
        let page = store.changes(since, PAGE).await?;
        let Some(last) = page.last() else { break };
        since = last.sequence;
        let of_mailbox = page.into_iter().filter(|change| {
            change.at > at
                && change.object == ObjectKind::Mailbox
                && change.id.eq_ignore_ascii_case(&found.key)
        });
        events.extend(of_mailbox.map(|change| change.happened));
    }
    let before = rewound(&held, &events);
    let ids: Vec<String> = held.iter().chain(&before).map(|(id, _)| id.clone()).collect();
    let names = store.names(ids).await?;
    let is_group = |id: &str| names.get(id).is_some_and(|name| name.kind == ObjectKind::Group);
    Ok(plan(&label, &held, &before, is_group))
}

/// The rights before the events, newest last, had happened. Pure.
fn rewound(held: &BTreeSet<(String, Right)>, events: &[Happened]) -> BTreeSet<(String, Right)> {
    let mut held = held.clone();
    for event in events.iter().rev() {
        match event {
            Happened::Granted { right, principal: Some(id), deny: false, .. } => {
                held.remove(&(id.clone(), Right::from_token(right)));
            }
            Happened::Revoked { right, principal: Some(id), deny: false, .. } => {
                held.insert((id.clone(), Right::from_token(right)));
            }
            _ => {}
        }
    }
    held
}

/// The plan that turns one set of rights into the other. Pure.
fn plan(
    label: &str,
    now: &BTreeSet<(String, Right)>,
    then: &BTreeSet<(String, Right)>,
    is_group: impl Fn(&str) -> bool,
) -> Plan {
    let mut wanted: BTreeMap<&str, (Vec<&Right>, Vec<&Right>)> = BTreeMap::new();
    for (id, right) in now.difference(then) {
        wanted.entry(id).or_default().0.push(right);
    }
    for (id, right) in then.difference(now) {
        wanted.entry(id).or_default().1.push(right);
    }
    let mut plan = Plan::default();
    for (id, (remove, add)) in wanted {
        let operation = |op, rights: Vec<&Right>| AttributeOperation {
            op,
            name: SHARED_MAILBOX.to_owned(),
            value: PlanValue::Many(
                rights.iter().map(|right| PlanScalar::Text(entitlement::value(label, right))).collect(),
            ),
            auto_mapping: None,
        };
        let attributes: Vec<_> = [(Op::Remove, remove), (Op::Add, add)]
            .into_iter()
            .filter(|(_, rights)| !rights.is_empty())
            .map(|(op, rights)| operation(op, rights))
            .collect();
        if is_group(id) {
            let (group, kind) = (id.to_owned(), None);
            plan.groups.push(GroupRequest { group, operation: GroupOperation::Modify, kind, attributes });
        } else {
            plan.accounts.push(AccountRequest { account: id.to_owned(), attributes });
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feed_read_backwards_gives_what_was() {
        let given = |id: &str, right: &str| Happened::Granted {
            right: right.into(),
            trustee: id.into(),
            principal: Some(id.into()),
            deny: false,
        };
        let taken = |id: &str, right: &str| Happened::Revoked {
            right: right.into(),
            trustee: id.into(),
            principal: Some(id.into()),
            deny: false,
        };
        let held = |list: &[(&str, Right)]| {
            list.iter().map(|(id, right)| ((*id).to_owned(), right.clone())).collect::<BTreeSet<_>>()
        };
        let now = held(&[("kim", Right::SendAs), ("g", Right::FullAccess)]);
        let events = [
            // That Kim was denied a right takes no right from what was held.
            Happened::Granted {
                right: "SendAs".into(),
                trustee: "kim".into(),
                principal: Some("kim".into()),
                deny: true,
            },
            given("lee", "SendAs"),
            taken("lee", "SendAs"),
            taken("kim", "FullAccess"),
            given("kim", "SendAs"),
        ];
        let then = rewound(&now, &events);
        assert_eq!(then, held(&[("kim", Right::FullAccess), ("g", Right::FullAccess)]));
        let plan = plan("O365Support", &now, &then, |id| id == "g");
        assert!(plan.groups.is_empty(), "nothing changed for the group");
        let [request] = plan.accounts.as_slice() else { panic!("{plan:?}") };
        let texts: Vec<_> = request
            .attributes
            .iter()
            .map(|a| (a.op, a.value.scalars().iter().map(PlanScalar::to_text).collect::<Vec<_>>()))
            .collect();
        assert_eq!(
            texts,
            [
                (Op::Remove, vec!["O365Support: SendAs".to_owned()]),
                (Op::Add, vec!["O365Support: FullAccess".to_owned()])
            ]
        );
    }
}
