//! Who is in a group, and who owns it: what a plan asks of one group comes together here.

use std::collections::BTreeMap;
use std::sync::Arc;

use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::operation::{Action, Edit, Party, Request, ValueChange};
use exogate_model::plan::{AttributeOperation, Op, PlanValue};
use exogate_model::value::{AttributeType, AttributeValue};

use super::groups::target_of;
use super::{Compiler, Phase, Step, shown};
use crate::provision::error::Problem;
use crate::provision::snapshot::{AccountState, GroupState, Lookup, OWNERS};

/// What is asked of the members and owners of one group.
pub(super) struct Wanted {
    group: Arc<GroupState>,
    changes: BTreeMap<(MembershipRole, String), (bool, Party, Request)>,
}

impl Compiler<'_> {
    /// The attribute `groups` of an account.
    pub(super) fn groups_of(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        account: &AccountState,
    ) {
        let at = (serves.of.as_str(), serves.attribute.as_str());
        let mut named = Vec::new();
        for value in operation.value.scalars() {
            let value = value.to_text();
            if let Some(group) = self.known_group(&value, at) {
                named.push(group);
            }
        }
        if operation.op == Op::Set {
            let leaves: Vec<String> = account
                .groups
                .iter()
                .filter(|id| !named.iter().any(|group| group.party.id == **id))
                .cloned()
                .collect();
            for id in leaves {
                if let Some(Lookup::Found(group)) = self.snapshot.groups.get(&id) {
                    let group = Arc::clone(group);
                    if self.writable(&group, at) {
                        self.want_member(serves, &group, MembershipRole::Member, &account.party, false);
                    }
                }
            }
        }
        for group in named {
            if self.writable(&group, at) {
                let add = operation.op != Op::Remove;
                self.want_member(serves, &group, MembershipRole::Member, &account.party, add);
            }
        }
    }

    pub(super) fn parties(&mut self, serves: &Request, value: &PlanValue) -> Vec<Party> {
        let at = (serves.of.as_str(), serves.attribute.as_str());
        let snapshot = self.snapshot;
        value
            .scalars()
            .iter()
            .filter_map(|value| {
                let value = value.to_text();
                let found = self.found("account or group", &value, snapshot.parties.get(&value), at)?;
                Some(found.as_ref().clone())
            })
            .collect()
    }

    /// The attributes `members` and `owners` of a group.
    pub(super) fn list(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
        group: &Arc<GroupState>,
        role: MembershipRole,
    ) {
        let named = self.parties(serves, &operation.value);
        let owner = role == MembershipRole::Owner;
        if operation.op == Op::Set && owner && group.kind.is_exchange() {
            return self.replace_owners(serves, group, &named);
        }
        if operation.op == Op::Set {
            if owner && named.is_empty() {
                let group = group.party.name.clone();
                return self.refuse(&serves.of, &serves.attribute, Problem::LastOwner { group });
            }
            let there = if owner { &group.owners } else { &group.members };
            for id in there.iter().filter(|id| !named.iter().any(|party| party.id == **id)) {
                // Known by its id alone, which is enough to name it.
                let party = Party {
                    id: id.clone(),
                    kind: MemberKind::Other,
                    name: id.clone(),
                    address: id.clone(),
                    known_as: Vec::new(),
                    sid: None,
                };
                self.want_member(serves, group, role, &party, false);
            }
        }
        for party in &named {
            self.want_member(serves, group, role, party, operation.op != Op::Remove);
        }
    }

    /// The directory does not show the owners of Exchange groups, so the whole list is set.
    fn replace_owners(&mut self, serves: &Request, group: &GroupState, named: &[Party]) {
        if named.is_empty() {
            let group = group.party.name.clone();
            return self.refuse(&serves.of, &serves.attribute, Problem::LastOwner { group });
        }
        let edit = Edit {
            attribute: OWNERS.to_owned(),
            parameter: "ManagedBy".to_owned(),
            property: "ManagedBy".to_owned(),
            read_by: Some("Get-DistributionGroup".to_owned()),
            kind: AttributeType::String,
            multi_valued: true,
            add_remove: true,
            change: ValueChange::Set(AttributeValue::Many(
                named.iter().map(|party| party.address.clone()).collect(),
            )),
        };
        let cmdlet = Some("Set-DistributionGroup".to_owned());
        self.want_edit(serves, target_of(group), cmdlet, edit, &group.attributes, false);
    }

    fn want_member(
        &mut self,
        serves: &Request,
        group: &Arc<GroupState>,
        role: MembershipRole,
        party: &Party,
        add: bool,
    ) {
        if add && let Some(why) = unfit(group.kind, role, party) {
            let problem =
                Problem::WrongMember { who: party.name.clone(), group: group.party.name.clone(), why };
            return self.refuse(&serves.of, &serves.attribute, problem);
        }
        let wanted = self
            .memberships
            .entry(group.party.id.clone())
            .or_insert_with(|| Wanted { group: Arc::clone(group), changes: BTreeMap::new() });
        let place = (role, party.id.clone());
        let other = wanted.changes.insert(place, (add, party.clone(), serves.clone()));
        if other.is_some_and(|(other, ..)| other != add) {
            let what = format!("{} is both added to and removed from {}", party.name, group.party.name);
            self.refuse(&serves.of, &serves.attribute, Problem::Contradiction { what });
        }
    }

    pub(super) fn finish_memberships(&mut self) {
        for wanted in std::mem::take(&mut self.memberships).into_values() {
            self.check_owners(&wanted);
            let group = wanted.group;
            let mut owners: (Vec<Party>, Vec<Party>, Vec<Request>) = Default::default();
            for ((role, id), (add, who, serves)) in wanted.changes {
                if role == MembershipRole::Owner && group.kind.is_exchange() {
                    let (added, removed, requests) = &mut owners;
                    if add {
                        added.push(who);
                    } else {
                        removed.push(who);
                    }
                    requests.push(serves);
                    continue;
                }
                let there = match role {
                    MembershipRole::Member => group.members.contains(&id),
                    MembershipRole::Owner => group.owners.contains(&id),
                };
                let word = |there: bool| if there { "in" } else { "not in" };
                let list = if role == MembershipRole::Owner { "owners" } else { "members" };
                self.steps.push(Step {
                    phase: if add { Phase::Add } else { Phase::Remove },
                    target: target_of(&group),
                    shown: vec![shown(format!("{list}: {}", who.name), word(there), word(add))],
                    action: match add {
                        true => Action::AddMember { role, who },
                        false => Action::RemoveMember { role, who },
                    },
                    serves: vec![serves],
                    already: there == add,
                    review: false,
                });
            }
            let (add, remove, mut serves) = owners;
            if !(add.is_empty() && remove.is_empty()) {
                serves.sort();
                serves.dedup();
                let line = |party: &Party, after: &str| {
                    shown(format!("owners: {}", party.name), "(read when it is applied)", after)
                };
                let lines = add.iter().map(|p| line(p, "in")).chain(remove.iter().map(|p| line(p, "not in")));
                self.steps.push(Step {
                    phase: Phase::Add,
                    target: target_of(&group),
                    shown: lines.collect(),
                    action: Action::ChangeOwners { add, remove },
                    serves,
                    already: false,
                    review: false,
                });
            }
        }
    }

    /// Refuses to take the last owner, where the owners are known.
    fn check_owners(&mut self, wanted: &Wanted) {
        let change = |add: bool| {
            wanted
                .changes
                .iter()
                .filter(move |((role, _), (a, ..))| *role == MembershipRole::Owner && *a == add)
                .map(|((_, id), _)| id.clone())
                .collect::<Vec<_>>()
        };
        let (added, removed) = (change(true), change(false));
        let left = wanted.group.owners.iter().filter(|id| !removed.contains(id)).count() + added.len();
        let taken = removed.iter().any(|id| wanted.group.owners.contains(id));
        if taken && left == 0 {
            let of = wanted.changes.values().find(|(add, ..)| !add).map(|(.., serves)| serves.clone());
            if let Some(serves) = of {
                let group = wanted.group.party.name.clone();
                self.refuse(&serves.of, &serves.attribute, Problem::LastOwner { group });
            }
        }
    }
}

/// Why somebody cannot be in a group of this kind, if so.
pub(super) fn unfit(kind: GroupKind, role: MembershipRole, party: &Party) -> Option<&'static str> {
    let group = party.kind == MemberKind::Group;
    match kind {
        GroupKind::MailEnabledSecurity | GroupKind::DistributionList
            if group && !party.address.contains('@') =>
        {
            Some("it has no mail address")
        }
        GroupKind::Microsoft365 if group => Some("Microsoft 365 groups hold users only"),
        GroupKind::Security if group && role == MembershipRole::Owner => Some("groups cannot own groups"),
        _ => None,
    }
}
