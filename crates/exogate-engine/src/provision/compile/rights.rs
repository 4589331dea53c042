//! Rights on mailboxes: what is asked of one mailbox for one trustee becomes one call for each of the
//! three places in which Exchange keeps rights.

use std::collections::BTreeMap;
use std::sync::Arc;

use exogate_model::entitlement;
use exogate_model::operation::{Action, Party, Request, Target, TargetKind};
use exogate_model::plan::{AttributeOperation, Op};
use exogate_model::right::Right;

use super::{Compiler, Phase, Step, shown};
use crate::provision::error::Problem;
use crate::provision::snapshot::{Lookup, MailboxState};

/// What is asked of one mailbox for one trustee.
pub(super) struct Wanted {
    mailbox: Arc<MailboxState>,
    party: Party,
    rights: BTreeMap<Right, (bool, Request)>,
    auto_mapping: Option<bool>,
}

impl Compiler<'_> {
    /// One operation on the attribute `sharedMailbox` of an account or group.
    pub(super) fn rights(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        party: &Party,
        held: &[(String, Right)],
        useless: Option<&'static str>,
    ) {
        if !self.rules.options.manage_exchange_online {
            return self.refuse(&serves.of, &serves.attribute, Problem::NoExchange);
        }
        if operation.op != Op::Set && operation.value.scalars().is_empty() {
            let name = operation.name.clone();
            return self.refuse(&serves.of, &serves.attribute, Problem::NoValue { name });
        }
        let mut named = Vec::new();
        for value in operation.value.scalars() {
            let value = value.to_text();
            match entitlement::parse(&value) {
                Ok((label, right)) => {
                    let label = label.to_owned();
                    if let Some(mailbox) = self.governed(&label, serves) {
                        named.push((mailbox, right));
                    }
                }
                Err(error) => self.refuse(&serves.of, &serves.attribute, error.into()),
            }
        }
        if operation.op == Op::Set {
            let keeps = |mailbox: &str, right: &Right| {
                named.iter().any(|(named, wanted)| named.key == mailbox && wanted == right)
            };
            for (key, right) in held.iter().filter(|(mailbox, right)| !keeps(mailbox, right)) {
                if let Some(Lookup::Found(mailbox)) = self.snapshot.mailboxes.get(key) {
                    let mailbox = Arc::clone(mailbox);
                    self.want(serves, &mailbox, party, right, false, None);
                }
            }
        }
        let add = operation.op != Op::Remove;
        if add
            && !named.is_empty()
            && let Some(why) = useless
        {
            let name = party.name.clone();
            return self.refuse(&serves.of, &serves.attribute, Problem::UselessTrustee { name, why });
        }
        for (mailbox, right) in &named {
            self.want(serves, mailbox, party, right, add, operation.auto_mapping);
        }
    }

    fn governed(&mut self, label: &str, serves: &Request) -> Option<Arc<MailboxState>> {
        let at = (serves.of.as_str(), serves.attribute.as_str());
        let snapshot = self.snapshot;
        let mailbox = self.found("mailbox", label, snapshot.mailboxes.get(label), at)?;
        if mailbox.label.is_some() {
            return Some(mailbox);
        }
        let problem =
            Problem::NotGoverned { mailbox: mailbox.address.clone(), kind: mailbox.kind.to_string() };
        self.refuse(at.0, at.1, problem);
        None
    }

    fn want(
        &mut self,
        serves: &Request,
        mailbox: &Arc<MailboxState>,
        party: &Party,
        right: &Right,
        add: bool,
        auto_mapping: Option<bool>,
    ) {
        let place = (mailbox.key.clone(), party.id.clone());
        let wanted = self.rights.entry(place).or_insert_with(|| Wanted {
            mailbox: Arc::clone(mailbox),
            party: party.clone(),
            rights: BTreeMap::new(),
            auto_mapping: None,
        });
        let auto_mapping = auto_mapping.filter(|_| add && *right == Right::FullAccess);
        let other = wanted.rights.insert(right.clone(), (add, serves.clone()));
        let contradicts = other.is_some_and(|(other, _)| other != add)
            || matches!((wanted.auto_mapping, auto_mapping), (Some(a), Some(b)) if a != b);
        wanted.auto_mapping = auto_mapping.or(wanted.auto_mapping);
        if contradicts {
            let what = format!(
                "{right} on {} for {} is both given and taken, or in two ways",
                wanted.mailbox.label.as_deref().unwrap_or(&wanted.mailbox.address),
                party.name
            );
            self.refuse(&serves.of, &serves.attribute, Problem::Contradiction { what });
        }
    }

    pub(super) fn finish_rights(&mut self) {
        let mut on_behalf: BTreeMap<String, (Arc<MailboxState>, Vec<OnBehalf>)> = BTreeMap::new();
        for wanted in std::mem::take(&mut self.rights).into_values() {
            let mut add = Vec::new();
            let mut remove = Vec::new();
            let mut send_as = None;
            for (right, (give, serves)) in wanted.rights {
                let held = wanted.mailbox.held.iter().any(|held| {
                    held.right == right && held.holder.as_deref() == Some(wanted.party.id.as_str())
                });
                match right {
                    Right::SendOnBehalf => {
                        let (_, list) = on_behalf
                            .entry(wanted.mailbox.key.clone())
                            .or_insert_with(|| (Arc::clone(&wanted.mailbox), Vec::new()));
                        list.push(OnBehalf { party: wanted.party.clone(), give, held, serves });
                    }
                    Right::SendAs => send_as = Some((give, held, serves)),
                    right if give => add.push((right, held, serves)),
                    right => remove.push((right, held, serves)),
                }
            }
            let trustee = || wanted.party.clone();
            // Whether Outlook opens the mailbox is fixed when the right is given, and shown nowhere.
            let again: Vec<_> = add
                .iter()
                .filter(|(right, held, _)| {
                    *held && *right == Right::FullAccess && wanted.auto_mapping.is_some()
                })
                .cloned()
                .collect();
            if !again.is_empty() {
                let action = Action::RevokeRights { trustee: trustee(), rights: vec![Right::FullAccess] };
                self.rights_step(&wanted.mailbox, &wanted.party, action, false, again);
                for (right, held, _) in &mut add {
                    *held = *held && *right != Right::FullAccess;
                }
            }
            if !remove.is_empty() {
                let rights = remove.iter().map(|(right, ..)| right.clone()).collect();
                let action = Action::RevokeRights { trustee: trustee(), rights };
                self.rights_step(&wanted.mailbox, &wanted.party, action, false, remove);
            }
            if !add.is_empty() {
                let rights = add.iter().map(|(right, ..)| right.clone()).collect();
                let auto_mapping = wanted.auto_mapping;
                let action = Action::GrantRights { trustee: trustee(), rights, auto_mapping };
                self.rights_step(&wanted.mailbox, &wanted.party, action, true, add);
            }
            if let Some((give, held, serves)) = send_as {
                let trustee = trustee();
                let action = match give {
                    true => Action::GrantSendAs { trustee },
                    false => Action::RevokeSendAs { trustee },
                };
                let one = vec![(Right::SendAs, held, serves)];
                self.rights_step(&wanted.mailbox, &wanted.party, action, give, one);
            }
        }
        for (mailbox, list) in on_behalf.into_values() {
            self.on_behalf_step(&mailbox, &list);
        }
    }

    fn rights_step(
        &mut self,
        mailbox: &MailboxState,
        party: &Party,
        action: Action,
        give: bool,
        rights: Vec<(Right, bool, Request)>,
    ) {
        let lines = rights.iter().map(|(right, held, _)| line(party, right, *held, give)).collect();
        let already = rights.iter().all(|(_, held, _)| *held == give);
        let mut serves: Vec<Request> = rights.into_iter().map(|(.., serves)| serves).collect();
        serves.sort();
        serves.dedup();
        self.steps.push(Step {
            phase: if give { Phase::Grant } else { Phase::Revoke },
            target: target(mailbox),
            action,
            serves,
            shown: lines,
            already,
            review: false,
        });
    }

    fn on_behalf_step(&mut self, mailbox: &MailboxState, list: &[OnBehalf]) {
        let of =
            |give: bool| list.iter().filter(|one| one.give == give).map(|one| one.party.clone()).collect();
        let mut serves: Vec<Request> = list.iter().map(|one| one.serves.clone()).collect();
        serves.sort();
        serves.dedup();
        self.steps.push(Step {
            phase: Phase::Grant,
            target: target(mailbox),
            action: Action::ChangeSendOnBehalf { add: of(true), remove: of(false) },
            serves,
            already: list.iter().all(|one| one.held == one.give),
            shown: list
                .iter()
                .map(|one| line(&one.party, &Right::SendOnBehalf, one.held, one.give))
                .collect(),
            review: false,
        });
    }
}

struct OnBehalf {
    party: Party,
    give: bool,
    held: bool,
    serves: Request,
}

fn line(party: &Party, right: &Right, held: bool, give: bool) -> exogate_model::operation::Shown {
    let word = |held: bool| if held { "held" } else { "not held" };
    shown(format!("{right} of {}", party.name), word(held), word(give))
}

fn target(mailbox: &MailboxState) -> Target {
    Target {
        kind: TargetKind::Mailbox,
        id: mailbox.key.clone(),
        name: mailbox.label.clone().unwrap_or_else(|| mailbox.address.clone()),
    }
}
