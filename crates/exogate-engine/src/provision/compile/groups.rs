//! Groups that are there: changing and deleting them.

use std::sync::Arc;

use exogate_model::account::SHARED_MAILBOX;
use exogate_model::group::{GroupKind, MembershipRole};
use exogate_model::operation::{Action, Edit, Request, Target, TargetKind};
use exogate_model::plan::{AttributeOperation, GroupOperation, GroupRequest, Op};
use exogate_model::value::AttributeType;

use super::attributes::{GRAPH_PROPERTIES, of_group};
use super::{Compiler, Phase, Step, shown, useless_group};
use crate::provision::error::Problem;
use crate::provision::snapshot::{GroupState, Lookup, MEMBERS, OWNERS};

impl Compiler<'_> {
    pub(super) fn group(&mut self, request: &GroupRequest) {
        match request.operation {
            GroupOperation::Create => self.create_group(request),
            GroupOperation::Modify => self.modify(request),
            GroupOperation::Delete => self.delete(request),
        }
    }

    pub(super) fn known_group(&mut self, name: &str, at: (&str, &str)) -> Option<Arc<GroupState>> {
        let snapshot = self.snapshot;
        self.found("group", name, snapshot.groups.get(name), at)
    }

    /// Whether the group can be changed from here; says why not.
    pub(super) fn writable(&mut self, group: &GroupState, at: (&str, &str)) -> bool {
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

    pub(super) fn modify(&mut self, request: &GroupRequest) {
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
    pub(super) fn graph_edit(
        &mut self,
        serves: &Request,
        operation: &AttributeOperation,
    ) -> Option<Option<Edit>> {
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
        if let Some(Lookup::Missing { .. }) = self.snapshot.groups.get(of)
            && self.deleted_before(of, Action::DeleteGroup)
        {
            return;
        }
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
}

pub(super) fn target_of(group: &GroupState) -> Target {
    Target { kind: TargetKind::Group(group.kind), id: group.party.id.clone(), name: group.party.name.clone() }
}
