//! Making groups: the call that makes one, and what has to be set after it.

use exogate_model::group::{GroupKind, MembershipRole};
use exogate_model::operation::{Action, GroupDefinition, Party, Request, Target, TargetKind, ValueChange};
use exogate_model::plan::{AttributeOperation, GroupRequest, Op};

use super::attributes::{missing, of_group};
use super::memberships::unfit;
use super::{Compiler, Phase, Step, shown};
use crate::provision::call::goes_with_creation;
use crate::provision::error::Problem;
use crate::provision::snapshot::{Lookup, MEMBERS, OWNERS};

/// Members and owners that Graph takes with a new group.
const BOUND_AT_ONCE: usize = 20;

impl Compiler<'_> {
    pub(super) fn create_group(&mut self, request: &GroupRequest) {
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
            Some(Lookup::Found(group)) if snapshot.earlier.made.get(of) == Some(&group.party.id) => {
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
                lines.push(shown(edit.attribute.clone(), "(none)", value.to_string()));
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

/// An alias that follows from a name: what Exchange allows in one, at most 64 characters.
pub(super) fn alias_of(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let text: String = name.chars().filter(|c| allowed(*c)).take(64).collect();
    let text = text.trim_matches('.').to_owned();
    if text.is_empty() { "group".to_owned() } else { text }
}
