//! Groups: making, changing and deleting them, their members and their owners.

use std::collections::BTreeMap;
use std::sync::Arc;

use exogate_model::account::SHARED_MAILBOX;
use exogate_model::group::{GroupKind, MemberKind, MembershipRole};
use exogate_model::operation::{
    Action, Edit, GroupDefinition, Party, Request, Target, TargetKind, ValueChange,
};
use exogate_model::plan::{AttributeOperation, GroupOperation, GroupRequest, Op, PlanValue};
use exogate_model::value::{AttributeType, AttributeValue};

use super::attributes::{GRAPH_PROPERTIES, missing, of_group, words};
use super::{Compiler, Phase, Step, shown, useless_group};
use crate::provision::call::goes_with_creation;
use crate::provision::error::Problem;
use crate::provision::snapshot::{AccountState, GroupState, Lookup, MEMBERS, OWNERS};

/// What is asked of the members and owners of one group.
pub(super) struct Wanted {
    group: Arc<GroupState>,
    changes: BTreeMap<(MembershipRole, String), (bool, Party, Request)>,
}

/// Members and owners that Graph takes with a new group.
const BOUND_AT_ONCE: usize = 20;

impl Compiler<'_> {
    pub(super) fn group(&mut self, request: &GroupRequest) {
        match request.operation {
            GroupOperation::Create => self.create(request),
            GroupOperation::Modify => self.modify(request),
            GroupOperation::Delete => self.delete(request),
        }
    }

    fn known_group(&mut self, name: &str, at: (&str, &str)) -> Option<Arc<GroupState>> {
        let snapshot = self.snapshot;
        self.found("group", name, snapshot.groups.get(name), at)
    }

    /// Whether the group can be changed from here; says why not.
    fn writable(&mut self, group: &GroupState, at: (&str, &str)) -> bool {
        let problem = if group.kind == GroupKind::DynamicDistribution {
            Problem::WrongKind { kind: group.kind, why: ": its members follow from its filter" }
        } else if group.synced {
            Problem::Synced { name: group.party.name.clone() }
        } else if group.kind.is_exchange() && !self.rules.options.manage_exchange_online {
            Problem::NoExchange
        } else {
            return true;
        };
        self.refuse(at.0, at.1, problem);
        false
    }

    fn modify(&mut self, request: &GroupRequest) {
        let of = request.group.as_str();
        let Some(group) = self.known_group(of, (of, "")) else { return };
        for operation in &request.attributes {
            let serves = Request { of: of.to_owned(), attribute: operation.name.clone() };
            if operation.name.eq_ignore_ascii_case(SHARED_MAILBOX) {
                self.rights(&serves, operation, &group.party, &group.held, useless_group(&group));
                continue;
            }
            if !self.writable(&group, (of, &operation.name)) {
                continue;
            }
            if operation.name.eq_ignore_ascii_case(MEMBERS) {
                self.list(&serves, operation, &group, MembershipRole::Member);
            } else if operation.name.eq_ignore_ascii_case(OWNERS) {
                self.list(&serves, operation, &group, MembershipRole::Owner);
            } else {
                self.group_attribute(&serves, operation, &group);
            }
        }
    }

    fn group_attribute(&mut self, serves: &Request, operation: &AttributeOperation, group: &GroupState) {
        let target = target_of(group);
        if !group.kind.is_exchange()
            && let Some(edit) = self.graph_edit(serves, operation)
        {
            if let Some(edit) = edit {
                self.want_edit(serves, target, None, edit, &group.attributes, false);
            }
            return;
        }
        let Some((policy, read_by)) = of_group(group.kind) else {
            let problem =
                Problem::WrongKind { kind: group.kind, why: ": Exchange does not know security groups" };
            return self.refuse(&serves.of, &serves.attribute, problem);
        };
        let schema = self.rules.group_schema;
        let Some(settable) = self.settable(serves, &operation.name, policy, schema) else { return };
        let empties = operation.op == Op::Set && operation.value.scalars().is_empty();
        if settable.setter.parameter == "ManagedBy" && empties {
            let group = group.party.name.clone();
            return self.refuse(&serves.of, &serves.attribute, Problem::LastOwner { group });
        }
        if let Some(edit) = self.edit(serves, operation, &settable, read_by) {
            let cmdlet = Some(settable.setter.cmdlet.to_owned());
            self.want_edit(serves, target, cmdlet, edit, &group.attributes, settable.review_required);
        }
    }

    /// The change of a property that Graph sets; `None` if it is none of those.
    fn graph_edit(&mut self, serves: &Request, operation: &AttributeOperation) -> Option<Option<Edit>> {
        let name = GRAPH_PROPERTIES.iter().find(|name| name.eq_ignore_ascii_case(&operation.name))?;
        let edit = self.change(serves, operation, AttributeType::String, false, &[]).map(|change| Edit {
            attribute: (*name).to_owned(),
            parameter: (*name).to_owned(),
            property: (*name).to_owned(),
            read_by: None,
            kind: AttributeType::String,
            multi_valued: false,
            add_remove: false,
            change,
        });
        Some(edit)
    }

    fn delete(&mut self, request: &GroupRequest) {
        let of = request.group.as_str();
        let Some(group) = self.known_group(of, (of, "")) else { return };
        if !self.writable(&group, (of, "")) {
            return;
        }
        self.steps.push(Step {
            phase: Phase::Delete,
            target: target_of(&group),
            action: Action::DeleteGroup,
            serves: vec![Request { of: of.to_owned(), attribute: String::new() }],
            shown: vec![shown(
                format!("group {}", group.party.name),
                format!("{} with {} members", group.kind, group.members.len()),
                "deleted",
            )],
            already: false,
            review: false,
        });
    }

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

    fn parties(&mut self, serves: &Request, value: &PlanValue) -> Vec<Party> {
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
    fn list(
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

    fn create(&mut self, request: &GroupRequest) {
        let of = request.group.as_str();
        let Some(kind) = request.kind else { return self.refuse(of, "", Problem::NeedsKind) };
        if kind == GroupKind::DynamicDistribution {
            let why = ": make it in Exchange, where its filter is written";
            return self.refuse(of, "", Problem::WrongKind { kind, why });
        }
        if kind.is_exchange() && !self.rules.options.manage_exchange_online {
            return self.refuse(of, "", Problem::NoExchange);
        }
        let snapshot = self.snapshot;
        match snapshot.groups.get(of) {
            None | Some(Lookup::Missing { .. }) => {}
            // An earlier run of this plan made it, and something else of the plan failed.
            Some(Lookup::Found(group)) if snapshot.made.get(of) == Some(&group.party.id) => {
                return self.complete(request);
            }
            Some(_) => return self.refuse(of, "", Problem::Exists { name: of.to_owned() }),
        }
        let mut definition = GroupDefinition {
            kind,
            name: of.to_owned(),
            alias: alias_of(of),
            address: None,
            owners: Vec::new(),
            members: Vec::new(),
            edits: Vec::new(),
        };
        let target = Target { kind: TargetKind::Group(kind), id: String::new(), name: of.to_owned() };
        let mut serves = vec![Request { of: of.to_owned(), attribute: String::new() }];
        let mut review = false;
        for operation in self.with_defaults(request, kind) {
            let one = Request { of: of.to_owned(), attribute: operation.name.clone() };
            serves.push(one.clone());
            let is = |name: &str| operation.name.eq_ignore_ascii_case(name);
            if is(OWNERS) {
                definition.owners.extend(self.parties(&one, &operation.value));
            } else if is(MEMBERS) {
                definition.members.extend(self.parties(&one, &operation.value));
            } else if is("EXO_Alias") || is("mailNickname") {
                self.naming(&one, &operation, &mut definition.alias);
            } else if is("EXO_PrimarySmtpAddress") {
                self.naming(&one, &operation, definition.address.get_or_insert_default());
            } else if let Some(edit) =
                (!kind.is_exchange()).then(|| self.graph_edit(&one, &operation)).flatten()
            {
                definition.edits.extend(edit);
            } else if let Some((policy, read_by)) = of_group(kind) {
                let schema = self.rules.group_schema;
                let Some(settable) = self.settable(&one, &operation.name, policy, schema) else { continue };
                review |= settable.review_required;
                let Some(edit) = self.edit(&one, &operation, &settable, read_by) else { continue };
                if kind.is_exchange() && goes_with_creation(kind, settable.setter.parameter) {
                    definition.edits.push(edit);
                } else {
                    let cmdlet = Some(settable.setter.cmdlet.to_owned());
                    self.want_edit(
                        &one,
                        target.clone(),
                        cmdlet,
                        edit,
                        &Default::default(),
                        settable.review_required,
                    );
                }
            } else {
                let why = ": Exchange does not know security groups";
                self.refuse(of, &operation.name, Problem::WrongKind { kind, why });
            }
        }
        if kind.is_exchange() && definition.owners.is_empty() {
            self.refuse(of, OWNERS, Problem::NeedsOwner { kind });
        }
        for (role, parties) in
            [(MembershipRole::Owner, &definition.owners), (MembershipRole::Member, &definition.members)]
        {
            for party in parties {
                if let Some(why) = unfit(kind, role, party) {
                    let (who, group) = (party.name.clone(), of.to_owned());
                    self.refuse(of, "", Problem::WrongMember { who, group, why });
                }
            }
        }
        self.create_steps(&target, definition, &serves, review);
    }

    /// The rest of a creation of which the group itself is there already.
    fn complete(&mut self, request: &GroupRequest) {
        const NAMING: [&str; 3] = ["EXO_Alias", "EXO_PrimarySmtpAddress", "mailNickname"];
        let mut rest = request.clone();
        rest.attributes.retain(|one| !NAMING.iter().any(|name| name.eq_ignore_ascii_case(&one.name)));
        for attribute in &mut rest.attributes {
            // What a new group is made with is added to one that is there.
            let list = [MEMBERS, OWNERS].iter().any(|name| name.eq_ignore_ascii_case(&attribute.name));
            if list && attribute.op == Op::Set {
                attribute.op = Op::Add;
            }
        }
        self.modify(&rest);
    }

    fn create_steps(
        &mut self,
        target: &Target,
        mut definition: GroupDefinition,
        serves: &[Request],
        review: bool,
    ) {
        let mut lines = vec![shown(
            format!("group {}", definition.name),
            "(none)",
            format!("{} with alias {}", definition.kind, definition.alias),
        )];
        let names =
            |parties: &[Party]| parties.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        if !definition.owners.is_empty() {
            lines.push(shown(OWNERS, "(none)", names(&definition.owners)));
        }
        if !definition.members.is_empty() {
            lines.push(shown(MEMBERS, "(none)", names(&definition.members)));
        }
        for edit in &definition.edits {
            if let ValueChange::Set(value) = &edit.change {
                lines.push(shown(edit.attribute.clone(), "(none)", words(value)));
            }
        }
        let room = BOUND_AT_ONCE.saturating_sub(definition.owners.len());
        let later = if definition.kind.is_exchange() || definition.members.len() <= room {
            Vec::new()
        } else {
            definition.members.split_off(room)
        };
        self.steps.push(Step {
            phase: Phase::Create,
            target: target.clone(),
            action: Action::CreateGroup { definition },
            serves: serves.to_vec(),
            shown: lines,
            already: false,
            review,
        });
        for who in later {
            self.steps.push(Step {
                phase: Phase::Add,
                target: target.clone(),
                shown: vec![shown(format!("members: {}", who.name), "not in", "in")],
                action: Action::AddMember { role: MembershipRole::Member, who },
                serves: serves.to_vec(),
                already: false,
                review,
            });
        }
    }

    /// What was asked for, and what the policy adds to it.
    fn with_defaults(&mut self, request: &GroupRequest, kind: GroupKind) -> Vec<AttributeOperation> {
        let mut operations = request.attributes.clone();
        let Some((policy, _)) = of_group(kind) else { return operations };
        for attribute in self.rules.policy.attributes(policy).to_vec() {
            let name = attribute.definition.name;
            if operations.iter().any(|operation| operation.name.eq_ignore_ascii_case(&name)) {
                continue;
            }
            if !attribute.default.scalars().is_empty() {
                let value = attribute.default;
                operations.push(AttributeOperation { op: Op::Set, name, value, auto_mapping: None });
            } else if attribute.required {
                self.refuse(&request.group, &name.clone(), Problem::Required { name });
            }
        }
        operations
    }

    fn naming(&mut self, serves: &Request, operation: &AttributeOperation, into: &mut String) {
        match operation.value.scalars() {
            [one] => *into = one.to_text(),
            _ => {
                let (name, mismatch) = (operation.name.clone(), missing("a single text"));
                self.refuse(&serves.of, &serves.attribute, Problem::WrongType { name, mismatch });
            }
        }
    }
}

/// Why somebody cannot be in a group of this kind, if so.
fn unfit(kind: GroupKind, role: MembershipRole, party: &Party) -> Option<&'static str> {
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

/// An alias that follows from a name: what Exchange allows in one, at most 64 characters.
pub(super) fn alias_of(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let text: String = name.chars().filter(|c| allowed(*c)).take(64).collect();
    let text = text.trim_matches('.').to_owned();
    if text.is_empty() { "group".to_owned() } else { text }
}

fn target_of(group: &GroupState) -> Target {
    Target { kind: TargetKind::Group(group.kind), id: group.party.id.clone(), name: group.party.name.clone() }
}
